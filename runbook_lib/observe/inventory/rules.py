"""The inventory's rules as data (`params/inventory.yaml`), and one rule applied to one answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from runbook_lib.base.errors import UsageError
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.incidents.deviation import Deviation
from runbook_lib.judge.terms import Frozen, Verdict
from runbook_lib.judge.words import count, setting
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.load import Params

StepName = Literal["baseline", "async", "migrate", "remove_temporary", "remove_sync"]
STEPS: tuple[StepName, ...] = ("baseline", "async", "migrate", "remove_temporary", "remove_sync")
FIX = "change it in the infrastructure code and deploy"
_HOUR_S, _DAY_S = 3600, 86400
_WAYS = ("equals", "includes", "at_least", "one_of", "holds", "shown")
"""Fields of `Setting` that say what is expected; each setting has exactly one of them."""


class Setting(Frozen):
    """One setting and how it is expected: exactly one of `equals`, `includes`, `at_least`, `one_of`, `holds`, `shown`.

    A string that is wholly one `{field}` is looked up in `fields()`; in `why`, fields are filled in.
    """

    equals: Any = None
    """The value that the setting must have."""
    includes: tuple[str, ...] = ()
    """Values that the setting must include."""
    at_least: float | str | None = None
    """Least value of the setting."""
    one_of: tuple[str, ...] = ()
    """Values of which the setting must have one."""
    holds: bool | None = None
    """Truth value that the setting must have."""
    shown: bool | None = None
    """Whether the value is only shown, with no expectation."""
    unit: str = ""
    """Unit of the value, for people."""
    expected: str = ""
    """The expectation in words, where the value itself is not clear."""
    advisory: bool = False
    """Whether a wrong value is only advice."""
    why: str
    """What goes wrong with a wrong value."""
    fix: str = FIX
    """How to mend a wrong value."""
    property: tuple[str, ...] = ()
    """Properties of a template that set it, any of these: `Timeout`, `RedrivePolicy.maxReceiveCount`, or with the type
    of another resource in front, `AWS::Logs::LogGroup RetentionInDays`. Empty: no template can.
    """
    as_told: dict[str, str] = Field(default_factory=dict)
    """Values of the property that this setting has another word for; `*` is any other."""
    logical: str = ""
    """As `Resource.logical`, for a property of a resource of another type."""

    @field_validator("property", mode="before")
    @classmethod
    def _several(cls, said: Any) -> Any:
        return (said,) if isinstance(said, str) else said

    @model_validator(mode="after")
    def _one_way(self) -> Setting:
        said = self.model_fields_set & set(_WAYS)
        if len(said) != 1:
            raise ValueError(f"expects one of {', '.join(_WAYS)}; has {sorted(said) or 'none'}")
        if getattr(self, (way := said.pop())) in (None, "", ()):
            raise ValueError(f"{way} is empty; write what is expected")
        return self


class Resource(Frozen):
    """One resource: where to look (`kind` is a table of calls), at which steps it must exist or be gone."""

    kind: str
    """Table of calls that look for it."""
    title: str
    """Name of the resource for readers."""
    name: str = ""
    """The resource's key in `names` of service.yaml."""
    type: str = ""
    """CloudFormation type, for the naming rule; empty: it has no own name."""
    route: Literal["sync", "submit", "status", ""] = ""
    """The route of the API, if the resource is one; else empty."""
    method: str = ""
    """HTTP method of the route; empty: the contract's."""
    alarm: str = ""
    """Id of the alarm, if the resource is one; else empty."""
    made_as: tuple[str, ...] = ()
    """Possible CloudFormation types of the resource, where `type` is empty."""
    logical: str = ""
    """Regular expression for its name in the team's code: a step of its construct path, or its logical id, in lower
    case, letters and digits only. By this and by its name, a diff's resource is recognised.
    """
    exists: bool = True
    """Whether its existence is checked."""
    advisory: bool = False
    """Whether its existence is only advice."""
    steps: tuple[StepName, ...] = STEPS[1:]
    """Steps of the rollout at which it must exist."""
    gone: tuple[StepName, ...] = ()
    """Steps at which it must not exist any more."""
    target: dict[StepName, str] = Field(default_factory=dict)
    """A route's Lambda at each step, as a key of `names`."""
    settings: dict[str, Setting] = Field(default_factory=dict)


class Naming(Frozen):
    """The naming rule: regular expressions with `{type}` and `{env}`."""

    rule: str
    """Regular expression of a name, with `{type}` and `{env}`."""
    types: dict[str, str]
    """Word in the rule for each CloudFormation type."""
    own: dict[str, str]
    """Rules of single CloudFormation types."""

    @property
    def project(self) -> str:
        """The literal beginning of the rule, with which every name begins, without the last dash."""
        begin = re.match(r"[A-Za-z0-9_-]*", self.rule)
        literal = begin.group() if begin else ""
        if self.rule[len(literal) :].startswith(("?", "*", "+", "{", "|")):
            literal = literal[:-1]  # the last character is optional, repeated, or one of several
        return literal.rstrip("-_")

    @property
    def told(self) -> str:
        """The naming rule in words."""
        return f"{self.project}-{{feature}}-{{type}}-{{env}}" if self.project else self.rule

    def fits(self, type: str, name: str, env: str) -> bool:
        """Whether `name` follows the rule of its CloudFormation type; a type without a rule always does."""
        if type in self.own:
            pattern = self.own[type].replace("{env}", env)
        elif type in self.types:
            pattern = self.rule.replace("{env}", env).replace("{type}", self.types[type])
        else:
            return "Token[" not in name
        return re.fullmatch(pattern, name) is not None


class Deprecate(Frozen):
    """When the synchronous path may be removed."""

    silent_hours: float = Field(gt=0)
    """Hours without a call before the synchronous path may be removed."""


class Inventory(Frozen):
    """`inventory.yaml`."""

    naming: Naming
    deprecate: Deprecate
    resources: dict[str, Resource]

    @model_validator(mode="after")
    def _routes(self) -> Inventory:
        for id, resource in self.resources.items():
            missing = set(resource.steps) - set(resource.target) if resource.route else set()
            if missing:
                raise ValueError(f"resource '{id}' has no target for step {sorted(missing)[0]}")
        return self


@dataclass(frozen=True)
class Trouble:
    """A setting that could not be seen, and why."""

    sentence: str


@dataclass(frozen=True)
class Said:
    """A value to compare, and a whole phrase about it."""

    value: Any
    words: str


def fields(params: Params, resource: Resource, step: str) -> dict[str, Any]:
    """What `{field}` may stand for in a rule of `resource` at `step`."""
    service = params.service
    target = resource.target.get(step)  # type: ignore[call-overload]
    gaps = [
        later.hours - earlier
        for phase in params.policy.phases.values()
        for earlier, later in zip((0.0, *(look.hours for look in phase.looks)), phase.looks, strict=False)
    ]
    failed = address(params.metric(failed_jobs(params, resource.name)), params)
    return {
        **{key: value for key, value in service.model_dump().items() if isinstance(value, (int, float, str))},
        **{f"workers{post.suffix}": post.concurrency for post in service.crew},
        **{f"name.{key}": params.name(key) for key in service.names if params.named(key)},
        "stage": service.api.stage,
        "target": params.name(target) if target else None,
        "longest_gap_s": max(service.job_ttl_s, round(max(gaps, default=0) * _HOUR_S)),
        "metric.jobs_failed": f"{failed['Namespace']}/{failed['MetricName']}",
        "metric.dimensions": sorted(one["Name"] for one in failed["Dimensions"]),
        "metric.dimension_values": ", ".join(f"{one['Name']}={one['Value']}" for one in failed["Dimensions"]),
    }


def failed_jobs(params: Params, name: str) -> str:
    """Id of the metric that counts the failed jobs of a worker, by its key in `names`: its own where it has one."""
    own = params.service.post_of(name).id("jobs_failed")
    return own if own in params.service.of_further_workers else "jobs_failed"


def resolved(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
        if value[1:-1] not in known:
            raise UsageError(f"params/inventory.yaml: '{value}' is not a field; known are {', '.join(sorted(known))}")
        return known[value[1:-1]]
    return list(value) if isinstance(value, (list, tuple)) else value


def _filled(text: str, known: Mapping[str, Any]) -> str:
    return re.sub(r"\{([\w.]+)\}", lambda found: str(known.get(found[1], found[0])), text)


def shown(value: Any, unit: str = "") -> str:
    """A value in words: `14400 s (4 h)`, `yes`, `none`, `not set`."""
    if value is None or value == "":
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(item) for item in value) or "none"
    if isinstance(value, (int, float)) and unit:
        text = f"{value:g} {unit}" if value < _DAY_S else f"{value:.0f} {unit}"
        if unit == "s" and value >= _HOUR_S and value % _HOUR_S == 0:
            days = value % _DAY_S == 0 and value > _DAY_S
            text += f" ({value / _DAY_S:g} days)" if days else f" ({value / _HOUR_S:g} h)"
        return text
    return str(value)


def holds(rule: Setting, wanted: Any, found: Any) -> bool:
    if rule.shown:
        return True
    if rule.at_least is not None:
        return isinstance(found, (int, float)) and found >= wanted
    if rule.one_of:
        return found in rule.one_of
    if rule.includes:
        return isinstance(found, list) and set(rule.includes) <= set(found)
    return bool(found == wanted)


def judged(place: str, id: str, resource: Resource, rule: Setting, found: Any, known: Mapping[str, Any]) -> Check:
    """One setting of one resource as a check.

    Args:
        place: the resource's id in the inventory, or its physical name, for the sentence.
        id: `resource.setting`.
        found: what was read; a `Trouble` is NO_DATA, a `Said` carries its own words.

    Raises:
        UsageError: the rule names an unknown field.
    """
    what = id.rpartition(".")[2].replace("_", " ")
    wanted = resolved(declared(rule), known)
    words = _filled(rule.expected, known) or _expected(rule, wanted)
    why = _filled(rule.why, known)
    title, required = f"{resource.title}: {what}", not (rule.advisory or rule.shown)
    if isinstance(found, Trouble):
        reason = f"{place}: {what} could not be seen: {found.sentence}"
        return check(f"inventory.{id}", title, None, reason, required=required, expected=words, resource=place, why=why)
    value, told = (found.value, found.words) if isinstance(found, Said) else (found, shown(found, rule.unit))
    ok = holds(rule, wanted, value)
    says = told if isinstance(found, Said) else f"{what} {told}"
    missed = f"{says} ({why})" if rule.holds is not None else f"{says}, expects {words} ({why})"
    reason = f"{place}: {says}" if ok else f"{place}: {missed}; {rule.fix}"
    return check(
        f"inventory.{id}",
        title,
        ok,
        reason,
        required=required,
        expected=words,
        found=told,
        resource=place,
        why=why,
        value=value,
    )


def declared(rule: Setting) -> Any:
    (way,) = rule.model_fields_set & set(_WAYS)
    return getattr(rule, way)


def _expected(rule: Setting, wanted: Any) -> str:
    if rule.shown:
        return "shown"
    if rule.one_of:
        return " or ".join(rule.one_of)
    return ("at least " if rule.at_least is not None else "") + shown(wanted, rule.unit)


def existence(place: str, id: str, resource: Resource, there: Any, *, gone: bool, skipped: list[str]) -> Check:
    """The check that the resource exists, or, at a step that removes it, that it is gone."""
    setting, verb = ("gone", "removed") if gone else ("exists", "made")
    title = f"{resource.title}: {'is gone' if gone else 'exists'}"
    expected = "gone" if gone else "exists"
    name = f"inventory.{id}.{setting}"
    required = not resource.advisory
    if isinstance(there, Trouble):
        reason = f"{place} could not be seen: {there.sentence}"
        return check(name, title, None, reason, required=required, expected=expected, resource=place)
    value, told = (there.value, there.words) if isinstance(there, Said) else (there, "exists" if there else "missing")
    ok = bool(value) != gone
    if ok:
        reason = f"{place}: {told}" if not gone else f"{place} is gone"
    else:
        more = f", and its {count(len(skipped), 'setting')} could not be looked at" if skipped and not gone else ""
        reason = f"{place}: {told}, must be {verb} by this step{more}; {FIX}"
    skips = [] if value else skipped
    return check(
        name, title, ok, reason, required=required, expected=expected, found=told, resource=place, skipped=skips
    )


def deviating(one: Check, deviations: Mapping[str, Deviation]) -> Check:
    """The check as advice, if it fails with the value of a deviation on record: a reminder until that is closed.

    Another value than the one on record is drift, and the check goes on failing.
    """
    known = deviations.get(one.id)
    if one.verdict is not Verdict.FAIL or known is None:
        return one
    told = one.reason.removesuffix(f"; {FIX}")
    if one.facts.get("value") != known.value:
        on_record = f"a deviation to {setting(known.value)} is on record ({known.words})"
        reason = f"{told}; {on_record}, and this is another value; {FIX}"
        return one.model_copy(update={"reason": reason})
    reason = f"recorded deviation ({known.words}): {told}; undo it, or adopt it into the infrastructure code"
    facts = {**one.facts, "deviation": known.model_dump(mode="json")}
    changed = {"verdict": Verdict.INCONCLUSIVE, "required": False, "reason": reason, "facts": facts}
    return one.model_copy(update=changed)
