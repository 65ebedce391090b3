"""How the inventory asks: one `Call` is one question to AWS and the settings that its answer tells.

A refusal affects the settings of that call alone. That something does not exist is an answer too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.errors import AwsError, UsageError
from runbook_lib.base.foreign import field, head
from runbook_lib.base.template import filled
from runbook_lib.observe.asking import Absent, Place
from runbook_lib.observe.inventory.rules import Resource, Trouble
from runbook_lib.params.load import Params

_LENGTH = 200
GONE: Any = object()
"""Value of a call's `absent`: without this answer the resource does not exist."""
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
        """The resource's physical name, or a phrase for it (method and path of a route)."""
        resource, params = self.resource, self.place.params
        if resource.route:
            return f"{resource.method} {getattr(params.service.api.routes, resource.route)}"
        if resource.kind == "flags":
            return filled(params.service.appconfig.application, {"env": params.env})
        if resource.alarm:
            declared = next((one for one in params.policy.alarms if one.id == resource.alarm), None)
            return filled(declared.name, {"env": params.env}) if declared else resource.alarm
        return params.name(resource.name) if resource.name else self.id

    def label(self, found: Any = None) -> str:
        """The resource's name in a sentence: the name that was found, else the one that it should have.

        A resource without a name of its own (an event source, a metric filter) has its title.
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
    """One question: `reads` has a reader for each setting of the answer; `absent` replaces a missing answer."""

    doing: str
    ask: Callable[[Spot], Any]
    reads: Mapping[str, Callable[[Any], Any]]
    absent: Any = GONE


def asked(call: Call, spot: Spot) -> dict[str, Any]:
    """The settings of `spot` by `call`; `{"exists": False}` if there is no such resource.

    A setting that could not be seen is a `Trouble`; a refusal raises nothing.
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
    except UsageError:
        raise
    except Exception as error:  # an answer in an undocumented form affects this call, not the inventory
        return dict.fromkeys(call.reads, _unreadable(call.doing, error))
    if answer is GONE:
        return {"exists": False}
    return {setting: _read(read, answer, call.doing) for setting, read in call.reads.items()}


def _says_absent(error: Any) -> bool:
    said = error.response.get("Error", {})
    # CloudFormation has no error code of its own for a missing stack.
    return said.get("Code") in _ABSENT_CODES or (
        said.get("Code") == "ValidationError" and "does not exist" in said.get("Message", "")
    )


def _read(read: Callable[[Any], Any], answer: Any, doing: str) -> Any:
    try:
        return read(answer)
    except Exception as error:
        return _unreadable(doing, error)


def _unreadable(doing: str, error: Exception) -> Trouble:
    if isinstance(error, AwsError):
        return Trouble(f"{doing}: {error}")
    said = field(head(f"{type(error).__name__}: {error}", _LENGTH))
    return Trouble(f"{doing}: AWS's answer cannot be read ({said})")


def there(_: Any) -> bool:
    """Reader of `exists`: true, since AWS answered."""
    return True
