"""Files are read as they are written: what is of another type than declared is refused. Records are read freely."""

from __future__ import annotations

import copy
import functools
import json
import operator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import params_dir, read_yaml
from runbook_lib.params.load import load_file, validated
from runbook_lib.params.policy import Policy
from runbook_lib.params.prices import Prices
from runbook_lib.params.service import Service
from runbook_lib.params.written import strictly
from tests.mutants import places

FILES: dict[str, Any] = {"gates": Policy, "service": Service, "prices": Prices}
RAW = {name: read_yaml(params_dir() / f"{name}.yaml") for name in FILES}
LEAVES = [
    (name, path)
    for name, raw in RAW.items()
    for path in places(raw)
    if not isinstance(functools.reduce(operator.getitem, path, raw), dict | list)
]


BODIES = [("contract", "submit", one) for one in ("valid", "invalid", "duplicate")]
"""Bodies to send: any JSON."""


def changed(name: str, path: tuple[Any, ...], value: Any) -> tuple[Any, dict[str, Any]]:
    raw: Any = copy.deepcopy(RAW[name])
    inner = raw
    for key in path[:-1]:
        inner = inner[key]
    old, inner[path[-1]] = inner[path[-1]], value
    return old, raw


@pytest.mark.parametrize("name", FILES)
def test_our_own_files_are_written_strictly(name: str) -> None:
    assert strictly(FILES[name], RAW[name]) == FILES[name].model_validate(RAW[name])


@example(("service", ("contract", "submit", "valid", "application_id")), True)
@given(st.sampled_from(LEAVES), st.sampled_from([True, 7, 0.25, "no", "100", "true", [1], {"a": 1}]))
def test_a_value_of_another_type_is_refused(leaf: tuple[str, tuple[Any, ...]], value: Any) -> None:
    name, path = leaf
    if path[:3] in BODIES:
        return
    old, raw = changed(name, path, value)
    number = isinstance(old, int | float) and not isinstance(old, bool)
    alike = type(value) is type(old) or (number and isinstance(value, int | float) and not isinstance(value, bool))
    if alike:
        return
    with pytest.raises(ValidationError):
        strictly(FILES[name], raw)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("harm", "users"), True, "'harm.users' is True: expects a whole number"),
        (("gates", 1, "min_samples"), "100", "'gates.llm_quota.min_samples' is '100': expects a whole number"),
        (("gates", 1, "required"), "no", "'gates.llm_quota.required' is 'no': expects true or false"),
        (("alarms", 0, "period_s"), "60", "'alarms.dlq.period_s' is '60': expects a whole number"),
        (("confidence",), "0.95", "'confidence' is '0.95': expects a number"),
        (("gates", 1, "target"), 0.01, "'gates.llm_quota.target' is 0.01: expects a comparison in quotes"),
        (("roles",), "anybody", "'roles' is 'anybody': expects a list"),
        (("gates", 3), 5, "'gates.3' is 5: expects fields with their values"),
    ],
)
def test_it_is_told_by_the_name_of_its_gate_and_in_plain_words(path: tuple[Any, ...], value: Any, says: str) -> None:
    raw = copy.deepcopy(RAW["gates"])
    inner: Any = raw
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(UsageError) as error:
        validated(Policy, raw, "gates.yaml")
    assert says in str(error.value)


def test_whole_numbers_lists_dates_and_powers_are_taken() -> None:
    raw = {**RAW["gates"], "early_prior": [1, 9], "alpha_early": "1e-2"}
    assert strictly(Policy, raw).early_prior == (1.0, 9.0)
    assert strictly(Policy, raw).alpha_early == 0.01
    dated = {**RAW["prices"], "date": str(RAW["prices"]["date"])}
    assert strictly(Prices, dated) == strictly(Prices, RAW["prices"])


def test_a_file_that_is_json_is_taken_too() -> None:
    assert strictly(Policy, json.loads(json.dumps(RAW["gates"]))) == strictly(Policy, RAW["gates"])


def test_a_record_is_read_freely() -> None:
    """In JSON a large number is text, a tuple a list, infinity a word."""
    kept = json.loads(strictly(Policy, RAW["gates"]).model_dump_json())
    kept["gates"][1]["min_samples"] = "100"
    assert Policy.model_validate(kept) == strictly(Policy, RAW["gates"])


def test_an_incident_takes_it_for_what_it_can_be(tmp_path: Any) -> None:
    for file in params_dir().glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    gates = tmp_path / "gates.yaml"
    gates.write_text(gates.read_text().replace("metric_delay_s: 300", 'metric_delay_s: "300"'))
    with pytest.raises(UsageError, match="'metric_delay_s' is '300': expects a whole number"):
        load_file(tmp_path / "prod.yaml")
    params = load_file(tmp_path / "prod.yaml", incident=True)
    assert params.policy.metric_delay_s == 300 and "metric_delay_s" in params.trouble[0]


@pytest.mark.parametrize("written", ["> 99 %", "> 99%", "< 500ms", "== 0", "≤ 0.01", "< 0,01", "0.99"])
def test_a_limit_as_other_tools_write_it_is_told_how_to_write_it(written: str) -> None:
    raw = copy.deepcopy(RAW["gates"])
    raw["gates"][1]["target"] = written
    with pytest.raises(UsageError, match=r"expects <, <=, > or >= and a number without unit or %, such as '> 0.99'"):
        validated(Policy, raw, "gates.yaml")
