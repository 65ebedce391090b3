"""What the cells of notebook 09 call: see that the synchronous path is silent, archive it, remove it, announce it.

After the removal the only way back is to deploy the archived function again (docs/domain.md, trap 19).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any, Protocol

from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check, unmet
from runbook_lib.judge.model import Outcome
from runbook_lib.observe.inventory.inspect import rules
from runbook_lib.observe.resources import leftovers as look
from runbook_lib.record.record import Record
from runbook_lib.rollout.history import rollouts_records
from runbook_lib.rollout.panels import grid
from runbook_lib.rollout.people import attestation_checks, wanted_by
from runbook_lib.run.run import Run
from runbook_lib.show.charts import timelines
from runbook_lib.show.page import Page, line, show
from runbook_lib.show.tables import stack, table
from runbook_lib.steps.deprecate_announced import NO_WAY_BACK, announcement
from runbook_lib.steps.infra import Infra
from runbook_lib.steps.step import Step

STEP, UNDO = "remove_sync", "none but the archived function deployed again"
CODE, CONFIGURATION, ANNOUNCEMENT = "sync-handler.zip", "sync-configuration.json", "announcement.md"
AFTERWARDS = ("announcement_of_completion", "celebrated")
"""Attestations that people can give only after the removal."""


class Deploys(Protocol):
    """The part of `infra.Infra` that the removal uses."""

    def diff(self) -> Any: ...
    def deploy(self) -> Any: ...
    def inventory(self) -> Any: ...


def _infra(run: Run) -> Deploys:
    made: Deploys = Infra(run, step=STEP, undo=UNDO)
    return made


class Deprecation(Step):
    """Notebook 09: the removal of the synchronous path.

    Args:
        infra: makes the infrastructure's commands for a run; replaced in tests.
    """

    def __init__(self, run: Run, infra: Callable[[Run], Deploys] = _infra) -> None:
        super().__init__(
            run,
            done="the synchronous code is archived and removed",
            then="Watch the first week with 10_post_deployment, then accept with 11_acceptance.",
        )
        self.hours = rules(self.params).deprecate.silent_hours
        self.infra = infra(run)
        self.seen: look.Silence | None = None
        self.handler = look.old_handler(run.aws, self.params)
        self.found: list[look.Leftover] = []
        self.name = self.params.name("sync")

    @property
    def gone(self) -> bool:
        """Whether the old Lambda no longer exists."""
        return self.handler is None

    def silence(self) -> Any:
        """Checks that nobody called the synchronous Lambda in the last `silent_hours`."""
        run = self.run
        self.seen = look.silence(run.aws.client("cloudwatch"), self.params, run.now, self.hours)
        run.journal.attach("silence.json", json.dumps(self.seen.answers.raw, default=str).encode())
        return self.note(self._silent(self.seen), caption="Who still calls it")

    def _silent(self, seen: look.Silence) -> Check:
        window = f"in the last {self.hours:g} h"
        ok: bool | None = True
        if self.gone:
            reason = f"{self.name} is gone, so nobody can call it"
        elif seen.calls:
            ok = False
            last = f", the last at {when(seen.last_at)}" if seen.last_at else ""
            reason = (
                f"{self.name} was invoked {seen.calls:,.0f} times {window}{last}; find the callers, and wait until it "
                f"has been silent for {self.hours:g} h"
            )
        elif seen.partial or (seen.calls is None and not seen.witness):
            ok = None
            reason = (
                f"CloudWatch has no whole answer about {self.name} {window}, and no invocation of the submit Lambda "
                "that would show that metrics arrive: silence is not proven; look again when there is traffic"
            )
        else:
            proof = (
                "0 counted" if seen.calls is not None else f"the submit Lambda was invoked {seen.witness:,.0f} times"
            )
            reason = f"{self.name} was not invoked {window} ({proof} in the same window)"
        found = "gone" if self.gone else "no data" if seen.calls is None else f"{seen.calls:,.0f} invocations"
        return check(
            "sync.silent",
            "Nobody calls the synchronous Lambda",
            ok,
            reason,
            expected=f"0 invocations in {self.hours:g} h",
            found=found,
            calls=seen.calls,
            witness=seen.witness,
        )

    def archive(self) -> Any:
        """Puts the old handler's code and configuration into this record, or finds the earlier record that has them."""
        return self.note(self._archived(), caption="The archive of the old handler")

    def _archived(self) -> Check:
        title, handler = "Old handler is archived", self.handler
        facts: dict[str, Any]
        if handler is None:
            earlier = self._earlier()
            if earlier is None:
                reason = (
                    f"{self.name} is gone, and no record of this release has its code; look for it in version control"
                )
                return check("sync.archived", title, False, reason, expected="code and configuration", found="nothing")
            sha = earlier.files.get(CODE) or earlier.files[CONFIGURATION]
            reason = f"kept in the record of run {earlier.run_id} (sha256 {sha[:12]}…)"
            facts = {"run_id": earlier.run_id, "sha256": sha}
            return check("sync.archived", title, True, reason, expected="in a record", found=earlier.run_id, **facts)
        journal = self.run.journal
        journal.attach(CONFIGURATION, json.dumps(handler.configuration, indent=1, sort_keys=True).encode())
        what = f"container image {handler.image}"
        if handler.code:
            journal.attach(CODE, handler.code)
            what = f"{CODE} ({len(handler.code):,} bytes, sha256 {handler.sha256[:12]}…)"
        reason = f"{what} and {CONFIGURATION} are in this record; of {len(handler.variables)} variables the names only"
        if not handler.intact:
            reason = f"{CODE} is not what Lambda says it is (CodeSha256 differs); run this again"
        facts = {
            "sha256": handler.sha256,
            "variables": list(handler.variables),
            "files": [CODE, CONFIGURATION] if handler.code else [CONFIGURATION],
        }
        return check(
            "sync.archived", title, handler.intact, reason, expected="code and configuration", found=what, **facts
        )

    def _records(self) -> list[Record]:
        """The verified records of this rollout, newest first; altered or unreadable ones are left out."""
        archive = self.run.archive
        refs = reversed(rollouts_records(archive, self.params))
        return [record for _, record in archive.trusted(refs, self.run.warn, "left out of the archive's story")]

    def _earlier(self) -> Record | None:
        for record in self._records():
            if (record.notebook, record.env) == (self.run.notebook, self.params.env) and CONFIGURATION in record.files:
                return record
        return None

    def _role(self) -> str:
        """Name of the old Lambda's role, from Lambda, this run's checks or the archive; empty if none has it."""
        if self.handler is not None:
            return str(self.handler.configuration.get("Role", "")).rpartition("/")[2]
        before = self.run.checks.get("sync.leftovers")
        if before is not None:
            return str(before.facts.get("role", ""))
        earlier = self._earlier()
        told = [one for one in (earlier.checks if earlier else ()) if one.get("id") == "sync.leftovers"]
        return str(told[0].get("facts", {}).get("role", "")) if told else ""

    def leftovers(self) -> Any:
        """Lists what only the synchronous path uses. Anything that still leads to it blocks the removal."""
        role = self._role()
        self.found = look.leftovers(self.run.aws, self.params, role)
        rows = [[one.kind, one.name, one.detail, "blocks" if one.blocks else "goes"] for one in self.found]
        listed = table(("What", "Name", "Why", "Removal"), rows, caption="What only the synchronous path uses")
        return stack(self.note(self._left(role), *self._after()), listed)

    def _left(self, role: str) -> Check:
        blocking = [one for one in self.found if one.blocks]
        wrong = self.found if self.gone else blocking
        said = ", ".join(f"{one.kind} {one.name}" for one in wrong)
        if self.gone:
            reason = (
                f"still there, used by nobody: {said}; remove it in the infrastructure code"
                if wrong
                else "nothing is left"
            )
        elif wrong:
            reason = f"{said} still leads to {self.name}; migrate it first"
        else:
            alone = f"what it alone uses ({words.count(len(self.found), 'thing')}) goes with it"
            reason = f"nothing leads to it; {alone if self.found else 'nothing is used by it alone'}"
        facts: dict[str, Any] = {"role": role, "items": [[one.kind, one.name, one.detail] for one in self.found]}
        return check(
            "sync.leftovers",
            "Nothing leads to the synchronous path",
            not wrong,
            reason,
            expected="nothing left" if self.gone else "nothing that leads to it",
            found=said or "nothing",
            **facts,
        )

    def _after(self) -> list[Check]:
        """Checks of the end state: Lambda and variables are gone. Until then they count as mended by applying."""
        variables = [one for one in self.found if one.kind == "environment variable"]
        names = ", ".join(one.name for one in variables)
        removed = f"{self.name} is gone" if self.gone else f"{self.name} still exists; applying removes it"
        # The Lambda's own variables go with it; a variable of another function that names it must go too.
        clean = self.gone and not variables
        told = f"left: {names}; remove them in the infrastructure code" if names else "no variable of it is left"
        if not self.gone:
            told = f"they go with the Lambda: {names or 'none of its own'}"
        mends = not self.gone
        return [
            check(
                "sync.removed",
                "Synchronous Lambda is removed",
                self.gone,
                removed,
                expected="gone",
                found="gone" if self.gone else "exists",
                mends=mends,
            ),
            check(
                "sync.env_vars",
                "Unused environment variables are removed",
                clean,
                told,
                expected="none left",
                found=names or ("none left" if clean else "with the Lambda"),
                mends=mends,
            ),
        ]

    def vouched(self) -> Any:
        """Attestations that are due before the removal."""
        items = [one for one in wanted_by(self.params.policy, self.run.notebook) if one not in AFTERWARDS]
        return self.note(*attestation_checks(self.run, items), caption="Vouched for")

    def charts(self) -> Any:
        """Invocations of the old Lambda and of the one that took its place."""
        seen = self.seen or look.silence(self.run.aws.client("cloudwatch"), self.params, self.run.now, self.hours)
        series = {"synchronous": seen.answers.points(look.CALLS), "submit": seen.answers.points(look.WITNESS)}
        title = f"Invocations in the last {self.hours:g} h"
        now = self.run.now
        periods = grid(now - dt.timedelta(hours=self.hours), now, self.params, look.PERIOD_S)
        counted = [
            name
            for name, metric in (("synchronous", look.CALLS), ("submit", look.WITNESS))
            if not seen.answers.partial(metric)
        ]
        shown = {"series": series, "title": title, "unit": "invocations / 5 min", "kind": "step"}
        return timelines([shown | {"grid": periods, "counts": counted}])

    def judge(self, *, final: bool = False) -> Outcome:
        """The decision: about the plan before the action, about its result after it (`final`)."""
        applied = self.run.applying and (final or self.gone)
        self.outcome = self.run.decide_checks(applied=applied, done=self.done, then=self.then)
        return self.outcome

    def plan(self) -> Any:
        """What applying would remove; the text above it says that this is final."""
        if self.gone:
            return line("Nothing to do: the synchronous Lambda is gone.")
        self.run.journal.append("plan", text=NO_WAY_BACK, remove=[[one.kind, one.name] for one in self.found])
        return self.infra.diff()

    def apply(self) -> None:
        """Removes the path by the infrastructure's command, if the run applies and nothing blocks it."""
        if not self.run.applying:
            return show(line("Nothing was changed: mode is plan."))
        if self.gone:
            return show(line("Nothing to apply: the synchronous Lambda is gone."))
        against = self.blockers()
        if against:
            return show(line(f"Nothing was changed: {against[0]}"))
        show(line(NO_WAY_BACK))
        return show(self.infra.deploy())

    def blockers(self) -> list[str]:
        """Why the Lambda must not be removed now, one sentence each."""
        wanted = ("sync.silent", "sync.archived", "sync.leftovers")
        missing = [f"'{id}' was not looked at; run every cell" for id in wanted if id not in self.run.checks]
        stuck = [one for one in unmet(self.run.checks.values()) if not one.mends]
        return [*missing, *(one.reason for one in stuck)]

    def proof(self) -> Any:
        """Reads Lambda, leftovers and the inventory again, and asks for the attestations due after the removal."""
        role = self._role()
        self.handler = look.old_handler(self.run.aws, self.params)
        if self.handler is not None:
            return line(f"{self.name} still exists: nothing was removed.")
        self.found = look.leftovers(self.run.aws, self.params, role)
        shown = self.note(self._left(role), *self._after(), caption="Read back")
        later = [one for one in wanted_by(self.params.policy, self.run.notebook) if one in AFTERWARDS]
        vouched = self.note(*attestation_checks(self.run, later), caption="Vouched for") if later else None
        return stack(shown, self.infra.inventory(), *([vouched] if vouched else []))

    def announcement(self) -> Any:
        """Writes the announcement from the release's records, attaches it to this record and shows it."""
        text = announcement(self._records(), self.run, removed=self.gone, archived=self.run.checks.get("sync.archived"))
        digest = self.run.journal.attach(ANNOUNCEMENT, text)
        reason = f"{ANNOUNCEMENT} is written from the records and kept in this one; send it to the team"
        self.run.check(
            check("announcement", "Announcement is written", True, reason, found=ANNOUNCEMENT, sha256=digest)
        )
        show(line(reason))
        return Page(text)
