"""Where our own requests over HTTP may go: to an https address, or to this machine, and nowhere else from there."""

from __future__ import annotations

import re
import urllib.request
from typing import Any

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)(:\d+)?(/|$)")


def is_secure(address: str) -> bool:
    """Whether an address is https, or of this machine.

    >>> is_secure("https://example.com"), is_secure("http://localhost:8080/x"), is_secure("http://localhost.example.com")
    (True, True, False)
    """
    return address.startswith("https://") or bool(_LOOPBACK.match(address))


class _Stay(urllib.request.HTTPRedirectHandler):
    """Does not follow a redirect: what is sent is for the configured address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def direct() -> urllib.request.OpenerDirector:
    """Opens addresses; a redirect is an answer like another, and raises an HTTPError."""
    return urllib.request.build_opener(_Stay)
