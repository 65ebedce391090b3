"""From the verdicts of all gates to the one decision of a run (docs/domain.md, traps 13, 14, 18-20).

Only required, unmuted gates decide. A muted or advisory gate stays in the results and is named in the reason; it never
moves the decision. `docs/verdicts.md` explains each rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.judge.gates.remedies import Table, choices
from runbook_lib.judge.gates.situation import Situation, baseline_is_worse, baseline_words, users
from runbook_lib.judge.model import Evidence, GateResult, Outcome
from runbook_lib.judge.terms import Decision, Scenario, Verdict

Moment = Literal["before", "during", "after", "taken_back", "void"]

_SCENARIOS: dict[str, Scenario] = {"switch_off": "rollback_1", "backlog": "rollback_2", "throttling": "rollback_3"}
_REMEDIES: dict[Scenario, str] = {
    "rollback_1": "run rollback_1: it turns async off at once",
    "rollback_2": "run rollback_2: it works off the backlog",
    "rollback_3": "run rollback_3: it ends the throttling",
}
_COSTS: dict[Scenario, str] = {
    "rollback_2": "async stays on, and more workers run until the queue is drained: each calls the LLM, and "
    "the account has fewer executions left for other functions",
    "rollback_3": "async stays on, and table and index get provisioned capacity, which is paid for by the hour, used "
    "or not",
}
"""What the mitigations do and cost, for the reason. They do not return to the baseline."""


def decide(
    moment: Moment,
    results: Sequence[GateResult],
    *,
    percent: float | None = None,
    applied: bool = False,
    last_look: bool = False,
    come_back_at: str | None = None,
    baseline: Evidence | None = None,
    worse_baseline_holds: bool = True,
    confidence: float = 0.95,
    way_back: bool = True,
    alarm: str | None = None,
    alarm_at: str | None = None,
    taken_back: str | None = None,
    void: str | None = None,
    remedies: Table | None = None,
    look_number: int = 0,
) -> Outcome:
    """The decision of a run.

    Args:
        moment: `before` the shift, `during` the soak, `after` it (a declared look), `taken_back` (AppConfig rolled back
            by itself), `void` (another weight was in force, or the switch off, while it should have soaked).
        results: verdicts of all gates, also of muted and advisory ones.
        percent: weight in force now; `before`: the weight to be set.
        applied: `before`: whether this run made the shift.
        last_look: whether no declared look is left, so that INCONCLUSIVE cannot extend the soak.
        come_back_at: ISO 8601 UTC of the next look that is worth a run.
        baseline: success of the synchronous endpoint (a rate; `bad` counts its failures).
        worse_baseline_holds: whether trap 13's rule holds; if not, every such FAIL rolls back.
        confidence: confidence of the intervals that must not overlap to show that the baseline is worse.
        way_back: False once the old endpoint is gone (trap 19): a FAIL is HOLD with a forward fix.
        alarm, alarm_at: `taken_back`: the alarm and the time that AppConfig names.
        taken_back: `taken_back`, but not by AppConfig itself: who did it and when, in words.
        void: `void`: why, in words.
        remedies: the symptom that each response needs; empty: none, as in records of version 0.1.
        look_number: number of the declared look, from 1; 0: it is none.
    """
    chosen = choices(results, remedies) if remedies else {}
    now = Situation(percent, baseline, come_back_at, worse_baseline_holds, confidence, way_back, chosen, bool(remedies))
    counted = [result for result in results if not _aside(result, look_number)]
    match moment:
        case "before":
            outcome = _before(counted, now, applied)
        case "taken_back":
            outcome = _taken_back(counted, now, taken_back or _by_appconfig(alarm, alarm_at, percent))
        case "void":
            outcome = _void(counted, now, void)
        case "during":
            outcome = _failing(counted, now) or _soaking(counted, now)
        case "after":
            outcome = _failing(counted, now) or _final(counted, now, last_look)
    aside = _set_aside(results, look_number)
    reason = words.sentence(outcome.reason.rstrip(" .") + (f"; not counted: {aside}" if aside else ""))
    return outcome.model_copy(update={"results": tuple(results), "reason": reason})


def _outcome(
    decision: Decision, reason: str, then: str, at: str | None = None, scenario: Scenario | None = None
) -> Outcome:
    return Outcome(
        decision=decision,
        reason=reason,
        next=words.sentence(then[:1].upper() + then[1:]),
        come_back_at=at,
        scenario=scenario,
    )


def _weight(now: Situation) -> str:
    return "the weight" if now.percent is None else f"the weight of {now.percent:g} %"


def _again(now: Situation) -> str:
    return (
        f"run this notebook again at {words.instant(now.come_back_at)}"
        if now.come_back_at
        else "run this notebook again later"
    )


def _names(results: Sequence[GateResult]) -> str:
    return ", ".join(words.title(result.gate) for result in results)


def _told(result: GateResult) -> str:
    return result.reason.rstrip(" .")


def _aside(result: GateResult, look_number: int) -> str:
    """Why the gate does not decide, in words; empty: it does."""
    gate = result.gate
    if gate.muted:
        return f"muted: {gate.muted}"
    if not gate.required:
        return "advisory"
    seen = result.evidence
    # Counts that cannot be are no data either, but not the silence of a metric that has none.
    nothing = not seen.n and not seen.bad and seen.value is None
    silent = result.verdict is Verdict.NO_DATA and nothing and gate.no_data == "ignore_after_first" and look_number > 1
    return "no data is ignored after the first look" if silent else ""


def _set_aside(results: Sequence[GateResult], look_number: int) -> str:
    told = [(result, _aside(result, look_number)) for result in results]
    return ", ".join(f"{words.title(result.gate)} {result.verdict} ({why})" for result, why in told if why)


def _ranked(results: Sequence[GateResult]) -> list[GateResult]:
    """The results by severity, worst first; equal ones stay in order."""
    return sorted(results, key=lambda result: -result.gate.severity)


def _having(results: Sequence[GateResult], verdict: Verdict) -> list[GateResult]:
    return _ranked([result for result in results if result.verdict is verdict])


def _failing(counted: Sequence[GateResult], now: Situation) -> Outcome | None:
    """ROLLBACK or HOLD if a counted gate has failed; None: none has."""
    fails = _having(counted, Verdict.FAIL)
    if not fails:
        return None
    if not now.way_back:
        return _outcome(
            Decision.HOLD,
            f"{_told(fails[0])}; there is no way back: the old endpoint is gone{_also(fails[1:])}",
            "call people: fix forward, or deploy the archived function again",
        )
    worse = now.worse_baseline_holds and baseline_is_worse(counted, now) and not any(fail.collapsed for fail in fails)

    def spared(fail: GateResult) -> bool:
        return worse and now.response(fail) == "switch_off" and not fail.gate.always_rollback

    acting = [fail for fail in fails if now.response(fail) != "hold" and not spared(fail)]
    if acting:
        # Loss and exhausted quotas are causes, so they come first; then a collapse, which outweighs a broken baseline.
        causes = [fail for fail in acting if fail.gate.always_rollback]
        first = (causes or [fail for fail in acting if fail.collapsed] or acting)[0]
        scenario = _SCENARIOS[now.response(first)]
        others = [fail for fail in fails if fail is not first]
        collapse = first.gate.collapse if first.collapsed else None
        past = f", past collapse ({words.comparison(collapse, first.gate.unit)})" if collapse else ""
        return _outcome(
            Decision.ROLLBACK,
            f"{_told(first)}{past}{_unfit(first, now)}{_also(others)}; {_what_it_does(scenario, counted, now)}",
            _REMEDIES[scenario],
            scenario=scenario,
        )
    first = fails[0]
    if spared(first):
        return _outcome(
            Decision.HOLD,
            f"{_told(first)}, but the baseline is shown to be worse: {baseline_words(counted, now)}{_also(fails[1:])}",
            f"{_weight(now)} is frozen; call people; the rollback is one command away: {_REMEDIES['rollback_1']}",
            scenario="rollback_1",
        )
    if now.unfit(first):
        return _outcome(
            Decision.HOLD,
            f"{_told(first)}; no remedy of this runbook cures it{_unfit(first, now)}{_also(fails[1:])}; "
            f"{baseline_words(counted, now)}",
            f"{_weight(now)} is frozen; call people: find the cause; the rollback is one command away: "
            f"{_REMEDIES['rollback_1']}",
            scenario="rollback_1",
        )
    return _outcome(
        Decision.HOLD,
        f"{_told(first)}{_also(fails[1:])}",
        f"{_weight(now)} stays as it is; a human decides, since no rollback cures this",
    )


def _unfit(fail: GateResult, now: Situation) -> str:
    return f": {now.unfit(fail)}" if now.unfit(fail) else ""


def _what_it_does(scenario: Scenario, counted: Sequence[GateResult], now: Situation) -> str:
    """What scenario 1 returns to, in words; for the others what they do, where the case has a table of symptoms."""
    mitigates = now.by_symptom and scenario in _COSTS
    return _COSTS[scenario] if mitigates else baseline_words(counted, now)


def _also(others: Sequence[GateResult]) -> str:
    return f"; also failing: {_names(others)}" if others else ""


def _before(counted: Sequence[GateResult], now: Situation, applied: bool) -> Outcome:
    already = _having(counted, Verdict.FAIL)
    warned = f", while already failing: {_names(already)}" if already else ""
    if applied:
        return _outcome(
            Decision.SOAK,
            f"{_weight(now)} was set by this run and the soak has begun{warned}",
            _again(now),
            now.come_back_at,
        )
    return _outcome(
        Decision.PLANNED,
        f"nothing is in force; apply would set {_weight(now)} and start the soak{warned}",
        "read the plan, then run again with mode=apply and confirm=<environment>",
    )


def _soaking(counted: Sequence[GateResult], now: Situation) -> Outcome:
    doubted = _ranked([result for result in counted if result.doubted])
    if doubted:
        others = f"; also in doubt: {_names(doubted[1:])}" if doubted[1:] else ""
        back = f"; the rollback is one command away: {_REMEDIES['rollback_1']}" if now.way_back else ""
        return _outcome(
            Decision.HOLD,
            f"{_told(doubted[0])}{others}; if these are failures, the service has collapsed for its users",
            f"{_weight(now)} stays; call people: find out what the users of these requests got{back}",
            scenario="rollback_1" if now.way_back else None,
        )
    silent = _having(counted, Verdict.NO_DATA)
    doubt = f", but there is no data yet for {_names(silent)}" if silent else ""
    return _outcome(
        Decision.SOAK, f"{_weight(now)} is in force and nothing has failed so far{doubt}", _again(now), now.come_back_at
    )


def _final(counted: Sequence[GateResult], now: Situation, last_look: bool) -> Outcome:
    silent, open_ = _having(counted, Verdict.NO_DATA), _having(counted, Verdict.INCONCLUSIVE)
    if silent:
        others = f"; also without data: {_names(silent[1:])}" if silent[1:] else ""
        return _outcome(
            Decision.HOLD,
            f"{_told(silent[0])}{others}",
            f"{_weight(now)} stays; find out why nothing is seen, then run again",
        )
    traffic = [result for result in counted if result.gate.kind in ("rate", "quantile")]
    if not counted:
        return _outcome(
            Decision.HOLD, "no gate is left to decide", "give the phase a gate that is required and not muted"
        )
    if traffic and not any(result.n for result in traffic):
        return _outcome(
            Decision.HOLD,
            "no request was judged, and a soak without traffic shows nothing",
            f"{_weight(now)} stays; find out why there is no traffic, then run again",
        )
    if open_:
        others = f"; also undecided: {_names(open_[1:])}" if open_[1:] else ""
        if last_look:
            return _outcome(
                Decision.HOLD,
                f"the last look of the soak is not conclusive: {_told(open_[0])}{others}; "
                f"{baseline_words(counted, now)}",
                f"{_weight(now)} stays; a human decides: soak again with the next attempt (attempt + 1), or go back "
                f"({_REMEDIES['rollback_1']})",
            )
        return _outcome(
            Decision.SOAK,
            f"extended, {_told(open_[0])}{others}",
            f"{_again(now)}, the next declared look",
            now.come_back_at,
        )
    gates = words.count(len(counted), "required gate")
    served = users(counted)
    main = f", first of all: {_told(served)}" if served is not None else ""
    return _outcome(
        Decision.PROMOTE,
        f"all {gates} passed at the end of the soak at {_weight(now)}{main}",
        "go on with the next phase",
    )


def _by_appconfig(alarm: str | None, at: str | None, percent: float | None) -> str:
    which = f"alarm {alarm} fired" if alarm else "an alarm fired that it does not name"
    to = "" if percent is None else f" to {percent:g} %"
    return f"AppConfig took the weight back{to} by itself when {which}{f' at {when(at)}' if at else ''}"


def _taken_back(counted: Sequence[GateResult], now: Situation, how: str) -> Outcome:
    return _outcome(
        Decision.ROLLBACK,
        f"{how}; this is in effect already, whatever the metrics say; {baseline_words(counted, now)}",
        "run rollback_1: it proves that async is off and turns the switch off too; then find the cause",
        scenario="rollback_1",
    )


def _void(counted: Sequence[GateResult], now: Situation, why: str | None) -> Outcome:
    spoilt = f"the soak is void: {why or 'the weight in force was not the one that should have soaked'}"
    # Users are still on async: a failure for them comes before the rules of a soak.
    failing = _failing(counted, now) if now.percent else None
    if failing is not None and failing.decision is Decision.ROLLBACK:
        return failing.model_copy(update={"reason": f"{failing.reason}; also, {spoilt}"})
    return _outcome(
        Decision.HOLD,
        spoilt,
        "find out who changed it and why; the soak starts again from the beginning with a new attempt",
    )
