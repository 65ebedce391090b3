from __future__ import annotations

import json
from typing import Any

import pytest

from runbook_lib.base.errors import AwsError, Unreadable
from runbook_lib.observe.traffic import state
from runbook_lib.observe.traffic.state import TrafficState, handles, read_state
from runbook_lib.params.load import Params

ON = [(True, "COMPLETE")]


def test_dial_and_switch_make_the_weight(params: Params, AppConfig: Any) -> None:
    state = read_state(AppConfig([(0, "COMPLETE"), (10, "BAKING")], ON), params)
    assert (state.dial_percent, state.switch_on, state.weight) == (10, True, 10)
    assert state.busy and state.dial_deployment and state.switch_deployment
    newest = state.dial_deployment
    assert (newest.number, newest.state, newest.percent, newest.version, newest.bake_minutes) == (
        2,
        "BAKING",
        10,
        "2",
        1440,
    )
    assert (newest.strategy, newest.description, newest.started_at) == (
        "careervp-vpr-soak-strategy-prod",
        "d2",
        "2026-11-10T10:02:00Z",
    )
    assert newest.events[0].type == "DEPLOYMENT_STARTED"
    assert state.since == "2026-11-10T10:02:00Z"


def test_switch_off_is_weight_zero(params: Params, AppConfig: Any) -> None:
    state = read_state(AppConfig([(10, "COMPLETE")], [(True, "COMPLETE"), (False, "COMPLETE")]), params)
    assert (state.dial_percent, state.switch_on, state.weight) == (10, False, 0)
    assert state.since == "2026-11-10T10:02:00Z", "the switch was turned after the dial was set"
    assert not state.busy


def test_nothing_deployed_is_synchronous(params: Params, AppConfig: Any) -> None:
    state = read_state(AppConfig([], []), params)
    assert (state.dial_percent, state.switch_on, state.weight, state.since) == (0, False, 0, None)
    assert state.dial_deployment is None and state.history == ()


@pytest.mark.parametrize(
    ("dial", "percent", "since"),
    [
        ([(0, "COMPLETE"), (10, "ROLLED_BACK")], 0, "2026-11-10T10:32:00Z"),
        ([(10, "COMPLETE"), (50, "ROLLED_BACK")], 10, "2026-11-10T10:32:00Z"),
        ([(10, "COMPLETE"), (50, "REVERTED")], 10, "2026-11-10T10:42:00Z"),
        ([(10, "COMPLETE"), (50, "ROLLED_BACK"), (50, "ROLLED_BACK")], 10, "2026-11-10T10:33:00Z"),
        ([(10, "ROLLED_BACK")], 0, "2026-11-10T10:31:00Z"),
        ([(0, "COMPLETE"), (10, "ROLLING_BACK")], 10, "2026-11-10T10:02:00Z"),
        ([(10, "COMPLETE"), (0, "ROLLING_BACK")], 10, "2026-11-10T10:01:00Z"),
        ([(10, "COMPLETE"), (0, "DEPLOYING", 90)], 10, "2026-11-10T10:01:00Z"),
        ([(10, "COMPLETE"), (0, "DEPLOYING", 100)], 0, "2026-11-10T10:02:00Z"),
        ([(10, "COMPLETE"), (0, "BAKING")], 0, "2026-11-10T10:02:00Z"),
        ([(10, "COMPLETE"), (0, "VALIDATING")], 10, "2026-11-10T10:01:00Z"),
        ([(10, "COMPLETE"), (0, "WEIRD")], 10, "2026-11-10T10:01:00Z"),
        ([(10, "COMPLETE"), *[(0, "ROLLED_BACK")] * 60], 10, "2026-11-10T11:31:00Z"),
        ([(0, "COMPLETE"), (10, "DEPLOYING")], 10, "2026-11-10T10:02:00Z"),
        ([(50, "COMPLETE"), (10, "COMPLETE")], 10, "2026-11-10T10:02:00Z"),
    ],
)
def test_what_was_taken_back_gives_way_to_the_version_before(
    params: Params, AppConfig: Any, dial: list[tuple[Any, ...]], percent: int, since: str
) -> None:
    state = read_state(AppConfig(dial, ON), params)
    assert (state.dial_percent, state.dial_since) == (percent, since)


def test_who_took_it_back(params: Params, AppConfig: Any) -> None:
    state = read_state(AppConfig([(0, "COMPLETE"), (10, "ROLLED_BACK")], ON), params)
    assert state.dial_deployment
    assert state.dial_deployment.taken_back_by == "CLOUDWATCH_ALARM"
    assert state.dial_deployment.taken_back_at == "2026-11-10T10:32:00Z"
    fine = read_state(AppConfig([(0, "COMPLETE")], ON), params).dial_deployment
    assert fine and fine.taken_back_by is None and fine.taken_back_at is None


def test_history_is_newest_first_over_all_pages(params: Params, AppConfig: Any) -> None:
    state = read_state(AppConfig([(percent, "COMPLETE") for percent in (0, 10, 0, 50, 100)], ON), params)
    assert [(one.number, one.percent) for one in state.history] == [(5, 100), (4, 50), (3, 0), (2, 10), (1, 0)]


def test_what_is_over_is_asked_for_once_and_again_when_it_is_listed_otherwise(
    params: Params, AppConfig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = AppConfig([(0, "COMPLETE"), (10, "COMPLETE"), (50, "BAKING")], ON)
    asked: list[int] = []
    ask = stub.get_deployment

    def get_deployment(**which: Any) -> dict[str, Any]:
        if which["EnvironmentId"] == "ed":
            asked.append(which["DeploymentNumber"])
        return ask(**which)

    monkeypatch.setattr(stub, "get_deployment", get_deployment)
    assert [read_state(stub, params).dial_percent for _ in range(2)] == [50, 50]
    assert asked == [3, 2, 1, 3]
    stub.deployments["ed"][3]["State"] = "ROLLED_BACK"
    stub.deployments["ed"][2]["State"] = "REVERTED"
    asked.clear()
    assert [read_state(stub, params).dial_percent for _ in range(2)] == [0, 0]
    assert asked == [3, 2]


def test_deployments_of_other_profiles_do_not_count(params: Params, AppConfig: Any) -> None:
    stub = AppConfig([(10, "COMPLETE"), (99, "COMPLETE")], ON)
    stub.deployments["ed"][2]["ConfigurationProfileId"] = "another"
    assert read_state(stub, params).dial_percent == 10


def test_it_goes_through_json(params: Params, AppConfig: Any) -> None:
    state = read_state(
        AppConfig([(0, "COMPLETE"), (10, "ROLLED_BACK")], ON, ["arn:aws:cloudwatch:x:1:alarm:a"]), params
    )
    assert state.monitors == ("arn:aws:cloudwatch:x:1:alarm:a",)
    assert TrafficState.model_validate(json.loads(json.dumps(state.model_dump(mode="json")))) == state


def test_handles(params: Params, AppConfig: Any) -> None:
    found = handles(AppConfig([], []), params)
    assert (found.application, found.dial_profile, found.switch_profile) == ("a1", "pd", "ps")
    assert (found.dial_environment, found.switch_environment) == ("ed", "es")
    assert (found.immediate_strategy, found.soak_strategy) == ("s0", "s1")


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        ("list_applications", "no application 'careervp-vpr-rollout-prod'"),
        ("list_configuration_profiles", "no configuration profile 'vpr-async-dial'"),
        ("list_environments", "no environment 'prod'"),
        ("list_deployment_strategies", "no deployment strategy 'careervp-vpr-immediate-strategy-prod'"),
    ],
)
def test_what_is_missing_is_named(params: Params, AppConfig: Any, operation: str, sentence: str) -> None:
    stub = AppConfig([], [])
    stub.lists[operation] = []
    with pytest.raises(AwsError, match=sentence):
        read_state(stub, params)


@pytest.mark.parametrize("percent", [-1, 101, "many", None])
def test_a_dial_out_of_bounds_is_refused(params: Params, AppConfig: Any, percent: Any) -> None:
    with pytest.raises(AwsError, match="expects 0 to 100"):
        read_state(AppConfig([(percent, "COMPLETE")], ON), params)


@pytest.mark.parametrize("enabled", [None, [], "", "false", 0])
def test_a_switch_that_is_neither_on_nor_off_is_refused(params: Params, AppConfig: Any, enabled: Any) -> None:
    stub = AppConfig([(10, "COMPLETE")], ON)
    flag = params.service.appconfig.flag
    stub.broken = json.dumps({"values": {flag: {"enabled": enabled, "percent": 10}}}).encode()
    with pytest.raises(AwsError, match="not a feature-flag document"):
        read_state(stub, params)


def test_a_document_of_another_kind_is_refused(params: Params, AppConfig: Any) -> None:
    stub = AppConfig([(10, "COMPLETE")], ON)
    stub.broken = b"{}"
    with pytest.raises(AwsError, match="not a feature-flag document"):
        read_state(stub, params)


@pytest.mark.parametrize("page", [b"<html>Sign in</html>", b'{"values": {"vpr', b"[" * 100_000])
def test_a_page_in_its_place_is_no_reason_to_deploy_the_flags_again(
    params: Params, AppConfig: Any, page: bytes
) -> None:
    stub = AppConfig([(10, "COMPLETE")], ON)
    stub.broken = page
    with pytest.raises(Unreadable, match="cannot be read: what came is no JSON; does a proxy or a login page") as told:
        read_state(stub, params)
    assert "deploy" not in str(told.value)


@pytest.mark.parametrize("odd", [b"null", b"[]", b"{}", b'{"values": null}', b"<html>"])
def test_one_odd_answer_is_no_odd_flag(params: Params, AppConfig: Any, odd: bytes) -> None:
    """Only that answer was odd, and people were told to deploy the flags again."""

    class Once(AppConfig):  # type: ignore[misc]
        def get_hosted_configuration_version(self, **given: Any) -> Any:
            answer = super().get_hosted_configuration_version(**given)
            self.broken = None
            return answer

    stub = Once([(10, "COMPLETE")], ON)
    stub.broken = odd
    assert read_state(stub, params).dial_percent == 10


def test_what_appconfig_calls_its_resources_is_asked_again_after_a_moment(
    params: Params, AppConfig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within it a look asks once; another client, and other names, are never answered from what was kept."""
    now, asked = [100.0], []
    monkeypatch.setattr(state, "handles", lambda client, params: asked.append(params.env) or handles(client, params))
    monkeypatch.setattr(state.time, "monotonic", lambda: now[0])
    client = AppConfig([(10, "COMPLETE")], ON)
    for later, times in ((0.0, 1), (state.MOMENT_S, 1), (1.0, 2), (state.MOMENT_S, 2)):
        now[0] += later
        assert read_state(client, params).dial_percent == 10
        assert len(asked) == times
    read_state(AppConfig([(10, "COMPLETE")], ON), params)
    assert len(asked) == 3, "another client"
