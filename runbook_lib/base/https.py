"""Our own requests over HTTP: to an https address, or to this machine without a proxy, nowhere else from there, and not
for longer than was said.
"""

from __future__ import annotations

import re
import urllib.request
from http.client import HTTPException, IncompleteRead, InvalidURL
from ssl import SSLError
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from runbook_lib.base.patience import Late, within

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)(:\d+)?(/|$)")

_BETWEEN = (502, 504)
"""HTTP codes by which a proxy says that it had no good answer."""


def is_secure(address: str) -> bool:
    """Whether an address is https, or of this machine; what urllib could not ask is none.

    >>> is_secure("https://example.com"), is_secure("http://localhost:8080/x"), is_secure("http://localhost.example.com")
    (True, True, False)
    """
    try:
        asked = urlsplit(address)
        there = asked.hostname is not None and (asked.port or 1) and address.isascii() and address.isprintable()
    except ValueError:  # brackets without an end, a port that is no number
        return False
    return bool(there) and (address.startswith("https://") or bool(_LOOPBACK.match(address)))


class _Stay(urllib.request.HTTPRedirectHandler):
    """Does not follow a redirect: what is sent is for the configured address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def sent(request: urllib.request.Request, told: str, wait_s: float, most: int = 0) -> tuple[int, bytes]:
    """The status of the answer, and its first `most` bytes.

    Args:
        told: what the person at the terminal is waiting for.
        wait_s: seconds for all of it. urllib's own limit is for each byte: a receiver that sends one now and then, or
            `100 Continue` again and again, would hold up the caller for ever.

    Raises:
        HTTPError: the answer is none of 2xx; a redirect is an answer like another.
        TimeoutError: the answer is not there in time.
        OSError, HTTPException: there is none, or its end is missing.
    """

    # What is for this machine, in the clear, is not for a proxy; https is closed to it.
    by = [urllib.request.ProxyHandler({})] if request.type == "http" else []

    def ask() -> tuple[int, bytes]:
        with urllib.request.build_opener(_Stay, *by).open(request, timeout=wait_s) as answer:
            body = bytes(answer.read(most))
            if len(body) < most and answer.length:  # `read(most)` does not say that the rest never came
                raise IncompleteRead(body, answer.length)
            return int(answer.status), body

    try:
        return within(ask, told, wait_s)
    except Late as error:
        raise TimeoutError(str(error)) from None


def perhaps_sent(error: Exception) -> bool:
    """Whether the request may have arrived, though `sent` raised this: only the answer is missing, late or spoilt."""
    if isinstance(error, HTTPError):
        return error.code in _BETWEEN
    if isinstance(error, URLError):  # it was not reached
        return False
    return isinstance(error, (OSError, HTTPException)) and not isinstance(error, InvalidURL)


def no_answer(error: Exception) -> str:
    """Why `sent` got no good answer; without the address, which may be a secret."""
    if isinstance(error, HTTPError):
        return f"it answered {error.code}"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if perhaps_sent(error):
        return "it gives no whole answer"
    if not isinstance(error, URLError):
        return "its address is none that can be asked"
    if isinstance(error.reason, SSLError):
        return "the connection to it cannot be trusted; does a proxy stand between?"
    why = getattr(error.reason, "strerror", None)
    return f"it does not answer{f' ({why})' if why else ''}; check the network and HTTPS_PROXY"
