"""From evidence to a verdict, gate by gate (docs/domain.md, traps 5, 11, 12; `docs/verdicts.md` explains each rule).

The order of questions is the same for all kinds: is there data, is it bad beyond doubt, is this the end of the soak,
are there enough samples, is the target met, is the alert limit excluded, was all of the window seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from runbook_lib.judge import words
from runbook_lib.judge.gates import reading, statistics
from runbook_lib.judge.gates.against import against
from runbook_lib.judge.gates.gauge import gauge
from runbook_lib.judge.gates.possible import impossible
from runbook_lib.judge.gates.reading import Reading, Rules
from runbook_lib.judge.gates.split import split
from runbook_lib.judge.gates.told import absent, no_data, result_of
from runbook_lib.judge.model import Evidence, Gate, GateResult, Look, bad_side
from runbook_lib.judge.terms import NOTHING_FORGOTTEN, OVER_AT_ONCE, RULES, Verdict

Judge = Callable[[Gate, Evidence, Rules], GateResult]
Reader = Callable[[Gate, Evidence, Rules], Reading | str]


def judge(
    gate: Gate,
    evidence: Evidence,
    *,
    look: Look | None,
    looks: Sequence[Look] = (),
    confidence: float = 0.95,
    alpha_early: float = 0.01,
    prior: tuple[float, float] = (1.0, 9.0),
    version: int = RULES,
) -> GateResult:
    """The verdict of one gate.

    Args:
        gate: what the policy demands.
        evidence: what was seen, settled (its window ends before the delay and the deadline).
        look: the declared look at the end of the soak; None for an interim look, in which only a FAIL can be final.
        looks: all declared looks of the phase, which give the alpha at which more samples would be judged.
        confidence: of the two-sided intervals that are shown; a verdict's bounds are one-sided at the look's alpha.
        alpha_early: chance that a service exactly at the alert limit is ever failed early, over all looks together.
        prior: Beta prior of the failure rate in the sequential test.
        version: version of the rules (`terms.RULES`).
    """
    rules = Rules(look, tuple(looks), confidence, alpha_early, prior, version)
    if evidence.kind != gate.kind:
        return no_data(gate, evidence, f"the evidence is of kind {evidence.kind}, not {gate.kind}")
    if wrong := impossible(gate, evidence):
        return no_data(gate, evidence, wrong)
    result = (against if gate.against else _KINDS[gate.kind])(gate, evidence, rules)
    if gate.implausible and result.value is not None and gate.implausible.holds(result.value):
        odd = words.number(result.value, gate.unit, gate.implausible.limit)
        doubt = f"{words.comparison(gate.implausible, gate.unit)} is not believed"
        return no_data(gate, evidence, f"{odd} is not plausible ({doubt}): is the unit right?")
    if gate.against and result.gate.muted:
        return result
    return _whole(result, evidence, look)


def _whole(result: GateResult, evidence: Evidence, look: Look | None) -> GateResult:
    """The result for partial data: never a PASS, and where it leaves the gate open, the reason names the gap first."""
    open_or_passed = result.verdict is Verdict.INCONCLUSIVE or (evidence.partial and result.verdict is Verdict.PASS)
    if not open_or_passed or not (evidence.partial or evidence.doubtful):
        return result
    told = result.reason.rstrip(".")
    if evidence.unseen and (look is not None or result.verdict is Verdict.PASS):
        reason = f"{words.title(result.gate)}: {evidence.unseen}; what was seen: {told.partition('; ')[0]}"
        more: dict[str, object] = {"needed": None, "needed_hours": None}
    elif result.verdict is Verdict.PASS:
        reason, more = (
            f"{told}, but part of the window could not be seen, and partial data never passes",
            dict[str, object](),
        )
    else:
        return result
    return result.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "reason": words.sentence(reason), **more})


def judge_all(
    gates: Iterable[Gate],
    evidence: Mapping[str, Evidence],
    *,
    look: Look | None,
    looks: Sequence[Look] = (),
    confidence: float = 0.95,
    alpha_early: float = 0.01,
    prior: tuple[float, float] = (1.0, 9.0),
    version: int = RULES,
    alphas: Mapping[str, float] | None = None,
) -> tuple[GateResult, ...]:
    """The verdicts of all gates in the order of their declaration; a measure that was not taken is NO_DATA.

    At a declared look NO_DATA is FAIL for a gate with `no_data: fail`.

    Args:
        alphas: by gate, the alpha that replaces `alpha_early` (`family.Family.split`).
    """

    def one(gate: Gate) -> GateResult:
        seen = evidence.get(gate.measure)
        if seen is None:
            nothing = Evidence(measure=gate.measure, kind=gate.kind, start="", end="", query="not asked")
            return no_data(gate, nothing, f"'{gate.measure}' was not measured")
        return judge(
            gate,
            seen,
            look=look,
            looks=looks,
            confidence=confidence,
            alpha_early=(alphas or {}).get(gate.id, alpha_early),
            prior=prior,
            version=version,
        )

    return tuple(_or_fail(one(gate), look) for gate in gates)


def _or_fail(result: GateResult, look: Look | None) -> GateResult:
    if result.verdict is not Verdict.NO_DATA or result.gate.no_data != "fail" or look is None:
        return result
    told = f"{result.reason.rstrip('.')}; without data this gate fails (`no_data: fail`)"
    return result.model_copy(update={"verdict": Verdict.FAIL, "reason": words.sentence(told)})


def _measured(gate: Gate, read: Reading, rules: Rules) -> str:
    """The reading in words: `success rate 99.7 % (95 % 98.2-100.0 %, n = 300)`."""
    extent = words.interval(read.low, read.high, gate.unit)
    # A quantile's two bounds are one-sided, each at its own level.
    label = "bounds" if gate.kind == "quantile" else words.sure(rules.confidence)
    shown = [f"{label} {extent}"] if extent else []
    if read.n:
        shown.append(f"n = {read.n:,}")
    against = bad_side(gate).limit if bad_side(gate).holds(read.value) else gate.target.limit
    value = words.number(read.value, gate.unit, against)
    return f"{words.title(gate)} {value}" + (f" ({', '.join(shown)})" if shown else "")


def _side(gate: Gate) -> str:
    """The bad side in words: `below the alert limit 98 %`, or `above` it."""
    line = bad_side(gate)
    word = "below" if gate.higher_is_better else "above" if line.op == ">" else "at or above"
    name = "the alert limit" if gate.alert else "the target"
    return f"{word} {name} {words.limit(line.limit, gate.unit)}"


def _more(more: int | None, evidence: Evidence, noun: str, look: Look | None) -> tuple[str, float | None]:
    """How many more samples and how long, in words; and the hours at the rate seen."""
    if more is None or more <= 0:
        return "", None
    span = reading.hours(evidence)
    wait = more / (evidence.n / span) if evidence.n and span > 0 else None
    at = f" ({words.hours(wait)} at the rate seen)" if wait is not None else ""
    does = "would decide it" if look else "are needed for a verdict at the end"
    return f"; {words.count(more, f'more {noun}')}{at} {does} if nothing changes", wait


def _from_reading(reader: Reader) -> Judge:
    def judged(gate: Gate, evidence: Evidence, rules: Rules) -> GateResult:
        read = reader(gate, evidence, rules)
        if not isinstance(read, str):
            return _conclude(gate, evidence, rules, read)
        if evidence.n == 0 and not evidence.bad:
            return absent(gate, evidence, rules, read)
        return no_data(gate, evidence, read)

    return judged


_WORST = (Verdict.FAIL, Verdict.NO_DATA, Verdict.INCONCLUSIVE, Verdict.PASS)


def _rate(gate: Gate, evidence: Evidence, rules: Rules) -> GateResult:
    """Judges a rate. Several sources are judged one by one, and the worst decides, so a large one hides no small one.

    The sources share the chance of a false FAIL (Bonferroni). A PASS needs all of them, so it needs no split.
    """
    used = [part for part in evidence.parts if part.n]
    if not used:
        return _sure(gate, evidence, rules)
    silent = [part.name for part in evidence.parts if not part.n]
    each = replace(rules, alpha_early=rules.alpha_early / len(used))
    results = [_sure(named, own, each) for named, own in sources(gate, evidence)]
    worst = min(results, key=lambda one: (_WORST.index(one.verdict), _health(gate, one)))
    if silent and worst.verdict is Verdict.PASS and evidence.proven_zero_by is None:
        told = f"{worst.reason.rstrip('.')}, but nothing was counted of {', '.join(silent)}"
        worst = worst.model_copy(update={"verdict": Verdict.INCONCLUSIVE, "reason": words.sentence(told)})
    return worst.model_copy(update={"gate": gate, "evidence": evidence})


def sources(gate: Gate, evidence: Evidence) -> list[tuple[Gate, Evidence]]:
    """Each source of a rate by itself, with the gate named after it; without several sources, the whole."""
    found = []
    for part in evidence.parts:
        named = gate.model_copy(update={"title": f"{gate.title}, {part.name}"} if len(evidence.parts) > 1 else {})
        doubtful = min(evidence.doubtful, part.bad)
        figures = {"bad": part.bad, "n": part.n, "parts": (), "doubtful": doubtful, "course": part.course}
        if part.n:
            found.append((named, evidence.model_copy(update=figures)))
    return found or [(gate, evidence)]


def _health(gate: Gate, result: GateResult) -> float:
    """A value in which larger is better for every gate; minus infinity without a value."""
    if result.value is None:
        return -math.inf
    return result.value if gate.higher_is_better else -result.value


def _sure(gate: Gate, evidence: Evidence, rules: Rules) -> GateResult:
    """Judges a rate with doubtful failures: they can keep it from passing, but cannot fail it."""
    result = _PLAIN_RATE(gate, evidence, rules)
    if not evidence.doubtful or result.verdict is not Verdict.FAIL or evidence.bad is None:
        return result
    sure = _PLAIN_RATE(gate, evidence.model_copy(update={"bad": evidence.bad - evidence.doubtful}), rules)
    if sure.verdict is Verdict.FAIL:
        return sure.model_copy(update={"evidence": evidence})
    why = evidence.unseen or f"{evidence.doubtful:,} of these failures cannot be told from the callers' own mistakes"
    reason = words.sentence(f"{result.reason.rstrip('.')}, but {why}")
    told = evidence.model_copy(update={"bad": evidence.bad - (evidence.doubtful - evidence.untold)})
    doubted = rules.version >= NOTHING_FORGOTTEN and evidence.untold > 0 and _PLAIN_RATE(gate, told, rules).collapsed
    open_ = {"verdict": Verdict.INCONCLUSIVE, "reason": reason, "collapsed": False, "doubted": doubted}
    return result.model_copy(update=open_)


def _conclude(gate: Gate, evidence: Evidence, rules: Rules, read: Reading) -> GateResult:  # noqa: PLR0911 (a table of cases)
    """The table of verdicts for rates, quantiles and amounts (trap 12)."""
    measured, side = _measured(gate, read, rules), _side(gate)
    bad, met = bad_side(gate).holds(read.value), gate.target.holds(read.value)
    level = words.sure(1 - rules.alpha)
    line = bad_side(gate).limit
    target = words.comparison(gate.target, gate.unit)
    aim = gate.target.limit if gate.evidence == "target" else line
    bound = "" if read.worst is None else f"its {level} bound {words.number(read.worst, gate.unit, aim)}"

    def result(verdict: Verdict, reason: str, edge: float | None = read.worst, needed: int | None = None) -> GateResult:
        text, wait = _more(needed, evidence, read.noun, rules.look)
        return result_of(
            gate,
            evidence,
            verdict,
            reason + text,
            value=read.value,
            low=read.low,
            high=read.high,
            n=read.n,
            bound=edge,
            alpha=rules.alpha,
            needed=needed if text else None,
            needed_hours=wait,
            collapsed=bool(verdict is Verdict.FAIL and gate.collapse and gate.collapse.holds(_now(gate, read))),
            since=read.since and read.since.at,
            since_between=read.since and read.since.between,
            until=read.since and read.since.until,
            present=_present(gate, read, rules),
        )

    if math.isinf(read.value):
        paid = f"{words.title(gate)} is infinite: money was spent and there is no success to spread it over"
        return result(Verdict.INCONCLUSIVE if rules.look is None else Verdict.FAIL, paid)
    if read.early is not None and (bad or read.since or read.since_quarter):
        is_ = "was" if read.since and read.since.until else "is"
        told = f"{measured} {is_} {side}" if bad and read.since_quarter is None else f"{measured} hides a change"
        return result(Verdict.FAIL, f"{told}: {read.early}", read.best)
    if rules.look is None:
        return result(
            Verdict.INCONCLUSIVE, _so_far(measured, side, target, bad=bad, met=met), needed=_still(gate, read, met)
        )
    if read.n < gate.min_samples:
        missing = max(gate.min_samples - read.n, read.needed or 0 if met or bad else 0)
        few = f"{measured} rests on fewer than {gate.min_samples} samples"
        return result(Verdict.INCONCLUSIVE, few, needed=missing)
    if bad and read.breaks_limit:
        return result(Verdict.FAIL, f"{measured} is {side}", read.best)
    if bad:
        unsure = f"{measured} is {side}, but too few samples show it"
        return result(Verdict.INCONCLUSIVE, unsure, read.best, read.needed)
    if not met:
        between = (
            f"{measured} misses the target {target}, short of the alert limit; more of the same would not decide it"
        )
        return result(Verdict.INCONCLUSIVE, between)
    if gate.evidence == "point" and not (read.worst is not None and math.isinf(read.worst)):
        return result(Verdict.PASS, f"{measured} meets the target {target}")
    cleared = read.clears_target if gate.evidence == "target" else read.clears_limit
    what = "the target" if gate.evidence == "target" else f"the alert limit {words.limit(line, gate.unit)}"
    if cleared:
        proof = f"{bound} clears {what}" if bound else f"so few are beyond {what} that it is excluded at {level}"
        return result(Verdict.PASS, f"{measured} meets the target {target}, and {proof}")
    doubt = f"{bound} does not clear {what}" if bound else "there are too few samples for a bound"
    return result(Verdict.INCONCLUSIVE, f"{measured} meets the target {target}, but {doubt}", needed=read.needed)


def _now(gate: Gate, read: Reading) -> float:
    """The value that a collapse is judged by: from the change up to now, also where the figures are of another time."""
    counted = read.since_quarter[1:] if read.since_quarter else read.since and read.since.now
    if not counted or gate.kind != "rate":
        return read.value
    failing = counted[0] / counted[1]
    return 1 - failing if gate.higher_is_better else failing


def _present(gate: Gate, read: Reading, rules: Rules) -> tuple[float, float] | None:
    """The interval of that value, where the worse time is over: the figures are of that time alone."""
    since = read.since
    if since is None or since.until is None or gate.kind != "rate" or rules.version < OVER_AT_ONCE:
        return None
    bad, n = since.now
    return statistics.clopper_pearson(n - bad if gate.higher_is_better else bad, n, rules.confidence)


def _still(gate: Gate, read: Reading, met: bool) -> int | None:
    """How many more samples the end of the soak needs, if it goes on as now; None: none, or more would not help."""
    if not met:
        return None
    proof = 0 if gate.evidence == "point" else read.needed or 0
    return max(gate.min_samples - read.n, proof) or None


def _so_far(measured: str, side: str, target: str, *, bad: bool, met: bool) -> str:
    if bad:
        return f"soaking: {measured} so far, {side}, but there are too few requests yet to be sure"
    return f"soaking: {measured} so far, " + (f"in order (target {target})" if met else f"short of the target {target}")


_PLAIN_RATE = _from_reading(reading.rate)
_KINDS: dict[str, Judge] = {
    "rate": _rate,
    "quantile": _from_reading(reading.quantile),
    "amount": _from_reading(reading.amount),
    "gauge": gauge,
    "split": split,
}
