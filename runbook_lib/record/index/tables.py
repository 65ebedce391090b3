"""The records as five tables: their columns, and the rows of one record.

Rows come from the JSON of `record.json` alone, of any version. Times are UTC, durations seconds, money USD. A fact
that the record does not have is NULL.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from runbook_lib.judge.told import acted, failed, word_of
from runbook_lib.record.place import ENTRY

Type = Literal["VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP"]
Row = dict[str, Any]


class Column(NamedTuple):
    """One column of a table."""

    name: str
    type: Type
    told: str
    """The column's meaning, in a sentence."""


def _of_run() -> tuple[Column, ...]:
    return (
        Column("run", "VARCHAR", "Run id."),
        Column("env", "VARCHAR", "Environment."),
        Column("release", "VARCHAR", "Id of the rollout."),
        Column("notebook", "VARCHAR", "Notebook, step or command that ran."),
        Column("attempt", "BIGINT", "Attempt at the phase."),
        Column("as_of", "TIMESTAMP", "Instant that the run judged by."),
    )


TABLES: dict[str, tuple[Column, ...]] = {
    "runs": (
        *_of_run(),
        Column("mode", "VARCHAR", "`plan` or `apply`."),
        Column("origin", "VARCHAR", "What ran it: `papermill`, `interactive`, a command."),
        Column("status", "VARCHAR", "How it ended: `completed`, `failed`, `cancelled` or `died`."),
        Column("moment", "VARCHAR", "Where in its phase it was."),
        Column("decision", "VARCHAR", "PLANNED, SOAK, PROMOTE, HOLD or ROLLBACK; NULL: nothing was decided."),
        Column(
            "word", "VARCHAR", "What people read instead: ASYNC IS OFF, DONE, DIED; docs/verdicts.md has the table."
        ),
        Column("reason", "VARCHAR", "Why it decided so."),
        Column("error", "VARCHAR", "Why it did not complete, and what it had changed before that."),
        Column("operator", "VARCHAR", "Who ran it, by name; else the ARN."),
        Column("caller", "VARCHAR", "ARN of the caller, by AWS."),
        Column("host", "VARCHAR", "Machine that it ran on."),
        Column("account", "VARCHAR", "AWS account."),
        Column("region", "VARCHAR", "AWS region."),
        Column("opened_at", "TIMESTAMP", "First event, by the machine's clock."),
        Column("closed_at", "TIMESTAMP", "Closing event, by the machine's clock."),
        Column("sealed_at", "TIMESTAMP", "Sealing, by the machine's clock."),
        Column("took_s", "DOUBLE", "Seconds from the first event to the closing one."),
        Column("weight_before", "DOUBLE", "Percent of requests that were asynchronous before it changed anything."),
        Column("weight_after", "DOUBLE", "The same afterwards."),
        Column("gates", "BIGINT", "Gates that were judged."),
        Column("failed", "BIGINT", "Of these, FAIL."),
        Column("inconclusive", "BIGINT", "Of these, INCONCLUSIVE."),
        Column("changes", "BIGINT", "Changes to AWS that were begun."),
        Column("warnings", "BIGINT", "Warnings in the record."),
        Column("decided_at", "TIMESTAMP", "Of a rollback: when it was decided, by AWS's clock."),
        Column("set_at", "TIMESTAMP", "Of a rollback: when the way back was set."),
        Column("effective_at", "TIMESTAMP", "Of a rollback: when it was in effect for every client."),
        Column("version", "VARCHAR", "Version of the runbook."),
        Column("commit", "VARCHAR", "Commit of the project."),
        Column("folder", "VARCHAR", "Folder of the record, from the archive's root."),
        Column("hash", "VARCHAR", "Hash of the record."),
    ),
    "gates": (
        *_of_run(),
        Column("decision", "VARCHAR", "Decision of the run."),
        Column("gate", "VARCHAR", "Id of the gate."),
        Column("title", "VARCHAR", "Its title."),
        Column("verdict", "VARCHAR", "PASS, FAIL, INCONCLUSIVE or another verdict."),
        Column("value", "DOUBLE", "What was measured, in the gate's unit."),
        Column("low", "DOUBLE", "Lower end of the interval."),
        Column("high", "DOUBLE", "Upper end of the interval."),
        Column("n", "BIGINT", "Number of samples behind the value."),
        Column("unit", "VARCHAR", "Unit of value, interval and limits."),
        Column("target", "VARCHAR", "Target, such as `> 0.99`."),
        Column("alert", "VARCHAR", "Alert limit, such as `< 0.98`."),
        Column("required", "BOOLEAN", "Whether the decision depends on it."),
        Column("reason", "VARCHAR", "Why the verdict is so."),
        Column("since", "TIMESTAMP", "Where a change was found: since when."),
        Column("window_start", "TIMESTAMP", "Beginning of the time that was judged."),
        Column("window_end", "TIMESTAMP", "End of it."),
    ),
    "costs": (
        *_of_run(),
        Column("side", "VARCHAR", "`async` or `sync`."),
        Column("infrastructure", "DOUBLE", "USD of infrastructure for each success that reached its client."),
        Column("tokens", "DOUBLE", "USD of tokens for each."),
        Column("fixed", "DOUBLE", "Of infrastructure: what is paid at any traffic."),
        Column("variable", "DOUBLE", "Of infrastructure: what is paid by use."),
        Column("usd", "DOUBLE", "USD of the window, all together."),
        Column("successes", "BIGINT", "Successes that it is spread over."),
        Column("requests", "BIGINT", "Requests in the window."),
        Column("hours", "DOUBLE", "Length of the window."),
        Column("window_start", "TIMESTAMP", "Beginning of the window."),
        Column("window_end", "TIMESTAMP", "End of it."),
    ),
    "actions": (
        *_of_run(),
        Column("number", "BIGINT", "Place among the changes of its run, from 1."),
        Column("what", "VARCHAR", "What was to be changed, in words."),
        Column("step", "VARCHAR", "Step of the infrastructure code, where one was deployed."),
        Column("raises", "BOOLEAN", "Whether it raises exposure."),
        Column("before_json", "VARCHAR", "State before, as JSON."),
        Column("after_json", "VARCHAR", "State that was meant, as JSON."),
        Column("percent_before", "DOUBLE", "Percent of the dial before, where that was changed."),
        Column("percent_after", "DOUBLE", "Percent that was set."),
        Column("person", "VARCHAR", "ARN of the caller, by AWS."),
        Column("begun_at", "TIMESTAMP", "When it was begun, by AWS's clock."),
        Column("done_at", "TIMESTAMP", "When AWS had it."),
        Column("ok", "BOOLEAN", "Whether it read back; NULL: how it ended is not known."),
        Column("undo", "VARCHAR", "What undoes it."),
    ),
    "people": (
        Column("run", "VARCHAR", "Id of the entry's record."),
        Column("env", "VARCHAR", "Environment that it was entered in."),
        Column("release", "VARCHAR", "Id of the rollout."),
        Column("attempt", "BIGINT", "Attempt that it is for."),
        Column("kind", "VARCHAR", "approval, attestation, note, deviation, attachment or tombstone."),
        Column("item", "VARCHAR", "Notebook that was approved, item that was attested, setting that deviates."),
        Column("person", "VARCHAR", "Who said so, as it was typed."),
        Column("role", "VARCHAR", "As what."),
        Column("said_at", "TIMESTAMP", "When, by AWS's clock."),
        Column("text", "VARCHAR", "What was said."),
        Column("link", "VARCHAR", "Where the evidence is."),
        Column("caller", "VARCHAR", "ARN of the caller, by AWS."),
        Column("sealed_at", "TIMESTAMP", "Sealing, by the machine's clock."),
    ),
}


def rows_of(record: Mapping[str, Any], path: str) -> dict[str, list[Row]]:
    """The rows of one record by table, each with all columns.

    Args:
        record: the JSON of `record.json`; a value of a wrong type becomes NULL.
        path: folder of the record, from the archive's root.
    """
    if record.get("notebook") == ENTRY or record.get("entry"):
        return {"people": [_typed("people", _person(record))]}
    run = {name: record.get(name) for name in ("env", "release", "notebook", "attempt", "as_of")}
    run["run"] = record.get("run_id")
    found = {
        "runs": [run | _run(record, path)],
        "gates": [run | one for one in _gates(record)],
        "costs": [run | one for one in _costs(record)],
        "actions": [run | one for one in _actions(record)],
    }
    return {table: [_typed(table, row) for row in rows] for table, rows in found.items()}


def _run(record: Mapping[str, Any], path: str) -> Row:
    verdicts = [one.get("verdict") for one in _each(record, "gates")]
    same = ("mode", "origin", "status", "moment", "decision", "operator", "host", "region")
    times = ("opened_at", "closed_at", "sealed_at")
    opened, closed = _time(record.get("opened_at")), _time(record.get("closed_at"))
    incident, versions = _part(record, "incident"), _part(record, "versions")
    status, decision, origin, notebook = (
        one if isinstance(one := record.get(name), str) else None
        for name in ("status", "decision", "origin", "notebook")
    )
    outcome, checks = _part(record, "outcome"), _each(record, "checks")
    error = str(_part(record, "error").get("sentence") or "no decision")
    word = word_of(status, decision, outcome, origin=origin or "", notebook=notebook or "", checks=checks)
    return {
        **{name: record.get(name) for name in (*same, *times, "hash")},
        "word": word,
        **{name: incident.get(name) for name in ("decided_at", "set_at", "effective_at")},
        "reason": _part(record, "outcome").get("reason"),
        "error": None if status == "completed" else failed(error, acted(_each(record, "changes"))),
        "caller": record.get("caller_arn"),
        "account": record.get("account_id"),
        "took_s": (closed - opened).total_seconds() if opened and closed else None,
        "weight_before": _part(record, "traffic_before").get("weight"),
        "weight_after": _part(record, "traffic_after").get("weight"),
        "gates": len(verdicts),
        "failed": verdicts.count("FAIL"),
        "inconclusive": verdicts.count("INCONCLUSIVE"),
        "changes": len(_each(record, "changes")),
        "warnings": len(_list(record, "warnings")),
        "version": versions.get("rollout-runbook"),
        "commit": versions.get("commit"),
        "folder": path,
    }


def _gates(record: Mapping[str, Any]) -> Iterator[Row]:
    for one in _each(record, "gates"):
        gate, evidence = _part(one, "gate"), _part(one, "evidence")
        yield {
            **{name: one.get(name) for name in ("verdict", "value", "low", "high", "n", "reason", "since")},
            **{name: gate.get(name) for name in ("title", "unit", "target", "alert", "required")},
            "gate": gate.get("id"),
            "decision": record.get("decision"),
            "window_start": evidence.get("start"),
            "window_end": evidence.get("end"),
        }


def _costs(record: Mapping[str, Any]) -> Iterator[Row]:
    evidence = _part(record, "evidence")
    for side, measure in (("async", "cost_per_vpr"), ("sync", "cost_per_vpr_sync")):
        one = _part(evidence, measure)
        extra = _part(one, "extra")
        if extra.get("usd") is None and not extra.get("infinite"):
            continue
        each = {name: extra.get(name) for name in ("infrastructure", "fixed", "variable")}
        each["tokens"] = extra.get("llm")
        yield {
            "side": side,
            **(dict.fromkeys(each, math.inf) if extra.get("infinite") else each),
            **{name: extra.get(name) for name in ("usd", "requests", "hours")},
            "successes": one.get("n"),
            "window_start": one.get("start"),
            "window_end": one.get("end"),
        }


def _actions(record: Mapping[str, Any]) -> Iterator[Row]:
    for number, change in enumerate(_each(record, "changes"), 1):
        intent, outcome = _part(change, "intent"), change.get("outcome")
        done = outcome if isinstance(outcome, Mapping) else {}
        before, after = _part(intent, "before"), _part(intent, "after")
        yield {
            **{name: intent.get(name) for name in ("what", "raises", "undo")},
            "number": number,
            "step": intent.get("step") or None,
            "before_json": json.dumps(intent.get("before"), ensure_ascii=False, sort_keys=True),
            "after_json": json.dumps(intent.get("after"), ensure_ascii=False, sort_keys=True),
            "percent_before": before.get("percent") if "percent" in after else None,
            "percent_after": after.get("percent"),
            "person": intent.get("who"),
            "begun_at": intent.get("aws_at"),
            "done_at": done.get("aws_at") if done.get("ok") else None,
            "ok": done.get("ok"),
        }


def _person(record: Mapping[str, Any]) -> Row:
    entry = _part(record, "entry")
    return {
        **{name: record.get(name) for name in ("env", "release", "attempt", "sealed_at")},
        **{name: entry.get(name) for name in ("kind", "item", "role", "text", "link")},
        "run": record.get("run_id"),
        "person": entry.get("by"),
        "said_at": entry.get("at"),
        "caller": record.get("caller_arn"),
    }


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}


def _list(record: Mapping[str, Any], name: str) -> list[Any]:
    found = record.get(name)
    return found if isinstance(found, list) else []


def _each(record: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [one for one in _list(record, name) if isinstance(one, Mapping)]


def _typed(table: str, row: Row) -> Row:
    return {one.name: _value(one.type, row.get(one.name)) for one in TABLES[table]}


def _value(type_: Type, value: Any) -> Any:
    """The value as JSON that duckdb reads as its type; NULL if the value has another type."""
    match type_:
        case "VARCHAR":
            known = isinstance(value, str | int | float) and value != ""
            # Other programs reject half of a surrogate pair and NUL.
            return str(value).encode("utf-8", "replace").decode().replace("\0", "\ufffd") if known else None
        case "BOOLEAN":
            return value if isinstance(value, bool) else None
        case "TIMESTAMP":
            at = _time(value)
            return None if at is None else at.isoformat(" ", "milliseconds")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if type_ == "BIGINT":
        return int(value) if number and math.isfinite(value) and abs(value) < 2**63 else None
    if not number or math.isfinite(value):
        return value if number else None
    return str(value).replace("inf", "Infinity").replace("nan", "NaN")


def _time(value: Any) -> dt.datetime | None:
    """A time in UTC, without its zone; a time without a zone is taken as UTC."""
    try:
        at = dt.datetime.fromisoformat(value)
        return (at if at.tzinfo is None else at.astimezone(dt.UTC)).replace(tzinfo=None)
    except (TypeError, ValueError, OverflowError):
        return None
