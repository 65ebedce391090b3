"""`runbook probe`: synthetic traffic if users are too few for a verdict. Its result is a record of its own.

Probes go through the real API and cost real tokens, so they are planned first (number, duration, cost) and paced
well below the workers' capacity. They are marked: no gate on users ever counts them
(docs/domain.md, trap 9).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib.act.requests.load import LoadPlan
from runbook_lib.act.requests.probe import Probe, probe, spoilt
from runbook_lib.base.aws import Aws
from runbook_lib.base.errors import UsageError
from runbook_lib.base.window import iso
from runbook_lib.judge import words
from runbook_lib.judge.gates.checks import Check
from runbook_lib.judge.gates.gates import judge
from runbook_lib.judge.model import Evidence, Gate, Look
from runbook_lib.observe.api_address import LEAST_WAIT_S, reached, stage_url
from runbook_lib.observe.jobs.behind import Behind
from runbook_lib.observe.references import with_secrets
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.params.load import Params, load_file
from runbook_lib.run.command import CommandRun

NAME = "probe"
"""The chain of these records, beside those of the notebooks."""
MOST_MINUTES = 24 * 60.0
"""Longest that probes may take together: a window that is judged by them is shorter."""
MOST_SHARE = 0.25
"""Largest share of the workers' capacity for probes: users come first."""


@dataclass(frozen=True)
class ProbePlan:
    """The planned probes."""

    count: int
    per_minute: float
    most_per_minute: float
    """Fastest pace: beyond it they would take more than `MOST_SHARE` of the workers' capacity."""
    minutes: float
    usd: float
    """Cost of the tokens, by the price list."""

    @property
    def sentence(self) -> str:
        """The plan as a sentence."""
        return (
            f"{words.count(self.count, 'probe')}, {self.per_minute:.3g} a minute, {self.minutes:.0f} min; tokens for "
            f"about ${self.usd:.2f}"
        )


@dataclass(frozen=True)
class Done:
    """The result of the probes; for `--json`."""

    applied: bool
    sentence: str
    verdict: str
    sent: int
    failed: int
    record: str | None

    def as_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return asdict(self)


def planned(params: Params, count: int, per_minute: float, generation_s: float) -> ProbePlan:
    """The duration and cost of the probes, if users do not notice their pace.

    Args:
        generation_s: seconds that a worker needs for one report.

    Raises:
        UsageError: no probes, too fast a pace, or more probes than a day has time for.
    """
    if count < 1:
        raise UsageError(f"probe: the number of probes is {count}, expects 1 or more")
    most = MOST_SHARE * params.service.workers * 60 / generation_s
    if not 0 < per_minute <= most:
        raise UsageError(
            f"probe: --per-minute is {per_minute:g}, expects more than 0 and at most {most:.3g}: "
            f"{MOST_SHARE:.0%} of what {params.service.workers} workers can do at {generation_s:g} s a report"
        )
    prices, service = params.prices, params.service
    usd = math.fsum(
        prices.of(f"llm.{kind}_tokens", count * each)
        for kind, each in (("input", service.input_tokens), ("output", service.output_tokens))
    )
    minutes = (count - 1) / per_minute + service.job_deadline_s / 60
    if minutes > MOST_MINUTES:
        raise UsageError(
            f"probe: {count:,} probes at {per_minute:g} a minute take {minutes / 1440:,.1f} days; expects one day at "
            f"most, so no more than {int(MOST_MINUTES * per_minute):,}"
        )
    return ProbePlan(count, per_minute, most, minutes, usd)


def judged(probes: list[Probe], gate: Gate, start: str, end: str, confidence: float) -> Check:
    """The probes' own success, by the rules of the users' gate, as a separate check."""
    bad = sum(not one.ok for one in probes)
    evidence = Evidence(
        measure=gate.measure,
        kind="rate",
        start=start,
        end=end,
        query="probes of our own, followed to their end",
        bad=bad,
        n=len(probes),
    )
    result = judge(gate, evidence, look=Look(hours=1, alpha=1 - confidence), confidence=confidence)
    return Check(
        id="probe.success",
        title="Probes succeed",
        verdict=result.verdict,
        reason=words.sentence(result.reason.rstrip(".") + "; probes are counted apart, and never in the users' rate"),
        expected=str(gate.target),
        found=words.number(result.value, gate.unit),
        facts={"sent": len(probes), "failed": bad, "low": result.low, "high": result.high, "why": spoilt(probes)},
    )


def run_probes(
    file: Path,
    values: Mapping[str, Any],
    count: int,
    per_minute: float | None,
    *,
    told: Callable[[Probe, int, int], object] = lambda *_: None,
) -> Done:
    """Plans the probes; sends them if `values` have mode apply and confirm.

    Args:
        count: number of probes.
        per_minute: pace; None: the fastest one that users do not notice.
        told: called with each probe as it ends, its number, and the number of all.

    Raises:
        UsageError: parameters, account, number or pace are wrong.
        Refused: not confirmed, or old evidence.
        AwsError: AWS cannot be reached, or there is no API.
    """
    params = load_file(file, values)
    generation_s = params.nested("load", LoadPlan).generation_s
    pace = MOST_SHARE * params.service.workers * 60 / generation_s if per_minute is None else per_minute
    plan = planned(params, count, pace, generation_s)
    params, aws, identity = reached(params)
    if params.mode != "apply":
        return Done(False, f"nothing was sent; apply would send {plan.sentence}", "", 0, 0, None)
    with CommandRun(params, NAME, aws, identity) as record:
        found = _send(record, aws, params, plan, told)
    facts = found.facts
    return Done(True, found.reason, str(found.verdict), facts["sent"], facts["failed"], record.folder)


def _send(
    record: CommandRun, aws: Aws, params: Params, plan: ProbePlan, told: Callable[[Probe, int, int], object]
) -> Check:
    guard, probe_id = record.guard, f"topup-{record.run_id}"
    began = guard.now
    state, deployed = weights.read_or_nothing(aws, params)
    if not deployed:
        raise UsageError(f"probe: the new resources are not deployed in {params.env}: there is nothing to probe")
    service, scale = params.service, params.flat.time_scale
    routes = traffic.as_routed(params, state).service.api.routes
    url, kept = stage_url(aws, params), list[Probe]()
    contract = with_secrets(service.contract, aws, params.env)
    ended: list[Probe] = []

    def each(one: Probe) -> None:
        ended.append(one)
        told(one, len(ended), plan.count)

    def act() -> None:
        kept.extend(
            probe(
                url,
                routes,
                plan.count,
                per_minute=plan.per_minute / scale,
                probe_id=probe_id,
                deadline_s=max(LEAST_WAIT_S, service.job_deadline_s * scale),
                poll_s=max(0.05, service.poll_every_s * scale),
                contract=contract,
                behind=Behind(aws, params),
                done=each,
            )
        )

    guard.change(
        f"probe {params.env}: {plan.sentence}, marked {probe_id}",
        before={"sent": 0},
        after={"sent": plan.count},
        undo="none is needed: the jobs are probes, and expire by their TTL",
        do=act,
        read_back=lambda: {"sent": len(kept)},
        raises=True,
    )
    record.journal.attach("probes.json", json.dumps([asdict(one) for one in kept]))
    end = iso(guard.now)
    found = judged(kept, params.policy.gate("success_rate"), iso(began), end, params.policy.confidence)
    record.journal.append("check", check=found.model_dump(mode="json"))
    record.say(found.reason)
    return found
