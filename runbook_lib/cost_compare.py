"""The cost of a successful VPR, asynchronous and synchronous side by side, infrastructure and tokens apart.

A success of the synchronous side is what the gateway answered: what its Lambda finished after the client's 504 was paid
for and reached nobody (DOMAIN.md, trap 2). Money without a success is infinite, not zero (trap 25).
"""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from runbook_lib.aws import aws_errors
from runbook_lib.judge.checks import Check, check
from runbook_lib.judge.cost import Usage, UsageLine, cost_per_vpr
from runbook_lib.judge.model import Evidence
from runbook_lib.observe.fetch import Answers, Ask
from runbook_lib.observe.questions import settled
from runbook_lib.observe.window import Window
from runbook_lib.params import Params
from runbook_lib.record.record import Record
from runbook_lib.run import Run

CHECK = "cost.compared"
_ASKED = ("sync_requests", "sync_5xx", "sync_fn_invocations", "sync_fn_duration", "vpr_cost_usd")


def asks(params: Params, window: Window, now: dt.datetime) -> list[Ask]:
    """What the synchronous side used in the settled part of `window`."""
    whole = settled(params, window, now)
    return [Ask(name, whole, "Sum", label=f"compare:{name}") for name in _ASKED]


def compare(run: Run, answers: Answers, own: Evidence, kept: dict[str, Any] | None) -> Check:
    """Both sides as one advisory check; where no request is synchronous any more, that side as `kept` has it.

    Args:
        own: evidence of the asynchronous cost.
        kept: facts of an earlier comparison.
    """
    sync = _sync(run, answers) or dict((kept or {}).get("sync") or {})
    mine = {
        "infrastructure": _or_infinite(own, "infrastructure"),
        "llm": _or_infinite(own, "llm"),
        "successes": own.n or 0,
    }
    facts: dict[str, Any] = {"async": mine, "sync": sync, "window": [own.start, own.end]}
    both = bool(sync) and own.value is not None
    words = f"async {_words(mine)}; sync {_words(sync)}" if both else "one of the sides has no usage to compare yet"
    return check(
        CHECK, "Cost per successful VPR, async and sync", True if both else None, words, required=False,
        expected="both sides known", found="both" if both else "not both", **facts,
    )  # fmt: skip


def from_record(record: Record | None) -> dict[str, Any] | None:
    """The facts of the comparison that an earlier phase made."""
    found = next((one for one in (record.checks if record else ()) if one.get("id") == CHECK), None)
    return dict(found["facts"]) if found and found.get("facts") else None


def table(compared: Check) -> Any:
    """One row a side."""
    from runbook_lib.show.tables import table as shown

    rows = []
    for side in ("sync", "async"):
        facts = compared.facts.get(side) or {}
        cells = [_usd(facts.get(name)) for name in ("infrastructure", "llm")]
        both = [float(facts[name]) for name in ("infrastructure", "llm") if facts.get(name) is not None]
        rows.append(
            [side, *cells, _usd(math.fsum(both)) if len(both) == 2 else "–", f"{facts.get('successes', 0):,}",
             facts.get("note", "")]
        )  # fmt: skip
    head = ("Side", "Infrastructure, USD", "Tokens, USD", "Together, USD", "Successes", "Note")
    return shown(head, rows, caption="Cost per successful VPR", note=compared.reason)


def _sync(run: Run, answers: Answers) -> dict[str, Any]:
    """What the synchronous side cost per success; empty if nobody used it."""
    params = run.params
    total = {name: answers.total(f"compare:{name}") for name in _ASKED}
    requests, runs = total["sync_requests"], total["sync_fn_invocations"]
    if not requests or not runs or total["sync_fn_duration"] is None:
        return {}
    function = params.name("sync")
    with aws_errors(f"reading the memory of {function} (lambda:GetFunctionConfiguration)"):
        memory = int(run.aws.client("lambda").get_function_configuration(FunctionName=function)["MemorySize"])
    successes = max(0, round(requests - (total["sync_5xx"] or 0)))
    gb_s = total["sync_fn_duration"] / 1000 * memory / 1024
    lines = (
        UsageLine(service="API sync", item=f"apigateway.{params.service.api.kind}_requests", quantity=requests),
        UsageLine(service="Lambda sync", item="lambda.requests", quantity=runs),
        UsageLine(service="Lambda sync", item="lambda.gb_seconds", quantity=gb_s),
    )
    usage = Usage(path="sync", successes=successes, lines=lines)
    amount = cost_per_vpr(usage, params.prices, "infrastructure", confidence=params.policy.confidence)
    # The Lambda's own bill for its tokens: those of reports that nobody waited for any more are in it.
    llm = total["vpr_cost_usd"] or 0.0
    return {
        "infrastructure": amount.infrastructure,
        "llm": llm / successes if successes else (math.inf if llm else 0.0),
        "successes": successes,
        "requests": round(requests),
        "note": f"the gateway answered {successes:,} of {round(requests):,} requests",
        "run_id": run.run_id,
    }


def _or_infinite(own: Evidence, name: str) -> float | None:
    if own.extra.get("infinite"):
        return math.inf
    value = own.extra.get(name)
    return None if value is None else float(value)


def _usd(value: Any) -> str:
    if value is None:
        return "–"
    return "infinite" if math.isinf(float(value)) else f"{float(value):.6f}"


def _words(side: dict[str, Any]) -> str:
    return f"{_usd(side.get('infrastructure'))} USD infrastructure and {_usd(side.get('llm'))} USD tokens"
