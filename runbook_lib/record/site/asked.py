"""The data of the site's pages, from the archive's index (`record/index`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from runbook_lib.judge.threshold import Comparison, Threshold
from runbook_lib.record.index.ask import opened, plain

Row = dict[str, Any]

_RUN = """
SELECT run, env, release, notebook, attempt, word, operator, reason, error, weight_before, weight_after,
  folder, coalesce(as_of, sealed_at) AS "at"
FROM runs"""
_RUNS = " ".join((_RUN, 'ORDER BY "at" DESC, sealed_at DESC, run'))
_OF = {
    "runs": " ".join((_RUN, 'WHERE env = ? AND release = ? ORDER BY "at", sealed_at, run')),
    "gates": """
SELECT g.*, r.moment FROM gates g JOIN runs r USING (run, env, release) WHERE env = ? AND release = ?""",
    "people": "SELECT * FROM people WHERE env = ? AND release = ? ORDER BY said_at, sealed_at",
    "actions": "SELECT * FROM actions WHERE env = ? AND release = ? ORDER BY begun_at, number",
    "costs": "SELECT * FROM costs WHERE env = ? AND release = ? ORDER BY as_of, side",
}
_GATE = """
SELECT g.*, r.moment, r.folder, coalesce(r.as_of, r.sealed_at) AS "at"
FROM gates g JOIN runs r USING (run, env, release) WHERE g.gate = ? ORDER BY "at", g.run"""
_ROLLOUTS = """
SELECT env, release, count(*) FILTER (run IS NOT NULL) AS runs, count(*) FILTER (decision = 'ROLLBACK') AS rollbacks,
  min("at") AS begin, max("at") AS "end", max(weight_after) AS most,
  arg_max(struct_pack(notebook, word), "at") AS newest
FROM (
  SELECT env, release, run, notebook, decision, word, weight_after, coalesce(as_of, sealed_at) AS "at" FROM runs
  UNION ALL
  SELECT env, release, NULL, NULL, NULL, NULL, NULL, min(said_at) FROM people p
  WHERE NOT EXISTS (FROM runs r WHERE r.env = p.env AND r.release = p.release) GROUP BY env, release
) GROUP BY env, release ORDER BY "end" DESC, env, release"""
# A look during a soak does not decide: an open gate there is no lack of evidence.
_GATES = """
SELECT gate, any_value(title) AS title, any_value(unit) AS unit, count(*) AS judged,
  count(*) FILTER (verdict = 'FAIL') AS failed,
  count(*) FILTER (verdict = 'INCONCLUSIVE' AND coalesce(r.moment, '') <> 'during') AS inconclusive
FROM gates JOIN runs r USING (run, env, release) GROUP BY gate ORDER BY failed DESC, judged DESC, gate"""
_STATES = """
SELECT 'rollout' AS kind, env || '/' || release AS id, md5(string_agg(coalesce(hash, run), ',' ORDER BY run)) AS state
FROM runs GROUP BY env, release
UNION ALL
SELECT 'people', env || '/' || release, md5(string_agg(p::VARCHAR, ',' ORDER BY p::VARCHAR)) FROM people p GROUP BY ALL
UNION ALL
SELECT 'gate', gate, md5(string_agg(g::VARCHAR, ',' ORDER BY g::VARCHAR)) FROM gates g GROUP BY ALL"""


class Rollout(NamedTuple):
    """The rows of one release in one environment."""

    runs: list[Row]
    gates: list[Row]
    people: list[Row]
    actions: list[Row]
    costs: list[Row]


class Asked:
    """The index of an archive, open for questions."""

    def __init__(self, index: Path) -> None:
        self._base = opened(index)

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()

    def runs(self) -> list[Row]:
        """All runs, newest first."""
        return self._rows(_RUNS)

    def rollouts(self) -> list[Row]:
        """Each release in each environment with begin, end and last run, newest first."""
        return self._rows(_ROLLOUTS)

    def gates(self) -> list[Row]:
        """Each gate that was ever judged, with its number of failures."""
        return self._rows(_GATES)

    def rollout(self, env: str, release: str) -> Rollout:
        """All rows of one release in one environment, oldest first."""
        return Rollout(**{table: self._rows(sql, [env, release]) for table, sql in _OF.items()})

    def gate(self, gate: str) -> list[Row]:
        """Every judgement of one gate, oldest first."""
        return self._rows(_GATE, [gate])

    def states(self) -> dict[str, str]:
        """Digest of the data behind each page, by name: `rollout prod/2026.11`, `gate success_rate`."""
        found: dict[str, list[str]] = {}
        for row in self._rows(_STATES):
            kind = "rollout" if row["kind"] == "people" else row["kind"]
            found.setdefault(f"{kind} {row['id']}", []).append(row["state"] or "")
        return {name: digest(sorted(states)) for name, states in found.items()}

    def _rows(self, sql: str, values: Iterable[Any] = ()) -> list[Row]:
        done = self._base.execute(sql, list(values))
        names = [one[0] for one in done.description]
        return [dict(zip(names, map(plain, row), strict=True)) for row in done.fetchall()]


def comparison(told: str | None) -> Threshold | None:
    """A target or alert limit, such as `> 0.99`; None: there is none, or the text has another form."""
    try:
        return TypeAdapter[Threshold](Comparison).validate_python(told)
    except ValidationError:
        return None


def digest(value: Any) -> str:
    """SHA-256 of a value as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def settings(record: Mapping[str, Any]) -> dict[str, str]:
    """Parameters and policy of a run as `name: value`, one per leaf, to compare two runs."""
    found: dict[str, str] = {}
    for name in ("params", "policy"):
        _flat(record.get(name), name, found)
    return found


def _flat(value: Any, name: str, found: dict[str, str]) -> None:
    if isinstance(value, Mapping):
        for key, one in value.items():
            _flat(one, f"{name}.{key}", found)
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) and one.get("id") for one in value):
        for one in value:
            _flat({key: each for key, each in one.items() if key != "id"}, f"{name}.{one['id']}", found)
    elif value not in (None, "", [], {}):
        found[name] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
