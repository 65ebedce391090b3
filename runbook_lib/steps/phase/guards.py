"""The guards of a phase: shown in its plan, put in force before its shift, and checked (`guards.of_phase`)."""

from __future__ import annotations

from typing import Any

from runbook_lib.act import alarms
from runbook_lib.base import foreign
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.run.run import Run
from runbook_lib.show.page import line
from runbook_lib.show.tables import Cell, stack, table

OF_PHASE = "guards.of_phase"


def planned(run: Run) -> alarms.Counts:
    """Compares the guards' counts for the run's phase with those in force, and notes it as `guards.of_phase`.

    Raises:
        AwsError: CloudWatch or CloudFormation refused or did not answer.
    """
    found = alarms.counts(run.aws, run.params, run.notebook)
    run.check(_check(found))
    return found


def shown(found: alarms.Counts) -> Any:
    """The plan's line about the guards; where the shift may not write them, also what the stack's template must say."""
    if not found.refusal:
        return line(found.sentence)
    rows: list[list[object]] = [
        [name, Cell(text, f'<pre style="white-space:pre-wrap">{foreign.html(text)}</pre>')]
        for name, text in found.templates.items()
    ]
    return stack(line(found.refusal), table(("Guard", "As its template must have it"), rows))


def put_in_force(run: Run) -> alarms.Counts:
    """Gives the guards the counts of the run's phase and notes what was read back.

    Raises:
        Refused: see `act.alarms.put_in_force`; the weight must not be moved then.
        AwsError: CloudWatch or CloudFormation refused or did not answer.
    """
    found = alarms.put_in_force(run.aws, run.guard, run.params, run.notebook)
    run.check(_check(found))
    return found


def _check(found: alarms.Counts) -> Check:
    reason = found.refusal or found.sentence
    return check(
        OF_PHASE,
        "The guards are those of this phase",
        found.ok,
        reason,
        expected=f"the counts of {found.phase}",
        mends=not found.ok and not found.refusal,
        counts=found.wanted,
        in_force=found.before,
        templates=found.templates,
    )
