"""An item of the jobs table in the runbook's own words, and back: all code that reads the table uses this module.

The runbook's own words are `job_id`, `status` (PENDING, PROCESSING, COMPLETED, FAILED), `created_at`, `started_at`,
`completed_at` (ISO 8601, UTC), `idempotency_key`, `result_key`, `error`, `source` (`probe:...` for a probe), `ttl` and
`token_usage` (`input`, `output`). The service's names for them are in `contract:` of its service.yaml.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from runbook_lib.base import json_body
from runbook_lib.base.template import filled
from runbook_lib.params.contract import Contract
from runbook_lib.params.contract_inside import WORDS

PROBE = "probe:"
"""Beginning of `source` for the job of a probe."""
TIMES = ("created_at", "started_at", "completed_at")


def attribute(name: str, contract: Contract) -> str:
    """The service's attribute for one of the runbook's own names; empty: there is none."""
    if name == "source":
        return contract.probe.arrives_in
    found: str = getattr(contract.table, name)
    return found


def projected(names: Iterable[str], contract: Contract) -> dict[str, str]:
    """Placeholders (`#status`) and attributes of a DynamoDB expression for `names`, each attribute once."""
    found: dict[str, str] = {}
    for name in names:
        for place, one in enumerate(_asked(name, contract)):
            if one and one not in found.values():
                found[f"#{name}{place or ''}"] = one
    return found


def _asked(name: str, contract: Contract) -> tuple[str, ...]:
    if name != "token_usage":
        return (attribute(name, contract),)
    return tuple(names[0] for _, _, names in contract.tokens.places)


def status(word: str, contract: Contract) -> str:
    """The runbook's own word for a status; a word that the contract does not know stays distinct from all others."""
    found = contract.table.meanings.get(word)
    return found or (f"{word} (no word of contract.table)" if word in WORDS else word)


def said(own: str, contract: Contract) -> str:
    """The service's first word for one of the runbook's own status words."""
    table = contract.table
    of = {
        "PENDING": table.pending,
        "PROCESSING": table.running or table.pending,
        "COMPLETED": table.completed,
        "FAILED": table.failed,
    }
    return of[own][0]


def own(item: Mapping[str, Any], contract: Contract) -> dict[str, Any]:
    """A plain item of the table (`base/tagged.py`) in the runbook's own words; missing values are left out."""
    table = contract.table
    found = {name: item[key] for name, key in table.named if item.get(key) is not None}  # NULL counts as missing
    if isinstance(found.get("status"), str):
        found["status"] = status(found["status"], contract)
    for name in TIMES if table.times != "iso" else ():
        if name in found:
            found[name] = _instant(found[name], 1 if table.times == "epoch_s" else 1000)
    mark = item.get(contract.probe.arrives_in)
    if isinstance(mark, str):
        marked = mark.startswith(contract.probe.prefix)
        found["source"] = PROBE + mark.removeprefix(contract.probe.prefix) if marked else "client"
    used = {
        side: one for side, path, _ in contract.tokens.places if (one := _count(json_body.at(item, path))) is not None
    }
    if len(used) == len(contract.tokens.places) > 0:  # one side alone would make the other 0
        found["token_usage"] = used
    return found


def is_probe(own: Mapping[str, Any]) -> bool:
    """Whether an item, in the runbook's own words, belongs to a probe."""
    return str(own.get("source", "")).startswith(PROBE)


def result_key(own: Mapping[str, Any], contract: Contract) -> str:
    """Key of the job's result in the bucket: from its item, or from `result.key`; empty: not yet known."""
    if contract.table.result_key:
        return str(own.get("result_key") or "")
    return filled(contract.result.key, {"job_id": own["job_id"]}) if own.get("status") == "COMPLETED" else ""


def stored(own: Mapping[str, Any], contract: Contract) -> dict[str, Any]:
    """An item in the runbook's own words as the service stores it; values without an attribute are left out.

    The mark of a probe stays in place if it has arrived with an id already.
    """
    table, found = contract.table, dict[str, Any]()
    for name, key in table.named:
        if name not in own:
            continue
        value = own[name]
        if name == "status":
            value = said(value, contract)
        elif name in TIMES and table.times != "iso":
            value = time_of(dt.datetime.fromisoformat(value), contract)
        found[key] = value
    source = own.get("source")
    if source is not None and contract.probe.arrives_in not in found:
        mark = contract.probe.prefix + source.removeprefix(PROBE)
        found[contract.probe.arrives_in] = mark if source.startswith(PROBE) else source
    used = own.get("token_usage", {})
    for side, _, (*outer, last) in contract.tokens.places if used else ():
        inner = found
        for name in outer:
            inner = inner.setdefault(name, {})
        if side in used:
            inner[last] = used[side]
    return found


def marked(item: Mapping[str, Any], mark: str, contract: Contract) -> dict[str, Any]:
    """An item as the service stores it, with the mark of a probe added if it has none."""
    place, prefix = contract.probe.arrives_in, contract.probe.prefix
    there = str(item.get(place, "")).startswith(prefix)
    return dict(item) if there else {**item, place: prefix + mark}


def time_of(moment: dt.datetime, contract: Contract) -> str | int:
    """A time in the table's form."""
    match contract.table.times:
        case "epoch_s":
            return int(moment.timestamp())
        case "epoch_ms":
            return round(moment.timestamp() * 1000)
        case _:
            text = moment.astimezone(dt.UTC).isoformat(timespec="milliseconds")
            return text.replace("+00:00", "Z")


def bounds(start: dt.datetime, end: dt.datetime, contract: Contract) -> tuple[dict[str, str], dict[str, str]]:
    """Bounds for DynamoDB's comparison with `created_at`: to the second, and one second wider at the end.

    They suit text with and without fractions and zone, and with a space instead of the T, which sorts before it: then
    DynamoDB returns more of the first day than was asked for. Code that counts compares the times themselves.
    """
    later = end + dt.timedelta(seconds=1)
    if contract.table.times == "iso":
        return {"S": f"{start:%Y-%m-%d %H:%M:%S}"}, {"S": f"{later:%Y-%m-%dT%H:%M:%S}"}
    factor = 1 if contract.table.times == "epoch_s" else 1000
    return {"N": str(int(start.timestamp()) * factor)}, {"N": str((int(later.timestamp()) + 1) * factor)}


def _instant(value: object, factor: int) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    try:
        moment = dt.datetime.fromtimestamp(value / factor, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return str(value)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _count(value: object) -> int | float | None:
    """A number of tokens; None: the value is not a number, or an impossible one."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
