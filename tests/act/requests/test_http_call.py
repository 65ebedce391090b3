"""One request and its answer, without a network beyond this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.act.requests import conversation, http_call
from runbook_lib.act.requests.http_call import Answer, over_http
from tests.served import served


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


class Foreign(ThreadingHTTPServer):
    """A service that answers as it likes, and keeps the headers that it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_port}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Foreign

    def do_GET(self) -> None:
        self.server.got.append(dict(self.headers))
        away = {one: self.server.url("there", "localhost") for one in ("/away", "/away-huge")}
        away |= {"/ftp": self.server.url("x").replace("http", "ftp", 1)}
        self.send_response(302 if self.path in away else 200)
        if self.path in away:
            self.send_header("Location", away[self.path])
        if self.path == "/half":
            self.send_header("Content-Length", "3")
        self.end_headers()
        if self.path == "/half":
            self.wfile.write(b"12")
        if self.path == "/there":
            self.wfile.write(b"{}")
        while self.path in ("/huge", "/away-huge", "/slow"):
            try:
                self.wfile.write(b"1" * 1_000_000 if self.path != "/slow" else b" ")
                self.wfile.flush()
            except OSError:
                return
            time.sleep(0 if self.path != "/slow" else 0.02)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def foreign() -> Iterator[Foreign]:
    with served(Foreign()) as made:
        yield made


def test_a_key_does_not_follow_a_redirect_to_another_host(foreign: Foreign) -> None:
    assert over_http("GET", foreign.url("away"), {"X-Api-Key": "k"}, None).status == 200
    assert [("X-Api-Key" in one) for one in foreign.got] == [True, False]
    over_http("GET", foreign.url("there"), {"X-Api-Key": "k"}, None)
    assert "X-Api-Key" in foreign.got[-1]


def test_a_redirect_away_from_http_is_not_followed(foreign: Foreign) -> None:
    assert over_http("GET", foreign.url("ftp"), {}, None).status == 302
    assert len(foreign.got) == 1


def test_half_an_answer_is_no_answer(foreign: Foreign) -> None:
    with pytest.raises(IncompleteRead):
        over_http("GET", foreign.url("half"), {}, None)


def test_an_answer_without_end_is_given_up(foreign: Foreign, monkeypatch: pytest.MonkeyPatch) -> None:
    assert over_http("GET", foreign.url("huge"), {}, None) == Answer(200, None, "1" * 200)
    monkeypatch.setattr(http_call, "_WHOLE_S", 5)
    assert over_http("GET", foreign.url("away-huge"), {}, None) == Answer(200, {}), "the body of a redirect is not read"
    monkeypatch.setattr(http_call, "_WHOLE_S", 0.2)
    with pytest.raises(TimeoutError, match="not there within"):
        over_http("GET", foreign.url("slow"), {}, None)


@pytest.mark.parametrize("address", ["file://{}", "ftp://127.0.0.1/{}", "data:application/json,{{}}", "x"])
def test_an_address_that_is_none_of_http_is_not_opened(tmp_path: Path, address: str) -> None:
    """The link to a result is the service's own word: urllib would have read this machine's files."""
    (tmp_path / "kept").write_text("{}")
    with pytest.raises(ValueError, match=r"is none of HTTP|unknown url type"):
        over_http("GET", address.format(tmp_path / "kept"), {}, None)
