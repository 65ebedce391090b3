"""Configured commands: what is run, what is kept of it, and every way in which one does not come to an end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runbook_lib.act import command as room
from runbook_lib.act.command import TAIL, Command, Commands, Ran, command_check, printed, run_command
from runbook_lib.base.errors import UsageError
from runbook_lib.base.redact import MASK
from runbook_lib.judge.terms import Verdict
from runbook_lib.params.load import load_file, params_dir, read_yaml, validated
from tests.project import own_project

VALUES = {"env": "prod", "step": "migrate"}
REQUIRED_CHECKS = (
    "tests.unit",
    "tests.integration",
    "coverage",
    "lint",
    "types",
    "naming",
    "aws_state",
    "staging.tests",
)


def _command(run: str, **more: Any) -> Command:
    return Command(id="tests.unit", title="Unit tests", run=run, **{"timeout_s": 20, **more})


def _python(code: str, **more: Any) -> Command:
    return _command(f'python -c "{code}"', **more)


def _run(command: Command, root: Path, **more: Any) -> Ran:
    return run_command(command, root=root, values=VALUES, **more)


def test_exit_status_duration_and_tail_are_kept(tmp_path: Path) -> None:
    ran = _run(_python("print('one'); print('two'); raise SystemExit(3)"), tmp_path)
    assert (ran.code, ran.ok, ran.tail) == (3, False, ("one", "two"))
    assert 0 < ran.seconds < 20
    assert ran.said.startswith("exit status 3 after ")
    assert ran.said.endswith(": two")
    assert ran.line == "python -c 'print('\"'\"'one'\"'\"'); print('\"'\"'two'\"'\"'); raise SystemExit(3)'"
    facts = ran.facts()
    assert (facts["exit"], facts["tail"], facts["command"]) == (3, ["one", "two"], ran.line)


def test_a_signal_that_comes_as_it_begins_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its beginning and the line that ends it: it went on, and nobody looked."""
    real, begun = subprocess.Popen, list[Any]()

    def then_interrupted(*words: Any, **given: Any) -> Any:
        begun.append(real(*words, **given))
        signal.raise_signal(signal.SIGINT)
        return begun[0]

    monkeypatch.setattr(subprocess, "Popen", then_interrupted)
    with pytest.raises(KeyboardInterrupt):
        _run(_python("import time; time.sleep(30)"), tmp_path)
    assert begun[0].wait(10) < 0


def test_python_is_this_python_and_the_values_are_put_in(tmp_path: Path) -> None:
    ran = _run(_command('python -c "import sys; print(sys.executable, sys.argv[1:])" {env} --step={step}'), tmp_path)
    assert ran.tail == (f"{sys.executable} ['prod', '--step=migrate']",)


def test_no_shell_reads_a_value(tmp_path: Path) -> None:
    """A value with a command in it stays one word."""
    command = _command('python -c "import sys; print(sys.argv[1:])" {release}')
    ran = run_command(command, root=tmp_path, values={"release": "x; touch broken && $(touch too) 'quoted"})
    assert ran.tail == ("""["x; touch broken && $(touch too) 'quoted"]""",)
    assert list(tmp_path.iterdir()) == []


def test_only_the_end_is_kept_and_every_line_is_told_as_it_comes(tmp_path: Path) -> None:
    told: list[str] = []
    ran = _run(_python(f"[print(i) for i in range({TAIL + 10})]"), tmp_path, out=told.append)
    assert ran.tail == tuple(str(i) for i in range(10, TAIL + 10))
    assert told == [str(i) for i in range(TAIL + 10)]


def test_lines_come_while_it_runs(tmp_path: Path) -> None:
    """A child that does not flush is heard all the same."""
    when: list[float] = []
    ran = _run(
        _python("import time; print('first'); time.sleep(0.6); print('last')"),
        tmp_path,
        out=lambda _: when.append(time.monotonic()),
    )
    assert ran.ok
    assert when[1] - when[0] > 0.4


def test_both_streams_are_read_without_colours(tmp_path: Path) -> None:
    code = "import sys; print(chr(27)+'[31mred'+chr(27)+'[0m', file=sys.stderr); print('plain')"
    assert sorted(_run(_python(code), tmp_path).tail) == ["plain", "red"]


def test_what_is_not_text_is_no_reason_to_fail(tmp_path: Path) -> None:
    ran = _run(_python(r"import sys; sys.stdout.buffer.write(b'\xff\xfe ok')"), tmp_path)
    assert ran.ok
    assert ran.tail[0].endswith(" ok")


def test_secrets_are_neither_kept_nor_shown(tmp_path: Path) -> None:
    begin, end = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
    code = "import os; [print(x) for x in os.environ['SAID'].split('|')]"
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAID", f"before|password=hunter2hunter2|{begin}|c2VjcmV0LWJvZHk|{end}|after")
        ran = _run(_python(code), tmp_path, out=told.append)
    assert ran.ok
    assert tuple(told) == ran.tail
    assert (ran.tail[0], ran.tail[-1]) == ("before", "after")
    everything = "\n".join(ran.tail)
    assert "hunter2" not in everything
    assert "c2VjcmV0" not in everything
    assert everything.count(MASK) >= 4


def _ended(pid: int) -> bool:
    """Gone, or dead and not yet collected by whoever inherited it."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        said = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
        if said.strip()[:1] in ("", "Z"):
            return True
        time.sleep(0.05)
    return False


def test_a_timeout_ends_it_with_everything_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `uv run` does, the command leaves a child that keeps the pipe open."""
    monkeypatch.setattr(room, "GRACE_S", 0.2)
    child = "import subprocess,sys,time; p=subprocess.Popen(['sleep','60']); print(p.pid); time.sleep(60)"
    begun = time.monotonic()
    ran = _run(_python(child, timeout_s=0.8), tmp_path)
    assert time.monotonic() - begun < 10
    assert (ran.code, ran.ok) == (None, False)
    assert ran.problem == "stopped after 0.8 s without an end"
    assert ran.said == ran.problem
    assert _ended(int(ran.tail[0]))


def test_an_interruption_ends_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stops the cell does not leave a deployment behind that nobody watches."""
    monkeypatch.setattr(room, "GRACE_S", 0.2)
    pids: list[int] = []

    def interrupted(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(_python("import os,time; print(os.getpid()); time.sleep(60)"), tmp_path, out=interrupted)
    assert _ended(pids[0])


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (_command("no-such-program --version"), "no-such-program cannot be started: No such file or directory; is it"),
        (_command("python -V", cwd="nowhere"), "the folder nowhere of the command is not there"),
    ],
)
def test_what_cannot_begin_is_one_sentence_and_no_data(tmp_path: Path, command: Command, sentence: str) -> None:
    ran = _run(command, tmp_path)
    assert ran.code is None
    assert ran.problem.startswith(sentence)
    found = command_check(ran)
    assert found.verdict is Verdict.NO_DATA
    assert sentence in found.reason
    assert command.run.split()[0] in found.reason


def test_it_runs_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    ran = _run(_python("import os; print(os.getcwd())", cwd="backend"), tmp_path)
    assert ran.tail == (str(tmp_path / "backend"),)


@pytest.mark.parametrize(("code", "verdict"), [(0, Verdict.PASS), (1, Verdict.FAIL), (None, Verdict.NO_DATA)])
@pytest.mark.parametrize("required", [True, False])
def test_the_check(code: int | None, verdict: Verdict, required: bool) -> None:
    ran = Ran(_command("pytest", required=required), "pytest", code, 1.25, ("1 failed",), "" if code else "stopped")
    found = command_check(ran)
    assert (found.id, found.title, found.verdict, found.required) == ("tests.unit", "Unit tests", verdict, required)
    assert found.facts == {"command": "pytest", "exit": code, "seconds": 1.25, "tail": ["1 failed"]}
    assert ("`pytest`" in found.reason) is (code != 0)


@pytest.mark.parametrize(
    ("code", "tail", "differs"),
    [
        (0, ("There were no differences", "Number of stacks with differences: 0"), False),
        (1, ("[+] a queue", "Number of stacks with differences: 1"), True),
        (1, ("Error: no credentials",), None),  # cdk ends with 1 here, too
        (2, ("Number of stacks with differences: 1",), None),
        (None, ("Number of stacks with differences: 1",), None),
    ],
)
def test_a_diff_differs_only_if_it_says_so(code: int | None, tail: tuple[str, ...], differs: bool | None) -> None:
    diff = _command("cdk diff", differences_exit=1, differences_say="Number of stacks with differences:")
    assert Ran(diff, "cdk diff", code, 1.0, tail).differs is differs


def test_a_diff_that_says_nothing_special_is_told_by_its_status_alone() -> None:
    assert Ran(_command("diff", differences_exit=1), "diff", 1, 1.0, ()).differs is True


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"run": "cdk diff {environment}"}, "'{environment}' is not a placeholder that is known here"),
        ({"run": "cdk diff {}"}, "'{}' is not a placeholder"),
        ({"run": "cdk 'diff"}, "cannot be split into words"),
        ({"run": " "}, "names no program"),
        ({"run": "''"}, "names no program"),
        ({"run": "cdk diff", "timeout_s": 0}, "greater than 0"),
        ({"run": "cdk diff", "retries": 3}, "Extra inputs"),
    ],
)
def test_a_wrong_command_is_refused_when_it_is_read(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Command(id="a", title="a", **wrong)


@pytest.mark.parametrize("file", ["commands", "rehearsal-commands"])
def test_the_configured_commands(file: str) -> None:
    """Both files know the same ids in the same notebooks; none changes the code that it checks."""
    commands = validated(Commands, read_yaml(params_dir() / f"{file}.yaml"), file)
    assert tuple(one.id for one in commands.checks) == REQUIRED_CHECKS
    assert {one.notebook for one in commands.checks} == {"01_preflight", "05_staging"}
    assert [one.id for one in commands.of("05_staging")] == ["staging.tests"]
    assert (commands.diff.id, commands.deploy.id) == ("infra.diff", "infra.deploy")
    assert commands.verify is not None
    assert commands.verify.id == "infra.verify"
    for one in (*commands.checks, commands.diff, commands.deploy, commands.verify):
        assert "--fix" not in one.argv(VALUES), "a check must not change what it checks"
    for one in (commands.diff, commands.deploy):
        assert any("prod" in word for word in one.argv(VALUES))
        assert any("migrate" in word for word in one.argv(VALUES))
    assert commands.named("lint").title == "Lint"
    with pytest.raises(UsageError, match=r"no check 'spelling'; there are: tests\.unit"):
        commands.named("spelling")


def test_the_teams_commands_are_those_of_the_requirement() -> None:
    commands = validated(Commands, read_yaml(params_dir() / "commands.yaml"), "commands")
    said = {one.id: one.run for one in (*commands.checks, commands.diff, commands.deploy)}
    for id, words in {
        "coverage": "pytest tests/ --cov=careervp --cov-report=term-missing",
        "types": "mypy careervp/ --strict",
        "naming": "validate_naming.py --path . --strict",
        "infra.diff": "cdk diff",
        "infra.deploy": "cdk deploy --all",
    }.items():
        assert words in said[id]


@pytest.mark.slow
def test_params_find_them_by_name() -> None:
    params = load_file(params_dir() / "prod.yaml", read_yaml(params_dir() / "rehearsal.yaml"))
    assert params.commands == "rehearsal-commands"
    assert "rehearse.sandbox.iac" in params.nested(params.commands, Commands).deploy.run


def test_a_command_has_variables_of_its_own(tmp_path: Path) -> None:
    command = _python("import os; print(os.environ['STAGE'], 'PATH' in os.environ)", env={"STAGE": "at {env}"})
    ran = _run(command, tmp_path)
    assert ran.tail == ("at prod True",)
    assert ran.line.startswith("STAGE='at prod' python -c "), "it can be pasted"


def test_a_shell_ends_at_the_first_failure_and_reads_pipes(tmp_path: Path) -> None:
    for shell in ("sh", "bash"):
        assert _run(_command("echo {env} | tr a-z A-Z && echo two", shell=shell), tmp_path).tail == ("PROD", "two")
        assert _run(_command("false; echo never", shell=shell), tmp_path).tail == ()
    assert _run(_command("false | cat", shell="bash"), tmp_path).code == 1


@pytest.mark.parametrize("value", ["x; touch broken", "$(touch broken)", "a b", "'", "`touch broken`", "a\nb", "*"])
def test_a_shell_is_never_given_a_value_that_it_would_take_apart(tmp_path: Path, value: str) -> None:
    ran = run_command(_command("echo {release}", shell="bash"), root=tmp_path, values={"release": value})
    assert ran.code is None and "would take apart" in ran.problem
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("prints", "code", "differs"),
    [
        ("Changeset created successfully. arn", 0, True),
        ("No changes to deploy. Stack jobs is up to date", 0, False),
        ("something else", 0, None),
        ("Changeset created successfully. arn", 1, None),
    ],
)
def test_a_diff_that_ends_alike_is_told_by_its_words(
    tmp_path: Path, prints: str, code: int, differs: bool | None
) -> None:
    says = {"differences_say": "Changeset created successfully", "agrees_say": "No changes to deploy"}
    command = _python(f"print('{prints}'); raise SystemExit({code})", differences_exit=0, **says)
    assert _run(command, tmp_path).differs is differs


def test_a_diff_whose_status_means_both_is_refused() -> None:
    with pytest.raises(ValidationError, match="says that there are differences and that there are none"):
        _command("x", differences_exit=0)
    with pytest.raises(ValidationError, match="environment variable"):
        _command("x", env={"a-b": "c"})
    with pytest.raises(ValidationError, match="nothere"):
        _command("x", env={"A": "{nothere}"})


def test_what_shows_a_diff_is_printed_as_it_is_and_empty_where_it_fails(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"password": "hunter2hunter2"}')
    assert printed(_command("cat plan.json"), tmp_path, VALUES) == '{"password": "hunter2hunter2"}'
    assert printed(_python("print('x'); raise SystemExit(1)"), tmp_path, VALUES) == ""
    assert printed(None, tmp_path, VALUES) == ""
    lasting = (
        "import subprocess, sys; print('whole'); subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(9)'])"
    )
    assert printed(_python(lasting), tmp_path, VALUES) == "whole", "what it leaves behind adds no line"


def test_a_secret_below_its_name_is_neither_kept_nor_shown(tmp_path: Path) -> None:
    """A manifest, a table, a prompt: what tools print has the name on one line and the value on another."""
    value, told = "Zq7vK2" + "mXw9LpR4tB", list[str]()
    said = f"kind: Secret|stringData:|  db: {value}|---|Password:|{value}|---|credentials:|  bob: {value}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAID", said)
        ran = _run(_python("import os; [print(x) for x in os.environ['SAID'].split('|')]"), tmp_path, out=told.append)
    assert ran.ok and len(ran.tail) == len(told) == said.count("|") + 1
    assert value not in "\n".join([*told, *ran.tail, ran.said])
    with pytest.MonkeyPatch.context() as patch:  # the name comes last
        patch.setenv("SAID", f"data:|  db: {value}|kind: Secret")
        ran = _run(_python("import os; [print(x) for x in os.environ['SAID'].split('|')]"), tmp_path)
    assert ran.tail == ("data:", f"  db: {MASK}", "kind: Secret")


def test_a_command_means_the_project_of_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`runbook params check` in a configured command read the kernel's project, and not the one that it stood in."""
    for name in ("RUNBOOK_PROJECT", "RUNBOOK_READER", "RUNBOOK_PARAMS", "RUNBOOK_ORIGIN", "RUNBOOK_RUN_ID"):
        monkeypatch.setenv(name, str(tmp_path / "another"))
    monkeypatch.setenv("RUNBOOK_CALLS", "calls.txt")
    for name in ("own", "another"):
        (tmp_path / name).mkdir()
        own_project(tmp_path / name)
    own = tmp_path / "own" / "params"
    code = (
        "import os; from runbook_lib.base.project import params_dir; print(params_dir(), 'RUNBOOK_CALLS' in os.environ)"
    )
    ran = _run(_python(code), own.parent)
    assert ran.tail == (f"{own} True",)
