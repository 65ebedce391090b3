"""Where our own requests over HTTP may go."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
from contextlib import nullcontext, suppress
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import Request

import pytest

from runbook_lib.base.https import is_secure, sent


@pytest.mark.parametrize(
    ("address", "secure"),
    [
        ("https://example.com/x", True),
        ("http://127.0.0.1:80/x", True),
        ("http://localhost", True),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1@example.com", False),
        ("http://example.com", False),
        ("ftp://localhost", False),
        ("", False),
        ("https://[::1]:8443/x", True),
        ("https://[::1/x", False),
        ("https://example.com:x/", False),
        ("https://example.com:99999/", False),
        ("https:///x", False),
        ("https://example.com/x\n", False),
        ("https://example.com/\u00fc", False),
    ],
)
def test_it_is_https_or_this_machine(address: str, secure: bool) -> None:
    assert is_secure(address) is secure


def test_a_redirect_is_not_followed() -> None:
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request).start()
        with pytest.raises(urllib.error.HTTPError, match="302"):
            sent(Request(f"http://127.0.0.1:{server.server_port}/here"), "it", 5)
    assert asked == ["/here"]


@pytest.mark.parametrize(
    "drop",
    [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n", b""],
    ids=["byte by byte", "always to continue", "a long body", "nothing"],
)
def test_whoever_answers_drop_by_drop_holds_nobody_up(drop: bytes) -> None:
    """Each wait for a byte is short; all of them together would never end."""
    server, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        there, _ = server.accept()
        with suppress(OSError), there:
            while not over.wait(0.02):
                there.sendall(drop)

    threading.Thread(target=serve, daemon=True).start()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        sent(Request(f"http://127.0.0.1:{server.getsockname()[1]}/"), "it", 0.3, 10**6)
    over.set()
    server.close()
    assert time.monotonic() - began < 5


def test_what_is_for_this_machine_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would have the token in the clear."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with HTTPServer(("127.0.0.1", 0), Handler) as server, socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(0.1)
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert sent(Request(f"http://127.0.0.1:{server.server_port}/here"), "it", 5, 100) == (200, b"/here")
        with pytest.raises(TimeoutError):
            proxy.accept()


@pytest.mark.parametrize(("most", "whole"), [(100, False), (4, True), (0, True)])
def test_a_body_without_its_end_is_no_answer(most: int, whole: bool) -> None:
    """Half of a JSON document may be a document, and half of a number is another number."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        there, _ = server.accept()
        with there:
            there.recv(1000)
            there.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")

    threading.Thread(target=serve, daemon=True).start()
    request = Request(f"http://127.0.0.1:{server.getsockname()[1]}/")
    with server, nullcontext() if whole else pytest.raises(IncompleteRead):
        assert sent(request, "it", 5, most) == (200, b"12345"[:most])
