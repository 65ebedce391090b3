"""`measures:` of `gates.yaml` as models: measures for gates beside the runbook's own.

A measure names the CloudWatch figures that it is made of. Its evidence needs only this declaration
(`observe/evidence/declared.py`), so a gate on any metric needs no code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from runbook_lib.judge.terms import Frozen
from runbook_lib.params.metrics import Metric, fault

Side = Literal["value", "bad", "good", "of", "zero_while"]
SIDES: tuple[Side, ...] = ("value", "bad", "good", "of", "zero_while")
COUNTS = ("Sum", "SampleCount")
"""Statistics that add up over periods."""


class Query(Frozen):
    """One question to CloudWatch: about a metric of the catalogue (`metric`), or one that is described here."""

    metric: str | None = None
    """Id in the metric catalogue."""
    namespace: str = ""
    """Namespace in CloudWatch, for a metric that is described here."""
    name: str = ""
    """Name in CloudWatch, for a metric that is described here."""
    dimensions: dict[str, str] = Field(default_factory=dict, max_length=30)
    """Dimension to value; the values are templates, like those of the catalogue (`{env}`, `{stage}`, `{queue}`)."""
    stat: str | None = None
    """Statistic; None: the one that the kind of the measure needs."""
    period_s: int = Field(default=60, ge=60, multiple_of=60)
    """The shortest period with which the metric is published, seconds."""

    @model_validator(mode="after")
    def _one(self) -> Query:
        described = bool(self.namespace or self.name or self.dimensions)
        if (self.metric is not None) == described:
            raise ValueError("expects either `metric` (of the catalogue), or `namespace` and `name`")
        if described and not (self.namespace and self.name):
            raise ValueError(f"expects a `{'name' if self.namespace else 'namespace'}` too")
        if self.stat is not None and (wrong := fault(self.stat)):
            raise ValueError(wrong)
        return self


def _query(value: object) -> object:
    return {"metric": value} if isinstance(value, str) else value


Asked = Annotated[Query, BeforeValidator(_query)]
"""A query, or in YAML also the id of a metric of the catalogue."""


class Measure(Frozen):
    """One measure of the service's own.

    rate      `bad` of `of`, or `good` of `of`: two counts
    quantile  `value`, by its percentiles; which one is the gate's `quantile`
    gauge     `value` in each five minutes, or `value` / `of`
    amount    `value` of the whole window, or `value` / `of`
    """

    kind: Literal["rate", "quantile", "gauge", "amount"]
    """The measure's kind, which decides the queries that it needs (see above)."""
    value: Asked | None = None
    bad: Asked | None = None
    good: Asked | None = None
    of: Asked | None = None
    zero_while: Asked | None = None
    """If this one has points, a time without a point of `value`, `bad` or `good` counts as 0: for a metric published
    only when there is something to count. `of`: the same as `of`. None: no data is no data."""
    divided_by: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Divisor from the metric's unit to the gate's: 1000 from ms to s."""
    late_s: float = Field(default=0.0, ge=0, le=86_400)
    """Seconds by which its points arrive later than `metric_delay_s` says."""

    @model_validator(mode="before")
    @classmethod
    def _as_of(cls, raw: object) -> object:
        if isinstance(raw, Mapping) and raw.get("zero_while") == "of" and raw.get("of") is not None:
            return {**raw, "zero_while": raw["of"]}
        return raw

    @model_validator(mode="after")
    def _sides(self) -> Measure:
        said = [side for side in SIDES[:-1] if getattr(self, side) is not None]
        wanted = _WANTED[self.kind]
        if said not in wanted:
            told = ", or ".join(" and ".join(f"`{side}`" for side in one) for one in wanted)
            raise ValueError(
                f"a measure of kind {self.kind} expects {told}; it has {', '.join(said) or 'none of them'}"
            )
        for side in said:
            stat = getattr(self, side).stat
            if self.kind == "rate" and stat not in (None, *COUNTS):
                raise ValueError(f"`{side}` of a rate is a count: its stat is Sum or SampleCount, not {stat}")
            if self.kind == "quantile" and stat is not None:
                raise ValueError(f"`{side}` of a quantile has no stat: the gate's `quantile` says which percentile")
        if self.divided_by != 1 and self.kind == "rate":
            raise ValueError("a rate is a ratio of two counts already; remove `divided_by`")
        if self.zero_while is not None and self.kind in ("quantile", "amount"):
            raise ValueError(f"`zero_while` is for rates and gauges: no {self.kind} is 0 where data are missing")
        return self

    @property
    def sides(self) -> dict[Side, Query]:
        """The queries, by their part in the measure."""
        return {side: query for side in SIDES if (query := getattr(self, side)) is not None}

    def stat(self, side: Side) -> str | None:
        """The statistic of a side; None: the metric's own, or the percentile of the gate."""
        plain = "Sum" if self.kind in ("rate", "amount") or side == "zero_while" else None
        return self.sides[side].stat or plain


_WANTED: dict[str, list[list[str]]] = {
    "rate": [["bad", "of"], ["good", "of"]],
    "quantile": [["value"]],
    "gauge": [["value"], ["value", "of"]],
    "amount": [["value"], ["value", "of"]],
}


def metric_id(measure: str, side: Side, query: Query) -> str:
    """Id of the metric to ask for: of the catalogue, or `measure.side` of one that is described here."""
    return query.metric if query.metric is not None else f"{measure}.{side}"


def described(measures: Mapping[str, Measure]) -> dict[str, Metric]:
    """The metrics that measures describe themselves, by id."""
    return {
        metric_id(name, side, query): Metric(
            title=f"{name}: {query.name}",
            namespace=query.namespace,
            name=query.name,
            dimensions=query.dimensions,
            stat=query.stat or ("Maximum" if measure.kind == "gauge" and side != "zero_while" else "Sum"),
            period_s=query.period_s,
            kind="latency" if measure.kind == "quantile" else "gauge" if measure.kind == "gauge" else "count",
        )
        for name, measure in measures.items()
        for side, query in measure.sides.items()
        if query.metric is None
    }
