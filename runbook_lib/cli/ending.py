"""How a command ends that could not be carried out: one sentence, an exit code, and what was changed. Light: the kill
switch ends by it too.
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

INTERRUPTED = 130
TRACEBACK = "RUNBOOK_TRACEBACK"


def answering() -> None:
    """From now on a process that is asked to end (SIGTERM: a job is cancelled; SIGHUP: the connection to its terminal
    is lost) ends as by Ctrl-C: what was begun is sealed and said. Not where SIGHUP is ignored, as `nohup` has it.
    """
    for number in asks_to_end():
        signal.signal(number, signal.default_int_handler)


def ending(error: BaseException, untouched: str = "") -> tuple[str, int]:
    """What is said on standard error, and the exit code.

    `untouched` follows where nothing was changed: what that leaves as it was.

    An error that is none of ours is a fault of the runbook: it is named with its place, and its traceback is shown
    where `RUNBOOK_TRACEBACK` is set.
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
    """What this process began to change in AWS and on this machine, as the end of a sentence."""
    told = list(here.done.values())
    if begun:
        told.insert(0, f"begun before that: {'; '.join(begun)} (`runbook status` shows what is in force)")
    return "".join(f"; {one}" for one in told) or NOTHING + untouched


def one_line_each(text: str) -> str:
    """A sentence of ours as it is, in which no control character of a foreign text drives the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def code_of(code: int) -> int:
    """The exit code of a command that went to its end with `code`.

    What could not be printed takes nothing back of what was done; a command that only shows has failed then.
    """
    return int(Exit.ERROR) if trouble() and not begun and not here.done and code == Exit.OK else code
