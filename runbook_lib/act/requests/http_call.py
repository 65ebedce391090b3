"""One HTTP request with a JSON body, and its answer.

Address, redirect and answer may be a foreign service's: only HTTP is spoken, headers stay with the host that they are
for, and what is read is limited in size and in time.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import IncompleteRead
from typing import Any
from urllib.parse import urlsplit

from runbook_lib.base.foreign import head
from runbook_lib.base.patience import Late, within

_TIMEOUT_S = 30.0
_WHOLE_S = 60.0
"""Seconds for all of an answer; the limit before is for each byte."""
_MOST = 20_000_000
"""Bytes of an answer that are read: one that is longer is no JSON."""
_READ = 10_000
"""Bytes of an answer that is no JSON which are looked at."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: Any
    """The answer's JSON; None: it is not JSON."""
    text: str = ""
    """The beginning of its text, if it is not JSON."""


Send = Callable[[str, str, Mapping[str, str], object | None], Answer]
"""A function from method, address, headers and JSON body (or None) to the answer."""


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to HTTP; to another host without the headers, which may have a key."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).scheme not in ("http", "https"):  # urllib would speak FTP
            return None
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None:
            fp.close()  # urllib would read all of a body that nobody asked for, which may have no end
        if made is not None and urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            made.headers = {}
        return made


_OPENER = urllib.request.build_opener(_SameHost)
_LOOPBACK = urllib.request.build_opener(_SameHost, urllib.request.ProxyHandler({}))


def over_http(method: str, url: str, headers: Mapping[str, str], body: object | None) -> Answer:
    """Sends a request with a JSON body, or none; headers without a `Content-Type` keep the body's own."""
    data = None if body is None else json.dumps(body).encode()
    named = data is None or any(name.lower() == "content-type" for name in headers)
    kind = {} if named else {"Content-Type": "application/json"}
    return _open(urllib.request.Request(url, data, {**kind, **headers}, method=method))  # noqa: S310


def _open(request: urllib.request.Request) -> Answer:
    """Sends the request; an error status is an answer, too. A proxy is never used for this machine's own address."""
    if request.type not in ("http", "https"):  # urllib would read this machine's files
        raise ValueError(f"an address with '{request.type}:' is none of HTTP")
    opener = _LOOPBACK if request.host.split(":")[0] in ("127.0.0.1", "localhost") else _OPENER

    def ask() -> Answer:
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as response:
                raw = response.read(_MOST + 1)
                if len(raw) <= _MOST and response.length:  # `read(most)` does not say that the rest never came
                    raise IncompleteRead(raw, response.length)
                return _answer(response.status, raw)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.read(_MOST + 1))

    try:
        return within(ask, "", _WHOLE_S)
    except Late as error:
        raise TimeoutError(f"the answer was not there within {error.most_s:g} s") from None


def _answer(status: int, raw: bytes) -> Answer:
    try:
        if len(raw) > _MOST:
            raise ValueError("too long to be read")
        return Answer(status, json.loads(raw))
    except (ValueError, RecursionError):  # nested too deeply to be read
        return Answer(status, None, head(raw[:_READ].decode(errors="replace"), 200))
