"""Capacity of the jobs table and its indexes: to PROVISIONED with enough units, and back to on demand.

UpdateTable is asynchronous: the change is in force when table and indexes are ACTIVE again, minutes later.
DynamoDB has no compare-and-set for it: the table is read again right before the write, and while it is UPDATING AWS
refuses every further UpdateTable (ResourceInUseException).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from runbook_lib.act.guard import Guard
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import Refused
from runbook_lib.base.waiting import growing, until
from runbook_lib.judge.incidents.capacity import Units
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.resources.billing import ON_DEMAND, PROVISIONED, Billing, read_billing
from runbook_lib.params.load import Params

ON_DEMAND_START = 4000
"""Write units per second that a new on-demand table takes (Amazon DynamoDB developer guide, "Initial throughput")."""
LESS_AT_ONCE = 4
"""Decreases of a table's units per UTC day at any time; one more per hour without a decrease (Amazon DynamoDB developer
guide, "Service quotas", "Decreasing throughput")."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 15.0


_AGAIN = "provision it again by rollback_3_dynamodb_throttling"


class BillingPlan(Frozen):
    """The request to DynamoDB, and the state that it depends on."""

    before: Billing
    mode: str
    units: dict[str, Units]
    """Units by name of the table and each index; empty: on demand."""
    blockers: tuple[str, ...] = ()
    """Why the plan cannot be applied now; empty: it can."""
    notes: tuple[str, ...] = ()
    undo: str

    @property
    def done(self) -> bool:
        """Whether the capacity is requested already, by anyone; `before.active` says whether it is in force yet."""
        return self.before.mode == self.mode and self.before.units == self.units

    def text(self) -> str:
        """The plan as text for a terminal."""
        before = self.before
        if self.done:
            return f"{before.table}: nothing to ask for" + ("" if before.active else ", but it is still UPDATING")
        lines = [f"{before.table}: {before.mode} -> {self.mode}"]
        for name, units in self.units.items():
            had = before.units.get(name)
            lines.append(f"  {name}: {had if had else 'on demand'} -> {units} units a second")
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  blocked: {blocker}" for blocker in self.blockers]
        return "\n".join([*lines, f"  undo: {self.undo}"])


def plan_provisioned(found: Billing, units: dict[str, Units], *, throttled: float, backs_a_day: int) -> BillingPlan:
    """The plan that gives table and indexes `units`. Pure.

    Args:
        units: target units by name of the table and the indexes; an index without an entry gets the table's units.
        throttled: number of recent throttle events; without any, more capacity would not help.
        backs_a_day: how often in 24 h a table may return to on demand.
    """
    every = {found.table: units[found.table], **{one: units.get(one, units[found.table]) for one in found.indexes}}
    blockers, notes = [], []
    if not throttled:
        blockers.append(
            "there were no throttle events: capacity cures nothing here; HTTP 500s of DynamoDB (SystemErrors) and "
            "failing jobs are scenario 1 (runbook rollback 1)"
        )
    if found.status == "UPDATING" and not (found.mode == PROVISIONED and found.units == every):
        blockers.append(f"{found.table} is UPDATING: somebody is changing it; run this again when it is ACTIVE")
    if found.mode == ON_DEMAND:
        notes.append(
            f"on demand, a new table takes some {ON_DEMAND_START:,} write units a second and grows with its peaks: "
            f"{every[found.table].write} may be a cut"
        )
    limit = f"{backs_a_day} times in 24 h at most" if found.mode == ON_DEMAND else _less()
    way = "PROVISIONED to on demand" if found.mode == ON_DEMAND else "to fewer units,"
    notes.append(
        f"the way back is limited: {way} {limit}; and a provisioned table neither grows by itself nor costs nothing "
        "when idle"
    )
    notes.append("a single hot key is throttled at 1,000 write or 3,000 read units, whatever the table has")
    return BillingPlan(
        before=found,
        mode=PROVISIONED,
        units=every,
        blockers=tuple(blockers),
        notes=tuple(notes),
        undo=f"`runbook deviation undo inventory.table.billing` ({limit})",
    )


def plan_on_demand(found: Billing, *, backs_a_day: int) -> BillingPlan:
    """The plan that returns the table to on demand. Pure."""
    return BillingPlan(
        before=found,
        mode=ON_DEMAND,
        units={},
        blockers=_updating(found),
        notes=(f"AWS allows it {backs_a_day} times in 24 h",),
        undo=_AGAIN,
    )


def plan_units_back(found: Billing, before: dict[str, Units]) -> BillingPlan:
    """The plan that restores the units of a table that was PROVISIONED all along. Pure.

    Args:
        before: earlier units by name of the table and the indexes; a newer index keeps its units.
    """
    kept = {name: units for name, units in found.units.items() if name not in before}
    there = {name: units for name, units in before.items() if name in (found.table, *found.indexes)}
    return BillingPlan(
        before=found,
        mode=PROVISIONED,
        units={**kept, **there},
        blockers=_updating(found),
        notes=(f"AWS allows it {_less()}",),
        undo=_AGAIN,
    )


def _updating(found: Billing) -> tuple[str, ...]:
    return () if found.active else (f"{found.table} is UPDATING: run this again when it is ACTIVE",)


def _less() -> str:
    return f"{LESS_AT_ONCE} decreases a day at any time, and one in each hour without one"


def apply(
    plan: BillingPlan,
    client: Any,
    guard: Guard,
    params: Params,
    *,
    wait_s: float,
    out: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Billing:
    """Carries `plan` out and waits at most `wait_s` until table and indexes are ACTIVE; returns what was read last.

    If the capacity is requested already, it only waits. It refuses if anybody changed the capacity since the plan.

    Raises:
        Refused: not authorised; blocked; changed since the plan; or ACTIVE with other units than requested.
        AwsError: DynamoDB refused.
    """

    def waited() -> Billing:
        return wait(client, params, wait_s=wait_s, out=out, sleep=sleep, monotonic=monotonic)

    guard.authorise(raises=True)
    if plan.done:
        return waited()
    if plan.blockers:
        raise Refused(plan.blockers[0], nothing_changed=True)
    now = read_billing(client, params)
    if now.facts() != plan.before.facts():
        raise Refused(
            f"the capacity of {now.table} was changed since the plan was made ({now.mode} {_said(now)}, the plan read "
            f"{plan.before.mode} {_said(plan.before)}); run the notebook again",
            nothing_changed=True,
        )
    seen: list[Billing] = []

    def do() -> None:
        with aws_errors(f"changing the capacity of {now.table} (dynamodb:UpdateTable)"):
            client.update_table(**_request(plan))

    def read_back() -> dict[str, Any]:
        seen.append(waited())
        return seen[-1].facts()

    after = {"mode": plan.mode, "units": {name: [one.read, one.write] for name, one in plan.units.items()}}
    change = guard.change(
        f"capacity of {now.table}",
        before=now.facts(),
        after={**after, "active": True},
        undo=plan.undo,
        do=do,
        read_back=read_back,
        raises=True,
    )
    if not change.ok and seen[-1].active:
        raise Refused(
            f"{now.table} reads back as {seen[-1].mode} {_said(seen[-1])}, which is not what was asked for: somebody "
            "else changes it too; run the notebook again"
        )
    return seen[-1]


def wait(
    client: Any,
    params: Params,
    *,
    wait_s: float,
    out: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Billing:
    """Waits at most `wait_s` until table and indexes are ACTIVE; returns what was read last, ACTIVE or not.

    Raises:
        AwsError: DynamoDB refused or did not answer.
    """
    return until(
        lambda: read_billing(client, params),
        lambda found: found.active,
        limit_s=wait_s,
        pause=growing(FIRST_WAIT_S, LONGEST_WAIT_S),
        told=lambda found, gone: out(f"{found.table} is {found.status}: {gone:.0f} s of at most {wait_s:.0f} s"),
        sleep=sleep,
        clock=monotonic,
    )


def _request(plan: BillingPlan) -> dict[str, Any]:
    """The UpdateTable request. Every index gets units of its own, even unchanged ones if the mode changes (trap 22)."""
    table = plan.before.table
    request: dict[str, Any] = {"TableName": table, "BillingMode": plan.mode}
    if plan.mode == ON_DEMAND:
        return request
    if plan.units[table] != plan.before.units.get(table):
        request["ProvisionedThroughput"] = _throughput(plan.units[table])
    updates = [
        {"Update": {"IndexName": name, "ProvisionedThroughput": _throughput(units)}}
        for name, units in plan.units.items()
        if name != table and units != plan.before.units.get(name)
    ]
    return request | ({"GlobalSecondaryIndexUpdates": updates} if updates else {})


def _throughput(units: Units) -> dict[str, int]:
    return {"ReadCapacityUnits": units.read, "WriteCapacityUnits": units.write}


def _said(found: Billing) -> str:
    state = "" if found.active else f", {found.status}"
    return f"({'; '.join(f'{name} {units}' for name, units in found.units.items()) or 'on demand'}{state})"
