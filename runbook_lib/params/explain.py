"""Type, default, limits and meaning of each key of the parameter files, read from the models themselves."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import re
import textwrap
import types
import typing
from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runbook_lib.judge.threshold import Threshold


class Key(NamedTuple):
    """One key of a parameter file."""

    path: str
    """Names from the top of the file, joined by dots; `NAME` for any name, `[]` for the items of a list."""
    type: str
    required: bool
    default: str
    """The default as YAML; empty: there is none, or it is empty."""
    limits: str
    """Conditions on a value, such as `> 0, <= 100`; empty: only its type."""
    told: str
    """The key's meaning, in sentences."""


_PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false", Threshold: "comparison"}
_BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def keys(model: type[BaseModel], above: str = "", within: tuple[type, ...] = ()) -> Iterator[Key]:
    """Every key of a model and of the models in it, in the order of declaration.

    Args:
        above: path of the model itself.
        within: models around this one; none of them is described again.
    """
    told = docs(model)
    for name, field in model.model_fields.items():
        path = f"{above}.{name}" if above else name
        inner = list(_models(field.annotation))
        required = field.is_required()
        yield Key(
            path,
            _type(field.annotation),
            required,
            "" if required else _default(field),
            _limits(field),
            _as_in_yaml((field.description or told.get(name) or _own_words(inner)).strip()),
        )
        deeper = [
            (one, key)
            for place, one in inner
            if one not in (*within, model)
            for key in keys(one, path + place, (*within, model))
        ]
        yield from _joined(deeper, {place for place, _ in inner})


def _as_in_yaml(text: str) -> str:
    """A docstring for the writer of the file: `null`, `true` and `false` instead of Python's words."""
    return re.sub(r"\b(None|True|False)\b", lambda found: _WORDS[found[0]], text)


_WORDS = {"None": "null", "True": "true", "False": "false"}


def _joined(found: list[tuple[type[BaseModel], Key]], places: Collection[str]) -> Iterator[Key]:
    """Keys of the models that may be in one place: each once, with the kinds that have it unless all have.

    Args:
        places: paths of the models; several models in one place each have a `kind` of their own.
    """
    kinds = {model: _kind(model) for model, _ in found}
    if len(kinds) < 2 or len(places) > 1 or not all(kinds.values()):
        yield from (key for _, key in found)
        return
    paths: dict[str, list[tuple[str, Key]]] = {}
    for model, key in found:
        paths.setdefault(key.path, []).append((kinds[model], key))
    for same in paths.values():
        having, key = [kind for kind, _ in same], same[0][1]
        types = list(dict.fromkeys(one.type for _, one in same))
        if set(types) == set(kinds.values()):
            types = ["one of " + ", ".join(types)]
        only = "" if len(having) == len(kinds) else f"{', '.join(having)}: "
        required = all(one.required for _, one in same)
        default = next((one.default for _, one in same if one.default), "")
        yield key._replace(type=" or ".join(types), required=required, default=default, told=only + key.told)


def _kind(model: type[BaseModel]) -> str:
    """The one value of a model's `kind`; empty: it has none."""
    field = model.model_fields.get("kind")
    said = get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()
    return str(said[0]) if len(said) == 1 else ""


@functools.cache
def docs(model: type[BaseModel]) -> Mapping[str, str]:
    """Field to the text behind it, for a model and its base models."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if not issubclass(one, BaseModel) or one is BaseModel:
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
        found |= _described(body.body) if isinstance(body, ast.ClassDef) else {}
    return found


def _described(body: list[ast.stmt]) -> dict[str, str]:
    """Field to the string behind it."""
    found = {}
    for field, text in itertools.pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(told))):
                found[name] = inspect.cleandoc(told)
    return found


def _own_words(inner: list[tuple[str, type[BaseModel]]]) -> str:
    """The first sentence of the models in a field, for a field without a text of its own."""
    said = [inspect.cleandoc(one.__doc__ or "").split("\n\n")[0].replace("\n", " ") for _, one in inner]
    return " ".join(dict.fromkeys(said))


def _models(annotation: Any, place: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """The models in an annotation, each with the path to it: `.NAME`, `[]` or nothing."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        if annotation is not Threshold:
            yield place, annotation
    elif origin is Annotated:
        yield from _models(inside[0], place)
    elif origin is dict or origin is Mapping:
        yield from _models(inside[1], f"{place}.NAME")
    elif origin in (tuple, list):
        for one in dict.fromkeys(inside):
            yield from _models(one, f"{place}[]")
    elif origin is not Literal:
        for one in inside:
            yield from _models(one, place)


def _type(annotation: Any) -> str:
    """A type as people write it."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is None:
        return _of_class(annotation)
    if origin is Annotated:
        told = _type(inside[0])
    elif origin is Literal:
        told = "one of " + ", ".join(map(str, inside)) if len(inside) > 1 else str(inside[0])
    elif origin in (typing.Union, types.UnionType):
        told = " or ".join(dict.fromkeys(_type(one) for one in inside if one is not type(None)))
    elif origin in (dict, Mapping):
        told = f"name to {_type(inside[1])}"
        told = told if " or " not in told else f"name to ({_type(inside[1])})"
    elif origin is tuple and Ellipsis not in inside:
        told = f"list of {len(inside)}: " + ", ".join(map(_type, inside))
    else:
        told = f"list of {_type(inside[0])}"
    return told


def _of_class(annotation: Any) -> str:
    if annotation is Any:
        return "anything"
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return "one of " + ", ".join(str(one.value) for one in annotation)
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return "keys"
    return str(annotation.__name__)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    return _written(value)


def _written(value: Any) -> str:
    """A default in one line of YAML; empty for a model, whose keys have their own."""
    if value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"[{', '.join(map(_written, value))}]" if value else ""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_written(one)}" for name, one in value.items()) + "}" if value else ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _limits(field: FieldInfo) -> str:
    """The bounds that pydantic checks, for the field or for the annotations within it."""
    metadata = [*field.metadata]
    if get_origin(field.annotation) is Annotated:
        metadata += get_args(field.annotation)[1:]
    found = []
    for one in metadata:
        for name, sign in _BOUNDS.items():
            if getattr(one, name, None) is not None:
                found.append(f"{sign} {getattr(one, name):g}")
        if getattr(one, "multiple_of", None) is not None:
            found.append(f"a multiple of {one.multiple_of:g}")
        if getattr(one, "min_length", None):
            found.append("not empty" if one.min_length == 1 else f"at least {one.min_length}")
        if getattr(one, "max_length", None):
            found.append(f"at most {one.max_length}")
        if getattr(one, "pattern", None):
            found.append(f"`{one.pattern}`")
    return ", ".join(found)
