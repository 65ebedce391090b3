"""The levels of the queues, from the changes that their messages make."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runbook_lib.rehearse.world.rows import ID, Floats, Rows

GAUGE_S = 60.0
IDLE_GAUGE_S = 300.0
EMPTY_RECEIVES_PER_S = 5 / 20.0
"""Empty receives per second of five pollers with long polls of 20 s: they go on without any traffic, and cost."""


@dataclass
class Gauges:
    """The queues' levels at the end of the last step."""

    dlq_touched: float
    """Epoch seconds; SQS stops publishing for a queue that nothing touched for `idle_s`."""
    idle_s: float
    visible: float = 0.0
    in_flight: float = 0.0
    dead: float = 0.0

    def show(self, done: Rows, start: float, until: float, ages: NDArray[np.float64]) -> Rows:
        """`done` with the changes in [start, until) replaced by SQS's metrics: levels on the full minute.

        `ages` (n, 2) has the times at which each message was sent and gone, of all that may be in the queue.
        AWS shows them every minute. Here an empty queue is shown every five minutes and one with messages waiting
        every minute: the same curve for a fifth of the points.
        """
        grid = np.arange(math.ceil(start / GAUGE_S) * GAUGE_S, until, GAUGE_S)
        levels, touched = {}, np.full(len(grid), self.dlq_touched)
        for name in ("visible", "in_flight", "dlq"):
            mine = done.signal == ID[f"d_{name}"]
            emit, value = done.emit[mine], done.value[mine]
            order = emit.argsort(kind="stable")
            moves = np.concatenate([[0.0], value[order].cumsum()])
            attribute = "dead" if name == "dlq" else name
            base: float = getattr(self, attribute)
            upto = emit[order].searchsorted(grid, side="right")
            levels[name] = base + moves[upto]
            setattr(self, attribute, base + float(moves[-1]))
            if name == "dlq" and len(emit):
                touched = np.concatenate([[self.dlq_touched], emit[order]])[upto]
                self.dlq_touched = float(emit.max())
        full = grid % IDLE_GAUGE_S == 0
        show = full | (levels["visible"] > 0)
        oldest = _oldest(ages, grid)
        lively = (levels["dlq"] > 0) | (grid - touched < self.idle_s)
        dlq = full & lively
        waiting = {"visible": levels["visible"][show], "in_flight": levels["in_flight"][show], "age": oldest[show]}
        polled = {"empty": IDLE_GAUGE_S * EMPTY_RECEIVES_PER_S, "sent": 0.0, "received": 0.0, "deleted": 0.0}
        dead = levels["dlq"]
        age = np.where(dead > 0, np.maximum(grid - touched, 0.0), 0.0)
        left = {"visible": dead[dlq], "in_flight": 0.0, "age": age[dlq]}
        shown = [
            Rows.beside({f"queue_{what}": value for what, value in waiting.items()}, grid[show]),
            Rows.beside({f"queue_{what}": value for what, value in polled.items()}, grid[full]),
            Rows.beside({f"dlq_{what}": value for what, value in left.items()}, grid[dlq]),
        ]
        return Rows.concatenate([done.public(), *shown])


def _oldest(ages: NDArray[np.float64], grid: Floats) -> Floats:
    """Age at each moment of `grid` of the oldest message not deleted; `ages` is (n, 2): sent, gone."""
    if not len(ages) or not len(grid):
        return np.zeros(len(grid))
    by_end = ages[np.argsort(ages[:, 1])]
    earliest = np.concatenate([np.minimum.accumulate(by_end[::-1, 0])[::-1], [np.inf]])
    sent = earliest[np.searchsorted(by_end[:, 1], grid, side="right")]
    return np.asarray(np.floor(np.maximum(grid - sent, 0.0)))
