"""What the rollback notebooks share: symptoms, the clock of the incident, the message to people, the post-mortem, the
decision. Each scenario has an `Incident`; `async_failing.py` is an example.

A rollback acts first and tells afterwards. Its notebook has the headings of all notebooks, with *Action* and *Proof*
right after *May I run*. Its policy is `rollbacks:` in `params/gates.yaml` (time limit, minutes to watch). Its journal
is lenient: `Run.may_i_run()` refuses it only for account and confirmation (docs/domain.md, trap 16).

What a scenario does with it, in the order of the notebook:

    incident = Incident(run)                     # may call `self.resume(key)` if its change is in force already
    incident.symptoms(found, required=True)      # before the action where it raises capacity; `reason` overrides
    incident.may_raise()                         # ... and refuses without symptoms and without a reason
    incident.decided()                           # the clock begins: the last thing before the first call
    <its own change, by `run.guard.change`>
    incident.was_set(at, follows_s, key)         # AWS said so at `at`; everybody has followed `follows_s` later
    incident.tell("what was done")               # SNS topic and webhook, once an incident however often it is run
    incident.conclude(...)                       # the check `<id>.time_to_effect`, and the decision
    incident.verdict(outcome)                    # the decision, shown
    incident.post_mortem(sections)               # `post-mortem.md` in the record

A `key` (a deployment's number, a deviation's id) names the change, so that a later run, or one after a crash, goes on
with the same clock instead of starting one of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

from runbook_lib.base.errors import ArchiveError, Refused, RunbookError
from runbook_lib.base.window import iso, parse
from runbook_lib.judge.case import RollbackCase
from runbook_lib.judge.gates.checks import Check, check
from runbook_lib.judge.incidents.incident import Clock, NoWayBack, first_decision, spell, time_to_effect
from runbook_lib.judge.model import Outcome
from runbook_lib.judge.terms import Scenario, Verdict, Word
from runbook_lib.observe.traffic.state import TrafficState
from runbook_lib.params.rollbacks import Rollback
from runbook_lib.record.from_journal import from_journal
from runbook_lib.record.journal import read_events
from runbook_lib.record.record import Record
from runbook_lib.rollout import history
from runbook_lib.rollout.history import rollouts_records
from runbook_lib.rollout.timeline import story
from runbook_lib.run.run import Run
from runbook_lib.show.checks import checks_table
from runbook_lib.show.page import line, within
from runbook_lib.show.tables import stack, table
from runbook_lib.show.verdicts import verdict_banner
from runbook_lib.steps.rollbacks.post_mortem import FILE, Facts, happened, post_mortem
from runbook_lib.steps.rollbacks.telling import Telling

ENOUGH = 400
"""At most this many of the release's newest records go into the timeline."""


@dataclass(frozen=True)
class Symptom:
    """One symptom of the scenario, as the requirement names it."""

    id: str
    title: str
    present: bool | None
    """Whether the symptom is seen; None: it could not be seen."""
    words: str
    """What was seen, with its numbers."""


class Incident:
    """One rollback of any scenario.

    Args:
        run: open, of a notebook that `policy.rollbacks` knows.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.params = run.params
        self.id: Scenario = next(one for one in get_args(Scenario) if run.notebook.startswith(f"{one}_"))
        self.spec: Rollback = run.params.policy.rollbacks[run.notebook]
        self.clock: Clock | None = None
        self.found: tuple[Symptom, ...] = ()
        self.outcome: Outcome | None = None
        self.come_back: list[dt.datetime] = []
        """When to look again at the checks that only time answers (`later`)."""

    # The clock

    @property
    def aws_now(self) -> dt.datetime:
        """The present time by AWS's clock. Not `as_of`: a change happens now."""
        return self.run.guard.now

    def decided(self, at: dt.datetime | None = None) -> Clock:
        """Starts the clock, unless it runs already, and writes it down before anything is changed.

        Args:
            at: when it was decided, if that was earlier than now (a command made the first call).
        """
        return self.clock or self.go_on_with(Clock(decided_at=iso(at or self.aws_now)))

    @property
    def decided_time(self) -> dt.datetime | None:
        """When it was decided to act; None: it was not."""
        return parse(self.clock.decided_at) if self.clock else None

    def was_set(self, at: dt.datetime, follows_s: float, key: str) -> Clock:
        """Notes that the change was read back at `at`; clients or AWS follow it `follows_s` seconds later.

        Args:
            key: names the change, see `resume`.
        """
        began = self.decided()
        effective = iso(at + dt.timedelta(seconds=follows_s))
        return self.go_on_with(began.model_copy(update={"set_at": iso(at), "effective_at": effective, "key": key}))

    def resume(self, key: str, set_at: dt.datetime | None = None) -> Clock | None:
        """Takes over the clock of the first decision for the change `key`; None if no record has it.

        See `judge.incidents.incident.first_decision`.

        Args:
            set_at: when AWS says that it was set, if it says so.
        """
        clocks = [Clock.model_validate(one.incident) if one.incident else None for one in reversed(self.earlier)]
        first = first_decision(clocks, key, iso(set_at) if set_at else None)
        return None if first is None else self.go_on_with(first)

    def go_on_with(self, clock: Clock) -> Clock:
        """Uses this clock from now on, and writes it into the journal."""
        self.clock = clock
        self.run.journal.append("incident", clock=clock.model_dump(mode="json"))
        return clock

    @cached_property
    def earlier(self) -> list[Record]:
        """This attempt's earlier records of this rollback, oldest first; a damaged one is left out with a warning."""
        return history.of_attempt(self.run.archive, self.params, self.run.notebook, self.run.guard.warn)

    # Symptoms

    def symptoms(self, found: Sequence[Symptom], *, required: bool) -> Any:
        """Notes the symptoms as one check (`<id>.symptoms`) and shows them.

        Args:
            required: whether the rollback is refused without one (`may_raise`); turning async off needs none.
        """
        self.found = tuple(found)
        there = [one for one in found if one.present]
        reason = self.params.reason
        ok = True if there or reason else None if any(one.present is None for one in found) else False
        if there:
            told = f"confirmed: {'; '.join(one.words for one in there)}"
        elif reason:
            told = f"not confirmed, overridden by the operator: {reason}"
        else:
            told = "none was seen; a reason (parameter `reason`) overrides that"
        noted = check(
            f"{self.id}.symptoms",
            "Symptoms confirmed, or overridden with a reason",
            ok,
            told,
            required=required,
            expected="at least one, or a reason",
            found=f"{len(there)} of {len(found)}",
            overridden=bool(reason and not there),
            symptoms=[{"id": one.id, "present": one.present, "words": one.words} for one in found],
        )
        word = {True: "present", False: "absent", None: "not seen"}
        rows = [[one.title, word[one.present], one.words] for one in found]
        shown = table(("Symptom", "State", "What was seen"), rows, caption="Symptoms")
        return stack(shown, self.note(noted))

    @property
    def confirmed(self) -> bool:
        """Whether at least one symptom was seen, or a reason was given."""
        return any(one.present for one in self.found) or bool(self.params.reason)

    def may_raise(self) -> None:
        """Refuses to add capacity without a symptom and without a reason.

        Raises:
            Refused: there is neither.
        """
        if not self.confirmed:
            title = self.spec.title
            raise Refused(
                f"no symptom of '{title}' was seen: nothing to do; give a reason (parameter `reason`) to go on without",
                nothing_changed=True,
            )

    # Telling people

    def tell(self, what: str, about: str = "", key: str = "") -> Any:
        """Tells people what was done, once for each `key` of the clock; a failure to tell is noted, not raised.

        What was done already is told as well: the run that did it may have ended before it told anybody.

        Args:
            about: names what is told, if `what` has figures that differ from run to run.
            key: another one than the clock's.
        """
        if not self.run.applying or not self.spec.notify:
            return line("No message is sent: " + ("the policy says so." if self.run.applying else "mode is plan."))
        key = key or (self.clock.key if self.clock else "")
        # Of the others, too: they may have fallen back to the same.
        known = history.rollbacks_of_attempt(self.run.archive, self.params, self.run.guard.warn)
        return self.note(self._telling.tell(what, key, known, about=about))

    @cached_property
    def _telling(self) -> Telling:
        return Telling(self.run.aws, self.run.guard, self.run.notebook, self.run.run_id)

    # Checks

    def note(self, *checks: Check, caption: str = "") -> Any:
        """Notes checks and shows them."""
        self.run.check(*checks)
        return checks_table(checks, caption)

    def later(self, id: str, title: str, ok: bool | None, reason: str, at: dt.datetime | None, **more: Any) -> Check:
        """A check that time answers: where `ok` is None, it is INCONCLUSIVE and due again at `at`."""
        made = check(f"{self.id}.{id}", title, ok, reason, **more)
        if ok is None and at is not None:
            self.come_back.append(at)
            return made.model_copy(update={"verdict": Verdict.INCONCLUSIVE})
        return made

    def looked(self, id: str, title: str, look: Callable[[], Any], *, required: bool) -> Any:
        """What `look` shows; where it raises an error, a check without data that gives the error's words."""
        try:
            return look()
        except RunbookError as error:
            return self.note(check(f"{self.id}.{id}", title, None, str(error), required=required))

    # The end

    def conclude(
        self,
        *,
        acted: bool,
        would: str,
        done: str,
        then: str,
        come_back_at: dt.datetime | None = None,
        no_way: NoWayBack | None = None,
        falls_to: Scenario | None = None,
        besides: str = "",
        state: TrafficState | None = None,
    ) -> Outcome:
        """Notes `<id>.time_to_effect` and decides by every check so far (`judge.incident.decide_rollback`).

        Args:
            besides: a remark to `done`; it follows the time to effect.
            state: the traffic as it was read last; None: it is asked for.
        """
        if acted:
            self.run.check(time_to_effect(self.id, self.clock, self.spec.limit_min))
            done = f"{done}{self._in_effect()}{f'; {besides}' if besides else ''}"
        case = RollbackCase(
            checks=tuple(self.run.checks.values()),
            acted=acted,
            would=would,
            done=done,
            then=then,
            come_back_at=iso(come_back_at.replace(microsecond=0)) if come_back_at else None,
            no_way=no_way,
            falls_to=falls_to,
            watched=Word.ASYNC_IS_OFF if self.id == "rollback_1" else Word.MITIGATED,
        )
        outcome = case.verdict()
        self.run.made_of(case, outcome)
        self.outcome = self.run.decide(outcome, moment=self.id, state=state)
        return self.outcome

    def _in_effect(self) -> str:
        """The time to effect beside its limit, in words for the first line of a report."""
        if self.clock is not None and not self.clock.measures:
            return "; it was so before this run, whose time to the effect is not measured"
        seconds = self.clock.to_effect_s if self.clock else None
        limit = f"(limit {self.spec.limit_min:g} min)"
        return "" if seconds is None else f", in effect {spell(seconds)} after the decision {limit}"

    def verdict(self, outcome: Outcome) -> Any:
        """The decision, and every check of this run."""
        return stack(verdict_banner(outcome), checks_table(self.run.checks.values(), "All checks"))

    def post_mortem(
        self, sections: Mapping[str, Sequence[str]] | None = None, moved: Sequence[tuple[dt.datetime, str]] = ()
    ) -> Any:
        """Writes the skeleton of the post-mortem into the record, its timeline told by the records of the release.

        Args:
            sections: further sections of this scenario: Markdown lines by heading.
            moved: moves of the dial, by AppConfig's history.
        """
        now, refs = self.aws_now, rollouts_records(self.run.archive, self.params)[-ENOUGH:]
        facts = Facts(
            title=self.spec.title,
            env=self.params.env,
            release=self.params.release,
            attempt=self.params.attempt,
            operator=self.run.guard.who,
            reason=self.params.reason,
            run_id=self.run.run_id,
            clock=self.clock,
            limit_min=self.spec.limit_min,
            decision=self.outcome.told if self.outcome else "",
            until=now,
            own=happened(self.clock, first=self.id == "rollback_1"),
            moved=moved,
            checks=list(self.run.checks.values()),
            sections=sections or {},
        )
        told = [record for _, record in self.run.archive.trusted(refs, self.run.guard.warn)]
        digest = self.run.journal.attach(FILE, text := post_mortem(facts, story([*told, *self._so_far(now)])))
        self.run.check(
            check(
                f"{self.id}.post_mortem",
                "Skeleton of the post-mortem is written",
                True,
                f"{FILE} is in the record; what only people know is left open in it",
                required=False,
                found=FILE,
                sha256=digest,
            )
        )
        return within(text)

    def _so_far(self, now: dt.datetime) -> list[Record]:
        """This run's record so far, in a list; empty where its journal cannot be read."""
        try:
            found = from_journal(read_events(self.run.staging), status="completed")
            return [found.model_copy(update={"sealed_at": iso(now)})]
        except (ArchiveError, OSError) as error:
            self.run.guard.warn(f"this run's own changes are not in the timeline: {error}")
            return []
