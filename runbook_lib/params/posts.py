"""Several workers: each is a function with a queue and a dead-letter queue of its own, by its keys in `names`.

The first worker is `worker`, `queue` and `dlq`, the second `worker_2`, `queue_2` and `dlq_2`. Light: the kill switch
reads the list of `service.yaml` too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

KEYS = {"function": "worker", "queue": "queue", "dlq": "dlq"}
"""Key of an entry of `workers` to the key of `names` that it becomes."""
MOST = 9
"""Most workers of one service."""
OF_A_WORKER = re.compile(r"\{(worker|queue|dlq)\}")


@dataclass(frozen=True)
class Post:
    """One worker's place: its keys in `names`."""

    place: int
    concurrency: int
    """Number of jobs that it works on at the same time."""

    @property
    def suffix(self) -> str:
        """Ending of each key; empty for the first worker."""
        return f"_{self.place}" if self.place > 1 else ""

    @property
    def worker(self) -> str:
        """Key of its function in `names`."""
        return f"worker{self.suffix}"

    @property
    def queue(self) -> str:
        """Key of its queue in `names`."""
        return f"queue{self.suffix}"

    @property
    def dlq(self) -> str:
        """Key of its dead-letter queue in `names`."""
        return f"dlq{self.suffix}"

    @property
    def keys(self) -> tuple[str, str, str]:
        """The keys of function, queue and dead-letter queue."""
        return self.worker, self.queue, self.dlq

    def key(self, of_first: str) -> str:
        """This worker's key of `names` for the first worker's key `of_first`; other keys are unchanged."""
        return f"{of_first}{self.suffix}" if of_first in KEYS.values() else of_first

    def text(self, template: str) -> str:
        """The template for this worker, made from one for the first."""
        return OF_A_WORKER.sub(lambda found: f"{{{found[1]}{self.suffix}}}", template)

    def id(self, of_first: str) -> str:
        """Id of this worker's metric, alarm or resource, made from the first one's: `worker_2_errors`, `dlq_2`."""
        for part in KEYS.values():
            if of_first.startswith(f"{part}_"):
                return f"{part}{self.suffix}{of_first.removeprefix(part)}"
        return f"{of_first}{self.suffix}"


def posts(workers: int, more: tuple[int, ...]) -> tuple[Post, ...]:
    """Every worker's place, with its concurrency; the first one first."""
    return tuple(Post(place, count) for place, count in enumerate((workers, *more), 1))
