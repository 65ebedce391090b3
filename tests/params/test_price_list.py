"""Which price list holds in a region: what nobody has written yet is named, item by item, and never guessed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.base.errors import UsageError
from runbook_lib.judge.money.charges import UNITS
from runbook_lib.params import price_list
from runbook_lib.params.load import Params, load, read_yaml
from runbook_lib.params.prices import NoPrices

PARAMS = Path(__file__).parents[2] / "params"


def told(folder: Path, change: Callable[[dict[str, Any]], object], region: str = "eu-west-3") -> Params:
    """The parameters with a list of the region's own, changed."""
    for name in ("service.yaml", "gates.yaml", "prices.yaml"):
        shutil.copy(PARAMS / name, folder)
    raw = {**read_yaml(PARAMS / "prices.yaml"), "region": region}
    change(raw)
    (folder / price_list.own_file(region)).write_text(yaml.safe_dump(raw))
    return load({**read_yaml(PARAMS / "prod.yaml"), "region": region}, folder=folder)


def nulled(*items: str) -> Callable[[dict[str, Any]], object]:
    def change(raw: dict[str, Any]) -> None:
        for item in items:
            if item == "date":
                raw["date"] = None
            else:
                raw["prices"][item]["usd"] = None

    return change


@pytest.mark.parametrize(
    ("items", "says"),
    [
        (("sqs.requests",), "has no price of sqs.requests yet: write what is `null` there"),
        (
            ("lambda.requests", "logs.ingested", "s3.storage"),
            "has no price of lambda.requests, logs.ingested and 1 more",
        ),
        (("date",), "has no date yet"),
        (("s3.storage", "date"), "has no price of s3.storage yet"),
    ],
)
def test_what_is_null_is_named_and_no_cost_is_told(tmp_path: Path, items: tuple[str, ...], says: str) -> None:
    params = told(tmp_path, nulled(*items))
    assert isinstance(params.prices, NoPrices) and says in params.prices.why
    assert f"{tmp_path.name}/prices-eu-west-3.yaml" in params.prices.why and params.trouble
    assert price_list.missing(tmp_path, "eu-west-3") == {one: UNITS.get(one, "") for one in items}
    with pytest.raises(UsageError, match="has no"):
        params.prices.of("sqs.requests", 2)


def test_a_whole_list_is_the_regions_own(tmp_path: Path) -> None:
    params = told(tmp_path, nulled())
    assert (type(params.prices).__name__, params.prices.region, params.trouble) == ("Prices", "eu-west-3", ())
    assert price_list.missing(tmp_path, "eu-west-3") == {}


def test_beside_what_is_null_everything_else_is_checked(tmp_path: Path) -> None:
    def change(raw: dict[str, Any]) -> None:
        nulled("sqs.requests")(raw)
        raw["prices"]["s3.storage"]["unit"] = "byte"

    with pytest.raises(UsageError, match=r"prices-eu-west-3\.yaml.*'s3\.storage' is per 'byte'"):
        told(tmp_path, change)


def test_without_a_list_all_but_the_providers_prices_are_missing(tmp_path: Path) -> None:
    told(tmp_path, nulled())
    left = price_list.missing(tmp_path, "ap-south-1")
    assert set(left) == {item for item in UNITS if not item.startswith("llm.")}
    assert left["dynamodb.read_units"] == "request unit"


@pytest.mark.parametrize("listed", [None, [], "none", {"sqs.requests": None}, {"sqs.requests": "free"}])
def test_a_list_of_another_form_is_refused_in_a_sentence(tmp_path: Path, listed: object) -> None:
    with pytest.raises(UsageError, match=r"prices-eu-west-3\.yaml"):
        told(tmp_path, lambda raw: raw.update(prices=listed, date=None))
