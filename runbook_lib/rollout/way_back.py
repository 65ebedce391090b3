"""The way back once the synchronous route is asynchronous: the infrastructure's own command with the step before.
After the deprecation there is none (docs/domain.md, traps 18 and 19).
"""

from __future__ import annotations

from runbook_lib.act.command import Commands, placeholders
from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.base.foreign import word
from runbook_lib.judge.incidents.incident import NoWayBack
from runbook_lib.params.load import Params

STEP = "async"
"""Step of the infrastructure before the migration, in which the synchronous route is still synchronous."""
DEPRECATE = "09_deprecate_sync"


def deploy_command(params: Params, step: str = STEP) -> str:
    """The configured command that deploys `step`, as a person would type it."""
    command = params.nested(params.commands, Commands).deploy
    line = command.line(placeholders(params, step))
    return line if command.cwd == "." else f"cd {word(command.cwd)} && {line}"


def sync_gone(aws: Aws, params: Params) -> bool:
    """Whether the synchronous Lambda was removed (notebook 09), so that there is nothing to go back to.

    Raises:
        AwsError: Lambda refused or did not answer.
    """
    client = aws.client("lambda")
    with aws_errors("looking for the synchronous Lambda (lambda:GetFunctionConfiguration)"):
        try:
            client.get_function_configuration(FunctionName=params.name("sync"))
        except client.exceptions.ResourceNotFoundException:
            return True
    return False


def migrated_words(params: Params) -> str:
    """Says that the switch has no effect once the synchronous route is migrated, and what the way back is."""
    return (
        f"{params.service.asked('sync')} itself is asynchronous now, so the switch has no effect: the way back "
        "is the infrastructure's own command with the step before, or with the template kept in the record"
    )


def instead(aws: Aws, params: Params) -> tuple[str, str]:
    """Why the switch has no effect, and what to do instead.

    Raises:
        AwsError: Lambda refused or did not answer.
    """
    if sync_gone(aws, params):
        gone = no_way_back(params)
        return f"{gone.why}, so the switch has no effect", gone.then
    return migrated_words(params), f"the command: {deploy_command(params)}"


def no_way_back(params: Params, kept: str = "") -> NoWayBack:
    """Why there is no way back once the synchronous function is removed, and what can be done instead.

    Args:
        kept: where the removed function's archive is, in words.
    """
    where = f" ({kept})" if kept else ""
    return NoWayBack(
        why=f"there is no way back: {params.name('sync')} was removed by {DEPRECATE}, and "
        f"{params.service.asked('sync')} is asynchronous",
        then=f"fix forward and deploy; or deploy the archived function again{where} and the infrastructure's step "
        f"'{STEP}' after it: {deploy_command(params)}",
    )
