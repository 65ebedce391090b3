"""The rollout on one screen: the weight now, every step in every environment that it needs, the next command.

What passed is read from the archive, which holds the records of all environments; where the traffic stands is asked of
AWS, in the environment of the parameter file alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib.base.aws import caller
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive
from runbook_lib.rollout import moment as moments
from runbook_lib.rollout.deviations import open_deviations, rows
from runbook_lib.rollout.open_changes import OpenChange, open_changes
from runbook_lib.rollout.progress import Line, Rollout, State, following, said

WORDS: dict[State, str] = {
    "passed": "✔ passed",
    "due": "● due",
    "soaking": "… soaking",
    "hold": "✘ hold",
    "missing": "– missing",
}


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
    deviations: tuple[dict[str, Any], ...] = ()
    """What mitigations changed by hand, and nobody undid or adopted yet."""
    open_changes: tuple[OpenChange, ...] = ()
    """What runs that ended began to change, and never read back; newest first."""

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
            f"deviation: {one['setting']} is {one['now']}, by the code {one['was']} ({one['by']}, {one['at']}: "
            f"{one['why']}); runbook deviation undo {one['check']}, or adopt it"
            for one in self.deviations
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
    aws, identity = caller(params, quick=True)
    state, there = traffic.read_or_nothing(aws.client("appconfig"), params)
    if there:  # Only then are there routes to ask about: before the first deployment there may be no API at all.
        state = traffic.read_state(aws.client("appconfig"), params, aws)
    seen = {
        notebook: moments.which(state, params, notebook, phase, identity.now)
        for notebook, phase in params.policy.phases.items()
        if params.env in params.policy.steps[notebook].envs
    }
    archive = Archive.of(params)
    left = open_changes(params, archive)
    lines = Rollout(params, archive, file, state, seen, identity.now).lines()
    return Status(
        env=params.env,
        release=params.release,
        weight=state.weight,
        dial=state.dial_percent,
        switch="on" if state.switch_on else "off",
        now=said(identity.now),
        lines=lines,
        next=left[0].next if left else following(lines),
        open_changes=left,
        deviations=tuple(rows(open_deviations(archive, params.env))),
    )
