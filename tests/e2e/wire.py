"""Faults on the wire between botocore and AWS: what the n-th write meets (of a shift, if nothing else is said).

Also run inside a kernel.
"""

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
Hits = Callable[[Any], bool]
WRITE = re.compile(r"/applications/\w+/environments/\w+/deployments")
WRITES = ("the deployment at 0", "the deployment at the weight")
"""The writes of a shift that change what is in force, in order; a version that is there already is not made again."""


class _Body(io.BytesIO):
    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


def answer(request: Any, status: int, code: str) -> AWSResponse:
    body = json.dumps({"Message": f"{code} by a test", "__type": code}).encode()
    headers = {"x-amzn-errortype": code, "content-type": "application/json", "content-length": str(len(body))}
    return AWSResponse(request.url, status, headers, _Body(body))


def throttled(request: Any, _: Send) -> Any:
    return answer(request, 429, "ThrottlingException")


def server_error(request: Any, _: Send) -> Any:
    return answer(request, 500, "InternalServerException")


def denied(request: Any, _: Send) -> Any:
    return answer(request, 403, "AccessDeniedException")


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


def is_shift(request: Any) -> bool:
    """One of `WRITES`."""
    return request.method == "POST" and bool(WRITE.fullmatch(urlsplit(request.url).path.rstrip("/")))


def calls(*operations: str) -> Hits:
    """Requests of these operations of Lambda, DynamoDB or SQS."""
    paths = {
        "PutFunctionConcurrency": ("PUT", "/concurrency"),
        "UpdateEventSourceMapping": ("PUT", "/event-source-mappings/"),
    }

    def hits(request: Any) -> bool:
        target = request.headers.get("X-Amz-Target") or b""
        target = target.decode() if isinstance(target, bytes) else target
        for one in operations:
            method, part = paths.get(one, ("", ""))
            if target.endswith(f".{one}") or (part and part in request.url and request.method == method):
                return True
        return False

    return hits


def install(fault: Fault, nth: int, times: int = 1, hits: Hits = is_shift) -> tuple[list[int], Callable[[], None]]:
    """The `nth` write (from 1) and those after it, `times` in all, meet `fault`.

    Returns the numbers of the writes that met it, and what takes it away again.
    """
    real, seen, met = URLLib3Session.send, [0], list[int]()

    def send(self: URLLib3Session, request: Any) -> Any:
        if hits(request):
            seen[0] += 1
            if nth <= seen[0] < nth + times:
                met.append(seen[0])
                return fault(request, lambda given: real(self, given))
        return real(self, request)

    URLLib3Session.send = send

    def remove() -> None:
        URLLib3Session.send = real

    return met, remove


@contextlib.contextmanager
def each_once(fault: Fault, hits: Hits) -> Iterator[set[str]]:
    """Every request that `hits`, each the first time that it is sent, meets `fault`; gives those that met it."""
    real, met = URLLib3Session.send, set[str]()

    def send(self: URLLib3Session, request: Any) -> Any:
        asked = f"{request.method} {request.url} {request.headers.get('X-Amz-Target')} {request.body!r}"
        if not hits(request) or asked in met:
            return real(self, request)
        met.add(asked)
        return fault(request, lambda given: real(self, given))

    URLLib3Session.send = send
    try:
        yield met
    finally:
        URLLib3Session.send = real


@contextlib.contextmanager
def wire(fault: Fault, nth: int, times: int = 1, hits: Hits = is_shift) -> Iterator[list[int]]:
    """As `install`, for the length of a block; gives the numbers of the writes that met it."""
    met, remove = install(fault, nth, times, hits)
    try:
        yield met
    finally:
        remove()
