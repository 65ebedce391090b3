"""Small changes of a module's functions: a test that is worth its time fails with each of them.

The kinds are those of DeMillo, Lipton and Sayward (1978) as today's tools make them: another comparison, operator,
constant or word, a negated condition, an argument left out, nothing returned, nothing assigned, a loop left or gone on.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType

OTHER: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt,),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt,),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div,),
    ast.Mod: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
}
"""What stands for each comparison, operator or junction."""
_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
Step = tuple[str, int | None]
"""A field of a node, and the place in it if it is a list."""


@dataclass(frozen=True)
class Mutant:
    """One small change of one function."""

    function: str
    """Qualified name of the outermost function or method around the change."""
    line: int
    before: str
    after: str
    code: CodeType
    """Of that function, with the change."""

    def __str__(self) -> str:
        return f"`{self.function}` line {self.line}: `{self.before}` as `{self.after}`"


def mutants(source: str, path: str) -> Iterator[Mutant]:
    """Each change of each function of a module, in the order of its lines.

    Args:
        path: what the module was compiled from, as the code objects say it.
    """
    tree = ast.parse(source)
    plain, spent = functions(compile(tree, path, "exec")), at_import(tree)
    for node, steps, function in _within(tree, (), None):
        if function is None or function[0] in spent:
            continue
        for other in _changes(node):
            changed = _set(tree, steps, other)
            try:
                code = functions(compile(changed, path, "exec")).get(function)
            except (SyntaxError, ValueError):  # no such program
                continue
            if code is not None and code.co_freevars == plain[function].co_freevars:
                yield Mutant(function[0], getattr(node, "lineno", function[1]), *_shown(node, other), code)


def at_import(tree: ast.Module) -> set[str]:
    """A module's private functions that it calls itself, that nothing in it names that may run later, and that leave
    no function behind: they run at its import alone.
    """
    made = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name.startswith("_")]
    later = {one for node in ast.walk(tree) if isinstance(node, _LATER) for one in ast.walk(node) if one is not node}
    called = {one.func.id for one in ast.walk(tree) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)}
    named = {one.id for one in later if isinstance(one, ast.Name)}
    leaves = {one.name for one in made if any(isinstance(inner, _LATER) for inner in ast.walk(one) if inner is not one)}
    return ({one.name for one in made} & called) - named - leaves


def functions(code: CodeType) -> dict[tuple[str, int], CodeType]:
    """A module's outermost functions and methods by qualified name and first line."""
    found = dict[tuple[str, int], CodeType]()
    for one in code.co_consts:
        if isinstance(one, CodeType):
            if one.co_flags & 0x02:  # CO_NEWLOCALS: a function; the body of a class has none
                found[one.co_qualname, one.co_firstlineno] = one
            else:
                found |= functions(one)
    return found


def _within(
    node: ast.AST, steps: tuple[Step, ...], function: tuple[str, int] | None, inside: str = ""
) -> Iterator[tuple[ast.AST, tuple[Step, ...], tuple[str, int] | None]]:
    """Every node below `node` with the way to it and the outermost function around it."""
    for name, value in ast.iter_fields(node):
        several = isinstance(value, list)
        for place, child in enumerate(value if several else [value]):
            if not isinstance(child, ast.AST) or name in ("annotation", "returns", "decorator_list", "defaults"):
                continue
            way, around, prefix = (*steps, (name, place if several else None)), function, inside
            if isinstance(child, ast.FunctionDef) and function is None:
                first = min([child.lineno, *(one.lineno for one in child.decorator_list)])
                around = (inside + child.name, first)
            elif isinstance(child, ast.ClassDef) and function is None:
                prefix = f"{inside}{child.name}."
            if not _is_docstring(node, name, place, child):
                yield child, way, around
                yield from _within(child, way, around, prefix)


def _is_docstring(parent: ast.AST, name: str, place: int, child: ast.AST) -> bool:
    return name == "body" and isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand for `node`."""
    match node:
        case ast.Compare(ops=[op]):
            yield from (_with(node, ops=[other()]) for other in OTHER.get(type(op), ()))
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign():
            yield from (_with(node, op=other()) for other in OTHER.get(type(node.op), ()))
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Constant():
            yield from (ast.Constant(value) for value in _values(node.value))
        case ast.If() | ast.IfExp() | ast.While():
            yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield ast.Return(ast.Constant(None))
        case ast.Assign(value=value) | ast.AnnAssign(value=value) if value is not None and not _is_none(value):
            yield _with(node, value=ast.Constant(None))
        case ast.Call(keywords=[_, *_]):
            for place in range(len(node.keywords)):
                yield _with(node, keywords=[*node.keywords[:place], *node.keywords[place + 1 :]])
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()


def _values(value: object) -> Iterator[object]:
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
        case float():
            yield value * 2 or 1.0
        case str() if value.strip():
            yield f"XX{value}XX"


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _with(node: ast.AST, **fields: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _set(tree: ast.Module, steps: tuple[Step, ...], other: ast.AST) -> ast.Module:
    """`tree` with `other` at the end of the way; what is beside the way is shared."""

    def along(node: ast.AST, way: tuple[Step, ...]) -> ast.AST:
        if not way:
            return ast.fix_missing_locations(ast.copy_location(copy.deepcopy(other), node))
        (name, place), *rest = way
        value = getattr(node, name)
        if place is None:
            return _with(node, **{name: along(value, tuple(rest))})
        new = along(value[place], tuple(rest))
        return _with(node, **{name: [*value[:place], new, *value[place + 1 :]]})

    changed = along(tree, steps)
    assert isinstance(changed, ast.Module)
    return changed


def _shown(before: ast.AST, after: ast.AST) -> tuple[str, str]:
    """Both as source, in one short line each."""

    def said(node: ast.AST) -> str:
        text = " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())
        return text.replace("`", "'")[:120]

    first: Callable[[ast.AST], str] = said
    if isinstance(before, ast.If | ast.While) and isinstance(after, ast.If | ast.While):
        word = type(before).__name__.lower()
        return f"{word} {first(before.test)}", f"{word} {first(after.test)}"
    return first(before), first(after)
