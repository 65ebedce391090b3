"""The channels that rollback 1 tells if the parameters are incomplete: topic and webhook, as far as they are readable.

An unknown key or a broken `gates.yaml` must not stop the rollback, nor keep people from hearing of it. Only the values
that a message needs are read here, each by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from pydantic import ValidationError

from runbook_lib.base.errors import RunbookError, UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.base.template import filled
from runbook_lib.base.yaml_anyhow import Odd, read_anyhow
from runbook_lib.params.essentials import Essentials
from runbook_lib.params.load import FLAT_NAMES
from runbook_lib.params.sentence import no_parameter
from runbook_lib.params.service import Notify


class Bare(Essentials):
    """The essentials, the names of the channels, and the rollback's title."""

    def __init__(self, of: Essentials, notebook: str, notify: Notify, topic: str) -> None:
        flat = {"reason": "", "operator": "", **of.values}
        super().__init__(flat, {"traffic": vars(of.service.traffic)}, of.folder, of.source)
        self.service.notify = notify
        self._topic = topic
        self._told = SimpleNamespace(rollbacks={notebook: SimpleNamespace(**_rollback(of, notebook))})

    @property
    def policy(self) -> Any:
        """Title of the rollback, and whether people are told; if the file does not say, they are."""
        self._told.as_of_tolerance_s = Essentials.policy.func(self).as_of_tolerance_s  # type: ignore[attr-defined]
        return self._told

    def name(self, resource: str) -> str:
        """Name of the topic, the only resource needed here.

        Raises:
            UsageError: another resource is asked for.
        """
        if resource != "topic":
            raise UsageError(f"the parameters are incomplete, and '{resource}' was not read")
        return self._topic


def known_only(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The overrides that are parameters, and a sentence about each other one: a misspelt name takes neither notebook
    nor message away.
    """
    odd = [name for name in values if name not in FLAT_NAMES]
    told = [
        f"{no_parameter(name, values[name])}; {hint(name, FLAT_NAMES)}; the rollback goes on without it" for name in odd
    ]
    return {name: one for name, one in values.items() if name not in odd}, told


def bare(of: Essentials, notebook: str) -> Bare | None:
    """The readable facts about the channels; None if service.yaml names no usable topic."""
    try:
        said = read_anyhow(of.folder / "service.yaml")
        names, given = said.get("names"), said.get("notify")
        topic = names.get("topic") if isinstance(names, dict) else None
        topic = topic.get(of.env) if isinstance(topic, dict) else topic
        if not isinstance(topic, str) or isinstance(topic, Odd):
            return None
        given = given if isinstance(given, dict) else {}
        known = {key: one for key, one in given.items() if key in Notify.model_fields and not isinstance(one, Odd)}
        return Bare(of, notebook, Notify.model_validate(known), filled(topic, {"env": of.env}))
    except (RunbookError, ValidationError, AttributeError, ValueError, KeyError):
        return None


def _rollback(of: Essentials, notebook: str) -> dict[str, Any]:
    found: Any = None
    try:
        found = read_anyhow(of.folder / "gates.yaml")["rollbacks"][notebook]
        return {"title": str(found["title"]), "notify": found.get("notify") is not False}
    except (RunbookError, KeyError, TypeError, AttributeError):
        return {"title": notebook.replace("_", " "), "notify": True}
