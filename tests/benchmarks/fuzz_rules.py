"""The fuzzer's rules for the judge, and the certainty of their results. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from runbook_lib.judge.gates.statistics import lower_bound, upper_bound
from tests.benchmarks.draw import BLIND, HARM, Play
from tests.benchmarks.fuzz import Played

ALERT, TARGET, COLLAPSE = 0.98, 0.99, 0.90
"""The policy's limits of the success rate; a test compares them with `gates.yaml`."""
ALPHA = 0.05
OTHER = (
    "slow_llm",
    "backlog",
    "cost",
    "throttled_table",
    "throttled_index",
    "loss",
    "quota",
    "crash",
    "accepted_lost",
    "poison",
    "llm_slots",
    "slow_submit",
)
"""Faults of other gates than the users' success: a rollback for them is right whatever the success is."""


_SLOW = ("slow_llm", "backlog")
CAUSES: dict[str, tuple[str, ...]] = {
    "lost_jobs": ("loss", "crash", "poison", *_SLOW),
    "llm_quota": ("quota", "llm_slots"),
    "success_rate": HARM,
    "refused": ("refused_429", "refused_403"),
    "error_rate": ("gateway_5xx", "submit_crash", "throttled_table", "throttled_index"),
    "submit_latency": ("slow_submit",),
    "generation_time": (*_SLOW, "crash"),
    "queue_depth": (*_SLOW, "crash", "poison"),
    "dlq": ("crash", "poison", "slow_llm"),
    "lambda_errors": ("crash", "poison", "submit_crash", "throttled_table", "throttled_index", "slow_llm"),
    "throttling": ("throttled_table", "throttled_index"),
    "cost": (*HARM, "cost"),
    "observed_split": ("old_clients",),
}
"""Gate to the kinds of fault that may fail it; a kind that spoils signals may fail any."""
_OF_A_BACKLOG = ("success_rate", "generation_time", "queue_depth", "cost", "lost_jobs")
"""Gates that fail without any fault if for a time more jobs come than the workers can serve. Where more wait than there
are workers, the last of them waits for one whole job and then takes one: generation is slow for a few minutes."""


def wald(share: float, limit: float = 1 - ALERT, alpha: float = 0.01) -> float:
    """Mean number of requests with which Wald's sequential test tells a failure share of `share` from `limit`.

    E[n] = ln(1/alpha) / KL(share, limit), for a test that is never wrong the other way (Wald 1947, "Sequential
    Analysis", sec. 3.4). Infinite if the share is not worse.
    """
    if share <= limit:
        return math.inf
    if share >= 1:
        return math.log(1 / alpha) / math.log(1 / limit)
    kl = share * math.log(share / limit) + (1 - share) * math.log((1 - share) / (1 - limit))
    return math.log(1 / alpha) / kl


@dataclass(frozen=True)
class Rule:
    """One rule: at most this share of the plays that it is about may break it."""

    id: str
    title: str
    most: float


RULES = (
    Rule("promoted_bad", "promoted while the judged hours were worse than the alert limit", 0.05),
    Rule("promoted_collapsed", "promoted while the judged hours were worse than 90 %", 0.0),
    Rule("promoted_bad_since", "promoted while the time since was worse than the alert limit, long enough", 0.05),
    Rule("promoted_collapsed_since", "the same, worse than 90 %", 0.0),
    Rule("taken_back_good", "taken back while the truth met the target throughout", 0.01),
    Rule("wrong_cause", "a reason whose first named cause is not in the world", 0.01),
    Rule("wrong_remedy", "a remedy whose symptom is not in the world", 0.0),
)


def about(rule: str, one: Played) -> bool | None:  # noqa: PLR0911 (a table of rules)
    """Whether the play breaks the rule; None: the rule is not about it."""
    promoted, taken = one.decision == "PROMOTE", one.decision == "ROLLBACK"
    judged, since = one.judged.success, one.since.success
    # A share of a handful of users says nothing about the service: the time since must have enough for one test.
    enough = math.inf if since is None else wald(1 - since)
    seen = one.settled_since_fault >= 3 * enough and one.since.submitted >= enough
    match rule:
        case "promoted_bad":
            return promoted if judged is not None and judged < ALERT else None
        case "promoted_collapsed":
            return promoted if judged is not None and judged < COLLAPSE else None
        case "promoted_bad_since":
            return promoted if since is not None and since < ALERT and seen else None
        case "promoted_collapsed_since":
            return promoted if since is not None and since < COLLAPSE and seen else None
        case "taken_back_good":
            # Throughout: neither the whole nor any moment. A fault of an hour is no chance, even on a good day.
            well = all(share is None or share >= TARGET for share in (judged, since)) and one.harm <= 1 - TARGET
            other = set(one.play.kinds) & set(OTHER) or one.backlog or one.throttled
            return taken if well and not other else None
        case "wrong_cause":
            if not one.first_gate:
                return None
            natural = _waited(one) and one.first_gate in _OF_A_BACKLOG
            return not (natural or set(one.play.kinds) & {*CAUSES[one.first_gate], *BLIND})
        case "wrong_remedy":
            if one.rollback not in (2, 3):
                return False
            return not (_waited(one) if one.rollback == 2 else one.throttled)
    raise ValueError(f"the fuzzer has no rule '{rule}'")


def _waited(one: Played) -> bool:
    """Whether jobs waited longer than a job takes: a backlog, or more of them than there are workers to take them."""
    return one.backlog or one.waiting > one.play.workers


@dataclass(frozen=True)
class Counted:
    """One rule in one stratum."""

    rule: Rule
    stratum: str
    broken: int
    plays: int
    seeds: tuple[int, ...]
    """Seeds of the plays that break it."""
    alpha: float = ALPHA
    """Alpha of each bound. A rule's strata share `ALPHA` (Bonferroni): among a hundred of them, some are unlucky."""

    @property
    def bounds(self) -> tuple[float, float]:
        """One-sided bounds of the share, each at 1 - `alpha`."""
        return lower_bound(self.broken, self.plays, self.alpha), upper_bound(self.broken, self.plays, self.alpha)

    @property
    def holds(self) -> bool:
        """Whether the rule is not proven broken: the lower bound is within its limit. A limit of 0 allows none."""
        return self.broken == 0 if self.rule.most == 0 else self.bounds[0] <= self.rule.most

    @property
    def shown(self) -> bool:
        """Whether the rule is proven to hold: the upper bound, too, is within its limit. A limit of 0 allows none."""
        return self.broken == 0 if self.rule.most == 0 else self.bounds[1] <= self.rule.most


def strata(drawn: Play) -> list[str]:
    """The strata of a play: kind of fault x phase x lateness, one for each fault."""
    late = "late" if drawn.late_h > 1 else "in time"
    return [f"{kind}, {drawn.where}, {late}" for kind in (drawn.kinds or ("none",))]


def count(rule: Rule, plays: Iterable[Played], stratum: str = "all") -> Counted:
    """The number of plays that break the rule."""
    found = [(one, broken) for one in plays if (broken := about(rule.id, one)) is not None]
    seeds = tuple(one.play.seed for one, broken in found if broken)
    return Counted(rule, stratum, len(seeds), len(found), seeds)


def table(plays: Sequence[Played]) -> list[Counted]:
    """Every rule over all plays, then in each stratum that it is about."""
    found = [count(rule, plays) for rule in RULES]
    by: dict[str, list[Played]] = {}
    for one in plays:
        for name in strata(one.play):
            by.setdefault(name, []).append(one)
    for rule in RULES:
        rows = [row for name, some in sorted(by.items()) if (row := count(rule, some, name)).plays]
        found += [replace(row, alpha=ALPHA / len(rows)) for row in rows]
    return found
