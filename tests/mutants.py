"""Policies that somebody could have written by mistake, and what an accepted one has to be able to do."""

from __future__ import annotations

import copy
import datetime as dt
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runbook_lib.judge.gates.against import supposed
from runbook_lib.judge.gates.gates import judge_all
from runbook_lib.judge.model import Evidence
from runbook_lib.judge.planning.harm import forecast
from runbook_lib.judge.planning.mutation import MUTATIONS, healthy, trial
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.alarms import alarm_name
from runbook_lib.params.load import Params, load_file
from runbook_lib.steps.alarm_odds import Submissions
from runbook_lib.steps.harm import traffic_of, watch_of
from runbook_lib.steps.preflight import decided

NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2, 7, 100, 10**9, 10**14, 0.5, 0.99, 0.999999, 0.9999999, -0.5),
    *(1e-320, 1e-300, 1e-12, 1e-6, 1e-3, 1e9, 1e300, 1e999),
)
TEXTS: tuple[str, ...] = (
    *("", " ", "no", "true", "100", "../x", "<b>", "a b", "x" * 300, "x" * 3000, "a\nb", "\x07", ":x", "é"),
    *("{env}", "{foo}", "{env!r}", "{env:d}", "{env:>9999999}", "{", "}", "{}", "{0}", "{env.x}", "{{env}}"),
    *(
        "> 1",
        ">= 1",
        "< 0",
        "<= 0",
        ">= 0",
        "> 0",
        "< 1e-12",
        "> 1e300",
        "< 0.9",
        "> 0.9",
        "> -1",
        ">",
        "> nan",
        "> 1_0",
    ),
    *("p0", "p00", "p100", "p99.99999", "Sum", "rate", "quantile", "gauge", "split", "ratio", "s", "point", "baseline"),
)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [1], ["a"], {"a": 1}, [[]])
MORE: dict[str, tuple[Any, ...]] = {
    "collapse": ("< 0.9", "> 0.9", "> 100", "< 0.001", "> 0.1"),
    "alert": ("< 0.98", "> 0.05", "> 5"),
    "implausible": ("< 0.005", "> 100", "> 0.5", "< 0.5"),
    "quantile": (0.5, 0.95, 0.99, 0.9999999),
    "steady": (0.95, 1, 0.1),
    "against": ("baseline", "phase_before"),
    "margin": (0.01, 0.3, 0.999999, 1e-12),
    "constant": (True,),
    "muted": ("", "we know"),
    "no_data": ("fail", "ignore_after_first"),
    "required": (False,),
    "failing": ("were lost", ""),
    "min_samples": (1, 5, 10**6),
    "evidence": ("target", "point", "limit"),
    "stragglers": ([{"from_percent": 0, "share": 0.02}],),
}
"""Fields of a gate that may be added to one."""


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to everything in a file."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*at, key)
        yield from places(one, (*at, key))


def at(raw: Any, path: tuple[Any, ...]) -> Any:
    """What stands at a path."""
    for key in path:
        raw = raw[key]
    return raw


def replaced(raw: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The file with another value at a path."""
    found = copy.deepcopy(raw)
    at(found, path[:-1])[path[-1]] = value
    return found


def mutated(rng: random.Random, raw: dict[str, Any]) -> dict[str, Any]:
    """The file with one mistake in it."""
    found = copy.deepcopy(raw)
    how = rng.choice(("value", "value", "value", "gate", "gate", "drop", "twice", "order", "key"))
    if how == "gate":
        gate, field = rng.choice(found["gates"]), rng.choice(list(MORE))
        gate[field] = rng.choice(MORE[field])
        return found
    path = rng.choice(list(places(found)))
    inner: Any = found
    for key in path[:-1]:
        inner = inner[key]
    last = path[-1]
    old = inner[last]
    if how == "drop":
        del inner[last]
    elif how == "twice" and isinstance(inner, list):
        inner.append(copy.deepcopy(old))
    elif how == "order" and isinstance(old, list):
        old.reverse()
    elif how == "order" and isinstance(old, dict):
        inner[last] = dict(reversed(old.items()))
    elif how == "key" and isinstance(inner, dict):
        inner[rng.choice(TEXTS)] = inner.pop(last)
    else:
        inner[last] = rng.choice(rng.choice((NUMBERS, TEXTS, OTHERS)))
    return found


def loaded(folder: Path, raw: dict[str, Any]) -> Params:
    """The parameters of prod in a project of `own_gates`, with that `gates.yaml` (JSON is YAML, and quickly written).

    Raises:
        UsageError: they are refused.
    """
    text = json.dumps(raw).replace("Infinity", "1e999")
    (folder / "params" / "gates.yaml").write_text(text, encoding="utf-8")
    return load_file(folder / "params" / "prod.yaml")


def works(params: Params) -> None:
    """Does with an accepted policy what 01, a look and a shift do with it; raises whatever they would."""
    policy = params.policy
    for alarm in policy.alarms:
        alarm_name(alarm, params)
        policy.threshold(alarm)
    for id in (*policy.described, *params.service.metrics):
        address(params.metric(id), params)
    phase_name, phase = next(iter(policy.phases_of("prod").items()))
    looks = phase.looks
    trial(policy.gates, look=looks[0], looks=looks, confidence=policy.confidence)
    for n in (0, 40, 3000):
        _judged(params, n)
    seen = Submissions((policy.baseline.requests_per_day / 86_400,), None, known=False)
    if seen.per_day <= 10_000:  # more takes longer, and differs in nothing
        points = [(dt.datetime(2026, 11, 23, hour, tzinfo=dt.UTC), seen.per_day / 24) for hour in range(24)]
        assert len(decided(policy, phase_name, points)) == len(policy.gates)
        watch, traffic = watch_of(params, phase_name, phase), traffic_of(params, phase.percent, seen, 9.0)
        forecast(traffic, watch, shares=(0.5,), confidence=min(0.9, policy.harm.confidence), plays=2)


def _judged(params: Params, n: int) -> None:
    policy = params.policy
    looks = next(iter(policy.phases_of("prod").values())).looks
    for look in (None, looks[0]):
        for spoil in (None, *MUTATIONS):
            evidence: dict[str, Evidence] = {}
            for gate in policy.gates:
                sound = healthy(gate)
                made = spoil.spoil.get(gate.kind) if spoil else None
                sound = made(gate, sound) if made else sound
                if sound.n is not None and not n:
                    sound = sound.model_copy(update={"n": 0, "bad": None if sound.bad is None else 0})
                evidence[gate.measure] = supposed(gate, sound) if gate.against else sound
            judge_all(
                policy.gates,
                evidence,
                look=look,
                looks=looks,
                confidence=policy.confidence,
                alpha_early=policy.alpha_early,
                prior=policy.early_prior,
                alphas=policy.alphas,
            )
