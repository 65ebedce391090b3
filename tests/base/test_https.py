"""Where our own requests over HTTP may go."""

from __future__ import annotations

import threading
import urllib.error
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from runbook_lib.base.https import direct, is_secure


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
            direct().open(f"http://127.0.0.1:{server.server_port}/here", timeout=5)
    assert asked == ["/here"]
