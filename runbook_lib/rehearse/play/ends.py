"""How a scenario should end, and how it did, in words; and the list of scenarios."""

from __future__ import annotations

from collections.abc import Sequence

from runbook_lib.rehearse.play.played import Ended
from runbook_lib.rehearse.world.scenario import Expected, Scenario, played

LEGEND = """Each scenario is a simulated world with something wrong in it (or not), and how its rollout should end:
  PROMOTE      every phase passes
  HOLD         it stops where it is, the weight stays, and people decide
  ROLLBACK N   rollback N answers it: 1 turns async off, 2 gives a backlog more workers, 3 a throttled table capacity
  in 06        found by that notebook: 06, 07 and 08 are 10, 50 and 100 % of the traffic, 10 is the first week after
Where several ends are named, chance has a say and any of them is right. "Guards" are the alarms that AppConfig watches:
when one fires it takes the weight back by itself. "The baseline" is the synchronous endpoint, where users came from.

To see one: runbook rehearse --scenario NAME --start-phase PHASE, with the phase of the second column or an earlier one.
"""


def listing(scenarios: Sequence[Scenario] | None = None) -> list[dict[str, str]]:
    """The scenarios (None: all that are played) as rows of a table: what happens in each, and its expected end."""
    return [
        {
            "name": one.name,
            "first": one.first_phase,
            "ends": expected_words(one.expected),
            "title": one.title,
            "explanation": one.explanation,
        }
        for one in (played() if scenarios is None else scenarios)
        if one.expected is not None
    ]


def expected_words(wanted: Expected) -> str:
    """The expected end in short: `ROLLBACK 1 in 06`."""
    scenarios = f" {'/'.join(map(str, wanted.rollback))}" if wanted.rollback else ""
    decisions = " or ".join(f"{one}{scenarios if one == 'ROLLBACK' else ''}" for one in wanted.decisions)
    return decisions + (f" in {'/'.join(wanted.phases)}" if wanted.phases else "")


def found_words(end: Ended) -> str:
    """The real end in short, in the same form."""
    scenario = f" {end.rollback}" if end.decision == "ROLLBACK" else ""
    return f"{end.decision}{scenario}" + (f" in {end.phase}" if end.phase else "")
