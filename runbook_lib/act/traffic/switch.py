"""Turns async off: one deployment on the switch, tried repeatedly. Light: `runbook rollback 1` loads it first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from runbook_lib.act.guard import Guard
from runbook_lib.act.traffic.flag_store import PATIENCE_S, PAUSE_S, FlagStore
from runbook_lib.act.traffic.flags import MAX_DESCRIPTION, switch_document, told
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.aws_errors import cause_of, code_of, sentence
from runbook_lib.base.errors import AwsError, Unreadable
from runbook_lib.base.foreign import one_line
from runbook_lib.base.telling import Overdue
from runbook_lib.observe.traffic.flag_ids import Misnamed, NotDeployed, flag_of
from runbook_lib.observe.traffic.reach import BUSY, IN_FORCE, KNOWN, all_have_it

if TYPE_CHECKING:
    from runbook_lib.params.load import Params


@dataclass(frozen=True)
class Turned:
    """The state of the switch, and how it came about."""

    changed: bool
    """Whether this call changed it; else it was so before."""
    sentence: str
    deployment: int
    """Number of the switch's deployment with this state; 0: there is none, or it could not be written down."""

    def key(self, run: str) -> str:
        """Names this state, so that people are told of it once: its deployment, else the `run` that made it; empty: it
        was so before, by no deployment, and there is nothing to tell.
        """
        return str(self.deployment) if self.deployment else run if self.changed else ""


class Switch:
    """The switch of one AppConfig application."""

    def __init__(self, guard: Guard, params: Params, store: FlagStore) -> None:
        self._guard = guard
        self._params = params
        self._store = store

    def off(self, description: str, decided_at: dt.datetime | None = None) -> Turned:
        """Turns async off: keeps trying for `PATIENCE_S`, and stops any deployment under way on the switch.

        Asks for the switch alone, not for the dial and its history: those can wait until users are safe.

        Args:
            decided_at: when the decision was made, by AWS's clock, if that was before this call; the intent keeps it.

        Raises:
            Refused, UsageError: not authorised (`Guard.authorise`).
            AwsError: not off in time, or AppConfig will never allow it; with the command that does it by hand.
        """
        self._guard.authorise(raises=False)
        store = self._store
        before: dict[str, Any] = {"enabled": None}
        try:
            with aws_errors("reading the switch (appconfig:ListDeployments, GetDeployment)"):
                ids = store.ids
                now = store.newest(ids.switch_environment, ids.switch_profile)
            if now.get("unreadable"):
                self._guard.warn(f"version {now['version']} of the switch cannot be read; switching off all the same")
            elif now["deployment"] is not None and now["state"] not in KNOWN:
                self._guard.warn(f"{not_known('async', whose(now))}; switching off all the same")
            elif not now.get("enabled"):
                found = f"async is off already, by {whose(now)}; the switch stays as it is"
                self._guard.note("note", text=found)
                return Turned(False, found, now["deployment"] or 0)
            before = {"enabled": now.get("enabled"), "deployment": now["deployment"]}
        except AwsError as error:
            self._guard.warn(f"{error}; switching off all the same")
        started: list[int] = []

        def off() -> None:
            def once() -> int:
                return start(store, self._params, False, description, None)

            started.append(insist(store, self._guard, "switch", "switching async off", once))

        with aws_errors("switching async off"):
            change = self._guard.change(
                "switch off",
                before=before,
                after={"enabled": False},
                facts={"decided_at": decided_at.isoformat()} if decided_at else {},
                undo="a new attempt of the phase: it turns the switch on at dial 0, with all conditions of a raise",
                do=off,
                read_back=lambda: self._facts(started[0] if started else None, before.get("deployment")),
                raises=False,
            )
        if not change.ok:
            raise AwsError(f"the switch was turned off, yet it reads back as {change.told}; {store.off_by_hand()}")
        poll = self._params.service.traffic.client_poll_s
        done = f"async is off by the switch; clients follow within {poll} s"
        return Turned(True, done, int(change.seen.get("deployment") or 0))

    def _facts(self, deployment: int | None, before: int | None) -> dict[str, Any]:
        """What is in force, once `deployment` was started, for the journal; without a number, by the newest one.

        Args:
            before: the newest deployment before; None: there was none, or it is not known.

        Raises:
            Unreadable: AppConfig does not say whether the switch is on; it may know in a moment.
        """
        ids = self._store.ids
        where = (ids.switch_environment, ids.switch_profile)

        def ask() -> dict[str, Any]:
            seen = self._store.newest(*where) if deployment is None else self._store.settled(*where, deployment)
            state = seen.get("state", "")
            if deployment is None or state not in KNOWN or all_have_it(state, seen.get("reached", 0.0)):
                return seen
            # Not all have it: the one before may be in force.
            return {**self._store.newest(*where), "started": deployment, "which_is": state}

        if deployment is not None:
            return told_of(self._store, "switch", deployment, ask)
        seen = ask()
        if seen["deployment"] is None and before is None:
            return {"enabled": False, **seen}
        return told_of(self._store, "switch", before, lambda: seen)


def told_of(
    store: FlagStore,
    flag: Literal["dial", "switch"],
    started: int | None,
    ask: Callable[[], dict[str, Any]],
    states: tuple[str, ...] = (),
) -> dict[str, Any]:
    """What `ask` gives of a deployment that was started, in the form of `FlagStore.settled`.

    Args:
        states: those in which a deployment has the flag's value; empty: in any.

    Raises:
        Unreadable: AppConfig does not say what is in force; it may know in a moment.
    """
    this = f"deployment {started} of the {flag}"
    try:
        seen = ask()
    except Exception as error:
        told = f"{this} was started, and cannot be read back ({said(error)})"
        raise Unreadable(f"{told}; {store.off_by_hand()}") from error
    if seen["deployment"] is None:
        told = f"{this} was started, and AppConfig does not list it"
    elif seen.get("state") not in KNOWN:
        told = f"deployment {seen['deployment']} of the {flag} has a state that is not known: {one_line(seen['state'])}"
    elif seen.get("unreadable"):
        told = f"version {seen['version']} of the {flag} was put in force, and what it says cannot be read"
    elif _VALUES[flag][0] not in seen and (not states or seen["state"] in states):
        this = f"deployment {seen['deployment']} of the {flag} ({one_line(seen['state'])})"
        told = f"{this} does not say {_VALUES[flag][1]}"
    else:
        return seen
    raise Unreadable(f"{told}; {store.off_by_hand()}")


_VALUES = {"dial": ("percent", "at which weight it is"), "switch": ("enabled", "whether it is on")}
"""Name of each flag's value, and what it says."""


def read_back(
    store: FlagStore, flag: Literal["dial", "switch"], number: int, *, started: bool, unless: tuple[str, ...] = BUSY
) -> dict[str, Any]:
    """A deployment of the way forward once it has settled (see `FlagStore.settled`).

    Args:
        started: whether AppConfig has said that there is one of this number: then it cannot be nothing.

    Raises:
        Unreadable: see `told_of`.
    """
    where = getattr(store.ids, f"{flag}_environment"), getattr(store.ids, f"{flag}_profile")

    def ask() -> dict[str, Any]:
        return store.settled(*where, number, unless)

    return told_of(store, flag, number, ask, IN_FORCE) if started else ask()


def not_known(side: str, by: str) -> str:
    """What is said of a deployment in a state that AppConfig's reference does not have."""
    return f"it is not known whether {side} is off, by {by}"


def whose(deployment: dict[str, Any]) -> str:
    """A deployment in the form of `FlagStore.settled`, in words: number, time, who made it."""
    if deployment["deployment"] is None:
        return "no deployment: an absent flag is off"
    number, at = f"deployment {deployment['deployment']}", deployment.get("started_at")
    return told(number, at, deployment.get("description"), deployment["state"])


def start(store: FlagStore, params: Params, enabled: bool, description: str, latest: int | None) -> int:
    """Deploys the version of the switch with `enabled`; returns the deployment's number (see `FlagStore.start`)."""
    ids = store.ids
    return store.start(
        ids.switch_environment,
        ids.switch_profile,
        switch_document(flag_of(params), enabled),
        strategy=ids.immediate_strategy,
        description=description[:MAX_DESCRIPTION],
        latest=latest,
    )


def insist(
    store: FlagStore, guard: Guard, flag: Literal["dial", "switch"], doing: str, start: Callable[[], int]
) -> int:
    """Starts a deployment that lowers exposure, repeatedly; stops what is under way in the flag's environment.

    Raises:
        AwsError: not within `PATIENCE_S`, or AppConfig will never allow it; with the command that does it by hand.
    """
    trying = Trying(doing, guard, store.monotonic, lambda: f"to take async off by hand: {store.off_command()}")
    while True:
        try:
            return start()
        except Exception as error:  # a conflict, throttling, a lost connection: only time or a clear refusal ends this
            trying.failed(error)
        store.sleep(PAUSE_S)
        try:
            environment: str = getattr(store.ids, f"{flag}_environment")
            for latest in store.under_way(environment):
                store.stop(environment, latest)
                store.settled(environment, getattr(store.ids, f"{flag}_profile"), latest)
        except Exception as error:  # the next attempt will tell
            guard.warn(f"{doing}: {said(error)}; trying again")


HOPELESS = ("AccessDeniedException", "ResourceNotFoundException", "BadRequestException", "UnrecognizedClientException")


def hopeless(error: Exception) -> bool:
    """Whether AWS will never allow it: it refuses, or has nothing of a name."""
    cause = cause_of(error)
    return isinstance(error, NotDeployed | Misnamed) or (isinstance(cause, ClientError) and code_of(cause) in HOPELESS)


class Trying:
    """A way back that is tried until it works, `PATIENCE_S` is over, or AWS will never allow it.

    Args:
        by_hand: the end of a sentence that says how to do it without the runbook.
    """

    def __init__(self, doing: str, guard: Guard, monotonic: Callable[[], float], by_hand: Callable[[], str]) -> None:
        self._doing, self._guard, self._monotonic, self._by_hand = doing, guard, monotonic, by_hand
        self._begun, self._overdue = monotonic(), Overdue(monotonic)

    def failed(self, error: Exception) -> None:
        """Notes a failed attempt: a warning, and a message to the caller once it takes long.

        Raises:
            AwsError: there is no further attempt.
        """
        spent = self._monotonic() - self._begun
        if spent >= PATIENCE_S or hopeless(error):
            raise AwsError(f"{self._doing} failed: {said(error)}; {self._by_hand()}") from error
        self._guard.warn(f"{self._doing}: {said(error)}; trying again")
        # How long yet is not known: the last attempt may be one that AWS does not answer.
        told = f"{self._doing} has NOT worked yet, after {spent:.0f} s ({said(error)}); it is tried again"
        self._overdue.tell(lambda: f"{told}; {self._by_hand()}")


def said(error: Exception) -> str:
    return sentence(error) or one_line(error)
