"""What people hear of the switch is what AppConfig says of it: off, on, or that nobody knows."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runbook_lib.act.guard import Guard
from runbook_lib.act.traffic import flag_store
from runbook_lib.act.traffic.flag_store import FlagStore
from runbook_lib.act.traffic.off import is_not_off
from runbook_lib.act.traffic.switch import Switch
from runbook_lib.base import patience
from runbook_lib.base.errors import AwsError
from runbook_lib.observe.traffic.flag_ids import Handles

IDS = Handles("app", "dial-p", "switch-p", "dial-e", "switch-e", "now", "soak", {})
ON, OFF, BEFORE, STARTED = 1, 2, 1, 2
OFF_DONE, NOT_KNOWN, STILL_ON = "async is off by the switch", "NOT known whether", "could NOT be turned off"


def document(values: Any) -> bytes:
    return json.dumps({"version": "1", "values": values}).encode()


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetDeployment")


class AppConfig:
    """AppConfig after a deployment that turned the switch off: `answers` to GetDeployment of it in order, the last one
    for ever; `content` is its version's.
    """

    def __init__(self, answers: list[Any], content: Any) -> None:
        self.answers, self.content = answers, content
        self.started = False

    def start_deployment(self, **_: Any) -> dict[str, Any]:
        self.started = True
        return {"DeploymentNumber": STARTED}

    def get_paginator(self, operation: str) -> Any:
        self.listing = operation
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        if self.listing == "list_hosted_configuration_versions":
            return [{"Items": [{"VersionNumber": ON}, {"VersionNumber": OFF}]}]
        numbers = [STARTED, BEFORE] if self.started else [BEFORE]
        return [{"Items": [{"DeploymentNumber": one, "State": "COMPLETE"} for one in numbers]}]

    def get_deployment(self, DeploymentNumber: int, **_: Any) -> Any:
        if DeploymentNumber == BEFORE:
            return {"State": "COMPLETE", "ConfigurationVersion": str(ON)}
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get_hosted_configuration_version(self, VersionNumber: int, **_: Any) -> Any:
        found = document({"vpr_async": {"enabled": VersionNumber == ON}})
        if VersionNumber == OFF and self.started:
            found = self.content
        if isinstance(found, Exception):
            raise found
        return {"Content": io.BytesIO(found)}


@pytest.fixture
def told(make_guard: Callable[..., Guard], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What people hear once the switch was turned off, and AppConfig answers so."""
    monkeypatch.setattr(patience, "AGAIN_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(flag_store, "PATIENCE_S", 0.0)

    def turn(answers: list[Any], content: Any) -> str:
        guard = make_guard()
        store = FlagStore(AppConfig(list(answers), content), guard.params, sleep=lambda _: None)
        store.__dict__["ids"] = IDS
        try:
            return Switch(guard, guard.params, store).off("off").sentence
        except AwsError as error:
            assert "aws appconfig start-deployment" in str(error), "the way by hand is told"
            assert not (guard.unread and "reads back as" in str(error)), error
            return is_not_off(guard.params.service.traffic, unread=guard.unread)

    return turn


COMPLETE = {"State": "COMPLETE", "ConfigurationVersion": str(OFF)}
CONTENTS = {
    OFF_DONE: st.just(document({"vpr_async": {"enabled": False}})),
    STILL_ON: st.just(document({"vpr_async": {"enabled": True}})),
    NOT_KNOWN: st.one_of(
        st.sampled_from([{}, {"vpr_async": {}}, {"another": {"enabled": True}}, [], None, {"vpr_async": None}]).map(
            document
        ),
        st.sampled_from(["false", "true", 0, 1, None, []]).map(
            lambda value: document({"vpr_async": {"enabled": value}})
        ),
        st.binary(max_size=4),
        st.sampled_from([refusal("InternalServerException"), ReadTimeoutError(endpoint_url="http://127.0.0.1")]),
    ),
}
SAID = st.sampled_from(sorted(CONTENTS)).flatmap(lambda said: CONTENTS[said].map(lambda content: (said, content)))
SILENT = st.sampled_from(
    [
        refusal("ResourceNotFoundException"),
        refusal("InternalServerException"),
        ReadTimeoutError(endpoint_url="http://127.0.0.1"),
        {},
        {"State": "COMPLETE"},
        {"State": None, "ConfigurationVersion": str(OFF)},
        {"State": "COMPLETE", "ConfigurationVersion": "x"},
    ]
)
TAKEN_BACK = st.sampled_from(["ROLLED_BACK", "REVERTED"]).map(lambda state: {**COMPLETE, "State": state})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(SILENT, max_size=3), SAID)
@example([refusal("ResourceNotFoundException")], (OFF_DONE, document({"vpr_async": {"enabled": False}})))
@example([], (NOT_KNOWN, document({"vpr_async": {}})))
@example([], (NOT_KNOWN, document({})))
def test_only_what_says_that_it_is_on_is_told_as_on(told: Any, before: list[Any], said: tuple[str, Any]) -> None:
    """People read "could NOT be turned off" of a switch that was off, for one 404 of a deployment just started."""
    assert said[0] in told([*before, COMPLETE], said[1])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(SILENT)
def test_what_says_nothing_for_good_is_not_known(told: Any, answer: Any) -> None:
    assert NOT_KNOWN in told([answer], document({"vpr_async": {"enabled": False}}))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(TAKEN_BACK)
def test_what_was_taken_back_is_what_was_before(told: Any, answer: Any) -> None:
    assert STILL_ON in told([answer], document({"vpr_async": {"enabled": False}}))
