"""A wrong command line is one sentence with the name and the value, for every option of every command."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest
import typer

from runbook_lib.base.errors import NOTHING, Exit, UsageError
from runbook_lib.cli.app import app, main
from runbook_lib.cli.ending import ending
from runbook_lib.cli.misuse import Group, takes_path, takes_text

ROOT: Any = typer.main.get_command(app)


def commands(group: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command, and every group of commands, by the words that call it."""
    yield path, group
    for name, below in getattr(group, "commands", {}).items():
        yield from commands(below, (*path, name))


ALL = dict(commands())


def refused(*words: str) -> str:
    """The one line that a wrong command line ends with."""
    shown = io.StringIO()
    with redirect_stdout(shown), redirect_stderr(shown), pytest.raises(UsageError) as error:
        ROOT.main(args=list(words), prog_name="runbook")
    assert not shown.getvalue(), "the sentence is all that is shown"
    told, code = ending(error.value)
    assert code == Exit.USAGE and len(told.splitlines()) == 1 and told.endswith(NOTHING)
    return told


@pytest.mark.slow
@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_of_every_command_names_itself_and_what_is_wrong(path: tuple[str, ...]) -> None:
    command, numbers = ALL[path], 0
    for param in command.params:
        option = param.param_type_name == "option"
        name = param.opts[0] if option else f"'{param.name}'"
        if not option or param.is_flag:
            if option:
                assert param.opts[0] in refused(*path, f"{param.opts[0]}=3")
        else:
            assert param.opts[-1] in refused(*path, param.opts[-1])
        kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
        if kind in (int, float):
            numbers += 1
            expected = "a whole number" if kind is int else "a number"
            for text in ("abc", "1,5", "", "x" * 500):
                told = refused(*path, f"{name}={text}") if option else refused(*path, text)
                assert told.startswith(f"runbook: {name} is '{text[:80]}") and f"expects {expected}" in told
            if kind is int:
                assert "is '1.5': expects a whole number" in refused(*path, *((name, "1.5") if option else ("1.5",)))
    assert "'--bogus'" in refused(*path, "--bogus")
    if path and not hasattr(command, "commands") and any(param.required for param in command.params):
        assert " is missing" in refused(*path)


def test_the_numbers_of_the_commands_are_seen() -> None:
    kinds = [getattr(getattr(p, "type_descriptor", None), "annotation", None) for c in ALL.values() for p in c.params]
    assert {int, float} <= set(kinds) and sum(kind in (int, float) for kind in kinds) > 10


def test_every_group_answers_so_and_names_the_nearest() -> None:
    groups = {path: one for path, one in ALL.items() if hasattr(one, "commands")}
    assert all(isinstance(one, Group) for one in groups.values()) and len(groups) > 4
    for path, group in groups.items():
        first = next(iter(group.commands))
        assert f"did you mean '{first}'?" in refused(*path, f"{first}x")
        assert "has no command 'zzzz'" in refused(*path, "zzzz")
    assert "did you mean '--interval'?" in refused("watch", "06", "--intervall", "3")


def test_a_number_out_of_bounds_says_the_bound() -> None:
    assert "--interval is '1': expects at least 5" in refused("status", "--interval", "1")


def test_a_group_alone_shows_its_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["runbook", "archive"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == Exit.USAGE
    assert "Usage:" in "".join(capsys.readouterr())


TEXTS = [
    (path, name)
    for path, command in ALL.items()
    for param in command.params
    if param.param_type_name == "option" and (takes_path(param) or takes_text(param))
    for name in param.opts
]


@pytest.mark.parametrize(("path", "name"), TEXTS, ids=str)
def test_an_empty_text_is_refused_and_neither_the_working_folder_nor_no_demand(
    path: tuple[str, ...], name: str
) -> None:
    """`verify --env "$TARGET"` with an unset variable took the verdict of any environment, and ended with 0."""
    assert len(TEXTS) > 60 and (("verify",), "--env") in TEXTS
    for given in ([name, ""], [name, " "], *([[f"{name}="]] if name.startswith("--") else [])):
        assert f"{name} is empty: expects" in refused(*path, *given)


ONCE = [
    (path, param)
    for path, command in ALL.items()
    for param in command.params
    if param.param_type_name == "option" and not param.multiple and not getattr(param, "count", False)
]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "param"), ONCE, ids=lambda one: " ".join(one) if type(one) is tuple else one.name)
def test_an_option_that_takes_one_value_is_not_said_with_two(path: tuple[str, ...], param: Any) -> None:
    """`--env dev ... --env prod` took the last without a word."""
    if param.is_flag:
        for no in param.secondary_opts:
            assert f"{param.opts[0]} and {no} contradict each other" in refused(*path, no, param.opts[0])
        return
    for first, second in itertools.product(param.opts, repeat=2):
        told = refused(*path, first, "7", second, "8")
        assert param.opts[0] in told and "is said with '7' and '8'; say it once" in told
        assert "is said with" not in refused(*path, first, "7", second, "7", "--bogus")


def test_what_takes_one_value_is_seen() -> None:
    assert len(ONCE) > 100 and {(("run",), "params"), (("watch",), "interval")} <= {
        (path, one.name) for path, one in ONCE
    }


def test_one_parameter_has_one_value() -> None:
    twice = ("--set", "attempt=1", "--set", "attempt=2")
    for path in (("run", "03"), ("status",), ("rollback", "1", "--apply"), ("cost",), ("policies",), ("dlq", "list")):
        assert "--set attempt is said with '1' and '2'; say it once" in refused(*path, "--env", "x.yaml", *twice)


@pytest.mark.parametrize("path", [("archive", "prune"), ("lab",), ("watch",), ("plan-steps",)])
def test_a_paragraph_of_help_fills_its_lines(path: tuple[str, ...]) -> None:
    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    assert all("\n" not in part for part in command.help.split("\n\n")) and "Example:" in command.help
