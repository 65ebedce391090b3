"""Faults on the wire between botocore and AWS: what the n-th write of a shift meets. Also run inside a kernel."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

Send = Callable[[Any], Any]
Fault = Callable[[Any, Send], Any]
WRITE = re.compile(r"/applications/\w+/environments/\w+/deployments")
WRITES = ("the deployment at 0", "the deployment at the weight")
"""The writes of a shift that change what is in force, in order; a version that is there already is not made again."""


class _Body(io.BytesIO):
    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


def _answer(request: Any, status: int, code: str) -> AWSResponse:
    body = json.dumps({"Message": f"{code} by a test"}).encode()
    headers = {"x-amzn-errortype": code, "content-type": "application/json", "content-length": str(len(body))}
    return AWSResponse(request.url, status, headers, _Body(body))


def throttled(request: Any, _: Send) -> Any:
    return _answer(request, 429, "ThrottlingException")


def server_error(request: Any, _: Send) -> Any:
    return _answer(request, 500, "InternalServerException")


def denied(request: Any, _: Send) -> Any:
    return _answer(request, 403, "AccessDeniedException")


def timeout(request: Any, _: Send) -> Any:
    raise ReadTimeoutError(endpoint_url=request.url)


def unreached(request: Any, _: Send) -> Any:
    raise ConnectTimeoutError(endpoint_url=request.url)


def too_late(request: Any, send: Send) -> Any:
    """AWS has done it, and answered when nobody listened any more."""
    send(request)
    raise ReadTimeoutError(endpoint_url=request.url)


def lost(request: Any, send: Send) -> Any:
    """AWS has done it, and the answer never came."""
    send(request)
    raise ConnectionClosedError(endpoint_url=request.url)


def killed_before(_: Any, __: Send) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_after(request: Any, send: Send) -> Any:
    send(request)
    os.kill(os.getpid(), signal.SIGKILL)


def install(fault: Fault, nth: int, times: int = 1) -> tuple[list[int], Callable[[], None]]:
    """The `nth` write (from 1) and those after it, `times` in all, meet `fault`.

    Returns the numbers of the writes that met it, and what takes it away again.
    """
    real, seen, met = URLLib3Session.send, [0], list[int]()

    def send(self: URLLib3Session, request: Any) -> Any:
        if _is_write(request):
            seen[0] += 1
            if nth <= seen[0] < nth + times:
                met.append(seen[0])
                return fault(request, lambda given: real(self, given))
        return real(self, request)

    URLLib3Session.send = send

    def remove() -> None:
        URLLib3Session.send = real

    return met, remove


def _is_write(request: Any) -> bool:
    return request.method == "POST" and bool(WRITE.fullmatch(urlsplit(request.url).path.rstrip("/")))


@contextlib.contextmanager
def every_question(fault: Fault) -> Iterator[set[str]]:
    """Every question, each the first time that it is asked, meets `fault`; gives those that met it."""
    real, met = URLLib3Session.send, set[str]()

    def send(self: URLLib3Session, request: Any) -> Any:
        asked = f"{request.method} {request.url} {request.headers.get('X-Amz-Target')} {request.body!r}"
        if _is_write(request) or asked in met:
            return real(self, request)
        met.add(asked)
        return fault(request, lambda given: real(self, given))

    URLLib3Session.send = send
    try:
        yield met
    finally:
        URLLib3Session.send = real


@contextlib.contextmanager
def wire(fault: Fault, nth: int, times: int = 1) -> Iterator[list[int]]:
    """As `install`, for the length of a block; gives the numbers of the writes that met it."""
    met, remove = install(fault, nth, times)
    try:
        yield met
    finally:
        remove()
