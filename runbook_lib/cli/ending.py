"""How a failed command ends: one sentence, an exit code, and the changes made. Light: the kill switch uses it
too.
"""

from __future__ import annotations

import os
import signal
import traceback

from runbook_lib.act.guard import begun
from runbook_lib.base import errors
from runbook_lib.base.aws_errors import place, sentence
from runbook_lib.base.errors import NOTHING, Exit, RunbookError, UsageError
from runbook_lib.base.foreign import one_line, short, stderr, unnumbered
from runbook_lib.base.held import deaf, heard, interrupt
from runbook_lib.base.limits import Spent
from runbook_lib.base.machine import of_this_machine, words
from runbook_lib.base.project import GONE, working
from runbook_lib.base.redact import redact_text
from runbook_lib.cli.streams import trouble
from runbook_lib.record.ended import asks_to_end, never_lost
from runbook_lib.record.staging import unsealed
from runbook_lib.record.uncaught import TRACEBACK


def answering() -> None:
    """From now on SIGTERM (a job is cancelled) and SIGHUP (the connection to the terminal is lost) end this process
    like Ctrl-C: what was begun is sealed and reported. A SIGHUP that `nohup` ignores stays ignored.
    """
    never_lost()
    for number in asks_to_end():
        signal.signal(number, interrupt)


def ending(error: BaseException, untouched: str = "") -> tuple[str, int]:
    """The sentence for standard error, and the exit code.

    Of a command that was interrupted it is that of a shell: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.

    `untouched` follows if nothing was changed: it names what stays as it was.

    An error of another class is a fault of the runbook: the sentence names its place, and the traceback follows
    if `RUNBOOK_TRACEBACK` is set.
    """
    if isinstance(error, KeyboardInterrupt) or _by_interrupt(error):
        why = f": {error}" if isinstance(error, Spent) else ""
        return f"runbook: interrupted{why}{changed(untouched)}", 128 + (heard[0] if heard else signal.SIGINT)
    if isinstance(error, FileNotFoundError) and not working():
        error = UsageError(GONE)
    if isinstance(error, RunbookError):
        return f"runbook: {one_line_each(str(error))}{changed(untouched)}", int(error.exit_code)
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    said = sentence(error) if isinstance(error, Exception) else None
    if said is None:
        kind = f"{type(error).__name__}: {one_line(error)}".rstrip(": ")
        said = one_line(error) if isinstance(error, OSError) else f"a fault of the runbook itself: {kind}"
        said = of_this_machine(error) or f"{said} ({place(error)}; {TRACEBACK}=1 shows the way there)"
    return f"runbook: {one_line_each(said)}{changed(untouched)}", int(Exit.ERROR)


def _by_interrupt(error: BaseException) -> bool:
    """Whether it is what became of a Ctrl-C, such as a library's lock that was being taken."""
    if isinstance(error, RunbookError) or not isinstance(error, Exception) or sentence(error) is not None:
        return False
    while (before := error.__context__) is not None:
        if isinstance(before, KeyboardInterrupt):
            return True
        error = before
    return False


def seal_left(error: BaseException) -> None:
    """Seals what this process has begun and not sealed, such as the record of a rollback that ends early; nobody
    interrupts that.
    """
    if unsealed:
        deaf()
        try:
            from runbook_lib.record.sealing import cut_short

            cut_short("" if isinstance(error, KeyboardInterrupt) else one_line(error))
        except Exception as other:  # no memory, no descriptor left; what was done is told already
            stderr(f"runbook: its record is not sealed: {words(other)}")


def changed(untouched: str = "") -> str:
    """The changes that this process began in AWS and on this machine, as the end of a sentence."""
    told = list(errors.done_here.values())
    if begun:
        told.insert(0, f"begun before that: {'; '.join(begun)} (`runbook status` shows what is in force)")
    return "".join(f"; {one}" for one in told) or NOTHING + untouched


def one_line_each(text: str) -> str:
    """Our sentence, without control characters in others' texts that would steer the terminal, with no name in it that
    fills the screen, and with no secret that was typed: a log keeps what a terminal shows.
    """
    clean = unnumbered(redact_text(text))
    return short("".join(char if char.isprintable() or char == "\n" else " " for char in clean))


def code_of(code: int) -> int:
    """The exit code of a command that completed with `code`.

    A failure to print undoes nothing; a command that only shows something has failed then.
    """
    return int(Exit.ERROR) if trouble() and not begun and not errors.done_here and code == Exit.OK else code
