"""Refuses readable gates that make no sense: a limit that nothing reaches, a field that nobody reads, a collapse on the
wrong side. Each would always pass or fail, or roll back a healthy service, so the reading of the file refuses them.

A record is judged again by the gates that it was sealed with, sane or not: these checks do not apply to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from runbook_lib.judge.model import Gate
from runbook_lib.judge.terms import COMPARABLE
from runbook_lib.judge.threshold import Threshold
from runbook_lib.params.bounds import Said
from runbook_lib.params.sentence import ID, ID_EXPECTED, suggested

if TYPE_CHECKING:
    from runbook_lib.params.policy import Policy

UNITS = {
    **dict.fromkeys(("rate", "split"), ("ratio",)),
    "amount": ("USD",),
    "gauge": ("messages", "requests"),
}
"""Kind to the units of the evidence of the runbook's own measures."""
SECONDS = ("submit_latency", "generation_time")
MOST_SAMPLES = 10_000_000
MOST_STRAGGLERS = 100
MOST_TITLE = 100
READ_BY: dict[str, tuple[tuple[str, ...], str]] = {
    "quantile": (("quantile",), "says which percentile is judged"),
    "steady": (("gauge",), "is the share of a gauge's points"),
    "constant": (("gauge",), "only a gauge can stand still"),
    "stragglers": (("split",), "are old clients beside a split"),
    "failing": (("rate",), "says what the failures of a rate did"),
    "evidence": (("rate", "quantile", "amount"), "says what must be shown of a figure"),
    "min_samples": (("rate", "quantile", "amount", "split"), "counts samples, and a gauge has periods"),
    "alert": (("rate", "quantile", "gauge", "amount"), "is a number, and a split is judged by the weight in force"),
    "collapse": (("rate", "quantile", "gauge", "amount"), "is a number, and a split is judged by the weight in force"),
}
"""Field to the kinds of gate that read it, and the reason: other kinds would ignore it silently."""
LINES = ("target", "alert", "collapse", "implausible")


def check(gate: Gate, policy: Policy) -> Iterator[Said]:
    """What makes no sense in a gate of the policy: field, value, and what is expected."""
    own, kind = gate.measure in policy.measures, policy.kinds.get(gate.measure)
    yield from _names(gate)
    if kind is not None and kind != gate.kind:
        same = [name for name, one in policy.kinds.items() if one == gate.kind]
        wanted = f"it is of kind {kind}, and the gate of kind {gate.kind}; those of kind {gate.kind} are"
        yield "measure", f"'{gate.measure}'", f"{wanted} {', '.join(same)}"
    units = ("s",) if gate.measure in SECONDS else UNITS.get(gate.kind)
    if own:  # the team chooses its unit; a rate is a share of requests
        units = UNITS["rate"] if gate.kind == "rate" else None
    if units and gate.unit not in units:
        told = ", 0 to 1, and shown in %" if units == UNITS["rate"] else ""
        yield "unit", gate.unit, f"the unit of '{gate.measure}' is {' or '.join(units)}{told}"
    yield from _unread(gate)
    for name in LINES:
        line = getattr(gate, name)
        if line is not None:
            yield from _line(gate, name, line)
    if gate.kind == "rate" and gate.target.holds(0.0 if gate.higher_is_better else 1.0):
        yield "target", f"'{gate.target}'", "every rate meets it; expects one that a broken service misses"
    yield from _collapse(gate)
    yield from _implausible(gate)
    yield from _compared(gate)
    if gate.min_samples > MOST_SAMPLES:
        yield "min_samples", gate.min_samples, f"no soak has that many samples; expects {MOST_SAMPLES:,} at most"
    yield from _stragglers(gate)


def _names(gate: Gate) -> Iterator[Said]:
    if not ID.fullmatch(gate.id):
        yield "id", repr(gate.id), ID_EXPECTED + suggested(gate.id)
    if len(gate.title) > MOST_TITLE:
        yield "title", f"{gate.title[:20]!r} …", f"it has {len(gate.title)} characters; expects {MOST_TITLE} at most"
    if not gate.unit.isprintable():
        yield "unit", repr(gate.unit), "it has characters that cannot be printed"


def _unread(gate: Gate) -> Iterator[Said]:
    for name, (kinds, why) in READ_BY.items():
        value = getattr(gate, name)
        if gate.kind in kinds or value == type(gate).model_fields[name].default:
            continue
        told = "true" if value is True else f"{len(value)} of them" if isinstance(value, tuple) else f"'{value}'"
        yield name, told, f"it {why}; a gate of kind {gate.kind} does not read it, so leave it out"


def _line(gate: Gate, name: str, line: Threshold) -> Iterator[Said]:
    """A limit that no value reaches or that every value does, for values of 0 or more and ratios of at most 1."""
    top = 1.0 if gate.unit == "ratio" else math.inf
    if not math.isfinite(line.limit) or line.limit < 0:
        yield name, f"'{line}'", "expects a number, not below 0"
    elif line.limit > top:
        yield name, f"'{line}'", "a ratio is 0 to 1"
    elif not (line.holds(0.0) or line.holds(top)):
        yield name, f"'{line}'", f"no value meets it; {_range(top)}"
    elif line.holds(0.0) and line.holds(top) and gate.kind != "split":
        yield name, f"'{line}'", f"every value meets it; {_range(top)}"


def _range(top: float) -> str:
    return "a ratio is 0 to 1" if top == 1 else "it is 0 or more"


def _collapse(gate: Gate) -> Iterator[Said]:
    """A collapse on the wrong side of the limit. Past collapse a broken baseline is no reason to stay (docs/domain.md,
    trap 13): there a healthy service would count as collapsed.
    """
    if gate.collapse is None:
        return
    if gate.alert is None:
        yield "collapse", f"'{gate.collapse}'", "without an `alert` nothing leads to it; give the gate its alert limit"
    elif (gate.collapse.op in (">", ">=")) != (gate.alert.op in (">", ">=")):
        sign = gate.alert.op[0]
        wanted = f"it lies on the other side than the alert limit {gate.alert}; expects '{sign} ...'"
        yield "collapse", f"'{gate.collapse}'", wanted


def _implausible(gate: Gate) -> Iterator[Said]:
    odd = gate.implausible
    if odd is None:
        return
    for name in ("target", "alert", "collapse"):
        line = getattr(gate, name)
        if line is not None and odd.holds(line.limit):
            wanted = f"the gate would call a value at its {name} {line} implausible; expects a limit beyond it"
            yield "implausible", f"'{odd}'", wanted
            return
    if gate.unit == "ratio" and odd.holds(1.0 if gate.higher_is_better else 0.0):
        yield "implausible", f"'{odd}'", "the gate would call the best possible ratio implausible"


def _compared(gate: Gate) -> Iterator[Said]:
    if gate.against is None:
        return
    there = COMPARABLE[gate.against]
    if gate.measure not in there:
        arm = "the baseline" if gate.against == "baseline" else "the phase before"
        wanted = f"'{gate.measure}' is not counted hour by hour for {arm}; these are: {', '.join(there)}"
        yield "against", gate.against, wanted
    elif gate.alert is None:
        yield (
            "alert",
            "missing",
            "a gate with `against` needs one: it is not compared with an arm that is past it",
        )


def _stragglers(gate: Gate) -> Iterator[Said]:
    allowed = math.inf
    for one in sorted(gate.stragglers, key=lambda one: one.from_percent):
        if one.share > 0.5 or one.count > MOST_STRAGGLERS:
            wanted = f"that many clients are not stragglers; expects 0.5 and {MOST_STRAGGLERS} at most"
            yield "stragglers", f"{one.share:g} and {one.count}", wanted
        if one.share > allowed:
            wanted = f"the allowance shrinks with the phase; expects {allowed:g} at most"
            yield "stragglers", f"{one.share:g} from {one.from_percent:g} %", wanted
        allowed = one.share
