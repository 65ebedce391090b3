"""What is known of a service: a person's word goes first, then what was found, then a guess."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.base.template import filled
from runbook_lib.commands.init.answers import ALARMS, TRAFFIC, Said, of_flags, templated
from runbook_lib.commands.init.folder import planned
from runbook_lib.params.cross_check import OPTIONAL, RESOURCES
from runbook_lib.params.phases import ENVIRONMENTS


def test_a_persons_word_goes_first_and_what_is_left_is_guessed() -> None:
    made = of_flags("orders", names=["worker=mine-{env}"], accounts=["prod=000000000777"])
    made.add("names", "worker", "found-{env}")
    made.add("names", "queue", "found-{env}")
    made.complete()
    assert made.names["worker"] == Said("mine-{env}", "said")
    assert made.names["queue"] == Said("found-{env}", "found")
    assert made.names["dlq"] == Said("orders-jobs-dlq-{env}", "guessed")
    assert set(RESOURCES) - set(OPTIONAL) <= set(made.names)
    told = made.told()
    assert ("said", "account_id of prod", "000000000777") in told
    assert ("missing", "account_id of dev", "params/dev.yaml, or --account dev=ID") in told
    assert [one[0] for one in told] == sorted(
        (one[0] for one in told), key=["said", "found", "guessed", "missing"].index
    )


def test_an_http_api_is_found_by_its_name() -> None:
    """A guessed id would be looked for, and nothing has it."""
    made = of_flags("orders", kind="http")
    made.complete()
    assert made.names["api"] == Said("orders-api-{env}", "guessed") and "api_id" not in made.names


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"service": "Orders Export"}, "--service is 'Orders Export'"),
        *(({"service": word}, "YAML reads") for word in ("no", "on", "null", "true")),
        ({"region": ["live=eu-west-3"]}, "--region live=eu-west-3: no 'live' here"),
        ({"region": ["prod=Paris"]}, "--region is 'Paris'"),
        ({"region": ["Frankfurt"]}, "--region is 'Frankfurt'"),
        ({"kind": "graphql"}, "--api is 'graphql'"),
        ({"accounts": ["prod=12"]}, "12 digits"),
        ({"accounts": ["qa=000000000777"]}, "no 'qa' here"),
        ({"names": ["worker"]}, "expects KEY=VALUE"),
        ({"names": ["wroker=x"]}, "did you mean 'worker'"),
        ({"names": ["worker=x-{evn}"]}, "'{evn}' is not a placeholder"),
        ({"routes": ["submit=orders"]}, "begins with /"),
        ({"routes": ["status=/orders/status"]}, "--route status=/orders/status: does not say whose status is asked"),
    ],
)
def test_what_cannot_be_meant_is_refused(flags: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        of_flags(**{"service": "orders", **flags})  # type: ignore[arg-type]
    assert says in str(refused.value)


@given(st.from_regex(r"[a-z0-9_.-]{1,30}", fullmatch=True), st.sampled_from(list(ENVIRONMENTS)))
def test_a_name_filled_in_again_is_the_name(name: str, env: str) -> None:
    assert filled(templated(name, env), {"env": env}) == name


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"accounts": ["prod=000000000101", "prod=000000000102"]}, "'prod' is said twice"),
        ({"accounts": ["prod=٠٠٠٠٠٠٠٠٠١٠١"]}, "has 12 digits"),
        ({"names": ["worker=*"]}, "AWS does not allow this name"),
    ],
)
def test_what_params_check_would_refuse_is_refused_before_a_file_is_written(
    flags: dict[str, list[str]], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        of_flags("orders", **flags)  # type: ignore[arg-type]


def test_every_guess_is_said_on_the_screen_and_in_the_file() -> None:
    answers = of_flags("orders-export")
    answers.complete()
    made = planned(answers)
    guessed = {what: value for source, what, value in answers.told() if source == "guessed"}
    assert guessed["traffic.flag"] == "async" and guessed["alarms.dlq.name"] == "orders-export-dlq-alarm-{env}"
    service, gates = (made[f"params/{name}.yaml"].decode() for name in ("service", "gates"))
    for key in TRAFFIC:
        assert re.search(rf"(?m)^  {key}: .*# guessed", service), key
    for id in ALARMS:
        assert re.search(rf"- id: {id}\n    name: .*# guessed", gates), id
    # Each of the team's alarms has its guess: none is left out as the delivered gates grow.
    stack = {one["id"] for one in yaml.safe_load(gates)["alarms"] if one.get("owner", "stack") == "stack"}
    assert stack == set(ALARMS)
