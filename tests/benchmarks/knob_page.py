"""The knobs of a world as a Markdown section, made from the models' own fields, so that it lists all of them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from runbook_lib.rehearse.world.behaviour import Behaviour, Fault
from runbook_lib.rehearse.world.scenario import Scenario

WORDS: Mapping[str, str] = {
    "Fault.name": "What it is called, in a sentence about it.",
    "Fault.start": "Hour at which it begins.",
    "Fault.end": "Hour at which it ends; none: never.",
    "Fault.after": "What it waits for: a phase's number, `migration`, or `09` (the first week).",
    "Fault.ramp_h": "Hours that a ramp takes to its full value.",
    "Fault.pulse_min": "Minutes that a pulse is on.",
    "Fault.every_h": "Hours from the start of a pulse to that of the next.",
    "Fault.from_hour": "Hour of the day at which a nightly fault begins.",
    "Fault.to_hour": "Hour of the day at which a nightly fault ends.",
    "Fault.set": "Knob to its value while the fault is on.",
    "Fault.times": "Knob to the factor that multiplies it.",
    "Scenario.name": "The name of its file.",
    "Scenario.title": "What is wrong in it, in a line.",
    "Scenario.requests_per_day": "Requests at both routes in a day, expected.",
    "Scenario.behaviour": "The service with no fault on: knobs and their values.",
    "Scenario.faults": "What goes wrong; later ones lie over earlier ones.",
}
"""Texts for the fields without a docstring, whose name and type are clear in the code."""
MODELS: tuple[type[BaseModel], ...] = (Scenario, Fault, Behaviour)


def words(model: type[BaseModel]) -> dict[str, str]:
    """Field to its text: its docstring in the code, or `WORDS`; empty if there is none."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    said = {name: WORDS.get(f"{model.__name__}.{name}", "") for name in model.model_fields}
    for field, text in zip(body.body, body.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(told))):
                said[name] = " ".join(told.split())
    return said


def section() -> str:
    """The section of the page."""
    lines = ["## Knobs of a world", "", "A scenario's file may set these; `runbook rehearse` plays it.", ""]
    for model in MODELS:
        head = (inspect.getdoc(model) or "").split("\n\n")[0]
        lines += [f"### {model.__name__}", "", head, "", "| field | default | what it says |", "|---|---|---|"]
        for name, text in words(model).items():
            lines.append(f"| `{name}` | {_default(model, name)} | {text.replace('|', '/')} |")
        lines.append("")
    return "\n".join(lines)


def _default(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    if field.is_required():
        return "needed"
    value = field.default
    if value is PydanticUndefined or isinstance(value, BaseModel) or value in ((), "", None):
        return ""
    if isinstance(value, tuple):
        return " ".join(f"{one:g}" for one in value)
    return f"{value:g}" if isinstance(value, float) else f"{value}"
