"""A worker's new version by its alias: what the embedded AWS leaves out, and a release from 10 to 100 % and back."""

from __future__ import annotations

import contextlib
import io
import json
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.act.traffic.homes import home_of
from runbook_lib.act.traffic.register import set_canary
from runbook_lib.act.traffic.shift import plan_shift
from runbook_lib.commands import release
from runbook_lib.commands.kill_switch import Wanted, off
from runbook_lib.commands.release_policy import PHASES
from runbook_lib.observe.alarms.declared import realise
from runbook_lib.observe.traffic.in_force import canary
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.record.archive import Archive
from runbook_lib.record.entry import Entry, enter
from runbook_lib.record.record import Record
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.world.world import World
from runbook_lib.rollout.approval import evidence
from tests.cells import Notebooks
from tests.dispatcher import Dispatcher
from tests.elsewhere import Place as Elsewhere
from tests.rollbacks import APPLY, START, Place, at_once, verdicts

pytestmark = [pytest.mark.emulator]
HANDLER = "def handler(event, context):\n    {}\n    return context.function_version\n"
FUNCTION = "careervp-vpr-worker-lambda-prod"


def code(line: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("main.py", HANDLER.format(line))
    return held.getvalue()


def versions(client: Any, function: str) -> None:
    """Versions 1 and 2 of the code as it is, and an alias at 1."""
    for about in ("first", "second"):
        client.update_function_configuration(FunctionName=function, Description=about)
        client.publish_version(FunctionName=function)
    client.create_alias(FunctionName=function, Name="live", FunctionVersion="1")


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedAws]:
    """An AWS of its own: in the one of all tests another may have deployed the sandbox, with a worker of this name."""
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture
def small(embedded: EmbeddedAws) -> Iterator[Elsewhere]:
    """A function that says its version, with an alias at half and half, and the weight of it."""
    client = embedded.client("lambda")
    client.create_function(
        FunctionName=FUNCTION,
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/x",
        Handler="main.handler",
        Code={"ZipFile": code("pass")},
    )
    place = Elsewhere("lambda-alias", embedded, account_id="000000000000")
    home = place.params.service.traffic.model_copy(update={"version": "2", "stable": "1"})
    place.params = place.params.model_copy(
        update={"service": place.params.service.model_copy(update={"traffic": home})}
    )
    versions(client, FUNCTION)
    yield place
    client.delete_function(FunctionName=FUNCTION)


def test_gap_the_embedded_aws_stores_the_weights_of_an_alias_and_the_dispatcher_acts_on_them(
    embedded: EmbeddedAws, small: Elsewhere
) -> None:
    client = embedded.client("lambda")
    client.update_alias(FunctionName=FUNCTION, Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.9}})
    ran = {client.invoke(FunctionName=FUNCTION, Qualifier="live").get("ExecutedVersion") for _ in range(6)}
    assert ran <= {"1", None}, "the embedded AWS acts on weights now: the dispatcher can go"
    sqs = embedded.client("sqs")
    queue = sqs.create_queue(QueueName="dispatched")["QueueUrl"]
    for number in range(12):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"job_id": str(number)}))
    done = Dispatcher(embedded, small.params, seed=3).drain(queue)
    assert done["2"] > done["1"] >= 0 and sum(done.values()) == 12
    sqs.delete_queue(QueueUrl=queue)


def test_gap_the_embedded_aws_stores_a_canary_and_serves_the_stage_alone(embedded: EmbeddedAws) -> None:
    place, client = Elsewhere("rest-canary", embedded, account_id="000000000000"), embedded.client("apigateway")
    api = client.create_rest_api(name="canaried")["id"]
    root = client.get_resources(restApiId=api)["items"][0]["id"]
    client.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
    ids = []
    for side in ("stable", "new"):
        where = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
        client.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
        client.put_method_response(**where, statusCode="200")
        client.put_integration_response(**where, statusCode="200", responseTemplates={"application/json": side})
        ids.append(client.create_deployment(restApiId=api)["id"])
    stage = place.params.service.api.stage
    client.create_stage(restApiId=api, stageName=stage, deploymentId=ids[0])
    begun = {"deploymentId": ids[1], "percentTraffic": "0.0"}
    ops = [{"op": "replace", "path": f"/canarySettings/{key}", "value": value} for key, value in begun.items()]
    client.update_stage(restApiId=api, stageName=stage, patchOperations=ops)
    service = place.params.service
    home = service.traffic.model_copy(update={"deployment": ids[1]})
    named = service.model_copy(update={"traffic": home, "names": {**service.names, "api": "canaried"}})
    place.params = place.params.model_copy(update={"service": named})
    set_canary(embedded.client, place.params, 10, canary(embedded.client, place.params).token)
    assert canary(embedded.client, place.params).percent == 10, "it is set and read back"
    assert Dispatcher(embedded, place.params).share == 0.1
    served = set()
    for percent in (100, 0):
        set_canary(embedded.client, place.params, percent, None)
        with urllib.request.urlopen(f"{embedded.endpoint}/restapis/{api}/{stage}/_user_request_/") as answer:
            served.add(answer.read())
    assert len(served) == 1, "the embedded AWS splits by the canary now: docs/emulator.md"
    client.delete_rest_api(restApiId=api)


def test_the_embedded_aws_keeps_weights_revisions_and_versions_as_the_stand_in_does(
    embedded: EmbeddedAws, small: Elsewhere
) -> None:
    home = home_of(embedded, small.guard, small.params)

    def shifted(percent: float) -> float:
        plan = plan_shift(home.read(), percent, small.params, soak_hours=24, description=f"to {percent:g}")
        return home.apply(plan).weight

    assert [shifted(percent) for percent in (10, 50, 100)] == [10, 50, 100]
    client = embedded.client("lambda")
    stale = client.get_alias(FunctionName=FUNCTION, Name="live")["RevisionId"]
    assert home.switch_off("back").changed and home.read().weight == 0
    with pytest.raises(client.exceptions.PreconditionFailedException):
        client.update_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="2", RevisionId=stale)
    embedded.client("ssm").delete_parameter(Name="/ours/prod/weight")


class Released(Notebooks):
    """Production at 100 % async, a release of its worker, and the notebooks of the release cell by cell."""

    def __init__(self, aws: EmbeddedAws, folder: Path) -> None:
        self.aws, self.folder = aws, folder
        self.place = Place(aws, folder / "own", "06_phase1_10_percent", "healthy")
        self.place.pass_time(hours=1)
        client, function = aws.client("lambda"), self.place.params.name("worker")
        versions(client, function)
        for one in client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
            client.update_event_source_mapping(UUID=one["UUID"], FunctionName=f"{function}:live")
        source = self.copied(self.place.flat())
        with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
            patch.setattr(release, "project_root", lambda: folder)
            self.file = release.prepare(source, "worker", "2", "live").file
        self.params = load_file(self.file)
        self.dispatcher = Dispatcher(aws, self.params, seed=5)

    def live(self, hours: float, failing: float = 0.0) -> None:
        """World and alias go on side by side."""
        begin = self.aws.now()
        self.place.pass_time(hours=hours)
        self.dispatcher.live(begin, self.aws.now(), 125, {"new": failing})

    def approve(self, notebook: str) -> None:
        """Everybody whom the phase asks approves it."""
        archive, at = Archive(self.folder / "archive"), self.aws.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        params = load_file(self.file, {**APPLY})
        for role in params.policy.phases[notebook].approvers:
            facts = {"evidence": [one.model_dump() for one in evidence(archive, params, notebook)]}
            entry = Entry(kind="approval", item=notebook, by="Somebody", role=role, at=at, facts=facts)
            enter(archive, params, entry, caller_arn="arn:aws:iam::test")

    @property
    def weight(self) -> float:
        """Percent of the calls that go to version 2."""
        version, weights = self.alias
        return 100.0 if version == "2" else 100 * weights.get("2", 0.0)

    @property
    def alias(self) -> tuple[str, dict[str, float]]:
        found = self.aws.client("lambda").get_alias(FunctionName=self.place.params.name("worker"), Name="live")
        return found["FunctionVersion"], (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}


def gate(record: Record, id: str) -> str:
    return next(str(one["verdict"]) for one in record.gates if one["gate"]["id"] == id)


@pytest.mark.slow
def test_a_worker_is_released_by_its_alias_and_taken_back_at_once(tmp_path: Path) -> None:
    with EmbeddedAws(START) as aws, only(aws.env):
        here = Released(aws, tmp_path)
        planned = here.run("06_phase1_10_percent")
        assert (planned.decision, here.alias) == ("PLANNED", ("1", {})), planned.outcome
        for percent, notebook in ((10, PHASES[0]), (50, PHASES[1]), (100, PHASES[2])):
            here.approve(notebook)
            begun = here.run(notebook, **APPLY)
            assert begun.decision == "SOAK", begun.outcome
            assert here.weight == percent
            here.live(12)
            assert here.run(notebook).decision == "SOAK"  # jobs stay in the table for a day
            here.live(12.2)
            ended = here.run(notebook, **APPLY)
            assert (gate(ended, "version_errors"), gate(ended, "observed_split")) == ("PASS", "PASS"), ended.outcome
            assert ended.decision == "PROMOTE", ended.outcome
        here.live(3, failing=0.9)
        failed = here.run(notebook)
        assert gate(failed, "version_errors") == "FAIL", failed.outcome
        done = off(Wanted("1", here.file, APPLY))
        assert done.error is None and done.off is not None and done.off.changed
        assert here.alias == ("1", {})
        here.live(0.3)
        told = here.run("rollback_1_async_failing", **APPLY)
        assert (told.status, verdicts(told)["rollback_1.off"]) == ("completed", "PASS"), told.outcome


class Homed(Notebooks):
    """Production before its rollout, with another home of the weight, and the notebooks of that."""

    def __init__(self, aws: EmbeddedAws, folder: Path, *, acted: bool = False, **home: str) -> None:
        self.aws, self.folder = aws, folder
        folder.mkdir()
        self.place = Place(aws, folder / "own", "06_phase1_10_percent", "healthy", percent=0)
        self.file = self.copied(self.place.flat())
        if home["kind"] == "rest-canary":
            home["deployment"] = canaried(aws, self.place)
        self._change("service", traffic={"parameter": "/ours/{env}/" + home["kind"], **home})
        steps = {name: {"title": "alone", "envs": ["prod"]} for name in PHASES}
        self._change("gates", steps={**read_yaml(self.file.with_name("gates.yaml"))["steps"], **steps})
        self.params = load_file(self.file, APPLY)
        if home["kind"] == "rest-canary":  # the team's guard on the submit route is on the function behind the canary
            alarm = next(one for one in self.params.policy.alarms if one.id == "guard_submit_5xx")
            made = realise(alarm, self.params)
            aws.client("cloudwatch").put_metric_alarm(**made)
            aws.client("cloudwatch").set_alarm_state(AlarmName=made["AlarmName"], StateValue="OK", StateReason="new")
        if acted:  # the world draws each request's side by the canary's share, as the stage of AWS would
            self.place.world = World(aws, self.params, at_once("healthy"), seed=3)
        if home["kind"] == "ssm":
            zero = json.dumps({"enabled": True, "percent": 0})
            aws.client("ssm").put_parameter(Name="/ours/prod/ssm", Value=zero, Type="String", Description="at 0 %")
            self.place.world = World(aws, self.params, at_once("healthy"), seed=3)

    def _change(self, name: str, **values: Any) -> None:
        file = self.file.with_name(f"{name}.yaml")
        file.write_text(yaml.safe_dump({**read_yaml(file), **values}))

    @property
    def weight(self) -> float:
        return home_of(self.aws, None, self.params).read().weight  # type: ignore[arg-type]

    def there_and_back(self) -> Record:
        """06 planned and applied, a time in which users come, rollback 1 from the terminal; its notebook's record."""
        planned = self.run(PHASES[0])
        assert planned.decision == "PLANNED" and self.weight == 0, planned.error
        begun = self.run(PHASES[0], **APPLY)
        assert (begun.decision, self.weight) == ("SOAK", 10), begun.outcome
        self.place.pass_time(hours=2)
        looked = self.run(PHASES[0])
        # The embedded AWS serves the stage alone: that nothing came to the canary is seen, and holds it.
        split = {"ssm": ("SOAK", "INCONCLUSIVE"), "rest-canary": ("HOLD", "FAIL")}
        kind = self.params.service.traffic.kind
        assert (looked.decision, gate(looked, "observed_split")) == split[kind]
        (asked,) = [one["query"] for id, one in looked.evidence.items() if id == "observed_split"]
        assert ("Submit Lambda: invocations" in asked) == (kind == "rest-canary"), asked
        done = off(Wanted("1", self.file, APPLY))
        assert done.error is None and done.off is not None and done.off.changed and self.weight == 0
        self.place.pass_time(hours=0.5)
        return self.run("rollback_1_async_failing", **APPLY)


def canaried(aws: EmbeddedAws, place: Place) -> str:
    """A canary at 0 % on the stage, as the team's infrastructure code adds it; the deployment that it serves."""
    gateway, params = aws.client("apigateway"), place.params
    api = next(one["id"] for one in gateway.get_rest_apis()["items"] if one["name"] == params.name("api"))
    made = gateway.create_deployment(restApiId=api)["id"]
    begun = {"deploymentId": made, "percentTraffic": "0.0"}
    ops = [{"op": "replace", "path": f"/canarySettings/{key}", "value": value} for key, value in begun.items()]
    gateway.update_stage(restApiId=api, stageName=params.service.api.stage, patchOperations=ops)
    return str(made)


@pytest.mark.slow
def test_a_rollout_by_parameter_and_by_canary_begins_and_is_taken_back_at_once(tmp_path: Path) -> None:
    with EmbeddedAws(START) as aws, only(aws.env):
        told = Homed(aws, tmp_path / "ssm", kind="ssm").there_and_back()
        assert (told.status, verdicts(told)["rollback_1.off"]) == ("completed", "PASS"), told.outcome
        place = Homed(aws, tmp_path / "canary", kind="rest-canary")
        told = place.there_and_back()
        assert (told.status, verdicts(told)["rollback_1.off"]) == ("completed", "PASS"), told.outcome


@pytest.mark.slow
def test_a_canary_whose_share_is_acted_on_is_promoted(tmp_path: Path) -> None:
    """The embedded AWS serves the stage alone (the gap above): the world splits in its place, by the stored share."""
    with EmbeddedAws(START) as aws, only(aws.env):
        place = Homed(aws, tmp_path / "canary", acted=True, kind="rest-canary")
        phases = read_yaml(place.file.with_name("gates.yaml"))["phases"]
        place._change("gates", phases={name: {**one, "approvers": []} for name, one in phases.items()})
        for notebook in PHASES[:2]:
            assert place.run(notebook, **APPLY).decision == "SOAK"
        assert place.weight == 50
        place.place.pass_time(hours=12)
        assert place.run(PHASES[1]).decision == "SOAK"
        place.place.pass_time(hours=12.2)
        ended = place.run(PHASES[1], **APPLY)
        assert (ended.decision, gate(ended, "observed_split")) == ("PROMOTE", "PASS"), ended.outcome
