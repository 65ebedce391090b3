"""The form of a region's price list: every key with its unit, and `null` for each price that somebody must look up."""

from __future__ import annotations

import re
from typing import Any

import yaml

from runbook_lib.base.project import delivered_files
from runbook_lib.commands.init.answers import REGION
from runbook_lib.params.price_list import LLM

_HEAD = """\
# To be filled in: each `null` is a price in {region} that nobody has written yet.
# Until all are there, the cost is NO DATA, and no soak passes its gate.
# Behind each stands that of {known}, to see by what order of magnitude yours must be. Tiers: as prices.yaml has them.
"""
_DAY = "null                     # the day on which you looked the prices up, such as 2026-11-01"


def form(region: str) -> str:
    """The text of the list. What the LLM's provider bills is the same in every region, and stays.

    The free tier is AWS's own for all regions together, and stays, too.
    """
    delivered = delivered_files()["params/prices.yaml"].decode()
    head = re.sub(r"(?m)^region: .*$", f"region: {region}", delivered.partition("\nprices:\n")[0])
    head = re.sub(r"(?m)^date: .*$", f"date: {_DAY}", head)
    listed: dict[str, dict[str, Any]] = yaml.safe_load(delivered)["prices"]
    lines = [line for item, price in listed.items() for line in _line(item, price)]
    return "\n".join((_HEAD.format(region=region, known=REGION) + head, "prices:", *lines, ""))


def _line(item: str, price: dict[str, Any]) -> tuple[str]:
    kept = item.startswith(LLM)
    usd = _figure(price["usd"])
    free = f", free: {price['free']}" if "free" in price else ""
    said = f"  {item}: {{usd: {usd if kept else 'null'}, per: {price['per']}, unit: {price['unit']}{free}}}"
    return (said if kept else f"{said}   # {REGION}: {usd}",)


def _figure(usd: float) -> str:
    """All digits, never as 1.67e-05."""
    return f"{usd:.10f}".rstrip("0").rstrip(".")
