"""Every number and text is within what can be meant; a policy with a mistake is refused, or it works."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.params.bounds import NUMBERS, check
from runbook_lib.params.policy import Policy
from runbook_lib.params.service import Service
from tests import mutants, own_gates

RAW = own_gates.policy()
NASTY = (1e300, 1e-320, 1e-300, 1e16, 1e-13)
PATHS = [
    path
    for path in mutants.places(RAW)
    if isinstance(mutants.at(RAW, path), int | float) and not isinstance(mutants.at(RAW, path), bool)
]


@cache
def folder() -> Path:
    made = Path(mkdtemp())
    own_gates.project(made)
    return made


@pytest.mark.slow
@given(st.sampled_from(PATHS), st.sampled_from(NASTY))
def test_no_number_is_beyond_all_bounds(path: tuple[str | int, ...], value: float) -> None:
    raw = mutants.replaced(RAW, path, value)
    with pytest.raises(UsageError) as error:
        mutants.loaded(folder(), raw)
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("family",), {"alpha_early": 1e-300}),
        (("family",), {"alpha_early": 0.05, "shares": {"success_rate": 1e300}}),
        (("family",), {"alpha_early": 0.05, "shares": {"success_rate": 1e-320}}),
        (("alpha_early",), 1e-300),
        (("early_prior",), [1e300, 1]),
        (("harm", "watch_min"), 1e9),
        (("measures", "search_time", "divided_by"), 1e300),
        (("measures", "declined", "bad", "period_s"), 6_000_000),
        (("measures", "connections", "value", "period_s"), 3600),
        (("measures", "connections", "value", "stat"), "p0"),
        (("measures", "declined", "bad"), RAW["measures"]["declined"]["of"]),
        (("measures", "basket", "value"), RAW["measures"]["basket"]["of"]),
        (("gates", -2, "quantile"), 0.9999999),
        (("gates", 4), {**RAW["gates"][4], "against": "baseline", "margin": 1e-12}),
        (("gates", 4), {**RAW["gates"][4], "against": "baseline", "margin": 0.999999}),
        *(((("gates", 4, field)), "") for field in ("id", "title", "muted", "failing", "why")),
        (("gates", 4, "title"), "a\nb"),
        (("gates", 4, "muted"), "  "),
        (("measures", "declined", "bad", "namespace"), ":Shop"),
        (("measures", "declined", "bad", "namespace"), "Shop{foo}"),
        (("measures", "declined", "bad", "name"), "Declined-{env}"),
        (("measures", "declined", "bad", "name"), "a" * 256),
        (("measures", "declined", "bad", "dimensions"), {"Service": ""}),
        (("measures", "declined", "bad", "dimensions"), {"": "x"}),
        (("measures", "declined", "bad", "dimensions"), {"Service-{env}": "x"}),
        (("measures", "declined", "bad", "dimensions"), {"Service": "{env:>9999999}"}),
        (("measures", "declined", "bad", "dimensions"), {"Service": "{env!r}"}),
        (("alarms", 0, "name"), "dlq-{env:d}"),
        (("alarms", 0, "op"), "<"),
    ],
    ids=str,
)
def test_what_was_once_accepted_is_refused_in_one_sentence(path: tuple[str | int, ...], value: object) -> None:
    with pytest.raises(UsageError) as error:
        mutants.loaded(folder(), mutants.replaced(RAW, path, value))
    told = str(error.value)
    assert told.startswith("params/gates.yaml") and "\n" not in told and "Input should" not in told


@given(st.integers(0, 10**9))
@settings(max_examples=40)
def test_a_policy_with_a_mistake_is_refused_in_one_sentence_or_works(seed: int) -> None:
    raw = mutants.mutated(random.Random(seed), RAW)
    try:
        params = mutants.loaded(folder(), raw)
    except UsageError as error:
        told = str(error)
        assert "\n" not in told and "Input should" not in told and len(told) < 1200, told
        return
    mutants.works(params)


def test_the_table_names_what_is_there() -> None:
    """Each key of the table is a field of one of the files."""
    from runbook_lib.act.command import Commands
    from runbook_lib.act.requests.load import LoadPlan
    from runbook_lib.params.sentence import fields_at

    for key in NUMBERS:
        *path, last = [part for part in key.split(".") if part != "*"]
        known = frozenset[str]().union(*(fields_at(one, path) for one in (Policy, Service, LoadPlan, Commands)))
        assert last in known, key


def test_ours_are_within(tmp_path: Path) -> None:
    params = mutants.loaded(folder(), RAW)
    assert [*check(params.policy), *check(params.service)] == []
