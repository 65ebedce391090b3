"""The only way to change AWS: checks who may, writes the change down before, and reads it back after.

Changes that raise exposure are refused at the slightest doubt; changes that lower it need only the right account and
the confirmation, and nothing else may stop them (docs/domain.md, trap 16).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TextIO, TypeVar

from runbook_lib.base.aws_errors import cause_of, perhaps_done, sentence
from runbook_lib.base.errors import Refused, RunbookError, Unreadable, UsageError
from runbook_lib.base.patience import again
from runbook_lib.base.window import when

if TYPE_CHECKING:
    from runbook_lib.params.load import Params

begun: list[str] = []
"""The changes that this process has begun, in order: a command that ends in an error lists them."""

T = TypeVar("T")
Facts = Mapping[str, Any]


class Journal(Protocol):
    """The log of intents and outcomes (`record/journal.py`)."""

    def append(self, event: str, **data: Any) -> Any:
        """Writes one event with its data; raises if the line is not safely on disk."""
        ...

    def append_or_stderr(self, event: str, **data: Any) -> Any:
        """As `append`, but a line that cannot be written goes to stderr and a temporary file instead."""
        ...


class Identity(Protocol):
    """The caller, and AWS's time."""

    @property
    def account(self) -> str:
        """The caller's account."""
        ...

    @property
    def arn(self) -> str:
        """The caller's ARN."""
        ...

    @property
    def now(self) -> dt.datetime:
        """AWS's own clock, with a time zone."""
        ...


@dataclass(frozen=True)
class Change(Generic[T]):
    """The result of one change."""

    intent: str
    """Id that joins intent and outcome in the journal."""
    done: T | None
    """What `do` returned; None if `do` raised but the read-back shows the change."""
    seen: Facts
    """The facts that were read back."""
    ok: bool
    """Whether everything promised was read back."""

    @property
    def told(self) -> str:
        """What was read back, in words."""
        plain = {key: value for key, value in self.seen.items() if isinstance(value, str | int | float) and value != ""}
        return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in plain.items()) or "nothing"


class Guard:
    """Authorises changes, and writes them down before and after."""

    def __init__(
        self,
        params: Params,
        identity: Identity,
        journal: Journal,
        out: TextIO | None = None,
    ) -> None:
        self.params = params
        self.identity = identity
        self.journal = journal
        self.concerns: list[str] = []
        """Doubts found elsewhere, one sentence each: they refuse a raise and only warn of a lowering."""
        self.unread = False
        """Whether AWS did not say what was in force after the last change."""
        self._out = out
        self._opened = time.monotonic()
        self._warned: set[str] = set()

    @property
    def who(self) -> str:
        """The operator's name, or else the caller's ARN."""
        return str(self.params.operator or self.identity.arn)

    @property
    def now(self) -> dt.datetime:
        """AWS's clock in UTC, moved on by the time since it was read."""
        return self.identity.now.astimezone(dt.UTC) + dt.timedelta(seconds=time.monotonic() - self._opened)

    @property
    def warnings(self) -> list[str]:
        """The warnings so far, in alphabetical order."""
        return sorted(self._warned)

    def authorise(self, raises: bool) -> None:
        """Allows a change, or raises with one sentence that says what to do.

        Raises:
            Refused: plan mode; or, for a raise, old evidence (trap 24) or a concern.
            UsageError: `confirm` does not repeat the environment, or the account is not the configured one.
        """
        flat = self.params.flat
        if flat.mode != "apply":
            raise Refused(f"mode is '{flat.mode}'; to change anything, set mode='apply' and confirm='{flat.env}'")
        if flat.confirm != flat.env:
            raise UsageError(f"confirm is '{flat.confirm}', expects '{flat.env}'", nothing_changed=True)
        if self.identity.account != flat.account_id:
            raise UsageError(
                f"the caller's account is '{self.identity.account}' ({self.identity.arn}), the parameters say "
                f"'{flat.account_id}' for {flat.env}",
                nothing_changed=True,
            )
        doubts = [*self._old_evidence(), *self.concerns]
        if raises and doubts:
            raise Refused(doubts[0].rstrip("."), nothing_changed=True)
        for doubt in doubts:
            self.warn(f"{doubt.rstrip('.')}; it would refuse a raise, and does not hold up a lowering")

    def warn(self, text: str) -> None:
        """Writes a warning into the journal, once."""
        if text not in self._warned:
            self._warned.add(text)
            self.note("warning", text=text)

    def note(self, event: str, **data: Any) -> None:
        """Writes an event into the journal, or to stderr and a temporary file if that fails. Never raises."""
        try:
            self.journal.append_or_stderr(event, **data)
        except Exception as error:  # on any error the change itself must go on
            with contextlib.suppress(OSError, ValueError):
                print(f"the journal failed ({error}) on: {event} {data}", file=self._out or sys.stderr, flush=True)

    def change(
        self,
        what: str,
        *,
        before: Facts,
        after: Facts,
        undo: str,
        by_hand: str = "",
        facts: Facts = MappingProxyType({}),
        do: Callable[[], T],
        read_back: Callable[[], Facts],
        raises: bool,
    ) -> Change[T]:
        """Makes one change: intent on disk, `do`, read back, outcome on disk.

        `undo` says the way back in words, `by_hand` its commands for people without the runbook; later runs decide by
        `facts` (`Change.step`), people read `what`.

        `after` is the promise: `read_back` must return each of its items, and may return more.
        If `do` raises, the write may still have happened (a lost connection), so the read-back decides; one bad answer
        does not: it is asked again.

        Raises:
            Refused, UsageError: see `authorise`; for a raise also if the intent cannot be written down.
            Unreadable: it may have been made, and AWS does not say so; with the command by hand.
            Exception: the error of `do`, if the read-back does not show the change.
        """
        self.authorise(raises)
        intent = uuid.uuid4().hex[:12]
        intended = {
            "id": intent,
            "what": what,
            "before": dict(before),
            "after": dict(after),
            "undo": undo,
            "by_hand": by_hand,
            **facts,
            "who": self.who,
            "raises": raises,
            "aws_at": self.now.isoformat(),
        }
        if raises:
            try:
                self.journal.append("intent", **intended)
            except Exception as error:  # on any error: without a record there is no raise
                raise Refused(f"the intent cannot be recorded ({error}); this change was not made") from error
        else:
            self.note("intent", **intended)
        begun.append(what)
        done: T | None = None
        trouble: Exception | None = None
        try:
            done = do()
        except Exception as error:  # the read-back decides whether it happened
            trouble = error
        seen: Facts | None = None
        blind: Exception | None = None
        try:
            seen = again(read_back)
        except Exception as error:  # the outcome is unknown then, and the record says so
            blind = error
        self.unread = seen is None
        ok = seen is not None and all(key in seen and seen[key] == value for key, value in after.items())
        self.note(
            "outcome",
            intent=intent,
            read_back=None if seen is None else dict(seen),
            ok=ok if seen is not None else None,
            error=_words(trouble),
            read_back_error=_words(blind),
            aws_at=self.now.isoformat(),
        )
        if blind is not None and (trouble is None or _perhaps(trouble)):
            raise _unknown(what, trouble, blind, by_hand)
        if trouble is not None and not ok:
            raise trouble
        assert seen is not None  # noqa: S101
        return Change(intent=intent, done=done, seen=seen, ok=ok)

    def _old_evidence(self) -> list[str]:
        if not self.params.as_of:
            return []
        try:
            as_of = dt.datetime.fromisoformat(self.params.as_of)
            off = abs((as_of - self.now).total_seconds())
        except (TypeError, ValueError, OverflowError):  # the kill switch reads it unvalidated
            return [f"as_of is '{self.params.as_of}', which is not a time with a time zone: leave it empty"]
        tolerance = self.params.policy.as_of_tolerance_s
        if off <= tolerance:
            return []
        return [
            f"as_of is {when(self.params.as_of)}, {off / 60:.0f} min from AWS's own clock ({when(self.now)}), "
            f"more than the {tolerance / 60:g} min allowed: leave as_of empty and look at fresh evidence"
        ]


def at_end(what: str, read: Callable[[], T], by_hand: str) -> T:
    """What AWS says once a change is made.

    Raises:
        Unreadable: it does not say so; with the command by hand.
    """
    try:
        return again(read)
    except Exception as error:
        raise _unknown(what, None, error, by_hand) from error


def _perhaps(trouble: Exception) -> bool:
    cause = cause_of(trouble)
    return perhaps_done(trouble) or (isinstance(cause, Exception) and perhaps_done(cause))


def _unknown(what: str, trouble: Exception | None, blind: Exception, by_hand: str) -> Exception:
    """The error of a change that may have been made and cannot be read back; one that is not about AWS stays."""
    error = trouble or blind
    told = str(error) if isinstance(error, RunbookError) else sentence(error)
    if told is None:
        return error
    then = f"; by hand: {by_hand}" if by_hand and by_hand not in told else ""
    return Unreadable(f"it is NOT known whether this was done: {what}, which cannot be read back: {told}{then}")


def _words(error: Exception | None) -> str | None:
    return None if error is None else f"{type(error).__name__}: {error}"
