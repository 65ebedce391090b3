"""The form of a price list: every key is there, nothing is guessed, and filled in it is a list."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from runbook_lib.commands.init import there
from runbook_lib.commands.init.answers import of_flags
from runbook_lib.commands.init.folder import planned, write
from runbook_lib.commands.init.price_form import form
from runbook_lib.commands.params_check import check
from runbook_lib.judge.money.charges import UNITS
from runbook_lib.params.load import load_file, read_yaml
from runbook_lib.params.prices import NoPrices, Prices

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
    assert set(notes) == {"prices-eu-west-3.yaml", "prices-us-west-2.yaml"} and all(one.ok for one in notes.values())
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
