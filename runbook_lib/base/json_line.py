"""A field of a JSON log line, as metric filters of CloudWatch Logs select it."""

from __future__ import annotations

import json
import re
from typing import Any

_PATH = re.compile(r"\.([\w@-]+)|\[(\d+)\]|\['([^']+)'\]")


def selected(line: str, selector: str) -> str | None:
    """The value that a selector (`$.service`, `$.a.b[0]`) finds in a JSON line; any other selector is returned."""
    if not selector.startswith("$"):
        return selector or None
    found = parsed(line)
    rest = selector[1:]
    for part in _PATH.finditer(rest):
        name, place, quoted = part.groups()
        try:
            found = found[int(place)] if place is not None else found[name or quoted]
        except (KeyError, IndexError, TypeError):
            return None
    if _PATH.sub("", rest) or found is None or isinstance(found, (dict, list)):
        return None
    return json.dumps(found) if isinstance(found, (bool, int, float)) else str(found)


def parsed(line: str) -> Any:
    """The line as JSON; None if it is not JSON."""
    try:
        return json.loads(line)
    except ValueError:
        return None
