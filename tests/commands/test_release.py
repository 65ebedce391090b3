"""A release of a function's version: its folder of parameters, what it refuses, the way to 100 % and back by it."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from runbook_lib.act.traffic.shift import describe, plan_shift
from runbook_lib.base.errors import Refused, UsageError
from runbook_lib.base.project import read_yaml
from runbook_lib.base.window import Window
from runbook_lib.commands import kill_switch, params_check, release
from runbook_lib.commands.doctor.model import Ground
from runbook_lib.commands.release_policy import PHASES, policy_of
from runbook_lib.observe.alarms.watching import _called_by_alias
from runbook_lib.observe.evidence.measure import asks
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params.essentials import essentials
from runbook_lib.params.load import RELEASE, load_file
from runbook_lib.params.traffic import AliasHome
from runbook_lib.rollout.moment import which
from tests.elsewhere import T0, Elsewhere, Place

ROOT = Path(__file__).resolve().parents[2]


class Account(Elsewhere):
    """One account with published versions 5 to 7 of the worker."""

    exceptions = SimpleNamespace(**vars(Elsewhere.exceptions), ResourceNotFoundException=KeyError)

    def identity(self, **_: Any) -> Any:
        return SimpleNamespace(account="000000000103", arn="arn:aws:iam::000000000103:user/ann", now=T0, trouble="")

    def list_versions_by_function(self, **_: Any) -> dict[str, Any]:
        return {"Versions": [{"Version": one} for one in ("$LATEST", "5", "6", "7")]}


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()
    monkeypatch.setattr(release, "reached", lambda params: (params, made, made.identity()))
    monkeypatch.setattr(release, "project_root", lambda: tmp_path)
    monkeypatch.setattr(release, "routing", lambda *_: (True, True))
    return made


def prepared(version: str = "7", function: str = "worker", name: str = "") -> release.Release:
    return release.prepare(ROOT / "params" / "prod.yaml", function, version, "live", name)


def test_a_release_is_a_folder_of_parameters_with_its_own_weight_phases_and_gates(account: Account) -> None:
    done = prepared()
    params = load_file(done.file)
    assert (done.stable, done.written, prepared().written) == ("6", True, False)
    assert (params.release, params.service.traffic.kind) == ("worker-7", "lambda-alias")
    assert list(params.policy.phases) == list(params.policy.steps) == list(PHASES)
    assert [one.percent for one in params.policy.phases.values()] == [10, 50, 100]
    assert not any(one.after_migration for one in params.policy.phases.values())
    assert [gate.id for gate in params.policy.gates][:2] == ["version_errors", "version_duration"]
    assert {"observed_split", "success_rate", "dlq"} <= {gate.id for gate in params.policy.gates}
    # Users submit at the route that was synchronous once.
    assert (params.service.api.routes.submit, params.service.api.routes.sync) == ("/api/vpr", "/api/vpr-async")
    assert done.next == f"runbook run {PHASES[0]} --params {done.file}"


def test_after_the_migration_each_path_keeps_its_method(account: Account, tmp_path: Path) -> None:
    """Users submit by the old route's method, too, if they submit at its path."""
    source = tmp_path / "params"
    shutil.copytree(ROOT / "params", source)
    file = source / "service.yaml"
    said = read_yaml(file)
    said["contract"]["submit"]["method"] = "PUT"
    file.write_text(yaml.safe_dump(said))
    made = load_file(release.prepare(source / "prod.yaml", "worker", "7", "live").file).service
    assert (made.asked("submit"), made.asked("sync")) == ("POST /api/vpr", "PUT /api/vpr-async")


def test_the_limits_of_a_release_are_the_policys_own() -> None:
    gates = read_yaml(ROOT / "params" / "gates.yaml")
    delivered = {one["id"]: one for one in policy_of(gates)["gates"]}
    assert delivered["version_errors"]["target"] == "< 0.01" and delivered["version_duration"]["alert"] == "> 120"
    gates["release"]["version_errors"] |= {"alert": "> 0.2", "min_samples": 7}
    ours = {one["id"]: one for one in policy_of(gates)["gates"]}
    assert (ours["version_errors"]["alert"], ours["version_errors"]["min_samples"]) == ("> 0.2", 7)
    assert "alert > 20 %" in ours["version_errors"]["why"]
    assert (
        policy_of({key: value for key, value in gates.items() if key != "release"})["gates"][0]
        == delivered["version_errors"]
    )


def test_a_release_goes_through_the_services_own_steps() -> None:
    """06a begins, and there is no 50 %; what 05's notebook carries out is not a phase of a release."""
    gates = read_yaml(ROOT / "params" / "gates.yaml")
    first, begins, left = "06a_phase1_5_percent", PHASES[0], PHASES[1]
    del gates["steps"][left], gates["phases"][left]
    gates["steps"][PHASES[2]]["requires"] = [f"{begins}@prod"]
    gates["phases"][PHASES[2]]["before_percent"] = 10
    gates["steps"][first] = {**gates["steps"][begins], "notebook": begins, "title": "5 %"}
    gates["steps"][begins]["requires"] = [f"{first}@prod"]
    phases = {first: {**gates["phases"][begins], "percent": 5}, **gates["phases"]}
    phases[begins] = {**phases[begins], "before_percent": 5}
    made = policy_of(gates | {"phases": phases})
    assert list(made["phases"]) == [first, PHASES[0], PHASES[2]]
    assert made["steps"][first]["notebook"] == begins and "requires" not in made["steps"][first]
    with pytest.raises(UsageError, match="no phase for a release"):
        policy_of(gates | {"phases": {"05_staging": gates["phases"]["05_staging"]}})


def test_the_new_version_is_told_by_its_own_dimensions(account: Account) -> None:
    params = load_file(prepared().file)
    where = {one["Name"]: one["Value"] for one in address(params.metric("new_errors"), params)["Dimensions"]}
    function = "careervp-vpr-worker-lambda-prod"
    assert where == {"FunctionName": function, "Resource": f"{function}:live", "ExecutedVersion": "7"}
    window = Window(T0 - dt.timedelta(hours=24), T0)
    asked = {ask.metric_id for ask in asks(params, window, T0)}
    assert {"new_invocations", "stable_invocations", "new_errors", "new_duration"} <= asked


@pytest.mark.parametrize(
    ("version", "function", "alias", "error", "said"),
    [
        ("8", "worker", {}, UsageError, "--version is '8', which .* does not have; it has 5, 6, 7: publish it first"),
        ("6", "worker", {}, UsageError, "points to 6 already; expects the version after it"),
        ("7", "cron", {}, UsageError, "--function is 'cron', which service.yaml does not name .* there are status, "),
        ("7", "wroker", {}, UsageError, "did you mean 'worker'"),
        ("7", "table", {}, UsageError, "--function is 'table', which service.yaml does not name as one"),
        ("$LATEST", "worker", {}, UsageError, r"--version is '\$LATEST': expects a published version, such as 7"),
        ("07", "worker", {}, UsageError, "--version is '07': expects a published version, such as 7"),
        (
            "7",
            "worker",
            {"RoutingConfig": {"AdditionalVersionWeights": {"5": 0.1}}},
            Refused,
            "another release is under",
        ),
        ("7", "worker", {"FunctionVersion": "$LATEST"}, UsageError, r"points to \$LATEST"),
    ],
)
def test_what_cannot_be_released_is_refused_and_nothing_is_written(
    account: Account, tmp_path: Path, version: str, function: str, alias: dict[str, Any], error: type, said: str
) -> None:
    account.alias |= alias
    with pytest.raises(error, match=said):
        prepared(version, function)
    assert not (tmp_path / "releases").exists()


def test_a_function_that_is_not_there_is_one_sentence_of_ours(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(**_: Any) -> Any:
        raise KeyError("Function not found: arn:aws:lambda:us-east-1:000000000103:function:x")

    monkeypatch.setattr(account, "list_versions_by_function", missing)
    with pytest.raises(UsageError, match=r"no function careervp-vpr-worker-lambda-prod .* edit names\.worker in"):
        prepared()
    assert not (tmp_path / "releases").exists()


@given(st.text(max_size=12) | st.sampled_from(["../x", "a/b", ".", "..", "a b"]))
def test_an_id_of_a_release_is_one_folders_name(name: str) -> None:
    assume(name and not re.fullmatch(RELEASE, name))
    with pytest.raises(UsageError, match=r"--release is .* expects letters, digits and"):
        prepared(name=name)


def test_an_alias_is_a_name_and_that_of_the_release(account: Account) -> None:
    with pytest.raises(UsageError, match="--alias is '7': expects an alias: letters, digits, _ and -"):
        release.prepare(ROOT / "params" / "prod.yaml", "worker", "7", "7")
    prepared()
    with pytest.raises(UsageError, match="is the folder of another release"):
        release.prepare(ROOT / "params" / "prod.yaml", "worker", "7", "other")


@pytest.mark.parametrize("commands", ["commands", "rehearsal-commands", "ours"])
def test_what_it_writes_passes_the_check(account: Account, tmp_path: Path, commands: str) -> None:
    """Its commands named the notebooks of the service's rollout: the check and `doctor` refused an untouched folder."""
    folder = tmp_path / "params"
    shutil.copytree(ROOT / "params", folder)
    shutil.copy(folder / "commands.yaml", folder / "ours.yaml")
    flat = folder / "prod.yaml"
    flat.write_text(re.sub(r"(?m)^commands: [\w-]+", f"commands: {commands}", flat.read_text()))
    assert load_file(flat).commands == commands
    made = release.prepare(flat, "worker", "7", "live").file
    assert [one.sentence for one in params_check.one(made) if not one.ok] == []
    assert [one.sentence for one in params_check.check(made.parent) if not one.ok] == []
    kept, whole = (read_yaml(one / f"{commands}.yaml") for one in (made.parent, folder))
    assert kept["diff"] == whole["diff"] and kept["checks"] == []


def test_the_policies_of_a_release_have_a_folder_of_their_own(account: Account) -> None:
    assert Ground(prepared().file, {}).roles == "worker-7"
    assert Ground(ROOT / "params" / "prod.yaml", {}).roles == "prod"


def test_a_folder_of_another_release_is_left_alone(account: Account) -> None:
    prepared(name="ours")
    with pytest.raises(UsageError, match="is the folder of another release"):
        prepared("5", name="ours")


def test_the_phases_know_where_they_stand_and_rollback_1_takes_it_back(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = prepared().file
    values = {"mode": "apply", "confirm": "prod", "archive": str(tmp_path / "archive")}
    params = load_file(file, values)
    place = Place("lambda-alias", account)
    for notebook in PHASES:
        spec = params.policy.phases[notebook]
        assert which(place.home.read(), params, notebook, spec, T0).name == "before"
        about = describe(release=params.release, notebook=notebook, attempt=1, run="r")
        place.home.apply(plan_shift(place.home.read(), spec.percent, params, soak_hours=24, description=about))
        soak = which(place.home.read(), params, notebook, spec, T0 + dt.timedelta(hours=1))
        assert soak.name == "during" and "nothing takes it back by itself: only you watch now" in soak.words
        after = which(place.home.read(), params, notebook, spec, T0 + dt.timedelta(hours=25))
        assert (after.name, after.look_number, after.bake_is_over) == ("after", 1, False)
    monkeypatch.setattr(
        kill_switch,
        "Aws",
        lambda *_, **__: SimpleNamespace(identity=account.identity, client=account.client, endpoint=None),
    )
    done = kill_switch.off(kill_switch.Wanted("1", file, values))
    assert done.error is None and done.off is not None and done.off.changed, done
    assert (account.alias["FunctionVersion"], place.home.read().weight) == ("6", 0)
    void = which(place.home.read(), params, PHASES[2], params.policy.phases[PHASES[2]], T0)
    assert void.name == "void" and "the switch is off" in void.words


@pytest.mark.parametrize("function", ["worker", "worker_2"])
def test_each_of_several_workers_is_released_and_taken_back(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """`workers` is a list, so `names` has no worker: the kill switch has to find the function all the same."""
    file = release.prepare(ROOT / "examples" / "orders-export" / "params" / "prod.yaml", function, "7", "live").file
    params = load_file(file)
    assert essentials(file, {}).name(function) == params.name(function)
    where = {one["Name"]: one["Value"] for one in address(params.metric("new_errors"), params)["Dimensions"]}
    assert where["FunctionName"] == params.name(function)
    source = {"UUID": "u", "FunctionArn": f"arn:aws:lambda:eu-central-1:0:function:{params.name(function)}"}
    monkeypatch.setattr(
        account, "list_event_source_mappings", lambda **_: {"EventSourceMappings": [source]}, raising=False
    )
    (finding,) = _called_by_alias(account.client, params, cast("AliasHome", params.service.traffic))
    assert not finding.ok and "event source u calls" in finding.sentence
    name = params.service.traffic.parameter.replace("{env}", "prod")  # type: ignore[union-attr]
    account.put_parameter(name, '{"enabled": true, "percent": 10}', "String", True, "10 %")
    account.alias["RoutingConfig"] = {"AdditionalVersionWeights": {"7": 0.1}}
    here = SimpleNamespace(
        identity=lambda **_: SimpleNamespace(
            account=params.account_id, arn="arn:aws:iam::1:user/ann", now=T0, trouble=""
        ),
        client=account.client,
        endpoint=None,
    )
    monkeypatch.setattr(kill_switch, "Aws", lambda *_, **__: here)
    values = {"mode": "apply", "confirm": "prod", "archive": str(tmp_path / "archive")}
    done = kill_switch.off(kill_switch.Wanted("1", file, values))
    assert done.error is None and done.off is not None and done.off.changed, done
    assert account.alias["FunctionVersion"] == "6" and "0.1" not in str(account.alias)


def test_the_kill_switch_reads_each_home_as_the_parameters_have_it(account: Account) -> None:
    file = prepared().file
    light, whole = essentials(file, {}), load_file(file)
    kept = yaml.safe_load((file.parent / "service.yaml").read_text())["traffic"]
    assert {key: getattr(light.service.traffic, key) for key in kept} == kept
    assert light.service.traffic.client_poll_s == whole.service.traffic.client_poll_s
    assert light.name("worker") == whole.name("worker")
