"""`runbook rollback N`: the effect first, then the notebook that verifies, explains and records it.

Scenario 1 takes effect in `kill_switch.py`. What follows here can wait: the record of the command is sealed, and the
notebook is run, which finds async off, and says what was already done.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib import kill_switch
from runbook_lib.aws import connect, require_account
from runbook_lib.errors import ArchiveError, Exit, RunbookError, UsageError
from runbook_lib.kill_switch import NOTEBOOK, Effect, Wanted
from runbook_lib.params import Params, load_file, project_root
from runbook_lib.record.journal import Journal
from runbook_lib.versions import versions
from runbook_lib.way_back import deploy_command

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
    run_id: str = ""
    exit_code: int = 0
    verified: dict[str, Any] | None = None
    """How the notebook ended that verifies it; None: it was not run."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def plan(file: Path, values: Mapping[str, Any]) -> RolledBack:
    """What turning async off would do; changes nothing.

    Raises:
        UsageError: the parameters or the account are wrong.
        AwsError: AWS cannot be reached.
    """
    from runbook_lib.observe import traffic

    params = load_file(file, {**values, "mode": "plan"})
    aws = connect(params)
    require_account(params, aws.identity())
    state = traffic.read(aws.client("appconfig"), params, aws)
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


def rollback_1(file: Path, values: Mapping[str, Any], *, notebook: bool = False) -> RolledBack:
    """Turns async off, or in plan mode says what it would do.

    Args:
        file: flat parameter file.
        values: overrides, among them `mode` and `confirm`.
        notebook: run the notebook that verifies it afterwards.

    Raises:
        UsageError: the parameters or the account are wrong, or `confirm` does not repeat the environment.
        AwsError: AWS cannot be reached, or async could not be switched off; the sentence says how to do it by hand.
    """
    if values.get("mode") != "apply":
        return plan(file, values)
    wanted = Wanted("1", file, dict(values), notebook=notebook)
    return after(wanted, kill_switch.off(wanted))


def finish(wanted: Wanted, effect: Effect) -> int:
    """What comes after the effect, said on the terminal; the exit code of the command.

    Raises:
        RunbookError: async could not be turned off.
    """
    done = after(wanted, effect)
    show(done, wanted.json)
    return done.exit_code


def show(done: RolledBack, as_json: bool) -> None:
    """On standard output, for a person or a machine."""
    if as_json:
        print(json.dumps(done.as_dict()))
        return
    told = [done.sentence, f"next:   {done.next}", f"record: {done.record}" if done.record else ""]
    print("\n".join(line for line in told if line))


def after(wanted: Wanted, effect: Effect) -> RolledBack:
    """Seals the command's own record, then has the notebook verify, explain and record.

    Raises:
        RunbookError: async could not be turned off.
    """
    journal = Journal(effect.staging, lenient=True)
    params: Params | None = None
    try:
        params = load_file(wanted.file, wanted.values)
        journal.append(
            "loaded",
            policy=params.policy.model_dump(mode="json"),
            service=params.service.model_dump(mode="json"),
            prices=params.prices.model_dump(mode="json"),
            versions=versions(),
        )
    except RunbookError as error:
        journal.append("warning", text=f"the parameters are not whole, which did not hold up the rollback: {error}")
    if effect.error is not None:
        _seal(effect, "failed", str(effect.error))
        raise effect.error
    assert effect.off is not None  # noqa: S101
    sentence, then = effect.off.sentence, AFTER
    if params is not None and _migrated(params, journal):
        sentence, then = f"{sentence}; but {migrated_words(params)}", f"the command: {deploy_command(params, 'async')}"
    journal.append("note", text=sentence)
    record = _seal(effect, "completed", None)
    done = RolledBack(True, None, sentence, then, record, effect.run_id)
    return _verified(wanted, effect, done) if wanted.notebook and params is not None else done


def _verified(wanted: Wanted, effect: Effect, done: RolledBack) -> RolledBack:
    """Runs the notebook; that it could not run takes nothing back of what is done."""
    from runbook_lib.launch import find_notebook, launch

    values = dict(wanted.values)
    if effect.trouble:
        values["archive"] = str(effect.root)
    try:
        finished = launch(find_notebook(NOTEBOOK), wanted.file, values)
    except RunbookError as error:
        print(f"async is off, but the notebook that verifies it could not run: {error}", file=sys.stderr, flush=True)
        return _with(done, exit_code=int(Exit.ERROR))
    told = f"{done.sentence}\n{finished.headline}"
    return _with(
        done, sentence=told, next=finished.next or done.next, record=finished.folder, exit_code=finished.exit_code,
        verified=finished.as_dict(),
    )  # fmt: skip


def _with(done: RolledBack, **more: Any) -> RolledBack:
    return RolledBack(**{**asdict(done), **more})


def migrated_words(params: Params) -> str:
    """What the switch can do once the synchronous route has been migrated: nothing."""
    return (
        f"POST {params.service.api.routes.sync} itself is asynchronous now, so the switch has no effect: the way back "
        "is the infrastructure's own command with the step before, or with the template kept in the record"
    )


def _migrated(params: Params, journal: Journal) -> bool:
    """Asked after the switch is off; if it cannot be told, that is no reason to fail."""
    from runbook_lib.observe import traffic

    try:
        return traffic.routing(connect(params), params)[0]
    except RunbookError as error:
        journal.append("warning", text=str(error))
        return False


def _seal(effect: Effect, status: Any, error: str | None) -> str | None:
    from runbook_lib.record.archive import Archive, seal_staged

    try:
        return str(seal_staged(Archive(effect.root), effect.staging, status=status, error=error).folder)
    except (ArchiveError, OSError) as trouble:
        print(f"{trouble}; the journal is kept in {effect.staging}", file=sys.stderr, flush=True)
        return None


def file_of(params: Path | None, env: str | None) -> Path:
    """The parameter file that `--params` or `--env` names.

    Raises:
        UsageError: both, or neither.
    """
    if (params is None) == (env is None):
        raise UsageError("rollback: wants either --params FILE or --env NAME (for params/NAME.yaml)")
    return params if params is not None else project_root() / "params" / f"{env}.yaml"
