"""What the tests of `observe` share: parameters, a soak, and hand-made answers of CloudWatch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.observe.fetch import Answers, Ask, _query
from runbook_lib.observe.window import Window, iso
from runbook_lib.params import Params, load_file

START = dt.datetime(2026, 11, 10, 10, 0, tzinfo=dt.UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def params() -> Params:
    return load_file(ROOT / "params" / "prod.yaml")


@pytest.fixture(scope="session")
def http_params(params: Params) -> Params:
    service = params.service
    api = service.api.model_copy(update={"kind": "http"})
    return params.model_copy(
        update={"service": service.model_copy(update={"api": api, "names": {**service.names, "api_id": "abc123"}})}
    )


@pytest.fixture
def soak() -> Window:
    return Window(START, START + dt.timedelta(hours=24))


@pytest.fixture
def now(soak: Window) -> dt.datetime:
    return soak.end + dt.timedelta(hours=1)


Answered = Callable[..., Answers]


@pytest.fixture
def answered(params: Params, now: dt.datetime) -> Answered:
    """Answers to `asks`: `values` gives, by label, a list of (time, value), or a number for one point at the window's start."""

    def build(asks: Iterable[Ask], values: dict[str, Any], status: dict[str, str] | None = None) -> Answers:
        calls = []
        for ask in asks:
            if ask.window.empty:
                continue
            points = values.get(ask.label, [])
            if not isinstance(points, list):
                points = [(ask.window.start, points)]
            result = {
                "id": "q0",
                "status": (status or {}).get(ask.label, "Complete"),
                "messages": [],
                "times": [iso(when) for when, _ in points],
                "values": [value for _, value in points],
            }
            query = {**_query(ask, params, now), "id": "q0"}
            pages = [{"messages": [], "results": [result]}]
            calls.append({"start": iso(ask.window.start), "end": iso(ask.window.end), "queries": [query], "pages": pages})
        unknown = set(values) - {ask.label for ask in asks}
        assert not unknown, f"nobody asks for {unknown}"
        return Answers.from_raw(calls)

    return build
