"""`runbook rollback N`: the effect first, then the notebook that verifies, explains and records it.

Scenario 1 takes effect in `commands/kill_switch.py`. The rest, here, can wait: it seals the record of the command and
runs the notebook, which finds async off, and says what was done before.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from runbook_lib.act.guard import Guard, begun
from runbook_lib.act.notify import without_aws
from runbook_lib.act.traffic.off import after_off, is_not_off, is_off
from runbook_lib.base import lines
from runbook_lib.base.aws import caller, connect
from runbook_lib.base.errors import AwsError, Exit, RunbookError
from runbook_lib.base.foreign import stderr, terminal
from runbook_lib.base.machine import words
from runbook_lib.base.redact_data import redact
from runbook_lib.base.telling import busy
from runbook_lib.commands import kill_switch
from runbook_lib.commands.kill_switch import NOTEBOOK, Effect, Wanted
from runbook_lib.commands.rollback_plan import RolledBack, plan
from runbook_lib.judge.gates.checks import check
from runbook_lib.judge.told import OFF_CHECK
from runbook_lib.params.bare import bare, known_only
from runbook_lib.params.essentials import essentials
from runbook_lib.params.load import Params, load_file
from runbook_lib.record import sealing
from runbook_lib.record.archive import Archive
from runbook_lib.record.journal import Journal
from runbook_lib.record.record import Record, Status
from runbook_lib.rollout import hints
from runbook_lib.rollout.way_back import instead
from runbook_lib.run.command import versions
from runbook_lib.steps.rollbacks.telling import Telling, message


def rollback_1(file: Path, values: Mapping[str, Any], *, notebook: bool = False, last: bool = True) -> RolledBack:
    """Turns async off, or in plan mode says what it would do.

    Args:
        file: flat parameter file.
        values: overrides, among them `mode` and `confirm`.
        notebook: whether to run the verifying notebook afterwards.
        last: whether this is the last attempt: then people are told of a failure.

    Raises:
        UsageError: the parameters or the account are wrong, or `confirm` does not repeat the environment.
        AwsError: AWS cannot be reached, or async could not be switched off; the sentence says how to do it by hand.
    """
    if values.get("mode") != "apply":
        return plan(file, values)
    wanted = Wanted("1", file, dict(values), notebook=notebook)
    try:
        effect = kill_switch.off(wanted)
    except AwsError as error:
        raise AwsError(f"{error}{_clause(not_off(wanted, error) if last else '')}") from None
    return after(wanted, effect, last=last)


def not_off(wanted: Wanted, error: Exception) -> str:
    """Tells people that async could not be turned off, if AWS could not even identify the caller; returns how that went
    in words, or an empty text if no channel is left.
    """
    values, _ = known_only(wanted.values)
    try:
        params = load_file(wanted.file, values, incident=True)
    except RunbookError:
        try:
            params = bare(essentials(wanted.file, values), NOTEBOOK)  # type: ignore[assignment]
        except RunbookError:
            return ""
        if params is None:
            return ""
    if not params.policy.rollbacks[NOTEBOOK].notify:
        return ""
    told = without_aws(
        params, *message(params, NOTEBOOK, is_not_off(params.service.traffic), who=params.operator, trouble=str(error))
    )
    return "" if told is None else f"people were told of it: {told.detail}" if told.ok else told.detail


def _clause(told: str) -> str:
    return f"; {told}" if told else ""


def _untold(why: str) -> str:
    return f"people were not told: {why}"


def finish(wanted: Wanted, effect: Effect) -> int:
    """Does what follows the effect, printed on the terminal; returns the exit code of the command.

    Raises:
        RunbookError: async could not be turned off.
    """
    say: Callable[[str], None] = (lambda _: None) if wanted.json else lambda text: print(terminal(text), flush=True)
    try:
        done = after(wanted, effect, say)
    except RunbookError:  # it says whether people were told
        raise
    except Exception:
        stderr("runbook: people may not have been told of it; tell them")
        raise
    show(done, wanted.json, said=not wanted.json)
    return done.exit_code


def show(done: RolledBack, as_json: bool, *, said: bool = False) -> None:
    """Prints the result on standard output, for a person or a machine.

    Args:
        said: whether the result of the command is printed already; the notebook's verdict is not.
    """
    if as_json:
        print(json.dumps(redact(done.as_dict())))
        return
    report, columns = (done.verified or {}).get("report"), lines.width()
    told = [
        *lines.wrapped(done.headline if said else done.sentence, columns),
        *lines.wrapped(f"told:   {done.told}" if done.told else "", columns, " " * 8),
        *lines.advice("next:   ", done.next, columns),
        f"report: {report}" if report else f"record: {done.record}" if done.record else "",
    ]
    print(terminal("\n".join(line for line in told if line)))


def after(
    wanted: Wanted, effect: Effect, say: Callable[[str], None] = lambda _: None, *, last: bool = True
) -> RolledBack:
    """Seals the command's own record, then runs the notebook that verifies, explains and records.

    Args:
        say: called at once with news beside the effect's own sentence.
        last: see `rollback_1`.

    Raises:
        RunbookError: async could not be turned off.
    """
    journal = Journal(effect.staging, lenient=True)
    values, unknown = known_only(wanted.values)
    wanted = replace(wanted, values=values)
    for sentence in unknown:
        journal.append("warning", text=sentence)
        stderr(sentence)
    params: Params | None = None
    spare: Params | None = None
    try:
        params = load_file(wanted.file, wanted.values, incident=True)
        journal.append(
            "loaded",
            policy=params.policy.model_dump(mode="json"),
            service=params.service.model_dump(mode="json"),
            prices=params.prices.model_dump(mode="json"),
            versions={**versions(), "parameters": params.source},
        )
        for sentence in params.trouble:
            journal.append("warning", text=sentence)
            stderr(f"{sentence}; nothing of the rollback needs it")
    except Exception as error:  # also one of this machine: whatever fails after the effect, people are told of it
        told = f"the parameters are incomplete, which did not stop the rollback: {words(error)}"
        journal.append("warning", text=told)
        spare = bare(effect.params, NOTEBOOK)  # type: ignore[assignment]
        nobody = "" if spare else ", and people are not told: service.yaml names no topic that can be read"
        stderr(f"{told}; no notebook verifies it{nobody}")
    if effect.error is not None:
        final = last or not isinstance(effect.error, AwsError)
        known = params or spare
        failed = _told(known, effect, journal) if final and known is not None else ""
        _seal(effect, "failed", str(effect.error))
        raise type(effect.error)(f"{effect.error}{_clause(failed)}")
    assert effect.off is not None  # noqa: S101
    sentence, then, code = effect.off.sentence, after_off(effect.params.service.traffic), Exit.OK
    found = _no_effect(params, journal) if params is not None else None
    if found is not None:
        why, then = found
        sentence, code = f"{sentence}; but {why}", Exit.HOLD
        journal.append("check", check=check(OFF_CHECK, "Async is off", False, why).model_dump(mode="json"))
        say(f"but {why}")
    journal.append("note", text=sentence)
    known = params or spare
    told = _told(known, effect, journal) if known is not None and found is None else ""
    if params is not None and found is None:  # `runbook status` proposes it until the notebook has run
        then = f"to have it verified and recorded: {hints.rollback_1(params)}; {then}"
    record = _seal(effect, "completed", None)
    done = RolledBack(True, None, sentence, then, record, effect.run_id, int(code), told=told, run_record=record)
    return _verified(wanted, effect, done) if wanted.notebook and params is not None else done


def _verified(wanted: Wanted, effect: Effect, done: RolledBack) -> RolledBack:
    """Runs the notebook; if it cannot run, the effect stays."""
    from runbook_lib.run.launch import find_notebook, launch

    values = dict(wanted.values)
    if effect.trouble:
        values["archive"] = str(effect.root)
    try:
        with busy("it is off; the notebook verifies and records it"):
            finished = launch(find_notebook(NOTEBOOK), wanted.file, values, before=tuple(begun))
    except (RunbookError, OSError) as error:  # also where no temporary folder can be written
        print(f"the switch is off, but the notebook that verifies could not run: {error}", file=sys.stderr, flush=True)
        return replace(done, exit_code=int(Exit.ERROR))
    dial = _dial(effect.root, finished.run_id)
    headline = "; ".join(filter(None, (finished.headline, dial)))
    told = f"{done.sentence}\n{headline}"
    return replace(
        done,
        sentence=told,
        next=finished.next or done.next,
        record=finished.folder,
        exit_code=_after_the_effect(finished.exit_code),
        verified=finished.as_dict(),
        headline=headline,
        dial=dial,
    )


def _dial(root: Path, run: str) -> str:
    """What became of the dial while the notebook ran, in words; empty: it was not read."""
    with suppress(RunbookError, OSError):
        archive = Archive(root)
        record = archive.load(archive.find(run))
        was, now = ((one or {}).get("dial_percent") for one in (record.traffic_before, record.traffic_after))
        if now is not None:
            moved = was not in (None, now)
            return f"the dial went from {was:g} % to {now:g} %" if moved else f"the dial is at {now:g} %"
    return ""


def _after_the_effect(code: int) -> int:
    """The exit code of the notebook; never that of bad usage, which says that nothing was changed."""
    return int(Exit.ERROR) if code == Exit.USAGE else code


def _no_effect(params: Params, journal: Journal) -> tuple[str, str] | None:
    """Why the switch has no effect and what to do instead; None if it has one. Asked after it is off: an error here
    is no reason to fail.
    """
    try:
        from runbook_lib.observe.traffic import state as traffic

        aws = connect(params, command=True)
        return instead(aws, params) if traffic.routing(aws, params)[0] else None
    except Exception as error:
        journal.append("warning", text=words(error))
        return None


def _told(params: Params, effect: Effect, journal: Journal) -> str:
    """Tells people that the new side is off (unless a record says that they know), or that it could not be turned off;
    returns how that went, in words.
    """
    off = effect.off
    key = off.key(effect.run_id) if off else effect.run_id
    if not params.policy.rollbacks[NOTEBOOK].notify or not key:
        return ""  # the policy says so, or nothing was switched off
    try:
        # The parameters may be incomplete, and nothing here needs a metric.
        aws, identity = caller(params, quick=True, any_clock=True)
        guard = Guard(params, identity, journal)
        telling, traffic = Telling(aws, guard, NOTEBOOK, effect.run_id), params.service.traffic
        if off is None:
            told = telling.tell(is_not_off(traffic, unread=effect.unread), key, (), str(effect.error))
        else:
            told = telling.tell(is_off(traffic), key, _earlier(params, effect.root, guard))
    except Exception as error:  # on any error the record is sealed, and says so
        journal.append("warning", text=_untold(words(error)))
        return _untold(words(error))
    journal.append("check", check=told.model_dump(mode="json"))
    return told.reason


def _earlier(params: Params, root: Path, guard: Guard) -> list[Record]:
    """This attempt's records of all rollbacks; none in a spare archive (`root`), or if they cannot be read: people
    hear of it twice then, rather than not at all.
    """
    try:
        from runbook_lib.rollout import history

        archive = Archive(root)
        archive.refresh(params.release)
        return history.rollbacks_of_attempt(archive, params, guard.warn)
    except Exception as error:
        guard.warn(f"what people were told before is not known: {words(error)}")
        return []


def _seal(effect: Effect, status: Status, error: str | None) -> str | None:
    return sealing.swept_and_sealed(Archive(effect.root), effect.staging, status, error) or None
