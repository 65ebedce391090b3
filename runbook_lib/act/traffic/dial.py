"""AppConfig as the home of the weight: a dial whose deployments bake under alarms, and a switch that nothing delays.

docs/domain.md, "AppConfig: what bites", says how AppConfig behaves and why this code is as it is.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from botocore.exceptions import ClientError

from runbook_lib.act.guard import Guard, at_end
from runbook_lib.act.traffic.flag_store import FlagStore
from runbook_lib.act.traffic.flags import MAX_DESCRIPTION, dial_document
from runbook_lib.act.traffic.shift import MAX_BAKE_H, DialStep, ShiftPlan, number, refuse_if_turned, whose
from runbook_lib.act.traffic.switch import Switch, Turned, insist, read_back
from runbook_lib.act.traffic.switch import start as start_switch
from runbook_lib.base.aws import aws_errors
from runbook_lib.base.aws_errors import code_of
from runbook_lib.base.errors import AwsError, Refused
from runbook_lib.observe.traffic.reach import BUSY
from runbook_lib.observe.traffic.state import TrafficState, read_state
from runbook_lib.params.load import Params


class AppConfigTraffic:
    """Dial and switch of one AppConfig application: a `Home` (`homes.py`) that can take a weight back by itself."""

    def __init__(self, client: Any, guard: Guard, params: Params, store: FlagStore | None = None) -> None:
        self._client = client
        self._guard = guard
        self._params = params
        self._flag = params.service.appconfig.flag
        self._store = store or FlagStore(client, params)

    def read(self) -> TrafficState:
        """The state as AppConfig reports it now.

        Raises:
            AwsError: AppConfig does not answer, or the flags do not exist.
        """
        return read_state(self._client, self._params)

    def apply(self, plan: ShiftPlan) -> TrafficState:
        """Carries a plan out, one call at a time, each with its intent and outcome.

        Raises:
            Refused: not authorised, blocked, changed since the plan, or taken back by AppConfig at once.
            AwsError: AppConfig refused for another reason, or a lowering did not succeed in time.
        """
        self._guard.authorise(plan.raises)
        if plan.blockers:
            raise Refused(plan.blockers[0], nothing_changed=True)
        latest = plan.latest
        if plan.raises:
            self._refuse_if_changed(plan, self.read())
            self._refuse_short_bake(plan)
        elif plan.steps:
            latest = number(self.read().dial_deployment)
        for place, step in enumerate(plan.steps, 1):
            if step.action == "stop":
                self._stop(plan, step, latest)
            elif step.action == "switch on":
                self.switch_on(plan.description)
            else:
                latest = self._deploy(plan, step, latest, f"step={place}/{len(plan.steps)}")
        return at_end(plan.told, self.read, self._store.off_command()) if plan.steps else self.read()

    def switch_off(self, description: str, decided_at: dt.datetime | None = None) -> Turned:
        """Turns async off (`act/traffic/switch.py`).

        Raises:
            AwsError: not off in time, or AppConfig will never allow it; with the command that does it by hand.
        """
        return Switch(self._guard, self._params, self._store).off(description, decided_at)

    def switch_on(self, description: str) -> Turned:
        """Turns async on, at dial 0 only; if the dial moves meanwhile, turns it off again.

        Raises:
            Refused: the dial is not at 0, or somebody turned the switch or the dial meanwhile.
        """
        self._guard.authorise(raises=True)
        state = self.read()
        if state.switch_on:
            said = f"the switch is on already, by {whose(state.turned_by)}; nothing was changed"
            self._guard.note("note", text=said)
            return Turned(False, said, number(state.switch_deployment))
        if state.dial_percent != 0:
            raise Refused(
                f"the dial is at {state.dial_percent:g} %, which the switch would put in force again: "
                "bring the dial to 0 first",
                nothing_changed=True,
            )
        latest, started = number(state.switch_deployment), list[int]()

        def start() -> None:
            started.append(start_switch(self._store, self._params, True, description, latest))

        with aws_errors("switching on"):
            try:
                change = self._guard.change(
                    "switch on",
                    before={"enabled": False, "dial_percent": 0},
                    after={"enabled": True, "description": description[:MAX_DESCRIPTION]},
                    undo="switch off",
                    by_hand=self._store.off_command(),
                    do=start,
                    read_back=lambda: read_back(self._store, "switch", latest + 1, started=bool(started)),
                    raises=True,
                )
            except ClientError as error:
                self._refuse_conflict(error, "switch")
                raise
        if not change.ok:
            raise AwsError(f"the switch was turned on, yet it reads back as {change.told}; look before going on")
        dial = self.read().dial_percent
        if dial != 0:
            self.switch_off(description)
            raise Refused(f"somebody moved the dial to {dial:g} % meanwhile: the switch is off again; plan again")
        return Turned(True, "the switch is on, the dial at 0: nothing moves yet", latest + 1)

    def _refuse_if_changed(self, plan: ShiftPlan, state: TrafficState) -> None:
        now = state.dial_deployment.state if state.dial_deployment else ""
        by_itself = plan.latest_state in BUSY and now == "COMPLETE"
        if number(state.dial_deployment) != plan.latest or (now != plan.latest_state and not by_itself):
            raise Refused(
                f"the dial changed since the plan was made: {whose(state.dial_deployment)} instead of deployment "
                f"{plan.latest} ({plan.latest_state.lower().replace('_', ' ') or 'none'}); look, and plan again",
                nothing_changed=True,
            )
        refuse_if_turned(plan, state)

    def _refuse_short_bake(self, plan: ShiftPlan) -> None:
        with aws_errors("reading the soak strategy (appconfig:GetDeploymentStrategy)"):
            strategy = self._store.strategy(self._store.ids.soak_strategy)
        bakes, wants = int(strategy.get("FinalBakeTimeInMinutes") or 0), 60 * min(plan.soak_hours, MAX_BAKE_H)
        if bakes < wants:
            raise Refused(
                f"strategy {strategy['Name']} bakes for {bakes} min, the soak needs {wants:g}: AppConfig would stop "
                "watching before its end; raise FinalBakeTimeInMinutes",
                nothing_changed=True,
            )

    def _refuse_conflict(self, error: ClientError, what: str) -> None:
        """Raises for a conflict, with a sentence that names who was faster; does nothing for other errors."""
        if code_of(error) == "ConflictException":
            state = self.read()
            theirs = state.dial_deployment if what == "dial" else state.switch_deployment
            raise Refused(
                f"somebody else moved the {what} meanwhile: {whose(theirs)}; the dial is at {state.dial_percent:g} %, "
                f"the switch {'on' if state.switch_on else 'off'}; look, and plan again"
            ) from None

    def _stop(self, plan: ShiftPlan, step: DialStep, latest: int) -> None:
        """Ends the bake, which restores the previous version. A bake that ended by itself needs no stop."""
        store, ids = self._store, self._store.ids
        with aws_errors(f"stopping deployment {latest}"):
            if store.settled(ids.dial_environment, ids.dial_profile, latest, unless=())["busy"] is False:
                self._guard.note("note", text=f"deployment {latest} ended by itself: no stop needed")
                return
            self._guard.change(
                f"stop deployment {latest}",
                before={"percent": step.before, "busy": True},
                after={"busy": False},
                undo="shift again: a stopped deployment cannot be resumed",
                do=lambda: store.stop(ids.dial_environment, latest),
                read_back=lambda: read_back(store, "dial", latest, started=True),
                raises=plan.raises,
            )

    def _deploy(self, plan: ShiftPlan, step: DialStep, latest: int, mark: str) -> int:
        """Starts one deployment on the dial and returns its number; a raise depends on `latest`."""
        store, ids = self._store, self._store.ids
        soaks = step.after > 0
        description = f"{plan.description[: MAX_DESCRIPTION - len(mark) - 1]} {mark}"
        started = list[int]()

        def start(expected: int | None) -> int:
            return store.start(
                ids.dial_environment,
                ids.dial_profile,
                dial_document(self._flag, step.after),
                strategy=ids.soak_strategy if soaks else ids.immediate_strategy,
                description=description,
                latest=expected,
            )

        def do() -> None:
            if plan.raises:
                started.append(start(latest))
            else:
                started.append(insist(store, self._guard, "dial", "bringing the dial to 0", lambda: start(None)))

        def seen() -> dict[str, Any]:
            number = started[0] if started else latest + 1
            return read_back(store, "dial", number, started=bool(started), unless=unless)

        # A step with a soak has arrived once it bakes; a step without a bake once nothing is under way.
        unless = ("VALIDATING", "DEPLOYING") if soaks else BUSY
        promised = {"percent": step.after, "description": description, **({} if soaks else {"busy": False})}
        with aws_errors(f"setting the dial to {step.after:g} %"):
            try:
                change = self._guard.change(
                    f"dial {step.before:g} % -> {step.after:g} %",
                    before={"percent": step.before, "deployment": latest},
                    after=promised,
                    undo=plan.undo,
                    by_hand=store.off_command(),
                    do=do,
                    read_back=seen,
                    raises=plan.raises,
                )
            except ClientError as error:
                self._refuse_conflict(error, "dial")
                raise
        if not change.ok:
            why = change.seen.get("taken_back") or f"it reads back as {change.told}"
            raise Refused(
                f"the dial did not stay at {step.after:g} % ({why}); it is at {self.read().dial_percent:g} % now. "
                "A guard in ALARM takes every deployment of the dial back: look at the guards; switch off if needed"
            )
        return started[0] if started else latest + 1
