"""AppConfig as the home of the weight: a dial that bakes under alarms, and a switch that nothing stands in the way of.

What AppConfig does, and why it is done so here: DOMAIN.md, "AppConfig: what bites".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from runbook_lib.act.flags import CONTENT_TYPE, dial_document, encode, same_value, switch_document
from runbook_lib.act.guard import Guard
from runbook_lib.act.traffic import BUSY, MAX_BAKE_H, MAX_DESCRIPTION, TAKEN_BACK, Plan, Step, Switched, whose
from runbook_lib.aws import aws_errors
from runbook_lib.errors import AwsError, Refused
from runbook_lib.observe.traffic import Handles, TrafficState, handles, read
from runbook_lib.params import Params

SETTLE_S = 60.0
"""Seconds that a deployment without growth may take to arrive, and that switching off keeps trying."""
PAUSE_S = 0.5
_HOPELESS = ("AccessDeniedException", "ResourceNotFoundException", "BadRequestException", "UnrecognizedClientException")


class AppConfigTraffic:
    """Dial and switch of one AppConfig application."""

    def __init__(
        self,
        client: Any,
        guard: Guard,
        params: Params,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._guard = guard
        self._params = params
        self._sleep = sleep
        self._monotonic = monotonic
        self._known: Handles | None = None

    def read(self) -> TrafficState:
        """The state as AppConfig reports it now.

        Raises:
            AwsError: AppConfig does not answer, or the application is not there.
        """
        with aws_errors("reading the traffic split"):
            return read(self._client, self._params)

    def apply(self, plan: Plan) -> TrafficState:
        """Carries a plan out, one call at a time, each with its intent and outcome.

        Raises:
            Refused: not authorised, blocked, changed since the plan, or taken back by AppConfig at once.
            AwsError: AppConfig refused for another reason, or did not get there in time.
        """
        self._guard.authorise(plan.raises)
        if plan.blockers:
            raise Refused(f"{plan.blockers[0]}; nothing was changed")
        state = self.read()
        if plan.raises:
            self._refuse_if_changed(plan, state)
            self._refuse_short_bake(plan)
        latest = plan.latest if plan.raises else _number(state.dial_deployment)
        for place, step in enumerate(plan.steps, 1):
            if step.action == "stop":
                self._stop(plan, step, latest)
            else:
                self._deploy(plan, step, latest, f"step={place}/{len(plan.steps)}")
                latest += 1
        return self.read()

    def switch_off(self, description: str) -> Switched:
        """Async off: tries for `SETTLE_S`, reading again after each conflict.

        Raises:
            AwsError: not off in time, or AppConfig will never let it; with the command that does it by hand.
        """
        self._guard.authorise(raises=False)
        before: dict[str, Any] = {"enabled": "unknown"}
        try:
            state = self.read()
            if not state.switch_on and not _busy(state.switch_deployment):
                sentence = f"async is off already, by {whose(state.switch_deployment)}; nothing was changed"
                self._guard.note("note", text=sentence)
                return Switched(changed=False, enabled=False, sentence=sentence)
            before = {"enabled": state.switch_on, "dial_percent": state.dial_percent, "weight": state.weight}
        except AwsError as error:
            self._guard.warn(f"{error}; switching off all the same")
        change = self._guard.change(
            "switch off",
            before=before,
            after={"enabled": False},
            undo="set the dial to 0, then switch on: the weight is back only by a new shift",
            do=lambda: self._off(description),
            read_back=self._switch_facts,
            raises=False,
        )
        if not change.ok:
            raise AwsError(f"the switch was deployed, yet it reads back as on; by hand: {self._by_hand()}")
        sentence = (
            f"async is off (deployment {change.seen['deployment']}); clients follow within "
            f"{self._params.service.traffic.client_poll_s} s, the dial still says {change.seen['dial_percent']:g} %"
        )
        return Switched(changed=True, enabled=False, sentence=sentence)

    def switch_on(self, description: str) -> Switched:
        """Async on, at dial 0 only; if the dial is moved meanwhile, off again.

        Raises:
            Refused: the dial is not at 0, or somebody turned the switch meanwhile.
        """
        self._guard.authorise(raises=True)
        state = self.read()
        if state.switch_on:
            sentence = f"the switch is on already, by {whose(state.switch_deployment)}; nothing was changed"
            self._guard.note("note", text=sentence)
            return Switched(changed=False, enabled=True, sentence=sentence)
        if state.dial_percent != 0:
            raise Refused(
                f"the dial is at {state.dial_percent:g} %, which the switch would put in force again: "
                "bring the dial to 0 first; nothing was changed"
            )
        latest = _number(state.switch_deployment)
        change = self._guard.change(
            "switch on",
            before={"enabled": False, "dial_percent": 0},
            after={"enabled": True},
            undo=f"switch off: {self._by_hand()}",
            do=lambda: self._start_switch(True, description, latest),
            read_back=self._switch_facts,
            raises=True,
        )
        if change.seen["dial_percent"] != 0:
            self.switch_off(description)
            raise Refused(f"the dial went to {change.seen['dial_percent']:g} % meanwhile; the switch is off again")
        return Switched(changed=True, enabled=True, sentence="the switch is on; the dial is at 0, so nothing moves yet")

    def _refuse_if_changed(self, plan: Plan, state: TrafficState) -> None:
        number, now = _number(state.dial_deployment), state.dial_deployment.state if state.dial_deployment else ""
        by_itself = plan.latest_state in BUSY and now == "COMPLETE"
        if number != plan.latest or (now != plan.latest_state and not by_itself):
            raise Refused(
                f"the dial changed since the plan was made: {whose(state.dial_deployment)} instead of deployment "
                f"{plan.latest} ({plan.latest_state or 'none'}); plan again; nothing was changed"
            )
        if _number(state.switch_deployment) != plan.switch_latest or state.switch_on != plan.switch_on:
            raise Refused(
                f"the switch was turned {'on' if state.switch_on else 'off'} since the plan was made: "
                f"{whose(state.switch_deployment)}; plan again; nothing was changed"
            )

    def _refuse_short_bake(self, plan: Plan) -> None:
        with aws_errors("reading the soak strategy"):
            strategy = self._client.get_deployment_strategy(DeploymentStrategyId=self._ids().soak_strategy)
        bakes, wants = int(strategy.get("FinalBakeTimeInMinutes") or 0), 60 * min(plan.soak_hours, MAX_BAKE_H)
        if bakes < wants:
            raise Refused(
                f"the strategy {strategy['Name']} bakes for {bakes} min, the soak wants {wants:g}: AppConfig would stop "
                "watching too early; give it a longer FinalBakeTimeInMinutes; nothing was changed"
            )

    def _stop(self, plan: Plan, step: Step, number: int) -> None:
        """Ends the bake; the previous version comes back. A bake that completed meanwhile needs no stop."""
        ids = self._ids()
        where = {"ApplicationId": ids.application, "EnvironmentId": ids.dial_environment, "DeploymentNumber": number}
        if self._dial(number)["state"] not in BUSY:
            self._guard.note("note", text=f"deployment {number} ended by itself: no stop needed")
            return
        self._guard.change(
            f"stop deployment {number}",
            before={"percent": step.before, "busy": True},
            after={"busy": False},
            undo="shift again: a stopped deployment cannot be resumed",
            do=lambda: self._client.stop_deployment(**where, AllowRevert=True),
            read_back=lambda: self._settled(number),
            raises=False,
        )

    def _deploy(self, plan: Plan, step: Step, latest: int, mark: str) -> None:
        ids = self._ids()
        strategy = ids.soak_strategy if step.after > 0 else ids.immediate_strategy
        description = f"{plan.description} {mark}"[:MAX_DESCRIPTION]
        raises = plan.raises

        def start() -> int:
            version = self._version(ids.dial_profile, dial_document(self._flag, step.after))
            return self._start(ids.dial_environment, ids.dial_profile, version, strategy, description, latest)

        try:
            change = self._guard.change(
                f"dial {step.before:g} % -> {step.after:g} %",
                before={"percent": step.before, "deployment": latest},
                after={"percent": step.after, "deployment": latest + 1, "description": description},
                undo=f"{plan.undo}; by hand: {self._by_hand()}",
                do=start,
                read_back=lambda: self._settled(latest + 1),
                raises=raises,
            )
        except ClientError as error:
            if _code(error) != "ConflictException":
                raise AwsError(f"AppConfig refused the dial at {step.after:g} %: {error}") from None
            state = self.read()
            raise Refused(
                f"somebody else moved the dial meanwhile: {whose(state.dial_deployment)}; it is at "
                f"{state.dial_percent:g} % now; look, and plan again"
            ) from None
        if not change.ok:
            state = self.read()
            reason = change.seen.get("event") or f"it reads back as {dict(change.seen)}"
            raise Refused(
                f"the dial did not stay at {step.after:g} %: {reason}; it is at {state.dial_percent:g} % now. "
                "A guard alarm in ALARM takes every deployment back: look at the guards, and switch off if async is failing"
            )

    def _off(self, description: str) -> int:
        """Deploys the off version until it is taken; stops whatever deploys on the switch."""
        deadline = self._monotonic() + SETTLE_S
        while True:
            try:
                return self._start_switch(False, description, None)
            except ClientError as error:
                if _code(error) in _HOPELESS:
                    raise AwsError(f"AppConfig refused to switch off: {error}; by hand: {self._by_hand()}") from error
                trouble: Exception = error
            except AwsError as error:
                trouble = error
            except Exception as error:  # a lost connection, say: try again
                trouble = error
            if self._monotonic() >= deadline:
                raise AwsError(
                    f"async could not be switched off in {SETTLE_S:g} s ({trouble}); by hand: {self._by_hand()}"
                ) from trouble
            self._guard.warn(f"switching off: {trouble}; trying again")
            self._sleep(PAUSE_S)
            self._clear_switch()

    def _clear_switch(self) -> None:
        """Stops a deployment that is under way on the switch; errors are the next try's."""
        try:
            latest = self.read().switch_deployment
            if latest is not None and _busy(latest):
                ids = self._ids()
                self._client.stop_deployment(
                    ApplicationId=ids.application,
                    EnvironmentId=ids.switch_environment,
                    DeploymentNumber=latest.number,
                    AllowRevert=True,
                )
        except Exception as error:  # the loop in `_off` decides when to give up
            self._guard.warn(f"clearing the switch: {error}")

    def _start_switch(self, enabled: bool, description: str, latest: int | None) -> int:
        ids = self._ids()
        version = self._version(ids.switch_profile, switch_document(self._flag, enabled))
        text = description[:MAX_DESCRIPTION]
        return self._start(ids.switch_environment, ids.switch_profile, version, ids.immediate_strategy, text, latest)
