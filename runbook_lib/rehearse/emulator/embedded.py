"""The embedded AWS: MiniStack as a child process on a loopback port, with a virtual clock.

    with EmbeddedAws() as aws:
        aws.client("sqs").list_queues()
        aws.move_to(aws.now() + timedelta(hours=24))

It is always taken down: at the end of the `with`, at the end of Python, and by itself when this process dies
(launcher.py). Ctrl-C reaches this process only, so that the code inside the `with` can still close in order.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime as dt
import functools
import http.client
import importlib.util
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

import runbook_lib
from runbook_lib.base import scratch
from runbook_lib.base.aws import instant
from runbook_lib.base.errors import AwsError, UsageError
from runbook_lib.base.process import free_port

HOST = "127.0.0.1"
REGION = "us-east-1"
START_BEFORE_NOW = dt.timedelta(days=13)
"""Default start of the virtual clock, before now: a rehearsal has these days until the real time (`move_to`)."""
AHEAD_LIMIT = dt.timedelta(minutes=30)
_START_S = 30.0
_ACK_S = 60.0
_CLOSE_S = 5.0
_ATTEMPTS = 3
_LAMBDA_CONCURRENCY = "120"
"""Each concurrent invocation starts a Python process; this is the lower limit of the emulator's own default."""


class _PortTaken(Exception):
    """Another program answers on the port that was free a moment ago."""


class EmbeddedAws:
    """One running embedded AWS; a context manager, ready when constructed.

    Args:
        t0: virtual start, timezone-aware; default 13 days before now.
        auth: whether IAM's policies are enforced.
        region: region of its clients, and of those of its children.

    Raises:
        UsageError: the `rehearse` extra is not installed, or `t0` has no time zone or is later than the real time.
        AwsError: it does not start; the sentence has the tail of its log.
    """

    def __init__(self, t0: dt.datetime | None = None, *, auth: bool = False, region: str = REGION) -> None:
        missing = [name for name in ("ministack", "time_machine") if importlib.util.find_spec(name) is None]
        if missing:
            packages = " and ".join(missing)
            raise UsageError(f"the embedded AWS needs {packages}: `pip install 'rollout-runbook[rehearse]'`")
        start = t0 or dt.datetime.now(dt.UTC) - START_BEFORE_NOW
        _check(start)
        self.region = region
        self._clients: dict[str, Any] = {}
        self._closed = False
        self._auth = "true" if auth else "false"
        for attempt in range(1, _ATTEMPTS + 1):
            self._folder = scratch.made("aws")
            self._log = self._folder / "log"
            self.port = free_port()
            try:
                self._launch(start)
                break
            except _PortTaken:
                self._take_down()
                if attempt == _ATTEMPTS:
                    raise AwsError(f"the embedded AWS found no free port on {HOST} in {_ATTEMPTS} attempts") from None
            except BaseException:
                self._take_down()
                raise
        atexit.register(self.close)

    @property
    def endpoint(self) -> str:
        """The emulator's address, such as `http://127.0.0.1:40123`."""
        return f"http://{HOST}:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """Environment variables for children: this endpoint, without real credentials and proxies.

        Merge it over `os.environ` without its `AWS_*` variables, or use `environ()`.
        """
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "BOTO3_ENDPOINT_URL": self.endpoint,  # papermill's own S3 client reads this one
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "MINISTACK_REGION": self.region,  # for its threads without a request
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": f"{HOST},localhost",
            "no_proxy": f"{HOST},localhost",
        }

    def environ(self) -> dict[str, str]:
        """`os.environ` without its `AWS_*`, overridden by `env`: the environment for a child process."""
        return {**{key: value for key, value in os.environ.items() if not key.startswith("AWS_")}, **self.env}

    def client(self, service: str) -> Any:
        """A boto3 client of this endpoint, made once; independent of the environment's credentials."""
        if service not in self._clients:
            from botocore.config import Config

            self._clients[service] = _session().client(
                service,
                region_name=self.region,
                endpoint_url=self.endpoint,
                aws_access_key_id="test",
                aws_secret_access_key="test",  # noqa: S106
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": 3},
                    connect_timeout=5,
                    read_timeout=60,
                    proxies={},
                    disable_request_compression=True,  # on loopback it costs more than it saves
                    s3={"addressing_style": "path"},
                ),
            )
        return self._clients[service]

    @property
    def inbox(self) -> Path:
        """Folder from which the emulator reads metrics in files (`rehearse.inbox`)."""
        return self._folder

    def now(self) -> dt.datetime:
        """The virtual time, UTC; it runs on between moves."""
        return dt.datetime.fromtimestamp(self._epoch + time.monotonic() - self._since, dt.UTC)

    def move_to(self, at: dt.datetime) -> None:
        """Moves the clock forward to `at` and has every alarm evaluated there; returns when it is done.

        Raises:
            ValueError: backwards, without a time zone, or so far past the real time that links signed by the handlers
                (which use the real clock) would have expired.
            AwsError: the embedded AWS is gone.
        """
        if at < self.now():
            raise ValueError(f"the clock of the embedded AWS cannot go back from {self.now()} to {at}")
        _check(at)
        try:
            self._orders.write(f"move {at.timestamp()!r}\n".encode())
            self._orders.flush()
        except (OSError, ValueError):
            raise AwsError(f"the embedded AWS is gone: {self.log_tail()}") from None
        self._await_ack(_ACK_S)

    def log_tail(self, lines: int = 3) -> str:
        """The last lines of its log, on one line."""
        try:
            text = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            text = []
        return " | ".join(text[-lines:]) or "it left no log"

    def close(self) -> None:
        """Takes it down with its Lambda workers and files; a second call does nothing."""
        if not self._closed:
            self._closed = True
            atexit.unregister(self.close)
            self._take_down()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _launch(self, start: dt.datetime) -> None:
        nonce = secrets.token_hex(8)
        settings = {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,  # the host in queue URLs; `localhost` may be ::1, where nothing listens
            "MINISTACK_EDITION": nonce,
            "IOT_MTLS_ENABLED": "0",  # else it listens on every interface, whatever BIND_HOST says
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "LAMBDA_EXECUTOR": "local",
            "LAMBDA_ACCOUNT_CONCURRENCY": _LAMBDA_CONCURRENCY,
            "TMPDIR": str(self._folder),
            "PYTHONPATH": str(Path(runbook_lib.__file__).parent.parent),
            # Nothing from the host: no state of another MiniStack (it keeps a key in /tmp), no Docker (at its start it
            # removes what it takes for its own leftovers), no settings of a shell for another one.
            "STATE_DIR": str(self._folder / "state"),
            "S3_DATA_DIR": str(self._folder / "s3"),
            "DOCKER_HOST": f"unix://{self._folder}/no-docker",
            **dict.fromkeys(("PERSIST_STATE", "LOCALSTACK_PERSISTENCE", "S3_PERSIST", "USE_SSL", "LAMBDA_STRICT"), "0"),
            **{"AUTH": self._auth, "SERVICES": "", "CLOUDTRAIL_RECORDING": "0"},
        }
        with self._log.open("wb") as log:
            module = "runbook_lib.rehearse.emulator.launcher"
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", module, repr(start.timestamp()), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self._folder,
                env={**self.environ(), **settings},
                start_new_session=True,  # Ctrl-C is for the parent, who closes in order
            )
        self._orders, self._answers = cast(IO[bytes], self._child.stdin), cast(IO[bytes], self._child.stdout)
        deadline = time.monotonic() + _START_S
        self._await_ack(_START_S)
        while (edition := _edition(self.port)) != nonce:
            if edition is not None:
                raise _PortTaken
            if self._child.poll() is not None:
                if "already in use" in self.log_tail(10):
                    raise _PortTaken
                raise AwsError(f"the embedded AWS did not start: {self.log_tail()}")
            if time.monotonic() > deadline:
                raise AwsError(f"the embedded AWS is not ready after {_START_S:.0f} s: {self.log_tail()}")
            time.sleep(0.02)

    def _await_ack(self, seconds: float) -> None:
        ready, _, _ = select.select([self._answers], [], [], seconds)
        answer = self._answers.readline().decode().split() if ready else []
        if len(answer) != 2:
            why = "is gone" if self._child.poll() is not None or ready else f"does not answer within {seconds:.0f} s"
            raise AwsError(f"the embedded AWS {why}: {self.log_tail()}")
        self._epoch, self._since = float(answer[1]), time.monotonic()

    def _take_down(self) -> None:
        child: subprocess.Popen[bytes] | None = getattr(self, "_child", None)
        if child is not None:
            for pipe in (self._orders, self._answers):
                with contextlib.suppress(OSError):
                    pipe.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_CLOSE_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # its own group: with it the workers that it could not end
            child.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


@functools.cache
def _session() -> Any:
    """Reads the descriptions of services once, and times quickly (`base.aws.instant`)."""
    import boto3
    from botocore.session import get_session

    session = get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=instant)
    return boto3.session.Session(botocore_session=session)


def _check(at: dt.datetime) -> None:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    if at > dt.datetime.now(dt.UTC) + AHEAD_LIMIT:
        raise ValueError(f"{at} is ahead of the real time: the handlers, whose clock is real, would fall behind")


def _edition(port: int) -> str | None:
    """The nonce of the emulator that answers on `port`; None while nothing answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/_ministack/health")
        return str(json.loads(connection.getresponse().read()).get("edition"))
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return None
    finally:
        connection.close()
