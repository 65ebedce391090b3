"""YAML files that people write: read, or refused in one sentence with file and line. Light: a rollback loads it."""

from __future__ import annotations

import datetime as dt
import os
import pickle
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from runbook_lib.base.errors import UsageError
from runbook_lib.base.plain_file import open_plain

MOST_BYTES = 1_000_000
"""Most bytes of one file; our largest has 22 kB."""
MOST_DEEP = 50
"""Most levels of nesting. Some ten thousand levels down the reader in C ends the process without a word."""
_MARKS = 2_000
"""Characters that may open a level: a file with fewer is not too deep; of one with more the depth is checked first."""
MOST_VALUES = 100_000
"""Most values of one file, with each alias counted as its target; our largest has a thousand and a half."""
SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML's safe loader, in C if it is there: ten times as fast on the policy's files."""
_ENDS = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


class _Once(SAFE):  # type: ignore[misc]
    """A loader that refuses a repeated key, for which YAML would silently take the last value, and too many aliases."""

    def construct_document(self, node: Any) -> Any:
        """As in the loader, for a file whose aliases expand to no more than a person could have written."""
        not_multiplied(node)
        return super().construct_document(node)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """As in the loader, with each key only once."""
        if not isinstance(node, yaml.MappingNode):  # a list with the tag of a mapping or a set
            problem = f"what the tag {_tag_of(node)} stands before is not a mapping"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        seen = set[Any]()
        for key, _ in node.value:
            name = getattr(key, "value", None)
            if isinstance(name, str) and name in seen and key.tag != "tag:yaml.org,2002:merge":
                problem = f"the key '{name}' appears twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            if isinstance(name, str):
                seen.add(name)
        return super().construct_mapping(node, deep)

    def tagged(self, node: Any) -> Any:
        """As in the loader; a tag that the value does not fit is an error of YAML's."""
        try:
            return SAFE.yaml_constructors[node.tag](self, node)
        except (LookupError, AttributeError, TypeError):
            problem = f"'{node.value}' is not what its tag {_tag_of(node)} says"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None

    def plain_number(self, node: Any) -> int | float:
        """A number as people read it; YAML knows other forms (`1:30` is 90, `010` is 8, `0x10` is 16, `1_000`)."""
        text = str(self.construct_scalar(node))
        whole = node.tag.endswith("int")
        digits = len(re.findall(r"\d", text))
        if not (_WHOLE if whole else _REAL).fullmatch(text) or digits > MOST_DIGITS:
            kind = f"a number of {digits} digits" if digits > MOST_DIGITS else "a number that YAML reads in its own way"
            raise _Unplain(
                None, None, f'{text} is {kind}; write it in plain digits, or "{text}" if it is text', node.start_mark
            )
        return int(text) if whole else float(text)


def _tag_of(node: Any) -> str:
    return str(node.tag).replace("tag:yaml.org,2002:", "!!")


class _Unplain(yaml.constructor.ConstructorError):
    """A number in an unusual form."""


_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_REAL = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
MOST_DIGITS = 15
"""Most digits of a number: a float with more has another value."""
for _tag in ("bool", "timestamp"):
    _Once.add_constructor(f"tag:yaml.org,2002:{_tag}", _Once.tagged)
for _tag in ("int", "float"):
    _Once.add_constructor(f"tag:yaml.org,2002:{_tag}", _Once.plain_number)


class AsWritten(_Once):
    """A loader that takes a number in an unusual form as text: an incident does not wait for a digit."""

    def plain_number(self, node: Any) -> int | float | str:  # type: ignore[override]
        """The number, or its text."""
        try:
            return super().plain_number(node)
        except _Unplain:
            return str(node.value)


for _tag in ("int", "float"):
    AsWritten.add_constructor(f"tag:yaml.org,2002:{_tag}", AsWritten.plain_number)


def read_yaml(path: Path, *, odd_numbers: bool = False) -> dict[str, Any]:
    """A YAML mapping; a missing, malformed or non-mapping file is one sentence.

    Args:
        odd_numbers: whether numbers in an unusual form are text; else they are refused.

    Raises:
        UsageError: the file is unusable; with the file and, if YAML knows it, the line.
    """
    text = text_of(path)
    try:
        not_deep(path, text)
        loaded = _loaded(text, AsWritten if odd_numbers else _Once)
    except _Unplain as error:
        raise UsageError(f"{path}{_line(error)}: {error.problem}") from None
    except yaml.YAMLError as error:
        where = _line(error)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise UsageError(f"{path}{where}: not valid YAML ({problem})") from None
    except (ValueError, OverflowError) as error:  # 2026-99-99 is a date for YAML, but not for Python
        raise UsageError(f"{path}: not valid YAML ({error}); quote what is text") from None
    if not isinstance(loaded, dict):
        held = "holds nothing" if loaded is None else f"holds {'a list' if isinstance(loaded, list) else 'one value'}"
        raise UsageError(f"{path}: {held}, expects a mapping of names to values")
    return loaded


def _loaded(text: str, loader: Any) -> Any:
    """The value that the loader makes of `text`, a new copy each time: the caller may change it."""
    try:
        return pickle.loads(_kept(text, loader))  # noqa: S301
    except RecursionError:  # too deep for pickle
        return yaml.load(text, Loader=loader)  # noqa: S506


@lru_cache(maxsize=32)
def _kept(text: str, loader: Any) -> bytes:
    """The loaded value, pickled: a run reads its few files several times, and loading takes fifty times as long."""
    return pickle.dumps(yaml.load(text, Loader=loader))  # noqa: S506


def _line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}" if mark else ""


def text_of(path: Path) -> str:
    """What is written in a YAML file, of which no more is read than one may have.

    Raises:
        UsageError: it is missing, no file, too long, or no UTF-8.
    """
    try:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder, expects a file in it")
        if path.exists() and not path.is_file():  # it may have no end, and is read more than once
            raise UsageError(f"{path}: is a pipe or a device, expects a file")
        with open_plain(path) as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(MOST_BYTES)  # of a larger one, this shows where it is too long
        text = content.decode("utf-8", "strict" if size <= MOST_BYTES else "replace")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}, line {line}: not valid YAML (no UTF-8)") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
    if size > MOST_BYTES:
        lines = [len(line) for line in text.splitlines()]
        longest = max(range(len(lines)), key=lines.__getitem__)
        raise UsageError(
            f"{path}, line {longest + 1}: too long; the file has {size / 1e6:.1f} MB, "
            f"and may have {MOST_BYTES / 1e6:g} MB at most"
        )
    return text


def not_deep(path: Path, text: str) -> None:
    where = _too_deep(text)
    if where is not None:
        raise UsageError(f"{path}{where}: more than {MOST_DEEP} levels within each other")


@lru_cache(maxsize=32)
def _too_deep(text: str) -> str | None:
    """The line at which a text is too deep, as it stands behind a file's name; None: it is not.

    By the parser's events, which are no recursion, where the text has so many marks that it may be.
    """
    if len(re.findall(r"[\[{]|^ +|[-?:](?=\s)", text, re.M)) < _MARKS:
        return None
    deep = 0
    for event in yaml.parse(text, Loader=SAFE):
        if isinstance(event, yaml.CollectionStartEvent):
            deep += 1
            if deep > MOST_DEEP:
                return f", line {event.start_mark.line + 1}" if event.start_mark else ""
        elif isinstance(event, _ENDS):
            deep -= 1
    return None


def not_multiplied(root: Any) -> None:
    """Refuses a file whose aliases, written out, give too many values; it counts them without writing them out, since
    later code (a model, a message) would go through all of them.
    """
    sizes: dict[int, int] = {}
    within: set[int] = set()
    todo = [root]
    while todo:
        node = todo[-1]
        parts = [] if isinstance(node, yaml.ScalarNode) else _parts(node)
        if id(node) not in within and id(node) not in sizes:
            within.add(id(node))
            if looped := next((part for part in parts if id(part) in within), None):
                raise yaml.constructor.ConstructorError(
                    None, None, "an alias refers to a value that contains it", looped.start_mark
                )
            todo += [part for part in parts if id(part) not in sizes]
            continue
        todo.pop()
        within.discard(id(node))
        sizes[id(node)] = 1 + sum(sizes[id(part)] for part in parts)
        if sizes[id(node)] > MOST_VALUES:
            problem = f"with its aliases written out it has more than {MOST_VALUES} values"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _parts(node: Any) -> list[Any]:
    return [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else list(node.value)


def unquoted(path: Path, keys: Sequence[int | str], value: Any) -> tuple[int, str] | None:
    """Line and advice if `value` should be text and YAML took it for something else; else None.

    >>> from tempfile import mkdtemp
    >>> file = Path(mkdtemp()) / "a.yaml"
    >>> _ = file.write_text("env: prod\\nrelease: 2026.10\\n")
    >>> unquoted(file, ["release"], 2026.1)
    (2, '2026.10 without quotes is a number for YAML; write release: "2026.10"')
    """
    if isinstance(value, (str, dict, list)):
        return None
    try:
        node = yaml.compose(text_of(path), Loader=SAFE)
    except (UsageError, yaml.YAMLError):
        return None
    for part in keys:
        node = _within(node, part)
    if not isinstance(node, yaml.ScalarNode) or node.style in ("'", '"') or node.tag == "tag:yaml.org,2002:str":
        return None
    if not node.value:  # nothing stands there: it is empty, and quotes mend nothing
        return None
    name = f"{keys[-1]}: " if keys and isinstance(keys[-1], str) else ""
    if isinstance(value, bytes):
        return node.start_mark.line + 1, f'the tag !!binary makes it bytes; write {name}"{node.value}" without the tag'
    kind = next((word for types, word in _KINDS if isinstance(value, types)), "no text")
    told = f"{node.value} without quotes is {kind} for YAML"
    return node.start_mark.line + 1, f'{told}; write {name}"{node.value}"'


def line_of(path: Path, keys: Sequence[int | str]) -> int | None:
    """Line of the last of `keys` that the file has, each inside the one before; None if it lacks even the first.

    An item of a list is found by its index, or by its `id`.

    >>> from tempfile import mkdtemp
    >>> file = Path(mkdtemp()) / "a.yaml"
    >>> _ = file.write_text("gates:\\n  - id: cost\\n    unit: USD\\n")
    >>> [line_of(file, keys) for keys in (["gates", "cost", "unit"], ["gates", 0], ["gates", "cost", "x"], ["y"])]
    [3, 2, 2, None]
    """
    try:
        node = yaml.compose(text_of(path), Loader=SAFE)
    except (UsageError, yaml.YAMLError):
        return None
    line = None
    for part in keys:
        key, node = _entry(node, part)
        if key is None:
            return line
        line = key.start_mark.line + 1
    return line


def _entry(node: Any, part: int | str) -> tuple[Any, Any]:
    """The node of an entry for its position, and its value; None twice if there is no such entry."""
    if isinstance(node, yaml.MappingNode):
        return next(
            ((key, value) for key, value in node.value if getattr(key, "value", None) == str(part)), (None, None)
        )
    if isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            named = _within(item, "id") if isinstance(item, yaml.MappingNode) else None
            if place == part or (isinstance(part, str) and getattr(named, "value", None) == part):
                return item, item
    return None, None


_KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "yes or no"),
    ((int, float), "a number"),
    (type(None), "nothing"),
    (dt.date, "a date"),
)


def _within(node: Any, part: int | str) -> Any:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if getattr(key, "value", None) == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part]
    return None
