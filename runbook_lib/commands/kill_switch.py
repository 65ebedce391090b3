"""The urgent part of `runbook rollback 1`: async off and read back, with its intent on disk before the first call.

Loads boto3 and YAML, and nothing that validates, judges or draws: `tests/benchmarks/bench_rollback.py` limits it to 1.5
times a bare boto3 script. `commands/rollback.py` has what follows: record and notebook.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from runbook_lib.act.guard import Guard
from runbook_lib.act.traffic.flag_store import by_names
from runbook_lib.act.traffic.flags import describe
from runbook_lib.act.traffic.off import off as new_side_off
from runbook_lib.act.traffic.register import BY_HAND
from runbook_lib.act.traffic.switch import Turned
from runbook_lib.base.aws import Aws, require_account
from runbook_lib.base.errors import AwsError, RunbookError, UsageError
from runbook_lib.base.kept_at import archive_root, named
from runbook_lib.base.once import Once
from runbook_lib.base.project import params_file, project_root
from runbook_lib.base.telling import tell
from runbook_lib.base.typed import assignments, typed
from runbook_lib.base.window import iso
from runbook_lib.params.essentials import Essentials, essentials, spoken_of, unchecked
from runbook_lib.record import recording
from runbook_lib.record.journal import Journal

if TYPE_CHECKING:
    from runbook_lib.params.load import Params

NOTEBOOK = "rollback_1_async_failing"
ANSWER_S = 6.0
TRIES = 3
"""Attempts per question. AWS answers in milliseconds; if it is silent, each question ends within 20 s with its retries,
and then the other ways are shown.
"""
STARTED = time.monotonic()
"""Start of this process: the decision to act is no later."""


@dataclass(frozen=True)
class Wanted:
    """The request of the command line."""

    scenario: str
    file: Path
    values: dict[str, Any] = field(default_factory=dict)
    """Parameters that override the file's; `mode` is apply here."""
    json: bool = False
    notebook: bool = True


@dataclass(frozen=True)
class Effect:
    """The result, and the place of its journal."""

    run_id: str
    root: Path
    """Folder of the archive: another one than the parameters' if that could not be written."""
    staging: Path
    params: Essentials
    off: Turned | None
    """How it was turned off; None: it failed."""
    error: RunbookError | None
    trouble: str
    """Why the archive is another one; empty: it is the named one."""
    unread: bool = False
    """Whether it failed by AWS not saying what is in force now."""


def parse(words: Sequence[str]) -> Wanted | None:
    """`rollback 1 … --apply` from a command line; None for anything else and for mistakes: typer explains them better.

    >>> parse(["rollback", "1", "--params", "p.yaml", "--apply", "--confirm", "prod"]).values["confirm"]
    'prod'
    >>> parse(["rollback", "1", "--params", "p.yaml"])
    """
    if list(words[:2]) != ["rollback", "1"]:
        return None
    with contextlib.suppress(UsageError, ValueError, OSError):
        given = _parser().parse_args(words[2:])
        return _wanted(given) if given.apply else None
    return None


class _Quiet(argparse.ArgumentParser):
    """A parser that reports nothing: typer explains mistakes, and shows the help."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Quiet(add_help=False, allow_abbrev=False)
    parser.add_argument("--params", "-f", "--env", dest="file", type=_file, required=True, action=Once)
    for text in ("confirm", "reason"):
        parser.add_argument(f"--{text}", default="", action=Once)
    parser.add_argument("--set", action="append", default=[])
    for flag in ("apply", "json", "no-notebook"):
        parser.add_argument(f"--{flag}", action="store_true")
    return parser


def _file(value: str) -> Path:
    """The parameter file; also one that is lost, of an environment that is spoken of elsewhere."""
    try:
        return params_file(value)
    except UsageError:
        file = params_file(f"params/{value}.yaml")
        if not spoken_of(file):
            raise
        return file


_TYPES: dict[str, type] = {"attempt": int, "time_scale": float, "redact_emails": bool}
"""Types of the parameters that are not text; a test compares them with `params.Flat`."""


def _wanted(given: argparse.Namespace) -> Wanted:
    values: dict[str, Any] = {key: typed(_TYPES.get(key, str), value) for key, value in assignments(given.set).items()}
    if values.get("mode", "apply") != "apply":
        raise ValueError(f"--set mode={values['mode']}: --apply is given too")
    values |= {"mode": "apply", "confirm": given.confirm or values.get("confirm", "")}
    if given.reason:
        values["reason"] = given.reason
    return Wanted("1", given.file, values, json=given.json, notebook=not given.no_notebook)


def off(wanted: Wanted) -> Effect:
    """Turns async off and reads it back; only the account and the confirmation can stop it.

    Raises:
        UsageError: the parameters or the account are wrong, or `confirm` does not repeat the environment.
        AwsError: AWS does not identify the caller.
    """
    try:
        params = essentials(wanted.file, wanted.values)
        aws = Aws(params.region, answer_s=ANSWER_S, tries=TRIES)
        identity = aws.identity(any_clock=True)
    except UsageError as error:
        raise UsageError(f"{error}; {by_hand(wanted)}", nothing_changed=error.nothing_changed) from None
    except AwsError as error:
        raise AwsError(f"{error}; {by_hand(wanted)}", nothing_changed=error.nothing_changed) from None
    light: Params = params  # type: ignore[assignment]  # as far as it is needed here
    require_account(light, identity)
    if params.confirm != params.env:
        raise UsageError(f"confirm is '{params.confirm}', expects '{params.env}'", nothing_changed=True)
    where = (params.env, params.release, NOTEBOOK, "command")
    root, staging, run_id, trouble = recording.staged(
        lambda: _root(params), *where, spare="this rollback", anyhow=True, params=params.values
    )
    journal = Journal(staging, lenient=True)
    decided = identity.now - dt.timedelta(seconds=time.monotonic() - STARTED)
    recording.opened(journal, run_id, NOTEBOOK, "command", params.values)
    recording.called(journal, identity, params.operator, aws.endpoint)
    journal.append("incident", clock={"decided_at": iso(decided)})
    guard = Guard(light, identity, journal)
    for sentence in filter(None, (trouble, identity.trouble and f"{identity.trouble}; times are this machine's")):
        guard.warn(sentence)
        tell(sentence)
    about = describe(release=params.release, notebook=NOTEBOOK, attempt=params.attempt, run=run_id)
    done: Turned | None = None
    problem: RunbookError | None = None
    try:
        done = new_side_off(aws.client, guard, light, about)
        if done.changed:
            journal.append("incident", clock=_clock(decided, guard.now, light, str(done.deployment)))
        else:  # the first decision counts: this one changed nothing
            journal.append("incident", clock=None)
            done = replace(done, sentence=f"{done.sentence}, and no time is measured: the first decision counts")
    except RunbookError as error:
        problem = error
        journal.append("error", type=type(error).__name__, text=str(error))
    with contextlib.suppress(Exception):  # where few files may be open, what follows needs theirs
        aws.close()
    return Effect(run_id, root, staging, params, done, problem, trouble, guard.unread)


def by_hand(wanted: Wanted) -> str:
    """The end of a sentence that says how to turn the new side off without the runbook. Never raises."""
    params: Any = unchecked(wanted.file, wanted.values)
    command: Callable[[Any], str] = BY_HAND.get(str(getattr(params.service.traffic, "kind", "")), by_names)
    with contextlib.suppress(Exception):  # a name is missing
        return f"by hand: {command(params)}"
    return "by hand: take the new side off in the AWS console"


def _clock(decided: dt.datetime, at: dt.datetime, params: Params, key: str) -> dict[str, Any]:
    """The fields of `judge.incident.Clock`, without loading pydantic."""
    follows = dt.timedelta(seconds=params.service.traffic.client_poll_s)
    return {
        "decided_at": iso(decided),
        "set_at": iso(at),
        "effective_at": iso(at + follows),
        "key": key,
        "undecided": False,
    }


def _root(params: Essentials) -> Path:
    """The archive's folder."""
    root = params.folder.parent
    with contextlib.suppress(UsageError):
        root = project_root()
    return archive_root(named(params.archive), root, anyhow=True).absolute()
