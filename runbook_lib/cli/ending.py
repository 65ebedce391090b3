"""How a failed command ends: one sentence, an exit code, and the changes made. Light: the kill switch uses it
too.
"""

from __future__ import annotations

import os
import signal
import traceback

from runbook_lib.act.guard import begun
from runbook_lib.base import here
from runbook_lib.base.aws_errors import one_line, place, sentence
from runbook_lib.base.errors import NOTHING, Exit, RunbookError
from runbook_lib.cli.streams import trouble
from runbook_lib.record.ended import asks_to_end
from runbook_lib.record.uncaught import TRACEBACK

INTERRUPTED = 130


def answering() -> None:
    """From now on SIGTERM (a job is cancelled) and SIGHUP (the connection to the terminal is lost) end this process
    like Ctrl-C: what was begun is sealed and reported. A SIGHUP that `nohup` ignores stays ignored.
    """
    for number in asks_to_end():
        signal.signal(number, signal.default_int_handler)


def ending(error: BaseException, untouched: str = "") -> tuple[str, int]:
    """The sentence for standard error, and the exit code.

    `untouched` follows if nothing was changed: it names what stays as it was.

    An error of another class is a fault of the runbook: the sentence names its place, and the traceback follows
    if `RUNBOOK_TRACEBACK` is set.
    """
    if isinstance(error, KeyboardInterrupt):
        return f"runbook: interrupted{changed(untouched)}", INTERRUPTED
    if isinstance(error, RunbookError):
        return f"runbook: {one_line_each(str(error))}{changed(untouched)}", int(error.exit_code)
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    said = sentence(error) if isinstance(error, Exception) else None
    if said is None:
        kind = f"{type(error).__name__}: {one_line(error)}".rstrip(": ")
        said = one_line(error) if isinstance(error, OSError) else f"a fault of the runbook itself: {kind}"
        said = f"{said} ({place(error)}; {TRACEBACK}=1 shows the way there)"
    return f"runbook: {said}{changed(untouched)}", int(Exit.ERROR)


def changed(untouched: str = "") -> str:
    """The changes that this process began in AWS and on this machine, as the end of a sentence."""
    told = list(here.done.values())
    if begun:
        told.insert(0, f"begun before that: {'; '.join(begun)} (`runbook status` shows what is in force)")
    return "".join(f"; {one}" for one in told) or NOTHING + untouched


def one_line_each(text: str) -> str:
    """Our sentence unchanged, without control characters in others' texts that would steer the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def code_of(code: int) -> int:
    """The exit code of a command that completed with `code`.

    A failure to print undoes nothing; a command that only shows something has failed then.
    """
    return int(Exit.ERROR) if trouble() and not begun and not here.done and code == Exit.OK else code
