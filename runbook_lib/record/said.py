"""The statement of a person in the report of an entry: who, in which role, what, when, with which evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from runbook_lib.base.window import when
from runbook_lib.judge.words import person, setting
from runbook_lib.record.record import Record
from runbook_lib.record.redact_notebook import redact_text
from runbook_lib.show.style import GREEN, GREY, ORANGE


class Kind(NamedTuple):
    """The wording of one kind of entry."""

    word: str
    icon: str
    colour: str
    did: str
    """What the person did, to be followed by the item."""


KINDS = {
    "attestation": Kind("ATTESTED", "✔", GREEN, "attested"),
    "approval": Kind("APPROVED", "✔", GREEN, "approved"),
    "note": Kind("NOTED", "✎", GREY, "noted"),
    "deviation": Kind("DEVIATION", "!", ORANGE, "recorded the deviation"),
    "tombstone": Kind("PRUNED", "✝", GREY, "pruned old records"),
    "attachment": Kind("ATTACHED", "+", GREY, "attached a notebook to"),
}
_ACTS = {
    "opened": "{title} was changed by hand from {was} to {value}.",
    "undone": "{title} was put back from {value} to {was}.",
    "adopted": "{title}: {value} was adopted into the code.",
    "withdrawn": "{title} stayed at {was}: the change to {value} was refused.",
}
"""What was said about a deviation (`judge/incidents/deviation.py::Act`)."""
_NAMES = {"Was": "Before", "Value": "After", "Incident": "Mitigation"}
"""Names of a deviation's facts for people."""
_INSIDE = ("symptom",)
"""What a deviation says of itself for the next run only."""
_OTHER = Kind("ENTERED", "•", GREY, "entered")
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)


def title(record: Record) -> str:
    """The page's title, such as `Approval of 07_phase2_50_percent`."""
    entry = record.entry or {}
    return entry_title(entry.get("kind"), redact_text(str(entry.get("item") or "")))


def entry_title(kind: object, item: object) -> str:
    """An entry's kind and item, such as `Note on 06_phase1_10_percent`; `Note` without an item."""
    of = {"note": " on ", "deviation": ": "}.get(str(kind), " of ")
    return f"{str(kind or 'entry').capitalize()}{f'{of}{item}' if item else ''}"


def headline(record: Record) -> tuple[str, str, str, str, str, str]:
    """Word, icon and colour of the banner, the statement as a sentence, the next step (none), and an aside.

    For a note the sentence is the noted text, for a deviation the change; the aside says who stated it.
    """
    entry = record.entry or {}
    kind = KINDS.get(str(entry.get("kind")), _OTHER)
    by, role, item = (redact_text(str(entry.get(name) or "")) for name in ("by", "role", "item"))
    who = person(by or "Somebody", role)
    at = when(entry.get("at"))
    told = f"{who} {kind.did}{f' `{item}`' if item else ''}" + (f" on {at}" if at else "")
    words = redact_text(_first(entry))
    return kind.word, kind.icon, kind.colour, words or f"{told}.", "", f"{told}." if words else ""


def rows(record: Record, facts: Sequence[tuple[str, str]] = ()) -> list[dict[str, Any]]:
    """Rows of who, role, what, when and evidence: name, text, and an address if the text is one.

    Args:
        facts: the entry's structured facts, as name and text; those that another row shows are left out.
    """
    entry: Mapping[str, Any] = record.entry or {}
    first = _first(entry)
    told = {
        "Who": str(entry.get("by") or ""),
        "Role": str(entry.get("role") or "none was said"),
        "What": str(entry.get("item") or ""),
        "When": when(entry.get("at")),
        "In their words": "" if first else str(entry.get("text") or ""),
        "Evidence": str(entry.get("link") or "none was given"),
        "Signed off": _signed(entry),
        "Caller": record.caller_arn or "AWS was not asked who it was",
    }
    if not _signed(entry):
        there = {*told.values(), str(entry.get("kind")), when(entry.get("at"), seconds=True)}
        more = {name.capitalize(): text for name, text in facts if text not in there and name.capitalize() not in told}
        deviates = first and entry.get("kind") == "deviation"
        told |= {**_of_deviation(more), **_settings(entry)} if deviates else {**more, **_pruned(entry)}
        if deviates and entry["facts"].get("act", "opened") == "opened":
            told = _of_a_run(told, str(entry["facts"].get("run_id") or ""), entry)
    return [
        {"name": name, "text": redact_text(text), "address": _address(redact_text(text)) if name == "Evidence" else ""}
        for name, text in told.items()
        if text
    ]


def _first(entry: Mapping[str, Any]) -> str:
    """The banner's text instead of the person: the words of a note, the change of a deviation; else empty."""
    facts = entry.get("facts")
    if entry.get("kind") == "note":
        return str(entry.get("text") or "")
    if entry.get("kind") != "deviation" or not isinstance(facts, Mapping) or not facts.get("title"):
        return ""
    act = _ACTS.get(str(facts.get("act")), _ACTS["opened"])
    values = {name: setting(facts.get(name)) for name in ("was", "value")}
    return act.format(title=facts["title"], **values)


def _of_deviation(facts: Mapping[str, str]) -> dict[str, str]:
    """A deviation's facts as people name them, without those that the banner or another row has."""
    told = {"Title", "Act", "Facts", *(("Run id", "Notebook") if "Incident" in facts else ())}
    return {_NAMES.get(name, name): text for name, text in facts.items() if name not in told}


def _of_a_run(told: dict[str, str], run: str, entry: Mapping[str, Any]) -> dict[str, str]:
    """The rows of what a run recorded: it has no role, and is the evidence. Its report is sealed after this page."""
    if not run:
        return told
    own = {"Role": entry.get("role"), "Evidence": entry.get("link")}
    rows = {name: text for name, text in told.items() if own.get(name, True)}
    if "Mitigation" in rows:
        rows["Mitigation"] += f"; to see it: runbook archive show {run}"
    return rows


def _settings(entry: Mapping[str, Any]) -> dict[str, str]:
    """What a deviation keeps beside its value, such as units of a table and its indexes; empty: nothing."""
    kept = (entry.get("facts") or {}).get("facts")
    named = kept.items() if isinstance(kept, Mapping) else ()
    return {
        str(name).replace("_", " ").capitalize(): _each(value) for name, value in named if value and name not in _INSIDE
    }


def _each(value: Any) -> str:
    """A setting, or several of them by name: `jobs read 100, write 100; index read 5, write 5`."""
    if not isinstance(value, Mapping):
        return setting(value)
    deep = any(isinstance(one, Mapping) for one in value.values())
    return ("; " if deep else ", ").join(f"{name} {_each(one)}" for name, one in value.items())


def _pruned(entry: Mapping[str, Any]) -> dict[str, str]:
    """The records that a tombstone stands for (`record/tombstones.py`), each as notebook, run and time of sealing."""
    named = (entry.get("facts") or {}).get("records")
    if entry.get("kind") != "tombstone" or not isinstance(named, Mapping):
        return {}
    found = []
    for path, one in named.items():
        *_, notebook, name = ["", *str(path).split("/")]
        sealed = (one.get("leaf") or {}).get("sealed_at") if isinstance(one, Mapping) else None
        found.append(f"{notebook} {name.rpartition('-')[2]}" + (f", {when(sealed)}" if sealed else ""))
    return {"Records": "; ".join(found)}


def _signed(entry: Mapping[str, Any]) -> str:
    """The records that an approval refers to (`rollout/approval.py`); empty: it names none."""
    named = (entry.get("facts") or {}).get("evidence")
    found = [one for one in named if isinstance(one, Mapping)] if isinstance(named, list) else []
    return "; ".join(
        f"run {one.get('run_id')} of {one.get('requires')}, as of {when(one.get('at'))}, hash {one.get('hash')}"
        for one in found
    )


def _address(text: str) -> str:
    """The text if it is an address on the web or a file of the archive, and nothing that runs; else empty."""
    if _ADDRESS.fullmatch(text):
        return text
    return text if re.fullmatch(r"(?:\.\./)*[\w=.-]+(?:/[\w=.-]+)*\.(?:html|md|json|png|pdf|txt|csv)", text) else ""
