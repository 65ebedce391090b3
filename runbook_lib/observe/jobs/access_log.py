"""The gateway's access log: who was answered 4xx and why, and who still calls the synchronous route.

CloudWatch's `4XXError` counts a throttled user and a malformed body alike, and its `Count` names no client. The lines
of the access logs tell both, where the stage writes them (an item of the inventory).
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.window import Window, iso
from runbook_lib.params.load import Params

MAX_LINES = 50_000
"""At most this many lines are read; a longer log is not used (`cut`)."""
LAST_MS = 4e12
"""Latest valid time in milliseconds since 1970: the year 2096."""
PATTERN = "{ $.%s = 4* }"
"""FilterLogEvents' pattern for a 4xx in the status field; each line's field is checked again here."""
CALLED = '{ $.%s = "%s" || $.%s = "%s %s" }'
"""FilterLogEvents' pattern for a route, as a path or as an HTTP API's route key."""
LONGEST_CLIENT = 80
"""At most this many characters of a client's name are kept: the caller chooses the name."""
UNNAMED = "no user agent"


def read(logs: Any, params: Params, window: Window) -> dict[str, Any] | None:
    """Submissions answered 4xx in `window`: `{"counts": [[minute, status, type, n], ...], "cut": bool}`, JSON-able.

    None where there is no access log, or it has no such line: then nothing is known, which does not mean that nothing
    was refused.

    Raises:
        AwsError: CloudWatch Logs refused or did not answer.
    """
    lines = _read(logs, params, window, PATTERN % params.service.api.access_log_fields.status)
    return {"counts": counted(lines, params, window), "cut": len(lines) >= MAX_LINES} if lines else None


def read_clients(logs: Any, params: Params, window: Window) -> dict[str, Any] | None:
    """Who called the synchronous route in `window`: `{"counts": [[minute, client, n], ...], "cut": bool}`, JSON-able.

    For a weight of 100 %: a client that calls it then does not follow the flags. None where the log does not say.

    Raises:
        AwsError: CloudWatch Logs refused or did not answer.
    """
    path, route = params.service.api.access_log_fields.path, params.service.api.routes.sync
    lines = _read(logs, params, window, CALLED % (path, route, path, params.service.methods["sync"], route))
    return {"counts": clients(lines, params, window), "cut": len(lines) >= MAX_LINES} if lines else None


def _read(logs: Any, params: Params, window: Window, pattern: str) -> list[str]:
    if not params.named("access_log") or window.empty:
        return []
    group = params.name("access_log")
    request = {
        "logGroupName": group,
        "startTime": int(window.start.timestamp() * 1000),
        "endTime": int(window.end.timestamp() * 1000) - 1,
        "filterPattern": pattern,
    }
    with aws_errors(f"reading {group} (logs:FilterLogEvents)"):
        try:
            return list(_lines(logs, request))
        except logs.exceptions.ResourceNotFoundException:
            return []


def _lines(logs: Any, request: dict[str, Any]) -> Iterator[str]:
    seen: set[str] = set()
    for page in logs.get_paginator("filter_log_events").paginate(**request):
        for event in page.get("events", []):
            id = str(event.get("eventId") or f"{event.get('timestamp')}{event.get('message')}")
            if id not in seen:
                seen.add(id)
                yield str(event.get("message", ""))
            if len(seen) >= MAX_LINES:
                return


def counted(lines: Iterable[str], params: Params, window: Window) -> list[list[Any]]:
    """[minute (ISO 8601), status, type, n] of the 4xx at the submit route, in order; other lines are left out. Pure."""
    found: Counter[tuple[str, int, str]] = Counter()
    fields = params.service.api.access_log_fields
    for when, status, entry in _posts(lines, params, window, "submit"):
        if 400 <= status < 500:
            kind = str(entry.get(fields.response_type) or "")
            found[when, status, "" if kind == "-" else kind] += 1
    return [[*key, n] for key, n in sorted(found.items())]


def clients(lines: Iterable[str], params: Params, window: Window) -> list[list[Any]]:
    """[minute (ISO 8601), client, n] of the submissions at the synchronous route, in order. Pure."""
    found: Counter[tuple[str, str]] = Counter()
    field = params.service.api.access_log_fields.client
    for when, _, entry in _posts(lines, params, window, "sync"):
        name = "".join(c if c.isprintable() else " " for c in str(entry.get(field) or ""))[:LONGEST_CLIENT].strip()
        found[when, UNNAMED if name in ("", "-") else name] += 1
    return [[*key, n] for key, n in sorted(found.items())]


def _posts(
    lines: Iterable[str], params: Params, window: Window, name: str
) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """(minute, status, line) of each submission at the route `name` in `window`; unreadable lines are left out."""
    fields = params.service.api.access_log_fields
    method, route = params.service.methods[name], getattr(params.service.api.routes, name)
    for line in lines:
        try:
            entry = json.loads(line)
            status, at = int(entry[fields.status]), float(entry[fields.time])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
        path = str(entry.get(fields.path, "")).removeprefix(f"{method} ")
        if not 0 <= at < LAST_MS or path != route or entry.get(fields.method, method) != method:
            continue
        when = dt.datetime.fromtimestamp(at / 1000 // 60 * 60, dt.UTC)
        if window.start <= when + dt.timedelta(minutes=1) and when < window.end:
            yield iso(when), status, entry
