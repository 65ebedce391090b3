"""Infrastructure tools that `runbook init --tool` knows: how each shows differences and deploys (`tools.yaml`).

What each prints was tried: `cdk diff` (recorded outputs, `tests/fixtures/diffs`), `sam deploy` and `aws cloudformation
deploy` on a small stack of the embedded AWS; of a plan of Terraform, the documented format alone.
"""

from __future__ import annotations

from importlib.resources import files

import yaml

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import hint

DEFAULT = "cdk"


def delivered() -> dict[str, str]:
    """Text of `diff` and `deploy` in commands.yaml by tool; empty: as the delivered file has them."""
    return dict(yaml.safe_load((files("runbook_lib.commands.init") / "tools.yaml").read_text(encoding="utf-8")))


def known(tool: str) -> str:
    """The tool.

    Raises:
        UsageError: it is none of those that are known.
    """
    tools = delivered()
    if tool not in tools:
        raise UsageError(
            f"--tool is '{tool}': not known here; {hint(tool, tools)}; any other is written into params/commands.yaml"
        )
    return tool
