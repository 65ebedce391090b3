"""Finds the failing inventory checks that a deployment will mend: those whose setting its diff names.

- A missing resource: the diff creates it, and shows no wrong setting.
- A resource that must go: the diff removes it from the stack and from AWS.
- A wrong setting: the diff changes its property to the wanted value. Where the diff names the property without its
  value (a list's patch, a reference to another resource), the name is enough, and the words say so.

The resource of a change follows from physical names where the diff or the stack has them, else from the path or logical
id in the team's code, compared in lower case without punctuation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from runbook_lib.base.redact import MASK, redact_text
from runbook_lib.judge.incidents.diff import Change, Diff, Property

_HASH = re.compile(r"[0-9A-F]{8}$")
_UNKNOWN = re.compile(rf"\$\{{|\"?Ref\"?\s*:|Fn::|\{{\{{|KNOWN_AFTER_APPLY|\.\.\.$|{re.escape(MASK)}")
"""Marks of a value that only the deployment knows: references, dynamic references, cut and removed values."""


@dataclass(frozen=True)
class Place:
    """How to recognise a resource in the diff."""

    type: str
    names: tuple[str, ...] = ()
    """The resource's physical names; one of them is enough."""
    begins: bool = False
    """Whether the names are beginnings of names."""
    named: bool = False
    """Whether its physical id is its name; then another name means another resource."""
    logical: str = ""
    """Regular expression of its path or logical id in the code."""
    keys: tuple[str, ...] = ()
    """Paths or logical ids in the code that follow from its name."""
    route: tuple[str, ...] = ()
    """Parts of a route's path, and last its method."""
    beside: bool = False
    """Whether it is a separate resource for a setting of another, such as a permission; creating it is enough."""


@dataclass(frozen=True)
class Wanted:
    """What one inventory check expects, as far as a diff can mend it."""

    kind: Literal["exists", "gone", "setting"]
    places: tuple[tuple[Place, tuple[str, ...]], ...]
    """Resources that mend it, each with the path of the property; an empty path: the resource itself."""
    title: str = ""
    expected: str = ""
    holds: Callable[[Any], bool | None] = field(default=lambda _: None)
    """Whether a value in the diff is right; None: that is unknown."""
    settings: tuple[Wanted, ...] = ()
    """The settings of a resource that does not exist yet."""


@dataclass(frozen=True)
class Mended:
    """Whether the deployment mends a check, and what the diff says."""

    ok: bool
    words: str


def mended(wanted: Wanted | None, diff: Diff, stack: str) -> Mended:
    """What the diff does about one failing check.

    Args:
        wanted: what the check expects; None: by the inventory, no template can mend it.
        stack: name of the stack that is deployed; changes of another one do not count.
    """
    if diff.kind == "none":
        return Mended(False, "the diff has an unknown format, so nothing can be read from it")
    if stack and diff.stacks and stack not in diff.stacks:
        return Mended(False, f"the diff is about {', '.join(diff.stacks)}, not {stack}")
    found = [] if wanted is None else list(_about(wanted, diff, stack))
    wrong = [one for one in found if not one.ok]
    return (wrong or found or [Mended(False, "the diff does not name it")])[0]


def _about(wanted: Wanted, diff: Diff, stack: str) -> list[Mended]:
    said = []
    for change in diff.changes:
        if change.stack not in ("", stack):
            continue
        for place, path in wanted.places:
            if change.type != place.type or not concerns(change, place):
                continue
            setting = wanted.kind == "setting"
            one = _of_setting(wanted, place, change, path) if setting else _of_resource(wanted, change)
            if one is not None:
                said.append(one)
    return said


def _of_resource(wanted: Wanted, change: Change) -> Mended | None:
    if wanted.kind == "gone":
        if change.action == "orphan":
            return Mended(False, f"the diff takes {change.words} out of the stack, and leaves it in AWS")
        return Mended(True, f"the diff removes {change.words}") if change.action == "remove" else None
    if change.action != "add":
        return None
    for setting in wanted.settings:
        for place, path in setting.places:
            told = _told(change.after, path) if place.type == change.type and path else None
            if told is not None and setting.holds(told) is False:
                so = f"with {setting.title} {_short(told)}, expects {setting.expected}"
                return Mended(False, f"the diff creates {change.words} {so}")
    return Mended(True, f"the diff creates {change.words}")


def _of_setting(wanted: Wanted, place: Place, change: Change, path: tuple[str, ...]) -> Mended | None:
    """What a change does to the setting; None: it does not touch it.

    A resource that exists cannot be created again under its name, so its creation mends none of its settings.
    """
    name = ".".join(path)
    if change.action in ("remove", "orphan"):
        return Mended(False, f"the diff removes {change.words}")
    if change.action == "add":
        if not place.beside:
            return None
        told = _told(change.after, path)
        if told is not None and wanted.holds(told) is False:
            return Mended(False, f"the diff creates {change.words} with {name} {_short(told)}")
        return Mended(True, f"the diff creates {change.words}")
    said = [
        _of_property(wanted, change, name, *touched, _told(change.after, path))
        for one in change.properties
        if (touched := _touches(one, path)) is not None
    ]
    return min(said, key=lambda one: one.ok, default=None)


def _of_property(wanted: Wanted, change: Change, name: str, removed: bool, told: Any, after: Any) -> Mended:
    if removed:
        return Mended(False, f"the diff takes {name} of {change.words} away")
    new = after if told is None else told
    right = None if new is None else wanted.holds(new)
    if right is None:
        return Mended(True, f"the diff changes {name} of {change.words}, but does not show the new value in full")
    return Mended(right, f"the diff sets {name} of {change.words} to {_short(new)}")


def _touches(one: Property, path: tuple[str, ...]) -> tuple[bool, Any] | None:
    """(removed, new value if known) where a changed property is the setting's; None: it is another."""
    if one.path[: len(path)] == path:
        exact = len(one.path) == len(path)
        return (one.removed and exact), (value(one.new) if exact else None)
    if path[: len(one.path)] != one.path:
        return None
    if one.removed:
        return True, None
    # The diff shows a whole block: the setting changes only if its part of the block does.
    inner = path[len(one.path) :]
    new, old = _block(one.new), _block(one.old)
    if new is None:
        return False, None
    after, before = _at(new, inner), _at(old, inner)
    return None if after == before else (after is None, value(after))


def _block(told: str | None) -> Any:
    """A block of properties from the text of a diff; None: it is no such block."""
    try:
        found = json.loads(told) if told else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _at(properties: Any, path: tuple[str, ...]) -> Any:
    """The raw value at a path; None: there is none."""
    for key in path:
        if not isinstance(properties, dict) or key not in properties:
            return None
        properties = properties[key]
    return properties


def _told(properties: Any, path: tuple[str, ...]) -> Any:
    """The value at a path; None: there is none, or only the deployment knows it."""
    return value(_at(properties, path))


def value(told: Any) -> Any:
    """A value from the text of a diff, with numbers, booleans and JSON parsed; None: only the deployment knows it."""
    if not isinstance(told, str):
        told = told if told is None or isinstance(told, (bool, int, float)) else json.dumps(told, default=str)
    if not isinstance(told, str):
        return told
    if _UNKNOWN.search(told):
        return None
    try:
        return json.loads(told)
    except ValueError:
        return told


def _short(told: Any) -> str:
    text = redact_text(told if isinstance(told, str) else json.dumps(told))
    return text if len(text) <= 60 else f"{text[:57]}..."


def plain(text: str) -> str:
    """The text in lower case, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def concerns(change: Change, place: Place) -> bool:
    """Whether a change of the right type is about this resource."""
    if place.route:
        return _is_route(change, place.route)
    known = [name for name in (change.physical_id, *change.names) if name]
    if any(_is_named(one, place) for one in known):
        return True
    if place.named and known:
        return False
    words = [*change.label.split("/"), _HASH.sub("", change.logical_id)]
    spoken = {plain(one) for one in words if plain(one)}
    if place.begins and any(one.startswith(plain(name)) for one in spoken for name in place.names):
        return True
    return bool(spoken & set(place.keys)) or any(place.logical and re.fullmatch(place.logical, one) for one in spoken)


def _is_named(told: str, place: Place) -> bool:
    last = re.split(r"[/:]", told)[-1]
    return any(one in (told, last) or (place.begins and last.startswith(one)) for one in place.names)


def _is_route(change: Change, route: tuple[str, ...]) -> bool:
    """Whether a change is about the route, by its path in the code (`exports/POST`, `POST--exports`), its route key, or
    the end of its logical id.
    """
    *parts, method = route
    key = f"{method} /{'/'.join(parts)}"
    if "RouteKey" in change.after:
        return bool(change.after["RouteKey"] == key)
    steps = change.label.split("/")
    if any(step.split("--") == [method, *parts] for step in steps):
        return True
    size = len(route)
    if any(tuple(steps[at : at + size]) == route and _starts(steps, at) for at in range(len(steps) - size + 1)):
        return True
    return not change.label and bool(
        re.search(rf"(api|^){plain(''.join(route))}(apipermission.*)?$", plain(_HASH.sub("", change.logical_id)))
    )


def _starts(steps: list[str], at: int) -> bool:
    """Whether a path of the API begins at this step: the step before it is the API, or its `Default` resource."""
    return at <= 1 or steps[at - 1] == "Default"
