"""How the inventory asks: one `Call` is one question to AWS and the settings that its answer tells.

A refusal costs the settings of that call alone. What does not exist is an answer too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError
from runbook_lib.observe.inventory.rules import Resource, Trouble
from runbook_lib.params.load import Params


class Clients(Protocol):
    """Whatever hands out boto3 clients: `Aws`, or a test's stand-in."""

    def client(self, service: str) -> Any:
        """The boto3 client of `service`."""
        ...


class Absent(Exception):
    """AWS answered, and there is no such thing."""


GONE: Any = object()
"""As a call's `absent`: without this answer the resource does not exist."""
_ABSENT_CODES = {
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NoSuchBucket",
    "NoSuchEntity",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NotFound",
    "NotFoundException",
    "ResourceNotFoundException",
    "ServerSideEncryptionConfigurationNotFoundError",
}


@dataclass
class Place:
    """One account and region looked at once: clients, and answers that several resources share."""

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
        """The answer to `ask`, asked once; its error is everybody's."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._answers:
                try:
                    self._answers[key] = (ask(), None)
                except Exception as error:  # kept, and raised for each who asks
                    self._answers[key] = (None, error)
            value, trouble = self._answers[key]
        if trouble is not None:
            raise trouble
        return value


@dataclass(frozen=True)
class Spot:
    """One resource of the inventory in one place."""

    place: Place
    id: str
    resource: Resource

    @property
    def params(self) -> Params:
        """The run's parameters."""
        return self.place.params

    @property
    def name(self) -> str:
        """Its physical name, or what stands for it in a sentence."""
        resource, params = self.resource, self.place.params
        if resource.route:
            return f"{resource.method} {getattr(params.service.api.routes, resource.route)}"
        if resource.kind == "flags":
            return params.service.traffic.application.format(env=params.env)
        if resource.alarm:
            declared = next((one for one in params.policy.alarms if one.id == resource.alarm), None)
            return declared.name.format(env=params.env) if declared else resource.alarm
        return params.name(resource.name) if resource.name else self.id

    def label(self, found: Any = None) -> str:
        """How a sentence calls it: by the name that was found, or else by the one it should have.

        What has no name of its own (an event source, a metric filter) goes by its title.
        """
        if self.resource.type:
            return found if isinstance(found, str) else self.name
        if self.resource.route:
            return self.name
        return f"{self.resource.title} ({self.name})" if self.name != self.id else self.resource.title

    def client(self, service: str) -> Any:
        """The boto3 client of `service`."""
        return self.place.client(service)


@dataclass(frozen=True)
class Call:
    """One question: `reads` says how each setting is read from the answer; `absent` stands in where AWS has none."""

    doing: str
    ask: Callable[[Spot], Any]
    reads: Mapping[str, Callable[[Any], Any]]
    absent: Any = GONE


def asked(call: Call, spot: Spot) -> dict[str, Any]:
    """The settings that `call` tells about `spot`; `{"exists": False}` if there is no such resource.

    What could not be seen is a `Trouble`; nothing is raised for a refusal.
    """
    from botocore.exceptions import ClientError

    try:
        with aws_errors(call.doing):
            try:
                answer = call.ask(spot)
            except Absent:
                answer = call.absent
            except ClientError as error:
                if not _says_absent(error):
                    raise
                answer = call.absent
    except AwsError as error:
        return dict.fromkeys(call.reads, Trouble(str(error)))
    if answer is GONE:
        return {"exists": False}
    return {setting: _read(read, answer, call.doing) for setting, read in call.reads.items()}


def _says_absent(error: Any) -> bool:
    said = error.response.get("Error", {})
    # CloudFormation has no code of its own for a stack that is not there.
    return said.get("Code") in _ABSENT_CODES or (
        said.get("Code") == "ValidationError" and "does not exist" in said.get("Message", "")
    )


def _read(read: Callable[[Any], Any], answer: Any, doing: str) -> Any:
    try:
        return read(answer)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return Trouble(f"{doing}: AWS's answer cannot be read ({type(error).__name__}: {error})")


def pages(client: Any, operation: str, key: str, **request: Any) -> list[Any]:
    """Every item of a paginated listing."""
    found = client.get_paginator(operation).paginate(**request)
    return [item for page in found for item in page.get(key, [])]


def there(_: Any) -> bool:
    """For `exists`: that there was an answer is the answer."""
    return True
