"""Finds the price list of a region, and those of its prices that nobody has written yet.

A price that is not written is `usd: null`, as in the form that `runbook init` writes for a region without a list. Then
there is no cost, but a sentence that names the price: it is never guessed, and never that of another region.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runbook_lib.base.project import read_yaml
from runbook_lib.judge.money.charges import UNITS
from runbook_lib.params.prices import NoPrices, Prices

DATE = "date"
LLM = "llm."
"""Beginning of the items that the LLM's provider bills: the same in every region."""
_SOME = 2
"""Items that a sentence names before it counts the others; `runbook params check` names all."""


def own_file(region: str) -> str:
    """Name of a region's own list."""
    return f"prices-{region}.yaml"


def file_of(folder: Path, region: str) -> Path:
    """The region's own list; without one `prices.yaml`, which may be another region's."""
    own = folder / own_file(region)
    return own if own.is_file() else folder / "prices.yaml"


def unwritten(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Each item of the file whose price is `null`, in its order, and `date`, if that is."""
    listed = raw.get("prices")
    items = listed.items() if isinstance(listed, Mapping) else ()
    found = [str(item) for item, one in items if isinstance(one, Mapping) and one.get("usd", 0) is None]
    return (*found, *((DATE,) if raw.get(DATE, 0) is None else ()))


def filled(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The file with any value where none is written, so that all else in it can be checked."""
    left = unwritten(raw)
    if not left:
        return raw
    prices = raw.get("prices")
    if isinstance(prices, Mapping):
        prices = {item: {**one, "usd": 0} if item in left else one for item, one in prices.items()}
    return {**raw, "prices": prices, **({DATE: dt.date.min} if DATE in left else {})}


def of_region(prices: Prices, path: Path, left: tuple[str, ...], region: str) -> Prices | NoPrices:
    """The list for the region; `NoPrices` if it is another region's, or something in it is not written yet.

    Args:
        prices: the file, `filled`.
        left: what is `unwritten` in it.
    """
    name = f"{path.parent.name}/{path.name}"
    if prices.region != region:
        why = f"there are no prices of {region} ({name} has those of {prices.region}): write them, with their sources "
        return NoPrices.because(f"{why}and their date, into {path.parent.name}/{own_file(region)}", region, prices)
    if not left:
        return prices
    known = {item: price for item, price in prices.prices.items() if item not in left}
    why = f"{name} has no {_some(left)} yet: write what is `null` there, by its sources"
    return NoPrices.because(why, region, prices.model_copy(update={"prices": known}))


def missing(folder: Path, region: str) -> dict[str, str]:
    """Each item of the region's list whose price is not written, to its unit; `date`: the day is not."""
    raw = read_yaml(file_of(folder, region))
    if raw.get("region") != region:
        return {item: unit for item, unit in UNITS.items() if not item.startswith(LLM)}
    return {one: UNITS.get(one, "") for one in unwritten(raw)}


def _some(left: tuple[str, ...]) -> str:
    prices = [one for one in left if one != DATE]
    if not prices:
        return DATE
    more = f" and {len(prices) - _SOME} more" if len(prices) > _SOME else ""
    return f"price of {', '.join(prices[:_SOME])}{more}"
