"""`prices.yaml`: list prices of one region, with date and source. `prices-<region>.yaml` is for another region."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import hint
from runbook_lib.judge.money.charges import UNITS
from runbook_lib.judge.terms import Frozen


class Tier(Frozen):
    """Another price for units above a number per month."""

    above: float = Field(gt=0)
    """Units per month above which this price holds."""
    usd: float = Field(ge=0)
    """Price of `per` units, as in the item itself."""


class Price(Frozen):
    """One line of the price list."""

    usd: float = Field(ge=0, allow_inf_nan=False)
    """Price of `per` units."""
    per: float = Field(gt=0, allow_inf_nan=False)
    """Number of units for `usd`."""
    unit: str
    """Thing that is counted, such as `request` or `GB-s`; each item has one unit."""
    tiers: tuple[Tier, ...] = ()
    """Tiers, rising; the first units cost `usd`."""
    free: float = Field(default=0, ge=0)
    """Free units per month of AWS's always-free tier."""

    @model_validator(mode="after")
    def _rising(self) -> Price:
        above = [tier.above for tier in self.tiers]
        if above != sorted(set(above)):
            raise ValueError(f"tiers at {above}: expects them in rising order")
        return self


class Prices(Frozen):
    """The price list of one region."""

    region: str
    """AWS region of the prices."""
    date: dt.date
    """Date of the last comparison with the sources."""
    currency: Literal["USD"]
    """Currency of all amounts."""
    max_age_days: int = Field(default=180, gt=0)
    """Age in days from which the list gives a warning."""
    tiers: bool = False
    """Whether a month's projection uses the tiers."""
    free_tier: bool = False
    """Whether a month's projection deducts the free tier, as if this service had the account to itself."""
    source: dict[str, str]
    """First word of an item to the source of its price."""
    prices: dict[str, Price]

    @model_validator(mode="after")
    def _whole(self) -> Prices:
        for item, price in self.prices.items():
            if item not in UNITS:
                raise ValueError(f"nothing is billed as '{item}'; {hint(item, UNITS)}".removesuffix("; "))
            if price.unit != UNITS[item]:
                raise ValueError(
                    f"price '{item}' is per '{price.unit}', an unknown unit: it is billed by the {UNITS[item]}"
                )
            if item.split(".")[0] not in self.source:
                raise ValueError(f"price '{item}' has no source")
        missing = [item for item in UNITS if item not in self.prices]
        if missing:
            rest = f" (nor have {', '.join(missing[1:])})" if missing[1:] else ""
            raise ValueError(f"'{missing[0]}' has no price; give it one per {UNITS[missing[0]]}{rest}")
        return self

    def of(self, item: str, quantity: float) -> float:
        """USD for `quantity` units of `item` at the list price of the first tier.

        The rest of the window's month is unknown, so tiers and the free tier count only in `month`.
        """
        price = self.prices[item]
        return quantity * price.usd / price.per

    def month(self, item: str, quantity: float) -> float:
        """USD for a month's `quantity` of `item`; with tiers and free tier if they are switched on."""
        price = self.prices[item]
        left = max(0.0, quantity - price.free) if self.free_tier else quantity
        if not self.tiers:
            return left * price.usd / price.per
        usd, below = 0.0, 0.0
        steps = [(tier.above, tier.usd) for tier in price.tiers]
        rate = price.usd
        for above, following in steps:
            usd += max(0.0, min(left, above) - below) * rate / price.per
            below, rate = above, following
        return usd + max(0.0, left - below) * rate / price.per

    def stale(self, today: dt.date) -> str | None:
        """A sentence if the list is too old for decisions about money; None: it is not."""
        age = (today - self.date).days
        if age <= self.max_age_days:
            return None
        return (
            f"the prices of {self.region} are of {self.date}, {age} days old (limit {self.max_age_days}): "
            "compare prices.yaml with its sources, and set its date"
        )


class NoPrices(Prices):
    """Replaces a list of another region, or in an incident a missing or wrong list: asking for a price raises the
    reason.
    """

    why: str

    @model_validator(mode="after")
    def _whole(self) -> NoPrices:
        return self

    @classmethod
    def because(cls, why: str, region: str, others: Prices | None = None) -> NoPrices:
        """An empty list for a region, with the reason as a sentence.

        Args:
            others: the list of another region: the LLM provider's prices are the same there.
        """
        llm = {item: price for item, price in others.prices.items() if item.startswith("llm.")} if others else {}
        source = {"llm": others.source["llm"]} if others and "llm" in others.source else {}
        day = others.date if others else dt.date.min
        return cls.model_construct(
            region=region, date=day, currency="USD", source=source, prices=llm, max_age_days=1, why=why
        )

    def stale(self, today: dt.date) -> str | None:  # noqa: ARG002
        """The reason why there is no list."""
        return self.why

    def of(self, item: str, quantity: float) -> float:
        """See `Prices.of`. Raises UsageError: there is no price of the item, with the reason."""
        if item in self.prices:
            return super().of(item, quantity)
        raise UsageError(f"no price of {quantity:g} {item}: {self.why}")

    def month(self, item: str, quantity: float) -> float:
        """See `Prices.month`. Raises UsageError: there is no price of the item, with the reason."""
        if item in self.prices:
            return super().month(item, quantity)
        raise UsageError(f"no price of {quantity:g} {item}: {self.why}")


def prices_of(kept: Mapping[str, Any]) -> Prices | NoPrices:
    """The list that a record was made with, or why it had none."""
    if "why" in kept:
        return NoPrices.because(str(kept["why"]), str(kept.get("region", "")))
    return Prices.model_validate(kept)
