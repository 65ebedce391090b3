"""Infrastructure tools for `runbook init --tool`: how each shows differences and deploys (`tools.yaml`).

Their outputs were tried: `cdk diff` (recorded outputs, `tests/fixtures/diffs`), `sam deploy` and `aws cloudformation
deploy` on a small stack of the embedded AWS; for a plan of Terraform only the documented format.
"""

from __future__ import annotations

from importlib.resources import files

import yaml

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import hint

DEFAULT = "cdk"


def delivered() -> dict[str, str]:
    """Tool to the text of `diff` and `deploy` in commands.yaml; empty: as in the delivered file."""
    return dict(yaml.safe_load((files("runbook_lib.commands.init") / "tools.yaml").read_text(encoding="utf-8")))


def known(tool: str) -> str:
    """The tool's name, if it is known.

    Raises:
        UsageError: the tool is unknown.
    """
    tools = delivered()
    if tool not in tools:
        raise UsageError(
            f"--tool is '{tool}': not known here; {hint(tool, tools)}; any other is written into params/commands.yaml"
        )
    return tool
