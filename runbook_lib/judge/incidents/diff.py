"""Resources and properties that an infrastructure diff names: a change set, `cdk diff` or a plan of Terraform.

A diff that is in none of these formats names nothing. Formats: DescribeChangeSet (CloudFormation API reference,
`ResourceChange`, `ResourceTargetDefinition`); the text of `cdk diff` is read in `cdk_diff`, a plan in `terraform_plan`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from runbook_lib.judge.terms import Frozen

Kind = Literal["auto", "change-set", "cdk", "terraform", "none"]
Action = Literal["add", "modify", "remove", "orphan"]
"""What happens to a resource; `orphan`: it leaves the stack and stays in AWS."""
_ACTIONS: dict[str, Action] = {"Add": "add", "Modify": "modify", "Remove": "remove"}


class Property(Frozen):
    """One property that changes."""

    path: tuple[str, ...]
    old: str | None = None
    """Value before; None: unknown, or there was none."""
    new: str | None = None
    """Value after; None: unknown, or it is removed (`removed`)."""
    removed: bool = False

    @property
    def name(self) -> str:
        """The property's path in words, such as `RedrivePolicy.maxReceiveCount`."""
        return ".".join(self.path)


class Change(Frozen):
    """One resource that is created, changed or removed."""

    action: Action
    type: str
    """CloudFormation type."""
    logical_id: str
    label: str = ""
    """The resource's path in the code, where the diff has it."""
    physical_id: str = ""
    stack: str = ""
    properties: tuple[Property, ...] = ()
    after: dict[str, Any] = Field(default_factory=dict)
    """The resource's properties after the change, where the diff has them."""

    @property
    def words(self) -> str:
        """Type and name in words, such as `AWS::SQS::Queue JobsQueue`."""
        return f"{self.type} {self.label or self.logical_id}"

    @property
    def names(self) -> tuple[str, ...]:
        """Names that its new properties give, such as `QueueName`."""
        return tuple(
            value for key, value in self.after.items() if key.endswith("Name") and isinstance(value, str) and value
        )


class Diff(Frozen):
    """Everything that a diff names."""

    kind: Literal["change-set", "cdk", "terraform", "none"] = "none"
    """Format of the text; `none`: an unknown format, so it names nothing."""
    stacks: tuple[str, ...] = ()
    """Stacks in the diff, changed or not."""
    changes: tuple[Change, ...] = ()

    def resolved(self, resources: Mapping[str, str], stack: str) -> Diff:
        """The diff with missing physical ids added from `stack`, by logical id."""
        changes = tuple(
            one.model_copy(update={"physical_id": resources[one.logical_id]})
            if not one.physical_id and one.stack in ("", stack) and one.logical_id in resources
            else one
            for one in self.changes
        )
        return self.model_copy(update={"changes": changes})


def parse(text: str, kind: Kind = "auto") -> Diff:
    """Reads the output of a diff command.

    Args:
        kind: `auto` reads a change set if there is one in the text, else a plan of Terraform, else the output of
            `cdk diff`.
    """
    from runbook_lib.judge.incidents.cdk_diff import parse_cdk
    from runbook_lib.judge.incidents.terraform_plan import parse_plan

    found = objects(text) if kind in ("auto", "change-set") else ()
    sets = [one for one in found if isinstance(one.get("Changes"), list)]
    if sets:
        return joined(sets)
    plan = parse_plan(text) if kind in ("auto", "terraform") else Diff()
    if plan.kind != "none":
        return plan
    return parse_cdk(text) if kind in ("auto", "cdk") else Diff()


def joined(sets: Sequence[Mapping[str, Any]]) -> Diff:
    """One diff from answers of DescribeChangeSet: pages of one change set, or one change set a stack."""
    stacks = dict.fromkeys(str(one.get("StackName", "")) for one in sets if one.get("StackName"))
    changes = [
        made
        for one in sets
        for change in one.get("Changes") or ()
        if (made := _changed(change.get("ResourceChange") or {}, str(one.get("StackName", "")))) is not None
    ]
    return Diff(kind="change-set", stacks=tuple(stacks), changes=tuple(changes))


def objects(text: str) -> Iterator[dict[str, Any]]:
    """JSON objects in the text; each begins a line."""
    decoder, at = json.JSONDecoder(), 0
    while (start := text.find("{", at)) >= 0:
        at = start + 1
        if text[:start].rpartition("\n")[2].strip():
            continue
        try:
            found, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found


def _changed(change: Mapping[str, Any], stack: str) -> Change | None:
    """The change; None where the resource is imported or only may change: nothing is certain then."""
    action = _ACTIONS.get(str(change.get("Action")))
    if action is None:
        return None
    if action == "remove" and str(change.get("PolicyAction", "Delete")).startswith("Retain"):
        action = "orphan"
    details = [_property(one) for one in change.get("Details") or () if _certain(one)]
    return Change(
        action=action,
        type=str(change.get("ResourceType", "")),
        logical_id=str(change.get("LogicalResourceId", "")),
        physical_id=str(change.get("PhysicalResourceId") or ""),
        stack=stack,
        properties=tuple(one for one in details if one.old is None or one.old != one.new),
        after=_context(change.get("AfterContext")),
    )


def _certain(detail: Mapping[str, Any]) -> bool:
    """Whether the property is changed for sure.

    AWS evaluates the consequences of another resource's change while it executes the change set: they may be no change.
    """
    told = "AfterValue" in (detail.get("Target") or {})
    follows = detail.get("ChangeSource") in ("ResourceReference", "ResourceAttribute")
    return told or not (follows and detail.get("Evaluation") == "Dynamic")


def _property(detail: Mapping[str, Any]) -> Property:
    target = detail.get("Target") or {}
    path = tuple(part for part in str(target.get("Path", "")).split("/") if part)
    if path[:1] == ("Properties",):
        path = path[1:]
    path = path or (str(target.get("Name") or target.get("Attribute") or ""),)
    removed = target.get("AttributeChangeType") == "Remove"
    return Property(path=path, old=target.get("BeforeValue"), new=target.get("AfterValue"), removed=removed)


def _context(said: Any) -> dict[str, Any]:
    try:
        found = json.loads(said) if isinstance(said, str) else said
    except ValueError:
        return {}
    properties = found.get("Properties") if isinstance(found, dict) else None
    return properties if isinstance(properties, dict) else {}
