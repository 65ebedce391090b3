"""Failures in the worker's log, grouped by signature, with nothing secret in them."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.foreign import head
from runbook_lib.base.redact import KEEP, MASK, redact_text
from runbook_lib.base.window import Window
from runbook_lib.judge.terms import Frozen
from runbook_lib.params.load import Params

MAX_EVENTS = 10_000
"""At most this many lines are read: an outage can write millions, and the first ten thousand show what it is."""
MAX_LETTERS = 20_000_000
"""At most this many letters are read: a worker that writes a whole job into each line would fill an hour."""
# A question for each: alternatives in one pattern (`?A ?B`) mean "any" to AWS, but "all" to the embedded one.
_PATTERNS = ("ERROR", "Exception", '"Task timed out"')
_FAILURE = re.compile(r"error|exception|failed|task timed out", re.IGNORECASE)
_LENGTH = 300
_HEAD = 2_000
"""Letters of a failure, from its first, that are searched for secrets: the search takes time by the letter."""
_TORN = 200
"""Letters at the end of a cut text that are not shown: half a secret there would not be recognised."""
_SAID = ("message", "errorType", "errorMessage", "exception_name", "error", "reason")

# Log lines are written by others and never needed in full, so more is redacted than elsewhere.
_ADDRESS = re.compile(r"(https?://[^\s\"'<>?]+)(\?[^\s\"'<>]+)?", re.IGNORECASE)
"""An address with its query string, which no failure needs, and which is secret if the URL is presigned. One without is
matched too: nothing of it is read twice."""
_NAMED = re.compile(
    r"((?:password|passwd|secret|api[_-]?key|access[_-]?key(?:[_-]?id)?|session[_-]?token|auth[_-]?token|"
    r"access[_-]?token|authorization|routing[_-]?key|signature|credential)\\?[\"']?\s{0,20}[:=]\s{0,20}\\?[\"']?)"
    r"(?!bearer|basic|\[redacted\]|[(\[{]\\?[\"'])[^\s\"',;&}\\]+",
    re.IGNORECASE,
)
_VARIABLE = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", "<id>"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?", "<time>"),
        (r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b", "<id>"),
        (r"(?<![\w<])\d+(?:\.\d+)?(?=[a-z%]{0,3}\b)", "<n>"),
        (r"\s+", " "),
    )
)


class Signature(Frozen):
    """One kind of failure: what its lines have in common, their number, first and last time, a redacted example."""

    text: str
    count: int
    first: dt.datetime
    last: dt.datetime
    example: str


class Failures(list[Signature]):
    """Kinds of failures, the most frequent first; `cut`: the log has more lines than were read."""

    cut = False


def redact(text: str) -> str:
    """`text` without credentials, tokens and query strings (presigned URLs).

    What all texts are searched for comes first: a mask on one word of a quoted value would hide from it where the value
    ends.
    """
    text = _ADDRESS.sub(lambda found: f"{found[1]}?{MASK}" if found[2] else found[0], redact_text(text))
    return _NAMED.sub(KEEP, text)


def signature(text: str) -> str:
    """The text that all failures of a kind share: redacted, ids, times and numbers masked, cut to 300 characters."""
    return _alike(redact(text))


def _alike(text: str) -> str:
    for pattern, replacement in _VARIABLE:
        text = pattern.sub(replacement, text)
    return text.strip()[:_LENGTH]


def log_group(params: Params, resource: str = "worker") -> str:
    """The log group of a Lambda."""
    return f"/aws/lambda/{params.name(resource)}"


def _quoted(word: str) -> str:
    """A word as a FilterLogEvents pattern: in quotes where it would mean something else without them."""
    return word if word.isalnum() else '"' + word.replace('"', "") + '"'


def failures(logs: Any, params: Params, window: Window, *, resource: str = "worker") -> Failures:
    """The failures in a Lambda's log in `window`, the most frequent first; empty where there is no log group.

    FilterLogEvents takes milliseconds and includes both ends.

    Raises:
        AwsError: CloudWatch Logs refused or did not answer.
    """
    if window.empty:
        return Failures()
    request = {
        "logGroupName": log_group(params, resource),
        "startTime": int(window.start.timestamp() * 1000),
        "endTime": int(window.end.timestamp() * 1000) - 1,
    }
    found: dict[str, Signature] = {}
    word = params.service.failure_word if resource.startswith("worker") else ""
    # The service's own word needs its own question only where its failure line has none of the others.
    usual = (*_PATTERNS, *map(_quoted, params.service.contract.table.failed))
    known = any(pattern.strip('"') in params.service.failure_line for pattern in usual)
    patterns = usual if known or not word else (*usual, _quoted(word))
    seen: set[tuple[Any, ...]] = set()
    left = _Left()
    with aws_errors(f"reading {request['logGroupName']} (logs:FilterLogEvents)"):
        try:
            for event in _few(_events(logs, request, patterns), left):
                key = (event.get("logStreamName"), event["timestamp"], event.get("eventId"), event.get("message"))
                if key not in seen:
                    seen.add(key)
                    _note(found, event, word)
        except logs.exceptions.ResourceNotFoundException:
            return Failures()
    told = Failures(sorted(found.values(), key=lambda one: (-one.count, one.text)))
    told.cut = left.none
    return told


def spoke(logs: Any, params: Params, window: Window, *, resource: str = "worker") -> bool:
    """Whether a Lambda wrote anything into its log in `window`; False where there is no log.

    Raises:
        AwsError: CloudWatch Logs refused or did not answer.
    """
    group = log_group(params, resource)
    times = {"startTime": int(window.start.timestamp() * 1000), "endTime": int(window.end.timestamp() * 1000) - 1}
    with aws_errors(f"reading {group} (logs:FilterLogEvents)"):
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, **times)
            return any(page.get("events") for page in pages)
        except logs.exceptions.ResourceNotFoundException:
            return False


def _events(logs: Any, request: dict[str, Any], patterns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    paginator = logs.get_paginator("filter_log_events")
    for pattern in patterns:
        for page in paginator.paginate(**request, filterPattern=pattern):
            yield from page.get("events", [])


@dataclass
class _Left:
    """What may still be read of a log."""

    events: int = MAX_EVENTS
    letters: int = MAX_LETTERS

    @property
    def none(self) -> bool:
        return self.events <= 0 or self.letters <= 0


def _few(events: Iterator[dict[str, Any]], left: _Left) -> Iterator[dict[str, Any]]:
    for event in events:
        left.events -= 1
        left.letters -= len(event.get("message", ""))
        yield event
        if left.none:
            return


def _note(found: dict[str, Signature], event: dict[str, Any], word: str) -> None:
    message = _message(event.get("message", ""), word)
    if message is None:
        return
    told = redact(message[:_HEAD])
    told = told if len(message) <= _HEAD else told[:-_TORN] or MASK
    text = _alike(told)
    when = dt.datetime.fromtimestamp(event["timestamp"] / 1000, dt.UTC)
    old = found.get(text)
    found[text] = Signature(
        text=text,
        count=old.count + 1 if old else 1,
        first=min(old.first, when) if old else when,
        last=max(old.last, when) if old else when,
        example=old.example if old else told[:_LENGTH],
    )


def _message(line: str, word: str = "") -> str | None:
    """The failure in a structured line (level, message, error or exception) or a plain one; None if there is none.

    A line with the service's own `word` for a failure always is one.
    """
    mine = bool(word) and word in line
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        return line.strip() if mine or _FAILURE.search(line) else None
    level = str(record.get("level") or record.get("log_level") or "").upper()
    if not mine and level in ("DEBUG", "INFO") and not _FAILURE.search(str(record.get("message", ""))):
        return None
    return ": ".join(dict.fromkeys(_whole(str(record[key])) for key in _SAID if record.get(key))) or None


def _whole(said: str) -> str:
    """A text of several lines, without secrets: behind another text its first line begins no longer."""
    return head(said, _HEAD) if len(said.splitlines()) > 1 else said
