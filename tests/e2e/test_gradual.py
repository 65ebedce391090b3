"""Deployments that reach the clients step by step: what is said of them, against what clients get from AppConfig."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.act.traffic.flag_store import FlagStore
from runbook_lib.base.errors import AwsError
from runbook_lib.commands.rollback import rollback_1
from runbook_lib.commands.status import rollout_status
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import load_file
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import deploy
from tests.dial import set_dial
from tests.project import own_project

pytestmark = pytest.mark.emulator

APPLY = {"mode": "apply", "confirm": "prod"}


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as embedded, only(embedded.env):
        yield embedded


@pytest.fixture
def file(tmp_path: Path, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, with nothing under way and the switch on."""
    path = own_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    deploy(aws, load_file(path))
    known = traffic.handles(aws.client("appconfig"), load_file(path))
    for environment in (known.dial_environment, known.switch_environment):
        stop(aws, path, environment)
    switch(aws, path, on=True)
    return path


def state(aws: EmbeddedAws, file: Path) -> traffic.TrafficState:
    return traffic.read_state(aws.client("appconfig"), load_file(file))


def stop(aws: EmbeddedAws, file: Path, environment: str) -> None:
    """Stops what is under way in the environment."""
    store = FlagStore(aws.client("appconfig"), load_file(file))
    for number in store.under_way(environment):
        store.stop(environment, number)


def switch(aws: EmbeddedAws, file: Path, *, on: bool, strategy: str = "") -> None:
    """Turns the switch as the stack made it: version 1 is off, version 2 is on."""
    client = aws.client("appconfig")
    known = traffic.handles(client, load_file(file))
    client.start_deployment(
        ApplicationId=known.application,
        EnvironmentId=known.switch_environment,
        ConfigurationProfileId=known.switch_profile,
        DeploymentStrategyId=strategy or known.immediate_strategy,
        ConfigurationVersion="2" if on else "1",
    )


GRADUAL = "AppConfig.Canary10Percent20Minutes"
"""A strategy that AWS has ready: 10 % of the clients after some minutes, all after 20."""


def dial(aws: EmbeddedAws, file: Path, percent: float, strategy: str = "") -> None:
    """Somebody sets the dial in the console."""
    set_dial(aws.client("appconfig"), load_file(file), percent, strategy)


def clients(aws: EmbeddedAws, file: Path, which: str = "switch", count: int = 20) -> list[dict[str, Any]]:
    """The flag as so many clients get it now from AppConfig's own data plane."""
    data, known = aws.client("appconfigdata"), traffic.handles(aws.client("appconfig"), load_file(file))
    got = []
    for _ in range(count):
        token = data.start_configuration_session(
            ApplicationIdentifier=known.application,
            EnvironmentIdentifier=getattr(known, f"{which}_environment"),
            ConfigurationProfileIdentifier=getattr(known, f"{which}_profile"),
        )["InitialConfigurationToken"]
        body = data.get_latest_configuration(ConfigurationToken=token)["Configuration"].read()
        got.append(json.loads(body)["vpr_async"] if body else {})
    return got


def later(aws: EmbeddedAws, minutes: float) -> None:
    if minutes:
        aws.move_to(aws.now() + dt.timedelta(minutes=minutes))


@pytest.mark.parametrize("minutes", [0, 5])
def test_an_off_that_some_clients_do_not_have_is_not_off(aws: EmbeddedAws, file: Path, minutes: float) -> None:
    """`status` and the plan said "async is off" while nine clients of ten went on as before."""
    dial(aws, file, 10)
    switch(aws, file, on=False, strategy=GRADUAL)
    later(aws, minutes)
    assert any(one["enabled"] for one in clients(aws, file))
    said = "the switch goes off by deployment"
    seen = rollout_status(file)
    assert (seen.weight, seen.dial, seen.switch) == (10, 10, "on")
    assert said in seen.head and said in seen.under_way[0]
    assert f"{10 if minutes else 0} % of the clients have it" in seen.head
    planned = rollback_1(file, {})
    assert planned.weight_before == 10
    assert "async goes from 10 % to 0" in planned.sentence and said in planned.sentence
    done = rollback_1(file, APPLY)
    assert "async is off by the switch" in done.sentence
    assert not any(one["enabled"] for one in clients(aws, file))
    assert (rollout_status(file).weight, rollout_status(file).under_way) == (0, ())


def test_a_dial_that_some_clients_do_not_have_is_not_lower(aws: EmbeddedAws, file: Path) -> None:
    dial(aws, file, 10)
    dial(aws, file, 0, GRADUAL)
    assert max(one["percent"] for one in clients(aws, file, "dial")) == 10
    seen = rollout_status(file)
    assert (seen.weight, seen.dial) == (10, 10)
    assert "the dial goes to 0 % by deployment" in seen.head
    assert "async goes from 10 % to 0" in rollback_1(file, {}).sentence


def test_an_off_that_all_clients_have_is_off_and_is_not_stopped(aws: EmbeddedAws, file: Path) -> None:
    """To stop its bake would turn async on again for a moment."""
    switch(aws, file, on=False, strategy=traffic.handles(aws.client("appconfig"), load_file(file)).soak_strategy)
    before = state(aws, file)
    assert before.switch_deployment is not None and before.switch_deployment.state == "BAKING"
    assert not any(one["enabled"] for one in clients(aws, file))
    assert "async is off already" in rollback_1(file, {}).sentence
    assert "async is off already" in rollback_1(file, APPLY).sentence
    assert state(aws, file).switch_deployment == before.switch_deployment


def test_what_turned_it_off_is_named_and_not_what_was_reverted_since(aws: EmbeddedAws, file: Path) -> None:
    switch(aws, file, on=False)
    off = state(aws, file).switch_deployment
    switch(aws, file, on=True)
    client, on = aws.client("appconfig"), state(aws, file).switch_deployment
    known = traffic.handles(client, load_file(file))
    assert off is not None and on is not None
    client.stop_deployment(
        ApplicationId=known.application,
        EnvironmentId=known.switch_environment,
        DeploymentNumber=on.number,
        AllowRevert=True,
    )
    assert not any(one["enabled"] for one in clients(aws, file))
    for values in ({}, APPLY):
        assert f"async is off already, by deployment {off.number}, " in rollback_1(file, values).sentence


@pytest.mark.parametrize("odd", ["WEIRD", "ROLLING_BACK"])
def test_what_is_not_known_to_be_off_is_turned_off_and_not_said_to_be_off(
    aws: EmbeddedAws, file: Path, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    """A switch that was on, in a state that nobody knows, was "off already", and people were told so."""
    ask = URLLib3Session.send
    oddly = [True]

    def send(self: Any, request: Any) -> Any:
        answer = ask(self, request)
        if oddly[0] and request.method == "GET" and "/deployments" in request.url:
            answer._content = answer.content.replace(b'COMPLETE"', odd.encode() + b'"')
        return answer

    monkeypatch.setattr(URLLib3Session, "send", send)
    assert state(aws, file).switch_on
    assert "apply would turn the switch off" in rollback_1(file, {}).sentence
    dial(aws, file, 10)
    assert rollout_status(file).weight == 10
    switch(aws, file, on=False)
    if odd == "WEIRD":  # the answer may mean anything: also that it is on
        with pytest.raises(AwsError, match=r"NOT known.*a state that is not known: WEIRD"):
            rollback_1(file, APPLY)
        oddly[0] = False
        assert not any(one["enabled"] for one in clients(aws, file))
        oddly[0] = True
        seen = rollout_status(file)
        assert seen.switch == "on" and "its state, WEIRD, is not known" in seen.under_way[0]
    oddly[0] = False
    assert state(aws, file).is_off


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("turn"), st.booleans(), st.sampled_from(["", GRADUAL])),
            st.tuples(st.just("wait"), st.sampled_from([1.0, 4.5, 21.0, 60.0])),
            st.just(("stop",)),
        ),
        max_size=8,
    )
)
def test_it_is_never_said_to_be_off_where_a_client_gets_it_on(aws: EmbeddedAws, file: Path, moves: list[Any]) -> None:
    client = aws.client("appconfig")
    known = traffic.handles(client, load_file(file))
    where = {"ApplicationId": known.application, "EnvironmentId": known.switch_environment}
    store = FlagStore(client, load_file(file))
    for name, *rest in moves:
        newest = state(aws, file).switch_deployment
        assert newest is not None
        with suppress(ClientError):  # one is under way, or is over
            if name == "turn":
                switch(aws, file, on=rest[0], strategy=rest[1])
            elif name == "wait":
                later(aws, rest[0])
            else:
                client.stop_deployment(**where, DeploymentNumber=newest.number, AllowRevert=True)
        on = any(one.get("enabled") for one in clients(aws, file, count=6))
        seen = state(aws, file)
        assert seen.switch_on >= on
        assert store.newest(known.switch_environment, known.switch_profile).get("enabled", False) == seen.switch_on
        if not seen.under_way:
            assert seen.switch_on == on
