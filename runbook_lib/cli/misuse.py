"""Reports a wrong command line as one sentence like every other error: the name, the value, what is expected, and
where the help is. typer would show a box of several lines, with pydantic's words.
"""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from runbook_lib.base.errors import UsageError
from runbook_lib.base.nearest import close
from runbook_lib.base.project import params_file
from runbook_lib.base.redact import redact_text

_Wrong: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""typer's error for a wrong command line: click's class, or the copy of it in newer versions."""
_LONGEST = 80
"""Most characters of a quoted value."""
_EXPECTED = {
    "float_parsing": "a number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "less than {lt:g}",
}
"""Kind of pydantic's error to what is expected."""


class _Cut(Exception):
    """Ctrl-C, on its way through click."""

    def __init__(self, by: KeyboardInterrupt) -> None:
        super().__init__()
        self.by = by


class Group(TyperGroup):
    """A group of commands that raises a `UsageError` for wrong use, and leaves Ctrl-C to `ending`."""

    def __init__(self, *args: Any, **named: Any) -> None:
        """As in typer, but the lines of a help's paragraphs end where the terminal does, not where the code's do."""
        super().__init__(*args, **named)
        for one in self.commands.values():
            one.help = "\n\n".join(part.replace("\n", " ") for part in (one.help or "").split("\n\n"))

    def main(self, args: Any = None, *, standalone_mode: bool = True, **more: Any) -> Any:  # type: ignore[override]
        """As in typer, but an error is raised as ours."""
        try:
            code = super().main(args, standalone_mode=False, **more)
        except _Cut as cut:
            raise cut.by from None
        except typer.Abort as error:  # standard input ended while a person was asked
            if isinstance(error.__cause__, KeyboardInterrupt):  # a second one
                raise error.__cause__ from None
            if isinstance(error.__cause__, EOFError):  # it says so of any, such as one of a module that is cut off
                raise error.__cause__ from None
            raise UsageError("nobody answered", nothing_changed=True) from None
        except _Wrong as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()
                raise SystemExit(error.exit_code) from None
            raise UsageError(told(error), nothing_changed=True) from None
        if standalone_mode:
            raise SystemExit(code if isinstance(code, int) else 0)
        return code

    def invoke(self, ctx: Any) -> Any:
        """As in click, which would handle Ctrl-C itself: it is for `guarded`, who says and seals what was begun."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _Cut(error) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As in typer.

        Raises:
            UsageError: the command does not exist.
        """
        try:
            found = super().resolve_command(ctx, args)
        except _Wrong:
            _unknown(ctx, args[0], "command", list(self.commands))
        if found[1] is not None:
            _nothing_empty(ctx, found[1], found[2])
            _nothing_twice(ctx, found[1], found[2])
        return found


def takes_path(param: Any) -> bool:
    """Whether a parameter of a command is a file or a folder; older versions of typer have click's type of it."""
    kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    return kind in (Path, list[Path]) or getattr(getattr(param, "type", None), "name", "") in ("path", "file")


def takes_text(param: Any) -> bool:
    """Whether a parameter of a command is a text of a person's."""
    kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    return kind in (str, list[str]) or getattr(getattr(param, "type", None), "name", "") == "text"


def _nothing_empty(ctx: Any, command: Any, args: list[str]) -> None:
    """Refuses an option whose value is an empty text, as an unset variable of a shell leaves it: a path of it is the
    working folder, and a demand, such as the environment that a verdict must be about, was none.
    """
    takes = [one for one in command.params if takes_path(one) or takes_text(one)]
    expects = {name: "a file or a folder" if takes_path(one) else "a value" for one in takes for name in one.opts}
    for before, word in zip(["", *args], args, strict=False):
        name = before if before in expects and not word.strip() else word.removesuffix("=")
        if name in expects and (name is before or word.endswith("=")):
            raise UsageError(
                f"{name} is empty: expects {expects[name]}; see `{ctx.command_path} {command.name} --help`",
                nothing_changed=True,
            )


def _nothing_twice(ctx: Any, command: Any, args: list[str]) -> None:
    """Refuses an option of one value that is said with two: typer would take the last without a word."""
    all_of = copy.copy(command)
    all_of.params = [_repeated(one) for one in command.params]
    try:
        said = all_of.make_parser(type(ctx)(all_of, info_name=command.name, parent=ctx)).parse_args(list(args))[0]
    except _Wrong:  # typer says it
        return
    for param in command.params:
        if not _takes_one(param) or not (given := said.get(param.name)):
            continue
        if param.is_flag and len(set(given)) > 1:
            what = f"{param.opts[0]} and {param.secondary_opts[0]} contradict each other; say one of them"
        elif not param.is_flag and len({_meant(param, one) for one in given}) > 1:
            shown = " and ".join(f"'{_shown(one)}'" for one in dict.fromkeys(given))
            what = f"{'/'.join(param.opts)} is said with {shown}; say it once"
        else:
            continue
        raise UsageError(f"{what}; see `{ctx.command_path} {command.name} --help`", nothing_changed=True)


def _takes_one(param: Any) -> bool:
    plain = param.nargs == 1 and not param.multiple and not getattr(param, "count", False)
    return bool(param.param_type_name == "option" and plain)


def _repeated(param: Any) -> Any:
    """A copy of an option of one value that keeps all that is said."""
    if _takes_one(param):
        param = copy.copy(param)
        param.multiple = True
    return param


def _meant(param: Any, value: str) -> str:
    """`value`, or the one file that `prod` and `params/prod.yaml` are."""
    if "--params" in param.opts:
        with contextlib.suppress(UsageError, OSError):
            return str(params_file(value))
    return value


def _unknown(ctx: Any, name: str, what: str, known: list[str]) -> NoReturn:
    near = close(name, known)
    raise UsageError(f"`{ctx.command_path}` has no {what} '{name}'{f'; {near}' if near else ''}{_help(ctx)}")


def _help(ctx: Any) -> str:
    return f"; see `{ctx.command_path} --help`" if ctx is not None else ""


def told(error: Any) -> str:
    """The sentence for an error of typer's."""
    ctx, param = getattr(error, "ctx", None), getattr(error, "param", None)
    if hasattr(error, "possibilities"):
        known = [name for one in ctx.command.get_params(ctx) for name in one.opts] if ctx else error.possibilities
        near = close(error.option_name, known or [])
        return f"there is no option '{error.option_name}'{f'; {near}' if near else ''}{_help(ctx)}"
    if param is None:
        return f"{_bare(error.format_message())}{_help(ctx)}"
    name = param.opts[0] if param.param_type_name == "option" else f"'{param.name}'"
    if hasattr(error, "param_type"):
        return f"{name} is missing{f' ({_bare(param.help)})' if param.help else ''}{_help(ctx)}"
    return f"{name} {_value(error)}{_help(ctx)}"


def _value(error: Any) -> str:
    """`is 'abc': expects a number`: from pydantic's own error if there is one."""
    found: list[Any] = getattr(error.__cause__, "errors", list)()
    if not found:
        return f"cannot be used: {_bare(error.message)}"
    one = found[0]
    shown = _shown(one["input"])
    expected = _EXPECTED.get(one["type"], "").format(**one.get("ctx", {}))
    return f"is '{shown}': {f'expects {expected}' if expected else _bare(one['msg'])}"


def _shown(value: object) -> str:
    text = redact_text(str(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _bare(text: str) -> str:
    """Another program's text as part of a sentence."""
    line = " ".join(redact_text(text).split()).rstrip(".")
    return line[:1].lower() + line[1:]
