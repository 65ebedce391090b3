"""The embedded AWS as a process: where it listens, what time it is there, and that it never outlives its parent."""

from __future__ import annotations

import datetime as dt
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from runbook_lib.base.errors import AwsError, Exit, UsageError
from runbook_lib.rehearse.emulator import embedded as room
from runbook_lib.rehearse.emulator.embedded import HOST, EmbeddedAws
from tests import forks

SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)

PARENT = """
import os, signal, sys, time
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
with EmbeddedAws() as aws:
    print(aws._child.pid, aws._folder, flush=True)
    {act}
"""


@pytest.fixture(scope="module", autouse=True)
def booted() -> Iterator[None]:
    """Here an embedded AWS is the process that a user starts; elsewhere it is a fork (`tests/forks.py`)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "subprocess", subprocess)
        yield


@pytest.fixture(scope="module", params=["booted", "forked"])
def embedded(request: pytest.FixtureRequest) -> Iterator[EmbeddedAws]:
    """One of each: what is true of the process is true of the fork."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "forked":
            patch.setattr(room, "subprocess", forks.processes)
        aws = EmbeddedAws()
    with aws:
        assert isinstance(aws._child, forks.Forked) == (request.param == "forked")
        yield aws


def _date(aws: EmbeddedAws) -> dt.datetime:
    answer = aws.client("sts").get_caller_identity()
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z")


def _eventually(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _listening(pid: int) -> set[str]:
    """Local addresses (hex, as the kernel writes them) that a process listens on."""
    links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    sockets = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
    rows = [
        line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()
    ]
    return {row[1] for row in rows if row[3] == "0A" and row[9] in sockets}


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs Linux' /proc")
def test_listens_on_loopback_only(embedded: EmbeddedAws) -> None:
    """MiniStack's IoT listener (port 8883) takes every interface whatever BIND_HOST says: it is switched off."""
    assert _listening(embedded._child.pid) == {f"0100007F:{embedded.port:04X}"}


def test_lives_thirteen_days_ago_and_moves_forward(embedded: EmbeddedAws) -> None:
    assert abs(_date(embedded) - embedded.now()) < 2 * SECOND
    assert embedded.now() < dt.datetime.now(dt.UTC) - 10 * HOUR
    target = embedded.now() + HOUR
    embedded.move_to(target)
    assert abs(embedded.now() - target) < SECOND
    assert abs(_date(embedded) - target) < 2 * SECOND


def test_the_clock_ticks_between_moves(embedded: EmbeddedAws) -> None:
    before = embedded.now()
    time.sleep(0.02)
    assert before < embedded.now() < before + SECOND


def test_refuses_to_go_back_or_past_the_real_time(embedded: EmbeddedAws) -> None:
    before = embedded.now()
    for wrong in (before - SECOND, dt.datetime.now(dt.UTC) + HOUR):
        with pytest.raises(ValueError):
            embedded.move_to(wrong)
    assert embedded.now() - before < HOUR


def test_a_start_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        EmbeddedAws(dt.datetime(2026, 11, 1))  # noqa: DTZ001


def test_children_reach_it_and_nothing_else(embedded: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even from a shell full of real-looking settings and a proxy."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    ask = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    child = subprocess.run(
        [sys.executable, "-c", ask], env=embedded.environ(), capture_output=True, text=True, check=False
    )
    assert (child.stdout.strip(), child.returncode) == ("000000000000", 0), child.stderr


def test_its_environment_leads_to_no_credentials(embedded: EmbeddedAws) -> None:
    env = embedded.env
    assert env["AWS_ENDPOINT_URL"] == embedded.endpoint == f"http://{HOST}:{embedded.port}"
    assert (env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]) == ("test", "test")
    assert env["AWS_CONFIG_FILE"] == env["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert env["AWS_EC2_METADATA_DISABLED"] == "true"


@pytest.mark.emulator
def test_settings_for_another_ministack_do_not_reach_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    elsewhere = {"AUTH": "true", "SERVICES": "s3", "USE_SSL": "1", "PERSIST_STATE": "1", "STATE_DIR": str(tmp_path)}
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    with EmbeddedAws() as aws:
        assert aws.client("sqs").create_queue(QueueName="any")["QueueUrl"].startswith(f"http://{HOST}:{aws.port}/")
    assert not list(tmp_path.iterdir())


@pytest.mark.emulator
@pytest.mark.parametrize("started", [subprocess, forks.processes], ids=["booted", "forked"])
def test_closing_takes_process_and_files_down(started: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "subprocess", started)
    with EmbeddedAws() as aws:
        pid, folder = aws._child.pid, aws._folder
        assert folder.exists()
    assert not _alive(pid)
    assert not folder.exists()
    aws.close()
    with pytest.raises(AwsError, match="gone"):
        aws.move_to(aws.now() + HOUR)


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("act", "sent"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", None),
        ("os.abort()", None),
        ("raise RuntimeError('the rehearsal fails')", None),
        ("time.sleep(30)", signal.SIGINT),
        ("time.sleep(30)", signal.SIGTERM),
    ],
    ids=["killed", "crashed", "raised", "Ctrl-C", "terminated"],
)
def test_never_outlives_its_parent(act: str, sent: signal.Signals | None) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(act=act)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid, folder = parent.stdout.readline().split()
        if sent is not None:
            os.killpg(parent.pid, sent)  # as a terminal does: to the whole group
        assert parent.wait(10) != 0
    assert _eventually(lambda: not _alive(int(pid)))
    assert _eventually(lambda: not Path(folder).exists())


def test_takes_another_port_if_somebody_was_faster(embedded: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    free, ports = room.free_port, [embedded.port]
    monkeypatch.setattr(room, "free_port", lambda: ports.pop() if ports else free())
    with EmbeddedAws() as other:
        assert other.port != embedded.port
        assert other.client("sts").get_caller_identity()["Account"] == "000000000000"
    assert embedded.client("sts").get_caller_identity()["Account"] == "000000000000"


@pytest.mark.emulator
def test_a_fork_ends_with_whoever_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "subprocess", forks.processes)
    with EmbeddedAws() as aws:
        pid, folder = aws._child.pid, aws._folder
        parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        os.kill(parent, signal.SIGKILL)
        assert _eventually(lambda: not _alive(pid)) and not folder.exists()


def test_without_the_extra_one_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"ministack.*rollout-runbook\[rehearse\]") as raised:
        EmbeddedAws()
    assert raised.value.exit_code == Exit.USAGE


def test_a_failed_start_shows_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'the reason why' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(AwsError, match="the reason why"):
        EmbeddedAws()
    assert list(tmp_path.iterdir()) == [broken], "it left its folder behind"
