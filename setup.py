"""What pyproject.toml cannot say: the wheel carries the project's folder, for `runbook init` (base/project.py)."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

DELIVERED = ("notebooks/*.ipynb", "params/*.yaml", ".ci/runbook", ".github/workflows/runbook.yml")


class Build(build_py):
    """Copies the files into the package that is built, never into the source."""

    def run(self) -> None:
        """As setuptools does it, and then the files."""
        super().run()
        if self.editable_mode:
            return  # a checkout has them beside the package
        root = Path(__file__).parent
        for pattern in DELIVERED:
            for path in sorted(root.glob(pattern)):
                target = Path(self.build_lib) / "runbook_lib" / "delivered" / path.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


setup(cmdclass={"build_py": Build})
