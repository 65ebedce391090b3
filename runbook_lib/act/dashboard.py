"""Writes the dashboard: a plan with the difference, and its application if the dashboard is still as planned.

CloudWatch has no compare-and-set for dashboards: the body is read again right before the write, and a change within
that moment is overwritten; the record keeps the body that the plan read.
"""

from __future__ import annotations

from typing import Any

from runbook_lib.act.guard import Guard
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import Refused
from runbook_lib.judge.terms import Frozen
from runbook_lib.observe.dashboard.compared import diff, digest, parsed, read_dashboard
from runbook_lib.observe.dashboard.declared import encode


class DashboardPlan(Frozen):
    """The change to the dashboard, and the body that it depends on."""

    name: str
    before: str | None
    """The body as text, as it was read; None: there was no dashboard."""
    after: str
    """The body to write."""
    lines: tuple[str, ...]
    """The difference, one change per line; empty: nothing to do."""
    undo: str

    def text(self) -> str:
        """The plan as text for a terminal."""
        if not self.lines:
            return f"dashboard {self.name}: nothing to do"
        verb = "change" if self.before is not None else "create"
        return "\n".join(
            [f"{verb} dashboard {self.name}", *(f"  {line}" for line in self.lines), f"  undo: {self.undo}"]
        )


def plan(name: str, found: str | None, wanted: dict[str, Any]) -> DashboardPlan:
    """The plan that changes dashboard `name` from the text `found` to `wanted`. Pure."""
    undo = (
        f"aws cloudwatch delete-dashboards --dashboard-names {name}"
        if found is None
        else f"aws cloudwatch put-dashboard --dashboard-name {name} --dashboard-body file://dashboard-before.json "
        "(a file of this run's record)"
    )
    lines = diff(parsed(found), wanted)
    return DashboardPlan(name=name, before=found, after=encode(wanted), lines=tuple(lines), undo=undo)


def apply(plan: DashboardPlan, cloudwatch: Any, guard: Guard) -> bool:
    """Carries `plan` out; False if there is nothing to do, or somebody has done it since.

    Raises:
        Refused: not authorised; or the dashboard has changed since the plan, or the read-back differs.
        AwsError: CloudWatch refused.
    """
    if not plan.lines:
        return False
    now = read_dashboard(cloudwatch, plan.name)
    wanted = digest(plan.after)
    if digest(now) == wanted:
        return False
    if digest(now) != digest(plan.before):
        raise Refused(
            f"dashboard {plan.name} was {'deleted' if now is None else 'changed'} since the plan was made; run the "
            "notebook again and look at the new difference",
            nothing_changed=True,
        )

    def put() -> list[str]:
        with aws_errors(f"writing dashboard {plan.name} (cloudwatch:PutDashboard)"):
            answer = cloudwatch.put_dashboard(DashboardName=plan.name, DashboardBody=plan.after)
        return [str(one.get("Message", one)) for one in answer.get("DashboardValidationMessages", [])]

    change = guard.change(
        f"dashboard {plan.name}",
        before={"sha256": digest(plan.before)},
        after={"sha256": wanted},
        undo=plan.undo,
        do=put,
        read_back=lambda: {"sha256": digest(read_dashboard(cloudwatch, plan.name))},
        raises=True,
    )
    for message in change.done or ():
        guard.warn(f"CloudWatch about dashboard {plan.name}: {message}")
    if not change.ok:
        raise Refused(f"dashboard {plan.name} does not read back as it was written: somebody else writes it too")
    return True
