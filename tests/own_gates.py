"""A project whose gates are on metrics that nobody here chose: one of each kind, in a shop around the service."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from runbook_lib.base.project import params_dir

ROOT = params_dir(Path(__file__).parent).parent
SHOP: dict[str, Any] = {"namespace": "Shop/Checkout", "dimensions": {"Service": "shop-{env}"}}
MEASURES: dict[str, dict[str, Any]] = {
    "declined": {
        "kind": "rate",
        "bad": {**SHOP, "name": "Declined"},
        "of": {**SHOP, "name": "Attempts"},
        "zero_while": "of",
    },
    "served": {"kind": "rate", "good": {**SHOP, "name": "Served"}, "of": "shop_searches"},
    "connections": {
        "kind": "gauge",
        "value": {
            "namespace": "AWS/RDS",
            "name": "DatabaseConnections",
            "dimensions": {"DBInstanceIdentifier": "shop-{env}"},
        },
    },
    "search_time": {"kind": "quantile", "value": {**SHOP, "name": "SearchTime"}, "divided_by": 1000},
    "basket": {"kind": "amount", "value": {**SHOP, "name": "Turnover"}, "of": {**SHOP, "name": "Orders"}},
}
"""`measures:` of gates.yaml."""
METRICS = {"shop_searches": {**SHOP, "title": "Searches of the shop", "name": "Searches", "unit": "requests"}}
"""`metrics:` of service.yaml."""
_WHY: dict[str, Any] = {"why": "Ours.", "response": "switch_off"}
_LEVEL: dict[str, Any] = {**_WHY, "no_change_test": "Each point stands for itself.", "response": "hold"}
GATES: list[dict[str, Any]] = [
    {
        **{"id": "declined", "title": "Payments declined", "kind": "rate", "measure": "declined", "unit": "ratio"},
        **{"target": "< 0.02", "alert": "> 0.05", "failing": "were declined", "min_samples": 100},
        **{**_WHY, "always_rollback": True},
    },
    {
        **{"id": "served", "title": "Searches served", "kind": "rate", "measure": "served", "unit": "ratio"},
        **{"target": "> 0.98", "alert": "< 0.95", "failing": "were not served", "min_samples": 100, **_WHY},
    },
    {
        **{"id": "connections", "title": "Connections", "kind": "gauge", "measure": "connections"},
        **{"unit": "connections", "steady": 0.95, "target": "< 80", "alert": "> 95", **_LEVEL},
    },
    {
        **{"id": "search_time", "title": "P95 search time", "kind": "quantile", "measure": "search_time", "unit": "s"},
        **{"quantile": 0.95, "target": "< 1", "alert": "> 2", "min_samples": 60, "implausible": "< 0.005", **_WHY},
    },
    {
        **{"id": "basket", "title": "Basket", "kind": "amount", "measure": "basket", "unit": "EUR"},
        **{"target": "> 20", "alert": "< 10", "evidence": "point", "implausible": "> 10000", **_LEVEL},
    },
]


def policy(*only: str) -> dict[str, Any]:
    """Our gates.yaml with these gates more; all of them where none is named."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "params" / "gates.yaml").read_text(encoding="utf-8"))
    found["measures"] = MEASURES
    found["gates"] += [gate for gate in GATES if not only or gate["id"] in only]
    return found


def project(folder: Path, *only: str) -> Path:
    """A project in `folder` with that policy, and the notebooks beside it; the parameter file of prod."""
    shutil.copytree(ROOT / "params", folder / "params")
    (folder / "notebooks").symlink_to(ROOT / "notebooks")
    written(folder / "params" / "gates.yaml", policy(*only))
    service = yaml.safe_load((ROOT / "params" / "service.yaml").read_text(encoding="utf-8"))
    written(folder / "params" / "service.yaml", {**service, "metrics": METRICS})
    return folder / "params" / "prod.yaml"


def written(path: Path, what: dict[str, Any]) -> None:
    """Writes a file of parameters."""
    path.write_text(yaml.safe_dump(what, allow_unicode=True, sort_keys=False), encoding="utf-8")
