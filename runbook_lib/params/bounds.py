"""Checks that every number and text of the parameter files lies within sensible bounds.

A number that nobody means (1e300, 1e-320) crashes arithmetic elsewhere, or disables a rule silently. So each number
has bounds: its own if the table has them, else those of any number. A text for people must not be empty, and no text
may have control characters, which names and reports cannot hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from runbook_lib.base.foreign import UNSEEN
from runbook_lib.params.measures import SIDES
from runbook_lib.params.sentence import shown

Said = tuple[str, object, str]
"""Key, value as shown in a sentence, and what is expected."""
ANY = (1e-9, 1e12)
"""Least and greatest absolute value of a number other than 0, unless the table has others."""
_SURE = (0.5, 0.9999)
_ALPHA = (1e-6, 0.5)
_DAY_S, _MONTH_H = 86_400.0, 31 * 24.0
NUMBERS: dict[str, tuple[float, float]] = {
    "confidence": _SURE,
    "alpha_early": _ALPHA,
    "early_prior.*": (0.01, 1000),
    "family.alpha_early": _ALPHA,
    "family.shares.*": (0.001, 1000),
    "metric_delay_s": (0, _DAY_S),
    "as_of_tolerance_s": (1, _DAY_S),
    "census_page_size": (1, 1000),
    "census_reads_per_s": (0.1, 1e6),
    "phases.*.looks.*.alpha": _ALPHA,
    "phases.*.after_migration.*.alpha": _ALPHA,
    "baseline.power": _SURE,
    "baseline.requests_per_day": (1, 1e9),
    "baseline.samples.*": (0.001, 1e6),
    "baseline.burst": (1, 1000),
    "baseline.headroom": (1, 1000),
    "baseline.generation_s": (0.001, _DAY_S),
    "baseline.handler_s.*": (0.001, _DAY_S),
    "beside.margin": (0.0001, 0.5),
    "beside.slower": (0.5, 1),
    "harm.users": (1, 1e9),
    "harm.confidence": _SURE,
    "harm.watch_min": (0, 1440),
    "attestations.*.max_age_h": (0.1, 366 * 24),
    "cadence.rhythms.*.days.*": (1, 366),
    "cadence.rhythms.*.every_h": (0.25, 24),
    "rollbacks.*.limit_min": (0.1, 1440),
    "rollbacks.*.quiet_min": (0, 10_080),
    "rollbacks.*.backlog.window_min": (1, 1440),
    "rollbacks.*.backlog.workers": (1, 100_000),
    "rollbacks.*.backlog.steady": (2, 1000),
    "rollbacks.*.throttling.window_min": (1, 1440),
    "rollbacks.*.throttling.settle_min": (0, 1440),
    "rollbacks.*.throttling.peak_h": (0.1, _MONTH_H),
    "rollbacks.*.throttling.times_peak": (1, 1000),
    "measures.*.divided_by": ANY,
    **{f"measures.*.{side}.period_s": (60, _DAY_S) for side in SIDES},
    "gates.*.margin": (0.0001, 0.5),
    "gates.*.quantile": (0.01, 0.999),
    "gates.*.steady": (0.5, 1),
    "gates.*.stragglers.*.from_percent": (0.01, 100),
    "phases.*.percent": (0.01, 100),
    "phases.*.before_percent": (0.01, 100),
    "alarms.*.period_s": (10, 7 * _DAY_S),
    "alarms.*.periods": (1, 10_080),
    "alarm_math.healthy": _SURE,
    "alarm_math.bad": (0.001, 0.9999),
    "alarm_math.false_per_day": _ALPHA,
    "alarm_math.limit_per_day": (1e-6, 0.99),
    "alarm_math.detect_within_h": (0.01, _MONTH_H),
    "alarm_math.detect_within_min.*": (0.1, 60 * _MONTH_H),
    "alarm_math.insufficient_h": (0.1, _MONTH_H),
    "metrics.*.period_s": (60, _DAY_S),
    "api.timeout_s": (0.1, 900),
    "workers": (1, 100_000),
    "job_deadline_s": (1, _DAY_S * 7),
    "poll_every_s": (1, _DAY_S),
    "visibility_timeout_s": (1, 43_200),
    "max_receives": (1, 1000),
    "job_ttl_s": (1, _DAY_S * 366),
    **{f"{one}.timeout_s": (0.001, _DAY_S * 7) for one in ("checks.*", "diff", "deploy", "diff_show", "verify")},
    "users": (1, 1e6),
    "spawn_per_s": (0.001, 1e6),
    "generation_s": (0.001, _DAY_S),
    "warm_up": (1, 1e6),
    "max_s": (1, _DAY_S * 7),
    "drain_factor": (1, 1000),
    "drain_slack_s": (0, _DAY_S * 7),
    "processes": (1, 1000),
    "expect_workers": (1, 10_000),
}
"""Key, with a star for each name or index, to the least and greatest number; 0 is valid if the model allows it."""
READ = ("title", "why", "failing", "muted", "no_change_test", "then", "cures", "name", "role")
"""Fields with a text or name for people: they must not be empty."""
LONG = ("why",)
"""Fields that may have several lines."""
_UNSEEN = rf"\x0b-\x1f\x7f-\x9f\u2028\u2029{UNSEEN}"
CONTROL = re.compile(rf"[\x00-\x0a{_UNSEEN}]")
_BUT_LINES = re.compile(rf"[\x00-\x08{_UNSEEN}]")
_MOST_TEXT = 2000


def check(model: BaseModel) -> Iterator[Said]:
    """Values out of bounds in the model of a parameter file: key, value, and what is expected."""
    for key, kind, value in _leaves(model, "", ""):
        if isinstance(value, str):
            yield from _text(key, kind.rpartition(".")[2], value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield from _number(key, kind, value)


def _number(key: str, kind: str, value: float) -> Iterator[Said]:
    least, most = NUMBERS.get(kind, ANY)
    if value != 0 and not max(least, ANY[0]) <= abs(value) <= most:
        wanted = f"expects {least:g} to {most:g}" if kind in NUMBERS else f"no number of {least:g} to {most:g}"
        yield key, f"{value:g}" if isinstance(value, float) else shown(value), wanted


def _text(key: str, name: str, value: str) -> Iterator[Said]:
    if name in READ and not value.strip():
        yield key, shown(value), "it is empty; write a text, or leave the key out"
    elif (_BUT_LINES if name in LONG else CONTROL).search(value):
        what = "a line break" if "\n" in value else "an invisible character"
        yield key, shown(value), f"it has {what}; write it on one line, without control characters"
    elif value and not value.strip():
        yield key, shown(value), "it is blank; write a text, or leave the key out"
    elif len(value) > _MOST_TEXT:
        yield key, shown(value), f"it has {len(value):,} characters; expects {_MOST_TEXT:,} at most"


def _leaves(value: Any, key: str, kind: str) -> Iterator[tuple[str, str, Any]]:
    """Key, key with stars for names and indexes, and value of each text and number that is not a default."""
    todo = [(value, key, kind)]
    while todo:  # a stack: generators within each other hand each leaf up through all of them
        value, key, kind = todo.pop()
        if isinstance(value, BaseModel):
            fields = _defaults(type(value)).items()
            inner = [(name, name, one) for name, default in fields if (one := getattr(value, name)) != default]
        elif isinstance(value, Mapping):
            inner = [(str(name), "*", one) for name, one in value.items()]
        elif isinstance(value, tuple | list):
            inner = [(str(getattr(one, "id", place)), "*", one) for place, one in enumerate(value)]
        else:
            yield key, kind, value
            continue
        dot = "." if key else ""
        todo += [(one, f"{key}{dot}{name}", f"{kind}{dot}{star}") for name, star, one in reversed(inner)]


@cache
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    return {name: field.default for name, field in model.model_fields.items()}
