"""Time that passes by itself: the users of a lab live on while somebody works in it."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Callable, Iterator, Sequence

from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.world.world import World, advance_all

STEP_S = 300
"""Virtual seconds: the shortest period of the metrics."""
_LOOK_S = 15.0
_STOP_S = 60.0


@contextlib.contextmanager
def passing(
    aws: EmbeddedAws, worlds: Sequence[World], told: Callable[[str], object], look_s: float = _LOOK_S
) -> Iterator[None]:
    """Inside the block the worlds follow AWS's clock by whole steps: jobs end, alarms are evaluated.

    Args:
        told: called with a sentence if they cannot follow any more.
        look_s: real seconds between two looks at the clock.
    """
    stop = threading.Event()

    def live() -> None:
        try:
            while not stop.wait(look_s):
                follow(aws, worlds)
        except Exception as error:  # on any error the lab goes on, and says that its users are gone
            if not stop.is_set():
                told(f"the lab's users are gone ({type(error).__name__}: {error}); start it again")

    thread = threading.Thread(target=live, name="users", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(_STOP_S)


def follow(aws: EmbeddedAws, worlds: Sequence[World]) -> bool:
    """Follows the clock once; returns whether there was a step that the worlds had not lived yet."""
    due = aws.now().timestamp() // STEP_S * STEP_S
    if not worlds or min(world.service.now for world in worlds) >= due:
        return False
    advance_all(worlds, dt.datetime.fromtimestamp(due, dt.UTC))
    aws.move_to(aws.now() + dt.timedelta(seconds=1))  # a move evaluates alarms and expires items
    return True
