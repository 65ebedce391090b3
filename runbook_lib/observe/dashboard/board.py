"""`params/dashboard.yaml` as models: widgets, their axes, and what is drawn on each."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from runbook_lib.judge.terms import Frozen


class Line(Frozen):
    """One metric of the catalogue with the statistic that is drawn."""

    label: str
    """Words beside the line."""
    metric: str
    """Id in the metric catalogue."""
    stat: str
    """Statistic, such as `Sum` or `p95`."""


class Share(Frozen):
    """Sum of some counts as a share of the sum of others, in percent unless `times` says otherwise."""

    label: str
    """Words beside the line."""
    part: tuple[str, ...]
    """Ids of the counts above the line."""
    whole: tuple[str, ...]
    """Ids of the counts below it."""
    times: float = Field(default=100.0, gt=0)
    """What the share is multiplied by: 100 for percent."""
    rest: bool = False
    """Whether the rest of the whole is drawn: the successes, where `part` counts the failures."""
    stat: str = "Sum"
    """Statistic of `part`."""
    whole_stat: str = "Sum"
    """Statistic of `whole`."""


class Chart(Frozen):
    """How the notebook draws an axis: its unit, and what the metric's values are multiplied by."""

    unit: str
    """Unit on the axis."""
    scale: float = 1.0
    """Factor from the metric's values to this unit."""


class Axis(Frozen):
    """One side of a widget."""

    unit: str
    """Unit on the axis."""
    title: str = ""
    """Title of the right side's own chart in the notebook; the left one has the widget's title."""
    gate: str | None = None
    """Gate whose target and alert limit are drawn as lines."""
    factor: float | None = Field(default=None, gt=0)
    """Factor from the gate's unit to what is drawn; None: it follows from the units."""
    lines: tuple[Line, ...] = ()
    share: Share | None = None
    chart: Chart | None = None

    @model_validator(mode="after")
    def _something(self) -> Axis:
        if bool(self.lines) == (self.share is not None):
            raise ValueError("expects either `lines` or a `share`")
        return self

    @property
    def drawn(self) -> Chart:
        """How the notebook draws the axis."""
        return self.chart or Chart(unit=self.unit)

    @property
    def asked(self) -> tuple[tuple[str, str], ...]:
        """(metric, statistic) of everything that is asked for."""
        share = self.share
        parts = ((name, share.stat) for name in share.part) if share else ()
        wholes = ((name, share.whole_stat) for name in share.whole) if share else ()
        return (*((line.metric, line.stat) for line in self.lines), *parts, *wholes)


class Widget(Frozen):
    """One graph."""

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    """Name in this file and in the checks."""
    title: str
    """Words above the graph."""
    left: Axis
    right: Axis | None = None

    @property
    def axes(self) -> tuple[tuple[Literal["left", "right"], Axis], ...]:
        """The axes that the widget has, each with its side."""
        return (("left", self.left), ("right", self.right)) if self.right else (("left", self.left),)

    @property
    def asked(self) -> tuple[tuple[str, str], ...]:
        """(metric, statistic) of both sides, each once."""
        return tuple(dict.fromkeys(one for _, axis in self.axes for one in axis.asked))


class Board(Frozen):
    """`params/dashboard.yaml`."""

    name: str
    """Name of the dashboard, with `{env}`."""
    period_s: int = Field(gt=0, multiple_of=60)
    """Seconds of each point."""
    hours: int = Field(gt=0)
    """Hours that are shown."""
    columns: int = Field(ge=1, le=4)
    """Widgets in a row."""
    height: int = Field(ge=1, le=1000)
    """Height of a widget, in units of CloudWatch's grid."""
    target_colour: str = Field(pattern=r"^#[0-9A-Fa-f]{6}$")
    """Colour of the line at a target."""
    alert_colour: str = Field(pattern=r"^#[0-9A-Fa-f]{6}$")
    """Colour of the line at an alert limit."""
    widgets: tuple[Widget, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _apart(self) -> Board:
        for what in ("id", "title"):
            said = [str(getattr(widget, what)) for widget in self.widgets]
            twice = sorted({one for one in said if said.count(one) > 1})
            if twice:
                raise ValueError(f"two widgets with the {what} '{twice[0]}'")
        return self
