"""One request and its answer, without a network."""

from __future__ import annotations

from typing import Any

import pytest

from runbook_lib.act.requests import conversation, http_call
from runbook_lib.act.requests.http_call import Answer, over_http


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (b'{"a": 1}', Answer(200, {"a": 1})),
        (b"[1]", Answer(200, [1])),
        (b"<html>", Answer(200, None, "<html>")),
        (b"", Answer(200, None, "")),
        (b"\xff", Answer(200, None, "\ufffd")),
        (b"[" * 200_000, Answer(200, None, "[" * 200)),
    ],
)
def test_what_is_no_json_is_told_apart(raw: bytes, answer: Answer) -> None:
    assert http_call._answer(200, raw) == answer


@pytest.mark.parametrize(
    ("headers", "kind"),
    [({"X-Api-Key": "k"}, "application/json"), ({"content-type": "application/vnd.x+json"}, "application/vnd.x+json")],
)
def test_a_body_is_json_unless_the_headers_say_more(
    headers: dict[str, str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(http_call, "_open", sent.append)
    over_http("POST", "http://127.0.0.1/x", headers, {})
    over_http("GET", "http://127.0.0.1/x", {}, None)
    assert [one.get_header("Content-type") for one in sent] == [kind, None]


def test_an_answer_that_is_cut_keeps_no_half_of_a_secret() -> None:
    """A service may echo a request, with its secret headers."""
    token = "ghp_" + "aB3dE6gH9j" * 3 + "aB3dE6"
    for before in range(160, 200):
        echoed = "x" * before + f" {token} and more"
        assert "ghp_" not in http_call._answer(500, echoed.encode()).text
        assert "ghp_" not in conversation._said(Answer(500, {"a": echoed}))
