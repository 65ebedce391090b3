"""The rollout on one screen: the weight now, what passed, what is due, the next command."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runbook_lib import moment as moments
from runbook_lib.aws import connect, require_account
from runbook_lib.observe import traffic
from runbook_lib.params import Params, load_file, project_root
from runbook_lib.record.archive import Archive


@dataclass(frozen=True)
class Line:
    """One notebook of the rollout."""

    notebook: str
    moment: str
    words: str
    last: str
    """Decision of the newest sealed record, empty if there is none."""
    last_at: str
    due: str
    """When to come back, ISO 8601 UTC; empty if nothing is due."""


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

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def table(self) -> Any:
        """For a terminal."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        head = Text.assemble(
            (f"{self.env} · {self.release} · {self.now}\n", "dim"),
            (f"weight in force {self.weight:g} %", "bold"),
            f"  (dial {self.dial:g} %, switch {self.switch})\n",
        )
        table = Table(title="Rollout", title_justify="left")
        for name in ("notebook", "moment", "state", "last record", "come back"):
            table.add_column(name, overflow="fold")
        for line in self.lines:
            table.add_row(line.notebook, line.moment, line.words, f"{line.last} {line.last_at}".strip(), line.due)
        return Group(head, table, Text(f"next: {self.next}"))


def rollout_status(file: Path) -> Status:
    """The state of the rollout that the parameter file names.

    Raises:
        UsageError: the parameters are wrong, or the account is another one.
        AwsError: AWS cannot be asked.
    """
    params = load_file(file)
    aws = connect(params)
    identity = aws.identity()
    require_account(params, identity)
    state, _ = traffic.read_or_nothing(aws.client("appconfig"), params, aws)
    archive = Archive(project_root() / params.archive)
    lines, commands = [], []
    for notebook, phase in params.policy.phases.items():
        now = moments.which(state, params, notebook, phase, identity.now)
        record = archive.latest(env=params.env, release=params.release, notebook=notebook)
        kept = archive.load(record) if record else None
        due = f"{now.come_back_at:%Y-%m-%d %H:%M} UTC" if now.come_back_at else ""
        lines.append(
            Line(
                notebook,
                now.name,
                now.words,
                (kept.decision or kept.status) if kept else "",
                kept.as_of[:16] if kept and kept.as_of else "",
                due,
            )
        )
        commands.append(_command(now, kept.decision if kept else None, params, notebook, file))
    return Status(
        env=params.env,
        release=params.release,
        weight=state.weight,
        dial=state.dial_percent,
        switch="on" if state.switch_on else "off",
        now=f"{identity.now:%Y-%m-%d %H:%M} UTC",
        lines=tuple(lines),
        next=next((command for command in commands if command), "nothing is due"),
    )


def _command(now: moments.Moment, last: str | None, params: Params, notebook: str, file: Path) -> str:
    """The next command for one phase; empty when it is done."""
    run = f"runbook run {notebook} --params {file}"
    if now.name == "over" or (last == "PROMOTE" and now.name == "after"):
        return ""
    if now.name == "before":
        return f"{run}   (read the plan, then add --apply --confirm {params.env})"
    if now.name == "during" and now.come_back_at:
        return f"{run}   (an interim look is always safe; the verdict is due at {now.come_back_at:%Y-%m-%d %H:%M} UTC)"
    return run
