"""The harm forecast compared with the world: the users that it names before the shift, and those really harmed.

A play is one soak of a world drawn at random, with one failure of a known share that begins with the shift or half a
soak later. The forecast (`steps/harm.py`) knows the traffic, and of the failure only its share and hour; the world
tells how many users got no report, until AppConfig or a look stopped it.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from runbook_lib.base.window import parse
from runbook_lib.judge.gates.statistics import clopper_pearson
from runbook_lib.judge.planning.harm import SHARES, Harm, Pair, forecast
from runbook_lib.judge.planning.harm_terms import late
from runbook_lib.judge.terms import Decision
from runbook_lib.params.load import Params
from runbook_lib.rehearse.quick.local_world import START
from runbook_lib.rehearse.quick.player import HISTORY, Soak
from runbook_lib.steps.alarm_odds import Submissions
from runbook_lib.steps.harm import traffic_of, watch_of
from tests.benchmarks.draw import Drawn, Play
from tests.benchmarks.fuzz import NOTEBOOKS, designed, opened

FIGURES: dict[str, Callable[[Harm], Pair]] = {
    "caught": lambda row: row.users,
    "gateway_5xx": lambda row: row.users,
    "refused_429": lambda row: row.by_looks,
    "accepted_lost": lambda row: row.unseen,
}
"""Kind of failure to the figure for it: a guard counts it; only looks find it; an accepted request without a job
differs from a callers' repeat only for a declared look."""
WATCHES_MIN = (15.0, 30.0, 60.0)
WHERE = ("06", "07", "08")
LEAST_TRAFFIC, MOST_TRAFFIC = 600.0, 5_000.0
"""Requests per day of both routes: as many as the five workers serve in the busiest hour."""
DAY = (
    *(0.25, 0.2, 0.2, 0.2, 0.25, 0.4, 0.7, 1.0, 1.4, 1.6, 1.7, 1.7),
    *(1.6, 1.7, 1.7, 1.6, 1.5, 1.4, 1.2, 1.1, 0.9, 0.7, 0.5, 0.4),
)
SETTLES = dt.timedelta(minutes=15)
"""Time that the world goes on after the end, until everybody's result is known."""


@dataclass(frozen=True)
class Held:
    """One play: the forecast, and the truth."""

    seed: int
    where: str
    kind: str
    share: float
    late: bool
    requests_per_day: float
    watch_min: float
    said: float | None
    """Most users harmed, by the forecast; None: it said that the soak might not stop the failure."""
    true: float
    """Users harmed; infinite: the phase was promoted."""
    by: str

    @property
    def within(self) -> bool:
        """Whether the truth is within the forecast."""
        return self.said is None or self.true <= self.said


def drawn(seed: int, limit: float, per_day: float | None = None) -> Play:
    """The play for a seed: shares beyond `limit`; with `per_day` requests a day, or drawn ones."""
    rng = np.random.default_rng([20261128, seed])
    size = float(rng.choice([one for one in SHARES if one > limit]))
    fault = Drawn(
        kind=str(rng.choice(list(FIGURES))),
        size=size,
        start=float(rng.choice([0.0, 1.0])),  # 1 means late; `run` knows the hour
        length=None,
        shape="step",
    )
    where = WHERE[int(rng.integers(len(WHERE)))]
    traffic = math.exp(rng.uniform(math.log(LEAST_TRAFFIC), math.log(MOST_TRAFFIC)))
    return Play(
        seed=seed,
        where=where,
        requests_per_day=traffic if per_day is None else per_day,
        quick=0.04,
        caller=0.0,
        access_log=True,
        late_h=0.0,
        watch_min=float(rng.choice(WATCHES_MIN)),
        profile=DAY,
        bursts=(),
        faults=(fault,),
    )


def run(seed: int, params: Params, per_day: float | None = None) -> Held:
    """Plays it, and compares it with the forecast; with `per_day` requests a day, or drawn ones."""
    policy = params.policy
    play = drawn(seed, watch_of(params, *next(iter(policy.phases.items()))).limit, per_day)
    notebook = NOTEBOOKS[play.where]
    harm = policy.harm.model_copy(update={"watch_min": play.watch_min})
    params = params.model_copy(update={"policy": policy.model_copy(update={"harm": harm})})
    params = designed(params, play)
    phase = params.policy.phases[notebook]
    watch = watch_of(params, notebook, phase)
    fault = play.faults[0]
    begin_h = late(watch) if fault.start else 0.0
    play = play.model_copy(update={"faults": (fault.model_copy(update={"start": begin_h}),)})
    shift = START + HISTORY
    scenario = play.scenario()
    seen = Submissions(tuple(scenario.per_hour(hour) / 3600 for hour in range(24)), 0.96, known=True)
    traffic = traffic_of(params, phase.percent, seen, float(shift.hour))
    row = forecast(traffic, watch, shares=(fault.size,), begins=(begin_h,), confidence=harm.confidence)[0]
    said = FIGURES[fault.kind](row)
    true, by = _harmed(play, params, notebook, shift + dt.timedelta(hours=begin_h))
    return Held(
        seed=seed,
        where=play.where,
        kind=fault.kind,
        share=fault.size,
        late=begin_h > 0,
        requests_per_day=play.requests_per_day,
        watch_min=play.watch_min,
        said=said.most,
        true=true,
        by=by,
    )


def _harmed(play: Play, params: Params, notebook: str, begins: dt.datetime) -> tuple[float, str]:
    """Users without a report from `begins` until the failure is stopped and the last client has left; and the cause."""
    player = opened(params, play)
    world = player.world
    world.live(START + HISTORY)
    outcome, by = Soak(player, notebook).walk()
    if outcome.decision is Decision.PROMOTE:
        return math.inf, "nobody"
    stopped = world.now
    if by == "AppConfig" and (taken := world.flags.deployments[-1].taken_back_at):
        stopped = parse(taken)
    end = stopped + dt.timedelta(seconds=params.service.traffic.client_poll_s)
    world.live(max(world.now, end + SETTLES))
    submitted, served = world.truth.users(begins.timestamp(), end.timestamp())
    return float(submitted - served), by


HEAD = """# What was said against what was true

Made by `make bench-harm PLAYS={plays} SEED={seed}`; do not edit. Each play is one soak of one phase in a world drawn
at random: {least:,.0f} to {most:,.0f} requests a day under the day's curve; a failure of a share drawn from
{shares}, from the shift on or from half a soak later, in one of these ways: {kinds};
somebody looks every {watches} min; the guards' counts are those that 04 proposes for the traffic.

Before the shift the harm forecast (docs/verdicts.md, "Harm") says how many users the failure harms at most, at
{confidence:.0%}. Then the soak is played, and the world tells how many got no report until AppConfig or a look stopped
it and the last client had left. Refusals (429) no guard counts: they are held against the figure for those who look.
Requests that were accepted and became no job cannot be told from callers' repeats by a look in between: they are held
against the figure for the declared looks.

The forecast holds if the truth is within what was said in at least {confidence:.0%} of the plays.
"""


def page(found: Sequence[Held], seed: int, confidence: float) -> str:
    """`docs/harm.md` as Markdown."""
    within = sum(one.within for one in found)
    rows = [("all", found)]
    for title, key in (("phase", "where"), ("failure", "kind"), ("share", "share"), ("late", "late")):
        for value in sorted({getattr(one, key) for one in found}):
            name = f"{value:.0%}" if key == "share" else "yes" if value is True else "no" if value is False else value
            rows.append((f"{title}: {name}", [one for one in found if getattr(one, key) == value]))
    lines = [
        HEAD.format(
            plays=len(found),
            seed=seed,
            least=LEAST_TRAFFIC,
            most=MOST_TRAFFIC,
            shares=", ".join(f"{one:.0%}" for one in sorted({one.share for one in found})),
            kinds=", ".join(FIGURES),
            watches=", ".join(f"{one:g}" for one in WATCHES_MIN),
            confidence=confidence,
        ),
        f"**{within:,} of {len(found):,} plays within what was said: {_share(found)}.**",
        "",
        "| plays | of | within | share, 95 % interval | said, median | true, median | of what was said, median |",
        "|---|---|---|---|---|---|---|",
        *(_row(name, mine) for name, mine in rows),
        "",
        "Plays of which the forecast said that the soak might not stop the failure count as within: "
        f"{sum(one.said is None for one in found)}.",
        "",
    ]
    beyond = [one for one in found if not one.within]
    if beyond:
        lines += [
            "| beyond: seed | phase | failure | share | late | said | true | stopped by |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {one.seed} | {one.where} | {one.kind} | {one.share:.0%} | {'yes' if one.late else 'no'} "
            f"| {one.said:,.0f} | {one.true:,.0f} | {one.by} |"
            for one in beyond[:40]
        ]
        lines.append("")
    return "\n".join(lines)


def _share(found: Sequence[Held]) -> str:
    within = sum(one.within for one in found)
    low, high = clopper_pearson(within, len(found), 0.95)
    return f"{within / len(found):.1%} ({low:.1%}-{high:.1%})"


def _row(name: str, found: Sequence[Held]) -> str:
    known = [(one.said, one.true) for one in found if one.said is not None]
    said, true, part = (
        float(np.median(each)) if len(each) else math.nan
        for each in ([a for a, _ in known], [b for _, b in known], [b / max(1.0, a) for a, b in known])
    )
    within = sum(one.within for one in found)
    return f"| {name} | {len(found):,} | {within:,} | {_share(found)} | {said:,.0f} | {true:,.0f} | {part:.0%} |"
