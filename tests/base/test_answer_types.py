"""A value of the wrong type in an answer of AWS is an answer that cannot be read, whatever the operation."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.aws import Aws, aws_errors
from runbook_lib.base.errors import AwsError, Unreadable
from runbook_lib.params.permissions import permissions

JSON = {"json", "rest-json", "smithy-rpc-v2-cbor"}
Path = tuple[str | int, ...]
SAMPLES: dict[str, Any] = {
    "string": "text",
    "integer": 5,
    "long": 5,
    "float": 1.5,
    "double": 1.5,
    "boolean": True,
    "timestamp": 1_790_000_000,
    "blob": "eA==",
}
WRONG: dict[str, tuple[Any, ...]] = {
    "string": (5, 1.5, True, [], ["text"], {}, {"a": "b"}),
    "integer": ("many", True, 1.5, [], [5], {}, {"a": 5}),
    "long": ("many", True, 1.5, [], [5], {}, {"a": 5}),
    "float": ("many", True, [], [1.5], {}),
    "double": ("many", True, [], [1.5], {}),
    "boolean": ("yes", 5, [], [True], {}),
    "timestamp": ("yesterday", True, [], [1_790_000_000], {}, 1e300),
    "blob": (5, True, [], ["eA=="], {}),
    "list": ("text", 5, True, {}, {"a": "b"}, [None]),
    "map": ("text", 5, True, [], ["text"], {"a": None}),
    "structure": ("text", 5, True, [], ["text"], [{}]),
}


@cache
def client(service: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        return Aws("us-east-1", "http://127.0.0.1:9").client(service)


@cache
def operations() -> tuple[tuple[str, str], ...]:
    """Every call of ours whose answer is JSON or CBOR, and has parts in its body."""
    found = []
    for call in sorted(permissions().calls):
        service, _, name = call.partition(".")
        model = client(service).meta.service_model
        shape = model.operation_model(name).output_shape if name in model.operation_names else None
        if shape is not None and model.resolved_protocol in JSON and body_of(shape).members and read(shape):
            found.append((service, name))
    return tuple(found)


def body_of(shape: Any) -> Any:
    """The shape of the body: of a part that is the whole body, if there is one."""
    part = shape.members.get(shape.serialization.get("payload"))
    return shape if part is None or part.type_name != "structure" else part


def read(shape: Any) -> bool:
    """Whether the body is read, and not handed on as it is."""
    part = shape.members.get(shape.serialization.get("payload"))
    return part is None or part.type_name == "structure"


def wire_name(name: str, shape: Any) -> str:
    return str(shape.serialization.get("name", name))


def sample(shape: Any, deep: int = 0, *, cbor: bool = False) -> Any:
    """A value as AWS sends it, with every part, down to some depth."""
    if shape.type_name == "structure":
        if deep > 6:
            return {}
        parts = list(shape.members.items())[: 1 if shape.is_tagged_union else None]
        return {
            wire_name(name, one): sample(one, deep + 1, cbor=cbor)
            for name, one in parts
            if not one.serialization.get("location")
        }
    if shape.type_name == "list":
        return [sample(shape.member, deep + 1, cbor=cbor)]
    if shape.type_name == "map":
        return {"key": sample(shape.value, deep + 1, cbor=cbor)}
    return b"x" if cbor and shape.type_name == "blob" else SAMPLES[shape.type_name]


def places(shape: Any, value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every place in a sample, with its shape."""
    yield path, shape
    if shape.type_name == "structure":
        for name, one in shape.members.items():
            if wire_name(name, one) in value:
                yield from places(one, value[wire_name(name, one)], (*path, wire_name(name, one)))
    elif shape.type_name == "list":
        yield from places(shape.member, value[0], (*path, 0))
    elif shape.type_name == "map":
        yield from places(shape.value, value["key"], (*path, "key"))


def with_at(value: Any, path: Path, wrong: Any) -> Any:
    if not path:
        return wrong
    first, *rest = path
    new: Any = list(value) if isinstance(value, list) else dict(value)
    new[first] = with_at(value[first], tuple(rest), wrong)
    return new


def cbor(value: Any) -> bytes:
    """As the protocol writes a value."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        return struct.pack(">BQ", 0x1B, value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xFB, value)
    if isinstance(value, list):
        return struct.pack(">BI", 0x9A, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, dict):
        parts = b"".join(cbor(key) + cbor(one) for key, one in value.items())
        return struct.pack(">BI", 0xBA, len(value)) + parts
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">BI", 0x5A if isinstance(value, bytes) else 0x7A, len(raw)) + raw


def asked(service: str, name: str, body: Any, status: int = 200) -> Any:
    """The answer to a question that AWS answers with `body`."""
    one = client(service)
    by_cbor = one.meta.service_model.resolved_protocol == "smithy-rpc-v2-cbor"
    raw = cbor(body) if by_cbor else json.dumps(body).encode()
    answer = AWSResponse(
        "http://x/",
        status,
        {
            "content-length": str(len(raw)),
            "smithy-protocol": "rpc-v2-cbor",
            "x-amzn-errortype": "ConflictException" * (status >= 300),
        },
        None,
    )
    answer._content = raw
    question = one.meta.service_model.operation_model(name).input_shape
    given = {part: sample_in(question.members[part]) for part in (question.required_members if question else ())}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runbook_lib.base.patience.Patient.send", lambda *_: answer)
        patch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
        return one._make_api_call(name, given)


def sample_in(shape: Any) -> Any:
    if shape.type_name == "structure":
        return {name: sample_in(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [sample_in(shape.member)]
    if shape.type_name == "string":
        return "x" * shape.metadata.get("min", 1)
    return {} if shape.type_name == "map" else {**SAMPLES, "blob": b"x"}[shape.type_name]


def whole(service: str, name: str) -> tuple[Any, Any]:
    model = client(service).meta.service_model
    shape = body_of(model.operation_model(name).output_shape)
    return shape, sample(shape, cbor=model.resolved_protocol == "smithy-rpc-v2-cbor")


@pytest.mark.parametrize(("service", "name"), operations(), ids=str)
def test_what_aws_sends_is_read(service: str, name: str) -> None:
    _, value = whole(service, name)
    assert len(asked(service, name, value)) > 1


@pytest.mark.slow
@pytest.mark.parametrize(("service", "name"), operations(), ids=str)
@given(data=st.data())
def test_a_wrong_type_anywhere_cannot_be_read(service: str, name: str, data: st.DataObject) -> None:
    shape, value = whole(service, name)
    path, at = data.draw(st.sampled_from([one for one in places(shape, value) if one[1].type_name in WRONG]))
    wrong = data.draw(st.sampled_from([one for one in WRONG[at.type_name] if acceptable(one, at)]))
    with pytest.raises(Unreadable) as caught:
        asked(service, name, with_at(value, path, wrong))
    said = str(caught.value)
    assert f"AWS's answer to {name} cannot be read (" in said and said.isprintable() and len(said) < 600


def acceptable(wrong: Any, shape: Any) -> bool:
    """Whether a value is wrong for this shape: a list of nothing is not told from a list."""
    return not (wrong == [None] and shape.type_name != "list")


@pytest.mark.parametrize("body", [[], 5, "text", None, {"__type": 5}, {"message": []}, {"__type": ["a"]}])
@pytest.mark.parametrize(("service", "name"), [("sqs", "ReceiveMessage"), ("lambda", "GetAlias")])
def test_a_refusal_of_the_wrong_type_is_told(service: str, name: str, body: Any) -> None:
    with pytest.raises(AwsError) as caught, aws_errors("asking"):
        asked(service, name, body, 400)
    assert str(caught.value).isprintable()
