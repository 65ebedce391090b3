"""Turns pydantic's errors about a file into one sentence: file, line, key, value, and what is expected."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from runbook_lib.base.json_body import PATH
from runbook_lib.base.nearest import hint
from runbook_lib.base.project import ENVIRONMENT
from runbook_lib.base.redact import redact_text
from runbook_lib.base.redact_data import redact
from runbook_lib.base.yaml_file import line_of, unquoted

_EXPECTED = {
    "string_type": "expects text",
    "float_type": "expects a number",
    "float_parsing": "expects a number",
    "int_type": "expects a whole number",
    "int_parsing": "expects a whole number",
    "int_from_float": "expects a whole number",
    "bool_type": "expects true or false",
    "bool_parsing": "expects true or false",
    "tuple_type": "expects a list",
    "list_type": "expects a list",
    "dict_type": "expects names with their values",
    "model_type": "expects fields with their values",
    "model_attributes_type": "expects fields with their values",
    "date_type": "expects a date such as 2026-11-23",
    "date_from_datetime_parsing": "expects a date such as 2026-11-23",
    "greater_than": "expects a number greater than {gt:g}",
    "greater_than_equal": "expects {ge:g} or more",
    "less_than": "expects a number less than {lt:g}",
    "less_than_equal": "expects {le:g} or less",
    "multiple_of": "expects a multiple of {multiple_of:g}",
    "finite_number": "expects a finite number",
    "literal_error": "expects {expected}",
    "enum": "expects {expected}",
    "union_tag_invalid": "{discriminator} is '{tag}', expects one of {expected_tags}",
    "union_tag_not_found": "{discriminator} is missing",
    "string_too_short": "expects text of {min_length} or more characters",
    "string_too_long": "expects text of {max_length} characters at most",
    "string_pattern_mismatch": "expects text of the form {pattern}",
    "too_short": "expects {min_length} or more of them",
    "too_long": "expects {max_length} of them at most",
}
"""Kind of pydantic's error to our text; its fields are those of the error's context."""

ID = re.compile(r"[a-z][a-z0-9_]{0,59}")
"""Id of a gate or an alarm: part of file names, anchors and names of alarms."""
_NAME = "small letters, digits and _, beginning with a letter"
ID_EXPECTED = f"expects {_NAME}, 60 at most"
_FORMS = {
    r"^[a-z][a-z0-9_]*$": _NAME,
    r"^[a-z0-9_]+$": "small letters, digits and _",
    r"^[a-z0-9_]*$": "small letters, digits and _",
    r"^[a-z0-9_-]+$": "small letters, digits, _ and -",
    r"^[^\s\d]\S*$": "one word that does not begin with a digit, such as req/s",
    r"^\w+@([a-z][a-z0-9-]*|\{env\})$": "a step and its environment, such as 05_staging@staging",
    f"^{ENVIRONMENT}$": "small letters, digits and -, beginning with a letter, 30 at most",
    r"^[a-z]{2}(-[a-z]+)+-[0-9]$": "a region such as us-east-1",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$": "letters, digits and . _ -, beginning with a letter or a digit",
    r"^(submit|status|sync|worker(_[2-9])?)$": "submit, status, sync, worker, or a further worker such as worker_2",
    r"^#[0-9A-Fa-f]{6}$": "a colour such as #1f77b4",
    r"^[$A-Za-z0-9_-]{1,128}$": "a stage's name: 1 to 128 letters, digits, - and _, or $default",
    PATH: "a path of names with dots between them, such as data.job_id or $.data.job_id",
    r"^$|" + PATH: "a path of names with dots between them, such as data.job_id, or nothing",
    r"^/?[A-Za-z0-9_.{}-]+(/[A-Za-z0-9_.{}-]+)*$": "a parameter's name, such as /ours/{env}/weight",
    r"^[A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*$": "an alias: letters, digits, _ and -, and no number alone",
    r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$": "a repository as OWNER/NAME",
    r"^[1-9][0-9]*$": "a published version, such as 7",
    r"^[a-z0-9]+$": "an id of small letters and digits",
    r"^$|^/\S*$": "a path that begins with /, or nothing",
}
"""Form of a text to its description in words."""
_SHOWN = 80
"""Most characters of a value that a sentence repeats."""


def sentence(
    error: ValidationError,
    model: type[BaseModel],
    values: Mapping[str, Any],
    source: str,
    file: Path | None,
    *,
    overridden: bool = False,
    given: Collection[str] = (),
) -> str:
    """One sentence about the first mistake, with the number of the others.

    Args:
        values: the values that were read.
        source: name of the file in the sentence.
        file: file of the values; None: the values have no lines.
        overridden: whether values may come from elsewhere, so that the file's lines are not reliable.
        given: keys whose values come from `--set`: the sentence blames it, not the file.
    """
    first = error.errors()[0]
    kind, at = first["type"], _untagged(first["loc"], values)
    value = _unsecret(at, first.get("input"))
    key = ".".join(_named(at, values))
    if kind == "value_error":
        at = (*at, *_meant(first))
    ours = key in given
    if kind == "string_type" and file is not None and not ours and key != "account_id":
        bare = unquoted(file, at, value)
        if bare is not None:
            return f"{source}, line {bare[0]}: '{key}': {bare[1]}"
    if file is not None and not overridden and (line := line_of(file, at)):
        source = f"{source}, line {line}"
    if kind == "extra_forbidden":
        there = hint(at[-1], fields_at(model, at[:-1]))
        said = no_parameter(key, value) if ours else f"{source}: unknown key '{key}' (value {shown(value)})"
        return one_line(said + (f"; {there}" if there else ""))
    if kind == "missing":
        return f"{source}: '{key}' is missing"
    same = [one for one in error.errors() if ".".join(_named(_untagged(one["loc"], values), values)) == key]
    message = " or ".join(dict.fromkeys(map(_message, same))).replace(" or expects ", " or ")
    message = message.removesuffix("; ")  # the hint is empty where no name is known
    if key == "account_id" and isinstance(value, int):
        message = "a number loses its leading zeros; quote it in YAML, and use `-r` instead of `-p` with papermill"
    others = error.error_count() - len(same)
    more = f" (and {others} more)" if others else ""
    if ours:
        return one_line(f"--set {key}={shown(value)}: {message}{more}")
    if not key or isinstance(value, dict):
        return one_line(f"{source}: {key and repr(key) + ': '}{message}{more}")  # the message names the mistake
    return one_line(f"{source}: '{key}' is {shown(value)}: {message}{more}")


def _untagged(at: Sequence[int | str], values: Any) -> tuple[int | str, ...]:
    """The path without the `kind` by which pydantic distinguishes models in one place: the file has no such key."""
    path, inner = list[int | str](), values
    for part in at:
        if isinstance(inner, Mapping) and part not in inner and part == inner.get("kind"):
            continue
        path.append(part)
        try:
            inner = inner[part]
        except (LookupError, TypeError):
            inner = None
    return tuple(path)


def _meant(first: Mapping[str, Any]) -> list[str]:
    """The path inside a value at the beginning of a sentence about it, as far as it exists: `submit.valid: ...`."""
    path, inner = list[str](), first.get("input")
    for part in re.match(r"[\w.]*", _message(first))[0].split("."):  # type: ignore[index]
        if not isinstance(inner, Mapping) or part not in inner:
            break
        path.append(part)
        inner = inner[part]
    return path


def _message(first: Mapping[str, Any]) -> str:
    known = _EXPECTED.get(first["type"])
    if first["type"] == "string_pattern_mismatch" and (form := in_words(first["ctx"]["pattern"])):
        like = suggested(first["input"]) if "digits and _" in form else ""
        return f"expects {form}{like}"
    if known in ("expects a number", "expects a whole number") and re.match(r"\s*\d", str(first["input"])):
        return known if not isinstance(first["input"], str) else f"{known}, without quotes and unit"
    return (
        known.format(**first["ctx"]) if known and "{" in known else known or first["msg"].removeprefix("Value error, ")
    )


def in_words(pattern: str) -> str:
    """The form of a text in words; empty: there is no description."""
    return _FORMS.get(pattern, "")


def suggested(name: str, digit: bool = False) -> str:
    """`: 'declined_payments'` for `DeclinedPayments` or `declined-payments`; empty: no suggestion, as for a secret,
    which in another spelling nothing would mask.

    Args:
        digit: whether the name may begin with a digit.

    >>> suggested("DeclinedPayments"), suggested("http.5xx-rate"), suggested("?")
    (": 'declined_payments'", ": 'http_5xx_rate'", '')
    """
    if redact_text(name) != name:
        return ""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    plain = re.sub(r"[^a-z0-9]+", "_", apart.lower()).strip("_")[:60]
    return f": '{plain}'" if (plain[:1].isalpha() or (digit and plain)) and plain != name else ""


def _unsecret(at: Sequence[int | str], value: Any) -> Any:
    """The value, masked if a name on the path to it tells that it is a secret."""
    for part in reversed(at):
        (value,) = redact({str(part): value}).values()
    return value


def no_parameter(name: str, value: Any) -> str:
    """What is said of an override of a parameter that does not exist."""
    return f"--set {name}={shown(value)}: no parameter '{name}'"


def shown(value: Any) -> str:
    """A value as it was written, shortened."""
    if value is None:
        return "empty"
    text = redact_text(repr(_written(value)))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"


class _Bare(str):
    """Text without quotes in its `repr`."""

    __slots__ = ()
    __repr__ = str.__str__


def _written(value: Any) -> Any:
    """The value with lists and dates as in YAML."""
    if isinstance(value, dt.date):
        return _Bare(value)
    if isinstance(value, Mapping):
        return {_written(key): _written(each) for key, each in value.items()}
    return [_written(each) for each in value] if isinstance(value, (list, tuple)) else value


def one_line(text: str) -> str:
    """The text without line breaks, control characters and endless words, which a name may contain."""
    text = re.sub(r"(\S{100})\S{50,}", r"\1…", redact_text(text))
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)


def _named(at: Sequence[int | str], values: Any) -> list[str]:
    """The path by names: an item of a list by its `id`, if it has one."""
    path, inner = list[str](), values
    for part in at:
        if part == "[key]":  # pydantic's name for a wrong key
            continue
        if path and isinstance(part, str) and isinstance(inner, str | int | float):  # one of several possible types
            continue
        try:
            inner = inner[part]
        except (LookupError, TypeError):
            inner = None
        named = isinstance(part, int) and isinstance(inner, Mapping) and isinstance(inner.get("id"), str)
        path.append(inner["id"] if named and inner is not None else str(part))
    return path


def fields_at(model: type[BaseModel], path: Sequence[int | str]) -> set[str]:
    """Names of the fields that a model has at `path` inside it."""
    types: list[Any] = [model]
    for part in path:
        inside: list[Any] = []
        for one in _models(types):
            inside += [one.model_fields[part].annotation] if part in one.model_fields else []
        types = inside or [inner for one in types for inner in get_args(one)] or types
    return {name for one in _models(types) for name in one.model_fields}


def _models(types: Iterable[Any]) -> list[type[BaseModel]]:
    """The models among `types`, also inside unions, tuples and dictionaries."""
    found: list[type[BaseModel]] = []
    for one in types:
        if isinstance(one, type) and issubclass(one, BaseModel):
            found.append(one)
        found += _models(get_args(one))
    return found
