"""The homes beside AppConfig behind the one interface: compare-and-set, read back, undo, an off that gets through."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.act.traffic.shift import ShiftPlan, plan_shift
from runbook_lib.base.errors import AwsError, Refused, Unreadable
from runbook_lib.observe.traffic.weight import NotDeployed
from tests.elsewhere import HOMES, NotFound, Place

KINDS = sorted(HOMES)
ACTS = ["lambda-alias", "rest-canary"]
WRITES = {"ssm": "put_parameter", "lambda-alias": "update_alias", "rest-canary": "update_stage"}


def begun(kind: str) -> Place:
    """At 0 %, by a first step."""
    place = Place(kind)
    place.register.write(0, True, "created")
    return place


def plan(place: Place, percent: float, about: str = "runbook release=r notebook=n attempt=1 run=x") -> ShiftPlan:
    return plan_shift(place.home.read(), percent, place.params, soak_hours=24, description=about)


def in_force(place: Place) -> float:
    found = place.register.in_force()
    newest = place.register.newest()
    assert newest is not None
    return found.percent if found else newest.weight


@pytest.mark.parametrize("kind", KINDS)
def test_a_shift_is_one_step_that_is_written_set_and_read_back(kind: str) -> None:
    place = begun(kind)
    after = place.home.apply(plan(place, 10))
    assert (after.weight, after.dial_percent, after.switch_on, in_force(place)) == (10, 10, True, 10)
    newest = after.dial_deployment
    assert newest and (newest.number, newest.state) == (2, "COMPLETE") and "notebook=n" in newest.description
    assert after.since == newest.started_at == "2026-11-10T12:02:00Z"
    assert place.intents() == ["dial 0 % -> 10 %"] and not after.busy


@pytest.mark.parametrize("kind", KINDS)
def test_the_way_to_100_and_back_at_once(kind: str) -> None:
    place = begun(kind)
    for percent in (10, 50, 100):
        assert place.home.apply(plan(place, percent)).weight == percent
    off = place.home.switch_off("runbook release=r notebook=rollback_1 attempt=1 run=y")
    state = place.home.read()
    assert off.changed and (state.weight, state.switch_on, state.dial_percent, in_force(place)) == (0, False, 100, 0)
    assert [one.percent for one in state.history] == [100, 50, 10, 0]
    assert place.home.switch_off("runbook release=r notebook=rollback_1 attempt=1 run=y").changed is False
    assert place.home.apply(plan(place, 0)).dial_percent == 0
    back = place.home.apply(plan(place, 10))
    assert (back.switch_on, back.weight, in_force(place)) == (True, 10, 10), "a raise turns the switch on"
    place.home.switch_off("runbook release=r notebook=rollback_1 attempt=1 run=y")
    assert place.home.apply(plan(place, 10)).weight == 10, "also where the dial was left at its weight"


def test_an_alias_at_100_is_the_new_version_alone_and_goes_back_to_the_stable_one() -> None:
    place = begun("lambda-alias")
    place.home.apply(plan(place, 50))
    assert place.aws.alias["RoutingConfig"] == {"AdditionalVersionWeights": {"7": 0.5}}
    place.home.apply(plan(place, 100))
    assert (place.aws.alias["FunctionVersion"], place.aws.alias["RoutingConfig"]) == (
        "7",
        {"AdditionalVersionWeights": {}},
    )
    place.home.switch_off("back")
    assert place.aws.alias["FunctionVersion"] == "6"


@pytest.mark.parametrize("kind", KINDS)
def test_a_raise_is_refused_where_somebody_moved_since_the_plan(kind: str) -> None:
    place = begun(kind)
    planned = plan(place, 10)
    place.register.write(50, True, "somebody else")
    place.register.put(50, None)
    with pytest.raises(Refused, match="the weight changed since the plan was made: it is at 50 %"):
        place.home.apply(planned)
    assert in_force(place) == 50 and place.intents() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_raise_is_refused_where_somebody_writes_between_reading_and_writing(kind: str) -> None:
    place = begun(kind)
    planned = plan(place, 10)

    def theirs() -> None:
        place.register.write(0, True, "somebody else")

    place.aws.before["put_parameter"] = theirs
    with pytest.raises(Refused, match="somebody else moved the weight meanwhile"):
        place.home.apply(planned)
    state = place.home.read()
    assert (state.weight, in_force(place)) == (0, 0)
    assert state.dial_deployment and state.dial_deployment.description == "somebody else"


def test_a_stale_revision_takes_the_step_back_and_moves_nothing() -> None:
    place = begun("lambda-alias")
    planned = plan(place, 10)
    place.aws.before["update_alias"] = lambda: place.aws.alias.update(RevisionId="theirs")
    with pytest.raises(Refused, match=r"somebody else changed alias .*:live meanwhile; nothing was moved"):
        place.home.apply(planned)
    state = place.home.read()
    assert (state.weight, in_force(place)) == (0, 0)
    assert [one.description for one in state.history] == ["created"], (
        "the step that never came into force is no history"
    )
    assert place.home.apply(plan(place, 10)).weight == 10


WRITTEN = [(kind, lost) for kind in KINDS for lost in {"put_parameter": 0, WRITES[kind]: 0}]


@pytest.mark.parametrize(("kind", "lost"), WRITTEN)
def test_a_raise_whose_answer_is_lost_is_made_once_and_by_nobody_else(kind: str, lost: str) -> None:
    """botocore asks again: Lambda then refuses its own change as a stale one, Parameter Store writes once more."""
    place = begun(kind)
    place.home.apply(plan(place, 10))
    place.aws.lost.append(lost)
    after = place.home.apply(plan(place, 50, "runbook release=r notebook=n attempt=1 run=z"))
    assert not place.aws.lost and (after.weight, in_force(place)) == (50, 50)
    assert after.dial_deployment and "run=z" in after.dial_deployment.description
    assert place.events[-1][1]["ok"] is True


@pytest.mark.parametrize("kind", KINDS)
def test_a_raise_whose_answer_never_comes_is_what_the_history_says(kind: str) -> None:
    place = begun(kind)

    def lost(**given: Any) -> None:
        del place.aws.put_parameter
        place.aws.put_parameter(**given)
        raise ConnectionClosedError(endpoint_url="http://127.0.0.1")

    place.aws.put_parameter = lost
    assert place.home.apply(plan(place, 10)).weight == in_force(place) == 10
    assert len(place.aws.versions) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_another_wrote_is_restored_over_both_writes_of_a_lost_answer(kind: str) -> None:
    place = begun(kind)
    planned = plan(place, 10)

    def theirs() -> None:
        place.register.write(0, True, "somebody else")

    place.aws.before["put_parameter"] = theirs
    place.aws.lost.append("put_parameter")
    with pytest.raises(Refused, match=r"version 2 of .* was written meanwhile, and is in force again"):
        place.home.apply(planned)
    state = place.home.read()
    assert (state.weight, in_force(place)) == (0, 0)
    assert [one.description for one in state.history] == ["somebody else", "created"]
    assert json.loads(place.aws.versions[-1]["Value"])["percent"] == 0


def test_a_step_that_was_written_twice_is_taken_back_whole() -> None:
    place = begun("lambda-alias")
    planned = plan(place, 10)
    place.aws.lost.append("put_parameter")
    place.aws.before["update_alias"] = lambda: place.aws.alias.update(RevisionId="theirs")
    with pytest.raises(Refused, match="nothing was moved"):
        place.home.apply(planned)
    assert [one.description for one in place.home.read().history] == ["created"]


def silent(place: Place, operation: str, times: int = 1_000) -> None:
    """From now on nobody answers that question, for so many times."""

    def nobody() -> None:
        if times > 1:
            silent(place, operation, times - 1)
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1")

    place.aws.before[operation] = nobody


def test_where_a_lost_answer_leaves_open_who_moved_nobody_is_named() -> None:
    place = begun("lambda-alias")
    planned = plan(place, 10)
    place.aws.lost.append("update_alias")
    place.aws.before["update_alias"] = lambda: silent(place, "get_alias")
    with pytest.raises(AwsError, match=r"NOT known.*was changed meanwhile, by somebody else or by this step; look"):
        place.home.apply(planned)
    assert "nothing" not in str(place.events[-1][1]["error"])
    place.aws.before.clear()
    assert place.home.read().history[0].percent == in_force(place) == 10, "what is in force has its step"


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_one_bad_answer_more_does_not_hide_what_a_lost_answer_has_set(lost: int) -> None:
    place = begun("lambda-alias")
    planned = plan(place, 10)
    place.aws.lost.append("update_alias")
    place.aws.before["update_alias"] = lambda: silent(place, "get_alias", lost)
    assert place.home.apply(planned).weight == in_force(place) == 10


@pytest.mark.parametrize("kind", ACTS)
def test_a_weight_that_perhaps_is_in_force_keeps_its_step_and_is_told_as_not_known(kind: str) -> None:
    """The step was taken back, and 10 % were in force by nobody: told as an answer that was not from AWS."""
    place = begun(kind)
    planned, write = plan(place, 10), getattr(place.aws, WRITES[kind])

    def lost(**given: Any) -> None:
        write(**given)
        silent(place, "get_stage" if kind == "rest-canary" else "get_alias")
        raise ConnectionClosedError(endpoint_url="http://127.0.0.1")

    setattr(place.aws, WRITES[kind], lost)
    with pytest.raises(AwsError, match=r"NOT known whether this was done: dial 0 % -> 10 %.*; by hand: aws "):
        place.home.apply(planned)
    place.aws.before.clear()
    state = place.home.read()
    assert (state.weight, state.dial_percent, in_force(place)) == (10, 10, 10)
    assert state.dial_deployment and "run=x" in state.dial_deployment.description


@pytest.mark.parametrize("kind", KINDS)
def test_off_that_cannot_be_read_back_is_told_as_not_known_and_how_to_do_it_by_hand(kind: str) -> None:
    place = begun(kind)
    place.home.apply(plan(place, 10))
    write = place.aws.put_parameter

    def written(**given: Any) -> dict[str, Any]:
        silent(place, "get_parameter_history")
        return write(**given)

    place.aws.put_parameter = written
    with pytest.raises(AwsError, match=r"NOT known whether this was done: switch off.*; by hand: aws "):
        place.home.switch_off("off")
    place.aws.before.clear()
    assert in_force(place) == 0


def silent_at_its_end(place: Place, *times: int) -> None:
    """Once a change is noted as made, what is in force cannot be read, or not so many times."""
    note = place.append

    def noted(event: str, **data: Any) -> None:
        note(event, **data)
        if event == "outcome":
            silent(place, "get_parameter_history", *times)

    place.guard.journal = SimpleNamespace(append=noted, append_or_stderr=noted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("percent", [50, 0])
def test_a_shift_that_is_made_is_no_failure_by_one_bad_answer_at_its_end(kind: str, percent: float) -> None:
    place = begun(kind)
    place.home.apply(plan(place, 10))
    planned = plan(place, percent)
    silent_at_its_end(place, 2)
    assert place.home.apply(planned).weight == percent


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("percent", [50, 0])
def test_a_shift_whose_end_cannot_be_read_is_told_as_not_known(kind: str, percent: float) -> None:
    place = begun(kind)
    place.home.apply(plan(place, 10))
    planned = plan(place, percent)
    silent_at_its_end(place)
    with pytest.raises(Unreadable, match=r"NOT known whether this was done: dial 10 % -> .*; by hand: aws "):
        place.home.apply(planned)


@pytest.mark.parametrize("kind", ACTS)
def test_an_error_while_a_step_is_taken_back_is_told_after_the_first(kind: str) -> None:
    place = begun(kind)
    planned = plan(place, 10)

    def refused() -> None:
        place.aws.before["put_parameter"] = throttled
        raise client_error("AccessDeniedException", "no leave")

    def throttled() -> None:
        raise client_error("ParameterLimitExceeded", "no room")

    def client_error(code: str, text: str) -> ClientError:
        return ClientError({"Error": {"Code": code, "Message": text}}, "Operation")

    place.aws.before[WRITES[kind]] = refused
    with pytest.raises(AwsError, match=r"(?s)no leave.*could not be taken back.*no room"):
        place.home.apply(planned)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("percent", [0, "off"])
def test_a_lowering_gets_through_what_fails_at_first(kind: str, percent: Any) -> None:
    place = begun(kind)
    place.home.apply(plan(place, 10))
    for write in ("put_parameter", WRITES[kind]):

        def lost() -> None:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1")

        place.aws.before[write] = lost
    place.home.switch_off("off") if percent == "off" else place.home.apply(plan(place, 0))
    state = place.home.read()
    assert (state.weight, in_force(place)) == (0, 0)
    assert state.dial_deployment and "no step says so" not in state.dial_deployment.description


@pytest.mark.parametrize("kind", ACTS)
def test_what_somebody_else_moved_is_a_step_of_nobody(kind: str) -> None:
    place = begun(kind)
    place.home.apply(plan(place, 10))
    place.register.put(30, None)
    state = place.home.read()
    assert (state.weight, state.history[0].percent, state.history[0].started_at) == (30, 30, None)
    assert "is at 30 %, and no step says so" in state.history[0].description


@pytest.mark.parametrize("kind", KINDS)
def test_off_gets_through_what_fails_at_first(kind: str) -> None:
    place = begun(kind)
    place.home.apply(plan(place, 10))

    def lost() -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1")

    place.aws.before[WRITES[kind]] = lost
    assert place.home.switch_off("off").changed
    assert in_force(place) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_off_that_aws_will_never_let_says_how_to_do_it_by_hand(kind: str) -> None:
    place = begun(kind)
    place.home.apply(plan(place, 10))

    def refused() -> None:
        place.aws.before[WRITES[kind]] = refused
        raise NotFound("Write", "AccessDeniedException")

    place.aws.before[WRITES[kind]] = refused
    with pytest.raises(AwsError, match=r"by hand: aws (ssm put-p|lambda update-a|apigateway update-s)"):
        place.home.switch_off("off")


@pytest.mark.parametrize("kind", ACTS)
def test_off_counts_though_the_step_cannot_be_written(kind: str) -> None:
    place = begun(kind)
    place.home.apply(plan(place, 10))

    def refused() -> None:
        place.aws.before["put_parameter"] = refused
        raise NotFound("PutParameter", "AccessDeniedException")

    place.aws.before["put_parameter"] = refused
    assert place.home.switch_off("off").changed and in_force(place) == 0
    assert any("the new side is off all the same" in warning for warning in place.guard.warnings)


@pytest.mark.parametrize("kind", ACTS)
def test_off_before_the_first_step_is_a_step_that_says_so(kind: str) -> None:
    """As AppConfig's switch: whoever shifts next sees that the new side was turned off."""
    place = Place(kind)
    assert place.home.read().switch_on and not place.home.read().weight
    assert place.home.switch_off("off").changed
    assert (place.home.read().switch_on, in_force(place)) == (False, 0)
    again = place.home.switch_off("off")
    assert not again.changed and "is off already" in again.sentence


@pytest.mark.parametrize("kind", KINDS)
def test_a_home_that_is_not_there_is_not_deployed(kind: str) -> None:
    place = Place(kind)
    place.aws.alias, place.aws.stage = {}, {}
    with pytest.raises(NotDeployed, match="create it at"):
        place.home.read()


def test_an_alias_of_another_release_is_said() -> None:
    place = begun("lambda-alias")
    place.aws.alias = {"FunctionVersion": "9", "RevisionId": "r9"}
    with pytest.raises(AwsError, match="points to version 9; this release is about 7 and 6"):
        place.home.read()


@pytest.mark.parametrize(
    ("alias", "left"),
    [
        ({"FunctionVersion": "9"}, True),
        ({"FunctionVersion": "6", "RoutingConfig": {"AdditionalVersionWeights": {"8": 0.1}}}, True),
        ({"FunctionVersion": "7", "RoutingConfig": {"AdditionalVersionWeights": {"9": 0.1}}}, False),
    ],
)
def test_off_with_the_file_of_another_release_leaves_the_alias_to_it(alias: dict[str, Any], left: bool) -> None:
    """Version 9 is in force for all: to bring version 7 back from it would bring back version 6."""
    place = begun("lambda-alias")
    place.aws.alias = {**alias, "RevisionId": "r9"}
    if left:
        with pytest.raises(
            Refused, match=r"points to version \d; this release is about 7 and 6.* this one gets nothing"
        ):
            place.home.switch_off("off")
        assert place.aws.alias == {**alias, "RevisionId": "r9"} and "update_alias" not in place.aws.calls
        assert [one["Description"] for one in place.aws.versions] == ["created"]
        return
    assert place.home.switch_off("off").changed, "version 7 is in force, and goes"
    assert place.aws.alias["FunctionVersion"] == "6"


@pytest.mark.parametrize(
    "value", ["ten", "[]", '{"percent": 101}', '{"percent": true}', '{"percent": 1, "enabled": 2}']
)
def test_a_parameter_that_says_no_weight_is_refused_and_does_not_hold_up_off(value: str) -> None:
    place = begun("ssm")
    place.home.apply(plan(place, 10))
    place.aws.put_parameter("n", value, "String", True, "by hand")
    with pytest.raises(AwsError, match=r"version 3 of parameter /ours/prod/weight is .*expects"):
        place.home.read()
    assert place.home.switch_off("off").changed
    assert json.loads(place.aws.versions[-1]["Value"])["enabled"] is False
    assert place.home.read().weight == 0


moves = st.lists(st.one_of(st.sampled_from([0.0, 10.0, 50.0, 100.0]), st.sampled_from(["off", "theirs"])), max_size=8)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(moves)
def test_whatever_is_done_the_state_is_what_is_in_force(kind: str, done: list[Any]) -> None:
    place = begun(kind)
    for one in done:
        try:
            match one:
                case "off":
                    place.home.switch_off("off")
                case "theirs":
                    place.register.write(30, True, "theirs")
                    place.register.put(30, None)
                case percent:
                    place.home.apply(plan(place, percent))
        except Refused:
            pass
        assert place.home.read().weight == in_force(place)
    place.home.switch_off("at last")
    assert place.home.read().weight == in_force(place) == 0
