"""The folder: written once, never over what a person has edited, and checked by the runbook itself."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import delivered_files
from runbook_lib.commands.init import there
from runbook_lib.commands.init.answers import of_flags
from runbook_lib.commands.init.folder import filled_cell, form, planned, told_in_cell, upgraded, write
from runbook_lib.commands.params_check import check
from runbook_lib.judge.money.charges import UNITS
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.params.prices import NoPrices, Prices


def wanted(**flags: object) -> dict[str, bytes]:
    answers = of_flags("orders-export", **flags)  # type: ignore[arg-type]
    answers.complete()
    return planned(answers)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags", [{}, {"region": ["eu-central-1"], "kind": "http"}, {"names": ["worker=Their-Own_Name"], "stage": "v1"}]
)
def test_the_folder_passes_the_check_and_a_second_run_changes_nothing(tmp_path: Path, flags: dict[str, object]) -> None:
    assert {one.state for one in write(tmp_path, wanted(**flags))} == {"written"}
    assert [one for one in check(tmp_path / "params") if not one.ok] == []
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert {one.state for one in write(tmp_path, wanted(**flags))} == {"as it was"}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_an_edited_file_is_left_alone_and_the_difference_told(tmp_path: Path) -> None:
    write(tmp_path, wanted())
    file = tmp_path / "params" / "prod.yaml"
    edited = file.read_text().replace("region: us-east-1", "region: eu-west-1")
    file.write_text(edited)
    (one,) = [found for found in write(tmp_path, wanted()) if found.state == "differs"]
    assert one.path == "params/prod.yaml" and file.read_text() == edited
    assert "-region: eu-west-1\n+region: us-east-1\n" in one.difference


def test_the_parameters_cells_name_the_project_and_an_upgrade_keeps_what_they_say(tmp_path: Path) -> None:
    own = {"qa": "development", "live-eu": "production"}
    flags = {"environments": own, "region": ["live-eu=eu-west-3", "us-west-2"], "accounts": ["qa=000000000201"]}
    write(tmp_path, wanted(**flags))
    said = {path.stem: told_in_cell(path.read_text()) for path in (tmp_path / "notebooks").glob("*.ipynb")}
    mine = {"env": "qa", "account_id": "000000000201", "region": "us-west-2", "release": "orders-export-async-1"}
    assert said.pop("00_start") == {"env": "live-eu"}
    assert said and all(one == mine for one in said.values())
    assert not any("vpr" in path.read_text().lower() for path in (tmp_path / "notebooks").glob("*.ipynb"))
    file = tmp_path / "notebooks" / "06_phase1_10_percent.ipynb"
    file.write_text(filled_cell(file.read_text(), {"release": "spring", "region": "eu-west-1"}))
    assert {one.state for one in upgraded(tmp_path)} == {"as it was"}
    assert {one.state for one in write(tmp_path, wanted(**flags))} == {"as it was"}
    file.write_text(file.read_text().replace("attempt = 1 ", "attempt = 2 "))
    assert {one.path for one in upgraded(tmp_path, take=True) if one.state == "written"} == {f"notebooks/{file.name}"}
    assert told_in_cell(file.read_text())["release"] == "spring" and "attempt = 1 " in file.read_text()


def test_the_workflow_installs_the_runbook_instead_of_setting_up_a_checkout() -> None:
    workflow = wanted()[".github/workflows/runbook.yml"].decode()
    assert "make setup" not in workflow.replace("`make setup`", "")
    assert ".venv/bin/pip install --quiet rollout-runbook==" in workflow


def test_an_upgrade_tells_the_cells_that_differ_and_takes_them_only_if_told(tmp_path: Path) -> None:
    write(tmp_path, wanted())
    assert {one.state for one in upgraded(tmp_path)} == {"as it was"}
    file = tmp_path / "notebooks" / "01_preflight.ipynb"
    notebook = json.loads(file.read_text())
    code = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    code["source"] = ["ours()\n"]
    code["metadata"]["tags"] = ["an execution leaves such things"]
    file.write_text(json.dumps(notebook))
    (tmp_path / "notebooks" / "02_deploy_dev.ipynb").unlink()
    differ = {one.path: one.difference for one in upgraded(tmp_path) if one.state == "differs"}
    assert set(differ) == {"notebooks/01_preflight.ipynb", "notebooks/02_deploy_dev.ipynb"}
    assert "-ours()" in differ["notebooks/01_preflight.ipynb"]
    assert json.loads(file.read_text()) == notebook
    params = (tmp_path / "params" / "prod.yaml").read_bytes()
    upgraded(tmp_path, take=True)
    assert {one.state for one in upgraded(tmp_path)} == {"as it was"}
    assert file.read_bytes() == delivered_files()["notebooks/01_preflight.ipynb"]
    assert (tmp_path / "params" / "prod.yaml").read_bytes() == params


def test_a_notebook_that_only_ran_does_not_differ(tmp_path: Path) -> None:
    write(tmp_path, wanted())
    file = tmp_path / "notebooks" / "01_preflight.ipynb"
    notebook = json.loads(file.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"execution_count": 3, "outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}]}
    file.write_text(json.dumps(notebook))
    assert {one.state for one in upgraded(tmp_path)} == {"as it was"}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "params").write_text("")
    with pytest.raises(UsageError, match="--into"):
        write(tmp_path, wanted())


def test_a_link_or_a_folder_in_a_files_place_is_found_before_anything_is_written(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside.yaml"
    (root / "params").mkdir(parents=True)
    (root / "params" / "gates.yaml").symlink_to(outside)
    with pytest.raises(UsageError, match="leads nowhere"):
        write(root, wanted())
    (root / "params" / "gates.yaml").unlink()
    (root / "params" / "dev.yaml").mkdir()
    with pytest.raises(UsageError, match="a folder is in its place"):
        write(root, wanted())
    assert not outside.exists() and not (root / "notebooks").exists()


def test_contract_and_metrics_are_told_as_missing() -> None:
    said = " ".join(" ".join(row) for row in of_flags("orders").told() if row[0] == "missing")
    assert "contract" in said and "kpi_namespace" in said


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"release": "{a: b}"}, "'release' is '{a: b}'"),
        ({"release": "../../x"}, "'release' is '../../x'"),
        ({"stage": "a b"}, "api.stage"),
    ],
)
def test_what_params_check_would_refuse_is_never_written(tmp_path: Path, flags: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)) as refused:
        write(tmp_path, wanted(**flags))
    assert not list(tmp_path.iterdir()) and "/tmp" not in str(refused.value)


def test_words_that_yaml_reads_as_something_else_are_quoted(tmp_path: Path) -> None:
    write(tmp_path, wanted(stage="on", release="null"))
    assert yaml.safe_load((tmp_path / "params" / "service.yaml").read_text())["api"]["stage"] == "on"
    assert yaml.safe_load((tmp_path / "params" / "dev.yaml").read_text())["release"] == "null"


def test_a_failure_part_way_leaves_nothing_of_a_new_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = wanted()
    rename, count = Path.replace, iter(range(100))

    def full(part: Path, target: Path) -> Path:
        if next(count) == 20:  # the parameters that are checked first are among them
            raise OSError(28, "No space left on device")
        return rename(part, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match="No space left") as refused:
        write(tmp_path / "new", told)
    assert refused.value.nothing_changed and not list(tmp_path.iterdir())


def test_a_notebook_without_the_tag_of_its_parameters_differs(tmp_path: Path) -> None:
    write(tmp_path, wanted())
    file = tmp_path / "notebooks" / "01_preflight.ipynb"
    notebook = json.loads(file.read_text())
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    file.write_text(json.dumps(notebook))
    (one,) = [one for one in upgraded(tmp_path) if one.state == "differs"]
    assert "[parameters]" in one.difference
    upgraded(tmp_path, take=True)
    assert {one.state for one in upgraded(tmp_path)} == {"as it was"}


def test_a_setup_py_of_the_services_own_makes_no_checkout_of_the_project(tmp_path: Path) -> None:
    write(tmp_path, wanted())
    (tmp_path / "setup.py").write_text("")
    assert {one.state for one in upgraded(tmp_path)} == {"as it was"}


def test_a_project_is_rehearsed_without_the_runbooks_own_tests(tmp_path: Path) -> None:
    """They are in its checkout alone: 01 of a rehearsal in an adopted project could not find them."""
    commands = wanted()["params/rehearsal-commands.yaml"].decode()
    runs = [one["run"] for one in yaml.safe_load(commands)["checks"]]
    assert runs and all(run.startswith("python -m runbook_lib.rehearse.sandbox.iac ") for run in runs)
    assert len(runs) == 8


def test_a_service_without_a_status_route_is_said_at_the_beginning(tmp_path: Path) -> None:
    write(tmp_path, wanted(routes=("status=none",)))  # which checks every file
    said = yaml.safe_load((tmp_path / "params" / "service.yaml").read_text())
    assert "status" not in said["api"]["routes"] and "status" not in said["names"]
    assert said["contract"]["status"]["told_by"] == "table" and said["contract"]["result"]["fetched"] == "bucket"
    assert said["api"]["access_log_fields"]["status"] == "status", "another one of that name stays"


PARAMS = Path(__file__).parents[3] / "params"


def test_each_key_is_there_with_null_and_its_unit() -> None:
    told = yaml.safe_load(form("eu-west-3"))
    assert (told["region"], told["date"]) == ("eu-west-3", None)
    assert {item: one["unit"] for item, one in told["prices"].items()} == UNITS
    assert {item for item, one in told["prices"].items() if one["usd"] is not None} == {
        item for item in UNITS if item.startswith("llm.")
    }
    assert all(len(line) <= 120 for line in form("ap-southeast-1").splitlines())


def test_filled_in_with_what_stands_behind_each_it_is_the_delivered_list() -> None:
    text = re.sub(r"usd: null(.*)# us-east-1: (\S+)", r"usd: \2\1", form("us-east-1")).replace("null  ", "2026-11-01  ")
    mine, delivered = (Prices.model_validate(one) for one in (yaml.safe_load(text), read_yaml(PARAMS / "prices.yaml")))
    assert {item: one.usd / one.per for item, one in mine.prices.items()} == {
        item: one.usd / one.per for item, one in delivered.prices.items()
    }
    assert mine.source == delivered.source


@pytest.mark.slow
def test_init_writes_one_for_each_region_says_so_and_leaves_a_filled_one_alone(tmp_path: Path) -> None:
    own = {"qa": "development", "prod-eu": "production", "prod-us": "production"}
    answers = of_flags("invoice-press", region=["us-west-2", "prod-eu=eu-west-3"], environments=own)  # type: ignore[arg-type]
    answers.complete()
    write(tmp_path, planned(answers))
    folder = tmp_path / "params"
    assert sorted(path.name for path in folder.glob("prices-*")) == ["prices-eu-west-3.yaml", "prices-us-west-2.yaml"]
    assert isinstance(load_file(folder / "prod-eu.yaml").prices, NoPrices)
    told = {what: where for source, what, where in answers.told() if source == "missing"}
    assert told["prices in eu-west-3"].startswith("params/prices-eu-west-3.yaml, each `null` in it")
    notes = {one.file: one for one in check(folder) if one.note}
    # That of us-east-1 is there to be copied from, and read by none.
    assert set(notes) == {"prices-eu-west-3.yaml", "prices-us-west-2.yaml", "prices.yaml"}
    assert all(one.ok for one in notes.values())
    said = notes["prices-us-west-2.yaml"].sentence
    assert all(f"{item} (per {unit})" in said for item, unit in UNITS.items() if not item.startswith("llm."))
    assert "no soak passes its gate cost" in said
    again = of_flags("invoice-press", region=there.regions(tmp_path, own), environments=own)  # type: ignore[arg-type]
    assert [again.region_of(env) for env in own] == ["us-west-2", "eu-west-3", "us-west-2"]
    filled = (folder / "prices-us-west-2.yaml").read_text().replace("usd: null", "usd: 0.01")
    (folder / "prices-us-west-2.yaml").write_text(filled.replace("date: null", "date: 2026-11-20"))
    again.complete()
    assert "params/prices-us-west-2.yaml" not in there.priced(tmp_path, planned(again))
    assert {one.state for one in write(tmp_path, there.priced(tmp_path, planned(again)))} == {"as it was"}
    found = {one.file: one for one in check(folder)}["prices-us-west-2.yaml"]
    assert (found.note, found.sentence) == (False, "prices of us-west-2, looked up on 2026-11-20")
