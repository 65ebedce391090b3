"""What a plan of Terraform names: plans are drawn with a truth that is known, in the documented format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.incidents.diff import parse
from runbook_lib.judge.incidents.mending import Place, Wanted, mended
from runbook_lib.judge.incidents.terraform_plan import TYPES, _at, parse_plan

NAME = "orders-jobs-queue-prod"
QUEUE = Place("AWS::SQS::Queue", names=(NAME,), named=True)


def plan(*changes: dict[str, Any], version: str = "1.2") -> str:
    head = {"format_version": version, "terraform_version": "1.9.0", "planned_values": {"root_module": {}}}
    return json.dumps({**head, "resource_changes": list(changes)})


def change(type: str, actions: list[str], before: Any, after: Any, **marks: Any) -> dict[str, Any]:
    told = {"actions": actions, "before": before, "after": after, "after_unknown": {}, **marks}
    return {"address": f"module.jobs.{type}.main[0]", "mode": "managed", "type": type, "name": "main", "change": told}


def wait(seconds: int) -> Wanted:
    """That the queue's visibility timeout is so many seconds."""
    return Wanted(
        "setting", ((QUEUE, ("VisibilityTimeout",)),), "visibility timeout", holds=lambda told: told == seconds
    )


numbers = st.integers(0, 43200)


@given(numbers, numbers, numbers, st.sampled_from([["update"], ["delete", "create"], ["create", "delete"]]))
def test_a_setting_is_mended_if_it_changes_to_what_is_expected(
    old: int, new: int, expected: int, how: list[str]
) -> None:
    before, after = ({"name": NAME, "visibility_timeout_seconds": value} for value in (old, new))
    found = mended(wait(expected), parse(plan(change("aws_sqs_queue", how, before, after))), "any-stack")
    assert found.ok == (old != new and new == expected), found.words


@given(numbers, numbers)
def test_a_queue_of_another_name_is_another_queue(old: int, new: int) -> None:
    before, after = ({"name": "else", "visibility_timeout_seconds": value} for value in (old, new))
    assert not mended(wait(new), parse(plan(change("aws_sqs_queue", ["update"], before, after))), "").ok


@given(numbers, st.sampled_from(["secret", "unknown"]))
def test_what_is_secret_or_known_afterwards_is_named_and_not_told(old: int, why: str) -> None:
    marked = {"visibility_timeout_seconds": True}
    marks = {"after_sensitive": marked} if why == "secret" else {"after_unknown": marked}
    after = {"name": NAME, "visibility_timeout_seconds": 7 if why == "secret" else None}
    before = {"name": NAME, "visibility_timeout_seconds": old if old != 7 else 8}
    text = plan(change("aws_sqs_queue", ["update"], before, after, **marks))
    found = mended(wait(60), parse(text), "")
    assert found.ok and "does not show the new value" in found.words
    assert "7" not in parse(text).model_dump_json().replace(str(before["visibility_timeout_seconds"]), "")


@pytest.mark.parametrize(
    ("actions", "said"),
    [(["create"], "add"), (["update"], "modify"), (["delete"], "remove"), (["forget"], "orphan")],
)
def test_what_becomes_of_a_resource(actions: list[str], said: str) -> None:
    before, after = {"name": NAME}, {"name": NAME, "visibility_timeout_seconds": 60}
    (found,) = parse_plan(plan(change("aws_sqs_queue", actions, before, after))).changes
    assert (found.action, found.physical_id, found.names[:1]) == (said, NAME, (NAME,))
    gone = mended(Wanted("gone", ((QUEUE, ()),)), parse(plan(change("aws_sqs_queue", actions, before, None))), "")
    assert gone.ok == (said == "remove")


def test_a_new_resource_with_a_wrong_setting_mends_nothing() -> None:
    exists = Wanted("exists", ((QUEUE, ()),), settings=(wait(60),))
    for seconds in (60, 61):
        made = change("aws_sqs_queue", ["create"], None, {"name": NAME, "visibility_timeout_seconds": seconds})
        assert mended(exists, parse(plan(made)), "").ok == (seconds == 60)


def test_a_resource_that_is_a_property_of_another_changes_that_one() -> None:
    url = f"https://sqs.eu-central-1.amazonaws.com/000000000103/{NAME}"
    policy = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:eu-central-1:000000000103:dead", "maxReceiveCount": 3})
    made = change("aws_sqs_queue_redrive_policy", ["create"], None, {"queue_url": url, "redrive_policy": policy})
    at = ((QUEUE, ("RedrivePolicy", "maxReceiveCount")),)
    for receives in (3, 5):
        held = Wanted("setting", at, "max receives", holds=lambda told, limit=receives: told == limit)
        assert mended(held, parse(plan(made)), "").ok == (receives == 3)
    taken = change("aws_sqs_queue_redrive_policy", ["delete"], {"queue_url": url, "redrive_policy": policy}, None)
    assert not mended(Wanted("setting", at, holds=lambda told: True), parse(plan(taken)), "").ok


def test_nested_blocks_and_shapes_that_differ() -> None:
    before = {
        "name": "t",
        "ttl": [{"attribute_name": "", "enabled": False}],
        "hash_key": "id",
        "billing_mode": "PROVISIONED",
    }
    after = {
        "name": "t",
        "ttl": [{"attribute_name": "ttl", "enabled": True}],
        "hash_key": "job_id",
        "billing_mode": "PAY_PER_REQUEST",
    }
    (found,) = parse(plan(change("aws_dynamodb_table", ["update"], before, after))).changes
    told = {one.name: (one.old, one.new) for one in found.properties}
    assert told == {
        "BillingMode": ("PROVISIONED", "PAY_PER_REQUEST"),
        "TimeToLiveSpecification.AttributeName": ("", "ttl"),
        "TimeToLiveSpecification.Enabled": ("false", "true"),
        "KeySchema": (None, None),
    }


def test_what_stays_is_not_named() -> None:
    same = change("aws_sqs_queue", ["no-op"], {"name": NAME}, {"name": NAME})
    read = change("aws_sqs_queue", ["read"], None, {"name": NAME})
    data = change("aws_sqs_queue", ["update"], {}, {"visibility_timeout_seconds": 1}) | {"mode": "data"}
    aside = change("aws_sqs_queue", ["delete"], {"name": NAME}, None) | {"deposed": "a1b2c3d4"}
    diff = parse(plan(same, read, data, aside))
    assert (diff.kind, diff.changes) == ("terraform", ())


def test_a_type_that_is_not_known_is_named_by_its_address() -> None:
    (found,) = parse(plan(change("aws_kinesis_stream", ["create"], None, {"name": "s"}))).changes
    assert (found.type, found.label, found.properties) == (
        "aws_kinesis_stream",
        "module.jobs.aws_kinesis_stream.main[0]",
        (),
    )


def test_it_is_found_behind_what_else_is_printed_and_its_version_is_known() -> None:
    made = change("aws_sqs_queue", ["delete"], {"name": NAME}, None)
    assert len(parse(f"Refreshing {{state}}\n{plan(made)}\nDone", "terraform").changes) == 1
    assert parse(plan(made, version="2.0"), "terraform").kind == "none"
    assert parse("no plan", "terraform").kind == "none"
    assert parse(plan(made), "cdk").kind == "none"


json_ = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(
    json_, json_, json_, json_, st.sampled_from(sorted(TYPES)), st.sampled_from([["update"], ["create"], ["delete"]])
)
def test_whatever_a_plan_holds_it_is_read_or_left(
    before: Any, after: Any, unknown: Any, entry: Any, type: str, actions: list[str]
) -> None:
    inner = {key: before for key in TYPES[type].attributes if "." not in key}
    one = change(type, actions, before, after, after_unknown=unknown, after_sensitive=entry)
    other = change(type, actions, inner, {**inner, "name": after}, after_unknown=unknown)
    assert parse_plan(plan(one, other)).kind == "terraform"
    parse_plan(plan(entry))  # type: ignore[arg-type]
    parse_plan(json.dumps({"format_version": "1.0", "resource_changes": entry}))


@pytest.mark.parametrize(
    ("plan", "kind"),
    [
        ({"format_version": "1.2", "planned_values": {}}, "terraform"),
        ({"format_version": "1.2", "resource_changes": []}, "terraform"),
        ({"format_version": "1.2"}, "none"),
        ({"planned_values": {}}, "none"),
        ({"format_version": "99.0", "planned_values": {}}, "none"),
        ({"format_version": "1.2", "resource_changes": {}}, "none"),
    ],
)
def test_a_plan_without_changes_is_known_by_what_it_plans(plan: dict[str, Any], kind: str) -> None:
    assert parse_plan(json.dumps(plan)).kind == kind


@pytest.mark.parametrize(
    ("told", "path", "value"),
    [
        ({"a": [{"b": 3}]}, "a.0.b", 3),
        ({"a": [{"b": 3}]}, "a.1.b", None),
        ({"a": [{"b": 3}]}, "a.b", None),
        ({"a": [{"b": 3}]}, "b.0", None),
        ({"a": True}, "a.0.b", True),
        ({"a": 1}, "a.b", None),
        ({"a": 1}, "a", 1),
        (True, "a", True),
    ],
)
def test_the_value_at_a_path(told: Any, path: str, value: Any) -> None:
    assert _at(told, path) == value
