"""The home of the weight in the sandbox: a parameter in the place of AppConfig's flags, deployed and read back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from runbook_lib.base.errors import UsageError
from runbook_lib.observe.alarms.watching import watchers
from runbook_lib.observe.traffic.weight import read_traffic
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.params.traffic import Traffic
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox import homes
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rehearse.sandbox.template import STEPS, build
from tests.elsewhere import HOMES


def of(kind: str, **more: str) -> Params:
    folder = params_dir()
    made = load_file(folder / "prod.yaml", read_yaml(folder / "rehearsal.yaml"))
    said = {"kind": kind, "parameter": "/ours/{env}/weight", **HOMES[kind], **more}
    home = TypeAdapter(Traffic).validate_python(said)
    return made.model_copy(update={"service": made.service.model_copy(update={"traffic": home})})


@pytest.mark.parametrize("step", STEPS)
def test_a_parameter_stands_where_the_flags_do(step: str) -> None:
    template = build(of("ssm", guard_alarm="ours-{env}"), step)
    text = json.dumps(template)
    assert "AppConfig" not in text.replace("AppConfig's", "") and '"Application' not in text
    if step == "baseline":
        assert "Weight" not in template["Resources"]
        return
    weight = template["Resources"]["Weight"]["Properties"]
    assert (weight["Name"], json.loads(weight["Value"])) == ("/ours/prod/weight", {"enabled": True, "percent": 0})
    rule = template["Resources"][homes.COMPOSITE]["Properties"]["AlarmRule"]
    assert rule.count("ALARM(") == sum(one.guard for one in of("ssm").policy.alarms)
    assert homes.COMPOSITE not in build(of("ssm"), step)["Resources"]


@pytest.mark.parametrize("kind", ["lambda-alias", "rest-canary"])
def test_a_home_that_no_template_makes_is_refused_in_one_sentence(kind: str) -> None:
    with pytest.raises(UsageError, match=f"traffic.kind is '{kind}'; a rehearsal plays a rollout by appconfig or ssm"):
        build(of(kind))


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as made:
        yield made


@pytest.mark.emulator
def test_it_is_deployed_and_a_later_deployment_leaves_the_weight_alone(aws: EmbeddedAws) -> None:
    params = of("ssm", guard_alarm="ours-{env}")
    deploy(aws, params)
    clients: Any = aws
    assert read_traffic(clients, params, routes=False).weight == 0
    members, (found,), _ = watchers(aws.client, params)
    assert found.ok and len(members) == sum(one.guard for one in params.policy.alarms), found.sentence
    aws.client("ssm").put_parameter(
        Name="/ours/prod/weight", Value='{"enabled": true, "percent": 50}', Type="String", Overwrite=True
    )
    deploy(aws, params, "migrate")
    assert read_traffic(clients, params, routes=False).weight == 50
