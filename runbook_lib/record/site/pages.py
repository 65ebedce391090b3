"""The pages of the site, made from the rows of the index."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runbook_lib.base.foreign import embedded
from runbook_lib.base.window import when
from runbook_lib.judge import words
from runbook_lib.judge.terms import Word
from runbook_lib.record.place import safe
from runbook_lib.record.report import environment
from runbook_lib.record.site import draw
from runbook_lib.record.site.asked import Rollout, Row, comparison, digest, settings
from runbook_lib.show.style import BADGES, badge_of, rank

FIRST = 100
"""Rows of the list in the page itself; a script shows the others."""
NEWEST = 60
"""Rollouts in the table of the first page."""
LONGEST = 500
"""Most judgements in the table of a gate."""
NONE = "–"
_READ_BACK = {True: "yes", False: "no", None: "not known"}


def page_of(kind: str, *parts: str) -> str:
    """File name of a page; distinct names get distinct files, even on disks that ignore case."""
    named = "-".join([kind, *(safe(part) for part in parts)])
    same = all(safe(part) == part == part.lower() and "-" not in part for part in parts[:-1])
    if same and safe(parts[-1]) == parts[-1].lower() == parts[-1]:
        return f"{named}.html"
    return f"{named}-{digest(parts)[:8]}.html"


class Pages:
    """Makes pages; `base` is the address of the archive's root as seen from a page."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")

    def index(
        self,
        runs: Sequence[Row],
        rollouts: Sequence[Row],
        gates: Sequence[Row],
        facts: Sequence[tuple[str, str]],
        damage: Sequence[str],
    ) -> str:
        """The first page: rollouts, gates, and every run, with filter and search."""
        told = [self._run(row) for row in runs]
        rows = [self._rollout(row) for row in rollouts]
        names = (
            ("env", "Environment"),
            ("release", "Release"),
            ("notebook", "Notebook"),
            ("word", "Decision"),
            ("operator", "Operator"),
        )
        page = {
            "kind": "index",
            "facts": facts,
            "damage": damage,
            "rollouts": rows[:NEWEST],
            "older": rows[NEWEST:],
            "gates": [
                {**row, "title": row["title"] or row["gate"], "page": page_of("gate", row["gate"])} for row in gates
            ],
            "filters": [(name, label, sorted({run[name] for run in told if run[name]})) for name, label in names],
            "first": told[:FIRST],
        }
        return self._page("Audit records", page, {"runs": told})

    def rollout(self, env: str, release: str, rows: Rollout, records: Mapping[str, Mapping[str, Any]]) -> str:
        """One release in one environment: its timeline, runs, people, changes, cost, and two runs side by side.

        Args:
            records: the JSON of each run's record, by run id, for parameters and policy.
        """
        runs = [self._run(row) | {"weight": _weight(row)} for row in rows.runs]
        page = {
            "kind": "rollout",
            "drawing": _markup(draw.both(lambda size: draw.weights(rows.runs, rows.people, size))),
            "runs": runs,
            "people": [
                _texts(row) | {"at": when(row["said_at"]), "arn": _short(row["caller"] or "")} for row in rows.people
            ],
            "actions": [
                _texts(row)
                | {"at": when(row["begun_at"]), "ok": _READ_BACK[row["ok"]], "arn": _short(row["person"] or "")}
                for row in rows.actions
            ],
            "costs": [
                row
                | {"at": when(row["as_of"]), "successes": _count(row["successes"])}
                | {name: _usd(row[name]) for name in ("infrastructure", "tokens")}
                for row in rows.costs
            ],
            "pick": [f"{run['at']} {run['notebook']} {run['word']}" for run in runs],
        }
        seen: dict[str, dict[str, str]] = {}
        compared = [run | self._compared(run["run"], rows.gates, records.get(run["run"], {}), seen) for run in runs]
        return self._page(f"{env} {release}", page, {"runs": compared, "settings": seen})

    def gate(self, gate: str, rows: Sequence[Row]) -> str:
        """The page of one gate: all runs, newest first."""
        title = next((row["title"] for row in reversed(rows) if row["title"]), gate)
        shown = [self._judged(row) for row in reversed(rows[-LONGEST:])]
        more = len(rows) if len(rows) > LONGEST else 0
        page = {
            "kind": "gate",
            "id": gate,
            "drawing": _markup(draw.both(partial(draw.gate, [row | {"word": _verdict(row)} for row in rows]))),
            "rows": shown,
            "more": more,
        }
        return self._page(title, page, {})

    def _compared(
        self, run: str, gates: Sequence[Row], record: Mapping[str, Any], seen: dict[str, dict[str, str]]
    ) -> dict[str, Any]:
        own = [row for row in gates if row["run"] == run]
        flat = settings(record)
        kept = {}
        for name in ("params", "policy"):
            part = {key: value for key, value in flat.items() if key.startswith(f"{name}.")}
            kept[name] = digest(part)[:12]
            seen[kept[name]] = part
        ordered = sorted(own, key=lambda row: rank(row["verdict"] or ""))
        return kept | {
            "gates": {
                row["gate"]: {
                    "title": row["title"] or row["gate"],
                    "word": _verdict(row),
                    "told": _value(row) + (f" ({_interval(row)})" if _interval(row) else ""),
                }
                for row in ordered
            }
        }

    def _run(self, row: Row) -> dict[str, Any]:
        return {
            **{name: row[name] or "" for name in ("run", "env", "release", "notebook", "operator")},
            "at": when(row["at"]),
            "attempt": row["attempt"] or 1,
            "word": _word(row["word"]),
            "who": _short(row["operator"] or ""),
            "reason": _sentence(row["error"] or row["reason"]),
            "report": self._report(row),
            "rollout": quote(page_of("rollout", row["env"] or "", row["release"] or "")),
        }

    def _rollout(self, row: Row) -> dict[str, Any]:
        return row | {
            "page": quote(page_of("rollout", row["env"] or "", row["release"] or "")),
            "word": _word((row["newest"] or {}).get("word")),
            "last": (row["newest"] or {}).get("notebook") or "",
            "most": NONE if row["most"] is None else f"{row['most']:g} %",
            "begin": when(row["begin"]),
            "end": when(row["end"]),
        }

    def _judged(self, row: Row) -> dict[str, Any]:
        return _texts(row) | {
            "at": when(row["at"]),
            "word": _verdict(row),
            "reason": _sentence(row["reason"]),
            "value": _value(row) or NONE,
            "interval": _interval(row) or NONE,
            "n": NONE if row["n"] is None else f"{row['n']:,}",
            "report": self._report(row),
            "rollout": quote(page_of("rollout", row["env"] or "", row["release"] or "")),
        }

    def _report(self, row: Row) -> str:
        return quote(f"{self.base}/{row['folder']}/report.html")

    def _page(self, title: str, page: Mapping[str, Any], data: Mapping[str, Any]) -> str:
        script, hash_ = _script()
        badges = {str(word): list(one) for word, one in BADGES.items()}
        text = embedded({**data, "badges": badges})
        made: str = (
            environment()
            .get_template("site.html.j2")
            .render(
                title=title, page=page, data=_markup(text), script=_markup(script), script_hash=hash_, badge_of=badge_of
            )
        )
        return made


@functools.cache
def _script() -> tuple[str, str]:
    text = (Path(__file__).parents[1] / "templates" / "site.js").read_text(encoding="utf-8")
    return text, "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _markup(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - made here, of escaped parts


def _word(told: str | None) -> str:
    word = (told or "").replace("_", " ").upper()
    return word if word in BADGES else str(Word.CLOSED)


def _verdict(row: Row) -> str:
    """The word for a gate, as in the report: WATCH if a look during the soak is undecided and on target so far."""
    word, value, target = _word(row["verdict"]), row["value"], comparison(row["target"])
    fine = not isinstance(value, (int, float)) or target is None or target.holds(value)
    watched = word == Word.INCONCLUSIVE and row["moment"] == "during" and fine
    return str(Word.WATCH) if watched else word


def _sentence(told: str | None) -> str:
    return words.shown(told) if told else ""


def _short(who: str) -> str:
    """The distinguishing part of a caller's name: for an ARN, the part after the account."""
    return who.split(":", 5)[5] if who.startswith("arn:") and who.count(":") >= 5 else who


def _texts(row: Row) -> dict[str, Any]:
    return {name: "" if value is None else value for name, value in row.items()}


def _weight(row: Row) -> str:
    before, after = row["weight_before"], row["weight_after"]
    if after is None:
        return NONE
    return f"{after:g} %" if before in (None, after) else f"{before:g} → {after:g} %"


def _value(row: Row) -> str:
    value = row["value"]
    return words.number(value, row["unit"] or "") if isinstance(value, (int, float)) else str(value or "")


def _interval(row: Row) -> str:
    low, high = (row[name] if isinstance(row[name], (int, float)) else None for name in ("low", "high"))
    return "" if low is None and high is None else words.interval(low, high, row["unit"] or "")


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else NONE


def _usd(value: Any) -> str:
    return f"{value:.5f}" if isinstance(value, (int, float)) else NONE if value is None else "∞"
