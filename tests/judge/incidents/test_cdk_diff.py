"""Each line of the text of `cdk diff`: which resource, property and value it names, to the letter."""

from __future__ import annotations

import pytest

from runbook_lib.judge.incidents.cdk_diff import parse_cdk
from runbook_lib.judge.incidents.diff import Change, Diff, Property

TEXT = """\
Stack Prod/Jobs (jobs-prod)
IAM Statement Changes
┌───┬──────┐
│   │ Role │
└───┴──────┘
 ├─ [~] Lost
Resources
[~] AWS::Lambda::Function App/Worker Worker1A2B3C4D
 ├─ [~] Timeout
 │   ├─ [-] 60
 │   └─ [+] 300
 ├─ [+] ReservedConcurrentExecutions
 │   └─ 5
 ├─ [-] Layers
 │   └─ ["a"]
 ├─ [+] Tags
 │   └─ @@ -1,2 +1,2 @@
 │      [ ] [
 │      [-]   "a"
 └─ [~] Environment (requires replacement)
     └─ [~] .Variables:
         ├─ [+] Added: .NEW
         │   └─ 1
         ├─ [-] Removed: .OLD
         │   └─ 2
         └─ [~] .KEPT: (may cause replacement)
             ├─ [-] 3
             └─ [+] 4

[~] AWS::SQS::Queue Queue Queue55667788 may be replaced
 └─ [~] QueueName
     ├─ [-] a
     └─ [+] b
[-] AWS::SQS::Queue Old Old11223344 destroy
[-] AWS::S3::Bucket My Old Bucket Kept11223344 orphan
[+] AWS::SNS::Topic Topic Topic99887766
Outputs
[+] Output X X: {"Value":"y"}
 └─ [~] Description

Stack other
[~] AWS::SNS::Topic Topic10203040 replace
 └─ [~] TopicName
"""


def a_change(action: str, type: str, logical_id: str, label: str, *properties: Property, stack: str = "") -> Change:
    given = {"action": action, "type": f"AWS::{type}", "logical_id": logical_id, "label": label}
    return Change.model_validate({**given, "stack": stack or "jobs-prod", "properties": properties})


def test_each_line_of_a_diff() -> None:
    found = parse_cdk(TEXT)
    assert (found.kind, found.stacks) == ("cdk", ("jobs-prod", "other"))
    assert found.changes == (
        a_change(
            "modify",
            "Lambda::Function",
            "Worker1A2B3C4D",
            "App/Worker",
            Property(path=("Timeout",), old="60", new="300"),
            Property(path=("ReservedConcurrentExecutions",), new="5"),
            Property(path=("Layers",), old='["a"]', removed=True),
            Property(path=("Tags",)),
            Property(path=("Environment", "Variables", "NEW"), new="1"),
            Property(path=("Environment", "Variables", "OLD"), old="2", removed=True),
            Property(path=("Environment", "Variables", "KEPT"), old="3", new="4"),
        ),
        a_change(
            "modify",
            "SQS::Queue",
            "Queue55667788",
            "Queue",
            Property(path=("QueueName",), old="a", new="b"),
        ),
        a_change("remove", "SQS::Queue", "Old11223344", "Old"),
        a_change("orphan", "S3::Bucket", "Kept11223344", "My Old Bucket"),
        a_change("add", "SNS::Topic", "Topic99887766", "Topic"),
        a_change("modify", "SNS::Topic", "Topic10203040", "", Property(path=("TopicName",)), stack="other"),
    )


@pytest.mark.parametrize(
    ("text", "diff"),
    [
        ("", Diff()),
        ("There were no differences", Diff()),
        ("Stack s", Diff()),
        ("Stack s\nThere were no differences", Diff(kind="cdk", stacks=("s",))),
        ("Stack s\nStack a/b (c)\nStack s\nThere were no differences", Diff(kind="cdk", stacks=("s", "c"))),
        ("Stack s\n✨  Number of stacks with differences: 0", Diff(kind="cdk", stacks=("s",))),
        ("Stack s\nmore: There were no differences", Diff()),
        (
            " ├─ [~] Lost\n[-] AWS::A::B C",
            Diff(kind="cdk", changes=(Change(action="remove", type="AWS::A::B", logical_id="C"),)),
        ),
    ],
)
def test_a_text_without_a_resource_is_a_diff_only_where_it_says_so(text: str, diff: Diff) -> None:
    assert parse_cdk(text) == diff


def test_what_stands_below_no_property_is_no_property() -> None:
    """A line without a mark, and a value below a property that was closed by a line as far to the left."""
    (found,) = parse_cdk("[~] AWS::A::B C\n ├─ lost\n ├─ [~] One\n └─ lost\n     └─ lost\n").changes
    assert found.properties == (Property(path=("One",)),)
