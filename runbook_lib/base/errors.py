"""Errors that a user can act on: one sentence, one exit code, no traceback."""

from __future__ import annotations

from enum import IntEnum

from runbook_lib.base import foreign, nearest

NO_PYTHON = (SyntaxError, ValueError, MemoryError, RecursionError)
"""What Python raises for a text that is no Python: before 3.11.4 a ValueError for a null byte, the last two for a deep
one.
"""
NOTHING = "; nothing was changed"
"""The end of an error's sentence if nothing was changed."""


class Exit(IntEnum):
    """Exit codes of the `runbook` command (README, "Exit codes")."""

    OK = 0
    """Planned, soaking and in order, or promoted."""
    ERROR = 1
    """The run failed: AWS not reachable, credentials expired, an answer that makes no sense."""
    USAGE = 2
    """Wrong usage or parameters; AWS was not asked, or nothing was changed."""
    HOLD = 3
    """The rollout needs a person before it goes on."""
    ROLLBACK = 4
    """A rollback is advised, or AWS has taken the weight back by itself."""


class RunbookError(Exception):
    """Base of every error shown to the user as one sentence that says what to do next."""

    exit_code: Exit = Exit.ERROR

    def __init__(self, *told: object, nothing_changed: bool = False) -> None:
        """`nothing_changed`: whether the raiser knows that nothing was changed; False: unknown."""
        super().__init__(*told)
        self.nothing_changed = nothing_changed

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: the notebook shows the sentence instead of a traceback."""
        return [f"{type(self).__name__}: {foreign.short(str(self))}{NOTHING if self.nothing_changed else ''}"]


class _Named(RunbookError):
    """An error whose sentence names what a person gave: a name that only looks like the right one is told."""

    def __init__(self, *told: object, nothing_changed: bool = False) -> None:
        said = " ".join(map(str, told))
        more = "" if said.isascii() else _beyond(said)
        super().__init__(f"{said}; {more}" if more and more not in said else said, nothing_changed=nothing_changed)


def _beyond(said: str) -> str:
    from runbook_lib.base.redact import redact_text  # rarely needed

    return nearest.beyond(redact_text(said))


class UsageError(_Named):
    """A parameter, a file or a call is wrong: the sentence names it with its value."""

    exit_code = Exit.USAGE


class Overtaken(UsageError):
    """Another shift than the one that was asked about is under way; `attempt` of the same phase, else 0."""

    def __init__(self, told: str, attempt: int) -> None:
        super().__init__(told, nothing_changed=True)
        self.attempt = attempt


class AwsError(RunbookError):
    """AWS refused, did not answer, or answered something that cannot be used."""


class Unreadable(AwsError, LookupError):
    """AWS's answer lacks what it always has; the sentence says what, and in the answer to which question."""


class Refused(_Named):
    """A change was refused before it was made."""

    exit_code = Exit.HOLD


class ArchiveError(RunbookError):
    """The archive or a record in it is damaged, missing, or cannot be written.

    Its sentence stays on one line: it has names of files, which others gave them.

    Args:
        of_the_log: the archive's log is what is damaged; the record itself is not.
    """

    def __init__(self, *told: object, nothing_changed: bool = False, of_the_log: bool = False) -> None:
        super().__init__(*map(foreign.line, told), nothing_changed=nothing_changed)
        self.of_the_log = of_the_log


class Unread(ArchiveError):
    """This user may not read a file or folder of the archive: whether it is as it was sealed cannot be told."""

    exit_code = Exit.HOLD

    @classmethod
    def of(cls, error: OSError, place: object) -> Unread:
        """`place` is named if the error names none."""
        return cls(f"{error.filename or place}: this user may not read it ({error.strerror})")


class Unsure(RunbookError):
    """Whether the archive is as it was sealed cannot be told."""

    exit_code = Exit.HOLD


class RedVerdict(RunbookError):
    """Raised as the last act of a notebook whose decision is HOLD or ROLLBACK, after everything is saved."""

    def __init__(self, decision: str, reason: str) -> None:
        super().__init__(f"{decision}: {reason}")
        self.exit_code = Exit.ROLLBACK if decision == "ROLLBACK" else Exit.HOLD


done_here: dict[str, str] = {}
"""What this process changed on this machine, beside its own record: action to its progress, as part of a sentence. A
command that fails lists it, and does not say that nothing was changed. Files written all or none are not listed."""
