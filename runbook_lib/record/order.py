"""The order in which sealed gates and checks are shown: that of the figure of all gates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from runbook_lib.judge.model import Gate
from runbook_lib.show.scale import importance
from runbook_lib.show.style import rank


def failing_first(found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Sealed gates or checks, FAIL first, severe ones first, those that do not decide last; else in sealed order."""
    return sorted(found, key=_place)


def _place(one: Mapping[str, Any]) -> tuple[bool, int, int]:
    """A check, and a gate of an unreadable version, have their verdict only."""
    try:
        return importance(Gate.model_validate(one.get("gate")), str(one["verdict"]))
    except ValidationError:
        return False, rank(str(one["verdict"])), 0
