"""The users of a lab live on while somebody works in it: nobody's job is lost because the stage stopped."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook_lib.base.window import Window
from runbook_lib.observe.jobs.census import take
from runbook_lib.params.load import load_file, params_dir, read_yaml
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.lab import STEP_S, follow, passing
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rehearse.world.world import World

pytestmark = pytest.mark.emulator
FOLDER = params_dir(Path(__file__).parent)
PARAMS = load_file(FOLDER / "prod.yaml", read_yaml(FOLDER / "rehearsal.yaml"))
START = dt.datetime(2025, 6, 16, 9, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(START) as aws:
        deploy(aws, PARAMS)
        yield aws


def busy(aws: EmbeddedAws) -> World:
    world = World(aws, PARAMS, scenario="healthy", seed=7)
    world.service.set_weight(1.0)
    world.publish(world.live((START + HOUR).timestamp()))
    aws.move_to(START + HOUR)
    return world


def test_jobs_under_way_when_the_stage_stops_end_while_time_passes(aws: EmbeddedAws) -> None:
    world = busy(aws)

    def unfinished() -> int:
        items = aws.client("dynamodb").scan(TableName=PARAMS.name("table"))["Items"]
        early = (START + HOUR).isoformat()[:19]
        return sum(one["status"]["S"] in ("PENDING", "PROCESSING") and one["created_at"]["S"] < early for one in items)

    assert unfinished(), "nothing was under way: the test shows nothing"
    said: list[str] = []
    with passing(aws, [world], said.append, look_s=0.05):
        aws.move_to(START + HOUR + dt.timedelta(minutes=30))
        deadline = time.monotonic() + 60
        while (aws.now() - world.now).total_seconds() > STEP_S:
            assert time.monotonic() < deadline and not said
            time.sleep(0.05)
    assert not unfinished() and not said
    window = Window(START, START + HOUR)
    assert take(aws.client("dynamodb"), PARAMS, window, aws.now()).lost == 0


def test_a_step_is_lived_once(aws: EmbeddedAws) -> None:
    world = busy(aws)
    aws.move_to(START + HOUR + dt.timedelta(seconds=STEP_S))
    assert follow(aws, [world]) and not follow(aws, [world])
    assert world.now == START + HOUR + dt.timedelta(seconds=STEP_S)


def test_users_who_are_gone_are_told(aws: EmbeddedAws) -> None:
    said: list[str] = []
    with passing(aws, [object()], said.append, look_s=0.01):  # type: ignore[list-item]
        deadline = time.monotonic() + 20
        while not said:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert len(said) == 1 and "the lab's users are gone (AttributeError" in said[0]
