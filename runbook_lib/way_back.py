"""The way back once `/api/vpr` is asynchronous: the infrastructure's own command, with the step before."""

from __future__ import annotations

import shlex

from runbook_lib.act.command import Commands
from runbook_lib.params import Params


def deploy_command(params: Params, step: str) -> str:
    """The configured command that deploys `step`, as a person would type it."""
    command = params.extra(params.commands, Commands).deploy  # noqa: S610 (no Django here)
    flat = params.flat
    values = {
        "env": flat.env, "region": flat.region, "account_id": flat.account_id, "release": flat.release, "step": step,
    }  # fmt: skip
    words = [word.format(**{**dict.fromkeys(("guard_alarm_arns",), ""), **values}) for word in shlex.split(command.run)]
    line = shlex.join(word for word in words)
    return line if command.cwd == "." else f"cd {command.cwd} && {line}"
