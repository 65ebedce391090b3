"""One HTTP request with a JSON body, and its answer."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.foreign import head

_TIMEOUT_S = 30.0
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


_OPENER = urllib.request.build_opener()
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def over_http(method: str, url: str, headers: Mapping[str, str], body: object | None) -> Answer:
    """Sends a request with a JSON body, or none; headers without a `Content-Type` keep the body's own."""
    data = None if body is None else json.dumps(body).encode()
    named = data is None or any(name.lower() == "content-type" for name in headers)
    kind = {} if named else {"Content-Type": "application/json"}
    return _open(urllib.request.Request(url, data, {**kind, **headers}, method=method))  # noqa: S310


def _open(request: urllib.request.Request) -> Answer:
    """Sends the request; an error status is an answer, too. A proxy is never used for this machine's own address."""
    opener = _LOOPBACK if request.host.split(":")[0] in ("127.0.0.1", "localhost") else _OPENER
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as response:
            return _answer(response.status, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error.code, error.read())


def _answer(status: int, raw: bytes) -> Answer:
    try:
        return Answer(status, json.loads(raw))
    except (ValueError, RecursionError):  # nested too deeply to be read
        return Answer(status, None, head(raw[:_READ].decode(errors="replace"), 200))
