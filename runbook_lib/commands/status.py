"""The rollout on one screen: the weight now, every step in every environment that it needs, the next command.

What passed is read from the archive, which holds the records of all environments; where the traffic stands is asked of
AWS, in the environment of the parameter file alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import AwsError
from runbook_lib.base.window import when
from runbook_lib.observe.api_address import reached
from runbook_lib.observe.traffic import weight as weights
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive
from runbook_lib.rollout import hints
from runbook_lib.rollout.forecasts import Forecast, forecasts
from runbook_lib.rollout.next_step import standing
from runbook_lib.rollout.open_changes import OpenChange
from runbook_lib.rollout.progress import WORDS, Line


@dataclass(frozen=True)
class Status:
    """What `runbook status` shows."""

    env: str
    release: str
    weight: float
    dial: float
    switch: str
    now: str
    lines: tuple[Line, ...]
    next: str
    """The command, to be pasted; empty: nothing is due."""
    next_words: str = ""
    """Why it is that one, and when."""
    next_beside: str = ""
    """The same below the steps, whose reasons are there already."""
    exit_code: int = 0
    deviations: tuple[dict[str, Any], ...] = ()
    """What mitigations changed by hand, and nobody undid or adopted yet."""
    open_changes: tuple[OpenChange, ...] = ()
    """What runs that ended began to change, and never read back; newest first."""
    unfinished: str = ""
    """The rollback that was begun and is not proven, in words."""
    undo: tuple[str, ...] = ()
    """The command that undoes each of `deviations`."""
    harm: tuple[Forecast, ...] = ()
    """What a failure would cost the users at each phase whose shift is still to come, where a record says it."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    @property
    def head(self) -> str:
        """Which rollout, and the weight now."""
        return (
            f"{self.env} · {self.release} · {self.now}\n"
            f"weight in force {self.weight:g} % (dial {self.dial:g} %, switch {self.switch})"
        )

    @property
    def title(self) -> str:
        """How many steps passed."""
        return f"Rollout: {sum(line.state == 'passed' for line in self.lines)} of {len(self.lines)} steps passed"

    def unread(self) -> list[str]:
        """A line for each open change, and what is in force; empty: nothing is open."""
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
                "record": line.last,
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
        file: flat parameters of one environment; those of the others are looked for beside it.
        values: overrides.

    Raises:
        UsageError: the parameters are wrong, or the account is another one.
        AwsError: AWS cannot be asked.
    """
    params = load_file(file, values)
    params, aws, identity = reached(params, quick=True)
    state, _ = weights.read_or_nothing(aws, params)
    archive = Archive.of(params)
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
        exit_code=found.next.exit_code,
        open_changes=found.open_changes,
        unfinished=found.unfinished.words if found.unfinished else "",
        deviations=found.deviations,
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
    """The state now; with `every`, again after this many seconds, without end.

    A later look that AWS does not answer is told as a sentence, and the next one tries again.

    Raises:
        UsageError, AwsError: of the first look, as `rollout_status`.
    """
    yield rollout_status(file, values)
    while every is not None:
        sleep(every)
        try:
            yield rollout_status(file, values)
        except AwsError as error:
            yield f"{error}; asked again in {every:g} s"
