"""Run: one execution of one notebook, from `open()` to `close()`.

With papermill the engine has made the staging folder and seals it from outside the kernel (`RUNBOOK_STAGING`);
by hand, in JupyterLab, the run stages and seals itself.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from runbook_lib.act.guard import Guard
from runbook_lib.base.aws import Aws, Identity, connect, require_account
from runbook_lib.base.errors import ArchiveError, RedVerdict, RunbookError, UsageError
from runbook_lib.base.foreign import stderr
from runbook_lib.base.redact_data import redact
from runbook_lib.base.window import iso, when
from runbook_lib.judge.case import AnyCase, CheckedCase
from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision, Word
from runbook_lib.observe.api_address import identified
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import FLAT_NAMES, Params, is_incident, load
from runbook_lib.record import recording, sealing
from runbook_lib.record.archive import Archive
from runbook_lib.record.journal import Journal, plain
from runbook_lib.record.place import CASE, PARAMS, new_run_id
from runbook_lib.record.record import Record, Status
from runbook_lib.rollout.next_step import standing, told
from runbook_lib.run import permission, refused
from runbook_lib.run.command import versions
from runbook_lib.run.permission import as_given, unknown_parameters
from runbook_lib.show import frames
from runbook_lib.show.page import show
from runbook_lib.show.tables import where_table
from runbook_lib.show.verdicts import closing_note

if TYPE_CHECKING:
    import pandas as pd

    from runbook_lib.rollout.explore import Tables


class Run:
    """One execution of one notebook: parameters, clock, caller, journal."""

    _open: ClassVar[Run | None] = None

    def __init__(
        self, notebook: str, params: Params, *, archive: Archive, staging: Path, run_id: str, origin: str
    ) -> None:
        self.notebook = notebook
        self.params = params
        self.archive = archive
        self.staging = staging
        self.run_id = run_id
        self.origin = origin
        self.journal = Journal(staging)
        self.aws: Aws
        self.identity: Identity
        self.now: dt.datetime
        self.guard: Guard
        self._closed = False
        self._warned: set[str] = set()
        self._traffic: TrafficState | None = None
        """The traffic as it was last read for a decision."""
        self.checks: dict[str, Check] = {}
        self.case: dict[str, Any] | None = None
        """The inputs of the last verdict (`made_of`)."""
        self.unknown: list[str] = []
        """Sentences about given names that are no parameters (`open` fills it)."""
        self.missing_to_shift: list[str] = []
        """Sentences about the records that must say PROMOTE before the weight is raised (`may_i_run` fills it)."""

    @classmethod
    def open(cls, notebook: str, namespace: Mapping[str, Any]) -> Run:
        """Opens a run with the parameters in `namespace` (a notebook's `globals()`).

        A phase's notebook may carry out another step (parameter `rollout_step`), whose record it then makes.

        Raises:
            UsageError: a parameter is wrong or not as it was given, or the account is not the one in the parameters.
            AwsError: AWS cannot be reached, or the credentials are missing or expired.
        """
        if os.environ.get("RUNBOOK_ORIGIN", "interactive") == "interactive":
            refused.watch(cls)
        frames.install()
        as_given(namespace)
        flat = {name: namespace[name] for name in FLAT_NAMES if name in namespace}
        beside = Path(os.environ[PARAMS]) if os.environ.get(PARAMS) else None
        params = load(flat, source=f"{notebook} (parameters)", folder=beside, incident=is_incident(notebook))
        try:
            notebook = params.policy.carried_out(notebook, params.rollout_step)
        except ValueError as error:
            raise UsageError(str(error), nothing_changed=True) from None
        rollback = params.policy.rollbacks.get(notebook)
        lowers = rollback is not None and rollback.lowers
        archive, trouble = Archive.of(params, anyhow=lowers), ""
        cls._abandon()
        origin = os.environ.get("RUNBOOK_ORIGIN", "interactive")
        staged = os.environ.pop("RUNBOOK_STAGING", None)
        run_id = os.environ.pop("RUNBOOK_RUN_ID", None) or new_run_id()
        if staged is not None:
            staging = Path(staged)
        else:
            origin, where = "interactive", (params.env, params.release, notebook, "interactive")
            spare = "this run" if lowers else ""
            root, staging, run_id, trouble = recording.staged(
                archive.root, *where, run_id=run_id, spare=spare, params=flat, sweep=archive.sweep
            )
            archive = archive if root == archive.root else Archive(root)
        run = cls(notebook, params, archive=archive, staging=staging, run_id=run_id, origin=origin)
        run.journal.lenient = lowers
        run.unknown = unknown_parameters(namespace)
        cls._open = run
        try:
            run._begin()
            if trouble:
                run.guard.warn(trouble)
        except RunbookError as error:
            run.fail(error)
            raise
        return run

    def warn(self, text: str) -> None:
        """Writes a warning into the record, once."""
        if text not in self._warned:
            self._warned.add(text)
            self.journal.append("warning", text=text)

    def _begin(self) -> None:
        params = self.params
        recording.opened(
            self.journal,
            self.run_id,
            self.notebook,
            self.origin,
            params.flat.model_dump(mode="json"),
            policy=params.policy.model_dump(mode="json"),
            service=params.service.model_dump(mode="json"),
            prices=params.prices.model_dump(mode="json"),
            versions={**versions(), "parameters": params.source},
        )
        for sentence in (*params.trouble, *self.unknown):
            self.journal.append("warning", text=sentence)
        permission.to_change(self)
        self.aws = connect(params, command=self.origin == "watch")
        self.identity = self.aws.identity(any_clock=self.journal.lenient)
        if self.identity.trouble:
            self.warn(f"{self.identity.trouble}; times are by this machine's clock")
        require_account(params, self.identity)
        params = self.params = recording.resolved(self.journal, params, identified(self.aws, params))
        self.now = permission.judged_at(self)
        params = self.params
        self.guard = Guard(params, self.identity, self.journal)
        recording.called(self.journal, self.identity, params.operator, self.aws.endpoint, self.now.isoformat())

    @classmethod
    def _abandon(cls) -> None:
        """Handles Run All in a kernel with an open run: the earlier run is sealed as cancelled."""
        before, cls._open = cls._open, None
        if before is None or before.origin != "interactive" or not before.staging.exists():
            return
        if before._closed:  # it could not be sealed then
            before._seal("completed")
            return
        before.journal.append("warning", text="never closed: the notebook was run again in the same kernel")
        before._seal("cancelled")

    def _seal(self, status: Status, error: str | None = None) -> str | None:
        """Seals the run unless an engine does; returns the record's folder. Where that fails, a run that only lowers
        exposure prints a sentence and returns None; any other raises ArchiveError.
        """
        if self.journal.lenient:
            return sealing.sealed_or_said(self.archive, self.staging, status, error) or None
        ref, trouble = sealing.sealed(self.archive, self.staging, status, error)
        if ref is None:
            raise ArchiveError(trouble)
        return str(ref.folder)

    def fail(self, error: RunbookError) -> None:
        """Notes the error; without an engine, seals the run as failed. A failure to do so is printed on stderr."""
        facts = {"type": type(error).__name__, "text": str(error), "exit_code": int(error.exit_code)}
        self.journal.append_or_stderr("error", **facts)
        if self.origin == "interactive":
            try:
                self._seal("failed", str(error))
                type(self)._open = None
            except ArchiveError as trouble:
                stderr(trouble)

    @classmethod
    def refused(cls, error: RunbookError) -> None:
        """Seals the run that a refusal left open as failed."""
        run = cls._open
        if run is not None and run.staging.exists():
            run.fail(error)

    @property
    def applying(self) -> bool:
        """Whether this run may change AWS."""
        return bool(self.params.mode == "apply")

    def where_am_i(self) -> Any:
        """Environment, account, caller, release, clock, mode: a table for the reader."""
        params = self.params
        clock = "given (as_of)" if params.as_of else "this machine's" if self.identity.trouble else "AWS's own"
        return where_table(
            {
                "Environment": params.env,
                "Account": f"{self.identity.account} · {params.region}",
                "Caller": self.identity.arn,
                "Operator": params.operator or self.identity.arn,
                "Release": f"{params.release} · attempt {params.attempt}",
                "Clock": f"{when(self.now)}, {clock}",
                "Mode": "apply: this run may change AWS" if self.applying else "plan: nothing will be changed",
                "Parameters": params.source,
                "Endpoint": self.aws.endpoint,
                "Run": f"{self.run_id} · {self.origin}",
                **({"Warning": "; ".join(self.unknown)} if self.unknown else {}),
            }
        )

    def may_i_run(self) -> Any:
        """Whether this run may go on and, to apply, may change AWS (`permission`).

        Raises:
            Refused, UsageError: it may not; the sentence says why.
        """
        rolls_back = self.notebook in self.params.policy.rollbacks
        return permission.to_roll_back(self) if rolls_back else permission.by_its_predecessors(self)

    # To look further

    def metrics(self) -> pd.DataFrame:
        """Every point of CloudWatch's answers to this run (`rollout.explore.Tables.metrics`)."""
        return self.tables().metrics()

    def jobs(self) -> pd.DataFrame:
        """The census by quarters of an hour (`rollout.explore.Tables.jobs`)."""
        return self.tables().jobs()

    def gates(self) -> pd.DataFrame:
        """The judged gates, with their intervals and limits (`rollout.explore.Tables.gates`)."""
        return self.tables().gates()

    def tables(self) -> Tables:
        """All tables of this run, before and after sealing."""
        from runbook_lib.rollout.explore import Tables

        if self.staging.is_dir():
            return Tables.under_way(self.staging, self.case)
        return Tables.sealed(self.archive, self.run_id)

    def check(self, *checks: Check) -> None:
        """Writes checks into the journal; a later one replaces an earlier one with the same id."""
        self.checks |= {one.id: one for one in checks}
        self.journal.append_all("check", ({"check": one.model_dump(mode="json")} for one in checks))

    def decide(
        self, outcome: Outcome, moment: str = "step", *, look: int = 0, state: TrafficState | None = None
    ) -> Outcome:
        """Writes a decision with its next step into the journal; the last one of a run counts.

        Args:
            look: number of the declared look that was judged; 0: none.
            state: the traffic as last read by the run; None: AWS is asked.
        """
        outcome = outcome if recording.is_spare(self.archive.root) else self._with_next(outcome, state)
        self.journal.append("decision", moment=moment, look=look, outcome=outcome.model_dump(mode="json"))
        return outcome

    def _with_next(self, outcome: Outcome, state: TrafficState | None) -> Outcome:
        """The outcome with the one next step; if AWS or the archive cannot be asked, the unchanged outcome."""
        pending = Record(
            run_id=self.run_id,
            env=self.params.env,
            release=self.params.release,
            notebook=self.notebook,
            attempt=self.params.attempt,
            status="completed",
            mode=self.params.mode,
            as_of=iso(self.now),
            sealed_at=iso(self.now),
            decision=str(outcome.decision),
            outcome=outcome.model_dump(mode="json", exclude={"results"}),
        )
        try:
            found = standing(self.params, self.archive, self._state(state), self.now, pending)
        except (RunbookError, OSError) as error:
            self.journal.append("warning", text=f"what is next is this notebook's own advice: {error}")
            return outcome
        return told(outcome, pending, found.next, self.params)

    def _state(self, state: TrafficState | None) -> TrafficState:
        """The traffic: the given one; in a plan, which changes nothing, the last one read; else newly read."""
        if state is None and not self.applying:
            state = self._traffic
        if state is None:
            state, _ = weights.read_or_nothing(self.aws, self.params)
        self._traffic = state
        return state

    def decide_checks(self, *, applied: bool, done: str, then: str) -> Outcome:
        """The decision from all checks so far, written into the journal (`judge.checks.decide_checks`)."""
        case = CheckedCase(checks=tuple(self.checks.values()), applied=applied, done=done, then=then, passed=Word.DONE)
        outcome = case.verdict()
        self.made_of(case, outcome)
        return self.decide(outcome)

    def made_of(self, case: AnyCase, verdict: Outcome, seen: Any = None) -> None:
        """Keeps the inputs of a verdict for the record's `case.json`; the last ones of a run count.

        Args:
            seen: `sight.Seen` of the look, whose answers are in a file of their own.
        """
        self.case = {"case": case, "verdict": verdict, "seen": seen.as_dict() if seen is not None else None}

    def keep_case(self) -> None:
        """Writes the inputs of the last verdict into the record, for `runbook replay`."""
        if self.case is not None:
            self.journal.attach(CASE, json.dumps(redact(plain(self.case)), ensure_ascii=False).encode())

    def close(self, outcome: Outcome) -> None:
        """Closes the run: writes the decision into the journal; by hand, it seals the record.

        Raises:
            RedVerdict: the decision is HOLD or ROLLBACK; everything is saved before.
            ArchiveError: the record cannot be sealed; the journal stays, and the next run of the notebook seals it.
        """
        from runbook_lib.record.attach import MIME, stamp

        self.keep_case()
        decided = outcome.model_dump(mode="json", include={"decision", "said", "reason", "next"})
        self.journal.append("closed", **decided)
        self._closed = True
        where = self._seal("completed") if self.origin == "interactive" else None
        type(self)._open = None
        note = closing_note(self.run_id, outcome, where, self.unknown)
        gates = plain(outcome.results)
        show(note, {MIME: stamp(self.run_id, str(outcome.decision), gates)})
        if outcome.decision in (Decision.HOLD, Decision.ROLLBACK):
            raise RedVerdict(outcome.word, outcome.reason)
