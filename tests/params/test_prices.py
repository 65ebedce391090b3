"""The price list: what is wrong with one is a single sentence; tiers and free tier count where they are switched on."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from runbook_lib.base.errors import UsageError
from runbook_lib.base.window import Window
from runbook_lib.judge.money.charges import UNITS
from runbook_lib.observe.evidence.costs import async_cost, sync_cost
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.metrics.fetch import Answers
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.load import load, load_file, read_yaml, validated
from runbook_lib.params.prices import NoPrices, Prices, prices_of

PARAMS = Path(__file__).parents[2] / "params"
RAW = read_yaml(PARAMS / "prices.yaml")
PRICES = Prices.model_validate(RAW)
GB_S = "lambda.gb_seconds.x86_64"


def changed(change: Callable[[dict[str, Any]], object]) -> Prices:
    raw = copy.deepcopy(RAW)
    change(raw)
    return validated(Prices, raw, "params/prices.yaml")


def test_the_price_list_that_comes_along_has_every_item_with_its_source() -> None:
    prices = changed(lambda _: None)
    assert set(prices.prices) == set(UNITS)
    assert all(url.startswith("https://") for url in prices.source.values())
    assert not prices.tiers and not prices.free_tier


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda p: p["prices"].pop("sqs.requests"), "'sqs.requests' has no price; give it one per request"),
        (lambda p: p["prices"]["sqs.requests"].update(usd=-1), "'prices.sqs.requests.usd' is -1"),
        (lambda p: p["prices"]["sqs.requests"].update(usd=float("nan")), "'prices.sqs.requests.usd' is nan"),
        (lambda p: p["prices"]["sqs.requests"].update(per=0), "'prices.sqs.requests.per' is 0"),
        (lambda p: p["prices"]["sqs.requests"].update(unit="message"), "per 'message', an unknown unit"),
        (lambda p: p["prices"].update({"sqs.request": p["prices"]["sqs.requests"]}), "did you mean 'sqs.requests'"),
        (lambda p: p["source"].pop("sqs"), "'sqs.requests' has no source"),
        (lambda p: p["prices"]["sqs.requests"].update(tiers=[{"above": n, "usd": 1} for n in (9, 2)]), "rising"),
        (lambda p: p.update(date="yesterday"), "'date'"),
        (lambda p: p.update(currency="EUR"), "'currency' is 'EUR'"),
    ],
)
def test_what_is_wrong_is_one_sentence(change: Callable[[dict[str, Any]], object], sentence: str) -> None:
    with pytest.raises(UsageError, match=r"params/prices\.yaml") as raised:
        changed(change)
    assert sentence in str(raised.value) and "\n" not in str(raised.value)


def _folder(tmp_path: Path) -> Path:
    for file in PARAMS.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def test_a_region_without_prices_is_a_sentence_and_no_guess_and_its_own_file_is_taken(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    elsewhere = {**read_yaml(folder / "prod.yaml"), "region": "eu-central-1"}
    params = load(elsewhere, folder=folder)
    (said,) = params.trouble
    assert said.startswith("there are no prices of eu-central-1 (") and "prices-eu-central-1.yaml" in said
    with pytest.raises(UsageError, match=r"no price of 2 sqs\.requests: there are no prices of eu-central-1"):
        params.prices.of("sqs.requests", 2)
    assert params.prices.of("llm.input_tokens", 1) == PRICES.of("llm.input_tokens", 1), "the provider's are the same"
    assert prices_of(params.prices.model_dump(mode="json")).stale(dt.date(2026, 11, 1)) == params.prices.stale(
        dt.date(2026, 11, 1)
    )
    own = {**RAW, "region": "eu-central-1"}
    (folder / "prices-eu-central-1.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    assert load(elsewhere, folder=folder).prices.region == "eu-central-1"
    assert load_file(folder / "prod.yaml").prices.region == "us-east-1"


def test_the_cost_of_a_region_without_prices_is_no_data_with_the_sentence() -> None:
    none = NoPrices.because("there are no prices of eu-west-1 (x): write them", "eu-west-1", PRICES)
    params = load_file(PARAMS / "prod.yaml").model_copy(update={"prices": none})
    now = dt.datetime(2026, 11, 10, tzinfo=dt.UTC)
    window = Window(now - dt.timedelta(hours=24), now)
    seen = Answered(
        Answers([], {}), None, {}, TrafficState(dial_percent=10, switch_on=True, weight=10), params, window, now, None
    )
    for made in (async_cost(seen), sync_cost(seen)):
        assert (made.value, made.notes) == (None, (none.why,))


def test_an_old_list_says_so() -> None:
    prices = changed(lambda p: p.update(max_age_days=90))
    assert prices.stale(prices.date + dt.timedelta(days=90)) is None
    assert "91 days old (limit 90)" in str(prices.stale(prices.date + dt.timedelta(days=91)))


@pytest.mark.parametrize(
    ("quantity", "tiers", "free", "usd"),
    [
        (1e6, False, False, 16.6667),
        (1e6, False, True, 10.00002),
        (300_000, False, True, 0.0),
        (16e9, True, False, 6e9 * 0.0000166667 + 9e9 * 0.000015 + 1e9 * 0.0000133334),
        (16e9, False, False, 16e9 * 0.0000166667),
        (6e9 + 400_000, True, True, 6e9 * 0.0000166667),
    ],
)
def test_tiers_and_free_tier_of_a_month(quantity: float, tiers: bool, free: bool, usd: float) -> None:
    prices = changed(lambda p: p.update(tiers=tiers, free_tier=free))
    assert prices.month(GB_S, quantity) == pytest.approx(usd)
    assert prices.of(GB_S, quantity) == pytest.approx(quantity * 0.0000166667), "a window is priced at the first tier"
