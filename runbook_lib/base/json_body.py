"""Bodies of JSON by declaration: what stands at a path, a value put there, and templates of bodies filled in.

A path is names with dots between them, `a.b` or `$.a.b`: so much can be read and be written, and said in one line. The
same grammar of placeholders as everywhere (`base/template.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from runbook_lib.base.template import fault, filled

PATH = r"^(\$\.)?[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*$"
"""The form of a path."""
_PATH = re.compile(PATH)


def parts(path: str) -> list[str]:
    """The names of a path, from the outside in.

    >>> parts("$.data.job_id")
    ['data', 'job_id']
    """
    return path.removeprefix("$.").split(".")


def at(body: object, path: str) -> Any:
    """What stands at a path; None where nothing does.

    >>> at({"data": {"id": 7}}, "$.data.id"), at({"data": []}, "data.id")
    (7, None)
    """
    found = body
    for name in parts(path):
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def id_at(body: object, path: str) -> str:
    """An id at a path, as text also where it is written as a number; empty: there is none.

    >>> id_at({"id": 7}, "id"), id_at({"id": "a"}, "id"), id_at({"id": True}, "id"), id_at([], "id")
    ('7', 'a', '', '')
    """
    found = at(body, path)
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def with_value(body: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """A body like `body` that has `value` at a path; what stands in the way is replaced.

    >>> with_value({"a": {"b": 1}}, "a.c", 2)
    {'a': {'b': 1, 'c': 2}}
    """
    name, *rest = parts(path)
    if not rest:
        return {**body, name: value}
    inner = body.get(name)
    return {**body, name: with_value(inner if isinstance(inner, Mapping) else {}, ".".join(rest), value)}


def texts(template: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of each text in a template, those in lists by their place."""
    if isinstance(template, str):
        yield path, template
    elif isinstance(template, Mapping):
        for name, one in template.items():
            yield from texts(one, f"{path}.{name}" if path else str(name))
    elif isinstance(template, list | tuple):
        for place, one in enumerate(template):
            yield from texts(one, f"{path}.{place}" if path else str(place))


def filled_body(template: Any, values: Mapping[str, object]) -> Any:
    """The template with each placeholder's value in its texts; all else as it is.

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
    """What is wrong with the placeholders of a template of a body, as a sentence; empty: nothing."""
    for path, text in texts(template):
        if wrong := fault(text, known):
            return f"{path + ': ' if path else ''}{wrong}"
    return ""


def is_path(text: str) -> bool:
    """Whether a text is a path."""
    return _PATH.fullmatch(text) is not None
