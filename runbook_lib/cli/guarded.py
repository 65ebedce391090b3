"""Runs a command to its end. Lighter than the command line itself: the kill switch ends here too."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable
from typing import NoReturn

from runbook_lib.base import scratch
from runbook_lib.base.errors import Exit
from runbook_lib.base.held import deaf
from runbook_lib.base.telling import tellers
from runbook_lib.cli.ending import changed, code_of, ending, seal_left
from runbook_lib.cli.streams import trouble
from runbook_lib.cli.terminal import say, waiting
from runbook_lib.record import staging
from runbook_lib.record.ended import Terminated


def guarded(command: Callable[[], int | None]) -> NoReturn:
    """Runs `command` and exits with its return value; an error becomes a sentence, its changes, and an exit code."""
    tellers[:] = [waiting]
    scratch.sweep(release=staging.rescue)  # folders of a command that was killed
    try:
        code = int(command() or Exit.OK)
    except SystemExit as ended:  # typer's own way out
        if isinstance(ended, Terminated):
            say(f"runbook: ended by {ended.name}{changed()}", fg="red", err=True)
        _exit(ended.code if isinstance(ended.code, int) else int(Exit.OK))
    except (Exception, KeyboardInterrupt) as error:  # the last resort: nobody at a terminal needs a traceback
        told, number = ending(error)
        say(told, fg="red", err=True)
        seal_left(error)
        _leave(number)
    _exit(code)


def _exit(code: int) -> NoReturn:
    """Exits, and says what could not be printed."""
    if told := trouble():
        say(f"runbook: {told}", fg="red", err=True)
    _leave(code_of(code))


def _leave(code: int) -> NoReturn:
    """Exits. Everything is said and sealed: who presses Ctrl-C once more, or ends the job, gets no traceback of a
    Python that ends, and the exit code is that of what was done.
    """
    atexit.register(deaf)
    sys.exit(code)
