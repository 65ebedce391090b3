"""Who still calls the synchronous route, by the access log: any text a caller sends, counted once a line."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.window import Window, parse
from runbook_lib.observe.jobs.access_log import LONGEST_CLIENT, UNNAMED, clients, counted, read_clients
from runbook_lib.params.load import load_file

PARAMS = load_file(Path(__file__).parents[3] / "params" / "prod.yaml")
ROUTES = PARAMS.service.api.routes
START = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)
WINDOW = Window(START, START + dt.timedelta(hours=2))


def line(minute: float, path: str = ROUTES.sync, **more: Any) -> str:
    at = int((START + dt.timedelta(minutes=minute)).timestamp() * 1000)
    return json.dumps({"time": at, "method": "POST", "path": path, "status": 200, "response_type": "-", **more})


def test_each_client_is_counted_by_the_minute() -> None:
    lines = [
        line(1.2, user_agent="web/1.9"),
        line(1.7, user_agent="web/1.9"),
        line(3, user_agent="cli/0.4", status=504),
        line(4),
        line(4, user_agent="-"),
        line(5, ROUTES.submit, user_agent="web/2.0"),
        line(6, method="GET", user_agent="web/2.0"),
        line(500, user_agent="late/1"),
        "no JSON",
        "[]",
        '{"time": "x"}',
    ]
    found = [(parse(at).minute, client, n) for at, client, n in clients(lines, PARAMS, WINDOW)]
    assert found == [(1, "web/1.9", 2), (3, "cli/0.4", 1), (4, UNNAMED, 2)]


def test_a_route_key_is_a_path_too() -> None:
    assert sum(n for *_, n in clients([line(1, f"POST {ROUTES.sync}", user_agent="a")], PARAMS, WINDOW)) == 1


@given(names=st.lists(st.text() | st.none() | st.integers() | st.lists(st.text())), noise=st.lists(st.text()))
def test_whatever_callers_call_themselves_is_counted_and_can_be_shown(names: list[Any], noise: list[str]) -> None:
    lines = [line(1, user_agent=name) for name in names]
    found = clients([*noise, *lines], PARAMS, WINDOW)
    assert sum(n for *_, n in found) == len(names)
    for _, client, _ in found:
        assert 0 < len(client) <= LONGEST_CLIENT and client.isprintable()
    assert counted(lines, PARAMS, WINDOW) == [], "none was answered 4xx"


class Logs:
    """CloudWatch Logs with these lines, three a page, some given twice; remembers what it was asked."""

    class exceptions:
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, lines: list[str]) -> None:
        self.lines, self.asked = lines, {}

    def get_paginator(self, name: str) -> Logs:
        assert name == "filter_log_events"
        return self

    def paginate(self, **asked: Any) -> Any:
        self.asked = asked
        events = [{"eventId": str(k), "message": text} for k, text in enumerate(self.lines)]
        for low in range(0, len(events), 2):
            yield {"events": events[low : low + 3]}


def test_the_log_is_asked_for_the_synchronous_route_alone_and_a_line_given_twice_counts_once() -> None:
    logs = Logs([line(k, user_agent="web/1.9") for k in range(7)])
    told = read_clients(logs, PARAMS, WINDOW)
    assert told is not None and not told["cut"] and sum(n for *_, n in told["counts"]) == 7
    assert logs.asked["filterPattern"].count(f'"{ROUTES.sync}"') == 1
    assert logs.asked["logGroupName"] == PARAMS.name("access_log")
    assert read_clients(Logs([]), PARAMS, WINDOW) is None
