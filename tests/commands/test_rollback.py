"""`runbook rollback 1`: async off at once; nothing but the account and the confirmation can hold it up."""

from __future__ import annotations

import json
import os
import queue
import re
import resource
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.httpsession import URLLib3Session

from runbook_lib.act.traffic import off as traffic_off
from runbook_lib.act.traffic.flag_store import FlagStore
from runbook_lib.base import telling
from runbook_lib.base.errors import AwsError, Exit, UsageError
from runbook_lib.cli import entry
from runbook_lib.commands import kill_switch
from runbook_lib.commands.kill_switch import Wanted
from runbook_lib.commands.rollback import NOTEBOOK, RolledBack, _after_the_effect, _verified, after, finish, rollback_1
from runbook_lib.commands.status import rollout_status
from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.alarms import topic_arn
from runbook_lib.params.load import load_file
from runbook_lib.record.archive import Archive
from runbook_lib.record.markdown import markdown
from runbook_lib.record.report import headline
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.play.stage import only
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.run import launch
from tests.e2e import wire
from tests.project import own_project

ROOT = Path(__file__).resolve().parents[2]
APPLY = {"mode": "apply", "confirm": "prod"}


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as embedded, only(embedded.env):
        yield embedded


@pytest.fixture
def file(tmp_path: Path, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own: the real parameters, the rehearsal's overlay, an archive in the temporary folder."""
    path = own_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    deploy(aws, load_file(path))
    switch(aws, path, on=True)
    return path


def state(aws: EmbeddedAws, file: Path) -> traffic.TrafficState:
    return traffic.read_state(aws.client("appconfig"), load_file(file))


def switch(aws: EmbeddedAws, file: Path, *, on: bool) -> None:
    """Turns the switch as the stack made it: version 1 is off, version 2 is on."""
    client = aws.client("appconfig")
    known = traffic.handles(client, load_file(file))
    client.start_deployment(
        ApplicationId=known.application,
        EnvironmentId=known.switch_environment,
        ConfigurationProfileId=known.switch_profile,
        DeploymentStrategyId=known.immediate_strategy,
        ConfigurationVersion="2" if on else "1",
    )


@pytest.mark.emulator
def test_plan_changes_nothing_and_says_what_it_would_do(aws: EmbeddedAws, file: Path) -> None:
    before = state(aws, file)
    done = rollback_1(file, {})
    assert (done.applied, done.record) == (False, None)
    assert "--apply --confirm prod" in done.next
    assert state(aws, file) == before
    assert not (file.parent.parent / "archive").exists()


@pytest.mark.emulator
def test_async_is_off_and_the_record_says_so(aws: EmbeddedAws, file: Path) -> None:
    done = rollback_1(file, {**APPLY, "reason": "drill"})
    assert f": {rollout_status(file).next};" in done.next, "what status proposes, until the notebook has run"
    assert state(aws, file).switch_on is False
    assert "async is off" in done.sentence
    archive = Archive(file.parent.parent / "archive")
    (ref,) = archive.records(notebook=NOTEBOOK)
    archive.verify(ref)
    record = archive.load(ref)
    assert (record.status, record.reason, record.origin) == ("completed", "drill", "command")
    change, told = record.changes
    assert told.intent["what"] == "notify people by the SNS topic"
    assert change.intent["raises"] is False
    assert change.outcome is not None and change.outcome["ok"] is True


def test_while_the_notebook_verifies_it_the_person_who_waits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the sentence of the effect came nothing for a quarter of a minute."""
    told = queue.Queue[str]()
    monkeypatch.setattr(telling, "TELL_AFTER_S", 0.0)
    monkeypatch.setattr(telling, "tellers", [told.put])
    ended = SimpleNamespace(headline="verified", run_id="", next="", folder="", exit_code=0, as_dict=dict)
    monkeypatch.setattr(launch, "launch", lambda *_, **__: told.get(timeout=10) and ended)
    effect, done = SimpleNamespace(trouble="", root=Path("nowhere")), RolledBack(True, None, "async is off", "", None)
    assert _verified(Wanted("1", Path("prod.yaml")), effect, done).headline == "verified"  # type: ignore[arg-type]


@pytest.mark.emulator
def test_a_second_time_does_no_harm_and_says_so(aws: EmbeddedAws, file: Path) -> None:
    rollback_1(file, APPLY)
    number = state(aws, file).switch_deployment
    again = rollback_1(file, APPLY)
    assert "nothing was changed" not in again.sentence, "the notebook of the same command may move the dial"
    assert "the switch stays as it is" in again.sentence
    assert "already" in again.sentence and "no time is measured: the first decision counts" in again.sentence
    archive = Archive(file.parent.parent / "archive")
    first, second = (archive.load(ref).incident for ref in archive.records(notebook=NOTEBOOK))
    assert first is not None and first["key"] and second is None
    assert state(aws, file).switch_deployment == number


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"mode": "apply"}, "confirm is ''"),
        ({"mode": "apply", "confirm": "dev"}, "confirm is 'dev', expects 'prod'"),
        ({**APPLY, "account_id": "000000000999"}, "000000000999"),
    ],
)
def test_only_account_and_confirmation_hold_it_up(
    aws: EmbeddedAws, file: Path, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        rollback_1(file, values)
    assert state(aws, file).switch_on is True


@pytest.mark.emulator
def test_an_archive_that_cannot_be_written_is_no_reason_to_wait(
    aws: EmbeddedAws, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file.parent.parent / "archive").write_text("a file where the folder should be")
    done = rollback_1(file, APPLY)
    assert state(aws, file).switch_on is False
    assert done.record is not None and "runbook-archive-" in done.record


@pytest.mark.emulator
def test_old_evidence_is_no_reason_to_wait(aws: EmbeddedAws, file: Path) -> None:
    rollback_1(file, {**APPLY, "as_of": "2020-01-01T00:00:00Z"})
    assert state(aws, file).switch_on is False


@pytest.mark.emulator
def test_a_misspelt_parameter_is_said_and_takes_neither_the_notebook_nor_the_message_away(
    aws: EmbeddedAws, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = dict[str, Any]()
    (file.parents[1] / "notebooks").symlink_to(ROOT / "notebooks")
    ended = SimpleNamespace(headline="verified", run_id="", next="", folder="", exit_code=0, as_dict=dict)
    monkeypatch.setattr(launch, "launch", lambda _, __, values, **___: given.update(values) or ended)
    wanted = Wanted("1", file, {**APPLY, "atempt": "2", "reason": "drill"})
    done = after(wanted, kill_switch.off(wanted))
    assert state(aws, file).switch_on is False
    assert (done.headline, done.exit_code, given) == ("verified", 0, {**APPLY, "reason": "drill"})
    assert "was told" in done.told
    said = "--set atempt='2': no parameter 'atempt'; did you mean 'attempt'?; the rollback goes on without it"
    assert capsys.readouterr().err.count(said) == 1
    archive = Archive(file.parent.parent / "archive")
    assert said in archive.load(archive.records(notebook=NOTEBOOK)[-1]).warnings


@pytest.mark.slow
@pytest.mark.emulator
@pytest.mark.parametrize(
    ("kind", "most"),
    [(resource.RLIMIT_NOFILE, most) for most in (5, 6, 7, 8, 9)]
    + [(resource.RLIMIT_AS, most << 20) for most in (60, 80, 130)]
    + [(resource.RLIMIT_FSIZE, 0)],
)
def test_whatever_is_scarce_it_is_off_and_who_was_told_is_said(
    aws: EmbeddedAws, file: Path, kind: int, most: int
) -> None:
    """With 8 open files it was off, and then came a traceback, and not a word on whether people know."""
    words = [*["rollback", "1", "--env", "prod", "--apply", "--confirm", "prod", "--no-notebook"]]
    done = subprocess.run(
        [sys.executable, "-m", "runbook_lib.cli.entry", *words],
        env={**os.environ, **aws.env, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(kind, (most, most)),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert state(aws, file).switch_on is False, said
    assert done.returncode in (0, 1) and "Traceback" not in said, said
    assert re.search("was told|were not told|may not have been told|nobody was told", said), said


@pytest.mark.slow
def test_nothing_heavy_is_loaded_before_the_effect() -> None:
    heavy = "{'pandas', 'matplotlib', 'numpy', 'scipy', 'papermill', 'nbconvert', 'IPython'}"
    code = f"import sys, runbook_lib.cli.app, runbook_lib.commands.rollback; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.emulator
def test_a_plan_says_that_async_is_off_already(aws: EmbeddedAws, file: Path) -> None:
    assert "apply would turn the switch off" in rollback_1(file, {}).sentence
    rollback_1(file, APPLY)
    planned = rollback_1(file, {})
    assert "async is off already, by deployment" in planned.sentence
    assert "apply would" not in planned.sentence


@pytest.mark.emulator
def test_the_command_that_a_plan_proposes_keeps_what_was_given(aws: EmbeddedAws, file: Path) -> None:
    planned = rollback_1(file, {"attempt": 2, "operator": "Ana B.", "mode": "plan", "confirm": ""})
    assert (
        planned.next == "runbook rollback 1 --env prod --set attempt=2 --set 'operator=Ana B.' --apply --confirm prod"
    )
    other = file.with_name("other.yaml")
    other.write_text(file.read_text())
    assert f"--params {other} --apply" in rollback_1(other, {}).next


@pytest.mark.emulator
def test_what_was_said_at_the_effect_is_not_said_again(
    aws: EmbeddedAws, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = Wanted("1", file, APPLY, notebook=False)
    assert finish(wanted, kill_switch.off(wanted)) == 0
    told = capsys.readouterr().out
    assert "async is off" not in told
    assert told.startswith("told:") and "\nnext:" in told and "record: " in told


@pytest.fixture
def deployed(aws: EmbeddedAws, file: Path) -> Iterator[Callable[[str], None]]:
    """Deploys a step of the infrastructure; the first one again afterwards."""
    commands = (ROOT / "params" / "rehearsal-commands.yaml").read_text()
    (file.parent / "rehearsal-commands.yaml").write_text(commands)
    yield lambda step: deploy(aws, load_file(file), step) and None
    deploy(aws, load_file(file))


@pytest.mark.emulator
def test_after_the_migration_it_does_not_claim_that_the_switch_helps(
    file: Path, deployed: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    deployed("migrate")
    planned = rollback_1(file, {})
    wanted = Wanted("1", file, APPLY, notebook=False)
    done = after(wanted, kill_switch.off(wanted), print)
    assert capsys.readouterr().out.startswith("but POST /api/vpr itself is asynchronous now"), "before the notebook"
    for said in (planned, done):
        assert "the switch has no effect" in said.sentence
        assert "--step async" in said.next
    assert done.exit_code == Exit.HOLD, "requests are asynchronous yet"
    record = Archive.of(load_file(file)).load(Archive.of(load_file(file)).find(done.run_id))
    assert (record.decision, record.word) == (None, "HOLD"), "and its record does not say that async is off"
    assert planned.exit_code == Exit.OK
    assert planned.next.startswith(
        "runbook rollback 1 --env prod --apply --confirm prod, whose notebook runs the command:"
    )
    assert planned.weight_before == 100


@pytest.mark.emulator
def test_after_the_deprecation_it_says_that_there_is_no_way_back(file: Path, deployed: Callable[[str], None]) -> None:
    deployed("remove_sync")
    for done in (rollback_1(file, {}), rollback_1(file, APPLY)):
        assert "there is no way back: careervp-vpr-generator-lambda-prod was removed" in done.sentence
        assert "the way back is" not in done.sentence
        assert done.next.startswith("fix forward and deploy; or deploy the archived function again")
        assert done.exit_code == Exit.HOLD


@pytest.mark.emulator
@pytest.mark.parametrize(
    "line", ['"$@" | true; exit ${PIPESTATUS[0]}', '"$@" >/dev/full', '"$@" 2>&1 | true; exit ${PIPESTATUS[0]}']
)
def test_nobody_who_listens_ends_it_between_the_effect_and_the_record(aws: EmbeddedAws, file: Path, line: str) -> None:
    words = ["rollback", "1", "--env", "prod", "--apply", "--confirm", "prod", "--no-notebook"]
    command = ["bash", "-c", line, "bash", sys.executable, "-m", "runbook_lib.cli.entry", *words]
    done = subprocess.run(command, env={**os.environ, **aws.env}, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert state(aws, file).switch_on is False
    archive = Archive(file.parent.parent / "archive")
    (ref,) = archive.records(notebook=NOTEBOOK)
    assert archive.load(ref).status == "completed"
    assert list(archive.staging.glob("*")) == []


@pytest.fixture
def inbox(aws: EmbeddedAws, file: Path) -> Callable[[], list[str]]:
    """Subjects that the topic has sent on since."""
    params, sqs = load_file(file), aws.client("sqs")
    url = sqs.create_queue(QueueName=f"inbox-{uuid.uuid4().hex}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(TopicArn=topic_arn(params), Protocol="sqs", Endpoint=arn)

    def got() -> list[str]:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        return [json.loads(one["Body"])["Subject"] for one in found]

    return got


@pytest.mark.emulator
def test_people_are_told_once_an_incident_without_the_notebook_too(
    aws: EmbeddedAws, file: Path, inbox: Callable[[], list[str]]
) -> None:
    done = rollback_1(file, APPLY)
    assert done.told.endswith("was told")
    (subject,) = inbox()
    assert subject.startswith("[prod]") and "async is off" in subject
    again = rollback_1(file, APPLY)
    assert again.told == f"people were told already, by run {done.run_id}"
    assert inbox() == []
    switch(aws, file, on=True)
    assert rollback_1(file, APPLY).told.endswith("was told"), "another incident"


@pytest.mark.emulator
def test_people_are_told_that_async_could_not_be_turned_off(
    aws: EmbeddedAws, file: Path, inbox: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> Any:
        raise AwsError("AWS answered AccessDenied to StartDeployment")

    monkeypatch.setattr(traffic_off.Switch, "off", refused)
    with pytest.raises(AwsError, match=r"AccessDenied to StartDeployment$"):
        rollback_1(file, APPLY, last=False)
    assert inbox() == [], "it is tried again"
    with pytest.raises(AwsError, match=r"AccessDenied to StartDeployment; .* was told$"):
        rollback_1(file, APPLY)
    (subject,) = inbox()
    assert subject.startswith("[prod]") and "could NOT be turned off" in subject
    monkeypatch.undo()
    monkeypatch.chdir(file.parents[1])
    assert rollback_1(file, APPLY).told.endswith("was told"), "that it is off by now is news"


@pytest.mark.emulator
def test_people_are_not_told_that_it_is_on_where_nobody_could_see_it(
    aws: EmbeddedAws, file: Path, inbox: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS took the deployment, and no answer came to what became of it: async was off, and they read the contrary."""
    settled, begin = FlagStore.settled, FlagStore.start

    def silent(self: Any, *given: Any, **more: Any) -> Any:
        if self.under_way is None:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1")
        return settled(self, *given, **more)

    def start(self: Any, *given: Any, **more: Any) -> int:
        self.under_way = None
        return begin(self, *given, **more)

    monkeypatch.setattr(FlagStore, "settled", silent)
    monkeypatch.setattr(FlagStore, "start", start)
    with pytest.raises(AwsError, match=r"was told$"):
        rollback_1(file, APPLY)
    (subject,) = inbox()
    assert "it is NOT known whether async is off" in subject
    assert not state(aws, file).switch_on


class Chat(BaseHTTPRequestHandler):
    """A chat's webhook."""

    said: ClassVar[list[str]] = []

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        self.said.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.end_headers()


@pytest.fixture
def chat(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the webhook was told."""
    service = file.parent / "service.yaml"
    service.write_text(service.read_text().replace('webhook_env: ""', "webhook_env: CHAT"))
    monkeypatch.setattr(Chat, "said", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Chat) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("CHAT", f"http://127.0.0.1:{server.server_port}/")
        yield Chat.said
        server.shutdown()


@pytest.mark.emulator
def test_the_chat_is_told_where_aws_cannot_be_asked(
    file: Path, chat: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreached(_: Wanted) -> Any:
        raise AwsError("asking AWS who we are: the credentials are expired; sign in again")

    monkeypatch.setattr(kill_switch, "off", unreached)
    with pytest.raises(AwsError, match=r"sign in again$"):
        rollback_1(file, APPLY, last=False)
    assert chat == []
    with pytest.raises(AwsError, match="sign in again; people were told of it: the webhook answered 200"):
        rollback_1(file, APPLY)
    assert len(chat) == 1 and "could NOT be turned off" in chat[0] and "credentials are expired" in chat[0]
    monkeypatch.setattr(sys, "argv", ["runbook", "rollback", "1", "-f", str(file), "--apply", "--confirm", "prod"])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 1 and len(chat) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "nothing was changed: async is as it was" in first and "people were told of it" in second
    monkeypatch.setenv("CHAT", "http://127.0.0.1:1/")
    with pytest.raises(AwsError, match="the webhook was not told: it does not answer"):
        rollback_1(file, APPLY)


@pytest.mark.emulator
def test_an_endpoint_that_dies_after_the_effect_costs_neither_record_nor_command(
    aws: EmbeddedAws, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = kill_switch.off

    def then_gone(wanted: Wanted) -> Any:
        done = real(wanted)
        wire.install(wire.unreached, 1, 10_000, lambda _: True)
        return done

    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", URLLib3Session.send)  # put back at the end
    monkeypatch.setattr(kill_switch, "off", then_gone)
    done = rollback_1(file, APPLY)
    assert "async is off" in done.sentence and "does not answer" in done.told
    monkeypatch.undo()
    monkeypatch.chdir(file.parents[1])
    (ref,) = Archive(file.parents[1] / "archive").records(notebook=NOTEBOOK)
    assert Archive(file.parents[1] / "archive").load(ref).status == "completed"


@pytest.mark.parametrize("when", ["started", "loading", "told"])
def test_a_job_that_is_cancelled_in_the_middle_says_what_it_had_begun_and_seals_it(
    file: Path, aws: EmbeddedAws, tmp_path: Path, when: str
) -> None:
    """CI ends a job by SIGTERM; here it comes when the deployment was just started, when what can wait is loaded, and
    when people are told; and once more while the record is sealed.
    """
    code = """
import os, signal, sys
def again(seal, *a, **k):
    os.kill(os.getpid(), signal.SIGTERM)
    return seal(*a, **k)
from runbook_lib.record import archive
archive.rendered = lambda *a, real=archive.rendered: again(real, *a)
from runbook_lib.act.traffic import flag_store
real, when = flag_store.FlagStore.start, sys.argv[2]
def start(*a, **k):
    number = real(*a, **k)
    when == "started" and os.kill(os.getpid(), signal.SIGTERM)
    return number
flag_store.FlagStore.start = start
from runbook_lib.cli import entry
from runbook_lib.commands import rollback
rollback._told = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
class Loads:
    def find_spec(self, name, *_):
        if (name, when) == ("runbook_lib.cli.guarded", "loading"):
            os.kill(os.getpid(), signal.SIGTERM)
sys.meta_path.insert(0, Loads())
sys.argv[:] = ["runbook", "rollback", "1", "--params", sys.argv[1], "--apply", "--confirm", "prod"]
entry.main()
"""
    ended = subprocess.run(
        [sys.executable, "-c", code, str(file), when],
        env=os.environ | aws.environ(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 143
    assert "interrupted; begun before that: switch off" in ended.stderr
    assert not state(aws, file).switch_on
    (ref,) = Archive(file.parents[1] / "archive").records(notebook=NOTEBOOK)
    record = Archive(file.parents[1] / "archive").load(ref)
    assert (record.status, record.changes[0].open) == ("cancelled", when == "started")
    said = "begun and not read back: switch off" if when == "started" else "changed before that: switch off"
    assert headline(record).reason.startswith(f"The run was cancelled: interrupted; {said}")
    assert said in markdown(record).split("\n\n")[1]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("when", ["once", "twice"])
def test_one_that_a_watch_makes_is_sealed_too_when_it_is_cancelled(
    file: Path, aws: EmbeddedAws, tmp_path: Path, when: str
) -> None:
    code = """
import os, signal, sys
from runbook_lib.cli import app, entry
from runbook_lib.commands import rollback
rollback._told = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
class Watch:
    def __init__(self, *_, **__):
        self.auto_rollback = True
    def looks(self, once):
        yield rollback.rollback_1(file, {"mode": "apply", "confirm": "prod"})
    def interrupted(self):
        when == "twice" and os.kill(os.getpid(), signal.SIGTERM)
from pathlib import Path
from runbook_lib.commands import watch
watch.Watch = Watch
file, when = Path(sys.argv[1]), sys.argv[2]
sys.argv[:] = ["runbook", "watch", "06", "--params", str(file), "--once"]
entry.main()
"""
    words = [sys.executable, "-c", code, str(file), when]
    ended = subprocess.run(
        words, env=os.environ | aws.environ(), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 143 and "interrupted; begun before that: switch off" in ended.stderr, ended.stderr
    (ref,) = Archive(file.parents[1] / "archive").records(notebook=NOTEBOOK)
    assert Archive(file.parents[1] / "archive").load(ref).status == "cancelled"


@pytest.mark.emulator
@pytest.mark.parametrize("spoil", ["missing", "wrong", "another region", "a ratio beyond 1"])
def test_files_that_an_incident_does_not_need_hold_neither_telling_nor_verifying_up(
    aws: EmbeddedAws, file: Path, inbox: Callable[[], list[str]], capsys: pytest.CaptureFixture[str], spoil: str
) -> None:
    prices, gates = file.parent / "prices.yaml", file.parent / "gates.yaml"
    if spoil == "missing":
        prices.unlink()
    elif spoil == "wrong":
        prices.write_text("region: [")
    elif spoil == "another region":
        prices.write_text(prices.read_text().replace("us-east-1", "eu-west-1"))
    else:
        text = gates.read_text()
        assert "'>': 0.99" in text or "> 0.99" in text
        gates.write_text(text.replace("> 0.99", "> 99", 1))
    done = rollback_1(file, APPLY)
    assert done.applied and len(inbox()) == 1 and done.told
    (ref,) = Archive(file.parent.parent / "archive").records(notebook=NOTEBOOK)
    record = Archive(file.parent.parent / "archive").load(ref)
    assert len([one for one in record.warnings if "prices" in one or "gates.yaml" in one]) == 1
    assert record.policy and "nothing of the rollback needs it" in capsys.readouterr().err
    if spoil == "another region":  # elsewhere too, a bill without prices is NO DATA
        assert load_file(file).trouble
    else:
        with pytest.raises(UsageError):
            load_file(file)
    assert load_file(file, incident=True).trouble


@pytest.mark.emulator
def test_where_the_parameters_are_not_whole_people_are_told_all_the_same(
    aws: EmbeddedAws, file: Path, inbox: Callable[[], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    (file.parent / "gates.yaml").write_text("nobody_knows: [")
    done = rollback_1(file, APPLY, notebook=True)
    assert done.applied and len(inbox()) == 1 and done.told.endswith("was told")
    said = capsys.readouterr().err
    assert "the parameters are incomplete" in said and "no notebook verifies it" in said and "not told" not in said


@pytest.mark.emulator
@pytest.mark.parametrize("archive", ["/dev/null", "ftp://records.example/team", "params/service.yaml"])
def test_an_archive_that_is_none_keeps_nobody_from_acting_and_from_being_told(
    aws: EmbeddedAws, file: Path, inbox: Callable[[], list[str]], archive: str
) -> None:
    done = rollback_1(file, {**APPLY, "archive": archive})
    assert not state(aws, file).switch_on
    assert done.applied and done.record is not None, "sealed in a spare folder"
    assert "not told" not in (done.told or "") and len(inbox()) == 1


def test_after_the_effect_no_exit_code_says_that_nothing_was_changed() -> None:
    """The notebook could not read a file of the parameters: async was off, people were told, and it ended with 2."""
    codes = (Exit.OK, Exit.ERROR, Exit.USAGE, Exit.HOLD, Exit.ROLLBACK)
    assert [_after_the_effect(int(code)) for code in codes] == [0, 1, 1, 3, 4]


UNLOADABLE = """
import sys
MISSING, HOW = sys.argv[2].split(","), sys.argv[3]
class Without:
    def find_spec(self, name, *_):
        if name in MISSING:
            if HOW == "python":
                raise SystemError("error return without exception set")
            raise MemoryError if HOW == "memory" else ImportError(f"{name}: cannot allocate memory")
sys.meta_path.insert(0, Without())
from runbook_lib.cli import entry
sys.argv[:] = ["runbook", "rollback", "1", "--params", sys.argv[1], "--apply", "--confirm", "prod", "--no-notebook"]
entry.main()
"""


def without(aws: EmbeddedAws, file: Path, missing: str, how: str) -> subprocess.CompletedProcess[str]:
    """The command where some libraries cannot be loaded, for example for want of memory."""
    return subprocess.run(
        [sys.executable, "-c", UNLOADABLE, str(file), missing, how],
        env=os.environ | aws.environ(),
        cwd=file.parents[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.emulator
@pytest.mark.parametrize("how", ["memory", "import"])
@pytest.mark.parametrize(
    "missing", ["numpy,scipy,pandas,matplotlib", "runbook_lib.rollout.history", "runbook_lib.observe.traffic.state"]
)
def test_people_are_told_whatever_cannot_be_loaded(
    aws: EmbeddedAws, file: Path, inbox: Callable[[], list[str]], missing: str, how: str
) -> None:
    """With little memory the switch was off, OpenBLAS could not be loaded, and nobody was told."""
    done = without(aws, file, missing, how)
    assert not state(aws, file).switch_on
    (subject,) = inbox()
    assert "async is off" in subject and "was told" in done.stdout and done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.emulator
@pytest.mark.parametrize("how", ["memory", "python"])
@pytest.mark.parametrize("missing", ["pydantic", "typer", "runbook_lib.steps", "pydantic,runbook_lib.record.sealing"])
def test_or_it_is_said_that_nobody_was(
    aws: EmbeddedAws, file: Path, inbox: Callable[[], list[str]], missing: str, how: str
) -> None:
    done = without(aws, file, missing, how)
    assert not state(aws, file).switch_on and inbox() == []
    assert done.stdout.startswith("async is off") and done.returncode == 1
    assert "nobody was told of it" in done.stderr and "no memory left" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.emulator
@pytest.mark.parametrize("missing", ["boto3", "botocore.session", "runbook_lib.act.traffic.register"])
def test_what_keeps_it_from_running_says_how_to_do_it_by_hand(aws: EmbeddedAws, file: Path, missing: str) -> None:
    done = without(aws, file, missing, "memory")
    assert state(aws, file).switch_on and done.returncode == 1
    assert "by hand: " in done.stderr and "aws appconfig start-deployment" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.emulator
@pytest.mark.parametrize("name", ["service.yaml", "prod.yaml", "gates.yaml"])
def test_a_key_twice_that_it_does_not_need_keeps_neither_the_switch_on_nor_people_from_hearing(
    aws: EmbeddedAws, file: Path, inbox: Callable[[], list[str]], name: str
) -> None:
    place = file.with_name(name)
    place.write_text(place.read_text() + "workers_of: 7\nworkers_of: 7\n")
    done = rollback_1(file, APPLY)
    place.write_text(place.read_text().replace("workers_of: 7\n", ""))
    assert not state(aws, file).switch_on and done.told.endswith("was told")
    assert len(inbox()) == 1
