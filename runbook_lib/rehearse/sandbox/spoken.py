"""The words of the sandbox's handlers: the contract of service.yaml as answers, attributes and words to write.

The runbook reads answers by the contract; this makes them. If the contract has no answer for a state, the answer is
that of a running job, as in a route that tells nothing. The handlers know no other words.
"""

from __future__ import annotations

import json
import re
from typing import Any

from runbook_lib.base.json_body import at, parts, texts, with_value
from runbook_lib.observe.alarms.declared import pairs
from runbook_lib.observe.metrics.catalogue import address
from runbook_lib.params import item
from runbook_lib.params.contract import Answers, Contract
from runbook_lib.params.contract_inside import ATTRIBUTES
from runbook_lib.params.load import Params

ID = "{job_id}"
_KPIS = {
    "submit": ("jobs_created",),
    "worker": ("jobs_completed", "input_tokens", "output_tokens"),
    "sync": ("vpr_generated",),
}
"""Metrics that each function writes into its log, by the id of the catalogue."""


def environment(params: Params, function: str) -> str:
    """A function's variable `CONTRACT`: the facts that it needs, as JSON (all variables of a Lambda have 4 kB)."""
    contract = params.service.contract
    said = {"submit": submit, "worker": worker, "status": status, "sync": sync}[function](contract)
    if function == "worker":
        said["failure"] = _json(params.failure_line())
    return json.dumps({**said, "kpi": kpis(params, function)}, separators=(",", ":"))


def kpis(params: Params, function: str) -> list[list[Any]]:
    """Namespace, name, and dimensions of the metrics that a function writes, in a fixed order."""
    silent = ("input_tokens", "output_tokens") if params.service.contract.tokens.told_by == "none" else ()
    ids = [id for id in _KPIS.get(function, ()) if id not in silent]
    found = [address(params.metric(id), params) for id in ids]
    return [[one["Namespace"], one["MetricName"], pairs(one["Dimensions"])] for one in found]


def failed_jobs(params: Params) -> dict[str, Any]:
    """The metric filter that counts the worker's failure lines under the address that the guard watches.

    A filter takes the values of dimensions from fields of the line, so each is searched in the sample line.
    """
    line, where = _json(params.failure_line()), address(params.metric("jobs_failed"), params)
    word = params.service.failure_word
    fields = line if isinstance(line, dict) else {}
    dimensions = [
        {"Key": one["Name"], "Value": f"$.{name}"}
        for one in where["Dimensions"]
        for name in [name for name, value in fields.items() if str(value) == one["Value"]][:1]
    ]
    made = {
        "MetricNamespace": where["Namespace"],
        "MetricName": where["MetricName"],
        "MetricValue": "1",
        "Unit": "Count",
    }
    return {
        "FilterPattern": f'{{ $.message = "{word}" }}' if fields.get("message") == word else f'"{word}"',
        "MetricTransformations": [{**made, **({"Dimensions": dimensions} if dimensions else {})}],
    }


def submit(contract: Contract) -> dict[str, Any]:
    """The facts for the submit function: its inputs, what it stores, and its answers."""
    asked, probe = contract.submit, contract.probe
    header = next((name for name, text in probe.headers.items() if "{probe}" in text), "")
    field = next((path for path, text in texts(asked.valid) if "{probe}" in text and text.startswith(probe.prefix)), "")
    return {
        "needs": _needs(contract),
        "key": parts(asked.idempotency_key) if asked.idempotency_key and asked.repeated is not None else [],
        "stored_key": parts(asked.idempotency_key) if asked.idempotency_key else [],
        "accepted": _answer(asked.accepted, asked.job_id),
        "repeated": _answer(asked.repeated or asked.accepted, asked.job_id),
        "refused": _answer(asked.refused),
        "mark": [header.lower(), [] if header else parts(field) if field else [], probe.arrives_in, probe.prefix],
        "table": _table(contract),
        "pending": item.said("PENDING", contract),
        "message": contract.message.model_dump()["body"],
        "id": parts(contract.message.job_id),
    }


def worker(contract: Contract) -> dict[str, Any]:
    """The facts for the worker: what it reads, stores and logs."""
    tokens, result = contract.tokens, contract.result
    return {
        "id": parts(contract.message.job_id),
        "table": _table(contract),
        "words": [item.said(word, contract) for word in ("PROCESSING", "COMPLETED", "FAILED")],
        "tokens": [names for _, _, names in tokens.places],
        "key": result.key,
        "document": document(contract),
    }


def status(contract: Contract) -> dict[str, Any]:
    """The facts for the status function: its answers for each of the table's words, and for a missing job."""
    asked, result = contract.status, contract.result
    running = _answer(asked.running)
    gone, table = asked.unknown or asked.running, contract.table
    done = _answer(asked.completed or asked.running, result.link if result.fetched == "link" else "", "{link}")
    failed = _answer(asked.failed or asked.running, asked.error, "{why}")
    return {
        "table": _table(contract),
        "words": {
            **dict.fromkeys(table.completed if asked.completed else (), done),
            **dict.fromkeys(table.failed if asked.failed else (), failed),
        },
        "running": running,
        "word": parts(asked.word) if asked.word and not asked.running.where else [],
        "unknown": _answer(gone),
        "gone": _answer(gone, code=gone.codes[-1]),
        "route": re.sub(r"\{.*?\}", "{}", result.path) if result.fetched == "route" else "",
        "key": result.key,
    }


def sync(contract: Contract) -> dict[str, Any]:
    """The facts for the old function: its input and its answers."""
    return {
        "needs": _needs(contract),
        "answer": [contract.sync.codes[0], {k: v for k, v in document(contract).items() if v != ID}],
        "refused": _answer(contract.submit.refused),
    }


def document(contract: Contract) -> dict[str, Any]:
    """The result that the worker writes, with `{job_id}` in place of the job's id."""
    result = contract.result
    made: dict[str, Any] = dict(result.example or {})
    for path in result.required:
        if at(made, path) in (None, "", [], {}):
            made = with_value(made, path, "A value proposition, at length.")
    return with_value(made, result.job_id, ID) if result.job_id else made


def _needs(contract: Contract) -> list[list[str]]:
    """Paths of the valid body's texts, each of which a submission must have."""
    paths = (parts(path) for path, _ in texts(contract.submit.valid))
    return [names for names in paths if names != [""] and not any(name.isdigit() for name in names)]


def _table(contract: Contract) -> dict[str, Any]:
    """The table's attributes by the runbook's own names, and its form of times."""
    return {**{name: getattr(contract.table, name) for name in ATTRIBUTES}, "times": contract.table.times}


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line


def _answer(of: Answers, path: str = "", value: str = ID, *, code: int | None = None) -> list[Any]:
    """Code and body of one of these answers, with a value to be filled in at a path."""
    body: dict[str, Any] = {}
    for where, values in of.where.items():
        body = with_value(body, where, values[0])
    return [code or of.codes[0], with_value(body, path, value) if path else body]
