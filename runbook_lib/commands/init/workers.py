"""The workers of a stack: its functions that take messages from a queue, as Lambda and SQS tell. Changes nothing.

No word in a name says which function takes messages from which queue. An event source mapping does, and the queue's
redrive policy names its dead-letter queue, wherever that stands.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.commands.init.answers import Answers, templated
from runbook_lib.observe.asking import pages, redrive
from runbook_lib.params.crew import told
from runbook_lib.params.posts import KEYS, MOST, Post


@dataclass(frozen=True)
class Fed:
    """A function and the queue that it takes messages from."""

    function: str
    queue: str
    dlq: str = ""
    """Queue that the redrive policy names; empty: it names none."""
    concurrency: int | None = None
    """Number of its executions at the same time, where AWS limits it."""

    @property
    def names(self) -> dict[str, str]:
        """The worker's names by the keys of an entry of `workers`."""
        return {key: getattr(self, key) for key in KEYS}


def ask(aws: Aws, functions: Collection[str]) -> list[Fed]:
    """Each of the functions that takes messages from a queue, once for every queue.

    Raises:
        AwsError: Lambda or SQS refused or did not answer.
    """
    found = list[Fed]()
    for function in functions:
        with aws_errors(f"reading the event sources of {function} (lambda:ListEventSourceMappings)"):
            mapped = pages(
                aws.client("lambda"), "list_event_source_mappings", "EventSourceMappings", FunctionName=function
            )
        for one in mapped:
            if ":sqs:" in one.get("EventSourceArn", ""):
                queue = one["EventSourceArn"].rpartition(":")[2]
                found.append(Fed(function, queue, _dlq(aws, queue), _concurrency(aws, function, one)))
    return found


def _dlq(aws: Aws, queue: str) -> str:
    client = aws.client("sqs")
    with aws_errors(f"reading the redrive policy of {queue} (sqs:GetQueueAttributes)"):
        url = client.get_queue_url(QueueName=queue)["QueueUrl"]
        told = client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    return str(redrive(told.get("Attributes", {})).get("deadLetterTargetArn", "")).rpartition(":")[2]


def _concurrency(aws: Aws, function: str, mapping: Mapping[str, Any]) -> int | None:
    with aws_errors(f"reading the concurrency of {function} (lambda:GetFunctionConcurrency)"):
        answer = aws.client("lambda").get_function_concurrency(FunctionName=function)
    limits = (answer.get("ReservedConcurrentExecutions"), mapping.get("ScalingConfig", {}).get("MaximumConcurrency"))
    # A worker that somebody has stopped is not one of 0 jobs at a time.
    return min((int(one) for one in limits if one), default=None)


def sorted_out(found: Sequence[Fed]) -> tuple[list[Fed], list[str]]:
    """The workers, and a sentence about each other function that takes messages from a queue. Pure."""
    dead, workers, sentences = dict[str, str](), list[Fed](), list[str]()
    for one in found:
        dead.setdefault(one.dlq, one.queue)
    for one in found:
        takes = f"{one.function} takes messages from {one.queue}"
        if one.queue in dead:
            sentences.append(f"{takes}, the dead-letter queue of {dead[one.queue]}: it is not a worker")
        elif any(other.function == one.function for other in workers):
            sentences.append(f"{takes}, too: a worker has one queue, and this one is left out")
        elif len(workers) == MOST:
            sentences.append(f"{takes}: {MOST} workers at most are looked at, and this one is left out")
        else:
            workers.append(one)
    if len(workers) > 1:
        sentences += [
            f"{one.function} takes messages from {one.queue}, which has no dead-letter queue: give it one (a redrive "
            "policy), then add the worker to `workers` in params/service.yaml"
            for one in workers
            if not one.dlq
        ]
        workers = [one for one in workers if one.dlq] or workers[:1]
    return workers, sentences


def submitted(aws: Aws, function: str) -> str:
    """The submit function's environment, as one text: the queue that it names is the first worker's.

    Raises:
        AwsError: Lambda refused or did not answer.
    """
    with aws_errors(f"reading the environment of {function} (lambda:GetFunctionConfiguration)"):
        told = aws.client("lambda").get_function_configuration(FunctionName=function)
    return "\n".join(told.get("Environment", {}).get("Variables", {}).values())


def in_order(workers: Sequence[Fed], submits_to: str, says_worker: Collection[str] = ()) -> list[Fed]:
    """The workers with the first one first: the submit function names its queue, or its own name says `worker`. Pure.

    Args:
        submits_to: a text with the name or the address of the queue that the submit function sends to.
        says_worker: functions whose name has a word for a worker in it.
    """
    words = set(re.split(r"[^A-Za-z0-9_.-]+", submits_to))
    return sorted(workers, key=lambda one: (one.queue not in words, one.function not in says_worker))


def add(answers: Answers, workers: Sequence[Fed], env: str) -> bool:
    """Adds the workers; returns False, and adds nothing, where a person has named others."""
    places = [(Post(place, 1), one) for place, one in enumerate(workers, 1)]
    found = {
        post.key(KEYS[key]): templated(name, env) for post, one in places for key, name in one.names.items() if name
    }
    said = {key: answers.names[key].value for post, _ in places for key in post.keys if key in answers.names}
    if any(found.get(key) != name for key, name in said.items()):
        return False
    for key, name in found.items():
        answers.add("names", key, name)
    for post, one in places:
        if one.concurrency:
            answers.add("concurrency", post.worker, str(one.concurrency))
    return True


def of_folder(service: Mapping[str, Any], text: str, answers: Answers) -> None:
    """Adds the workers that a folder's service.yaml has, each value with the source that its line tells."""
    try:
        read = told(service)
    except PydanticCustomError:
        return  # the difference is shown
    remarks = _remarks(text)
    for place, count in enumerate([read.get("workers"), *read.get("more_workers", ())]):
        post = Post(place + 1, 1)
        if isinstance(count, int):
            answers.add("concurrency", post.worker, str(count), remarks.get((place, "concurrency"), "said"))
        for key, of_first in KEYS.items() if read is not service else ():
            name = read["names"][post.key(of_first)]
            if isinstance(name, str):
                answers.add("names", post.key(of_first), name, remarks.get((place, key), "said"))


def _remarks(text: str) -> dict[tuple[int, str], str]:
    """The remark on each value of `workers`, by the worker's place and the key."""
    found, place = dict[tuple[int, str], str](), -1
    if alone := re.search(r"(?m)^workers: \d+\s+# (guessed|found)\b", text):
        found[0, "concurrency"] = alone[1]
    block = re.search(r"(?m)^workers:.*\n((?:[ #-].*\n|\n)*)", text)
    for line in (block[1] if block else "").splitlines():
        place += bool(re.match(r"\s*- ", line))
        if seen := re.match(r"\s*(?:- )?(\w+):.*?\s#\s*(guessed|found)\b", line):
            found[place, seen[1]] = seen[2]
    return found
