"""The infrastructure's steps as CloudFormation updates, there and back: what is served, what is kept, what is gone."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from runbook_lib.judge.gates.checks import unmet
from runbook_lib.observe.inventory.inspect import inspect, integration_hash
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import Sandbox, deploy
from runbook_lib.rehearse.sandbox.template import STEPS
from tests.dial import set_dial

pytestmark = [pytest.mark.emulator, pytest.mark.slow]
WALK = ("baseline", "async", "migrate", "async", "migrate", "remove_temporary", "migrate", "remove_temporary")
DIAL = 70
SERVED = {  # POST /api/vpr, POST /api/vpr-async, GET of a job that is in the table
    "baseline": (200, 403, 403),
    "async": (200, 202, 202),
    "migrate": (202, 202, 202),
    "remove_temporary": (202, 403, 202),
    "remove_sync": (202, 403, 202),
}


@dataclass
class Stop:
    """What was seen after one update."""

    step: str
    seconds: float
    served: tuple[int, int, int]
    wrong: list[str]
    hash: str
    dial: tuple[float, bool, int] | None
    """Percent, switch, and number of the dial's last deployment."""
    delayed: int
    kept: bool
    functions: int
    api: str


def _prod() -> Params:
    folder = params_dir()
    return load_file(folder / "prod.yaml", read_yaml(folder / "rehearsal.yaml"))


class Walk:
    """One stack on its way."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws, self.params = aws, _prod()
        self.calls = 0

    def go(self, step: str) -> Stop:
        begun = time.monotonic()
        box = deploy(self.aws, self.params, step)
        seconds = time.monotonic() - begun
        if step != "baseline" and not self._kept():
            self._furnish(box)
        found = inspect(self.aws, self.params, step)
        later = step != "baseline"
        return Stop(
            step,
            seconds,
            self._served(box),
            [f"{one.id}: {one.reason}" for one in unmet(found)],
            integration_hash(self.aws, self.params, self.params.service.api.routes.sync),
            self._dial() if later else None,
            self._delayed() if later else 0,
            self._kept() if later else False,
            len(self.aws.client("lambda").list_functions()["Functions"]),
            box.outputs["ApiId"],
        )

    def _furnish(self, box: Sandbox) -> None:
        """What an update must not lose: a job, a message that waits, and a dial that was moved."""
        item = {"job_id": {"S": "kept"}, "status": {"S": "PENDING"}}
        self.aws.client("dynamodb").put_item(TableName=box.outputs["TableName"], Item=item)
        self.aws.client("sqs").send_message(QueueUrl=box.outputs["QueueUrl"], MessageBody="{}", DelaySeconds=900)
        set_dial(self.aws.client("appconfig"), self.params, DIAL)

    def _served(self, box: Sandbox) -> tuple[int, int, int]:
        routes = self.params.service.api.routes
        self.calls += 1
        bodies = [{"application_id": "a", "idempotency_key": f"{self.calls}-{route}"} for route in ("sync", "submit")]
        return (
            _call(box.api_url + routes.sync, bodies[0]),
            _call(box.api_url + routes.submit, bodies[1]),
            _call(box.api_url + routes.status.format(job_id="kept")),
        )

    def _kept(self) -> bool:
        key = {"job_id": {"S": "kept"}}
        found = self.aws.client("dynamodb").get_item(TableName=self.params.name("table"), Key=key)
        return "Item" in found

    def _delayed(self) -> int:
        sqs, name = self.aws.client("sqs"), "ApproximateNumberOfMessagesDelayed"
        url = sqs.get_queue_url(QueueName=self.params.name("queue"))["QueueUrl"]
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    def _dial(self) -> tuple[float, bool, int]:
        state = traffic.read_state(self.aws.client("appconfig"), self.params)
        number = state.dial_deployment.number if state.dial_deployment else 0
        return state.dial_percent, state.switch_on, number


def _call(url: str, body: dict[str, str] | None = None) -> int:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.fixture(scope="module")
def walked() -> Iterator[list[Stop]]:
    """All steps, back from two of them, and to the end."""
    with EmbeddedAws() as aws:
        walk = Walk(aws)
        yield [walk.go(step) for step in (*WALK, "remove_sync")]


def _stops(walked: list[Stop], step: str) -> list[Stop]:
    return [stop for stop in walked if stop.step == step]


@pytest.mark.parametrize("step", STEPS)
def test_the_data_plane_serves_what_the_step_says(walked: list[Stop], step: str) -> None:
    """Over HTTP, each time the step was reached, from whichever side."""
    assert {stop.served for stop in _stops(walked, step)} == {SERVED[step]}


@pytest.mark.parametrize("step", STEPS)
def test_every_setting_that_the_step_requires_holds(walked: list[Stop], step: str) -> None:
    """Routes, permissions, roles, what must be gone: the inventory of the step has nothing to say."""
    assert [stop.wrong for stop in _stops(walked, step)] == [[]] * len(_stops(walked, step))


def test_the_synchronous_route_is_untouched_until_it_is_migrated(walked: list[Stop]) -> None:
    hashes = {step: {stop.hash for stop in _stops(walked, step)} for step in STEPS}
    assert hashes["baseline"] == hashes["async"]
    assert len(hashes["async"]) == 1
    assert hashes["migrate"] == hashes["remove_temporary"] == hashes["remove_sync"]
    assert hashes["migrate"].isdisjoint(hashes["async"])


def test_an_update_loses_nothing_and_runs_no_deployment_of_the_flags_again(walked: list[Stop]) -> None:
    later = [stop for stop in walked if stop.step != "baseline"]
    assert {stop.dial for stop in later} == {(float(DIAL), True, 2)}
    assert {(stop.delayed, stop.kept) for stop in later} == {(1, True)}
    assert len({stop.api for stop in walked}) == 1, "the same API, at the same address"


def test_functions_come_and_go(walked: list[Stop]) -> None:
    assert {step: {stop.functions for stop in _stops(walked, step)} for step in STEPS} == {
        "baseline": {1},
        "async": {4},
        "migrate": {4},
        "remove_temporary": {4},
        "remove_sync": {3},
    }


def test_an_update_is_quick(walked: list[Stop]) -> None:
    """0.05 to 0.5 s on an idle machine; the rehearsal has two minutes for everything."""
    assert max(stop.seconds for stop in walked) < 5
