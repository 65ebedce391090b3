"""What questions about AWS's resources share: clients, pages, shared answers, policies as JSON, and `Absent`."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from runbook_lib.params.load import Params


class Clients(Protocol):
    """Anything that makes boto3 clients: `Aws`, or a test's stand-in."""

    def client(self, service: str) -> Any:
        """The boto3 client of `service`."""
        ...


class Absent(Exception):
    """Raised where AWS answered that there is no such thing."""


@dataclass
class Place:
    """One account and region during one look: clients, and answers that several resources share."""

    aws: Clients
    params: Params
    step: str
    _answers: dict[str, Any] = field(default_factory=dict)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str) -> Any:
        """The boto3 client of `service`; made by one thread at a time."""
        with self._lock:
            return self.aws.client(service)

    def once(self, key: str, ask: Callable[[], Any]) -> Any:
        """The answer to `ask`, asked once; if it raises, every caller gets the same error."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._answers:
                try:
                    self._answers[key] = (ask(), None)
                except Exception as error:  # kept, and raised for every caller
                    self._answers[key] = (None, error)
            value, trouble = self._answers[key]
        if trouble is not None:
            raise trouble
        return value


def pages(client: Any, operation: str, key: str, **request: Any) -> list[Any]:
    """Every item of a paginated listing."""
    found = client.get_paginator(operation).paginate(**request)
    return [item for page in found for item in page.get(key, [])]


def redrive(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The redrive policy among a queue's attributes; empty: it has none."""
    found: dict[str, Any] = json.loads(attributes.get("RedrivePolicy") or "{}")
    return found
