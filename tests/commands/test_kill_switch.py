"""Async off before anything heavy is loaded: the same calls as a bare script, and no pydantic, no pandas, no typer."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from botocore.client import BaseClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runbook_lib.act.guard import Guard
from runbook_lib.act.traffic import off as traffic_off
from runbook_lib.act.traffic.switch import Turned
from runbook_lib.base.aws import Identity
from runbook_lib.base.errors import AwsError, Refused, RunbookError, UsageError
from runbook_lib.base.typed import TYPES
from runbook_lib.cli import entry
from runbook_lib.cli.options import placed
from runbook_lib.commands import kill_switch
from runbook_lib.commands.kill_switch import parse
from runbook_lib.params.essentials import DEFAULTS, essentials
from runbook_lib.params.load import Flat, load_file, read_yaml
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import deploy
from tests.benchmarks import bench_rollback as bench

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("pydantic", "pandas", "numpy", "scipy", "matplotlib", "typer", "rich", "papermill", "jinja2", "IPython")
ENVIRONMENTS = ("dev", "staging", "prod")


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as embedded, only(embedded.env):
        deploy(embedded, rehearsed())
        yield embedded


def rehearsed() -> Any:
    return load_file(ROOT / "params" / "prod.yaml", read_yaml(ROOT / "params" / "rehearsal.yaml"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "service.yaml").write_text((ROOT / "params" / "service.yaml").read_text())
    flat = {**read_yaml(ROOT / "params" / "prod.yaml"), **read_yaml(ROOT / "params" / "rehearsal.yaml")}
    path = tmp_path / "params" / "prod.yaml"
    path.write_text(yaml.safe_dump({**flat, "archive": str(tmp_path / "archive")}))
    return path


@pytest.mark.emulator
def test_it_makes_the_calls_of_a_bare_script_and_no_other(
    aws: EmbeddedAws, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real = BaseClient._make_api_call

    def noted(self: Any, operation: str, arguments: Any) -> Any:
        calls.append(operation)
        return real(self, operation, arguments)

    bench.switch_on(aws, rehearsed())
    monkeypatch.setattr(BaseClient, "_make_api_call", noted)
    done = kill_switch.off(kill_switch.Wanted("1", file, {"mode": "apply", "confirm": "prod"}))
    assert done.off is not None and done.off.changed
    ours, calls = calls, []
    bench.switch_on(aws, rehearsed())
    calls.clear()
    exec(bench.BARE, {})
    assert sorted(ours) == sorted(calls)
    assert "StartDeployment" in ours


@pytest.mark.emulator
def test_nothing_heavy_is_loaded_before_the_effect(aws: EmbeddedAws, file: Path) -> None:
    bench.switch_on(aws, rehearsed())
    code = f"""
import sys
from pathlib import Path
sys.argv = ["runbook", "rollback", "1", "--params", {str(file)!r}, "--apply", "--confirm", "prod", "--json"]
import runbook_lib.cli.entry
from runbook_lib.commands import kill_switch
effect = kill_switch.off(kill_switch.parse(sys.argv[1:]))
print(effect.off.changed, sorted({set(HEAVY)!r} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **aws.env}
    )
    assert done.stdout.strip() == "True []"


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_essentials_are_what_the_whole_parameters_say(env: str) -> None:
    file = ROOT / "params" / f"{env}.yaml"
    few, whole = essentials(file, {"confirm": env}), load_file(file, {"confirm": env})
    for name in ("env", "account_id", "region", "release", *DEFAULTS):
        assert getattr(few, name) == getattr(whole, name), name
    kept = vars(few.service.traffic)
    assert kept == whole.service.traffic.model_dump()
    assert few.policy.as_of_tolerance_s == whole.policy.as_of_tolerance_s


def test_what_is_a_number_is_told_apart_as_the_parameters_do() -> None:
    types = {name: one.annotation for name, one in Flat.model_fields.items() if one.annotation in TYPES}
    assert types == kill_switch._TYPES
    wanted = parse([*BASE, *(f"--set={one}" for one in ("attempt=2", "time_scale=0.5", "redact_emails=Yes"))])
    assert wanted is not None
    assert [wanted.values[name] for name in ("attempt", "time_scale", "redact_emails")] == [2, 0.5, True]


def test_the_defaults_are_those_of_the_parameters() -> None:
    assert {name: Flat.model_fields[name].default for name in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"env": "qa"}, "--set env=qa: "),
        ({"account_id": 103}, "--set account_id=103.*leading zeros"),
        ({"release": ""}, "--set release=, "),
        ({"region": None}, "--set region=None, "),
    ],
)
def test_what_is_needed_is_checked(file: Path, values: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        essentials(file, values)


def test_a_mistake_elsewhere_is_no_reason_to_wait(file: Path) -> None:
    flat = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**flat, "time_scale": "quick", "unknown": 1}))
    assert essentials(file, {}).env == "prod"


@pytest.mark.parametrize(
    ("change", "says"),
    [({"traffic": None}, "'traffic' is missing"), ({"traffic": {"kind": "appconfig"}}, "'application' is missing")],
)
def test_a_service_without_flags_is_a_sentence(file: Path, change: dict[str, Any], says: str) -> None:
    service = file.parent / "service.yaml"
    service.write_text(yaml.safe_dump({**yaml.safe_load(service.read_text()), **change}))
    with pytest.raises(UsageError, match=says):
        essentials(file, {})


def test_another_home_of_the_weight_is_said(file: Path) -> None:
    service = file.parent / "service.yaml"
    loaded = yaml.safe_load(service.read_text())
    loaded["traffic"]["kind"] = "etcd"
    service.write_text(yaml.safe_dump(loaded))
    with pytest.raises(UsageError, match="expects one of 'appconfig', 'ssm', 'lambda-alias', 'rest-canary'"):
        essentials(file, {})


BASE = ["rollback", "1", "--env", "prod", "--apply", "--confirm", "prod"]


def test_the_command_line_is_read_without_typer() -> None:
    wanted = parse([*BASE, "--reason", "failing", "--set", "release=r2", "--set=archive=a", "--json", "--no-notebook"])
    assert wanted is not None
    assert wanted.values == {"release": "r2", "archive": "a", "mode": "apply", "confirm": "prod", "reason": "failing"}
    assert (wanted.file.name, wanted.json, wanted.notebook) == ("prod.yaml", True, False)
    assert parse(["rollback", "1", "-f", "x.yaml", "--apply", "--confirm=prod"]).file == Path("x.yaml")  # type: ignore[union-attr]


@pytest.mark.parametrize("option", ["--params", "--env", "-f"])
@pytest.mark.parametrize("value", ["prod", "params/prod.yaml", str(ROOT / "params" / "prod.yaml")])
def test_there_is_one_way_to_say_which_parameters(option: str, value: str) -> None:
    wanted = parse(["rollback", "1", option, value, "--apply", "--confirm", "prod"])
    assert wanted is not None
    assert wanted.file.resolve() == ROOT / "params" / "prod.yaml"
    assert placed(Path(value)) == wanted.file


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["run", "06"],
        ["rollback", "2", *BASE[2:]],
        ["rollback", "1", "--env", "prod"],  # a plan
        [*BASE, "--param", "x.yaml"],
        [*BASE, "--notebook"],
        [*BASE, "--help"],
        [*BASE, "--reason"],
        [*BASE, "--json=yes"],
        [*BASE, "--set", "attempt=two"],
        [*BASE, "--set", "attempt"],
        ["rollback", "1", "--apply"],
    ],
)
def test_everything_else_is_left_to_the_command_line_proper(words: list[str]) -> None:
    assert parse(words) is None


@pytest.mark.parametrize("more", [["--confirm", "dev"], ["--env", "y.yaml"], ["--set=attempt=1", "--set=attempt=2"]])
def test_two_values_of_one_option_are_left_to_typer_which_refuses_them(more: list[str]) -> None:
    words = ["rollback", "1", "--params", "x.yaml", "--apply", "--confirm", "prod"]
    assert parse([*words, *words[2:4], *words[5:]]) == parse(words)
    assert parse([*words, *more]) is None


@pytest.mark.parametrize("written", [True, -1, 1.5, ["a"], {"a": 1}, None, ""])
def test_an_archive_that_is_no_text_makes_no_folder_of_its_name(tmp_path: Path, written: object) -> None:
    params: Any = SimpleNamespace(folder=tmp_path / "params", archive=written)
    assert kill_switch._root(params).name == "archive"


@pytest.mark.emulator
def test_an_archive_that_cannot_be_written_is_one_in_the_temporary_folder(aws: EmbeddedAws, file: Path) -> None:
    (file.parents[1] / "archive").write_text("a file where the folder should be")
    bench.switch_on(aws, rehearsed())
    done = kill_switch.off(kill_switch.Wanted("1", file, {"mode": "apply", "confirm": "prod"}))
    assert done.off is not None and done.off.changed
    assert "runbook-archive-" in done.trouble and done.staging.is_dir()
    events = [json.loads(line) for line in (done.staging / "journal.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == [
        "opened",
        "caller",
        "incident",
        "warning",
        "intent",
        "outcome",
        "incident",
    ]


class Answering:
    """An AWS that says who we are, at once."""

    endpoint = None

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def identity(self, **_: Any) -> Identity:
        return Identity(rehearsed().account_id, "arn:aws:iam::000000000000:root", dt.datetime.now(dt.UTC))

    def client(self, _: str) -> None:
        return None


class Authorising:
    """A switch that asks the guard, as the real one does, and then is off."""

    def __init__(self, guard: Guard, *_: object) -> None:
        self.guard = guard

    def off(self, _: str, __: object = None) -> Turned:
        self.guard.authorise(raises=False)
        return Turned(True, "off", 1)


NEEDED = {"env", "account_id", "region", "release"}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes() | st.binary(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text() | st.integers(), inner, max_size=2),
    max_leaves=3,
)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    odd=st.dictionaries(st.sampled_from(sorted(Flat.model_fields.keys() - NEEDED - {"mode", "confirm"})), VALUES),
    more=st.dictionaries(
        st.text(max_size=5) | st.integers() | st.booleans() | st.none() | st.dates(), VALUES, max_size=2
    ),
    gates=st.sampled_from(
        ["as_of_tolerance_s: 600", "as_of_tolerance_s: [", "x: 1", "as_of_tolerance_s: []", "", None]
    ),
)
@example(odd={"archive": "$HOME/x"}, more={}, gates=None)
@example(odd={"archive": "~nobody-of-that-name/x"}, more={}, gates=None)
@example(odd={"archive": "a\0b"}, more={}, gates=None)
@example(odd={"as_of": "yesterday"}, more={}, gates=None)
@example(odd={"as_of": "2026-11-23T03:00:00"}, more={}, gates=None)
@example(odd={"as_of": "2026-11-23T03:00:00Z"}, more={}, gates="as_of_tolerance_s: [")
@example(odd={"as_of": 20261123}, more={}, gates=None)
@example(odd={"operator": 7, "reason": ["a"]}, more={1: 2}, gates=None)
def test_nothing_but_account_confirmation_and_names_holds_it_up(
    file: Path, monkeypatch: pytest.MonkeyPatch, odd: dict[str, Any], more: dict[Any, Any], gates: str | None
) -> None:
    monkeypatch.setattr(kill_switch, "Aws", Answering)
    monkeypatch.setattr(traffic_off, "Switch", Authorising)
    monkeypatch.setattr(traffic_off, "FlagStore", lambda *_: None)
    monkeypatch.setattr("tempfile.tempdir", str(file.parent))
    monkeypatch.chdir(file.parents[1])
    flat = {key: value for key, value in read_yaml(ROOT / "params" / "rehearsal.yaml").items() if key in NEEDED}
    flat = {**read_yaml(ROOT / "params" / "prod.yaml"), **flat, **more, **odd}
    file.write_text(yaml.safe_dump({**flat, "env": "prod"}, allow_unicode=True))
    (file.parent / "gates.yaml").unlink(missing_ok=True)
    if gates is not None:
        (file.parent / "gates.yaml").write_text(gates)
    done = kill_switch.off(kill_switch.Wanted("1", file, {"mode": "apply", "confirm": "prod"}))
    assert done.error is None and done.off is not None
    assert (done.staging / "journal.jsonl").is_file()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            AwsError("asking AWS who we are: the credentials are expired; sign in again"),
            "; nothing was changed: async is as it was",
        ),
        (
            UsageError("confirm is '', expects 'prod'", nothing_changed=True),
            "expects 'prod'; nothing was changed: async is as it was\n",
        ),
        (UsageError("prod.yaml: no such file"), "no such file; nothing was changed: async is as it was\n"),
        (Refused("the intent cannot be recorded"), "recorded; nothing was changed: async is as it was\n"),
    ],
)
def test_where_nothing_could_be_done_it_says_so(
    error: RunbookError, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def off(wanted: Any) -> Any:
        raise error

    monkeypatch.setattr(kill_switch, "off", off)
    monkeypatch.setattr(sys, "argv", ["runbook", *BASE])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    told = capsys.readouterr()
    assert says in told.err and told.err.count("nothing was changed") == 1
    assert (told.out, ended.value.code) == ("", int(error.exit_code))


MISTAKES = {
    "service.yaml": [
        ("workers: 7\nworkers: 7\n", ""),
        ("prices_of: 1\nprices_of: 2\n", ""),
        ("api: 5\n", ""),
        ("when: 2026-99-99\n", ""),
        ("open: [1, 2\n", ""),
        ("traffic: {client_poll_s: 61}\n", ""),
        ("traffic: {flag: another}\n", "'flag' appears twice: 'vpr_async' .*'another'"),
        ("traffic: 5\n", "'traffic' appears twice"),
        ("traffic: {kind: ssm}\n", "'kind' appears twice: 'appconfig'"),
    ],
    "prod.yaml": [
        ("workers: 7\nworkers: 8\n", ""),
        ("attempt: 3\nattempt: 3\n", ""),
        ("operator: a\noperator: b\n", ""),
        ("region: mars-north-1\n", "'region' appears twice: .*'mars-north-1'"),
        ("account_id: '000000000001'\n", "'account_id' appears twice"),
    ],
}


@pytest.mark.parametrize(("name", "more", "says"), [(name, *one) for name, some in MISTAKES.items() for one in some])
def test_a_mistake_in_what_the_switch_does_not_need_stops_nothing(file: Path, name: str, more: str, says: str) -> None:
    """`workers: 7` twice left async on."""
    place = file.with_name(name)
    before = essentials(file, {})
    place.write_text(place.read_text() + more)
    if says:
        with pytest.raises(UsageError, match=says):
            essentials(file, {})
        return
    after = essentials(file, {})
    assert {**vars(after.service.traffic), "client_poll_s": 60} == {**vars(before.service.traffic), "client_poll_s": 60}
    assert (after.region, after.account_id, after.env) == (before.region, before.account_id, before.env)


def unreadable(file: Path) -> None:
    file.with_name("service.yaml").write_text("traffic: [")


def nothing_to_read(file: Path) -> None:
    file.unlink()


def no_region(file: Path) -> None:
    file.write_text(re.sub(r"^region:.*$", "region: x", file.read_text(), flags=re.M))


def no_network(_: Path) -> None:
    """As it is: the endpoint in the test answers nobody."""


@pytest.mark.parametrize("broken", [unreadable, nothing_to_read, no_region, no_network])
def test_what_cannot_run_says_how_to_do_it_by_hand(
    file: Path, monkeypatch: pytest.MonkeyPatch, broken: Callable[[Path], None]
) -> None:
    """docs/incident.md promises it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    broken(file)
    with pytest.raises(RunbookError, match=r"by hand: deploy the off version .*aws appconfig start-deployment "):
        kill_switch.off(kill_switch.Wanted("1", file, {"mode": "apply", "confirm": "prod"}))


@pytest.mark.parametrize("known_by", ["service.yaml", "the archive", "nothing", "a comment"])
@pytest.mark.parametrize("given", ["--env prod", "--params params/prod.yaml"])
def test_a_lost_file_of_a_known_environment_leaves_its_names(
    file: Path, monkeypatch: pytest.MonkeyPatch, known_by: str, given: str
) -> None:
    """It said "there are dev, staging", and no command; by its path, another environment's names."""
    monkeypatch.chdir(file.parents[1])
    file.rename(file.with_name("dev.yaml"))
    file.with_name("dev.yaml").write_text("env: dev\n")
    service = file.with_name("service.yaml")
    service.write_text(re.sub(r"^  stage: .*$", "", service.read_text(), flags=re.M).replace("prod:", "other:"))
    if known_by == "service.yaml":
        service.write_text(service.read_text() + "own: prod\n")
    if known_by == "a comment":
        service.write_text(service.read_text() + "# not yet: prod\n")
    if known_by == "the archive":
        (file.parents[1] / "archive" / "env=prod").mkdir(parents=True)
    known = known_by in ("service.yaml", "the archive")
    wanted = parse(["rollback", "1", *given.split(), "--apply", "--confirm", "dev"])
    assert (wanted is not None) == (known or "--params" in given)
    if wanted is not None:
        with pytest.raises(UsageError, match=r"prod\.yaml: no such file; by hand: ") as told:
            kill_switch.off(wanted)
        assert ("'prod-switch'" in str(told.value)) is known


@pytest.mark.parametrize(("kind", "says"), [("ssm", "aws ssm put-parameter"), ("nothing", "aws appconfig")])
def test_each_home_has_its_own(file: Path, kind: str, says: str) -> None:
    file.with_name("service.yaml").write_text(f"traffic: {{kind: {kind}, parameter: /x, parameter: /x, more: [}}\n")
    assert "by hand: " in kill_switch.by_hand(kill_switch.Wanted("1", file, {}))
    file.with_name("service.yaml").write_text(f"traffic: {{kind: {kind}, parameter: /x}}\n")
    assert says in kill_switch.by_hand(kill_switch.Wanted("1", file, {}))


@given(
    env=st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["", "-", "PROD", "a b", "prod"])),
    confirm=st.sampled_from(["", "prod", 7, None]),
    region=st.one_of(st.none(), st.just("eu-west-1"), st.integers()),
)
def test_the_way_by_hand_names_nothing_that_is_not_there(env: object, confirm: object, region: object) -> None:
    """Half a name, of a file that did not say its environment; the command line had said it twice."""
    values = {"env": env, "confirm": confirm, "region": region}
    told = kill_switch.by_hand(kill_switch.Wanted("1", ROOT / "params" / "nothing.yaml", values))
    named = "prod" if "prod" in (env, confirm) else "(the environment)"
    assert f"-rollout-{named}'" in told and f"'{named}-switch'" in told
    assert f"--region {region if isinstance(region, str) else '(the region)'} " in told
