"""Makes a run's record from the run's journal.

The journal's events, each with the data that the record takes from it (`journal.jsonl` keeps more):

opened        run_id, notebook, origin, params (flat), policy, service, prices, versions
loaded        policy, service, prices, versions              (if the run did not wait for them)
caller        account_id, arn, operator, as_of, endpoint
traffic       when ("before", "after"), state
census        segment
evidence      evidence: measure -> Evidence
gate          result: GateResult (the last one for each gate id counts)
check         check: judge.checks.Check (the last one for each check id counts)
entry         entry: a person's attestation, approval, note
decision      moment, outcome: Outcome
incident      clock: judge.incident.Clock (of a rollback; the last one counts; None: this run changed nothing)
intent        id, what, before, after, undo, by_hand, raises, and facts such as step   (write-ahead)
outcome       intent (the intent's id), ok, read_back, error
warning, note text
error         type, text
closed        decision, said, reason, next
attached      name, bytes, sha256                            (written by `Journal.attach`)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from runbook_lib.base.errors import NOTHING
from runbook_lib.judge.told import of_today
from runbook_lib.record.record import Problem, Record, Status


def from_journal(
    events: Sequence[Mapping[str, Any]],
    *,
    status: Status,
    owner: Mapping[str, Any] | None = None,
    error: Problem | None = None,
) -> Record:
    """The record of a journal in any state; it is not sealed yet: no files, no hashes.

    Args:
        events: from `journal.read`; may be empty, torn, or end anywhere.
        status: how the run ended.
        owner: facts of the staging folder, used if the journal does not name them.
        error: why the run ended so; default: the journal's last `error`.

    A value of an unusable type is left out with a warning, so there is always a record.
    """
    draft: dict[str, Any] = {
        key: owner[key] for key in ("run_id", "env", "release", "notebook", "origin", "host") if owner and key in owner
    }
    draft |= {"status": status, "warnings": [], "notes": []}
    _given(draft, (owner or {}).get("params"))
    for event in events:
        read = _READERS.get(str(event.get("event")))
        if read is not None:
            read(draft, event)
    gates = draft.pop("gates_by_id", {})
    draft["gates"] = list(gates.values())
    draft["checks"] = list(draft.pop("checks_by_id", {}).values())
    if error is not None:
        draft["error"] = error.model_dump()
    if status == "completed":
        draft.pop("error", None)
    draft["warnings"] += _gaps(events)
    return _lenient(draft)


def _given(draft: dict[str, Any], given: Any) -> None:
    """Enters the flat parameters of the run."""
    flat: dict[str, Any] = given if isinstance(given, dict) else {}
    draft["params"] = flat
    for key in ("env", "account_id", "region", "release", "attempt", "mode", "operator", "reason", "as_of"):
        if flat.get(key) not in (None, ""):
            draft[key] = flat[key]


def _opened(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    _given(draft, event.get("params"))
    for key in ("run_id", "notebook", "origin", "policy", "service", "prices", "versions"):
        if key in event:
            draft[key] = event[key]
    draft["opened_at"] = event.get("at")


def _loaded(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    draft |= {key: event[key] for key in ("policy", "service", "prices", "versions") if key in event}


def _caller(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    names = {"account_id": "account_id", "arn": "caller_arn", "as_of": "as_of", "operator": "operator"}
    draft |= {name: event[key] for key, name in names.items() if event.get(key)}
    draft["endpoint"] = event.get("endpoint") or ""


def _traffic(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    draft["traffic_after" if event.get("when") == "after" else "traffic_before"] = event.get("state")


def _gate(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    result = event.get("result")
    if isinstance(result, dict):
        gate = result.get("gate")
        draft.setdefault("gates_by_id", {})[str(gate.get("id") if isinstance(gate, dict) else gate)] = result


def _check(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    found = event.get("check")
    if isinstance(found, dict):
        draft.setdefault("checks_by_id", {})[str(found.get("id"))] = found


def _entry(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    if isinstance(event.get("entry"), dict):
        draft["entry"] = event["entry"]


def _decision(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    outcome = event.get("outcome")
    if isinstance(outcome, dict):
        draft["decision"] = outcome.get("decision")
        draft["outcome"] = {key: value for key, value in of_today(outcome).items() if key != "results"}
        results = outcome.get("results")
        for result in results if isinstance(results, list) else ():
            _gate(draft, {"result": result})
    if event.get("moment") is not None:
        draft["moment"] = event["moment"]


def _intent(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    draft.setdefault("changes", []).append({"intent": _data(event), "outcome": None})


def _outcome(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    changes = draft.setdefault("changes", [])
    wanted = event.get("intent", event.get("id"))
    waiting = [change for change in changes if change["outcome"] is None]
    if wanted is not None:
        waiting = [change for change in waiting if wanted in (change["intent"].get("id"), change["intent"].get("seq"))]
    if waiting:
        waiting[-1]["outcome"] = _data(event)
    else:
        draft["warnings"].append(f"an outcome answers no known intent ({wanted})")


def _closed(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    draft["closed_at"] = event.get("at")
    if draft.get("decision") is None and event.get("decision"):
        draft["decision"] = event["decision"]
        said = of_today(event)
        draft["outcome"] = {key: said.get(key) for key in ("decision", "said", "reason", "next")}


def _error(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    said = str(event.get("text") or "").removesuffix(NOTHING)  # version 0.1 wrote it into the sentence
    draft["error"] = {"type": str(event.get("type") or "Error"), "sentence": said}


def _census(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    if isinstance(event.get("segment"), dict):
        draft.setdefault("census", []).append(event["segment"])


def _text(field: str) -> Callable[[dict[str, Any], Mapping[str, Any]], None]:
    """A reader that collects the text of each event in the list `field`."""

    def read(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
        draft[field].append(str(event.get("text", "")))

    return read


def _evidence(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    evidence = event.get("evidence")
    if isinstance(evidence, dict):
        draft.setdefault("evidence", {}).update(evidence)


def _incident(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    clock = event.get("clock")
    draft["incident"] = clock if isinstance(clock, dict) else None


def _torn(draft: dict[str, Any], event: Mapping[str, Any]) -> None:
    draft["warnings"].append(f"a line of the journal was torn by a crash: {event.get('text', '')!r}")


_READERS: dict[str, Callable[[dict[str, Any], Mapping[str, Any]], None]] = {
    "opened": _opened,
    "loaded": _loaded,
    "caller": _caller,
    "traffic": _traffic,
    "census": _census,
    "evidence": _evidence,
    "gate": _gate,
    "check": _check,
    "entry": _entry,
    "incident": _incident,
    "decision": _decision,
    "intent": _intent,
    "outcome": _outcome,
    "warning": _text("warnings"),
    "note": _text("notes"),
    "error": _error,
    "closed": _closed,
    "torn": _torn,
}


def _data(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "event"}


def _gaps(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """A warning for missing event numbers: those events could not be written (they went to stderr)."""
    seen = [event["seq"] for event in events if isinstance(event.get("seq"), int)]
    missing = sorted(set(range(1, max(seen, default=0) + 1)) - set(seen))
    return [f"the journal lacks event {', '.join(map(str, missing))}: it could not be written"] if missing else []


def _lenient(draft: dict[str, Any]) -> Record:
    """The record without the fields whose values do not fit."""
    while True:
        try:
            return Record.model_validate(draft)
        except ValidationError as error:
            field = str(error.errors()[0]["loc"][0])
            del draft[field]
            draft["warnings"].append(f"the journal's '{field}' could not be read; see journal.jsonl")
