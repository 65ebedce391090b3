"""One look: asks over one window, keeps the answers raw in the record, and makes evidence, now or years later."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.plain_file import read_plain
from runbook_lib.base.redact import redact_text
from runbook_lib.base.redact_data import redact
from runbook_lib.base.window import Window, iso, parse
from runbook_lib.judge.case import Case
from runbook_lib.judge.model import BASELINE, Evidence, Look
from runbook_lib.observe.asking import Clients
from runbook_lib.observe.evidence import arms, door, measure
from runbook_lib.observe.evidence.seen import Answered
from runbook_lib.observe.jobs.segment import Segment
from runbook_lib.observe.metrics import fetch
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import Params
from runbook_lib.record.archive import Archive
from runbook_lib.record.journal import Journal
from runbook_lib.record.place import CASE
from runbook_lib.record.record import Record
from runbook_lib.record.seal import file_hash, strict


class Place(Protocol):
    """What a look needs from its run."""

    @property
    def params(self) -> Params:
        """The run's parameters."""
        ...

    @property
    def aws(self) -> Clients:
        """Clients of AWS."""
        ...

    @property
    def now(self) -> dt.datetime:
        """The moment of the look."""
        ...

    @property
    def journal(self) -> Journal:
        """The journal that keeps what was seen."""
        ...


@dataclass
class Seen:
    """What one look saw."""

    window: Window
    now: dt.datetime
    look: Look | None
    answers: fetch.Answers
    segment: Segment | None
    live: dict[str, Any]
    traffic: traffic.TrafficState
    evidence: dict[str, Evidence]
    sha256: str = ""
    """SHA-256 of the file in the record that holds the raw answers."""
    kept: dict[str, Evidence] = field(default_factory=dict)
    """Evidence that comes from an earlier record, not from these answers."""

    def answered(self, params: Params) -> Answered:
        """What the evidence was made of; `params` are those of the look's run."""
        routed = traffic.as_routed(params, self.traffic)
        return Answered(self.answers, self.segment, self.live, self.traffic, routed, self.window, self.now, self.look)

    def as_dict(self) -> dict[str, Any]:
        """What `remade` needs beside the answers, which have a file of their own."""
        return {
            "window": [self.window.start.isoformat(), self.window.end.isoformat()],
            "now": self.now.isoformat(),
            "look": self.look,
            "answers_sha256": self.sha256,
            "segment": self.segment,
            "live": self.live,
            "traffic": self.traffic,
            "kept": self.kept,
        }


def take(
    place: Place,
    state: traffic.TrafficState,
    window: Window,
    look: Look | None,
    segment: Segment | None,
    levels: dict[str, Any],
    *,
    more: Sequence[fetch.Ask] = (),
    baseline: Callable[[Evidence], Evidence] | None = None,
) -> Seen:
    """Asks CloudWatch about `window` (and `more`), and notes the raw answers and the evidence in the journal.

    Args:
        place: the run, which has the clients to ask and the journal to keep the answers.
        segment: the census of the window; None: there is none.
        levels: what was read live.
        baseline: gives the baseline's success to use, from the evidence that these answers give.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    now, journal = place.now, place.journal
    params = traffic.as_routed(place.params, state)
    cloudwatch = place.aws.client("cloudwatch")
    asked = [*measure.asks(params, window, now), *door.asks(params, state, window), *more]
    first = fetch.fetch(cloudwatch, params, asked, now)
    bounds = measure.asks_bounds(first, params, window, now, look)
    answers = first + fetch.fetch(cloudwatch, params, bounds, now)
    evidence = measure.measure(answers, segment, levels, state, params, window, now, look)
    kept: dict[str, Evidence] = {}
    if baseline is not None and (other := baseline(evidence[BASELINE])) is not evidence[BASELINE]:
        kept = {BASELINE: other}
    evidence |= kept
    sha256 = attached(journal, answers)
    journal.append(
        "evidence",
        window=[iso(window.start), iso(window.end)],
        live=levels,
        evidence={name: item.model_dump(mode="json") for name, item in evidence.items()},
    )
    return Seen(window, now, look, answers, segment, levels, state, evidence, sha256, kept)


def attached(journal: Journal, answers: fetch.Answers) -> str:
    """Attaches the raw answers and the table of their points; returns the SHA-256 of the answers.

    Both are megabytes of times and numbers: a secret could stand in what is around them alone, so only that is looked
    at.
    """
    around = [{**call, "pages": [_without_points(page) for page in call["pages"]]} for call in answers.raw]
    sha256 = journal.attach("answers.json", json.dumps(answers.raw).encode(), clean=redact(around) == around)
    table = answers.table()
    names = "\n".join({name: name for one in answers.series.values() for name in (one.metric, one.stat)})
    journal.attach("metrics.csv", table.encode(), clean=redact_text(names) == names)
    return sha256


def _without_points(page: dict[str, Any]) -> dict[str, Any]:
    """A page of answers without times, which this runbook wrote, and numbers."""
    results = [{key: value for key, value in one.items() if key not in ("times", "values")} for one in page["results"]]
    return {**page, "results": results}


def remade(
    seen: Mapping[str, Any], raw: list[dict[str, Any]], params: Params, look: Look | None, rules: int
) -> dict[str, Evidence]:
    """Makes the evidence again from what `Seen.as_dict` kept and the raw answers, without AWS.

    Args:
        seen: `Seen.as_dict` from the record.
        raw: the answers from the file whose hash `seen` names.
        params: the record's own, or those with another policy.
        look: the declared look that is judged; None for an interim one.
        rules: version of the rules that judged the record.

    Raises:
        ValueError: the record's content is not what this version writes.
    """
    one = answered_again(seen, raw, params, look, rules)
    evidence = measure.measure(
        one.answers, one.segment, one.live, one.traffic, one.params, one.window, one.now, look, rules
    )
    return evidence | {name: Evidence.model_validate(kept) for name, kept in seen["kept"].items()}


def answered_again(
    seen: Mapping[str, Any], raw: list[dict[str, Any]], params: Params, look: Look | None, rules: int
) -> Answered:
    """What the evidence of a record was made of. Arguments and errors as in `remade`."""
    state = traffic.TrafficState.model_validate(seen["traffic"])
    segment = None if seen["segment"] is None else Segment.model_validate(seen["segment"])
    start, end = map(parse, seen["window"])
    return Answered(
        fetch.Answers.from_raw(raw),
        segment,
        dict(seen["live"]),
        state,
        traffic.as_routed(params, state),
        Window(start, end),
        dt.datetime.fromisoformat(seen["now"]),
        look,
        rules,
    )


def phase_before(
    archive: Archive, before: Record | None, params: Params, told: Callable[[str], object]
) -> dict[str, Any] | None:
    """The phase before as `observe.evidence.arms` needs it; None: no gate compares with it, or there is none.

    Its record has the answers, and today's policy says what to count in them: a gate that compares needs no
    preparation. The result goes into this look's own record, which then replays without the other one.

    Args:
        before: the record of the phase before, verified.
        told: gets a warning where the record lacks what is needed; then the gate has no data.
    """
    if before is None or not any(gate.against == "phase_before" for gate in params.policy.gates):
        return None
    try:
        folder = archive.find(before.run_id).folder
        kept = strict(read_plain(folder / CASE))
        seen, case = kept["seen"], Case.model_validate(kept["case"])
        name = next(name for name, sha in before.files.items() if sha == seen["answers_sha256"])
        if file_hash(folder / name) != seen["answers_sha256"]:
            raise ArchiveError(f"{name} was altered")
        raw = strict(read_plain(folder / name))
        answered = answered_again(seen, raw, params, case.look, case.rules)
        return arms.told(answered, remade(seen, raw, params, case.look, case.rules), before.notebook)
    except (ArchiveError, OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        said = redact_text(str(error)).splitlines()[0] if str(error) else type(error).__name__
        told(f"the record of {before.notebook} cannot be compared with: {said}")
        return {"phase": before.notebook, "weight": 0.0, "gates": {}}
