"""Parameters: one sentence that names file, key and value for everything that can be wrong."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.params.load import FLAT_NAMES, load, load_file, params_dir, project_root, read_yaml

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("dev", "staging", "prod")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the real parameter files, to break."""
    return Path(shutil.copytree(ROOT / "params", tmp_path / "params"))


def sentence(file: Path, **overrides: Any) -> str:
    with pytest.raises(UsageError) as caught:
        load_file(file, overrides)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_environment_loads_and_names_exactly_the_flat_parameters(env: str) -> None:
    params = load_file(ROOT / "params" / f"{env}.yaml")
    assert params.env == env
    assert tuple(read_yaml(ROOT / "params" / f"{env}.yaml")) == FLAT_NAMES
    assert params.name("queue") == f"careervp-vpr-jobs-queue-{env}"


def test_the_rehearsal_overrides_flat_parameters_only() -> None:
    overlay = read_yaml(ROOT / "params" / "rehearsal.yaml")
    assert set(overlay) <= set(FLAT_NAMES)
    for env in ENVIRONMENTS:
        load_file(ROOT / "params" / f"{env}.yaml", overlay)


def test_params_are_frozen() -> None:
    params = load_file(ROOT / "params" / "prod.yaml")
    with pytest.raises(Exception, match="frozen"):
        params.flat.env = "dev"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ({"acount_id": "000000000103"}, ["--set", "acount_id", "did you mean 'account_id'"]),
        ({"account_id": 12345678901}, ["--set", "account_id", "12345678901", "quote it"]),
        ({"account_id": "12345678901"}, ["--set", "account_id", "12345678901", "12 digits", "leading zero"]),
        ({"env": "qa"}, ["--set", "env", "qa", "there are dev, prod, staging"]),
        ({"mode": "force"}, ["--set", "mode", "force"]),
        ({"time_scale": "1"}, ["--set", "time_scale", "'1'"]),
        ({"time_scale": 0.0}, ["--set", "time_scale", "0.0", "greater than 0"]),
        ({"attempt": 0}, ["--set", "attempt", "0"]),
        ({"as_of": "yesterday"}, ["--set", "as_of", "yesterday", "ISO 8601"]),
        ({"as_of": "2026-11-23T03:00:00"}, ["--set", "as_of", "no time zone"]),
        ({"region": "Virginia"}, ["--set", "region", "Virginia"]),
        ({"release": ""}, ["--set", "release"]),
    ],
)
def test_a_wrong_flat_parameter_is_one_sentence(overrides: dict[str, Any], names: list[str]) -> None:
    text = sentence(ROOT / "params" / "prod.yaml", **overrides)
    for name in names:
        assert name in text


def test_a_missing_parameter_is_named(folder: Path) -> None:
    file = folder / "prod.yaml"
    file.write_text(file.read_text().replace("region: us-east-1\n", ""))
    assert "'region' is missing" in sentence(file)


def _gate(policy: dict[str, Any], id: str) -> dict[str, Any]:
    return next(gate for gate in policy["gates"] if gate["id"] == id)


def edit(file: Path, change: Any) -> None:
    loaded = yaml.safe_load(file.read_text())
    change(loaded)
    file.write_text(yaml.safe_dump(loaded))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda p: _gate(p, "success_rate").update(target="> 0.97"), ["gates.yaml", "success_rate", "wrong side"]),
        (lambda p: _gate(p, "success_rate").update(alert="> 0.98"), ["gates.yaml", "same way"]),
        (lambda p: _gate(p, "success_rate").update(collapse="< 0.995"), ["gates.yaml", "milder"]),
        (
            lambda p: _gate(p, "submit_latency").update(target="under 3"),
            ["gates.yaml", "gates.submit_latency.target", "under 3"],
        ),
        (lambda p: p["gates"].append(_gate(p, "success_rate")), ["gates.yaml", "success_rate", "twice"]),
        (lambda p: p.update(confidance=0.9), ["gates.yaml", "confidance", "did you mean 'confidence'"]),
        (
            lambda p: p["alarms"][0].update(gate="nope"),
            ["gates.yaml", "'dlq'", "'nope', which is not declared", "generation_time"],
        ),
        (lambda p: p["alarms"][2].update(gate="dlq"), ["gates.yaml", "either `gate` or `threshold`"]),
        (lambda p: p["alarms"].append({**p["alarms"][2], "id": "g6"}), ["gates.yaml", "at most 5"]),
        (lambda p: p["phases"]["06_phase1_10_percent"].update(looks=[]), ["gates.yaml", "looks"]),
        (
            lambda p: p["phases"]["06_phase1_10_percent"]["looks"][1].update(alpha=0.03),
            ["gates.yaml", "its looks spend 0.07", "leaves 0.05"],
        ),
        (
            lambda p: p["phases"]["08_phase3_100_percent"]["after_migration"][0].update(alpha=0.04),
            ["gates.yaml", "08_phase3_100_percent", "after_migration", "0.06"],
        ),
    ],
)
def test_a_wrong_policy_is_one_sentence(folder: Path, change: Any, names: list[str]) -> None:
    if "at most 5" in names:
        edit(folder / "gates.yaml", lambda p: p["alarms"].append({**p["alarms"][2], "id": "g5"}))
    edit(folder / "gates.yaml", change)
    text = sentence(folder / "prod.yaml")
    for name in names:
        assert name in text


def test_malformed_yaml_names_file_and_line(folder: Path) -> None:
    file = folder / "prod.yaml"
    file.write_text("env: prod\naccount_id: [1\n")
    assert re.search(r"prod\.yaml, line \d+: not valid YAML", sentence(file))


def test_a_yaml_list_is_no_parameter_file(folder: Path) -> None:
    file = folder / "prod.yaml"
    file.write_text("- env\n")
    assert "expects a mapping" in sentence(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "no such file" in sentence(tmp_path / "qa.yaml")


def test_a_price_without_source_is_refused(folder: Path) -> None:
    edit(folder / "prices.yaml", lambda p: p["source"].pop("sqs"))
    assert "sqs.requests" in sentence(folder / "prod.yaml")


def test_root_is_found_from_the_notebooks_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT / "notebooks")
    assert project_root() == ROOT
    with pytest.raises(UsageError, match=re.escape("params/gates.yaml")):
        params_dir(tmp_path)


@given(st.text(max_size=14) | st.integers() | st.none())
def test_only_twelve_digits_are_an_account(value: object) -> None:
    values = {**read_yaml(ROOT / "params" / "prod.yaml"), "account_id": value}
    good = isinstance(value, str) and re.fullmatch("[0-9]{12}", value) is not None
    if good:
        assert load(values, folder=ROOT / "params").account_id == value
    else:
        with pytest.raises(UsageError, match="account_id"):
            load(values, folder=ROOT / "params")


def test_every_rollback_has_the_limit_of_the_requirement() -> None:
    requirement = (ROOT / "docs" / "requirement.md").read_text(encoding="utf-8")
    wanted = re.findall(r"### Scenario (\d).*?\*\*Rollback Time:\*\* <(\d+) minutes", requirement, re.S)
    rollbacks = load_file(ROOT / "params" / "prod.yaml").policy.rollbacks
    limits = {name[: len("rollback_N")]: one.limit_min for name, one in rollbacks.items()}
    assert len(wanted) == 3
    assert limits == {f"rollback_{number}": float(minutes) for number, minutes in wanted}


ENVS = ("dev", "staging", "prod")


@pytest.mark.parametrize("given", [ENVS, ("dev", "prod"), ("prod",), ("dev",), ()])
def test_a_name_may_have_a_value_for_each_environment(given: tuple[str, ...], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(params_dir(), tmp_path / "params"))
    service = yaml.safe_load((folder / "service.yaml").read_text())
    service["names"]["api_id"] = {env: f"id-of-{env}" for env in given}
    (folder / "service.yaml").write_text(yaml.safe_dump(service))
    for env in ENVS:
        params = load_file(folder / f"{env}.yaml")
        assert params.named("api_id") == (env in given)
        if env in given:
            assert params.name("api_id") == f"id-of-{env}"
        else:
            with pytest.raises(UsageError, match=f"names no resource 'api_id' in {env}"):
                params.name("api_id")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("queue", {"dev": "q-dev"}, "names \\(in (staging|prod)\\)' names 'queue', which is not there"),
        (
            "api_id",
            {"dev": "{stage}"},
            "names.api_id.dev' is '\\{stage\\}': .* is not a placeholder that is known here; there is \\{env\\}",
        ),
        (
            "api_id",
            {"live": "x"},
            "'names.api_id' names 'live', which is not there; there are dev, prod, staging",
        ),
        ("api_id", {"prod": 123}, "'names.api_id': prod is 123, expects text; quote it"),
        ("api_id", 123, "line .*'names.api_id': 123 without quotes is a number for YAML"),
    ],
)
def test_a_name_of_an_environment_that_is_wrong_is_refused(key: str, value: object, says: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(params_dir(), tmp_path / "params"))
    service = yaml.safe_load((folder / "service.yaml").read_text())
    service["names"][key] = value
    (folder / "service.yaml").write_text(yaml.safe_dump(service))
    with pytest.raises(UsageError, match=says) as caught:
        load_file(folder / "prod.yaml")
    assert "service.yaml" in str(caught.value)


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+00:00", "2005-12-31T00:00:00Z"])
def test_a_time_that_no_rollout_has_is_refused(at: str) -> None:
    """No day can be added to the last of all days, or taken from the first."""
    with pytest.raises(UsageError, match="between the years 2006 and 3000"):
        load_file(params_dir() / "prod.yaml", {"as_of": at})


@pytest.mark.parametrize("address", ["ftp://records.example/team", "$HERE/archive"])
def test_where_the_archives_address_is_none_a_watch_has_a_spare_one(
    address: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that cron starts ended with a sentence, and looked at nothing."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert "archive" in sentence(folder / "prod.yaml", archive=address)
    roots = {load_file(folder / "prod.yaml", {"archive": address}, spare=True).archive for _ in range(2)}
    assert [Path(root).parent for root in roots] == [tmp_path]
    assert capsys.readouterr().err.count("what is recorded now is in") == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("account_id", "12"), ("as_of", "soon"), ("attempt", -1), ("commands", "A b"), ("env", "qa")),
        *(("env", "Q A"), ("mode", "force"), ("region", "moon"), ("release", ""), ("rollout_step", "A-b")),
        *(("time_scale", 7.0), ("archive", ""), ("archive", " "), ("archive", "s3://"), ("api_url", "{x}")),
    ],
)
def test_a_wrong_override_is_blamed_on_itself_and_not_on_the_file(key: str, value: Any) -> None:
    text = sentence(ROOT / "params" / "prod.yaml", **{key: value})
    assert text.startswith("--set") and key in text and str(value) in text and "prod.yaml" not in text


def test_the_failure_line_has_what_its_metrics_dimensions_are() -> None:
    params = load_file(params_dir() / "prod.yaml")
    line = '{"env": "{env}", "function": "{worker}", "message": "Failed"}'
    ours = params.model_copy(update={"service": params.service.model_copy(update={"failure_line": line})})
    said = json.loads(ours.failure_line())
    assert said == {"env": "prod", "function": params.name("worker"), "message": "Failed"}
    assert params.failure_line() == params.service.failure_line
