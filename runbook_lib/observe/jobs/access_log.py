"""The gateway's access log: who was answered 4xx, and whether our gateway or the caller was the reason.

CloudWatch's `4XXError` counts a throttled user and a malformed body alike. Where the stage writes access logs (an item
of the inventory), their lines tell the two apart.
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
"""Where reading stops; beyond it the log says nothing that could be trusted (`cut`)."""
LAST_MS = 4e12
"""Milliseconds since 1970: the year 2096. A time beyond is none."""
PATTERN = "{ $.%s = 4* }"
"""FilterLogEvents' pattern for a 4xx in the status field; lines are held against the field again here."""


def read(logs: Any, params: Params, window: Window) -> dict[str, Any] | None:
    """Submissions answered 4xx in `window`: `{"counts": [[minute, status, type, n], ...], "cut": bool}`, JSON-able.

    None where there is no access log, or none of its lines has the fields that `service.yaml` names: then nothing is
    known, which is another thing than nothing refused.

    Raises:
        AwsError: CloudWatch Logs refused or did not answer.
    """
    if "access_log" not in params.service.names or window.empty:
        return None
    group = params.name("access_log")
    request = {
        "logGroupName": group,
        "startTime": int(window.start.timestamp() * 1000),
        "endTime": int(window.end.timestamp() * 1000) - 1,
    }
    with aws_errors(f"reading {group} (logs:FilterLogEvents)"):
        try:
            lines = list(_lines(logs, request, params.service.api.access_log_fields.status))
        except logs.exceptions.ResourceNotFoundException:
            return None
    if not lines:
        return None
    return {"counts": counted(lines, params, window), "cut": len(lines) >= MAX_LINES}


def _lines(logs: Any, request: dict[str, Any], status: str) -> Iterator[str]:
    seen: set[str] = set()
    pages = logs.get_paginator("filter_log_events").paginate(**request, filterPattern=PATTERN % status)
    for page in pages:
        for event in page.get("events", []):
            id = str(event.get("eventId") or f"{event.get('timestamp')}{event.get('message')}")
            if id not in seen:
                seen.add(id)
                yield str(event.get("message", ""))
            if len(seen) >= MAX_LINES:
                return


def counted(lines: Iterable[str], params: Params, window: Window) -> list[list[Any]]:
    """[minute (ISO 8601), status, type, n] of the 4xx at the submit route, in order; lines of anything else are left
    out. Pure.
    """
    fields, submit = params.service.api.access_log_fields, params.service.api.routes.submit
    found: Counter[tuple[str, int, str]] = Counter()
    for line in lines:
        try:
            entry = json.loads(line)
            status, at = int(entry[fields.status]), float(entry[fields.time])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
        if not 0 <= at < LAST_MS:
            continue
        path = str(entry.get(fields.path, "")).removeprefix("POST ")
        if path != submit or entry.get(fields.method, "POST") != "POST" or not 400 <= status < 500:
            continue
        when = dt.datetime.fromtimestamp(at / 1000 // 60 * 60, dt.UTC)
        if window.start <= when + dt.timedelta(minutes=1) and when < window.end:
            kind = str(entry.get(fields.response_type) or "")
            found[iso(when), status, "" if kind == "-" else kind] += 1
    return [[*key, n] for key, n in sorted(found.items())]
