"""One HTTP request with a JSON body, and its answer."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `body` is its JSON object, or `{"text": ...}`."""

    status: int
    body: dict[str, Any]


Send = Callable[[str, str, Mapping[str, str], object | None], Answer]
"""Method, address, headers, JSON body or None; the answer."""


_OPENER = urllib.request.build_opener()
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def over_http(method: str, url: str, headers: Mapping[str, str], body: object | None) -> Answer:
    """Sends a request with a JSON body, or none."""
    data = None if body is None else json.dumps(body).encode()
    return _open(urllib.request.Request(url, data, dict(headers), method=method))  # noqa: S310


def _open(request: urllib.request.Request) -> Answer:
    """Sends it; an error status is an answer, too. A proxy is never asked for this machine's own address."""
    opener = _LOOPBACK if request.host.split(":")[0] in ("127.0.0.1", "localhost") else _OPENER
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as response:
            return Answer(response.status, _object(response.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _object(error.read()))


def _object(raw: bytes) -> dict[str, Any]:
    try:
        loaded = json.loads(raw)
    except ValueError:
        loaded = None
    return loaded if isinstance(loaded, dict) else {"text": raw.decode(errors="replace")[:200]}
