"""Power: what a planned soak can decide with the present traffic, computed before a shift.

The judge itself (`gates.judge`) gives its verdict on `k` bad samples among `n`, so this is true for any evidence policy
that a gate declares:

- `needed`: the fewest samples with which spotless evidence passes (149 against 98 % at 5 %: the "rule of three" made
  exact, Hanley & Lippman-Hand 1983).
- `allowed`: the most bad samples with which the expected number still passes.
- `passes_at`: the largest true rate of bad samples that passes with probability `power`. P(X <= allowed | p) = power is
  solved by the exact lower bound of allowed + 1 at 1 - power (Clopper & Pearson 1934, read backwards).
- `detects`: the smallest true rate that the declared look calls FAIL with probability `power`, with the expected number
  of samples *or any larger one*. P(X >= k | p) = power is solved by the exact upper bound of k - 1 at 1 - power, where
  k is the fewest bad samples that FAIL. k moves in whole steps, so by itself this rises a little wherever k does; "or
  any larger one" takes the next step into account, and more traffic never makes it worse.

A quantile is judged by how many samples lie beyond its alert limit (order statistics: 59 samples for p95 at 5 %), so
its rates are shares of samples beyond that limit. For a gate that compares, the other arm is as large and without a
failure. The traffic split is a separate rate: see `_split`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from runbook_lib.judge import numbers, words
from runbook_lib.judge.gates import statistics
from runbook_lib.judge.gates.against import supposed
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence, Gate, Look, bad_side
from runbook_lib.judge.planning.weekly import Hourly, least, mean
from runbook_lib.judge.terms import Frozen, Verdict

_WINDOW = {"start": "1970-01-01T00:00:00Z", "end": "1970-01-02T00:00:00Z", "query": "supposed"}


class Power(Frozen):
    """The power of one gate at the first declared look of one phase. Rates are of bad samples, 0..1."""

    phase: str
    gate: str
    title: str
    percent: float
    hours: float
    """Length of the planned soak."""
    alpha: float
    per_hour: float
    """Samples per hour at this weight; the mean of the traffic before."""
    expected: int
    """Samples in the planned soak."""
    quietest: int | None = None
    """Samples in the quietest interval as long as the soak; None where the seen traffic is shorter."""
    needed: int | None = None
    """Samples that a decision needs; None: it does not depend on traffic, or needs too many (see `decides`)."""
    allowed: int | None = None
    passes_at: float | None = None
    detects: float | None = None
    """Smallest true rate that is detected; None: the samples are too few to detect any."""
    decides: bool = True
    soak_hours: float | None = None
    """Hours of a soak that can decide, where the planned one cannot."""
    later: float | None = None
    """Hours of the further declared look that can decide, where the planned soak cannot; None: none can."""
    reason: str = ""
    """One sentence with the numbers in it."""


def powers(
    points: Hourly,
    gates: Sequence[Gate],
    *,
    phase: str,
    percent: float,
    looks: Sequence[Look],
    samples: Mapping[str, float],
    power: float = 0.95,
) -> tuple[Power, ...]:
    """What the soak of one phase can decide, gate by gate in their order, with muted gates.

    Args:
        points: requests per hour before the rollout, at least one.
        percent: weight of the phase, 0-100.
        looks: the declared looks; the first one ends the planned soak.
        samples: samples of each measure for one async request; 1 for a measure that is not in it.
        power: probability with which a regression must be detected.

    Raises:
        ValueError: no look, or an impossible percentage, number of samples or probability.
    """
    if not looks:
        raise ValueError("a soak without a declared look decides nothing")
    numbers.share(weight=percent / 100)
    numbers.chance(power=power)
    numbers.finite(0.0, **{f"samples of {name}": each for name, each in samples.items()})
    return tuple(_power(points, gate, phase, percent, looks, samples.get(gate.measure, 1.0), power) for gate in gates)


def _power(
    points: Hourly, gate: Gate, phase: str, percent: float, looks: Sequence[Look], samples: float, power: float
) -> Power:
    look, share = looks[0], 1.0 if gate.kind == "split" else percent / 100 * samples
    rate = mean(points) * share
    low = least(points, math.ceil(look.hours))
    known = Power(
        phase=phase,
        gate=gate.id,
        title=gate.title,
        percent=percent,
        hours=look.hours,
        alpha=look.alpha,
        per_hour=rate,
        expected=math.floor(rate * look.hours),
        quietest=None if low is None else math.floor(low * share),
    )
    if gate.kind == "gauge":
        why = f"{words.title(gate)} is a level, read every few minutes: one point beyond the alert limit is seen"
        return known.model_copy(update={"reason": f"{why}, whatever the traffic."})
    if gate.kind == "amount":
        found: dict[str, object] = {"needed": gate.min_samples}
    else:
        found = _split(known.expected, percent / 100, gate, looks, look, power) if gate.kind == "split" else {}
        found = found or _counted(known.expected, gate, look, power)
    return _concluded(known.model_copy(update=found), gate, looks, power)


def _concluded(known: Power, gate: Gate, looks: Sequence[Look], power: float) -> Power:
    few, name = known.needed, words.title(gate)
    if few is not None and known.expected >= few:
        return known.model_copy(update={"reason": words.sentence(f"{_seen(known)}; {_strength(known, gate, power)}")})
    wait = few / known.per_hour if few is not None and known.per_hour >= numbers.SMALLEST else None
    later = [
        one.hours
        for one in looks[1:]
        if (_needed(gate, known.percent / 100, looks, one) or math.inf) <= math.floor(known.per_hour * one.hours)
    ]
    if few is None:
        why = f"{_seen(known)}: {name} cannot be decided, not even with {numbers.TOO_MANY:,} samples"
    elif wait is None:
        why = f"{_seen(known)}: {name} needs {few:,}, and without traffic no soak is long enough"
    else:
        why = f"{_seen(known)}, {name} needs {few:,}: a soak of {words.hours(math.ceil(wait))} could decide it"
        why += f"; the declared look at {later[0]:g} h can" if later else ""
    update = {"decides": False, "soak_hours": wait, "later": later[0] if later else None}
    return known.model_copy(update={**update, "reason": words.sentence(why)})


def _needed(gate: Gate, weight: float, looks: Sequence[Look], look: Look) -> int | None:
    """The fewest samples with which `look` decides; an amount needs the same at every look."""
    if gate.kind == "amount":
        return gate.min_samples
    if gate.kind == "split":
        return numbers.first(lambda n: _wrong(gate, weight, looks, look, 0, n), 1)
    return fewest(gate, look)


def _seen(known: Power) -> str:
    return f"about {words.count(known.expected, 'sample')} in {known.hours:g} h at {known.percent:g} %"


def _strength(known: Power, gate: Gate, power: float) -> str:
    if gate.kind == "amount":
        return f"{words.title(gate)} is judged by its value, from {words.count(gate.min_samples, 'report')} on"
    sure = f"with {words.sure(power)} certainty"
    if gate.kind == "split":
        seen = words.number(known.detects, "ratio", known.percent / 100)
        return f"a share of async requests of {seen} or less is called wrong {sure}"
    count = words.count(known.allowed or 0, "bad sample" if gate.kind == "rate" else "sample")
    beyond = "" if gate.kind == "rate" else f" beyond {words.limit(bad_side(gate).limit, gate.unit)}"
    passes = f"it passes with up to {count}{beyond}"
    if known.detects is None:
        return f"{passes}; with so few, none is called FAIL {sure}"
    return f"{passes}; if {words.number(known.detects, 'ratio')} or more are, it is called FAIL {sure}"


def fewest(gate: Gate, look: Look) -> int | None:
    """The fewest samples with which a rate or quantile without one bad sample passes at `look`.

    >>> from runbook_lib.judge.model import Gate, Look
    >>> gate = Gate(id="g", title="G", kind="rate", measure="m", unit="ratio", target="> 0.99", alert="< 0.98", why="")
    >>> fewest(gate, Look(hours=24, alpha=0.05))
    149
    """
    return numbers.first(lambda n: _verdict(gate, look, 0, n) is Verdict.PASS, 1)


def _counted(n: int, gate: Gate, look: Look, power: float) -> dict[str, object]:
    """The fields of `Power` for a rate or a quantile with `n` samples."""
    found: dict[str, object] = {"needed": fewest(gate, look)}
    if _verdict(gate, look, 0, n) is Verdict.PASS:
        # The first count that no longer passes; n bad samples never pass.
        allowed = (numbers.first(lambda k: _verdict(gate, look, k, n) is not Verdict.PASS, 1, n) or 1) - 1
        found |= {"allowed": allowed, "passes_at": statistics.lower_bound(allowed + 1, n, 1 - power)}
    fails = numbers.first(lambda k: _verdict(gate, look, k, n) is Verdict.FAIL, 1, n)
    if fails is None:
        return found
    detects = statistics.upper_bound(fails - 1, n, 1 - power)
    step = numbers.first(lambda m: _verdict(gate, look, fails, m) is not Verdict.FAIL, n)
    if step is not None:
        detects = max(detects, statistics.upper_bound(fails, step, 1 - power))
    return {**found, "detects": detects}


def _split(n: int, weight: float, gate: Gate, looks: Sequence[Look], look: Look, power: float) -> dict[str, object]:
    """The fields of `Power` for the observed split: `needed` requests show a shift without effect; `detects` is the
    largest share of async requests, below the weight, that is detected with probability `power`.
    """

    found: dict[str, object] = {"needed": _needed(gate, weight, looks, look)}
    if not _wrong(gate, weight, looks, look, 0, n):
        return found
    # Up to the weight itself: above it, too many async requests are wrong again.
    fits = numbers.first(lambda k: not _wrong(gate, weight, looks, look, k, n), 1, math.floor(weight * n))
    return {**found, "detects": statistics.lower_bound(fits or 1, n, 1 - power)}


def _wrong(gate: Gate, weight: float, looks: Sequence[Look], look: Look, k: int, n: int) -> bool:
    """Whether the judge calls `k` async of `n` requests wrong at this weight."""
    evidence = Evidence.model_validate(
        {"measure": gate.measure, "kind": "split", **_WINDOW, "bad": k, "n": n, "weight": weight}
    )
    return judge(gate, evidence, look=look, looks=looks).verdict is Verdict.FAIL


def _verdict(gate: Gate, look: Look, k: int, n: int) -> Verdict:
    """The judge's verdict on `k` bad samples among `n`."""
    found: dict[str, object] = {"bad": k, "n": n}
    if gate.kind == "quantile":
        line, q = bad_side(gate).limit, gate.quantile or 0.5
        rank = math.ceil(q * n)
        beyond = k >= rank if gate.higher_is_better else k > n - rank
        outside = line / 2 if gate.higher_is_better else line * 2
        inside = gate.target.limit * 2 if gate.higher_is_better else gate.target.limit / 2
        found["value"] = outside if beyond else inside
    evidence = Evidence.model_validate({"measure": gate.measure, "kind": gate.kind, **_WINDOW, **found})
    evidence = supposed(gate, evidence) if gate.against else evidence
    plain = gate.model_copy(update={"implausible": None})
    return judge(plain, evidence, look=look).verdict
