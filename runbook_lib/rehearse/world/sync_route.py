"""The synchronous route: the gateway waits for the Lambda, which generates while the client waits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.world.arrivals import Arrivals, Floats
from runbook_lib.rehearse.world.gateway import second, take, turned_away
from runbook_lib.rehearse.world.inside import Inside
from runbook_lib.rehearse.world.rows import invocations, responses
from runbook_lib.rehearse.world.step import CALLERS_OWN

GATEWAY_TIMEOUT_S = 29.0
SYNC_TIMEOUT_S = 60.0


def answered(inside: Inside, who: Arrivals) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Answers of the route: the gateway gives up after 29 s; the Lambda goes on, and its time and tokens are paid."""
    n = len(who)
    ok, status = np.zeros(n, dtype=bool), np.full(n, 200)
    if not n:
        return ok, status
    u = second(who, 0)
    refused = inside.knob("sync_4xx_gateway", who.at)
    mistaken = refused + inside.knob("caller_4xx", who.at)
    status[u < mistaken], status[u < refused] = CALLERS_OWN, 429
    away = turned_away(inside, who, "sync", status)
    mistakes = status == CALLERS_OWN
    if mistakes.any():
        took = np.full(int(mistakes.sum()), 0.05)
        none = np.zeros(len(took), dtype=bool)
        at = who.at[mistakes]
        inside.out += responses("sync", at + took, took, none, ~none)
        inside.out += invocations("sync", at, took, none, np.ones(len(took)))
    kept = ~away & ~mistakes
    ok[kept] = _generated(inside, take(who, kept))
    status[kept & ~ok] = 504
    return ok, status


def _generated(inside: Inside, who: Arrivals) -> NDArray[np.bool_]:
    """Runs the synchronous Lambda; returns which requests were answered in time."""
    if not len(who):
        return np.zeros(0, dtype=bool)
    wanted = inside.llm_s(who) * inside.knob("llm_time", who.at) + 0.3
    took = np.minimum(wanted, SYNC_TIMEOUT_S)
    ok = took < GATEWAY_TIMEOUT_S
    waited = np.where(ok, took, GATEWAY_TIMEOUT_S + 0.02 * who.u_poll)
    ends = who.at + took
    inside.out += responses("sync", who.at + waited, waited, ~ok)
    inside.out += invocations("sync", who.at, took, wanted > SYNC_TIMEOUT_S, _concurrency(inside, who.at, ends))
    made = wanted <= SYNC_TIMEOUT_S
    tokens = inside.tokens(who)
    cost = tokens[0] * inside.settings.usd_per_input_token + tokens[1] * inside.settings.usd_per_output_token
    inside.emit("d_paid_sync_input", ends, tokens[0])
    inside.emit("d_paid_sync_output", ends, tokens[1])
    inside.emit("vpr_generated", ends[made], 1.0)
    inside.emit("generation_ms", ends[made], np.round(took[made] * 1000))
    inside.emit("vpr_cost_usd", ends[made], np.round(cost[made], 4))
    return ok


def _concurrency(inside: Inside, starts: Floats, ends: Floats) -> Floats:
    """Number of calls under way at each start, including the new one."""
    state = inside.state
    carried, mine = np.sort(state.sync_ends), np.sort(ends)
    before = len(carried) - np.searchsorted(carried, starts, side="right")
    among = np.arange(1, len(starts) + 1) - np.searchsorted(mine, starts, side="right")
    both = np.concatenate([carried, mine])
    state.sync_ends = both[both > starts[-1]]
    return np.asarray(before + among, dtype=float)
