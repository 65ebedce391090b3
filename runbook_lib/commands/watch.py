"""`runbook watch`: looks at a soak repeatedly, stops early, and switches async off only if allowed to.

It survives a restart. AppConfig's history tells what is in force, the archive what was counted; the times of its looks
are in `archive/.watch/`, one line each. If that is lost, the phase's records tell, and at worst a look is taken
twice.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runbook_lib.base.aws_errors import on_the_way, sentence, spoilt
from runbook_lib.base.errors import ArchiveError, AwsError, Exit, Overtaken, RunbookError, UsageError
from runbook_lib.base.foreign import one_line
from runbook_lib.base.patience import again
from runbook_lib.base.telling import tellers
from runbook_lib.base.window import parse, when
from runbook_lib.commands.watch_look import IDLE, Look, OneLook
from runbook_lib.commands.watch_memory import Memory, state
from runbook_lib.judge.terms import Decision
from runbook_lib.params.load import Params, load_file
from runbook_lib.record.archive import Archive

MIN_INTERVAL_S = 60.0
BACKFILL_LOOKS = 24
"""Most looks that are taken afterwards for one gap, evenly spread over it."""
GAP = 1.5
"""Intervals without a look that count as a gap: a slow look causes none."""
TRIES, AGAIN_S = 10, 30.0
"""Number of attempts to switch async off if AWS cannot be reached, and the seconds between them."""
_EXIT = {Decision.HOLD: Exit.HOLD, Decision.ROLLBACK: Exit.ROLLBACK}


def exit_code(look: Look | None) -> int:
    """The exit code of a watch that ended with `look`."""
    if look is None or look.decision == "ERROR":
        return int(Exit.ERROR)
    return int(_EXIT.get(Decision(look.decision), Exit.HOLD if look.apart else Exit.OK))


def phase_of(params: Params, name: str) -> str:
    """The phase with this name, this number or this beginning of its name.

    Raises:
        UsageError: none or several match.
    """
    phases = params.policy.phases
    found = [one for one in params.policy.named(name) if one in phases]
    if len(found) != 1:
        raise UsageError(f"'{name}' names no phase that soaks; there are: {', '.join(phases)}")
    return found[0]


@dataclass
class Clock:
    """The clock of a watch; tests replace it by virtual time."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic


class Watch:
    """A watch over one phase.

    Args:
        file: flat parameter file.
        values: overrides; with `auto_rollback` also `confirm`.
        phase: notebook of the phase, by name or number.
        interval_s: seconds between two looks.
        auto_rollback: whether to switch async off when a look says ROLLBACK by scenario 1.

    Raises:
        UsageError: the phase does not exist, the interval is too short, or `confirm` does not repeat the environment.
    """

    def __init__(
        self,
        file: Path,
        values: Mapping[str, Any],
        phase: str,
        *,
        interval_s: float = 300.0,
        auto_rollback: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.file, self.values = file, dict(values)
        self._follows = "attempt" not in self.values
        self.params = load_file(file, self.values, spare=True)  # an archive that is none stops no look
        self.notebook = phase_of(self.params, phase)
        self.interval = dt.timedelta(seconds=interval_s)
        self.auto_rollback = auto_rollback
        self.clock = clock or Clock()
        self.last: Look | None = None
        if interval_s < MIN_INTERVAL_S:
            raise UsageError(f"--interval is {interval_s / 60:g} min: expects at least {MIN_INTERVAL_S / 60:g}")
        confirm = self.values.get("confirm", "")
        if auto_rollback and confirm != self.params.env:
            raise UsageError(f"--auto-rollback: --confirm is '{confirm}', expects '{self.params.env}'")
        self._archive = Archive.of(self.params, anyhow=True)  # one that cannot be written stops no look
        with contextlib.suppress(ArchiveError, OSError):
            self._archive.sweep()
        self._pending: OneLook | None = None
        self._once = self._sighted = False
        self._fault = ""
        self._remember()

    def _remember(self) -> None:
        self._memory = Memory.of(self._archive, self.params, self.notebook)
        self._known = self._looked_at()

    def looks(self, *, once: bool = False) -> Iterator[Look]:
        """Looks until one look ends the watch (or `once`), with the missed looks first.

        Unless told an attempt, it watches the phase's newest. A look without an answer (AWS is silent, the sign-in has
        expired) is an ERROR; the next look tries again, and fills the gap. After a first success, any other failure of
        a look is treated the same.

        Raises:
            UsageError: the parameters or the account are wrong from the start.
            Overtaken: another shift than the one that is watched is under way.
            AwsError: async should be switched off, and could not be; the sentence says how to do it by hand.
        """
        self._once = once
        try:
            while True:
                began = self.clock.monotonic()
                for look in self._round(once):
                    self.last = look
                    yield look
                if once or self.last is None or self.last.ends:
                    break
                self.clock.sleep(max(0.0, self.interval.total_seconds() - (self.clock.monotonic() - began)))
        except GeneratorExit:  # nobody listens any more
            self._drop()
            raise
        self._drop()

    def interrupted(self) -> str | None:
        """Handles Ctrl-C: seals the last look, if it is not sealed yet; returns the folder of its record."""
        pending, self._pending = self._pending, None
        if pending is None:
            return self.last.record if self.last else None
        pending.say("the watch was ended by its operator; nobody has looked since")
        done = pending.outcome is not None
        return pending.keep("completed" if done else "cancelled", None if done else "ended in the middle of a look")

    def _round(self, once: bool) -> Iterator[Look]:
        """Looks now, and yields the missed looks before this one."""
        try:
            one, look = again(self._taken, spoilt)
            self._sighted = True
            missed = [] if look.ends else self._missed(one)
            for at in missed:
                earlier = self._back_filled(at, look)
                yield earlier
                if earlier.decision == Decision.HOLD:
                    return
        except RunbookError as error:
            if isinstance(error, Overtaken) or (isinstance(error, UsageError) and not self._sighted):
                raise
            yield self._blind(error)
            return
        except Exception as error:  # a fault of ours, unless it is the network; keep what was seen
            if on_the_way(error):
                yield self._blind(AwsError(sentence(error) or one_line(error)))
                return
            said = f"{type(error).__name__}: {one_line(error)}"
            if self._pending is not None and said != self._fault:
                self._pending.keep("failed", said)
            self._fault = said
            if not self._sighted:
                raise
            yield self._blind(AwsError(f"an answer that cannot be read, or a fault of the runbook itself: {said}"))
            return
        if missed:
            one.say(
                f"back-filled: nobody looked between {when(missed[0] - self.interval)} and {when(look.at)}; "
                f"{len(missed)} looks were taken after the fact, and none of them fails"
            )
        yield self._told(one, look, bool(missed), once)

    def _taken(self) -> tuple[OneLook, Look]:
        """A new look. One with an answer that was spoilt on the way is taken anew: nobody may look for minutes."""
        try:
            return self._looked()
        except Overtaken as other:
            self._drop()
            if not (self._follows and other.attempt):
                raise
            self.values["attempt"] = other.attempt
            self.params = load_file(self.file, self.values, spare=True)
            self._remember()
            for tell in tellers:
                tell(f"attempt {other.attempt} is the newest that has shifted: this watches it")
        return self._looked()

    def _looked(self) -> tuple[OneLook, Look]:
        self._drop()
        self._pending = one = OneLook(self.file, self.values, self.notebook)
        return one, one.take()

    def _told(self, one: OneLook, look: Look, gap: bool, once: bool) -> Look:
        """Acts on the look if necessary, keeps it if it changed something, and remembers it."""
        done: dict[str, str] = {}
        if self._switches_off(one):
            done = self._switched_off(one, look)
            one.say(done["action"])
        before = self._memory.last()
        changed = before is None or before["state"] != state(look)
        ended = look.ends and not once
        kept = look.moment not in IDLE and (changed or ended or done or gap or self._due(look))
        if kept:
            one.keep()
        look = one.told(**done, **({"apart": one.trouble} if kept and one.trouble else {}))
        if one.trouble and one.sealed is None:
            look = replace(look, reason=f"{look.reason} ({one.trouble})")
        self._memory.add(look)
        return look

    def _due(self, look: Look) -> bool:
        """Whether the census must be kept now: jobs live only for their TTL, and its counts would be lost."""
        kept = self._memory.last(kept=True)
        if kept is None:
            return True
        since = parse(look.at) - parse(kept["at"])  # below 0: the clock was ahead then
        return abs(since.total_seconds()) >= self.params.service.job_ttl_s / 2

    def _switches_off(self, one: OneLook) -> bool:
        outcome = one.outcome
        return (
            self.auto_rollback
            and outcome is not None
            and outcome.decision is Decision.ROLLBACK
            and outcome.scenario == "rollback_1"
            and not one.migrated  # the switch has no effect any more
        )

    def _switched_off(self, one: OneLook, look: Look) -> dict[str, str]:
        """Switches async off; an obstacle (a proxy, a lost connection) is waited out for some minutes."""
        for left in reversed(range(TRIES)):
            try:
                return self._switch_off(look, last=not left)
            except RunbookError as error:
                said = f"async could not be switched off: {error}"
                one.say(said)
                if isinstance(error, AwsError) and left:
                    for tell in tellers:
                        tell(f"{said}; tried again in {AGAIN_S:g} s")
                    self.clock.sleep(AGAIN_S)
                    continue
                one.keep("failed", str(error))
                raise
        raise AssertionError("unreachable")

    def _switch_off(self, look: Look, *, last: bool) -> dict[str, str]:
        """Switches async off, with a record of its own in the chain of the rollback."""
        from runbook_lib.commands.rollback import rollback_1

        values = {"mode": "apply", "as_of": "", "reason": f"runbook watch --auto-rollback: {look.told}"}
        done = rollback_1(self.file, {**self.values, **values}, last=last)
        told = f"; {done.told}" if done.told else ""
        action = f"{done.sentence}{told} (record: {done.record or 'none could be written'})"
        return {"action": action, "next": done.next}

    def _missed(self, one: OneLook) -> list[dt.datetime]:
        """The times at which a look was due between the last look by anybody (or the shift) and this one."""
        start = one.moment.effective_at if one.moment else None
        if start is None:
            return []
        newest = self._memory.last()
        seen = [start, *self._known, *([parse(newest["at"])] if newest else [])]
        now, every = one.run.now, self.interval
        last = max(at for at in seen if at <= now) if any(at <= now for at in seen) else now
        if now - last <= GAP * every:
            return []
        count = int((now - last) / every - 0.5)
        instants = [last + every * place for place in range(1, count + 1)]
        step = max(1, -(-len(instants) // BACKFILL_LOOKS))
        return instants[::-1][::step][::-1]

    def _back_filled(self, at: dt.datetime, now: Look) -> Look:
        """A look as of `at`. A past failure that nobody saw is for people to judge: HOLD, nothing is switched."""
        one = OneLook(self.file, self.values, self.notebook, at)
        try:
            look = one.take()
            if look.decision in (Decision.HOLD, Decision.ROLLBACK):
                assert one.outcome is not None  # noqa: S101
                one.outcome = one.outcome.held(
                    f"at {when(look.at)}, when nobody looked, the evidence said {look.told}; now it says {now.told}",
                    next="look at what happened then; a person decides whether the soak goes on",
                )
                one.say("back-filled: judged after the fact, with the live depths of after the fact")
                one.keep()
                look = one.told()
        finally:
            one.drop()
        self._memory.add(look)
        return look

    def _blind(self, error: RunbookError) -> Look:
        """The look if nothing was seen. AppConfig itself watches the guards as long as it bakes."""
        self._drop()
        return Look(
            at="",
            moment="unknown",
            decision="ERROR",
            reason=str(error),
            next="run it again; what is missed is made up for"
            if self._once
            else f"tries again in {self.interval.total_seconds() / 60:g} min; what is missed is made up for",
        )

    def _drop(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.drop()

    def _looked_at(self) -> list[dt.datetime]:
        """The instants that the phase's own records judged, for this attempt."""
        archive, flat, found = self._archive, self.params.flat, []
        for ref in archive.records(flat.env, flat.release, self.notebook):
            with contextlib.suppress(ArchiveError, ValueError):
                record = archive.load(ref)
                if record.attempt == flat.attempt and record.as_of and record.evidence:
                    found.append(parse(record.as_of))
        return found
