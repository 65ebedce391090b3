"""Dial and switch on the embedded AWS: step over 0, compare-and-set, and an off that nothing stands in the way of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from runbook_lib.base.errors import AwsError, Refused, Unreadable
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import Params

pytestmark = pytest.mark.emulator


def history(state: TrafficState) -> list[tuple[int, float | None, str]]:
    return [(each.number, each.percent, each.state) for each in reversed(state.history)]


def once(error: Exception) -> Callable[[int], None]:
    """Raises `error` at the first call only."""

    def meddle(count: int) -> None:
        if count == 1:
            raise error

    return meddle


def refusal(code: str, operation: str = "StartDeployment") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


def test_a_shift_steps_over_0_and_bakes(home: Any) -> None:
    after = home.shift(10)
    assert history(after) == [(1, 0, "COMPLETE"), (2, 10, "BAKING")]
    assert (after.weight, after.dial_percent, after.switch_on) == (10, 10, True)
    assert after.dial_deployment.bake_minutes == 1440
    assert after.dial_deployment.description == "runbook release=r to=10 step=2/2"


def test_each_step_has_its_intent_and_outcome(home: Any) -> None:
    home.shift(10)
    intents, outcomes = home.journal.of("intent"), home.journal.of("outcome")
    assert [entry["what"] for entry in intents] == ["dial 0 % -> 0 %", "dial 0 % -> 10 %"]
    assert [entry["ok"] for entry in outcomes] == [True, True]
    assert [entry["intent"] for entry in outcomes] == [entry["id"] for entry in intents]
    assert intents[0]["by_hand"].startswith("aws appconfig start-deployment ")
    assert outcomes[1]["read_back"]["percent"] == 10


def test_the_undo_of_the_intent_is_a_command_that_works(home: Any) -> None:
    home.turn(False, "the off version must exist before")
    home.turn(True)
    home.shift(10)
    words = home.journal.of("intent")[-1]["by_hand"].split("aws appconfig start-deployment ")[1].split()
    options = dict(zip(words[::2], words[1::2], strict=True))
    home.aws.client("appconfig").start_deployment(
        ApplicationId=options["--application-id"],
        EnvironmentId=options["--environment-id"],
        DeploymentStrategyId=options["--deployment-strategy-id"],
        ConfigurationProfileId=options["--configuration-profile-id"],
        ConfigurationVersion=options["--configuration-version"],
    )
    assert home.state().weight == 0


def test_a_renewal_stops_the_bake_and_steps_over_0_again(home: Any) -> None:
    home.shift(10)
    after = home.shift(10)
    assert history(after) == [(1, 0, "COMPLETE"), (2, 10, "ROLLED_BACK"), (3, 0, "COMPLETE"), (4, 10, "BAKING")]
    assert after.weight == 10


def test_appconfigs_own_rollback_of_a_raise_lands_on_0(home: Any) -> None:
    home.shift(10)
    home.shift(50)
    home.fire()
    assert home.state().weight == 0


def test_versions_are_made_once(home: Any) -> None:
    for _ in range(3):
        home.shift(10)
    assert home.client.writes.count("create_hosted_configuration_version") == 2, "one for 0, one for 10"


def test_undo_to_0_from_a_bake(home: Any) -> None:
    home.shift(10)
    after = home.shift(0)
    assert history(after)[1:] == [(2, 10, "ROLLED_BACK"), (3, 0, "COMPLETE")]
    assert after.weight == 0


def test_a_plan_applied_twice_is_refused(home: Any) -> None:
    plan = home.plan(10)
    home.traffic.apply(plan)
    with pytest.raises(
        Refused, match=r"dial changed since the plan was made: deployment 2, of .*step=2/2', baking instead"
    ) as refused:
        home.traffic.apply(plan)
    assert refused.value.nothing_changed
    assert home.state().dial_deployment.number == 2


def test_a_plan_with_nothing_to_do_changes_nothing(home: Any) -> None:
    after = home.shift(0)
    assert after.history == ()
    assert home.client.writes == []


def test_a_second_operators_change_is_refused_and_named(home: Any) -> None:
    plan = home.plan(10)
    home.stranger(25, "runbook run=theirs")
    with pytest.raises(Refused, match=r"deployment 1, of .*runbook run=theirs.*instead of deployment 0"):
        home.traffic.apply(plan)
    assert home.state().dial_percent == 25


@pytest.mark.parametrize("at_call", [1, 2])
def test_a_second_operator_between_reading_and_writing_is_refused(home: Any, at_call: int) -> None:
    plan = home.plan(10)

    def meddle(count: int) -> None:
        if count == at_call:
            home.stranger(25, "theirs")

    home.client.before["start_deployment"] = meddle
    with pytest.raises(Refused, match=r"somebody else moved the dial meanwhile.*'theirs'.*the dial is at 25 %"):
        home.traffic.apply(plan)
    assert home.state().dial_percent == 25
    assert home.journal.of("outcome")[-1]["ok"] is False


def test_a_rollback_meanwhile_is_refused(home: Any) -> None:
    home.shift(10)
    plan = home.plan(50)
    home.fire()
    with pytest.raises(Refused, match=r"deployment 2, of .*rolled back instead of deployment 2 \(baking\)"):
        home.traffic.apply(plan)


def test_a_switch_turned_meanwhile_is_refused(home: Any) -> None:
    plan = home.plan(10)
    home.turn(False, "no async please")
    with pytest.raises(Refused, match=r"switch was turned off since the plan was made.*'no async please'"):
        home.traffic.apply(plan)
    assert home.client.writes == []


def test_a_switch_that_somebody_else_turned_off_stays_off(home: Any) -> None:
    home.turn(False)
    with pytest.raises(Refused, match=r"not a rollback of this runbook: whoever turned it off turns it on"):
        home.shift(10)
    assert home.client.writes == []


def test_a_shift_turns_a_switch_on_that_is_off_at_dial_0(home: Any) -> None:
    """A new attempt after rollback 1, which leaves the switch off: nothing else turns it on."""
    home.shift(10)
    home.traffic.switch_off("runbook release=r notebook=rollback_1 attempt=1 run=y")
    assert home.state().weight == 0
    after = home.shift(10)
    assert (after.weight, after.switch_on) == (10, True)
    whats = [one["what"] for one in home.journal.of("intent")]
    assert whats[-3:] == ["dial 0 % -> 0 %", "switch on", "dial 0 % -> 10 %"]


def test_a_firing_guard_refuses_the_shift_and_leaves_0(home: Any) -> None:
    home.fire()
    with pytest.raises(Refused, match=rf"did not stay at 0 % \(CLOUDWATCH_ALARM: .*{home.alarm}.*at 0 % now"):
        home.shift(10)
    assert home.state().weight == 0
    assert home.journal.of("outcome")[-1]["ok"] is False


def test_a_guard_that_fires_as_the_bake_begins_refuses(home: Any) -> None:
    home.client.before["start_deployment"] = lambda count: home.fire() if count == 2 else None
    with pytest.raises(Refused, match=r"did not stay at 10 %.*it is at 0 % now"):
        home.shift(10)


def test_a_bake_shorter_than_the_soak_is_refused(home: Any) -> None:
    client = home.aws.client("appconfig")
    name = home.params.service.traffic.soak_strategy
    found = next(each for each in client.list_deployment_strategies()["Items"] if each["Name"] == name)
    client.update_deployment_strategy(DeploymentStrategyId=found["Id"], FinalBakeTimeInMinutes=600)
    with pytest.raises(Refused, match=r"bakes for 600 min, the soak needs 1440"):
        home.shift(10)
    assert home.client.writes == []
    assert home.traffic.apply(home.plan(10, soak_hours=10)).weight == 10


def test_a_bake_that_ended_meanwhile_needs_no_stop(home: Any) -> None:
    """The plan saw a bake that is over by itself when it is applied: it is not stopped, and is no change by others."""
    home.stranger(10, "baked")
    seen = home.state()
    baking = seen.dial_deployment.model_copy(update={"state": "BAKING"})
    plan = home.plan(20, seen.model_copy(update={"dial_deployment": baking, "history": (baking,)}))
    assert plan.steps[0].action == "stop"
    after = home.traffic.apply(plan)
    assert history(after) == [(1, 10, "COMPLETE"), (2, 0, "COMPLETE"), (3, 20, "BAKING")]
    assert "no stop needed" in home.journal.of("note")[0]["text"]


@pytest.mark.parametrize("mode", ["plan", "apply"])
def test_unauthorised_nothing_is_asked_of_the_client(home: Any, make_params: Callable[..., Params], mode: str) -> None:
    """Not one call, read or write: neither for a shift, nor for the switch."""
    flat = home.params.flat.model_copy(update={"mode": mode, "confirm": "pord"})
    guard = home.guarded(home.params.model_copy(update={"flat": flat}))
    operator = home.operator(guard)
    plans = [home.plan(percent) for percent in (0, 10)]
    for move in (
        *(lambda plan=plan: operator.apply(plan) for plan in plans),
        lambda: operator.switch_off("x"),
        lambda: operator.switch_on("x"),
    ):
        with pytest.raises(Exception, match=r"mode is 'plan'" if mode == "plan" else "confirm is 'pord'"):
            move()
    assert home.client.calls == []


def test_a_lost_answer_to_a_shift_is_found_by_reading_back(home: Any) -> None:
    """AWS did it, the answer was lost, and botocore's second try met our own deployment: a conflict with ourselves."""
    home.client.after["start_deployment"] = lambda count: (_ for _ in ()).throw(refusal("ConflictException"))
    after = home.shift(10)
    assert history(after) == [(1, 0, "COMPLETE"), (2, 10, "BAKING")]
    assert all(entry["ok"] and "ConflictException" in entry["error"] for entry in home.journal.of("outcome"))


def test_a_lost_request_of_a_shift_is_a_sentence(home: Any) -> None:
    home.client.before["start_deployment"] = once(EndpointConnectionError(endpoint_url="http://x"))
    with pytest.raises(AwsError, match=r"setting the dial to 0 %: http://x does not answer"):
        home.shift(10)
    assert home.state().history == ()
    assert home.journal.of("outcome")[0]["ok"] is False


def test_other_refusals_of_a_shift_are_a_sentence(home: Any) -> None:
    home.client.before["start_deployment"] = once(refusal("AccessDeniedException"))
    with pytest.raises(AwsError, match=r"setting the dial to 0 %: AWS answered AccessDeniedException"):
        home.shift(10)


class _Killed(BaseException):
    """As SIGKILL: nothing of ours runs after it."""


@pytest.mark.parametrize(
    ("when", "trouble", "told", "dial"),
    [
        ("after", ConnectionClosedError(endpoint_url="http://x"), None, 10),
        ("before", refusal("AccessDeniedException", "StopDeployment"), "stopping deployment 2: AWS answered Acc", 10),
        (
            "before",
            ConnectionClosedError(endpoint_url="http://x"),
            "stopping deployment 2: http://x gives no whole answer",
            10,
        ),
        ("before", _Killed(), "^$", 10),
        ("after", _Killed(), "^$", 0),
    ],
    ids=["answer lost", "denied", "request lost", "killed before", "killed behind"],
)
def test_trouble_while_a_bake_is_stopped(home: Any, when: str, trouble: Any, told: str | None, dial: float) -> None:
    """The first write of a renewal: the dial is where the record says, and the next renewal goes through."""
    home.shift(10)
    getattr(home.client, when)["stop_deployment"] = once(trouble)
    if told is None:
        assert home.shift(10).weight == 10
    else:
        with pytest.raises((AwsError, _Killed), match=told):
            home.shift(10)
    stops = [one["id"] for one in home.journal.of("intent") if one["what"] == "stop deployment 2"]
    outcomes = [one["ok"] for one in home.journal.of("outcome") if one["intent"] in stops]
    assert outcomes == ([] if isinstance(trouble, _Killed) else [told is None])
    assert home.state().dial_percent == dial
    home.client.before.clear()
    home.client.after.clear()
    again = home.shift(10)
    assert again.weight == 10
    assert [state for _, percent, state in history(again) if percent == 10][-1] == "BAKING"
    assert len([state for *_, state in history(again) if state == "BAKING"]) == 1


def test_without_a_journal_there_is_no_shift(home: Any) -> None:
    home.journal.broken = True
    with pytest.raises(Refused, match=r"intent cannot be recorded"):
        home.shift(10)
    assert home.state().history == ()


def test_the_dial_to_0_gets_past_a_stranger(home: Any) -> None:
    """Lowering is not conditional: whatever is under way is stopped, and it is tried again."""
    home.stranger(25)
    plan = home.plan(0)

    def meddle(count: int) -> None:
        if count == 1:
            other = home.operator(home.guard, home.aws.client("appconfig"))
            other.apply(home.plan(50))

    home.client.before["start_deployment"] = meddle
    after = home.traffic.apply(plan)
    assert (after.weight, after.dial_deployment.state) == (0, "COMPLETE")
    assert any("trying again" in entry["text"] for entry in home.journal.of("warning"))


def test_the_dial_to_0_while_a_guard_fires_says_to_switch_off(home: Any) -> None:
    home.stranger(25)
    home.fire()
    with pytest.raises(Refused, match=r"did not stay at 0 %.*at 25 % now.*switch off"):
        home.shift(0)


@pytest.mark.parametrize("firing", [False, True])
def test_off_while_baking_whether_or_not_a_guard_fires(home: Any, firing: bool) -> None:
    home.shift(10)
    if firing:
        home.fire()
    done = home.traffic.switch_off("off now")
    assert done.changed
    state = home.state()
    assert (state.switch_on, state.weight) == (False, 0)
    assert state.switch_deployment.description == "off now"
    assert state.dial_deployment.number == 2, "the dial is left for later, in calm"


def test_off_twice_says_so_and_changes_nothing(home: Any) -> None:
    home.traffic.switch_off("first")
    before = list(home.client.writes)
    done = home.traffic.switch_off("second")
    assert not done.changed
    assert "async is off already, by deployment 2" in done.sentence
    assert "'first'" in done.sentence
    assert home.client.writes == before
    assert home.journal.of("note")[0]["text"] == done.sentence


def test_advice_does_not_wait_for_versions_that_could_not_be_read(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question to a silent AWS takes 20 s, and who waits heard the way by hand after one more."""
    store, asked = home.traffic._store, list[int]()

    def silent(*_: Any) -> Any:
        asked.append(1)
        raise ReadTimeoutError(endpoint_url="http://x")

    monkeypatch.setattr(store, "_find", silent)
    home.client.before["start_deployment"] = once(refusal("AccessDeniedException"))
    with pytest.raises(AwsError, match=r"by hand: aws appconfig .*the version that says enabled: false"):
        home.traffic.switch_off("off")
    assert len(asked) == 1


GARBAGE = [b"", b"[]", b"{}", b"null", b"<html>sign in</html>", b'{"version":"1","values":{"vpr_', b"[" * 100_000]


@pytest.mark.parametrize("found", GARBAGE)
def test_what_cannot_be_read_is_not_off(home: Any, monkeypatch: pytest.MonkeyPatch, found: bytes) -> None:
    """Half an answer was taken for an absent flag: "async is off already", people were told so, and it was on."""
    home.shift(10)
    store, came = home.traffic._store, [found]
    real = store._content
    monkeypatch.setattr(store, "_content", lambda *which: came.pop() if came else real(*which))
    done = home.traffic.switch_off("off")
    assert done.changed and "async is off by the switch" in done.sentence
    assert home.state().weight == 0
    assert "cannot be read" in home.journal.of("warning")[0]["text"]


@pytest.mark.parametrize("found", GARBAGE)
def test_nor_is_it_said_to_be_off_while_nothing_can_be_read(
    home: Any, monkeypatch: pytest.MonkeyPatch, found: bytes
) -> None:
    home.shift(10)
    monkeypatch.setattr(home.traffic._store, "_content", lambda *_: found)
    told = r"^switching async off: it is NOT known.*: version \d of the switch was put in force, and what"
    with pytest.raises(Unreadable, match=told):
        home.traffic.switch_off("off")
    assert home.traffic._guard.unread, "people are told that it is not known, not that it is on"
    assert home.state().weight == 0, "it was turned off all the same"


@pytest.mark.parametrize("found", GARBAGE)
def test_a_page_in_place_of_what_is_read_back_is_asked_again(
    home: Any, monkeypatch: pytest.MonkeyPatch, found: bytes
) -> None:
    """People were told "could NOT be turned off" of a switch that was off, for one answer of a proxy."""
    home.shift(10)
    store, came, before = home.traffic._store, [found], len(home.client.writes)
    real = store._content

    def content(*which: Any) -> bytes:
        return came.pop() if came and len(home.client.writes) > before else real(*which)

    monkeypatch.setattr(store, "_content", content)
    done = home.traffic.switch_off("off")
    assert done.changed and "async is off by the switch" in done.sentence


def test_off_gets_past_a_deployment_on_the_switch(home: Any) -> None:
    """Somebody's deployment with a bake sits on the switch: it is stopped, and off goes through."""
    client = home.aws.client("appconfig")
    ids = home.traffic._store.ids
    client.start_deployment(
        ApplicationId=ids.application,
        EnvironmentId=ids.switch_environment,
        ConfigurationProfileId=ids.switch_profile,
        ConfigurationVersion="1",
        DeploymentStrategyId=ids.soak_strategy,
    )
    assert home.traffic.switch_off("off").changed
    assert home.state().weight == 0
    assert not home.state().switch_on


@pytest.mark.parametrize(
    "trouble",
    [
        refusal("ConflictException"),
        refusal("ThrottlingException"),
        EndpointConnectionError(endpoint_url="http://x"),
        ConnectionClosedError(endpoint_url="http://x"),
    ],
)
def test_off_is_tried_again_after_trouble(home: Any, trouble: Exception) -> None:
    home.shift(10)
    home.client.calls.clear()
    home.client.before["start_deployment"] = once(trouble)
    assert home.traffic.switch_off("off").changed
    assert home.state().weight == 0
    assert len(home.journal.of("warning")) == 1


def test_off_goes_on_when_nothing_can_be_read_beforehand(home: Any) -> None:
    home.shift(10)
    home.client.calls.clear()
    home.client.before["get_deployment"] = once(refusal("ThrottlingException", "GetDeployment"))
    assert home.traffic.switch_off("off").changed
    assert home.state().weight == 0
    assert "switching off all the same" in home.journal.of("warning")[0]["text"]


def test_off_with_a_full_disk(home: Any) -> None:
    home.shift(10)
    home.journal.broken = True
    assert home.traffic.switch_off("off").changed
    assert home.state().weight == 0
    assert [entry["event"] for entry in home.journal.aside] == ["intent", "outcome"]


def test_off_gives_up_in_bounded_time_with_the_command(home: Any) -> None:
    def always(count: int) -> None:
        raise refusal("ThrottlingException")

    home.client.before["start_deployment"] = always
    with pytest.raises(
        AwsError, match=r"switching async off failed.*ThrottlingException.*aws appconfig start-deployment"
    ):
        home.traffic.switch_off("off")
    assert home.journal.of("outcome")[0]["ok"] is False


def test_off_does_not_wait_for_a_permission(home: Any) -> None:
    home.client.before["start_deployment"] = once(refusal("AccessDeniedException"))
    with pytest.raises(AwsError, match=r"AccessDeniedException.*by hand"):
        home.traffic.switch_off("off")
    assert home.client.calls.count("start_deployment") == 1


def test_off_that_does_not_read_back_is_an_error(home: Any) -> None:
    def turn_back(count: int) -> None:
        home.aws.client("appconfig").stop_deployment(
            ApplicationId=home.traffic._store.ids.application,
            EnvironmentId=home.traffic._store.ids.switch_environment,
            DeploymentNumber=2,
            AllowRevert=True,
        )

    home.client.after["start_deployment"] = turn_back
    with pytest.raises(AwsError, match=r"the switch was turned off, yet it reads back as .*REVERTED"):
        home.traffic.switch_off("off")


def test_on_is_refused_while_the_dial_is_not_at_0(home: Any) -> None:
    home.shift(10)
    home.traffic.switch_off("off")
    with pytest.raises(Refused, match=r"the dial is at 10 %.*bring the dial to 0 first"):
        home.traffic.switch_on("on")
    assert not home.state().switch_on


def test_off_then_0_then_on_then_a_shift(home: Any) -> None:
    home.shift(10)
    home.traffic.switch_off("off")
    home.shift(0)
    assert not home.state().switch_on
    done = home.traffic.switch_on("on")
    assert done.changed and home.state().switch_on
    assert home.state().weight == 0
    assert home.shift(10).weight == 10


def test_on_twice_says_so(home: Any) -> None:
    done = home.traffic.switch_on("on")
    assert not done.changed
    assert "is on already, by deployment 1" in done.sentence
    assert home.client.writes == []


def test_on_is_refused_if_somebody_turned_the_switch_meanwhile(home: Any) -> None:
    home.turn(False)
    home.client.before["start_deployment"] = lambda count: home.turn(False, "still no")
    with pytest.raises(Refused, match=r"somebody else moved the switch meanwhile.*'still no'.*the switch off"):
        home.traffic.switch_on("on")
    assert not home.state().switch_on


def test_on_goes_off_again_if_the_dial_moved_meanwhile(home: Any) -> None:
    home.turn(False)
    home.client.before["start_deployment"] = lambda count: home.stranger(50) if count == 1 else None
    with pytest.raises(Refused, match=r"moved the dial to 50 % meanwhile: the switch is off again"):
        home.traffic.switch_on("on")
    assert home.state().weight == 0


def test_on_that_fails_or_does_not_read_back_is_an_error(home: Any) -> None:
    home.turn(False)
    home.client.before["start_deployment"] = once(refusal("AccessDeniedException"))
    with pytest.raises(AwsError, match=r"switching on: AWS answered AccessDeniedException"):
        home.traffic.switch_on("on")
    home.client.before.clear()
    home.client.after["start_deployment"] = lambda count: home.aws.client("appconfig").stop_deployment(
        ApplicationId=home.traffic._store.ids.application,
        EnvironmentId=home.traffic._store.ids.switch_environment,
        DeploymentNumber=3,
        AllowRevert=True,
    )
    with pytest.raises(AwsError, match=r"the switch was turned on, yet it reads back as"):
        home.traffic.switch_on("on")


def test_off_without_any_version_makes_one_and_the_hint_says_what_is_missing(home: Any) -> None:
    store = home.traffic._store
    assert store.ids and "(the version that says enabled: false)" in store.off_by_hand()
    home.traffic.switch_off("off")
    assert "--configuration-version 2" in home.traffic._store.off_by_hand()


def test_without_flags_the_hint_is_words_and_the_rest_one_sentence(home: Any) -> None:
    split = home.params.service.traffic.model_copy(update={"application": "nowhere"})
    service = home.params.service.model_copy(update={"traffic": split})
    operator = home.operator(home.guarded(home.params.model_copy(update={"service": service})))
    assert operator._store.off_by_hand().startswith(
        "by hand: deploy the off version of the switch in the AWS console, or run: aws appconfig start-deployment "
        f"--region {home.params.region} --application-id (the id of the application 'nowhere') --environment-id (the id"
    )
    with pytest.raises(AwsError, match=r"AppConfig has no application 'nowhere'"):
        operator.read()


def test_a_deployment_that_never_settles_is_given_up(home: Any) -> None:
    home.shift(10)
    ids = home.traffic._store.ids
    facts = home.traffic._store.settled(ids.dial_environment, ids.dial_profile, 2)
    assert (facts["busy"], facts["percent"]) == (True, 10)
    assert home.traffic._store.settled(ids.dial_environment, ids.dial_profile, 99)["deployment"] is None


def test_errors_of_reading_back_are_not_swallowed(home: Any) -> None:
    def blind(count: int) -> None:
        if "start_deployment" in home.client.calls:
            raise refusal("AccessDeniedException", "GetDeployment")

    home.client.before["get_deployment"] = blind
    with pytest.raises(AwsError, match=r"AccessDeniedException to GetDeployment"):
        home.shift(10)
    assert home.journal.of("outcome")[0]["ok"] is None


MUTE: dict[str, Any] = {
    "404": refusal("ResourceNotFoundException"),
    "500": refusal("InternalServerException"),
    "no values": b'{"version":"1","values":{"vpr_async":{}}}',
    "no flag": b'{"version":"1","values":{}}',
    "a page": b"<html>sign in</html>",
}
WAYS: dict[str, Callable[[Any], Any]] = {
    "switch on": lambda home: (home.turn(False), home.traffic.switch_on)[1],
    "a raise": lambda home: lambda _: home.shift(10),
    "a lowering": lambda home: (home.shift(10), lambda _: home.shift(0))[1],
}


def mute(home: Any, monkeypatch: pytest.MonkeyPatch, answer: Any, times: int) -> None:
    """From the next deployment on AppConfig does not say what is in force, so many times."""
    store, before, left = home.traffic._store, len(home.client.writes), [answer] * times
    real_content, real_settled = store._content, store.settled

    def started() -> bool:
        return bool(left) and "start_deployment" in home.client.writes[before:]

    def settled(*given: Any, **named: Any) -> Any:
        if not started() or isinstance(answer, bytes):
            return real_settled(*given, **named)
        left.pop()
        if answer is MUTE["404"]:
            return {"deployment": None, "busy": None}
        raise answer

    monkeypatch.setattr(store, "settled", settled)
    monkeypatch.setattr(
        store,
        "_content",
        lambda *which: left.pop() if started() and isinstance(answer, bytes) else real_content(*which),
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("answer", MUTE)
def test_the_way_forward_asks_again_what_was_just_started(
    home: Any, monkeypatch: pytest.MonkeyPatch, way: str, answer: str
) -> None:
    """One 404 of a deployment that AppConfig had just started was read as nothing."""
    do = WAYS[way](home)
    mute(home, monkeypatch, MUTE[answer], 2)
    do("on")
    assert home.state().weight == (10 if way == "a raise" else 0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("answer", MUTE)
def test_and_says_that_it_is_not_known_where_nothing_tells_it(
    home: Any, monkeypatch: pytest.MonkeyPatch, way: str, answer: str
) -> None:
    do = WAYS[way](home)
    mute(home, monkeypatch, MUTE[answer], 20)
    with pytest.raises(Unreadable, match=r"deployment \d|version \d") as error:
        do("on")
    assert "reads back as" not in str(error.value) and "aws appconfig start-deployment" in str(error.value)
    assert home.traffic._guard.unread
