"""docs/fuzz.md: the fuzzer's rules, how often they held, and in which strata they did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.benchmarks.draw import BLIND, HARM, HARMLESS, HIGH, MOST_JOBS
from tests.benchmarks.fuzz import Played
from tests.benchmarks.fuzz_rules import Counted, table

WORST = 40
"""Most strata on the page: those that broke a rule, then those with the most plays."""

HEAD = """# Nature against the judge

Made by `make fuzz-judge PLAYS={plays} SEED={seed}`; do not edit. Each play is one soak of one phase in a world drawn
at random: 20 to 300,000 requests a day (log-uniform up to {most:,.0f} asynchronous ones in {usual:.0%} of the plays,
from there on in the others, with as many workers as the mean traffic takes and a fifth more), day curves flat or
steep, smooth or rough, with bursts; none to three faults of any kind the world knows, of any size (0.1 to 100 %),
start, length and shape (step, ramp, pulse, nightly); looks at any time and up to 30 h late; a baseline from broken to
healthy; callers' own mistakes; with and without an access log. The phases before are taken as passed, and the guards'
counts are those that 04 proposes for the traffic. The world knows what became of each user; the judge sees
CloudWatch, the table, the log.

- Faults that users feel: {harm}.
- Faults of what is seen: {blind}.
- Others: {harmless}.

Over all plays a rule holds if the upper one-sided 95 % bound of the share that breaks it (Clopper-Pearson) is within
what is allowed; in a stratum (kind of fault, phase, in time or late), which has fewer plays, if the lower one is: there
is no proof of a break. The strata of a rule share the 5 % (Bonferroni), since there are some two hundred of them; their
bounds are the wider. Of what is never allowed, no play may break it, in any stratum. "Long enough": since the fault
began three times as many requests have settled as Wald's sequential test takes on the mean (`fuzz_rules.wald`), and
the time since the judged hours holds once as many itself: of fewer users a share says nothing.
"""


def page(found: Sequence[Played], seed: int, told: str = "") -> str:
    """The page as Markdown; `told`: a sentence on how the plays came about."""
    rows = table(found)
    whole, parts = [one for one in rows if one.stratum == "all"], [one for one in rows if one.stratum != "all"]
    broken = [one for one in parts if not one.holds]
    decided = Counter(one.decision for one in found)
    ended = ", ".join(f"{name} {count:,}" for name, count in decided.most_common())
    lines = [
        HEAD.format(
            plays=len(found),
            seed=seed,
            most=MOST_JOBS,
            usual=1 - HIGH,
            harm=", ".join(HARM),
            blind=", ".join(BLIND),
            harmless=", ".join(HARMLESS),
        ),
        f"**{len(found):,} plays**: {ended}." + (f" {told}" if told else ""),
        "",
        "| rule | at most | broken | of | share, 95 % bounds | holds |",
        "|---|---|---|---|---|---|",
        *(_row(one) for one in whole),
        "",
        f"## Strata: {len(parts):,}, of which {len(broken)} break a rule",
        "",
        "| rule | stratum | broken | of | share, shared 95 % bounds | holds | seeds |",
        "|---|---|---|---|---|---|---|",
        *(_stratum(one) for one in sorted(parts, key=lambda one: (one.holds, -one.broken, -one.plays))[:WORST]),
        "",
    ]
    return "\n".join(lines)


def _share(one: Counted) -> str:
    if not one.plays:
        return "–"
    low, high = one.bounds
    return f"{one.broken / one.plays:.1%} ({low:.1%}-{high:.1%})"


def _row(one: Counted) -> str:
    holds = "yes" if one.shown else "not shown" if one.holds else "**no**"
    return f"| {one.rule.title} | {one.rule.most:.0%} | {one.broken} | {one.plays:,} | {_share(one)} | {holds} |"


def _stratum(one: Counted) -> str:
    holds, seeds = "yes" if one.holds else "**no**", ", ".join(map(str, one.seeds[:6]))
    return f"| {one.rule.id} | {one.stratum} | {one.broken} | {one.plays} | {_share(one)} | {holds} | {seeds} |"
