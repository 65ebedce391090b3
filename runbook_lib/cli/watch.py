"""`runbook watch`: a live table on a terminal, plain lines elsewhere, JSON lines if asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runbook_lib.base import foreign, window
from runbook_lib.cli.ending import changed, one_line_each
from runbook_lib.cli.options import Confirm, ParamsFile, Set, number
from runbook_lib.cli.streams import closed
from runbook_lib.cli.terminal import Column, advice, fitted, prose, say, say_json
from runbook_lib.show.style import rank

if TYPE_CHECKING:
    from runbook_lib.commands.watch import Watch
    from runbook_lib.commands.watch_look import Look
    from runbook_lib.params.load import Params

_EXITS = """\b
Exit codes:
  0  nothing fails; with --once, or at the end of the soak
  1  error: AWS not reachable, credentials expired
  2  bad usage or bad parameters; nothing was changed
  3  hold: a human is needed; also where the look's record is not in the archive, which cannot be written
  4  rollback advised (or done), or AWS took the weight back by itself
  130  ended by Ctrl-C"""
_STYLES = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow", "NO_DATA": "cyan"} | {
    "SOAK": "cyan",
    "PROMOTE": "green",
    "PLANNED": "cyan",
    "HOLD": "yellow",
    "ROLLBACK": "red",
    "ERROR": "red",
}
_GATES = (
    Column("gate", "title"),
    Column("verdict", "word"),
    Column("value", "value"),
    Column("95 % interval", "interval", rank=3),
    Column("n", "n", rank=2),
    Column("target", "target", rank=1),
)
_NEXT, _RECORD = "  next:   ", "  record: "
"""Lines with a command or a path: to be pasted, so they are not wrapped."""
_SHOWN = 8
"""Number of earlier lines below the live table."""


def register(app: typer.Typer) -> None:
    """Adds the command to `app`."""
    app.command(epilog=_EXITS)(watch)


def watch(
    phase: Annotated[str, typer.Argument(help="Phase by notebook or number: 06_phase1_10_percent, or 06.")],
    params: ParamsFile,
    set_: Set = None,
    interval: Annotated[float, typer.Option(callback=number, help="Minutes between two looks.")] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="One look, for cron and CI; the exit code tells.")] = False,
    auto_rollback: Annotated[
        bool, typer.Option("--auto-rollback", help="On ROLLBACK, switch async off. Also needs --confirm.")
    ] = False,
    confirm: Confirm = "",
    json_: Annotated[bool, typer.Option("--json", help="One JSON line for each look, nothing else.")] = False,
) -> None:
    """Watch a soak: look repeatedly, and stop as soon as a person is needed.

    It judges as the phase's notebook does, and changes nothing, unless --auto-rollback is given. A look that changes
    something is sealed into the phase's chain. It may be stopped and restarted: times that nobody watched are
    judged afterwards, and marked. Without it AppConfig still watches the guards; this watches the rest.

    Example: [bold]runbook watch 06 --params params/prod.yaml --auto-rollback --confirm prod[/bold]
    """
    from runbook_lib.commands.watch import Watch, exit_code
    from runbook_lib.run.launch import asked

    values = asked(set_ or [], confirm=confirm)
    one = Watch(params, values, phase, interval_s=interval * 60, auto_rollback=auto_rollback)
    try:
        if json_:
            for look in one.looks(once=once):
                say_json(look.as_dict())
                failed(look)
                if not once and _unheard(one):
                    break
        elif sys.stdout.isatty() and not once:
            _live(one)
        else:
            same: list[Look] = []
            for look in one.looks(once=once):
                if same and alike(look, same[0]):
                    same.append(look)
                    continue
                again(same)
                told(look)
                same = [look] if look.back_filled else []
                if not once and _unheard(one):
                    break
            again(same)
    except KeyboardInterrupt:
        record = one.interrupted()
        say(f"record: {record or 'none: nothing had been seen yet'}", err=True)
        raise
    raise typer.Exit(exit_code(one.last))


def _unheard(one: Watch) -> bool:
    """Whether nobody reads the output, so that the watch ends; one that can switch off goes on."""
    return not one.auto_rollback and closed()


def lines(look: Look) -> list[str]:
    """A look in plain text: when, decision, gates counted, reason; its change and the place of its record."""
    return [f"{name}{text}" for name, text in _said(look)]


def _said(look: Look) -> list[tuple[str, str]]:
    """The lines of `lines`, each as its name and its text; the first has no name.

    A failing gate has a line of its own unless the reason says the same.
    """
    tally = ", ".join(f"{count} {verdict}" for verdict, count in _tally(look).items())
    mark = " [back-filled]" if look.back_filled else ""
    head = f"{when(look)}{mark}  {look.decision:8}  {tally}".rstrip()
    said = [("", f"{head}  {look.reason}")]
    failing = [_failing(gate) for gate in look.gates if gate["verdict"] == "FAIL"]
    said += [("  failing: ", why) for why in failing if why.rstrip(".").lower() not in look.reason.lower()]
    said += [("  done:   ", look.action)] if look.action else []
    said += [(_NEXT, look.next)] if look.ends or look.decision == "ERROR" else []
    return said + ([(_RECORD, look.record)] if look.record else [])


def told(look: Look) -> None:
    """Prints a look as lines; on a terminal wrapped between words. One without an answer is an error."""
    failed(look)
    if look.decision == "ERROR":
        return
    head, *rest = _said(look)
    prose("".join(head), hang="  ")
    for name, text in rest:
        if name == _NEXT:
            advice(name, text)
        elif name == _RECORD:
            say(f"{name}{text}")
        else:
            prose(f"{name}{text}", hang=" " * len("  failing: "))


def failed(look: Look) -> None:
    """Tells on standard error why a look has no answer, and whether something was changed; and of a record that is not
    in the archive.
    """
    if look.apart:
        say(f"runbook: {one_line_each(look.apart)}", err=True)
    if look.decision == "ERROR":
        say(f"runbook: {one_line_each(look.reason)}{changed()}; {look.next}", err=True)


def alike(look: Look, before: Look) -> bool:
    """Whether a look at a time that nobody watched tells nothing new after `before`."""
    changes = look.action or look.record or look.ends or before.record
    same = (look.decision, look.reason, _tally(look)) == (before.decision, before.reason, _tally(before))
    return look.back_filled and not changes and same


def again(same: list[Look]) -> None:
    """Tells in one line of the looks that were like the first one, which is told already."""
    if more := same[1:]:
        prose(f"  the same at {len(more)} more look{'s' * (len(more) > 1)}, until {when(more[-1])}")


def when(look: Look) -> str:
    """The instant of a look as text."""
    return window.when(look.at) or "(no clock)          "


def _tally(look: Look) -> dict[str, int]:
    said = [gate.get("word", gate["verdict"]) for gate in look.gates]
    return {word: said.count(word) for word in sorted(dict.fromkeys(said), key=rank)}


def _failing(gate: Mapping[str, str]) -> str:
    """The gate's reason, with its title in front unless the reason begins with it."""
    title, reason = gate["title"], gate["reason"]
    return reason if reason.lower().startswith(title.lower()) else f"{title}: {reason}"


def _found(record: str, params: Params) -> str:
    """A way to find a record that is as short as an id: the edge of the screen breaks a path. A record outside the
    archive, which could not be written, is shown by its path.
    """
    from runbook_lib.record.archive import Archive

    path = Path(record)
    return f"runbook archive show {path.name.rpartition('-')[2]}" if Archive.of(params).root in path.parents else record


def _live(one: Watch) -> None:
    """Redraws one screen after each look; the last one stays on the terminal."""
    from rich.console import Console
    from rich.live import Live

    told: list[Look] = []
    console = Console()
    with Live(screen(one, told, console.width), console=console, auto_refresh=False) as live:
        for look in one.looks():
            told.append(look)
            live.update(screen(one, told, console.width), refresh=True)


def screen(one: Watch, told: list[Look], width: int) -> Any:
    """The gates of the newest look, and the looks before, for a terminal with this many columns."""
    from rich.console import Group
    from rich.text import Text

    if not told:
        return Text(f"looking at {one.notebook} in {one.params.env} …", style="dim")
    newest = told[-1]
    seen = next((look for look in reversed(told) if look.gates and not look.back_filled), newest)
    head = Text.assemble(
        (f"{one.notebook} · {one.params.env} · {one.params.release}\n", "dim"),
        (f"{newest.decision}", f"bold {_STYLES.get(newest.decision, '')}"),
        f"  {newest.reason}\n",
        (f"{newest.apart}\n" if newest.apart else "", "red"),
        (f"next: {newest.next}", "dim"),
    )
    rows = [{one.key: foreign.field(gate.get(one.key, gate["verdict"])) for one in _GATES} for gate in seen.gates]
    names, *shown = fitted(_GATES, rows, width)
    table = Text(f"Gates as of {when(seen)}\n", style="italic", no_wrap=True, overflow="ellipsis")
    table.append(names, style="bold")
    for gate, line in zip(seen.gates, shown, strict=True):
        table.append(f"\n{line}", style=_STYLES.get(gate["verdict"], ""))
    before = Text("\n".join(lines(look)[0] for look in told[-_SHOWN:]), style="dim", overflow="ellipsis", no_wrap=True)
    where = next((look.record for look in reversed(told) if look.record), None)
    tail = Text(f"record: {_found(where, one.params)}" if where else "", style="dim", no_wrap=True)
    return Group(head, table, before, tail)
