"""Tries the metric filter of failed jobs on the worker's own failure line.

CloudWatch Logs does the matching (`logs:TestMetricFilter`). Dimensions and value of the metric are read from the line
as the filter's transformation says (`$.field`), and compared with what the guard alarm watches
(docs/domain.md, trap 30).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.json_body import parsed, selected
from runbook_lib.observe.jobs.logs import redact

BACK_S = (3600, 86_400, 14 * 86_400)
"""Seconds before the log's newest event in which the newest failure line is looked for, one span after the other."""
DRILL_STREAM = "runbook-drill"
"""Prefix of log streams that hold lines of a drill (`act/drill_way.py`), not of the worker."""
_MOST_PAGES = 20
_SHOWN = 240


@dataclass(frozen=True)
class Tried:
    """Result of the filter for one line."""

    line: str
    source: str
    """The line in words: `the sample line`, `the newest such line in the log`."""
    matched: bool
    dimensions: Mapping[str, str | None]
    """Values of the metric's dimensions by name; None where the line does not have the field."""
    value: str | None
    """What the metric counts for this line; None where the line does not have the field."""

    @property
    def shown(self) -> str:
        """The line without secrets, cut to `_SHOWN` characters."""
        text = redact(self.line)
        return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


@dataclass(frozen=True)
class Proof:
    """Results of the filter for the sample line and for the newest one in the log, if there is one."""

    tried: tuple[Tried, ...]
    seen: bool
    """Whether the log has such a line; if not, only the sample was tried."""

    def matches(self) -> tuple[bool, str]:
        """Whether the pattern matches each line, and a sentence."""
        bad = [one for one in self.tried if not one.matched]
        if bad:
            return False, f"its pattern does not match {bad[0].source}, so it counts nothing: {bad[0].shown}"
        return True, f"its pattern matches {self._lines}"

    def writes_under(self, wanted: Mapping[str, str]) -> tuple[bool, str]:
        """Whether the metric gets the dimension values that the alarm watches, and a sentence."""
        for one in self.tried:
            if dict(one.dimensions) != dict(wanted):
                return False, (
                    f"{one.source} is counted under {_told(one.dimensions)}, and the guard watches {_told(wanted)}: it "
                    f"never gets a point; the line: {one.shown}"
                )
        return True, f"{self._lines} counted under {_told(wanted)}, as the guard watches"

    def counts(self, wanted: float = 1.0) -> tuple[bool, str]:
        """Whether each line counts as one failure, and a sentence."""
        for one in self.tried:
            if _number(one.value) != wanted:
                return False, f"{one.source} counts {one.value or 'nothing'}, not {wanted:g}: {one.shown}"
        return True, f"each line counts {wanted:g}"

    @property
    def _lines(self) -> str:
        return (
            "the sample line and the newest one in the log" if self.seen else "the sample line (the log has none yet)"
        )


def prove(logs: Any, group: str, made: Mapping[str, Any], sample: str, word: str = "") -> Proof:
    """Tries a filter (an item of DescribeMetricFilters) on `sample` and on the newest such line of the log group.

    Args:
        word: what marks such a line (`Service.failure_word`); empty: the marker of the sample.

    Raises:
        ClientError: CloudWatch Logs refused.
    """
    newest = newest_like(logs, group, sample, word)
    lines = [("the sample line", sample)]
    if newest is not None:
        lines.append(("the newest such line in the log", newest))
    answer = logs.test_metric_filter(
        filterPattern=made.get("filterPattern", ""), logEventMessages=[line for _, line in lines]
    )
    matched = {int(one["eventNumber"]) for one in answer.get("matches", [])}
    transformation = made["metricTransformations"][0]
    tried = tuple(
        Tried(
            line=line,
            source=source,
            matched=number in matched,  # CloudWatch Logs counts the messages from 1
            dimensions={
                name: selected(line, where) for name, where in (transformation.get("dimensions") or {}).items()
            },
            value=selected(line, str(transformation.get("metricValue", ""))),
        )
        for number, (source, line) in enumerate(lines, 1)
    )
    return Proof(tried, seen=newest is not None)


def marker(sample: str) -> str:
    """What marks a failure line: the `message` of a JSON line, else its first word."""
    said = parsed(sample)
    if isinstance(said, dict) and isinstance(said.get("message"), str) and said["message"]:
        return str(said["message"])
    return next(iter(sample.split()), "")


def newest_like(logs: Any, group: str, sample: str, word: str = "") -> str | None:
    """The newest line of a log group with `word`, or with the sample's marker; None: there is none, or no log group.

    Raises:
        ClientError: CloudWatch Logs refused.
    """
    try:
        streams = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=10)
    except logs.exceptions.ResourceNotFoundException:
        return None
    last = max((one.get("lastEventTimestamp", 0) for one in streams["logStreams"]), default=0)
    word = word or marker(sample)
    if not last or not word:
        return None
    for back in BACK_S:
        found = _last_with(logs, group, word, last - back * 1000, last)
        if found is not None:
            return found
    return None


def _last_with(logs: Any, group: str, word: str, start: int, end: int) -> str | None:
    quoted = word.replace('"', "")
    asked = {"logGroupName": group, "filterPattern": f'"{quoted}"', "startTime": start, "endTime": end + 1}
    newest: tuple[int, str] | None = None
    for _ in range(_MOST_PAGES):
        page = logs.filter_log_events(**asked)
        for event in page.get("events", []):
            # The embedded AWS matches parts of words too; only the marker itself counts.
            own = str(event.get("logStreamName", "")).startswith(DRILL_STREAM)
            if not own and quoted in event["message"] and (newest is None or event["timestamp"] >= newest[0]):
                newest = (event["timestamp"], event["message"].strip())
        if not page.get("nextToken"):
            break
        asked["nextToken"] = page["nextToken"]
    return newest[1] if newest else None


def _number(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _told(dimensions: Mapping[str, str | None]) -> str:
    return (
        ", ".join(f"{name}={value or '(no such field)'}" for name, value in sorted(dimensions.items()))
        or "no dimension"
    )
