"""`runbook dlq`: lists, exports or redrives the dead letters; redriving leaves a record."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib.act import dead_letters as act
from runbook_lib.base.all_or_none import write_all
from runbook_lib.base.aws import Aws, Identity
from runbook_lib.base.errors import UsageError
from runbook_lib.base.foreign import field
from runbook_lib.base.redact import redact_text
from runbook_lib.judge import words
from runbook_lib.observe.api_address import reached
from runbook_lib.observe.jobs.dlq import ALL, MOST, Found, Rest, letters
from runbook_lib.params.load import Params, load_file
from runbook_lib.run.command import CommandRun

NOTEBOOK = "dlq"
"""The chain of these records, beside those of the notebooks."""
SKIPPED = "whose job is in a state that the worker skips (`worker_skips`): put its item back first, or submit it again"


@dataclass(frozen=True)
class Driven:
    """The result of the command, or its plan."""

    applied: bool
    sentence: str
    jobs: tuple[str, ...]
    record: str | None
    hidden: int = 0
    """Messages that are hidden, so that they could not be redriven; see `Rest`."""
    not_looked_at: int = 0
    """Messages beyond `--max` that were not even looked at."""
    absent: tuple[str, ...] = ()
    """Jobs that were asked for and have no message in the queue, or none that could be seen."""

    def __post_init__(self) -> None:
        """Whoever can send a message writes the id: without secrets, and on one line, it is shown."""
        for name in ("jobs", "absent"):
            object.__setattr__(self, name, tuple(redact_text(field(one)) for one in getattr(self, name)))

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON, for `--json`."""
        return asdict(self)


def listed(file: Path, values: Mapping[str, Any]) -> Found:
    """The dead letters of an environment, oldest first, and how many are not among them; all stay in the queue.

    Raises:
        UsageError: the parameters or the account are wrong.
        AwsError: AWS refused or did not answer.
    """
    params, aws, _ = _caller(file, values)
    return letters(aws, params)


def export(file: Path, values: Mapping[str, Any], out: Path) -> Found:
    """Writes the dead letters as JSON lines, redacted, with the hash of the original body; returns them, and the rest.

    Where all are hidden, nothing is written: an empty file would look like an empty queue.

    Raises:
        UsageError: `out` exists already or cannot be written; else see `listed`.
        AwsError: AWS refused or did not answer.
    """
    params, aws, _ = _caller(file, values)
    found = letters(aws, params, most=None, limit=ALL)
    try:
        if os.path.lexists(out):
            raise UsageError(f"--out: {out} exists already; name another file")
        out.absolute().parent.stat()  # a missing folder is more likely a typo than intended
        lines = "".join(json.dumps(one.model_dump(mode="json"), ensure_ascii=False) + "\n" for one in found.letters)
        if found.letters or not found.rest:
            write_all({out: lines.encode("utf-8", "replace")})
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written ({error.strerror})") from None
    return found


def redrive(file: Path, values: Mapping[str, Any], jobs: Collection[str], most: int) -> Driven:
    """Sends dead letters back to the work queue; in plan mode only lists them.

    Raises:
        Refused, UsageError: not authorised, or the parameters or the account are wrong.
        AwsError: AWS refused or did not answer.
    """
    params, aws, identity = _caller(file, values)
    if params.mode != "apply":
        found = letters(aws, params, limit=max(MOST, most))
        there = found.letters
        asked = [one for one in there if one.job_id and (not jobs or one.job_id in jobs) and one.status != "COMPLETED"]
        able = [one for one in asked if one.status not in params.service.worker_skips]
        due = able[:most]
        ids = tuple(str(one.job_id) for one in due)
        told = f"nothing was changed; apply would redrive {words.count(len(ids), 'message')}"
        told += _doubt(sum(one.status == "FAILED" for one in due))
        skipped = sum(one.status in params.service.worker_skips for one in asked)
        told += f"; {skipped} would be left, {SKIPPED}" if skipped else ""
        told += f"; {len(able) - len(due):,} would be left, beyond --max" if able[most:] else ""
        absent = _absent(jobs, {one.job_id for one in there})
        told += _no_such(absent, found.rest) + _rest(found.rest)
        return Driven(False, told, ids, None, absent=absent, **asdict(found.rest))
    with CommandRun(params, NOTEBOOK, aws, identity) as record:
        done = act.redrive(aws, record.guard, params, jobs, most)
        absent = _absent(jobs, done.seen)
        told = _told(done) + _no_such(absent, done.rest) + _rest(done.rest)
        record.say(told)
    return Driven(True, told, tuple(done.sent), record.folder, absent=absent, **asdict(done.rest))


def _told(done: act.Redriven) -> str:
    parts = [f"{words.count(len(done.sent), 'message')} redriven{_doubt(len(done.failed))}"]
    left = (
        (done.completed, "whose job is done"),
        (done.skipped, SKIPPED),
        (done.foreign, "not of this service"),
        (done.others, "not asked for"),
        (done.beyond, "beyond --max"),
    )
    parts += [f"{len(some):,} left, {why}" for some, why in left if some]
    return "; ".join(parts)


def _doubt(failed: int) -> str:
    """A warning about jobs that are FAILED: only their team knows whether the worker handles them."""
    return f" ({failed} of a job that is FAILED: nothing comes of it if the worker skips those)" if failed else ""


def _absent(jobs: Collection[str], seen: Collection[str | None]) -> tuple[str, ...]:
    """The requested jobs that were not seen, for example because of a typo."""
    return tuple(dict.fromkeys(job for job in jobs if job not in seen))


def _no_such(absent: Collection[str], rest: Rest) -> str:
    """A phrase with the jobs that were not seen."""
    where = "not among those that could be seen" if rest else "no message of such a job is in the queue"
    return f"; {where}: {', '.join(absent)}" if absent else ""


def _rest(rest: Rest) -> str:
    """A phrase with what the look did not get, if there is any."""
    return f"; {rest.told()}" if rest else ""


def _caller(file: Path, values: Mapping[str, Any]) -> tuple[Params, Aws, Identity]:
    params = load_file(file, values, incident=True)
    return reached(params, incident=True)
