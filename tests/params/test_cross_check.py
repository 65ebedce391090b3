"""A typo in a parameter file is refused when the file is read, wherever it is, with the wrong name in the sentence."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.base.project import params_dir
from runbook_lib.judge.terms import MEASURES
from runbook_lib.observe.dashboard.board import Board
from runbook_lib.observe.inventory.inspect import CALLS
from runbook_lib.observe.inventory.rules import Inventory
from runbook_lib.params.cross_check import KINDS, RESOURCES
from runbook_lib.params.load import load_file
from runbook_lib.params.metrics import METRICS

FILES = ("gates", "service", "dashboard", "inventory")
FREE = re.compile(
    r"(?:^|\.)(?:title|why|fix|expected|label|muted|no_change_test|note|then|failing|unit|id|logical|chart\.unit|check|cures|costs|property(?:\.\d+)?)$|\.as_told(?:\.|$)"
    r"|^service\.(?:names|traffic|kpi_|notify|api\.(?:stage|routes|access_log_fields)|failure_line|job_ttl_variable|archive)"
    r"|^service\.contract\.(?!.*(?:method|told_by)$)"
    r"|^gates\.roles|^gates\.alarms\.\d+\.(?:name|expression)|^dashboard\.(?:name|target_colour|alert_colour)"
    r"|^inventory\.(?:naming|resources\.[^.]+\.(?:type|method|made_as|settings\..*\.(?:equals|one_of|includes|pattern)))"
)
"""Leaves that may say anything: texts for people, names and words of the team's own, AWS's words, and declarations that
other leaves name (a renamed gate or role is caught where it is named)."""


def read(folder: Path) -> None:
    params = load_file(folder / "prod.yaml")
    params.nested("dashboard", Board)
    params.nested("inventory", Inventory)


def leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, (*path, key))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from leaves(one, (*path, place))
    elif isinstance(value, str):
        yield path, value


def raw(folder: Path, file: str) -> Any:
    return yaml.safe_load((folder / f"{file}.yaml").read_text())


NAMES = [
    (file, path, value)
    for file in FILES
    for path, value in leaves(raw(params_dir(), file), ())
    if not FREE.search(".".join(map(str, (file, *path))))
]
KEYS = [
    (file, path)
    for file in FILES
    for path in sorted({path[:-1] for path, _ in leaves(raw(params_dir(), file), ())} - {()}, key=str)
    if isinstance(path[-1], str)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(params_dir(), tmp_path_factory.mktemp("project") / "params"))


def misspelt(draw: Any, value: str) -> str:
    """One letter more, less, or another."""
    place = draw(st.integers(0, len(value) - 1))
    letter = draw(st.sampled_from("abcxyz_0"))
    how = draw(st.sampled_from(["more", "less", "other"]))
    if how == "more":
        return value[:place] + letter + value[place:]
    return value[:place] + ("" if how == "less" else letter) + value[place + 1 :]


def edited(folder: Path, file: str, path: tuple[Any, ...], value: str) -> None:
    found = raw(params_dir(), file)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    (folder / f"{file}.yaml").write_text(yaml.safe_dump(found, allow_unicode=True))


def test_most_names_are_checked_and_the_files_as_they_are_pass() -> None:
    assert len(NAMES) > 250
    read(params_dir())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_misspelt_name_is_refused(folder: Path, data: st.DataObject) -> None:
    file, path, value = data.draw(st.sampled_from(NAMES))
    wrong = misspelt(data.draw, value)
    same = wrong == value or wrong.strip() == value.strip() or _means_the_same(wrong, value)
    same = same or wrong in {*METRICS, *MEASURES, *RESOURCES}  # another name that is there cannot be told
    if same:
        return
    edited(folder, file, path, wrong)
    try:
        with pytest.raises(UsageError) as error:
            read(folder)
        assert error.value.exit_code is Exit.USAGE
        assert f"{file}.yaml" in str(error.value)
        assert "\n" not in str(error.value)
    finally:
        shutil.copy(params_dir() / f"{file}.yaml", folder / f"{file}.yaml")


def _means_the_same(wrong: str, value: str) -> bool:
    """Another threshold (`> 0.99` and `> 00.99`), comparison or percentile (`p50` and `p5`): no name."""
    return (
        bool(re.fullmatch(r"[<>]=?", wrong))
        or bool(re.match(r"\s*[<>]=?\s*[\d.]+\s*$", value))
        or bool(re.fullmatch(r"p\d\d?(\.\d+)?", wrong))
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        (
            "gates",
            lambda p: _gate(p, "submit_latency").update(measure="submit_latencyy"),
            ["gates.submit_latency.measure", "submit_latencyy", "did you mean 'submit_latency'"],
        ),
        ("gates", lambda p: _gate(p, "cost").update(measure="success"), ["of kind amount", "success"]),
        ("gates", lambda p: p["alarms"][2].update(metric="job_failed"), ["job_failed", "did you mean 'jobs_failed'"]),
        (
            "gates",
            lambda p: p["phases"]["07_phase2_50_percent"].update(approvers=["enginering lead"]),
            ["enginering lead", "did you mean 'engineering lead'"],
        ),
        ("gates", lambda p: p["baseline"]["samples"].update(sucess=1), ["sucess", "did you mean 'success'"]),
        ("service", lambda p: p["names"].update(quue="x-{env}"), ["names.quue", "did you mean 'queue'"]),
        ("service", lambda p: p["names"].update(queue="careervp-vpr-jobs-queue-{evn}"), ["{evn}", "{env}"]),
        (
            "dashboard",
            lambda p: p["widgets"][0]["left"]["lines"][0].update(metric="queue_visibel"),
            ["queue_visibel", "did you mean 'queue_visible'"],
        ),
        ("inventory", lambda p: p["resources"]["queue"].update(name="quueue"), ["quueue", "did you mean 'queue'"]),
    ],
)
def test_the_sentence_names_file_key_value_and_the_nearest_name(
    folder: Path, file: str, change: Any, says: list[str]
) -> None:
    found = raw(params_dir(), file)
    change(found)
    (folder / f"{file}.yaml").write_text(yaml.safe_dump(found, allow_unicode=True))
    try:
        with pytest.raises(UsageError) as error:
            read(folder)
        assert all(word in str(error.value) for word in [f"{file}.yaml", *says]), str(error.value)
    finally:
        shutil.copy(params_dir() / f"{file}.yaml", folder / f"{file}.yaml")


def _gate(policy: dict[str, Any], id: str) -> dict[str, Any]:
    return next(gate for gate in policy["gates"] if gate["id"] == id)


def test_every_measure_that_is_listed_is_taken_and_no_other() -> None:
    import datetime as dt

    from runbook_lib.base.window import Window
    from runbook_lib.observe.evidence.measure import measure
    from runbook_lib.observe.metrics.fetch import Answers
    from runbook_lib.observe.traffic.state import TrafficState

    now = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
    state = TrafficState(dial_percent=10, switch_on=True, weight=10)
    found = measure(
        Answers([], {}),
        None,
        {},
        state,
        load_file(params_dir() / "prod.yaml"),
        Window(now - dt.timedelta(hours=24), now),
        now,
    )
    assert {name: one.kind for name, one in found.items()} == MEASURES


def test_every_name_that_the_catalogue_asks_for_is_a_known_resource() -> None:
    asked = {
        field
        for metric in METRICS.values()
        for template in metric.dimensions.values()
        for field in re.findall(r"\{(\w+)\}", template)
    }
    assert {one for one in asked if not one.startswith(("route_", "method_", "kpi_", "stage"))} <= {*RESOURCES}


def test_the_kinds_of_the_inventory_are_those_that_can_be_asked_for() -> None:
    assert set(KINDS) == set(CALLS)
