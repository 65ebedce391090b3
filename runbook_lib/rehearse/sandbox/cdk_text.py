"""Differences between two templates, as `cdk diff` prints them: a line per resource, a tree of its properties."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Resources = Mapping[str, Mapping[str, Any]]
_NAMES = (
    "QueueName",
    "TableName",
    "FunctionName",
    "BucketName",
    "TopicName",
    "RoleName",
    "AlarmName",
    "FilterName",
    "LogGroupName",
    "StageName",
    "Name",
)
"""Properties with a resource's own name, most telling first."""
_LONGEST = 100


def differences(before: Resources, after: Resources, defaults: Mapping[str, str] | None = None) -> Iterator[str]:
    """A line for each added, removed or changed resource, followed by a tree of its changed properties.

    Args:
        defaults: values of the template's parameters, for the resources' names.
    """
    for id in sorted(set(before) | set(after)):
        old, new = before.get(id), after.get(id)
        if old == new:
            continue
        one, others = (new, after) if new is not None else (old or {}, before)
        told = f"{one.get('Type', '?')} {_labelled(id, others, defaults or {})}"
        if old is None or new is None:
            yield f"[{'+' if old is None else '-'}] {told}"
            continue
        yield f"[~] {told}"
        was, now = _parts(old), _parts(new)
        yield from _tree(was, now, "")


def _parts(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A resource's properties, and its other attributes."""
    beside = {key: value for key, value in resource.items() if key not in ("Type", "Properties")}
    return {**resource.get("Properties", {}), **beside}


def _tree(was: Mapping[str, Any], now: Mapping[str, Any], indent: str, inner: bool = False) -> Iterator[str]:
    changed = [key for key in sorted(set(was) | set(now)) if was.get(key) != now.get(key)]
    for place, key in enumerate(changed):
        last = place == len(changed) - 1
        branch, below = f"{indent} {'└' if last else '├'}─ ", f"{indent} {' ' if last else '│'}  "
        if key in was and key in now:
            yield f"{branch}[~] {f'.{key}:' if inner else key}"
            yield from _value(was[key], now[key], below)
        else:
            sign, value = ("+", now.get(key)) if key in now else ("-", was.get(key))
            yield f"{branch}[{sign}] {f'{_MOVED[sign]}: .{key}' if inner else key}"
            if not inner:
                yield f"{below} └─ {_short(value)}"


_MOVED = {"+": "Added", "-": "Removed"}


def _value(old: Any, new: Any, indent: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict) and not _intrinsic(old) and not _intrinsic(new):
        yield from _tree(old, new, indent, inner=True)
        return
    yield f"{indent} ├─ [-] {_short(old)}"
    yield f"{indent} └─ [+] {_short(new)}"


def _intrinsic(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _short(value: object) -> str:
    text = value if isinstance(value, str) and "\n" not in value else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _labelled(id: str, resources: Resources, defaults: Mapping[str, str]) -> str:
    label = _label(id, resources, defaults)
    return f"{label} {id}" if label else id


def _label(id: str, resources: Resources, defaults: Mapping[str, str]) -> str:
    """The text in front of the logical id: for a route its path and method, else the resource's name."""
    resource = resources.get(id, {})
    kind, properties = resource.get("Type"), resource.get("Properties", {})
    if kind == "AWS::ApiGateway::Method":
        return f"{_path(properties.get('ResourceId'), resources)}/{properties.get('HttpMethod')}"
    if kind == "AWS::Lambda::Permission":
        method = _label(f"{id.removesuffix('Permission')}Method", resources, defaults)
        return f"{method}/Permission" if method else ""
    if kind == "AWS::Lambda::EventSourceMapping":
        function = properties.get("FunctionName", {}).get("Ref", "")
        return f"{_label(function, resources, defaults)}/EventSource"
    name = next((properties[one] for one in _NAMES if one in properties), None)
    return (resolved(name, defaults) or "").strip("/").replace(" ", "-")


def _path(resource: Any, resources: Resources) -> str:
    """`api/exports`, from the parts that the API's resources have."""
    reference = resource.get("Ref") if isinstance(resource, dict) else None
    properties = resources.get(reference or "", {}).get("Properties")
    if properties is None:
        return ""
    above = _path(properties.get("ParentId"), resources)
    return f"{above}/{properties['PathPart']}".strip("/")


def resolved(value: object, defaults: Mapping[str, str]) -> str | None:
    """The name behind a parameter or a substitution; None for a name that only AWS knows."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("Ref"), str):
        return defaults.get(value["Ref"])
    if isinstance(value, dict) and isinstance(value.get("Fn::Sub"), str):
        return re.sub(r"\$\{(\w+)\}", lambda match: defaults.get(match[1], match[0]), value["Fn::Sub"])
    return None
