"""What the cells of the dashboard notebook call: declared, deployed, owned, drawn, written, exported, proven."""

from __future__ import annotations

import datetime as dt
import json
from functools import cached_property
from typing import Any

from runbook_lib.act import dashboard as act
from runbook_lib.base.window import Window
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.model import Outcome
from runbook_lib.observe.dashboard.board import Axis
from runbook_lib.observe.dashboard.compared import diff, parsed, read_dashboard, widget_diff
from runbook_lib.observe.dashboard.declared import (
    KIND,
    LOGICAL_ID,
    asks,
    board_name,
    body,
    declared,
    series,
    silent,
    thresholds,
    to_cloudformation,
)
from runbook_lib.observe.metrics import fetch
from runbook_lib.observe.resources.owner import owner
from runbook_lib.rollout.panels import grid
from runbook_lib.run.run import Run
from runbook_lib.show.charts import timelines
from runbook_lib.show.page import line
from runbook_lib.show.tables import stack, table
from runbook_lib.steps.step import Step


class Dashboard(Step):
    """Notebook 03: the dashboard of one environment.

    Raises:
        UsageError: `dashboard.yaml` is wrong.
        AwsError: CloudWatch or CloudFormation refused or did not answer.
    """

    def __init__(self, run: Run) -> None:
        super().__init__(
            run,
            done=f"the dashboard of {run.params.env} is deployed as declared",
            then="Alarms are next, with 04_alarms.",
        )
        self.board = declared(self.params)
        self.name = board_name(self.board, self.params)
        self.wanted = body(self.board, self.params)
        self.cloudwatch = run.aws.client("cloudwatch")
        self.found = read_dashboard(self.cloudwatch, self.name)
        self.owner = owner(run.aws, self.name, KIND)
        self.planned = act.plan(self.name, self.found, self.wanted)
        self.acted = False

    @cached_property
    def answers(self) -> fetch.Answers:
        """Every line of every widget over the last hours, asked in one go."""
        now = self.run.now
        window = Window(now - dt.timedelta(hours=self.board.hours), now)
        answers = fetch.fetch(self.cloudwatch, self.params, asks(self.board, window), now)
        self.run.journal.attach("answers.json", json.dumps(answers.raw).encode())
        return answers

    def widgets_table(self) -> Any:
        """Each declared widget with its metrics, its thresholds and the gate that they come from."""
        rows = [
            [
                widget.title,
                "; ".join(filter(None, (_lines(axis) for _, axis in widget.axes))),
                ", ".join(label for _, axis in widget.axes for _, label, _ in thresholds(axis, self.params)) or "–",
                ", ".join(axis.gate for _, axis in widget.axes if axis.gate) or "–",
            ]
            for widget in self.board.widgets
        ]
        return table(
            ("Widget", "Lines (statistic)", "Thresholds", "Gate"),
            rows,
            caption=f"{self.name}: {words.count(len(rows), 'widget')}, points of {self.board.period_s} s",
        )

    def deployed_table(self) -> Any:
        """Whether each widget is deployed as declared."""
        return self.note(*self._widgets(self.found, mends=self.owner is None), caption=f"Deployed: {self.name}")

    def owner_table(self) -> Any:
        """Who keeps the dashboard: this runbook, or a stack of the team's code."""
        return self.note(self._owner(self.found))

    def data_table(self) -> Any:
        """Whether the metric behind each line has data; what has none is named."""
        return self.note(*self._data(), caption=f"Data of the last {self.board.hours} h")

    def charts(self) -> Any:
        """The declared widgets, drawn from live data; a widget with two axes becomes two charts."""
        gates = {gate.id: gate for gate in self.params.policy.gates}
        now = self.run.now
        periods = grid(now - dt.timedelta(hours=self.board.hours), now, self.params, self.board.period_s)
        groups = [
            {
                "grid": periods,
                "counts": [
                    one.label
                    for one in axis.lines
                    if one.stat == "Sum" and not self.answers.partial(f"{one.metric}:{one.stat}")
                ],
                "series": series(axis, self.answers),
                "title": axis.title or widget.title,
                "unit": axis.drawn.unit,
                "gate": gates.get(axis.gate or ""),
            }
            for widget in self.board.widgets
            for _, axis in widget.axes
        ]
        return timelines(groups)

    def judge(self) -> Outcome:
        """The decision by every check so far; before `apply` it is about the plan."""
        self.outcome = self.run.decide_checks(applied=self.acted, done=self.done, then=self.then)
        return self.outcome

    def plan(self) -> Any:
        """Each difference to the deployed dashboard, and what applying would do about it."""
        plan = self.planned
        self.run.journal.append(
            "plan", plan=plan.model_dump(mode="json", exclude={"before", "after"}), text=plan.text()
        )
        if not plan.lines:
            return line(f"Nothing to do: {self.name} is deployed as declared.")
        if plan.before is not None:
            self.run.journal.attach("dashboard-before.json", plan.before.encode())
        rows = [[change.partition(": ")[0], change.partition(": ")[2]] for change in plan.lines]
        shown = table(("Widget", "Change"), rows, caption=f"{self.name}: {words.count(len(rows), 'change')}")
        if self.owner is not None:
            return stack(shown, line(f"Nothing would be written: {self._adopt()}."))
        return stack(shown, line(f"Undo: {plan.undo}"))

    def apply(self) -> Any:
        """Writes the dashboard if the run may and no stack owns it.

        Raises:
            Refused: not authorised, or the dashboard was changed since it was read.
        """
        self.acted = self.run.applying
        if not self.run.applying:
            return line("Nothing was changed: mode is plan.")
        if self.owner is not None and self.planned.lines:
            return line(f"Nothing was written: {self._adopt()}.")
        if act.apply(self.planned, self.cloudwatch, self.run.guard):
            return line(f"Written: {self.name}.")
        return line("Nothing to apply.")

    def export(self) -> Any:
        """The declared dashboard as two files of the record: its body, and a CloudFormation template."""
        logical_id = self.owner.logical_id if self.owner else LOGICAL_ID
        template = to_cloudformation(self.name, self.wanted, logical_id)
        for name, content in (("dashboard.json", self.wanted), ("dashboard-cloudformation.json", template)):
            self.run.journal.attach(name, json.dumps(content, indent=1, ensure_ascii=False).encode())
        return line(
            "In the record: dashboard.json (for put-dashboard or the console's source view) and "
            f"dashboard-cloudformation.json (resource {logical_id}, for the team's infrastructure code)."
        )

    def proof(self) -> Any:
        """Reads the dashboard back from CloudWatch and checks it again."""
        found = read_dashboard(self.cloudwatch, self.name)
        lines = diff(parsed(found), self.wanted)
        reason = (
            f"{self.name} reads back as declared"
            if not lines
            else f"{self.name} is not deployed as declared ({lines[0]}{words.and_more(lines)}); "
            + ("apply this notebook" if self.owner is None else self._adopt())
        )
        saved = check(
            "dashboard.saved",
            "Saved, and read back equal",
            not lines,
            reason,
            expected="as declared",
            found="no dashboard"
            if found is None
            else words.count(len(lines), "difference")
            if lines
            else "as declared",
            mends=self.owner is None,
        )
        again = self._widgets(found, mends=self.owner is None)
        return self.note(saved, self._owner(found), *again, caption="Read back")

    def _widgets(self, found: str | None, *, mends: bool) -> list[Check]:
        made = []
        for widget in self.board.widgets:
            lines = widget_diff(parsed(found), self.wanted)[widget.title]
            reason = f"widget '{widget.title}' is deployed as declared"
            if lines:
                reason = f"widget '{widget.title}': {lines[0]}{words.and_more(lines)}"
            made.append(
                check(
                    f"dashboard.widget.{widget.id}",
                    widget.title,
                    not lines,
                    reason,
                    expected="as declared",
                    found=words.count(len(lines), "difference") if lines else "as declared",
                    mends=mends,
                )
            )
        return made

    def _owner(self, found: str | None) -> Check:
        if self.owner is None:
            ok, reason = True, f"no CloudFormation stack owns {self.name}: this runbook writes it"
        elif diff(parsed(found), self.wanted):
            ok, reason = False, self._adopt()
        else:
            ok, reason = True, f"{self.owner} makes it as declared"
        return check(
            "dashboard.owner",
            "One owner",
            ok,
            reason,
            expected="nobody else, or a stack that declares the same",
            found=self.owner or "nobody else",
        )

    def _adopt(self) -> str:
        return (
            f"{self.name} is {self.owner}, and differs: adopt dashboard-cloudformation.json of this run's record into "
            "that template and deploy it"
        )

    def _data(self) -> list[Check]:
        made = []
        for widget in self.board.widgets:
            quiet, asked = silent(widget, self.answers, self.params), {name for name, _ in widget.asked}
            reason = "every line has data"
            if quiet:
                reason = f"no data for {', '.join(quiet)}: nothing happened yet, or the dimensions are wrong"
            made.append(
                check(
                    f"dashboard.data.{widget.id}",
                    f"Data of '{widget.title}'",
                    None if quiet else True,
                    reason,
                    required=False,
                    expected=words.count(len(asked), "metric"),
                    found=words.count(len(asked) - len(quiet), "metric"),
                    silent=quiet,
                )
            )
        return made


def _lines(axis: Axis) -> str:
    if axis.share:
        return f"{axis.share.label} ({'% of sums' if axis.share.times == 100 else 'quotient'})"
    return ", ".join(f"{line.label} ({line.stat})" for line in axis.lines)
