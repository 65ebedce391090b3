"""A run's answers and verdicts as pandas tables, for a closer look; also of a sealed record.

They come from the files that the run keeps: AWS is not asked again, and a record gives the same tables years later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.plain_file import read_plain
from runbook_lib.observe.jobs.segment import STEPS_A_MINUTE, Segment, merge
from runbook_lib.observe.metrics.fetch import Answers
from runbook_lib.params.measures import Measure, described
from runbook_lib.params.metrics import METRICS, Metric
from runbook_lib.record.archive import Archive
from runbook_lib.record.from_journal import from_journal
from runbook_lib.record.journal import plain, read_events
from runbook_lib.record.place import CASE
from runbook_lib.record.record import Record

ANSWERS = "answers*.json"
"""Pattern of a run's files with CloudWatch's answers; the file of a second look has a number in its name."""
QUARTER_S = 900
_METRICS = ("metric", "title", "unit", "stat", "time", "value", "period_s")
_GATES = ("gate", "verdict", "value", "low", "high", "n", "unit", "target", "alert", "reason")


@dataclass(frozen=True)
class Tables:
    """The tables of one run.

    Args:
        record: the run's, sealed or built from its journal so far.
        raw: CloudWatch's answers as the run keeps them; empty: nothing was asked.
        segment: the census of the whole window; None: no jobs were counted.
    """

    record: Record
    raw: list[dict[str, Any]]
    segment: Segment | None

    @classmethod
    def under_way(cls, staging: Path, case: Mapping[str, Any] | None) -> Tables:
        """The tables of a run that is not sealed yet.

        Args:
            staging: its folder, with the journal.
            case: the case of its verdict; None: there is none yet.
        """
        record = from_journal(read_events(staging), status="completed")
        return cls(record, _answers(staging), _census(record, plain(case)))

    @classmethod
    def sealed(cls, archive: Archive, run: str) -> Tables:
        """The tables of a sealed record, which is verified first.

        Args:
            run: its run id, or the beginning of one.

        Raises:
            ArchiveError: there is no such record, or it was altered.
        """
        ref = archive.find(run)
        archive.verify(ref)
        record, case = archive.load(ref), ref.folder / CASE
        kept = _read(case) if case.is_file() else None
        return cls(record, _answers(ref.folder), _census(record, kept))

    def metrics(self) -> pd.DataFrame:
        """Every point of CloudWatch's answers.

        Columns: metric (id of the catalogue), title, unit (of value), stat, time (UTC, begin of the period), value,
        period_s (seconds). The period of a whole window's figure is the window.
        """
        known = self._catalogue()
        rows = [
            (one.metric, known[one.metric].title, known[one.metric].unit, one.stat, when, value, one.period_s)
            for one in Answers.from_raw(self.raw).series.values()
            for when, value in one.points
            if one.metric in known
        ]
        return _utc(pd.DataFrame(rows, columns=_METRICS)).astype({"value": float, "period_s": int})

    def _catalogue(self) -> dict[str, Metric]:
        """The metrics that the run knew, including the service's own."""
        own = {id: Metric.model_validate(one) for id, one in (self.record.service.get("metrics") or {}).items()}
        measures = (self.record.policy.get("measures") or {}).items()
        return {**METRICS, **own, **described({name: Measure.model_validate(one) for name, one in measures})}

    def jobs(self) -> pd.DataFrame:
        """The census by quarters of an hour. Columns: time (UTC, begin), jobs, bad (failed, late or lost)."""
        quarters: dict[int, list[int]] = {}
        for number, bad, jobs in self.segment.steps if self.segment else ():
            found = quarters.setdefault(number // (15 * STEPS_A_MINUTE), [0, 0])
            found[0] += jobs
            found[1] += bad
        rows = [(pd.Timestamp(number * QUARTER_S, unit="s"), *quarters[number]) for number in sorted(quarters)]
        return _utc(pd.DataFrame(rows, columns=["time", "jobs", "bad"])).astype({"jobs": int, "bad": int})

    def durations(self) -> pd.Series[float]:
        """Seconds from creation to completion of each completed job, longest first."""
        seconds = self.segment.generation_s[::-1] if self.segment else ()
        return pd.Series(seconds, name="generation_s", dtype=float)

    def errors(self) -> pd.Series[int]:
        """Failed jobs by signature of the error, most frequent first."""
        found = self.segment.errors if self.segment else {}
        return pd.Series(found, name="jobs", dtype=int).rename_axis("error")

    def gates(self) -> pd.DataFrame:
        """Each gate's result: value, 95 % interval, samples and limits, in `unit`."""
        rows = [
            (
                one["gate"]["id"],
                one["verdict"],
                *(one.get(name) for name in ("value", "low", "high", "n")),
                *(one["gate"].get(name) for name in ("unit", "target", "alert")),
                one["reason"],
            )
            for one in self.record.gates
        ]
        return pd.DataFrame(rows, columns=_GATES).astype(dict.fromkeys(("value", "low", "high"), float))

    def queries(self) -> str:
        """The questions to CloudWatch as JSON: pasted into the tab "Source" of its Metrics page, it draws them."""
        seen: dict[str, list[Any]] = {}
        for query in (one for call in self.raw for one in call["queries"] if not one["whole"]):
            place = query["address"]
            parts = [part for pair in place["Dimensions"] for part in (pair["Name"], pair["Value"])]
            about = {"stat": query["stat"], "period": query["period_s"], "label": query["label"]}
            seen.setdefault(query["label"], [place["Namespace"], place["MetricName"], *parts, about])
        ends = [call[side] for call in self.raw for side in ("start", "end")]
        span = {"start": min(ends), "end": max(ends)} if ends else {}
        return json.dumps({"view": "timeSeries", "region": self.record.region, **span, "metrics": [*seen.values()]})


def _census(record: Record, case: Mapping[str, Any] | None) -> Segment | None:
    """The census of the whole judged window; without a case, the one that this run counted; None without jobs."""
    seen = (case or {}).get("seen") or {}
    if seen.get("segment"):
        return Segment.model_validate(seen["segment"])
    return merge([Segment.model_validate(one) for one in record.census]) if record.census else None


def _utc(frame: pd.DataFrame) -> pd.DataFrame:
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    return frame


def _answers(folder: Path) -> list[dict[str, Any]]:
    return [call for file in sorted(folder.glob(ANSWERS)) for call in _read(file)]


def _read(file: Path) -> Any:
    try:
        return json.loads(read_plain(file))
    except (OSError, ValueError) as error:
        raise ArchiveError(f"{file} cannot be read: {error}") from error
