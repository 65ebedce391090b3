"""The rollout on one screen: the weight now, every step in each of its environments, the next command.

The archive, which holds the records of all environments, tells what passed; AWS is asked for the weight, in the
environment of the parameter file only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import AwsError, Exit
from runbook_lib.base.window import when
from runbook_lib.observe.api_address import reached
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.observe.traffic.state import in_words
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive
from runbook_lib.record.frame import shut_in
from runbook_lib.record.place import shut_out
from runbook_lib.rollout import hints
from runbook_lib.rollout.forecasts import Forecast, forecasts
from runbook_lib.rollout.next_step import standing
from runbook_lib.rollout.open_changes import OpenChange
from runbook_lib.rollout.progress import WORDS, Line


@dataclass(frozen=True)
class Status:
    """The contents of `runbook status`."""

    env: str
    release: str
    weight: float
    dial: float
    switch: str
    now: str
    lines: tuple[Line, ...]
    next: str
    """The next command, to be pasted; empty: nothing is due."""
    next_words: str = ""
    """Why it is the next one, and when it is due."""
    next_beside: str = ""
    """`next_words` in the form for below the steps, which show the reasons."""
    exit_code: int = 0
    deviations: tuple[dict[str, Any], ...] = ()
    """Settings that mitigations changed, and that nobody has undone or adopted yet."""
    open_changes: tuple[OpenChange, ...] = ()
    """Changes that an ended run began, and never read back; newest first."""
    unfinished: str = ""
    """The rollback that was begun and is not proven, in words."""
    undo: tuple[str, ...] = ()
    """The command that undoes each of `deviations`."""
    under_way: tuple[str, ...] = ()
    """What some clients have and others do not, of the switch and of the dial, in words."""
    harm: tuple[Forecast, ...] = ()
    """Users that a failure would harm at each phase with a shift to come, if a record has the forecast."""

    def as_dict(self) -> dict[str, Any]:
        """The status as JSON, for `--json`."""
        return asdict(self)

    @property
    def head(self) -> str:
        """The rollout's name, and the weight now."""
        said = in_words(self.weight, self.dial, self.switch)
        return "\n".join([f"{self.env} · {self.release} · {self.now}", said, *self.under_way])

    @property
    def title(self) -> str:
        """The number of steps that passed."""
        return f"Rollout: {sum(line.state == 'passed' for line in self.lines)} of {len(self.lines)} steps passed"

    def unread(self) -> list[str]:
        """A line for each open change, and one for the weight in force; empty: nothing is open."""
        if not self.open_changes:
            return []
        there = f"in force now: weight {self.weight:g} % (dial {self.dial:g} %, switch {self.switch})"
        return [*(one.words for one in self.open_changes), there]

    def rows(self) -> list[dict[str, str]]:
        """The steps as text."""
        return [
            {
                "step": line.notebook,
                "env": line.env,
                "state": WORDS[line.state],
                "why": line.words,
                "record": line.word or line.last,
                "at": line.last_at,
                "due": line.due,
            }
            for line in self.lines
        ]

    def reminders(self) -> list[str]:
        """A line for each open deviation."""
        return [
            f"deviation: {one['setting']} is {one['now']}, by the code {one['was']} ({one['by']}, {when(one['at'])}: "
            f"{one['why']}); {undo}   (or adopt it)"
            for one, undo in zip(self.deviations, self.undo, strict=True)
        ]


def rollout_status(file: Path, values: Mapping[str, Any] | None = None) -> Status:
    """The state of the rollout that the parameter file names.

    Args:
        file: flat parameters of one environment; those of the others are expected beside it.
        values: overrides.

    Raises:
        UsageError: the parameters are wrong, or the account is another one.
        AwsError: AWS cannot be asked.
    """
    params = load_file(file, values)
    params, aws, identity = reached(params, quick=True)
    state, _ = weights.read_or_nothing(aws, params)
    archive = Archive.of(params)
    shut = [*shut_in(archive.root), *filter(None, [shut_out(archive.staging)])]
    for told in shut:
        archive.told(f"{told}; the records in it count as missing")
    found = standing(params, archive, state, identity.now)
    return Status(
        env=params.env,
        release=params.release,
        weight=state.weight,
        dial=state.dial_percent,
        switch="on" if state.switch_on else "off",
        now=when(identity.now),
        lines=found.lines,
        next=found.next.command,
        next_words=found.next.words,
        next_beside=found.next.beside or found.next.words,
        exit_code=found.next.exit_code or int(Exit.HOLD if shut else Exit.OK),
        open_changes=found.open_changes,
        unfinished=found.unfinished.words if found.unfinished else "",
        deviations=found.deviations,
        under_way=state.under_way,
        harm=forecasts(params, archive, found.lines),
        undo=tuple(hints.undo(params, one["check"]) for one in found.deviations),
    )


def again(
    file: Path,
    values: Mapping[str, Any] | None = None,
    *,
    every: float | None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Status | str]:
    """The status now; with `every`, again after this many seconds, without end.

    If AWS does not answer a later look, it yields a sentence, and the next look tries again.

    Raises:
        UsageError, AwsError: from the first look, see `rollout_status`.
    """
    yield rollout_status(file, values)
    while every is not None:
        sleep(every)
        try:
            yield rollout_status(file, values)
        except AwsError as error:
            yield f"{error}; asked again in {every:g} s"
