"""The dashboard that is deployed, and how it differs from the one declared, in lines a person reads.

CloudWatch's widgets have no id: they are told apart by their titles. Order of keys and CloudWatch's own shorthand
(`"."` and `"..."` repeat what the row before says) make no difference.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Any

from runbook_lib.base.aws import aws_errors
from runbook_lib.base.aws_errors import code_of
from runbook_lib.judge import words

_NO_TITLE = "(a widget without a title)"
_BOARD = "dashboard"


def read_dashboard(cloudwatch: Any, name: str) -> str | None:
    """The deployed body as CloudWatch keeps it; None: there is no such dashboard.

    Raises:
        AwsError: CloudWatch refused or did not answer.
    """
    from botocore.exceptions import ClientError

    with aws_errors(f"reading dashboard {name} (cloudwatch:GetDashboard)"):
        try:
            return str(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])
        except ClientError as error:
            if code_of(error) in ("ResourceNotFound", "DashboardNotFoundError"):
                return None
            raise


def parsed(text: str | None) -> dict[str, Any]:
    """A body as data; empty where the text is absent, not JSON or no object."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def digest(text: str | None) -> str:
    """SHA-256 of a body as data, hexadecimal and independent of the order of keys; empty where there is none."""
    if text is None:
        return ""
    with contextlib.suppress(ValueError):
        text = json.dumps(_even(json.loads(text)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def widget_diff(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, list[str]]:
    """The differences of each declared widget, by its title; an empty list where nothing differs."""
    there, declared = _by_title(found), _by_title(wanted)
    return {title: _changes(there.get(title), facts) for title, facts in declared.items()}


def diff(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Everything that changes if `wanted` replaces `found`; empty: nothing."""
    lines = [f"{title}: {line}" for title, changes in widget_diff(found, wanted).items() for line in changes]
    lines += [
        f"{title}: - not declared, would be removed" for title in _by_title(found) if title not in _titles(wanted)
    ]
    settings = [{key: value for key, value in body.items() if key != "widgets"} for body in (found, wanted)]
    return lines + [
        f"{_BOARD}: {line}" for line in _changes(*({k: _said(v) for k, v in one.items()} for one in settings))
    ]


def _titles(body: dict[str, Any]) -> set[str]:
    return set(_by_title(body))


def _by_title(body: dict[str, Any]) -> dict[str, dict[str, str]]:
    widgets = body.get("widgets")
    found: dict[str, dict[str, str]] = {}
    for widget in widgets if isinstance(widgets, list) else []:
        facts = _facts(widget) if isinstance(widget, dict) else {"widget": _said(widget)}
        title = base = json.loads(facts.pop("title", "null")) or _NO_TITLE
        number = 1
        while title in found:
            number += 1
            title = f"{base} ({number})"
        found[title] = facts
    return found


def _facts(widget: dict[str, Any]) -> dict[str, str]:
    """A widget's settings by name, as text. Rows of metrics and annotations have names of their own."""
    properties = widget.get("properties")
    rest = {key: value for key, value in widget.items() if key != "properties"}
    if not isinstance(properties, dict):
        return {key: _said(value) for key, value in rest.items()}
    rest |= {key: value for key, value in properties.items() if key not in ("metrics", "annotations")}
    facts = {key: _said(value) for key, value in rest.items()}
    for row, options in _rows(properties.get("metrics")):
        facts[f"metric {row} {options.get('stat', '')}".rstrip()] = _said(options)
    annotations = properties.get("annotations")
    for kind, marks in annotations.items() if isinstance(annotations, dict) else ():
        for mark in marks if isinstance(marks, list) else [marks]:
            label = mark.get("label", "") if isinstance(mark, dict) else mark
            facts[f"{kind} annotation '{label}'"] = _said(mark)
    return facts


def _rows(metrics: Any) -> list[tuple[str, dict[str, Any]]]:
    """(address in words, options) of each row, CloudWatch's shorthand written out."""
    found, before = [], list[Any]()
    for row in metrics if isinstance(metrics, list) else []:
        if not isinstance(row, list):
            continue
        options = row[-1] if row and isinstance(row[-1], dict) else {}
        parts: list[Any] = []
        given = [part for part in row if not isinstance(part, dict)]
        for place, part in enumerate(given):
            if part == "...":
                parts += before[len(parts) : len(before) - (len(given) - place - 1)]
            else:
                known = part == "." and len(parts) < len(before)
                parts.append(before[len(parts)] if known else part)
        before = parts or before
        said = " ".join(map(str, parts)) or str(options.get("expression", ""))
        found.append((said, options))
    return found


def _changes(found: dict[str, str] | None, wanted: dict[str, str]) -> list[str]:
    if found is None:
        return [f"+ not deployed yet ({words.count(sum(key.startswith('metric ') for key in wanted), 'metric')})"]
    lines = []
    for key in dict.fromkeys([*wanted, *found]):
        if key not in found:
            lines.append(f"+ {key} = {wanted[key]}")
        elif key not in wanted:
            lines.append(f"- {key} = {found[key]}")
        elif found[key] != wanted[key]:
            lines.append(f"~ {key}: {found[key]} -> {wanted[key]}")
    return lines


def _said(value: Any) -> str:
    return json.dumps(_even(value), sort_keys=True, ensure_ascii=False)


def _even(value: Any) -> Any:
    """The value with whole floats as integers: AWS may return 10 or 10.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _even(each) for key, each in value.items()}
    return [_even(each) for each in value] if isinstance(value, list) else value
