"""Several workers: each is a function with a queue and a dead-letter queue of its own; everything that is asked about
one is asked about all.

`workers` of service.yaml is a number, or a list with one entry for each worker. A list becomes names when it is read:
the first worker is `worker`, `queue` and `dlq`, the second `worker_2`, `queue_2` and `dlq_2`. Declarations about
the first one (a metric, an alarm, a line of the dashboard, a resource of the inventory) also apply to the
others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from runbook_lib.base.nearest import hint
from runbook_lib.params.alarms import Alarm
from runbook_lib.params.metrics import Metric
from runbook_lib.params.posts import KEYS, MOST, OF_A_WORKER, Post, posts

if TYPE_CHECKING:
    from runbook_lib.params.policy import Policy


def told(values: Any) -> Any:
    """Values of service.yaml with a list of workers turned into names and numbers; other values are unchanged.

    Raises:
        PydanticCustomError: an entry of the list is no worker.
    """
    listed = values.get("workers") if isinstance(values, Mapping) else None
    if not isinstance(listed, list | tuple):
        return values
    names = dict(values.get("names") or {}) if isinstance(values.get("names"), Mapping) else {}
    if not 1 <= len(listed) <= MOST:
        raise _wrong(f"workers has {len(listed)} entries, expects 1 to {MOST}")
    counts: list[int] = []
    for post, entry in zip(posts(1, (1,) * (len(listed) - 1)), listed, strict=True):
        place = f"workers[{post.place - 1}]"
        if not isinstance(entry, Mapping):
            raise _wrong(f"{place} is {entry!r}, expects {{function, queue, dlq, concurrency}}")
        for key in entry:
            if key not in (*KEYS, "concurrency"):
                raise _wrong(f"{place}.{key} is not known; {hint(str(key), (*KEYS, 'concurrency')) or 'remove it'}")
        for key, of_first in KEYS.items():
            if not isinstance(entry.get(key), str | dict):
                raise _wrong(f"{place}.{key} is missing, expects the name of a resource")
            name = post.key(of_first)
            if name in names and names[name] != entry[key]:
                raise _wrong(f"names.{name} and {place}.{key} name two resources; say it once, in workers")
            names[name] = entry[key]
        count = entry.get("concurrency")
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise _wrong(f"{place}.concurrency is {count!r}, expects a whole number above 0: jobs at the same time")
        counts.append(count)
    return {**values, "names": names, "workers": counts[0], "more_workers": tuple(counts[1:])}


def _wrong(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("workers", "{said}", {"said": sentence})


def metrics(crew: Collection[Post], known: Mapping[str, Metric]) -> dict[str, Metric]:
    """The metrics of the workers after the first, by id: the first one's with other dimensions."""
    return {
        post.id(id): metric.model_copy(
            update={
                "title": f"{metric.title} ({post.place})",
                "namespace": post.text(metric.namespace),
                "dimensions": _texts(post, metric.dimensions),
                "http_dimensions": metric.http_dimensions and _texts(post, metric.http_dimensions),
            }
        )
        for post in crew
        if post.suffix
        for id, metric in known.items()
        if of_a_worker(metric)
    }


def of_a_worker(metric: Metric) -> bool:
    """Whether a metric is about one worker."""
    texts = (metric.namespace, *metric.dimensions.values(), *(metric.http_dimensions or {}).values())
    return any(OF_A_WORKER.search(text) for text in texts)


def _texts(post: Post, texts: Mapping[str, str]) -> dict[str, str]:
    return {key: post.text(text) for key, text in texts.items()}


def with_alarms(policy: Policy, crew: Collection[Post], known: Mapping[str, Metric]) -> Policy:
    """The policy with an alarm on each further worker for each alarm on the first.

    AppConfig watches five alarms at most, which the first worker's guards use up: a further worker's alarm calls
    people, 04 makes it, and its failures count in the gates like all others.
    """
    there = {alarm.id for alarm in policy.alarms}
    more = [
        made
        for post in crew
        if post.suffix
        for alarm in policy.alarms
        if (made := _alarm(alarm, post, known)) is not None and made.id not in there
    ]
    return policy.model_copy(update={"alarms": (*policy.alarms, *more)}) if more else policy


def _alarm(alarm: Alarm, post: Post, known: Mapping[str, Metric]) -> Alarm | None:
    """The alarm for another worker; None if it is about no worker."""

    def other(id: str) -> str:
        return post.id(id) if id in known and of_a_worker(known[id]) else id

    changed: dict[str, Any] = {
        "metric": alarm.metric and other(alarm.metric),
        "metrics": {name: other(id) for name, id in alarm.metrics.items()},
    }
    if changed == {"metric": alarm.metric, "metrics": alarm.metrics}:
        return None
    changed |= {"id": post.id(alarm.id), "name": numbered(alarm.name, post.place)}
    changed |= {"owner": "runbook", "guard": False, "phases": {}, "why": f"Worker {post.place}. {alarm.why}"}
    return alarm.model_copy(update=changed)


def numbered(name: str, place: int) -> str:
    """A name with a number before its last word, so that it follows the same rule.

    >>> numbered("orders-dlq-alarm-{env}", 2), numbered("{env}-orders-alarm", 2)
    ('orders-dlq-2-alarm-{env}', '{env}-orders-2-alarm')
    """
    stem, tail = (name[: -len("-{env}")], "-{env}") if name.endswith("-{env}") else (name, "")
    head, dash, last = stem.rpartition("-")
    return f"{head}{dash}{place}-{last}{tail}"
