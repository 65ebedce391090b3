"""Parameters that can be read and make no sense are refused when they are read: file, key, value, what is wanted."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.base.errors import Exit, UsageError
from runbook_lib.params.load import load_file, params_dir, read_yaml

WRONG: list[tuple[str, tuple[Any, ...], Any, str]] = [
    ("gates", ("gates", "success_rate", "target"), "> 99", "'gates.success_rate.target' is '> 99': a ratio is 0 to 1"),
    ("gates", ("gates", "submit_latency", "unit"), "ratio", "the unit of 'submit_latency' is s"),
    ("gates", ("gates", "error_rate", "unit"), "s", "is ratio"),
    ("gates", ("phases", "06_phase1_10_percent", "looks"), [{"hours": 0.001, "alpha": 0.03}], "nothing has settled"),
    ("gates", ("phases", "07_phase2_50_percent", "before_percent"), 50, "expects less than 50"),
    ("gates", ("door",), {"mistakes": [400, 429]}, "'door.mistakes' is 429"),
    ("gates", ("door",), {"mistakes": [400, 500]}, "'door.mistakes' is 500: it is no 4xx"),
    ("gates", ("early_prior",), [0, 0], "two numbers above 0"),
    ("gates", ("alarm_math", "daytime"), [20, 7], "the first before the second"),
    ("gates", ("alarm_math", "bad"), 0.9999, "expects less than healthy"),
    ("gates", ("remedies", "backlog", "symptoms", 0, "shows"), ">= 0", "it is always seen"),
    ("gates", ("gates", "success_rate", "measure"), "baseline_success", "what users get must be judged"),
    ("gates", ("gates", "success_rate", "min_samples"), 10**12, "no soak has that many samples"),
    (
        "gates",
        ("gates", "observed_split", "stragglers"),
        [{"from_percent": 0, "share": 0.02, "count": 10**9}],
        "not stragglers",
    ),
    (
        "gates",
        ("gates", "observed_split", "stragglers"),
        [{"from_percent": 0, "share": 0.01}, {"from_percent": 50, "share": 0.2}],
        "shrinks with the phase",
    ),
    ("gates", ("phases", "07_phase2_50_percent", "before_percent"), 11, "no phase ends at that weight"),
    ("gates", ("phases", "06_phase1_10_percent", "looks"), [{"hours": 1e6, "alpha": 0.03}], "nobody waits that long"),
    (
        "gates",
        ("alarms", "worker_errors", "expression"),
        "100 * errrs / invocations",
        "'errrs' is not one of its",
    ),
    ("gates", ("alarms", "worker_errors", "expression"), "100 * errors /", "not arithmetic on the metrics"),
    ("gates", ("alarms", "dlq", "period_s"), 61, "multiples of 60"),
    ("gates", ("alarms", "dlq", "name"), "*", "stands for any name in a policy"),
    ("service", ("api", "routes", "submit"), "api/vpr-async", "begins with /"),
    ("service", ("api", "routes", "submit"), "/api/vpr-async/ ", "begins with /"),
    ("service", ("api", "routes", "status"), "/api/vpr/status", "does not say whose status is asked"),
    ("service", ("api", "access_log_fields"), {"status": ""}, "the key of a JSON line"),
    ("service", ("job_ttl_s",), 60, "jobs are gone before they are late"),
    ("service", ("job_deadline_s",), 90_000, "jobs are gone before they are late"),
    ("service", ("api", "routes", "submit"), "/api/vpr", "it is the synchronous route too"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(params_dir(), tmp_path / "params"))


def edit(folder: Path, file: str, path: tuple[Any, ...], value: Any) -> None:
    found = read_yaml(folder / f"{file}.yaml")
    inner: Any = found
    for key in path[:-1]:
        inner = (
            next(one for one in inner if one["id"] == key)
            if isinstance(inner, list) and isinstance(key, str)
            else inner[key]
        )
    inner[path[-1]] = value
    (folder / f"{file}.yaml").write_text(yaml.safe_dump(found, allow_unicode=True))


@pytest.mark.slow
@pytest.mark.parametrize(("file", "path", "value", "told"), WRONG, ids=[".".join(map(str, one[1])) for one in WRONG])
def test_what_makes_no_sense_is_refused(folder: Path, file: str, path: tuple[Any, ...], value: Any, told: str) -> None:
    edit(folder, file, path, value)
    with pytest.raises(UsageError) as error:
        load_file(folder / "prod.yaml")
    said = str(error.value)
    assert error.value.exit_code is Exit.USAGE
    assert re.match(rf"params/{file}\.yaml, line \d+: ", said) and told in said and "\n" not in said


def test_a_header_may_name_the_job_in_place_of_the_path(folder: Path) -> None:
    edit(folder, "service", ("api", "routes", "status"), "/api/vpr/status")
    edit(folder, "service", ("contract",), {"status": {"headers": {"X-Job": "{job_id}"}}})
    load_file(folder / "prod.yaml")


@pytest.mark.parametrize("env", ["dev", "staging", "prod"])
def test_the_files_as_they_are_make_sense(env: str) -> None:
    load_file(params_dir() / f"{env}.yaml")


@pytest.mark.parametrize(
    ("file", "path", "key", "near"),
    [
        ("gates", ("gates", "success_rate"), "min_samplez", "min_samples"),
        ("gates", ("baseline",), "dayss", "days"),
        ("gates", ("phases", "06_phase1_10_percent"), "aprovers", "approvers"),
        ("gates", ("remedies", "backlog"), "symptons", "symptoms"),
        ("service", ("api", "routes"), "submitt", "submit"),
        ("service", ("traffic",), "flagg", "flag"),
        ("prices", ("prices", "sqs.requests"), "untis", "unit"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_at_its_own_place(
    folder: Path, file: str, path: tuple[Any, ...], key: str, near: str
) -> None:
    edit(folder, file, (*path, key), 1)
    with pytest.raises(UsageError) as error:
        load_file(folder / "prod.yaml")
    assert f"{key}'" in str(error.value) and f"did you mean '{near}'?" in str(error.value)


BESIDE = {"against": "baseline", "margin": 0.01}


@pytest.mark.parametrize(
    ("gate", "fields", "told"),
    [
        ("success_rate", BESIDE, "what users get must be judged"),
        (
            "lambda_errors",
            BESIDE,
            "'gates.lambda_errors.against' is baseline: 'lambda_errors' is not counted",
        ),
        (
            "generation_time",
            BESIDE,
            "'generation_time' is not counted hour by hour for the baseline; these are",
        ),
        (
            "refused",
            {**BESIDE, "against": "phase_before"},
            "'refused' is not counted hour by hour for the phase",
        ),
        (
            "error_rate",
            {**BESIDE, "alert": None},
            "'gates.error_rate.alert' is missing: a gate with `against`",
        ),
        ("error_rate", {"against": "baseline"}, "against baseline needs its `margin`"),
        ("error_rate", {"margin": 0.01}, "margin 0.01 without `against`"),
        ("error_rate", {**BESIDE, "against": "canary"}, "expects 'baseline' or 'phase_before'"),
        ("queue_depth", BESIDE, "a gate of kind gauge cannot be compared, only a rate or a quantile"),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused(
    folder: Path, gate: str, fields: dict[str, Any], told: str
) -> None:
    for key, value in fields.items():
        edit(folder, "gates", ("gates", gate, key), value)
    with pytest.raises(UsageError) as error:
        load_file(folder / "prod.yaml")
    said = str(error.value)
    assert re.match(r"params/gates\.yaml(, line \d+)?: ", said) and told in said and "\n" not in said, said


def test_a_comparison_that_can_be_made_is_taken(folder: Path) -> None:
    found = read_yaml(folder / "gates.yaml")
    own = next(one for one in found["gates"] if one["id"] == "success_rate")
    found["gates"].append({**own, "id": "beside_baseline", **BESIDE})
    (folder / "gates.yaml").write_text(yaml.safe_dump(found, allow_unicode=True))
    assert load_file(folder / "prod.yaml").policy.gate("beside_baseline").margin == 0.01
