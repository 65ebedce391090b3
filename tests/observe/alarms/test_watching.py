"""Who watches the guards where nothing takes the weight back by itself, and whether an alias moves anything at all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.observe.alarms.watching import watchers
from runbook_lib.params.load import Params, load_file
from tests.elsewhere import HOMES, ROOT, params_of

WORKER = "careervp-vpr-worker-lambda-prod"
SUBMIT = "careervp-vpr-submit-lambda-prod"
LAMBDA = "arn:aws:lambda:us-east-1:000000000103:function:"
ALARM = {
    "StateValue": "OK",
    "ActionsEnabled": True,
    "AlarmActions": ["arn:aws:sns:us-east-1:000000000103:people"],
    "AlarmRule": 'ALARM("one") OR ALARM(arn:aws:cloudwatch:us-east-1:000000000103:alarm:two)',
}


def params(kind: str = "ssm", **home: str) -> Params:
    made = params_of(kind)
    traffic = made.service.traffic.model_copy(update=home)
    return made.model_copy(update={"service": made.service.model_copy(update={"traffic": traffic})})


def account(alarm: dict[str, Any] | None = None, sources: tuple[str, ...] = (), uri: str = "") -> Any:
    """An account with a composite alarm, event sources that call these functions, and one route."""
    mapped = [{"UUID": f"source-{n}", "FunctionArn": LAMBDA + name} for n, name in enumerate(sources)]
    pages = SimpleNamespace(paginate=lambda **_: [{"EventSourceMappings": mapped, "items": []}])
    path = params_of("ssm").service.api.routes.submit
    resource = {"path": path, "resourceMethods": {"POST": {"methodIntegration": {"uri": uri}}}}
    answers = {
        "get_rest_apis": {"items": [{"id": "a1", "name": params_of("ssm").name("api")}]},
        "get_resources": {"items": [resource]},
    }

    def paginator(operation: str) -> Any:
        found = answers.get(operation)
        return pages if found is None else SimpleNamespace(paginate=lambda **_: [found])

    one = SimpleNamespace(
        describe_alarms=lambda **_: {"CompositeAlarms": [alarm] if alarm else []},
        get_paginator=paginator,
        can_paginate=lambda _: True,
        get_rest_apis=lambda **_: answers["get_rest_apis"],
        get_resources=lambda **_: answers["get_resources"],
    )
    return lambda _: one


@given(st.sampled_from(["OK", "ALARM", "INSUFFICIENT_DATA"]), st.booleans(), st.booleans(), st.booleans())
def test_a_composite_alarm_protects_if_it_is_there_is_ok_and_calls_somebody(
    state: str, enabled: bool, action: bool, there: bool
) -> None:
    alarm = {
        **ALARM,
        "StateValue": state,
        "ActionsEnabled": enabled,
        "AlarmActions": ALARM["AlarmActions"] if action else [],
    }
    members, (found,), unwatched = watchers(account(alarm if there else None), params(guard_alarm="all-{env}"))
    assert found.ok is (there and state == "OK" and enabled and action), found.sentence
    assert members == (["one", "two"] if there else [])
    assert (found.alarm, unwatched) == ("all-prod", "is not a member of composite alarm all-prod")


def test_without_a_composite_alarm_it_is_said_that_nobody_takes_it_back() -> None:
    _, (found,), unwatched = watchers(account(), params())
    assert found.ok and "runbook watch --auto-rollback" in found.sentence and not unwatched


@pytest.mark.parametrize(
    ("sources", "ok", "says"),
    [
        ((f"{WORKER}:live",), True, f"1 event source calls {WORKER} by alias live"),
        ((f"{WORKER}:live", f"{WORKER}:live"), True, f"2 event sources call {WORKER} by alias live"),
        ((WORKER,), False, f"event source source-0 calls {WORKER} itself, expects {WORKER}:live"),
        ((f"{WORKER}:live", f"{WORKER}:6"), False, f"event source source-1 calls {WORKER}:6, expects {WORKER}:live"),
        ((f"other-{WORKER}:live", f"{WORKER}-too:live"), False, f"no event source calls {WORKER}"),
        ((), False, f"no event source calls {WORKER}: the alias's weight moves nothing"),
    ],
)
def test_every_event_source_calls_the_alias(sources: tuple[str, ...], ok: bool, says: str) -> None:
    _, (found, _), _ = watchers(account(sources=sources), params("lambda-alias"))
    assert found.ok is ok and says in found.sentence


@pytest.mark.parametrize(
    ("name", "ok", "says"),
    [
        (f"{SUBMIT}:live", True, f"1 route calls {SUBMIT} by alias live"),
        (SUBMIT, False, f"calls {SUBMIT} itself, expects {SUBMIT}:live"),
        (f"{SUBMIT}:old", False, f"calls {SUBMIT}:old, expects {SUBMIT}:live"),
        (WORKER, False, f"no route calls {SUBMIT}"),
    ],
)
def test_the_route_calls_the_alias(name: str, ok: bool, says: str) -> None:
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{LAMBDA}{name}/invocations"
    _, (found, _), _ = watchers(account(uri=uri), params("lambda-alias", function="submit"))
    assert found.ok is ok and says in found.sentence


@pytest.mark.parametrize("kind", sorted(HOMES))
def test_what_watches_the_guards_is_never_appconfig_in_another_home(kind: str) -> None:
    """The table of the guards said that AppConfig watches them, in a rollout whose weight is a parameter."""
    home = params_of(kind).service.traffic
    assert home.watcher == "`runbook watch`"
    assert home.model_copy(update={"guard_alarm": "ours"}).watcher == "the composite alarm"
    assert load_file(ROOT / "params" / "prod.yaml").service.traffic.watcher == "AppConfig"
