"""One scenario many times, each in one process: the output of `runbook rehearse --quick`."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children
from typing import Any

from runbook_lib.observe.api_address import unasked
from runbook_lib.params.load import Params
from runbook_lib.rehearse.play.played import Ended
from runbook_lib.rehearse.quick.player import InProcess
from runbook_lib.rehearse.world.scenario import Scenario

SELDOM = 100_000, 20, 100
"""Thresholds of the collector in a process that plays: it finds no garbage in a world, and took a tenth of the time."""


@dataclass(frozen=True)
class QuickPlay:
    """One play: its end, and the truth about the users."""

    ended: Ended
    submitted: int
    """Number of users on async from the first shift to the decision."""
    succeeded: int
    success_while_judged: float | None
    """Share of served users in the hours that the last look judged; None: there were none."""
    success_since: float | None
    """Share of served users since then, as far as it had settled."""
    wrong: tuple[str, ...]
    """The differences from the expected end."""

    def as_dict(self) -> dict[str, Any]:
        """The play as JSON, for `--json`."""
        one = self.ended
        minutes = None if one.detect_s is None else round(one.detect_s / 60, 1)
        truth = {
            "submitted": self.submitted,
            "succeeded": self.succeeded,
            "success_while_judged": self.success_while_judged,
            "success_since": self.success_since,
        }
        return {
            "seed": one.seed,
            "decision": one.decision,
            "rollback": one.rollback,
            "phase": one.phase,
            "caught_by": one.by,
            "minutes_to_detect": minutes,
            "truth": truth,
        }


def play(seed: int, *, params: Params, scenario: Scenario, start_phase: str = "") -> QuickPlay:
    """Plays `scenario` once, from `start_phase` (06, 07, 08) on; empty: from the phase of its first fault."""
    player = InProcess(params, scenario, seed, start_phase)
    ended, truth = player.play(), player.world.truth
    now = player.decided_at.timestamp() - params.service.job_deadline_s
    shifts = player.world.flags.deployments
    submitted, succeeded = truth.users(_epoch(shifts[0].started_at or ""), now) if shifts else (0, 0)
    judged = player.judged
    wrong = tuple(ended.wrong(scenario)) if scenario.expected is not None else ()
    return QuickPlay(
        ended,
        submitted,
        succeeded,
        _share(*truth.users(judged.start.timestamp(), min(now, judged.end.timestamp()))),
        _share(*truth.users(judged.end.timestamp(), now)) if now > judged.end.timestamp() else None,
        wrong,
    )


def plays(params: Params, scenario: Scenario, seeds: range, start_phase: str = "") -> Iterator[QuickPlay]:
    """One play for each seed, in parallel on all cores, in the order of the seeds.

    Raises:
        UsageError: a fault waits for a step that the policy does not have.
    """
    scenario.fits(params.policy.phases)
    work = partial(play, params=unasked(params), scenario=scenario, start_phase=start_phase)
    if len(seeds) == 1:
        yield work(seeds[0])
        return
    pool = ProcessPoolExecutor(min(len(seeds), os.cpu_count() or 1), initializer=_begin, initargs=(work,))
    try:
        yield from pool.map(_next, seeds)
    except BaseException:  # Ctrl-C, for example: a play under way takes a minute on a busy machine
        for process in active_children():
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


_given = list[Callable[[int], QuickPlay]]()
"""What a process of a pool plays. Sent with each seed it fills the pipe to them, and whoever writes into a full
one waits for ever once they are killed."""


def _begin(work: Callable[[int], QuickPlay]) -> None:
    gc.set_threshold(*SELDOM)
    _given[:] = [work]


def _next(seed: int) -> QuickPlay:
    return _given[0](seed)


def rows(scenario: Scenario, found: list[QuickPlay]) -> list[dict[str, str]]:
    """The plays as rows of a table."""
    return [
        {
            "seed": str(one.ended.seed),
            "decision": f"{one.ended.decision} {one.ended.rollback}" if one.ended.rollback else one.ended.decision,
            "phase": one.ended.phase,
            "by": one.ended.by,
            "minutes": "" if one.ended.detect_s is None else f"{one.ended.detect_s / 60:.0f}",
            "served": f"{one.succeeded:,}/{one.submitted:,}",
            "expected": "no" if one.wrong else "yes" if scenario.expected else "–",
        }
        for one in found
    ]


def remarks(found: list[QuickPlay]) -> list[str]:
    """The differences from the expected ends, one sentence per play."""
    return [f"seed {one.ended.seed}: {'; '.join(one.wrong)}. {one.ended.reason}" for one in found if one.wrong]


def _epoch(text: str) -> float:
    from runbook_lib.base.window import parse

    return parse(text).timestamp()


def _share(submitted: int, succeeded: int) -> float | None:
    return succeeded / submitted if submitted else None
