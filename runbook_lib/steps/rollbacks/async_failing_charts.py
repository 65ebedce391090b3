"""The charts of scenario 1: requests, jobs and queues around the decision, with its moments drawn in."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from runbook_lib.base.window import Window, parse
from runbook_lib.observe.metrics import fetch
from runbook_lib.rollout.look import attached
from runbook_lib.rollout.panels import JOBS, QUEUES, REQUESTS, drawn, grid
from runbook_lib.show.charts import timelines
from runbook_lib.steps.rollbacks.incident import Incident

PANELS = (REQUESTS, JOBS, QUEUES)
BEFORE = dt.timedelta(hours=3)
"""How long before the decision the charts begin."""


def charts(incident: Incident, decided_at: dt.datetime, now: dt.datetime) -> Any:
    """Draws those panels of a phase's charts that show what async does; keeps their points in the record.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    run, params, clock = incident.run, incident.params, incident.clock
    window = Window(decided_at - BEFORE, now)
    period = 300 * max(1, math.ceil(window.seconds / 300 / 60))
    lines = {line.label: line for panel in PANELS for line in panel.lines}
    asked = [fetch.Ask(one.metric, window, stat=one.stat, period_s=period, label=label) for label, one in lines.items()]
    answers = fetch.fetch(run.aws.client("cloudwatch"), params, asked, now)
    attached(run.journal, answers)
    gates = {gate.id: gate for gate in params.policy.gates}
    periods = grid(window.start, now, params, period)
    shown = [
        drawn(panel, answers, gates, {}, periods) | {"unit": panel.unit.replace("15 min", f"{period // 60} min")}
        for panel in PANELS
    ]
    return timelines(shown, marks=[(parse(clock.set_at), "async off")] if clock and clock.set_at else [])
