"""One look of a watch: the phase's own questions and verdict, without a notebook, kept as a record or dropped.

A look's events stay in memory until it is kept: a watch looks hundreds of times, and only a look that changes something
is worth a record. A watch can take a promotion back (HOLD, ROLLBACK), and never gives one: the record of any other
look has its verdict in the reason, and no decision that the next phase could count on.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import RunbookError
from runbook_lib.base.redact_file import redact_file
from runbook_lib.base.window import iso
from runbook_lib.judge import words
from runbook_lib.judge.model import GateResult, Outcome
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.params.load import load_file
from runbook_lib.record import recording
from runbook_lib.record import staging as folders
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal
from runbook_lib.rollout import hints, under_way
from runbook_lib.rollout.moment import Moment
from runbook_lib.run.run import Run

ORIGIN = "watch"
IDLE = ("before", "over")
"""Moments of a phase that is not in force: there is nothing to watch."""
ENDS = (Decision.HOLD, Decision.ROLLBACK, Decision.PROMOTE, Decision.PLANNED)
"""Decisions after which a watch has nothing to wait for."""


@dataclass(frozen=True)
class Look:
    """The result of one look, for a table, a line or JSON."""

    at: str
    """The instant that was judged, ISO 8601 UTC; empty if not even the clock could be read."""
    moment: str
    decision: str
    """A `Decision`, or ERROR: nothing could be seen."""
    reason: str
    """The reason, without the decision."""
    next: str
    weight: float | None = None
    gates: tuple[dict[str, str], ...] = ()
    back_filled: bool = False
    """Whether it was judged later, with the live depths of that time, since nobody looked then."""
    action: str = ""
    """The change that this watch made in AWS, in words; empty: none."""
    record: str | None = None
    """Folder of its sealed record; None: it changed nothing, and was not kept."""
    apart: str = ""
    """Why its record is not in the archive, or why there is none; empty: it is there, or was not to be kept."""

    @property
    def ends(self) -> bool:
        """Whether this look ends the watch."""
        return self.decision in ENDS

    @property
    def failing(self) -> tuple[str, ...]:
        """Ids of the gates that FAIL."""
        return tuple(gate["id"] for gate in self.gates if gate["verdict"] == Verdict.FAIL)

    def as_dict(self) -> dict[str, Any]:
        """The look as JSON, for `--json`."""
        return asdict(self) | ({"reason": self.told} if self.decision in tuple(Decision) else {})

    @property
    def told(self) -> str:
        """Decision and reason on one line."""
        return f"{self.decision}: {self.reason}"


class Held(Journal):
    """A journal that keeps its events and files in memory until they are written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._files: list[tuple[str, bytes | str]] = []

    def append(self, event: str, **data: Any) -> dict[str, Any]:
        """Keeps one event in memory."""
        self._events.append((event, data))
        return {"event": event, **data}

    def append_or_stderr(self, event: str, **data: Any) -> dict[str, Any]:
        """Keeps one event in memory."""
        return self.append(event, **data)

    def attach(self, name: str, content: bytes | str, *, clean: bool = False) -> str:
        """Keeps one file in memory, redacted as it will be on disk, so that its hash is the final one."""
        raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
        raw = raw if clean else redact_file(name, raw)
        self._files.append((name, raw))
        return hashlib.sha256(raw).hexdigest()

    def write(self) -> None:
        """Writes the events and files, without decisions: the look writes its own.

        Raises:
            ArchiveError: the disk is full, or the folder is gone.
        """
        disk = Journal(self.folder)
        for event, data in self._events:
            if event != "decision":
                disk.append(event, **data)
        for name, content in self._files:
            disk.attach(name, content, clean=True)
        self._events, self._files = [], []


class OneLook:
    """A look in progress: staged, and then kept or dropped.

    Args:
        file: flat parameter file.
        values: overrides; whatever they say, a look is a plan and changes nothing.
        notebook: notebook of the phase.
        as_of: the instant to judge, for a missed look; None: now, by AWS's clock.

    Raises:
        UsageError: the parameters are wrong, or the caller's account is not the one in them.
        AwsError: AWS cannot be reached, or the credentials are missing or expired.
    """

    def __init__(self, file: Path, values: Mapping[str, Any], notebook: str, as_of: dt.datetime | None = None) -> None:
        quiet = {"mode": "plan", "confirm": "", "as_of": iso(as_of) if as_of else ""}
        self.params = load_file(file, {**values, **quiet}, spare=True)
        self.back_filled = as_of is not None
        self.sealed: str | None = None
        self.outcome: Outcome | None = None
        self.moment: Moment | None = None
        self.migrated = False
        """Whether the synchronous route itself has become asynchronous."""
        self.results: tuple[GateResult, ...] = ()
        where = (Archive.of(self.params, anyhow=True).root, self.params.env, self.params.release, notebook, ORIGIN)
        # A full disk must not prevent a look, nor switching off.
        root, staging, run_id, self.trouble = recording.staged(*where, spare="this look")
        self.journal = Held(staging)
        self.run = Run(notebook, self.params, archive=Archive(root), staging=staging, run_id=run_id, origin=ORIGIN)
        self.run.journal = self.journal
        try:
            self.run._begin()
        except BaseException:
            self.drop()
            raise

    def take(self) -> Look:
        """Observes and judges as the phase's notebook does.

        Raises:
            RunbookError: a question or the judgement failed.
        """
        phase = _phase(self.run)
        self.moment, self.migrated = phase.moment, phase.state.migrated
        notebook = hints.run(self.params, self.run.notebook)
        if phase.moment.name == "before" and (other := under_way.not_watched(phase.state, self.params)) is not None:
            raise other
        if phase.moment.name in IDLE:
            reason = f"nothing to watch: {phase.moment.words}"
            idle = Outcome(decision=Decision.PLANNED, reason=reason, next="Nothing of it is in force.")
            self.outcome = self.run.decide(idle, phase.moment.name, state=phase.state)
        else:
            self.outcome = phase.judge()
        if self.outcome.decision is Decision.PROMOTE:
            then = f"the notebook decides, and its record lets the next phase begin: `{notebook}`"
            self.outcome = self.outcome.model_copy(update={"next": then, "command": notebook})
        return self.told()

    def told(self, **more: Any) -> Look:
        """The look as plain values; `more` overrides them."""
        outcome, moment = self.outcome, self.moment
        assert outcome is not None and moment is not None  # noqa: S101
        facts: dict[str, Any] = {
            "at": iso(self.run.now),
            "moment": moment.name,
            "decision": str(outcome.decision),
            "reason": outcome.reason,
            "next": outcome.next,
            "weight": moment.percent,
            "gates": tuple(_gate(one, moment.name == "during") for one in outcome.results),
            "back_filled": self.back_filled,
            "record": self.sealed,
        }
        return Look(**{**facts, **more})

    def say(self, text: str) -> None:
        """Adds a note for the record, if there will be one."""
        self.journal.append("note", text=text)

    def keep(self, status: Any = "completed", error: str | None = None) -> str | None:
        """Seals the look as a record and returns its folder, also if it is sealed already.

        None if the archive cannot be written: the watch goes on without a record, and says so.
        """
        if self.sealed is not None:
            return self.sealed
        try:
            self.run.keep_case()
            self.journal.write()
            disk = Journal(self.journal.folder)
            if self.trouble:
                disk.append("warning", text=self.trouble)
            if self.outcome is not None and self.moment is not None:
                disk.append("decision", moment=self.moment.name, look=self.moment.look_number, outcome=self._counted())
            disk.append("closed")
            self.sealed = str(seal_staged(self.run.archive, self.run.staging, status=status, error=error).folder)
        except (RunbookError, OSError) as problem:
            self.trouble = f"no record of this look: {problem}"
        return self.sealed

    def _counted(self) -> dict[str, Any]:
        """The outcome for the record: without its decision, unless people must act on it."""
        assert self.outcome is not None  # noqa: S101
        outcome: dict[str, Any] = self.outcome.model_dump(mode="json")
        if self.outcome.decision not in (Decision.HOLD, Decision.ROLLBACK):
            del outcome["decision"]
        return outcome

    def drop(self) -> None:
        """Deletes all traces of the look."""
        if self.sealed is None:
            folders.remove(self.run.staging)


def _phase(run: Run) -> Any:
    """The phase, prepared as in its own notebook."""
    from runbook_lib.steps.phase.migration import Migration
    from runbook_lib.steps.phase.phase import Phase

    return (Migration if run.params.policy.phases[run.notebook].after_migration else Phase)(run)


def _gate(result: GateResult, interim: bool) -> dict[str, str]:
    gate = result.gate
    low, high = result.low, result.high
    return {
        "id": gate.id,
        "title": gate.title,
        "verdict": str(result.verdict),
        "word": str(words.of_gate(result, interim)),
        "value": "" if result.value is None else words.number(result.value, gate.unit),
        "interval": words.interval(low, high, gate.unit),
        "n": "" if result.n is None else f"{result.n:,}",
        "target": "as the weight" if gate.kind == "split" else words.comparison(gate.target, gate.unit),
        "reason": result.reason,
    }
