"""AWS's answers as dictionaries and lists that say which part is missing, and in the answer to which question.

An answer without a field that AWS always sends comes from something in between, or from another service that speaks
as AWS does. Wherever a step reads it, that is one sentence, and no KeyError.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from runbook_lib.base.answer_types import WrongType
from runbook_lib.base.errors import RunbookError, Unreadable
from runbook_lib.base.foreign import one_line

PORTAL = "does a proxy or a login page stand between? Check the network and AWS_ENDPOINT_URL"


class Part(dict[str, Any]):
    """A structure of an answer. A part that may be missing is asked for by `get`, as of any dictionary."""

    __slots__ = ("asked",)
    asked: str
    """Name of the question, such as `GetFunctionConfiguration`."""

    def __missing__(self, key: str) -> Any:
        raise _without(self.asked, f"without '{one_line(key)}'")


class Row(list[Any]):
    """A list of an answer."""

    __slots__ = ("asked",)
    asked: str

    def __getitem__(self, place: Any) -> Any:
        try:
            return super().__getitem__(place)
        except IndexError:
            raise _without(self.asked, f"a list of {len(self)} is too short") from None


def _without(asked: str, what: str) -> Unreadable:
    return Unreadable(f"AWS's answer to {asked} cannot be read ({what}); {PORTAL}")


def listen(client: Any) -> None:
    """From now on the answers to `client` are such dictionaries and lists, whole."""
    call, model = client._make_api_call, client.meta.service_model
    by_json = "json" in model.resolved_protocol

    def made(asked: str, request: Any) -> Any:
        try:
            answer = call(asked, request)
        except WrongType as error:
            raise _without(asked, str(error)) from None
        except _UNREADABLE as error:
            if isinstance(error, RunbookError) or not through(error, "botocore.parsers"):
                raise
            said = one_line(error) or "without a message"
            raise _without(asked, f"without {said}" if isinstance(error, KeyError) else said) from None
        if by_json and _nothing(answer) and _has_parts(model, asked):
            raise _without(asked, "it is empty")
        return told(answer, asked)

    client._make_api_call = made
    if by_json:
        client.meta.events.register("after-call", _known)


_UNREADABLE = (AttributeError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError)
"""What botocore's parser raises of an answer in which it finds something else than it reads."""


def frames(error: BaseException) -> Iterator[TracebackType]:
    """The error's way, from where it was caught to where it was raised."""
    here = error.__traceback__
    while here is not None:
        yield here
        here = here.tb_next


def through(error: BaseException, *modules: str) -> bool:
    """Whether the error's way goes through one of `modules`."""
    names = [str(frame.tb_frame.f_globals.get("__name__", "")) for frame in frames(error)]
    return any(name == module or name.startswith(f"{module}.") for name in names for module in modules)


def _known(*, http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
    """Checks an answer that botocore finds nothing in: it leaves out what it does not know, so that another service's
    `{"error": ...}` was taken for an empty list. What AWS sends for one is `{}`, or has a key of the operation.

    Raises:
        Unreadable: the operation knows none of its keys.
    """
    shape = model.output_shape
    if http_response.status_code >= 300 or set(parsed) - {"ResponseMetadata"} or not _in_body(shape):
        return
    try:
        body = json.loads(http_response.content or b"{}")
    except (ValueError, RecursionError):
        return  # said by who reads it first
    keys = {member.serialization.get("name", name) for name, member in shape.members.items()}
    if isinstance(body, dict) and body and keys.isdisjoint(body):
        raise _without(model.name, "it has no part that AWS sends")


def _nothing(answer: dict[str, Any]) -> bool:
    """Whether not one byte came. A service that has nothing to list says so in two: `{}`."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return len(answer) == 1 and headers.get("content-length") == "0"


def _has_parts(model: Any, asked: str) -> bool:
    """Whether AWS always sends something; a service with paths may answer an order with nothing."""
    asks = model.resolved_protocol == "json" or asked.startswith(("Get", "List", "Describe"))
    return asks and _in_body(model.operation_model(asked).output_shape)


def _in_body(shape: Any) -> bool:
    """Whether the answer's body has parts, and is not one value, such as a file."""
    return bool(shape and shape.members) and "payload" not in shape.serialization


def told(value: Any, asked: str) -> Any:
    """The same answer, to the question `asked`.

    >>> told({"Items": [{"Name": "a"}]}, "ListItems")["Items"][0]["Name"]
    'a'
    """
    made: Part | Row
    if isinstance(value, dict):
        made = Part(value)
        for key, one in value.items():
            if isinstance(one, (dict, list)):
                made[key] = told(one, asked)
    elif isinstance(value, list):
        inside = bool(value) and isinstance(value[0], (dict, list))  # what AWS lists is all of one kind
        made = Row([told(one, asked) for one in value] if inside else value)
    else:
        return value
    made.asked = asked
    return made
