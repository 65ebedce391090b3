"""What must hold before a phase shifts: the soak before it, the approvals, and the synchronous route as it was.

Each is a check (`judge/gates/checks.py`): noted in the record, shown, and a blocker of the shift where it does not
hold.
"""

from __future__ import annotations

from typing import Any

from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.model import GateResult
from runbook_lib.observe.inventory.inspect import integration_hash
from runbook_lib.record.predecessors import predecessors
from runbook_lib.record.record import Record
from runbook_lib.run.run import Run
from runbook_lib.show.page import line
from runbook_lib.show.tables import Cell, badge, table

SYNC_UNCHANGED = "route.sync_unchanged"


def previous_soaks(run: Run) -> tuple[list[Check], list[Record]]:
    """One check `previous.<notebook>` for each required phase, and the records of all phases before, oldest first.

    The check passes where the record is sealed, unaltered, of this release, and says PROMOTE.
    """
    policy, archive, release = run.params.policy, run.archive, run.params.release
    required = [one for one in policy.steps[run.notebook].requires if one.partition("@")[0] in policy.phases]
    checks = []
    for finding in predecessors(archive, required, release):
        notebook = finding.requires.partition("@")[0]
        checks.append(
            check(
                f"previous.{notebook}",
                f"{policy.steps[notebook].title}: soak reviewed",
                finding.ok,
                finding.sentence,
                expected="a sealed record, unaltered, that says PROMOTE",
                found=finding.record or "none",
                run_id=finding.record,
                sealed_at=finding.sealed_at,
            )
        )
    order = list(policy.phases)
    earlier = order[: order.index(run.notebook)]
    wanted = [f"{name}@{env}" for name in earlier for env in policy.steps[name].envs]
    found = predecessors(archive, wanted, release)
    kept = [archive.load(archive.find(one.record)) for one in found if one.ok and one.record]
    return checks, kept


def sync_route(run: Run) -> Check:
    """Checks that the synchronous route's integration still has the hash that the rollout's first look recorded."""
    route = run.params.service.api.routes.sync
    now = integration_hash(run.aws, run.params, route)
    first = first_hash(run)
    before, where = first if first else (now, "this run, the first that looked")
    same, asked = now == before, run.params.service.asked("sync")
    reason = (
        f"{asked} is integrated as it was before the rollout (sha256 {now[:12]}…, first seen by {where})"
        if same
        else f"{asked} is not what it was before the rollout: sha256 {now[:12]}… instead of {before[:12]}… "
        f"(first seen by {where}); find out who changed it, and put it back"
    )
    run.journal.append("route", path=route, sha256=now, first=before)
    return check(
        SYNC_UNCHANGED,
        f"{asked} is unchanged",
        same,
        reason,
        expected=before[:16],
        found=now[:16],
        sha256=now,
        first=before,
        path=route,
    )


def first_hash(run: Run) -> tuple[str, str] | None:
    """The earliest recorded hash of the synchronous route for this release and environment, and the run that has it."""
    archive, params = run.archive, run.params
    for name in params.policy.phases:
        refs = archive.records(env=params.env, release=params.release, notebook=name)
        for _, record in archive.trusted(refs, run.warn, "an earlier hash of the route is not used"):
            for one in record.checks:
                sha = (one.get("facts") or {}).get("first")
                if one.get("id") == SYNC_UNCHANGED and sha:
                    return str(sha), f"run {record.run_id}"
    return None


def previous_table(records: list[Record], params: Any) -> Any:
    """The phases before, side by side: decision, split, and each gate with its interval."""
    if not records:
        return line("No phase before this one has a record that says PROMOTE.")

    def cell(record: Record, gate: str) -> Cell:
        given = next((one for one in record.gates if (one.get("gate") or {}).get("id") == gate), None)
        if given is None:
            return Cell("–")
        result = GateResult.model_validate(given)
        unit = result.gate.unit
        value = "–" if result.value is None else words.number(result.value, unit)
        extent = words.interval(result.low, result.high, unit) if result.low != result.high else ""
        count = f", n = {result.n:,}" if result.n else ""
        return Cell(
            f"{words.said(result.verdict)} {value}" + (f" ({extent}{count})" if extent else count and f" ({count[2:]})")
        )

    head = ("", *(f"{one.notebook} @ {one.env}" for one in records))
    titles = {gate.id: gate.title for gate in params.policy.gates}
    rows: list[list[object]] = [
        ["decision", *(badge(one.told.word or "HOLD") for one in records)],
        ["judged at", *(when(one.as_of) for one in records)],
        ["run", *(one.run_id for one in records)],
        ["weight", *(_weight(one) for one in records)],
    ]
    judged = {title: [cell(one, gate) for one in records] for gate, title in titles.items()}
    rows += [[title, *cells] for title, cells in judged.items() if any(one.text != "–" for one in cells)]
    return table(head, rows, caption="The soaks before", note="`runbook archive show RUN` opens the record of a run.")


def _weight(record: Record) -> str:
    state = record.traffic_after or record.traffic_before or {}
    return f"{float(state['weight']):g} %" if state.get("weight") is not None else "–"
