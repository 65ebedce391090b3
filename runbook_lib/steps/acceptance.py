"""What the cells of `11_acceptance` call: each criterion proven by a sealed record, the whole rollout on one page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runbook_lib.base import foreign
from runbook_lib.base.foreign import markdown
from runbook_lib.base.window import parse, when
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check, unmet
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Decision
from runbook_lib.params.own_steps import rollout_of
from runbook_lib.record.entry import Entry, book
from runbook_lib.record.predecessors import predecessors
from runbook_lib.record.record import Record
from runbook_lib.rollout import costs
from runbook_lib.rollout.replay import replay_all
from runbook_lib.rollout.requirement import ACCEPTANCE, Line, Reference, lines, matches
from runbook_lib.rollout.timeline import chart, story
from runbook_lib.run.run import Run
from runbook_lib.show.page import Page, line
from runbook_lib.show.tables import Cell, badge, table
from runbook_lib.show.verdicts import verdict_banner
from runbook_lib.steps.step import Step


@dataclass(frozen=True)
class Proof:
    """The evidence behind one reference."""

    reference: Reference
    record: Record | None
    found: tuple[str, ...]
    """Verdict of each gate or check that the reference names; for a decision, `PROMOTE`."""
    missing: str = ""
    """Why there is no record, in a sentence."""
    said: str = ""
    """Reason of the gate or check; a count where the reference names several checks."""

    @property
    def ok(self) -> bool:
        """Whether it is proven: there is a record, and every verdict found is PASS or PROMOTE."""
        return self.record is not None and bool(self.found) and set(self.found) <= {"PASS", "PROMOTE"}

    @property
    def sentence(self) -> str:
        """The run that proves the reference, or what is missing."""
        one = self.reference
        if self.record is None:
            return self.missing or f"no sealed record of {one.notebook} in {one.env} says PROMOTE"
        where = f"run {self.record.run_id} ({self.record.hash[:12]}…)"
        if not self.found:
            return f"{where} of {one.notebook} in {one.env} has no {one.kind} '{one.id}'"
        if self.ok:
            return f"{where}: {self.said}" if self.said else where
        return f"{where}: {one.id} says {', '.join(sorted(set(self.found) - {'PASS', 'PROMOTE'}))}"


class Acceptance(Step):
    """Notebook 11: shows the proof of every acceptance criterion. Changes nothing."""

    def __init__(self, run: Run) -> None:
        super().__init__(
            run,
            done="ACCEPTED: every acceptance criterion is proven by a sealed record",
            then="Have it signed, and go on with the normal cadence.",
        )
        self.trouble: list[str] = []
        verified = self._verified()
        self._trusted = {record.run_id for record in verified}
        self._mine = rollout_of(self.params.policy, self.params.env)
        self.records = [record for record in verified if record.env in self._mine]
        self.folders = {ref.run_id: ref.folder for ref in run.archive.records(release=run.params.release)}

    def _verified(self) -> list[Record]:
        """The release's trusted records of all environments, oldest first."""
        archive = self.run.archive
        found = archive.trusted(archive.records(release=self.params.release), self.trouble.append, what="")
        return sorted((record for _, record in found), key=_when)

    def chain_table(self) -> Any:
        """Checks that every record of this release is unaltered and linked."""
        count = len(self._trusted) + len(self.trouble)
        said = f"all {count} records of {self.params.release} are unaltered and linked"
        if self.trouble:
            said = f"{len(self.trouble)} of {count} records cannot be trusted: {self.trouble[0]}"
        return self.note(check("chain.verified", "The chain of records", not self.trouble, said, found=f"{count}"))

    def replayed(self) -> Any:
        """Replays every verdict of this release from its record (`runbook replay`), and checks that it is the same."""
        archive = self.run.archive
        refs = [ref for ref in archive.records(release=self.params.release) if ref.run_id in self._trusted]
        found = [one for one in replay_all(archive, refs) if one.kind or not one.identical]
        odd = [one for one in found if not one.identical]
        said = f"all {len(found)} verdicts of {self.params.release} come out again as they were sealed"
        if odd:
            said = (
                f"{len(odd)} of {len(found)} verdicts do not come out again: {odd[0].notebook}, {odd[0].differences[0]}"
            )
        return self.note(check("chain.replayed", "The verdicts, made again", not odd, said, found=f"{len(found)}"))

    def criteria_table(self) -> Any:
        """Every acceptance criterion with the record that proves it."""
        criteria = [line for line in lines(env=self.params.env) if line.section == ACCEPTANCE]
        checks = [self._criterion(number, line) for number, line in enumerate(criteria, 1)]
        self.run.check(*checks)
        return _linked(checks)

    def _criterion(self, number: int, line: Line) -> Check:
        proofs = [self._prove(one) for one in line.by]
        bad = [proof for proof in proofs if not proof.ok]
        links = [self._link(proof.record) for proof in proofs if proof.record]
        reason = f"{line.text}: " + (f"not proven: {bad[0].sentence}" if bad else "; ".join(p.sentence for p in proofs))
        return check(
            f"criterion.{number}",
            line.text,
            not bad,
            reason,
            attested=line.how == "attested",
            expected="; ".join(str(one).replace("`", "") for one in line.by),
            found="; ".join(dict.fromkeys(links)) or "–",
            links=links,
        )

    def _link(self, record: Record) -> str:
        """Path of the record's report relative to the archive; the run's id where its folder is not known."""
        folder = self.folders.get(record.run_id)
        return str(folder.relative_to(self.run.archive.root) / "report.html") if folder else record.run_id

    def _prove(self, one: Reference) -> Proof:
        """Looks for the proof of a reference in the attempt whose newest decision promotes.

        A later HOLD or ROLLBACK takes a promotion back. Earlier runs of the same attempt count as proof too.
        """
        (decided,) = predecessors(self.run.archive, [f"{one.notebook}@{one.env}"], self.params.release)
        mine = [r for r in self.records if r.notebook == one.notebook and r.env == one.env and r.status == "completed"]
        promoted = next((record for record in mine if decided.ok and record.run_id == decided.record), None)
        if promoted is None:
            return Proof(one, None, (), decided.sentence)
        if one.kind == "decision":
            return Proof(one, promoted, ("PROMOTE",))
        for record in reversed(mine[: mine.index(promoted) + 1]):
            found = _verdicts(one, record) if record.attempt == promoted.attempt else ()
            if found:
                return Proof(one, record, found, said=_said(one, record))
        return Proof(one, promoted, ())

    def timeline(self) -> Any:
        """The whole rollout on one chart, from the records alone."""
        titles = {name: step.title for name, step in self.params.policy.steps.items()}
        policy = self.params.policy
        return chart(story(self.records), titles, [env for env in policy.environments if policy.has_users(env)])

    def cost_chart(self) -> Any:
        """Chart of the cost of a report through the rollout, on both routes, from the sealed looks."""
        return costs.history(self.records, self.params)

    def issues_table(self) -> Any:
        """Issues during the rollout: notes of people, holds, rollbacks, failed runs, warnings."""
        rows: list[list[object]] = []
        for entered in book(self.run.archive, None, self.params.release, "note").entered:
            if entered.env not in self._mine:
                continue
            rows.append([when(entered.entry.at), "note", f"{entered.entry.text} ({entered.entry.by})"])
        for record in self.records:
            said = record.decision if record.status == "completed" else record.status
            if said in ("HOLD", "ROLLBACK", "failed", "died", "cancelled"):
                why = record.told.line if record.status == "completed" else f"{said}: {record.failure}"
                rows.append([when(_when(record)), f"{record.notebook}@{record.env}", str(why or said)])
        rows.sort(key=lambda row: str(row[0]))
        return table(("When", "What", "Said"), rows, caption="Issues met on the way")

    def summary(self) -> Any:
        """A one-page summary to sign; kept in the record as summary.md."""
        text = self._summary()
        self.run.journal.attach("summary.md", text.encode())
        return Page(text, one_sheet=True)

    def _summary(self) -> str:
        criteria = [one for id, one in self.run.checks.items() if id.startswith("criterion.")]
        proven = sum(one.ok for one in criteria)
        flat = self.params.flat
        rows = [
            f"| {markdown(one.title)} | {'proven' if one.ok else 'NOT PROVEN'} | {markdown(one.found)} |"
            for one in criteria
        ]
        gates = self._figures()
        signed = [
            f"- {when(one.at)}: {markdown(one.item)} approved by {markdown(words.person(one.by, one.role))}"
            for one in self._approvals()
        ]
        span = [_when(record) for record in self.records]
        days = (max(span) - min(span)).total_seconds() / 86400 if span else 0.0
        return "\n".join(
            [
                f"# Acceptance of {markdown(flat.release)} in {markdown(flat.env)}",
                "",
                f"{proven} of {len(criteria)} criteria proven; {len(self.records)} records over {days:.1f} days.",
                "",
                "| Criterion | | Record |",
                "|---|---|---|",
                *rows,
                "",
                "## Figures of phase 3",
                "",
                *gates,
                "",
                "## Approvals",
                "",
                *(signed or ["- none"]),
                "",
                "Signed: ______________________   Date: ______________",
                "",
            ]
        )

    def _approvals(self) -> list[Entry]:
        found = book(self.run.archive, None, self.params.release, "approval").entered
        return [one.entry for one in found if one.env in self._mine]

    def _figures(self) -> list[str]:
        last = self.run.params.policy.migrating
        phase3 = [r for r in self.records if r.notebook == last and r.decision == "PROMOTE"]
        if not phase3:
            return ["- phase 3 has no record that says PROMOTE"]
        gates = [f"- {markdown(gate.get('reason'))}" for gate in phase3[-1].gates]
        compared = [
            c for r in self.records for c in r.checks if c.get("id") == "cost.compared" and c["verdict"] == "PASS"
        ]
        return gates + ([f"- cost: {markdown(compared[-1]['reason'])}"] if compared else [])

    def judge(self) -> Outcome:
        """ACCEPTED only where every criterion is proven and the chain is whole."""
        outcome = super().judge()
        wrong = unmet(self.run.checks.values())
        if wrong and outcome.decision is not Decision.HOLD:
            outcome = outcome.held(wrong[0].reason)
            self.outcome = self.run.decide(outcome)
        return outcome

    def verdict(self) -> Any:
        """The decision; the criteria have a table of their own."""
        return verdict_banner(self.outcome or self.judge())

    def plan(self) -> Any:
        """One line: the acceptance changes nothing, and the next step."""
        outcome = self.outcome or self.judge()
        return line(f"Nothing is changed by the acceptance. {outcome.next}")


def _linked(checks: Sequence[Check]) -> Any:
    """The criteria as a table with links to the reports.

    The links work only from this run's sealed report, which lies four folders below the archive's root.
    """
    rows: list[list[object]] = []
    for one in checks:
        links = dict.fromkeys(one.facts["links"])
        markup = "<br>".join(
            f'<a href="../../../../{foreign.html(link)}">{foreign.html(_short(link))}</a>' for link in links
        )
        title = one.title + (" (attested)" if one.attested else "")
        rows.append([badge(one.verdict), title, one.reason.removeprefix(f"{one.title}: "), Cell(one.found, markup)])
    head = ("", "Criterion", "Shown by", "Report, in the archive")
    return table(head, rows, caption=f"{sum(one.ok for one in checks)} of {len(checks)} criteria are proven")


def _short(link: str) -> str:
    """Notebook and run id, taken from the link to a report."""
    parts = link.split("/")
    return f"{parts[-3]} · {parts[-2].rpartition('-')[2]}" if len(parts) > 2 else link


def _when(record: Record) -> dt.datetime:
    return parse(record.as_of or record.sealed_at)


def _said(one: Reference, record: Record) -> str:
    """Reason of the one gate or check that a reference names; a count where it names several."""
    if one.kind == "gate":
        named = [g for g in record.gates if (g.get("gate") or {}).get("id") == one.id]
    else:
        named = [c for c in record.checks if matches(one, str(c.get("id")))]
    return str(named[0].get("reason", "")).rstrip(". ") if len(named) == 1 else words.count(len(named), "check")


def _verdicts(one: Reference, record: Record) -> tuple[str, ...]:
    """A record's verdicts for the gate or the required checks that a reference names."""
    if one.kind == "gate":
        return tuple(str(g.get("verdict")) for g in record.gates if (g.get("gate") or {}).get("id") == one.id)
    named = [c for c in record.checks if matches(one, str(c.get("id")))]
    required = [c for c in named if c.get("required")] or named
    return tuple(str(c.get("verdict")) for c in required)
