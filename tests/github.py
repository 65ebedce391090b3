"""GitHub's API on the loopback, as a job asks it who let it in."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RUN: dict[str, Any] = {
    "id": 42,
    "run_attempt": 1,
    "actor": {"login": "olga"},
    "triggering_actor": {"login": "olga"},
    "repository": {"full_name": "acme/orders"},
}


def review(login: str, state: str = "approved", environment: str = "approve-prod") -> dict[str, Any]:
    """One review of a run, as GitHub tells it."""
    return {"state": state, "comment": "", "environments": [{"id": 1, "name": environment}], "user": {"login": login}}


@contextmanager
def github(run: Any, reviews: Any, code: int = 200) -> Iterator[dict[str, str]]:
    """A server that answers with these, and the variables of a job that asks it."""

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = {"/repos/acme/orders/actions/runs/42": run, "/repos/acme/orders/actions/runs/42/approvals": reviews}
            right = self.headers["Authorization"] == "Bearer the-jobs-own" and self.path in known
            body = known.get(self.path) if right else {}
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(code if right else 404)
            if code == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {
            "GITHUB_API_URL": f"http://127.0.0.1:{server.server_port}",
            "GITHUB_REPOSITORY": "acme/orders",
            "GITHUB_RUN_ID": "42",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_TOKEN": "the-jobs-own",
        }
    finally:
        server.shutdown()
        server.server_close()
