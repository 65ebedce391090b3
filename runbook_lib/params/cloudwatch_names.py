"""CloudWatch's rules for the namespace, the name and the dimensions of a metric.

Amazon CloudWatch API Reference: PutMetricData (`Namespace`: `[^:].*`, 1 to 255 characters), MetricDatum (`MetricName`:
1 to 255), Dimension (`Name` 1 to 255 and `Value` 1 to 1024 characters of ASCII, one of them no blank, no control
characters; a name does not begin with a colon), 30 dimensions at most. CloudWatch User Guide, "Metrics concepts": a
namespace has letters, digits and . - _ / # : in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runbook_lib.base.template import fields, filled
from runbook_lib.params.bounds import CONTROL, Said
from runbook_lib.params.metrics import Metric
from runbook_lib.params.sentence import shown

MOST = 255
MOST_VALUE = 1024
_NAMESPACE = re.compile(r"[A-Za-z0-9._/#: -]*")


def check(key: str, metric: Metric) -> Iterator[Said]:
    """What CloudWatch refuses about the metric under `key`: key, value, and what is expected."""
    found = [(f"{key}.namespace", metric.namespace, namespace(metric.namespace)), *_named(key, metric)]
    for side in ("dimensions", "http_dimensions"):
        for name, value in (getattr(metric, side) or {}).items():
            found += [
                (f"{key}.{side}", name, _plain(name) or dimension(name)),
                (f"{key}.{side}.{name}", value, dimension_value(value)),
            ]
    yield from ((at, shown(value), wrong) for at, value, wrong in found if wrong)


def _named(key: str, metric: Metric) -> Iterator[tuple[str, str, str]]:
    for side in ("name", "http_name"):
        name = getattr(metric, side)
        if name is not None:
            yield f"{key}.{side}", name, _plain(name) or name_of_metric(name)


def namespace(text: str) -> str:
    """What is wrong with a namespace; empty: nothing."""
    bare = _bare(text)
    if wrong := _name(bare, MOST):
        return wrong
    if not _NAMESPACE.fullmatch(bare):
        return "CloudWatch takes letters, digits and . - _ / # : in a namespace"
    return ""


def name_of_metric(text: str) -> str:
    """What is wrong with the name of a metric; empty: nothing."""
    return _length(text, MOST)


def dimension(text: str) -> str:
    """What is wrong with the name of a dimension; empty: nothing."""
    return _name(text, MOST) or _ascii(text)


def dimension_value(text: str) -> str:
    """What is wrong with the value of a dimension, which may be a template; empty: nothing."""
    bare = _bare(text)
    return _length(bare, MOST_VALUE) or _ascii(bare)


def _bare(template: str) -> str:
    """The template with a letter for each placeholder: the values are checked elsewhere."""
    return filled(template, dict.fromkeys(fields(template), "x"))


def _plain(text: str) -> str:
    return "placeholders are not filled in here; write the value itself" if fields(text) else ""


def _name(text: str, most: int) -> str:
    return "CloudWatch refuses one that begins with a colon" if text.startswith(":") else _length(text, most)


def _length(text: str, most: int) -> str:
    if not text.strip():
        return "CloudWatch refuses one that is empty or blank"
    if text != text.strip():
        return "it begins or ends with a space; remove the space"
    if CONTROL.search(text):
        return "CloudWatch refuses line breaks and control characters"
    return f"it has {len(text):,} characters, and CloudWatch takes {most:,}" if len(text) > most else ""


def _ascii(text: str) -> str:
    return "" if text.isascii() else "CloudWatch takes only ASCII characters in dimensions"
