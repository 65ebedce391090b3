"""What `runbook init --tool` writes, for each tool that it knows."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from runbook_lib.act.command import Commands
from runbook_lib.base.errors import UsageError
from runbook_lib.commands.init import tools
from runbook_lib.commands.init.answers import of_flags
from runbook_lib.commands.init.rewrite import rewritten
from runbook_lib.params.load import params_dir

TEXT = (params_dir(Path(__file__).parent) / "commands.yaml").read_text("utf-8")


def commands(tool: str) -> Commands:
    answers = of_flags("orders-export")
    answers.tool = tools.known(tool)
    return Commands.model_validate(yaml.safe_load(rewritten("commands.yaml", TEXT, answers)))


@pytest.mark.parametrize("tool", tools.delivered())
def test_each_tool_has_a_diff_that_can_be_read_and_all_other_commands_stay(tool: str) -> None:
    made, cdk = commands(tool), commands(tools.DEFAULT)
    assert made.checks == cdk.checks and made.verify == cdk.verify
    values = {"env": "prod", "region": "eu-central-1", "step": "migrate"}
    program = {"cloudformation": "aws"}.get(tool, tool)
    assert (made.diff.argv(values)[0], made.deploy.argv(values)[0]) == (program, program)
    assert "migrate" in " ".join(made.diff.argv(values)) and "migrate" in " ".join(made.deploy.argv(values))
    assert made.diff.differences_exit is not None
    assert made.diff_kind == {"cdk": "auto", "terraform": "terraform"}.get(tool, "change-set")
    assert (made.diff_show is not None) == (tool == "terraform")
    assert "vpr" not in made.diff.run and "{service}" not in made.deploy.run


def test_a_tool_that_is_not_known_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"--tool is 'teraform': not known here; did you mean 'terraform'\?"):
        tools.known("teraform")
    with pytest.raises(UsageError, match="there are cdk, cloudformation, sam, terraform"):
        tools.known("pulumi-of-ours")
