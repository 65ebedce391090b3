"""`runbook rollback 1`: async off at once, then the record; only the account and the confirmation can hold it up.

Imports are light on purpose: no pandas, no matplotlib, no kernel before the effect.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib.act import traffic as act
from runbook_lib.act.guard import Guard
from runbook_lib.aws import Aws, connect, require_account
from runbook_lib.errors import ArchiveError, RunbookError
from runbook_lib.observe import traffic
from runbook_lib.params import Params, load_file, project_root
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.versions import versions
from runbook_lib.way_back import deploy_command

NOTEBOOK = "rollback_1_async_failing"
AFTER = (
    "the synchronous endpoint is what users get now, and it is itself broken: find the cause, fix forward; "
    "bring the dial to 0 before the switch is turned on again"
)


@dataclass(frozen=True)
class RolledBack:
    """What the command did, or would do."""

    applied: bool
    weight_before: float | None
    sentence: str
    next: str
    record: str | None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def rollback_1(file: Path, values: Mapping[str, Any]) -> RolledBack:
    """Turns async off; in plan mode says what it would do.

    Args:
        file: flat parameter file.
        values: overrides, among them `mode` and `confirm`.

    Raises:
        UsageError: the parameters or the account are wrong, or `confirm` does not repeat the environment.
        AwsError: AWS cannot be reached, or async could not be switched off; the sentence says how to do it by hand.
    """
    params = load_file(file, values)
    aws = connect(params)
    identity = aws.identity()
    require_account(params, identity)
    client = aws.client("appconfig")
    if params.mode != "apply":
        state = traffic.read(client, params, aws)
        would = f"apply would turn the switch off: async goes from {state.weight:g} % to 0"
        return RolledBack(
            applied=False,
            weight_before=state.weight,
            sentence=f"nothing was changed; {migrated_words(params) if state.migrated else would}",
            next=deploy_command(params, "async")
            if state.migrated
            else f"runbook rollback 1 --params {file} --apply --confirm {params.env}",
            record=None,
        )
    archive, staging, trouble = _stage(params)
    journal = Journal(staging)
    run_id = staging.name
    guard = Guard(params, identity, journal)
    journal.append_or_stderr(
        "opened",
        run_id=run_id,
        notebook=NOTEBOOK,
        origin="command",
        params=params.flat.model_dump(mode="json"),
        policy=params.policy.model_dump(mode="json"),
    )
    journal.append_or_stderr(
        "caller",
        account_id=identity.account,
        arn=identity.arn,
        operator=params.operator or identity.arn,
        as_of=identity.now.isoformat(),
        endpoint=aws.endpoint,
    )
    if trouble:
        guard.warn(trouble)
    about = act.describe(release=params.release, notebook=NOTEBOOK, attempt=params.attempt, run=run_id)
    try:
        switched = act.switch_off(client, guard, params, description=about)
    except RunbookError as error:
        journal.append_or_stderr("error", type=type(error).__name__, text=str(error))
        _seal(archive, staging, "failed", str(error))
        raise
    sentence, then = switched.sentence, AFTER
    if _migrated(aws, params, guard):
        sentence = f"{sentence}; but {migrated_words(params)}"
        then = f"the command: {deploy_command(params, 'async')}"
    journal.append_or_stderr("note", text=sentence)
    journal.append_or_stderr("versions", versions=versions())
    return RolledBack(
        applied=True,
        weight_before=None,
        sentence=sentence,
        next=then,
        record=_seal(archive, staging, "completed", None),
    )


def migrated_words(params: Params) -> str:
    """What the switch can do once the synchronous route has been migrated: nothing."""
    return (
        f"POST {params.service.api.routes.sync} itself is asynchronous now, so the switch has no effect: the way back "
        "is the infrastructure's own command with the step before, or with the template kept in the record"
    )


def _migrated(aws: Aws, params: Params, guard: Guard) -> bool:
    """Asked after the switch is off; if it cannot be told, that is no reason to fail."""
    try:
        return traffic.routing(aws, params)[0]
    except RunbookError as error:
        guard.warn(str(error))
        return False


def _stage(params: Any) -> tuple[Archive, Path, str]:
    """A staging folder; where the archive cannot be written, one in the temporary folder, and why."""
    run_id = uuid.uuid4().hex[:12]
    archive, trouble = Archive(project_root() / params.archive), ""
    try:
        return archive, archive.stage(params.env, params.release, NOTEBOOK, run_id, "command"), trouble
    except (ArchiveError, OSError) as error:
        archive = Archive(Path(tempfile.mkdtemp(prefix="runbook-archive-")))
        trouble = f"{error}; the record of this rollback is in {archive.root}"
        return archive, archive.stage(params.env, params.release, NOTEBOOK, run_id, "command"), trouble


def _seal(archive: Archive, staging: Path, status: Any, error: str | None) -> str | None:
    try:
        return str(seal_staged(archive, staging, status=status, error=error).folder)
    except (ArchiveError, OSError):
        return None
