"""SQS's metrics for the real dead-letter queues of the sandbox; runs inside the emulator's process.

The emulator publishes no queue metrics (docs/emulator.md), and the simulated world publishes those of the simulated
queue. A message that is really sent to a DLQ, as in the smoke test, must still reach its alarm. A queue that is empty
and was empty is left alone: its figures are the world's.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

EVERY_S = 0.2
NAMESPACE, METRIC = "AWS/SQS", "ApproximateNumberOfMessagesVisible"


def depths(queues: Iterable[tuple[str, Mapping[str, Any]]], now: float) -> dict[str, int]:
    """Number of messages that can be received now, in each queue that a redrive policy names."""
    known = list(queues)
    policies = [str(queue.get("attributes", {}).get("RedrivePolicy") or "{}") for _, queue in known]
    dead = {str(json.loads(one).get("deadLetterTargetArn", "")).rsplit(":", 1)[-1] for one in policies}
    return {
        name: sum(message["visible_at"] <= now for message in queue["messages"])
        for name, queue in known
        if name in dead
    }


def told(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """The depths to publish: of queues with messages, and of those that have just been emptied."""
    return {name: depth for name, depth in now.items() if depth or before.get(name, 0)}


def install(clock: Callable[[], float]) -> None:
    """Starts the thread that publishes."""
    from ministack.services import cloudwatch, sqs

    def publish() -> None:
        before: dict[str, int] = {}
        while True:
            time.sleep(EVERY_S)
            queues = ((url.rsplit("/", 1)[-1], queue) for (*_, url), queue in list(sqs._queues.all_items()))
            found = depths(queues, clock())
            new = told(before, found)
            before = found
            for name, depth in new.items():
                cloudwatch._store_datum(
                    NAMESPACE, METRIC, {"QueueName": name}, clock(), "Count", float(depth), None, None, None
                )
            if new:
                cloudwatch._evaluate_all_alarms()

    threading.Thread(target=publish, daemon=True, name="queue-gauge").start()
