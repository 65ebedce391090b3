"""What a diff names, read from recorded outputs and from any text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.judge.incidents.diff import Change, Diff, Property, joined, parse

ROOT = Path(__file__).resolve().parents[2] / "fixtures" / "diffs"
STACK = "careervp-vpr-stack-prod"


def recorded(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def named(diff: Diff) -> dict[str, list[str]]:
    return {f"{one.action} {one.logical_id}": [each.name for each in one.properties] for one in diff.changes}


def test_scalars_lists_and_what_is_taken_away() -> None:
    diff = parse(recorded("wrong-value.txt"))
    assert (diff.kind, diff.stacks) == ("cdk", (STACK,))
    queue, worker = diff.changes
    assert queue == Change(
        action="modify",
        type="AWS::SQS::Queue",
        logical_id="VprJobsQueue0A1B2C3D",
        label="VprJobsQueue",
        stack=STACK,
        properties=(
            Property(path=("VisibilityTimeout",), old="30", new="60"),
            Property(path=("RedrivePolicy", "maxReceiveCount"), old="5", new="3"),
        ),
    )
    assert worker.properties[1] == Property(path=("ReservedConcurrentExecutions",), old="2", removed=True)


def test_nested_properties_are_named_to_the_leaf() -> None:
    diff = parse(recorded("nested.txt"))
    assert diff.stacks == (STACK,), "cdk shows a path, and the stack's name in brackets"
    assert named(diff) == {
        "modify VprSubmitLambda11223344": [
            "Code.S3Key",
            "Environment.Variables.JOB_TTL_S",
            "Environment.Variables.LOG_LEVEL",
        ],
        "modify CareervpJobsTable10203040": ["TimeToLiveSpecification"],
        "modify CareervpApiDeploymentStageprod5A5B5C5D": ["MethodSettings"],
        "modify CareervpApiapivprPOST6B6C6D6E": ["Integration.Uri.Fn::Join"],
    }


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("tags-only.txt", {"modify VprJobsQueue0A1B2C3D": ["Tags"], "modify VprWorkerLambda4D5E6F70": ["Tags"]}),
        ("iam-table.txt", {"add VprSubmitLambdaServiceRoleDefaultPolicyA0B0C0D0": []}),
        (
            "deletions.txt",
            {
                "remove VprGeneratorLambda01020304": [],
                "remove CareervpApiapivprasyncPOST0F0E0D0C": [],
                "orphan VprJobsDlq55667788": [],
                "modify VprJobsQueue0A1B2C3D": ["VisibilityTimeout"],
            },
        ),
        ("none.txt", {}),
        ("unknown.txt", {}),
    ],
)
def test_only_resources_are_named(file: str, names: dict[str, list[str]]) -> None:
    assert named(parse(recorded(file))) == names


def test_another_tools_text_names_nothing_and_says_so() -> None:
    assert parse(recorded("unknown.txt")) == Diff()
    assert parse(recorded("none.txt")) == Diff(kind="cdk", stacks=(STACK,))
    assert parse(recorded("wrong-value.txt"), "none") == Diff()
    assert parse(recorded("wrong-value.txt"), "change-set") == Diff()
    assert parse(recorded("change-set.json"), "cdk") == Diff()


def test_each_change_knows_its_stack() -> None:
    diff = parse(recorded("two-stacks.txt"))
    assert [one.stack for one in diff.changes] == ["careervp-crud-stack-prod", STACK]


def test_a_change_set_tells_values_and_names() -> None:
    diff = parse("Creating change set...\n" + recorded("change-set.json") + "\nbye")
    assert (diff.kind, diff.stacks) == ("change-set", (STACK,))
    assert named(diff) == {
        "modify Jobs0A1B2C3D": [
            "VisibilityTimeout",
            "ReceiveMessageWaitTimeSeconds",
            "RedrivePolicy.deadLetterTargetArn",
            "Tags.0.Value",
        ],
        "modify Worker4D5E6F70": ["MemorySize"],
        "add Dead55667788": [],
        "add Topic11112222": [],
        "orphan Sync01020304": [],
    }, "what only may change is not named, nor what is evaluated later"
    assert diff.changes[2].names == ("careervp-vpr-jobs-dlq-prod",)
    queue, worker = diff.changes[:2]
    assert worker.physical_id == "careervp-vpr-worker-lambda-prod"
    assert [(one.old, one.new) for one in queue.properties[:2]] == [("30", "660"), ("0", "1")]


def test_pages_of_one_change_set_are_one_diff() -> None:
    whole = json.loads(recorded("change-set.json"))
    pages = [{**whole, "Changes": whole["Changes"][:2]}, {**whole, "Changes": whole["Changes"][2:]}]
    assert joined(pages) == joined([whole])


def test_physical_ids_come_from_the_stack_of_that_name_alone() -> None:
    diff = parse(recorded("two-stacks.txt")).resolved({"VprJobsQueue0A1B2C3D": "q"}, STACK)
    assert [one.physical_id for one in diff.changes] == ["", "q"]


WORD = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)
TREES = st.recursive(WORD, lambda inner: st.dictionaries(WORD, inner, min_size=1, max_size=3), max_leaves=8)
RESOURCES = st.dictionaries(
    WORD,
    st.builds(
        lambda kind, properties: {"Type": f"AWS::A::{kind}", "Properties": properties},
        st.sampled_from("XY"),
        st.dictionaries(WORD, TREES, max_size=3),
    ),
    max_size=4,
)


def leaves(tree: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    if not isinstance(tree, dict):
        return {path: tree}
    return {where: value for key, inner in tree.items() for where, value in leaves(inner, (*path, key)).items()}


@given(RESOURCES, RESOURCES)
def test_what_is_written_as_cdk_writes_it_is_read_back(before: dict[str, object], after: dict[str, object]) -> None:
    """Every resource that differs is named with its action; each told leaf has the values of both sides."""
    from typing import Any

    from runbook_lib.rehearse.sandbox.cdk_text import differences

    old: dict[str, Any] = dict(before)
    new: dict[str, Any] = {id: {**one, "Type": old.get(id, one)["Type"]} for id, one in after.items()}  # type: ignore[dict-item]
    text = "\n".join(["Stack s", "Resources", *differences(old, new)])
    found = {one.logical_id: one for one in parse(text).changes}
    assert {id: one.action for id, one in found.items()} == {
        id: "add" if id not in old else "remove" if id not in new else "modify"
        for id in {*old, *new}
        if old.get(id) != new.get(id)
    }
    for id, one in found.items():
        if one.action != "modify":
            continue
        was, now = leaves(old[id]["Properties"]), leaves(new[id]["Properties"])
        for each in one.properties:
            if each.old is not None and each.new is not None and each.path in was and each.path in now:
                assert (each.old, each.new) == (was[each.path], now[each.path])
        differ = {path for path in {*was, *now} if was.get(path) != now.get(path)}
        for path in differ:
            shared = [path[: len(each.path)] == each.path for each in one.properties]
            assert any(shared), f"{path} differs and is not named in {text}"
        for each in one.properties:
            assert any(path[: len(each.path)] == each.path for path in differ), f"{each} does not differ"


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert parse(text).kind in ("none", "cdk", "change-set")


@given(st.text(st.sampled_from("[]~+- │├└─AWS::.:{}\nStack x@")))
def test_any_text_of_its_letters_is_read_without_an_error(text: str) -> None:
    for one in parse(text).changes:
        assert one.type.count("::") >= 1


@pytest.mark.parametrize(
    ("action", "policy", "read"),
    [
        ("Remove", {}, "remove"),
        ("Remove", {"PolicyAction": "Delete"}, "remove"),
        ("Remove", {"PolicyAction": "Snapshot"}, "remove"),
        ("Remove", {"PolicyAction": "Retain"}, "orphan"),
        ("Remove", {"PolicyAction": "RetainExceptOnCreate"}, "orphan"),
        ("Modify", {"PolicyAction": "Retain"}, "modify"),
        ("Add", {"PolicyAction": "Retain"}, "add"),
    ],
)
def test_what_a_change_set_retains_leaves_the_stack_alone(action: str, policy: dict[str, str], read: str) -> None:
    change = {"Action": action, "ResourceType": "AWS::A::B", "LogicalResourceId": "C", **policy}
    found = joined([{"StackName": "s", "Changes": [{"Type": "Resource", "ResourceChange": change}]}])
    assert [(one.action, one.type, one.logical_id, one.stack) for one in found.changes] == [
        (read, "AWS::A::B", "C", "s")
    ]
