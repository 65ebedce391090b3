"""CloudWatch Logs' metric filters: TestMetricFilter, and the metric points of matching lines.

The embedded AWS (ministack 1.5.33) stores metric filters without using them: it does not know TestMetricFilter, and a
log line makes no point. `tests/rehearse/emulator/test_metric_filters.py` lists both gaps. The stream of the simulated
world is left out, since it publishes the metric too.

Source of the rules: CloudWatch Logs User Guide, "Filter pattern syntax for metric filters". JSON patterns have strings
(`*` in them matches anything), numbers, IS TRUE, IS FALSE, IS NULL, NOT EXISTS, `&&`, `||` and parentheses. In other
patterns all terms must be in the line, `?term` any of them, `-term` none. Left out: space-delimited patterns, regexes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from runbook_lib.base.json_body import selected
from runbook_lib.rehearse.emulator.inbox import STREAM

Match = Callable[[str], bool]
_TOKEN = re.compile(
    r"""\s*(?:(?P<op>&&|\|\||!=|>=|<=|[=<>(){}])|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s=<>!(){}&|"]+))"""
)
_TERM = re.compile(r"""([?-]?)(?:"([^"]*)"|(\S+))""")


def matcher(pattern: str) -> Match:
    """A function that says whether a filter pattern matches a line.

    Raises:
        ValueError: the pattern is malformed, or of a kind that the rehearsal does not support.
    """
    text = pattern.strip()
    if text.startswith("{"):
        return _Json(text).match
    if text.startswith("[") or "%" in text:
        raise ValueError(f"filter pattern '{pattern}': the rehearsal knows JSON patterns and terms")
    terms = [(sign, quoted or word) for sign, quoted, word in _TERM.findall(text)]
    needed = [term for sign, term in terms if not sign]
    any_of = [term for sign, term in terms if sign == "?"]
    none_of = [term for sign, term in terms if sign == "-"]

    def match(line: str) -> bool:
        held = all(term in line for term in needed) and not any(term in line for term in none_of)
        return held and (not any_of or any(term in line for term in any_of))

    return match


class _Json:
    """A JSON pattern, parsed once."""

    def __init__(self, text: str) -> None:
        self._text, self._tokens, at = text, list[tuple[str, str]](), 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None or found.end() == at:
                raise self._wrong()
            self._tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            at = found.end()
        self._take("{")
        self.match: Match = self._any()
        self._take("}")
        if self._tokens:
            raise self._wrong()

    def _wrong(self) -> ValueError:
        return ValueError(f"filter pattern '{self._text}' cannot be read")

    def _next(self) -> str:
        return self._tokens[0][1] if self._tokens and self._tokens[0][0] != "quoted" else ""

    def _pop(self) -> tuple[str, str]:
        if not self._tokens:
            raise self._wrong()
        return self._tokens.pop(0)

    def _take(self, text: str) -> None:
        if self._pop() != ("op", text):
            raise self._wrong()

    def _any(self) -> Match:
        parts = [self._all()]
        while self._next() == "||":
            self._pop()
            parts.append(self._all())
        return lambda line: any(part(line) for part in parts)

    def _all(self) -> Match:
        parts = [self._one()]
        while self._next() == "&&":
            self._pop()
            parts.append(self._one())
        return lambda line: all(part(line) for part in parts)

    def _one(self) -> Match:
        if self._next() == "(":
            self._pop()
            inner = self._any()
            self._take(")")
            return inner
        kind, selector = self._pop()
        if kind != "word" or not selector.startswith("$"):
            raise self._wrong()
        kind, op = self._pop()
        if kind == "word":
            said = f"{op} {self._pop()[1]}".upper()
            if said not in _STATES:
                raise self._wrong()
            return _STATES[said](selector)
        kind, wanted = self._pop()
        if kind == "op":
            raise self._wrong()
        return _compared(selector, op, wanted, quoted=kind == "quoted")


_STATES: Mapping[str, Callable[[str], Match]] = {
    "NOT EXISTS": lambda selector: lambda line: _is_json(line) and not _there(line, selector),
    "IS NULL": lambda selector: lambda line: _there(line, selector) and selected(line, selector) is None,
    "IS TRUE": lambda selector: lambda line: selected(line, selector) == "true",
    "IS FALSE": lambda selector: lambda line: selected(line, selector) == "false",
}


def _compared(selector: str, op: str, wanted: str, *, quoted: bool) -> Match:
    number = None if quoted else _number(wanted)
    if number is not None:
        compare: dict[str, Callable[[float, float], bool]] = {
            "=": lambda a, b: a == b,
            "!=": lambda a, b: a != b,
            "<": lambda a, b: a < b,
            ">": lambda a, b: a > b,
            "<=": lambda a, b: a <= b,
            ">=": lambda a, b: a >= b,
        }

        def by_number(line: str) -> bool:
            found = selected(line, selector)
            value = None if found is None else _number(found)
            return value is not None and compare[op](value, number)

        return by_number
    if op not in ("=", "!="):
        raise ValueError(f"filter pattern: '{op}' compares numbers, and '{wanted}' is not a number")
    shape = re.compile(".*".join(map(re.escape, wanted.split("*"))), re.DOTALL)

    def by_text(line: str) -> bool:
        found = selected(line, selector)
        return found is not None and (shape.fullmatch(found) is not None) == (op == "=")

    return by_text


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _there(line: str, selector: str) -> bool:
    try:
        found = json.loads(line)
        for part in selector[2:].split("."):
            found = found[part]
    except (ValueError, KeyError, TypeError):
        return False
    return True


def points(made: Mapping[str, Any], line: str) -> list[dict[str, Any]]:
    """The points that a filter makes of one line: `MetricName`, `Namespace`, `Value`, `Dimensions`."""
    if not matcher(made.get("filterPattern", ""))(line):
        return []
    found = []
    for one in made["metricTransformations"]:
        value = _number(selected(line, str(one["metricValue"])) or "")
        dimensions = {name: selected(line, where) for name, where in (one.get("dimensions") or {}).items()}
        if value is not None and None not in dimensions.values():
            found.append(
                {
                    "Namespace": one["metricNamespace"],
                    "MetricName": one["metricName"],
                    "Value": value,
                    "Dimensions": dimensions,
                    "Unit": one.get("unit") or "None",
                }
            )
    return found


def install(evaluate: Callable[[], None]) -> None:
    """Adds both to the emulator; runs inside its process. `evaluate`: evaluates every alarm once."""
    from ministack.services import cloudwatch as cw
    from ministack.services import cloudwatch_logs as logs

    put, handle = logs._put_log_events, logs.handle_request

    def put_and_count(data: dict[str, Any]) -> Any:
        answer = put(data)
        group, stream = data.get("logGroupName"), data.get("logStreamName")
        filters = [made for (place, _), made in logs._metric_filters.items() if place == group]
        if answer[0] != 200 or stream == STREAM or not filters:
            return answer
        counted = [
            (event["timestamp"] / 1000, point)
            for event in data.get("logEvents", ())
            for made in filters
            for point in points(made, event["message"])
        ]
        for at, point in counted:
            key = (point["Namespace"], point["MetricName"], cw._dims_key(point["Dimensions"]))
            kept = {name: point[name] for name in ("Unit", "Dimensions", "Value")}
            cw._metric_bucket(key).append({"Timestamp": at, **kept, "Count": 1.0})
        if counted:
            evaluate()
        return answer

    async def with_test(method: Any, path: Any, headers: Any, body: Any, query: Any) -> Any:
        if headers.get("x-amz-target", "").endswith(".TestMetricFilter"):
            return _tested(logs, json.loads(body))
        return await handle(method, path, headers, body, query)

    logs._put_log_events = put_and_count
    logs.handle_request = with_test


def _tested(logs: Any, asked: Mapping[str, Any]) -> Any:
    pattern = asked.get("filterPattern", "")
    try:
        match = matcher(pattern)
    except ValueError as error:
        return logs.error_response_json("InvalidParameterException", str(error), 400)
    fields = set(re.findall(r"\$[\w.\[\]]+", pattern))
    matches = [
        {
            "eventNumber": number,
            "eventMessage": line,
            "extractedValues": {field: selected(line, field) for field in fields if selected(line, field) is not None},
        }
        for number, line in enumerate(asked["logEventMessages"], 1)
        if match(line)
    ]
    return logs.json_response({"matches": matches})
