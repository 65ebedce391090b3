"""JSON bodies by declaration: reading the value at a path, setting one, and filling in templates of bodies.

A path is names with dots between them, `a.b` or `$.a.b`: it can be read and written, and fits on a line. The
placeholders are those of `base/template.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from runbook_lib.base.template import fault, filled

PATH = r"^(\$\.)?[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*$"
"""The form of a path."""
_PATH = re.compile(PATH)


def parts(path: str) -> list[str]:
    """The names of a path, from the outermost to the innermost.

    >>> parts("$.data.job_id")
    ['data', 'job_id']
    """
    return path.removeprefix("$.").split(".")


def at(body: object, path: str) -> Any:
    """The value at a path; None if there is none.

    >>> at({"data": {"id": 7}}, "$.data.id"), at({"data": []}, "data.id")
    (7, None)
    """
    found = body
    for name in _names(path):
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


@lru_cache(maxsize=256)  # paths are few and stand in the parameters; a census asks by them for each job
def _names(path: str) -> tuple[str, ...]:
    return tuple(parts(path))


def id_at(body: object, path: str) -> str:
    """The id at a path, as text even if it is a number; empty: there is none.

    >>> id_at({"id": 7}, "id"), id_at({"id": "a"}, "id"), id_at({"id": True}, "id"), id_at([], "id")
    ('7', 'a', '', '')
    """
    found = at(body, path)
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def with_value(body: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy of `body` with `value` at a path; other values in the way are replaced.

    >>> with_value({"a": {"b": 1}}, "a.c", 2)
    {'a': {'b': 1, 'c': 2}}
    """
    name, *rest = parts(path)
    if not rest:
        return {**body, name: value}
    inner = body.get(name)
    return {**body, name: with_value(inner if isinstance(inner, Mapping) else {}, ".".join(rest), value)}


def texts(template: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of each text in a template; in a list the path has the index."""
    if isinstance(template, str):
        yield path, template
    elif isinstance(template, Mapping):
        for name, one in template.items():
            yield from texts(one, f"{path}.{name}" if path else str(name))
    elif isinstance(template, list | tuple):
        for place, one in enumerate(template):
            yield from texts(one, f"{path}.{place}" if path else str(place))


def filled_body(template: Any, values: Mapping[str, object]) -> Any:
    """The template with its placeholders replaced by their values.

    Raises:
        KeyError: a placeholder has no value.

    >>> filled_body({"id": "p-{probe}", "n": [1, True]}, {"probe": "x"})
    {'id': 'p-x', 'n': [1, True]}
    """
    if isinstance(template, str):
        return filled(template, values)
    if isinstance(template, Mapping):
        return {name: filled_body(one, values) for name, one in template.items()}
    if isinstance(template, list | tuple):
        return [filled_body(one, values) for one in template]
    return template


def wrong_in(template: object, known: Collection[str]) -> str:
    """The mistake in the placeholders of a body's template, as a sentence; empty: none."""
    for path, text in texts(template):
        if wrong := fault(text, known):
            return f"{path + ': ' if path else ''}{wrong}"
    return ""


_STEP = re.compile(r"\.([\w@-]+)|\[(\d+)\]|\['([^']+)'\]")


def selected(line: str, selector: str) -> str | None:
    """The value that a selector of a metric filter (`$.service`, `$.a.b[0]`) finds in a JSON line of a log; any other
    selector is returned.
    """
    if not selector.startswith("$"):
        return selector or None
    found = parsed(line)
    rest = selector[1:]
    for part in _STEP.finditer(rest):
        name, place, quoted = part.groups()
        try:
            found = found[int(place)] if place is not None else found[name or quoted]
        except (KeyError, IndexError, TypeError):
            return None
    if _STEP.sub("", rest) or found is None or isinstance(found, (dict, list)):
        return None
    return json.dumps(found) if isinstance(found, (bool, int, float)) else str(found)


def parsed(line: str) -> Any:
    """The line as JSON; None if it is not JSON."""
    try:
        return json.loads(line)
    except ValueError:
        return None
