"""The verdict of a phase: one decision from where it stands, what was seen and the checks of the run.

These functions change nothing in AWS. Some of them look again: what came after the judged hours must bear the verdict
out. `Phase._judged` in `phase.py` calls them in order.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from runbook_lib.base.window import Window, iso, parse
from runbook_lib.judge import words
from runbook_lib.judge.case import Case
from runbook_lib.judge.gates.checks import Check, check, unmet
from runbook_lib.judge.gates.situation import USER_SUCCESS
from runbook_lib.judge.model import Evidence, Look, Outcome
from runbook_lib.judge.terms import Decision, Verdict
from runbook_lib.observe.alarms import declared as alarms
from runbook_lib.observe.traffic.state import WITHOUT_ROUTES
from runbook_lib.record.predecessors import predecessors
from runbook_lib.rollout import hints, present
from runbook_lib.rollout import moment as moments
from runbook_lib.rollout.case import case_of
from runbook_lib.rollout.look import Seen
from runbook_lib.rollout.way_back import deploy_command
from runbook_lib.run.run import Run
from runbook_lib.steps.phase.look import PhaseLook, Stand

MARGIN = dt.timedelta(minutes=30)
"""How long before jobs begin to leave the table the next look is due."""


# One look


def case(stand: Stand, seen: Seen, look: Look | None, moment: moments.Name | None = None) -> Case:
    """The case that is judged.

    Args:
        look: the declared look; None for an interim one.
        moment: replaces the moment that the phase is in.
    """
    now = stand.moment
    back = stand.first_look(stand.now) if now.name == "before" else now.come_back_at
    return case_of(stand.params, stand.spec, now, seen.evidence, look, moment=moment, back=back)


def decide(run: Run, stand: Stand, seen: Seen, look: Look | None, moment: moments.Name | None = None) -> Outcome:
    """Decides on what was seen, and keeps the case in the run. Arguments as in `case`."""
    made = case(stand, seen, look, moment)
    outcome = made.verdict()
    run.made_of(made, outcome, seen)
    return way_back(stand, outcome) if outcome.scenario == "rollback_1" else outcome


def way_back(stand: Stand, outcome: Outcome) -> Outcome:
    """The outcome with the next step of rollback 1: after the migration, where the switch has no effect, another."""
    if not stand.state.migrated:
        return outcome
    said = (
        "Run rollback_1. The switch has no effect any more, so the infrastructure's own command deploys the step "
        f"before ({deploy_command(stand.params, 'async')}), and the stack is compared with the template in the record."
    )
    return outcome.model_copy(update={"next": said})


def offered(stand: Stand, outcome: Outcome) -> Outcome:
    """The outcome with a hint how to get more samples sooner, where a declared look had too few."""
    users = [one for one in outcome.results if one.gate.measure == USER_SUCCESS and one.gate.required]
    short = [one.needed for one in users if one.verdict is Verdict.INCONCLUSIVE and one.needed]
    if stand.moment.look is None or not short or outcome.decision not in (Decision.SOAK, Decision.HOLD):
        return outcome
    return outcome.model_copy(update={"next": f"{outcome.next} {hints.offer(stand.params, max(short))}"})


def turned_off(outcome: Outcome) -> Outcome:
    """The outcome of a run that has turned async off: rollback 1 is left to prove it, not to do it."""
    left = (
        "Async is off: this run turned it off. Run rollback_1: it proves that, explains the failures and tells people."
    )
    return outcome.model_copy(update={"next": left})


def before_jobs_are_gone(stand: Stand, outcome: Outcome, seen: Seen | None) -> Outcome:
    """The outcome with an earlier next look, where jobs would leave the table (their TTL) before a look counts them."""
    service, now = stand.params.service, stand.now
    counted = seen.segment.end_settled if seen and seen.segment else now
    latest = counted + dt.timedelta(seconds=service.job_ttl_s - service.job_deadline_s) - MARGIN
    if outcome.come_back_at is None or parse(outcome.come_back_at) <= latest or latest <= now:
        return outcome
    at = iso(latest)
    hours = service.job_ttl_s / 3600
    return outcome.model_copy(
        update={
            "come_back_at": at,
            "next": f"Run this notebook again at {words.instant(at)}: "
            f"a look in between, because jobs stay in the table {hours:g} h.",
        }
    )


# What came since


def up_to_now(look: PhaseLook, outcome: Outcome, seen: Seen) -> Outcome:
    """The verdict on the declared hours, if the time since and the guards bear it out (`rollout/present.py`)."""
    look.run.check(*all_alike(look.stand))
    window = present.since_of(seen.window.end, look.run.now)
    if outcome.decision is Decision.SOAK and not present.worth_looking(window, look.params):
        return outcome
    return borne_out(look, outcome, window, start=seen.window.start, judged=seen.evidence.get(USER_SUCCESS))


def all_alike(stand: Stand) -> list[Check]:
    """The check that fails while only some clients have the newest weight, so that nothing is promoted on it."""
    moving = "; ".join(stand.state.under_way)
    return [check("weight.all_alike", "All clients have the same weight", False, moving)] if moving else []


def since_the_phase_before(look: PhaseLook, outcome: Outcome) -> Outcome | None:
    """The outcome that stops the shift, by what came since the previous phase was judged; None: nothing does."""
    stand = look.stand
    before = look.before_this if stand.state.weight and stand.spec.before_percent else None
    kept = before.evidence.get(USER_SUCCESS) if before else None
    if kept is None:
        return None
    judged = Evidence.model_validate(kept)
    stood = borne_out(look, outcome, present.since_of(parse(judged.end), look.run.now), judged=judged)
    return None if stood is outcome else stood


def borne_out(
    look: PhaseLook,
    outcome: Outcome,
    window: Window,
    *,
    start: dt.datetime | None = None,
    judged: Evidence | None = None,
) -> Outcome:
    """The outcome if what came in `window` bears it out, else the one that it demands; noted as a check.

    Args:
        start, judged: as in `present.looked`.
    """
    run, stand = look.run, look.stand
    own, states = run.case, alarms.states(run.aws.client("cloudwatch"), look.params)
    run.journal.append("guards_now", states=states)

    def interim(span: Window) -> Outcome:  # only a FAIL in it can be final
        return decide(run, stand, look.take(span, None, counted=True), None, "during")

    guards = present.first_wrong(states)
    found = present.looked(window, look.params, interim, start=start, judged=judged, guards=guards)
    run.check(present.told(found))
    stood = present.stands(outcome, found)
    if stood is not found.whole and stood is not found.since:
        run.case = own  # the look back decided nothing: the case stays the one that was judged
    return stood


# The shift


def flags_read(stand: Stand, seen: Seen) -> Check | None:
    """`reads_flags` for the time at weight 0; None: the weight is not 0, need not be, or no client reads a flag."""
    start, end, state = seen.window.start, seen.window.end, stand.state
    splits = stand.params.service.traffic.kind in WITHOUT_ROUTES  # AWS itself: no client reads a flag
    if state.weight != 0 or stand.spec.before_percent or splits:
        return None
    span = Window(min(max(start, parse(state.since) if state.since else start), end), end)

    def total(metric: str) -> float | None:
        inside = [value for when, value in seen.answers.points(f"{metric}:Sum") if span.start <= when < span.end]
        return sum(inside) if inside else None

    return reads_flags(total("async_requests"), total("sync_requests"), span.seconds / 3600)


def reads_flags(requests: float | None, sync: float | None, hours: float) -> Check:
    """`client.reads_flags`, advisory: at weight 0 no request goes to the temporary route, so clients obey the flags."""
    ok = None if not requests and not sync else not requests
    reason = {
        None: "no request at all was seen at weight 0, so nothing is shown about the client",
        True: f"at weight 0 not one of {sync or 0:g} requests in {hours:.1f} h went to the temporary route",
        False: f"at weight 0 the temporary route had {requests or 0:g} requests in {hours:.1f} h; who sends them?",
    }[ok]
    return check(
        "client.reads_flags",
        "Clients read the flags: no async request at weight 0",
        ok,
        reason,
        required=False,
        expected="0 async requests",
        found="–" if requests is None else f"{requests:g}",
    )


def before_shift(
    run: Run, stand: Stand, outcome: Outcome, *, differs: bool, blockers: Callable[[], list[str]]
) -> Outcome:
    """The given outcome, if the shift may be planned; else HOLD or PLANNED with what comes first.

    Args:
        differs: whether the infrastructure code differs from AWS.
        blockers: why the shift must not be made, asked last.
    """
    stuck = [one.reason for one in unmet(run.checks.values()) if not one.mends]
    if stuck:
        return hold_because(stuck[0])
    if not stand.deployed or differs:
        return planned_because(
            "the new resources are not deployed yet; applying deploys them and shifts nothing",
            "Read the diff, then run again with mode=apply and confirm.",
        )
    if run.missing_to_shift and not _mistrusted(run):
        return only_deployed(run)
    blocked = blockers()
    return hold_because(blocked[0]) if blocked else outcome


def _mistrusted(run: Run) -> bool:
    """Whether a record that the shift needs exists, but cannot be trusted or does not say PROMOTE."""
    wanted = run.params.policy.steps[run.notebook].requires_to_shift
    found = predecessors(run.archive, wanted, run.params.release)
    return any(not finding.ok and finding.record for finding in found)


def only_deployed(run: Run) -> Outcome:
    """PLANNED: everything is deployed; the next step names what comes before the shift."""
    env, missing = run.params.env, run.missing_to_shift
    wanted = run.params.policy.steps[run.notebook].requires_to_shift
    todo = ", ".join(one.partition("@")[0] for one in wanted)
    then = f"make dashboard and alarms ({todo} in {env}), then run this again" if missing else "run this again"
    lacking = f"; {missing[0]}" if missing else ""
    return planned_because(f"deployed, weight 0, no async request possible{lacking}", f"{then[0].upper()}{then[1:]}.")


def hold_because(why: str) -> Outcome:
    """HOLD for what has to be put right first."""
    return Outcome(
        decision=Decision.HOLD,
        reason=why,
        next="Put that right, then run this notebook again.",
    )


def planned_because(what: str, then: str) -> Outcome:
    """PLANNED: what applying would do, or that nothing is to be done."""
    return Outcome(decision=Decision.PLANNED, reason=what, next=then)
