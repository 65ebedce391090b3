"""`gates.yaml` as models: the demands on a rollout. The service and the price list have modules of their own."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from runbook_lib.base.nearest import hint
from runbook_lib.judge.gates.beside import Beside
from runbook_lib.judge.gates.family import Family, spends
from runbook_lib.judge.gates.remedies import Remedy
from runbook_lib.judge.model import Gate
from runbook_lib.judge.planning.cadence import Cadence
from runbook_lib.judge.terms import MEASURES, Frozen, Kind
from runbook_lib.params.alarms import Alarm, AlarmMath
from runbook_lib.params.approvals import Approvals
from runbook_lib.params.measures import Measure, described
from runbook_lib.params.metrics import Metric
from runbook_lib.params.phases import ENVIRONMENTS, EnvironmentKind, EnvironmentName, Phase, PhaseStep, applied, placed
from runbook_lib.params.rollbacks import ReleaseLimits, Rollback


class Attestation(Frozen):
    """A statement that only a person can make: who is asked, how long it holds, and why it is asked."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    """Name for `runbook attest`."""
    title: str
    """Text of the statement, for people."""
    role: str = Field(min_length=1)
    """Role of the person; case and spaces do not matter."""
    notebooks: tuple[str, ...] = Field(min_length=1)
    """The notebooks that require it."""
    max_age_h: float | None = Field(default=None, gt=0)
    """Hours after which it must be given again; None: it holds for the release."""
    env: Literal["any", "same"] = "any"
    """any: it is about the release, and counts in every environment; same: only in the environment of the run."""
    after: str | None = Field(default=None, pattern=r"^\w+@([a-z][a-z0-9-]*|\{env\})$")
    """`notebook@environment` that must have promoted before the statement: nobody vouches for the future. Of the
    notebook that asks, the first applied run counts: the one that deployed what the statement is about."""
    required: bool = True
    """Whether the rollout stops without it; else it is advice."""
    check: str | None = None
    """Id of its check, if that is not `attest.<id>`."""
    why: str
    """Reason for asking."""

    @property
    def check_id(self) -> str:
        """Id of its check."""
        return self.check or f"attest.{self.id}"


class Baseline(Frozen):
    """The traffic before the rollout: how far back it is read, and what counts as a quiet window for the shift."""

    days: int = Field(default=7, ge=1, le=60)
    """Days of traffic to read."""
    quiet_hours: int = Field(default=2, ge=1, le=24)
    """Length of the quiet window in hours: the quietest one of the week is proposed."""
    power: float = Field(default=0.95, gt=0.5, lt=1)
    """Chance of detecting the smallest detectable regression."""
    requests_per_day: float = Field(default=3000, gt=0)
    """Assumed traffic if there was none yet."""
    samples: dict[str, float] = Field(default_factory=dict)
    """Least number of samples of each measure per async request; a measure without an entry has one."""
    burst: float = Field(default=3, ge=1)
    """The peak second has this many times the mean second of the peak minute."""
    headroom: float = Field(default=2, ge=1)
    """A limit in front of the functions with a smaller factor than this is advice; below 1 it is FAIL."""
    generation_s: float = Field(default=45, gt=0)
    """Mean seconds from a submission to its report: this long the client polls, and a worker is busy."""
    handler_s: dict[str, float] = Field(default_factory=lambda: {"submit": 1.0, "status": 0.3, "sync": 60.0})
    """Seconds for which one request occupies each function in front, for its concurrency."""


class Door(Frozen):
    """How submissions that never became a job are classified (`observe/evidence/door.py`)."""

    mistakes: tuple[int, ...] = (400, 401, 404, 405, 409, 410, 415, 422)
    """Statuses that mean a mistake of the caller; every other 4xx is a refusal of ours."""
    caller_share: float = Field(default=0.05, ge=0, le=1)
    """Largest share of the submissions that may count as callers' mistakes where there is no access log."""
    repeats: float = Field(default=0.0, ge=0, le=0.5)
    """Share of the submissions that may repeat an earlier one under its idempotency key, and so create no job."""


class HarmBudget(Frozen):
    """The harm that a failure may do to users before it is stopped (`judge/planning/harm.py`)."""

    users: int | None = Field(default=None, ge=1)
    """Most users that a shift may harm; None: the forecast is shown, and refuses nothing."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Chance that the budget holds, for each failure share worse than the alert limit."""
    watch_min: float = Field(default=5.0, ge=0)
    """Minutes between two looks of a watched soak (`runbook watch --interval`); 0: nobody watches."""

    @model_validator(mode="after")
    def _often_enough(self) -> HarmBudget:
        if 0 < self.watch_min < 1:
            raise ValueError(f"watch_min is {self.watch_min:g}: expects 0 (nobody watches), or 1 minute and more")
        return self


class Policy(Frozen):
    """`gates.yaml`: the demands, the certainty that they need, and what follows."""

    environments: dict[EnvironmentName, EnvironmentKind] = Field(default=ENVIRONMENTS, min_length=1)
    """The environments in order, each with its parameter file (`qa.yaml` for `qa`), and the rules of each:
    development, staging or production, which has users."""
    confidence: float = Field(gt=0.5, lt=1)
    """Confidence of the intervals for final verdicts, one-sided against each limit."""
    alpha_early: float = Field(gt=0, lt=0.5)
    """Chance that a service exactly at the alert limit is ever failed early (sequential test)."""
    family: Family | None = None
    """One chance for all gates together, divided among them; None: each has `alpha_early`."""
    early_prior: tuple[float, float] = (1.0, 9.0)
    """Beta prior of the failure rate in the sequential test, truncated to values worse than the limit."""
    metric_delay_s: int = Field(ge=0)
    """Least seconds between the end of a window and now: CloudWatch's points arrive late."""
    as_of_tolerance_s: int = Field(gt=0)
    """Seconds by which `as_of` may differ from AWS's clock where something is raised, or a person's entry be ahead."""
    worse_baseline_holds: bool = True
    """docs/domain.md, trap 13: between alert limit and collapse, a baseline shown to be worse makes it HOLD."""
    cost_scope: Literal["infrastructure", "total"] = "infrastructure"
    """Costs that the cost gate judges: infrastructure alone, or with the LLM's tokens."""
    census_page_size: int = Field(default=1000, gt=0)
    """Most jobs that one query of the jobs table returns."""
    census_reads_per_s: float = Field(default=200.0, gt=0)
    """Most queries of the jobs table per second, since the users need it, too."""
    steps: dict[str, PhaseStep]
    rollbacks: dict[str, Rollback] = Field(default_factory=dict)
    """Notebook to scenario; none of them is a step of the rollout."""
    phases: dict[str, Phase]
    cadence: Cadence
    roles: tuple[str, ...] = ()
    """Roles that approvals and attestations may name; empty (records of version 0.1): any role."""
    attestations: tuple[Attestation, ...] = ()
    approvals: Approvals = Approvals()
    baseline: Baseline = Baseline()
    beside: Beside = Beside()
    door: Door = Door()
    harm: HarmBudget = HarmBudget()
    remedies: dict[Literal["backlog", "throttling"], Remedy] = Field(default_factory=dict)
    """Symptom to its remedy; a symptom without an entry needs none."""
    measures: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Measure] = Field(default_factory=dict)
    """Measures of the service's own, beside those of the runbook (`judge/terms.py`)."""
    gates: tuple[Gate, ...]
    alarms: tuple[Alarm, ...]
    alarm_math: AlarmMath
    release: ReleaseLimits = ReleaseLimits()
    guards_of_a_stack: Literal["write", "refuse"] = "refuse"
    """Response of a shift if a CloudFormation stack owns a guard with another phase's count (docs/domain.md, trap 23):
    it writes the count, with the undo on record, or refuses and shows the text that the template needs."""

    @model_validator(mode="after")
    def _whole(self) -> Policy:
        ids = [gate.id for gate in self.gates]
        items = [item.id for item in self.attestations]
        for kind, names in (("gate", ids), ("alarm", [alarm.id for alarm in self.alarms]), ("attestation", items)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{kind} '{twice[0]}' is declared twice")
        own = sorted(self.measures.keys() & MEASURES.keys())
        if own:
            raise ValueError(f"measure '{own[0]}' is one of the runbook's own; give it another name")
        for name, step in self.steps.items():
            for wanted in (*step.requires, *step.requires_to_shift):
                if not applied(self.steps, step, wanted):
                    placed(self.steps, self.environments)
                    places = [f"{step}@{env}" for step, one in self.steps.items() for env in one.envs]
                    raise ValueError(
                        f"step '{name}' requires '{wanted}', which is not a step of the rollout; {hint(wanted, places)}"
                    )
        asks = [(name, f"attestation '{item.id}'") for item in self.attestations for name in item.notebooks]
        for name, who in (*asks, *((name, f"phase '{name}'") for name in self.phases)):
            if name not in self.steps:
                raise ValueError(f"{who}: '{name}' is not a step of the rollout; {hint(name, self.steps)}")
        for alarm in self.alarms:
            if alarm.gate is not None and (alarm.gate not in ids or self.gate(alarm.gate).alert is None):
                lacks = "has no alert limit" if alarm.gate in ids else "is not declared"
                raise ValueError(
                    f"alarm '{alarm.id}' takes its threshold from gate '{alarm.gate}', which {lacks}; "
                    + hint(alarm.gate, [gate.id for gate in self.gates if gate.alert])
                )
        guards = [alarm.id for alarm in self.alarms if alarm.guard]
        if len(guards) > 5:
            raise ValueError(f"{len(guards)} guard alarms; AppConfig watches at most 5")
        return self

    @model_validator(mode="after")
    def _one_limit(self) -> Policy:
        """Checks that one gate judges a quantile: its percentile is asked, and counted beyond its limit."""
        quantiles = [(one.measure, one.id) for one in self.gates if one.kind == "quantile" and one.against is None]
        for name, _ in quantiles:
            judging = [id for measure, id in quantiles if measure == name]
            if len(judging) > 1:
                raise ValueError(
                    f"measure '{name}' is a quantile, and gates {' and '.join(judging)} judge it; "
                    "declare it a second time under another name"
                )
        return self

    @model_validator(mode="after")
    def _family(self) -> Policy:
        able = [gate.id for gate in self.gates if spends(gate)]
        for name in sorted(self.family.shares.keys() - set(able)) if self.family else ():
            raise ValueError(f"family: '{name}' is not a gate that spends alpha; {hint(name, able)}")
        return self

    @model_validator(mode="after")
    def _carried_out(self) -> Policy:
        for name in (name for name, step in self.steps.items() if step.notebook):
            if name not in self.phases:
                raise ValueError(f"step '{name}' is carried out by another notebook, which only a phase can be")
            own = self.phases.get(self.steps[name].notebook)
            if self.phases[name].after_migration or (own is not None and own.after_migration):
                raise ValueError(
                    f"step '{name}' is carried out by {self.steps[name].notebook}: what migrates the route has a "
                    "notebook of its own, which carries out no other step"
                )
        return self

    @model_validator(mode="after")
    def _remedies_exist(self) -> Policy:
        ids = [gate.id for gate in self.gates]
        gauges = {gate.measure for gate in self.gates if gate.kind == "gauge"}
        for response, remedy in self.remedies.items():
            for sign in remedy.symptoms:
                if sign.measure not in gauges:
                    raise ValueError(
                        f"remedy '{response}': measure '{sign.measure}' is not a gauge of a gate; "
                        + hint(sign.measure, gauges)
                    )
            for gate in remedy.gates:
                if gate not in ids:
                    raise ValueError(f"remedy '{response}': gate '{gate}' is not declared; {hint(gate, ids)}")
        return self

    @model_validator(mode="after")
    def _looks_pay(self) -> Policy:
        for name, phase in self.phases.items():
            for field, looks in (("looks", phase.looks), ("after_migration", phase.after_migration)):
                spent, given = math.fsum(look.alpha for look in looks), 1 - self.confidence
                if spent > given + 1e-9:
                    raise ValueError(
                        f"phase '{name}': its {field} spend {spent:g} of alpha together, and confidence "
                        f"{self.confidence:g} leaves {given:g}: declare fewer looks, or give each less alpha"
                    )
        return self

    @model_validator(mode="after")
    def _counts(self) -> Policy:
        """Checks that a guard with counts by phase has one for every phase, and for no other name."""
        judged = [gate for gate in self.gates if gate.id == self.alarm_math.gate and gate.alert is not None]
        if any(alarm.phases for alarm in self.alarms) and not judged:
            there = hint(self.alarm_math.gate, [gate.id for gate in self.gates if gate.alert])
            raise ValueError(f"alarm_math: gate '{self.alarm_math.gate}' has no target and alert limit; {there}")
        for alarm in self.alarms:
            for name in alarm.phases.keys() ^ self.phases.keys() if alarm.phases else ():
                if name in self.phases:
                    raise ValueError(f"alarm '{alarm.id}' has no count for '{name}'; give it one under its `phases`")
                there = hint(name, self.phases)
                raise ValueError(f"alarm '{alarm.id}' has a count for what is not a phase: '{name}'; {there}")
        return self

    @property
    def alphas(self) -> dict[str, float]:
        """Gate to its share of the family's alpha; empty: each gate has `alpha_early`."""
        return self.family.split(self.gates) if self.family else {}

    def alpha_of(self, gate: Gate) -> float:
        """Chance that the gate early fails a service exactly at its alert limit."""
        return self.alphas.get(gate.id, self.alpha_early)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Every measure for gates, with the kind of its evidence."""
        return {**MEASURES, **{name: measure.kind for name, measure in self.measures.items()}}

    @property
    def judged(self) -> dict[str, Measure]:
        """The measures of the service's own that a gate uses: those to ask for."""
        used = {gate.measure for gate in self.gates}
        return {name: measure for name, measure in self.measures.items() if name in used}

    @property
    def described(self) -> dict[str, Metric]:
        """The metrics that `measures` describe themselves."""
        return described(self.measures)

    def gate(self, id: str) -> Gate:
        """The gate called `id`."""
        return next(gate for gate in self.gates if gate.id == id)

    def has_users(self, env: str) -> bool:
        """Whether a failure there would harm users: the environment is production, or unknown."""
        return self.environments.get(env, "production") == "production"

    def phases_of(self, env: str) -> dict[str, Phase]:
        """The phases of an environment, in the order of the rollout."""
        return {name: phase for name, phase in self.phases.items() if env in self.steps[name].envs}

    @property
    def migrating(self) -> str:
        """The phase that migrates the synchronous route: the one that is looked at after it, else the last."""
        return next((name for name, one in self.phases.items() if one.after_migration), ["", *self.phases][-1])

    def carried_out(self, notebook: str, step: str) -> str:
        """The step that a notebook carries out for the parameter `step`; empty: the one with its own name.

        Raises:
            ValueError: another notebook carries it out, or the step does not exist.
        """
        mine = [name for name, one in self.steps.items() if (one.notebook or name) == notebook]
        if not step or step in mine:
            return step or notebook
        if step not in self.steps:
            raise ValueError(f"'rollout_step' is '{step}', which is not a step of gates.yaml; {hint(step, self.steps)}")
        raise ValueError(
            f"'rollout_step' is '{step}', which {self.steps[step].notebook or step} carries out, not {notebook}"
        )

    def named(self, asked: str) -> list[str]:
        """The steps that a name means: the one with that name, else with that number, else those that begin with it."""
        known = list(self.steps)
        for meant in (str.__eq__, lambda one, text: one.partition("_")[0] == text, str.startswith):
            if asked and (found := [one for one in known if meant(one, asked)]):
                return found
        return []

    def guard_phase(self, env: str, percent: float = 0) -> str | None:
        """The phase whose guards belong to a weight: the first of this environment that reaches it, else the last."""
        own = list(self.phases_of(env))
        reached = [name for name in own if self.phases[name].percent >= percent]
        return reached[0] if reached else (own[-1] if own else None)

    def threshold(self, alarm: Alarm) -> float:
        """The number that an alarm compares with, wherever it is declared."""
        if alarm.gate is not None:
            alert = self.gate(alarm.gate).alert
            if alert is not None:
                return alert.limit
        if alarm.threshold is None:
            raise ValueError(f"alarm '{alarm.id}' has no threshold")
        return alarm.threshold
