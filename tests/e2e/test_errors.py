"""What can be wrong, from the command line: one sentence, its exit code, no traceback, and the archive stays whole."""

from __future__ import annotations

import datetime as dt
import html
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from runbook_lib.base.errors import NOTHING
from runbook_lib.base.window import when
from runbook_lib.record.attached import report_of

pytestmark = [pytest.mark.emulator]
ROOT, NAME = Path(__file__).resolve().parents[2], "06_phase1_10_percent.ipynb"
in_a_kernel = [pytest.mark.kernel, pytest.mark.slow]


def run(rollout: Any, *more: str, what: str = "06", env: dict[str, str] | None = None, **values: Any) -> Any:
    """`runbook run`, which must fail decently; soon there, as a fork: how the command starts is not asked here."""
    settings = rollout.settings(**values)
    if "--params" in more:  # another file
        del settings[: settings.index("--params") + 2]
    finished = rollout.command("run", what, *settings, *more, env=env)
    assert "Traceback" not in finished.stdout + finished.stderr
    return finished


def said(text: str) -> str:
    """On one line, as it would be read."""
    return " ".join(text.split())


def assert_nothing_was_begun(rollout: Any, finished: Any, *words: str) -> None:
    """One sentence on stderr, exit code 2, no run in the archive."""
    assert finished.returncode == 2, finished
    assert finished.stdout == ""
    (sentence,) = [line for line in finished.stderr.splitlines() if line.startswith("runbook: ")]
    assert [word for word in words if word not in sentence] == []
    assert rollout.records() == []


def assert_it_failed(rollout: Any, finished: Any, code: int, *words: str) -> None:
    """The sentence is said, and kept in a sealed record and its report."""
    assert finished.returncode == code, finished
    assert [word for word in words if word not in said(finished.stdout)] == []
    (record,) = rollout.records()
    assert (record.status, record.decision) == ("failed", None)
    assert [word for word in words if word not in record.failure] == []
    assert said(finished.stdout).startswith(f"failed: {said(record.error.sentence)}")
    assert record.changes == ()
    (ref,) = rollout.refs()
    notebook = json.loads((ref.folder / "notebook.ipynb").read_text())
    errors = [out for cell in notebook["cells"] for out in cell.get("outputs", []) if out["output_type"] == "error"]
    assert [line.removesuffix(NOTHING) for error in errors for line in error["traceback"]] == [
        f"{record.error.type}: {record.error.sentence}"
    ]
    assert words[0] in html.unescape(report_of(ref).read_text())


def test_an_environment_that_nobody_knows(rollout: Any) -> None:
    finished = run(rollout, "--set", "env=qa")
    assert_nothing_was_begun(
        rollout, finished, "--set env=qa: gates.yaml names no such environment", "there are dev, prod, staging"
    )


def test_the_file_of_an_environment_that_nobody_knows(rollout: Any) -> None:
    finished = run(rollout, "--params", "params/qa.yaml")
    assert_nothing_was_begun(rollout, finished, "params/qa.yaml", "no such file")


def test_yaml_that_is_none(rollout: Any, tmp_path: Path) -> None:
    file = tmp_path / "prod.yaml"
    file.write_text('env: prod\naccount_id: "000000000000\nregion: us-east-1\n')
    finished = run(rollout, "--params", str(file))
    assert_nothing_was_begun(rollout, finished, str(file), "line ", "not valid YAML")


def test_an_account_id_that_lost_its_zeros(rollout: Any, tmp_path: Path) -> None:
    file = tmp_path / "prod.yaml"
    file.write_text(rollout.file.read_text().replace('"000000000103"', "000000000103"))
    finished = rollout.command("run", "06", "--params", str(file), "--set", f"archive={rollout.folder}")
    assert_nothing_was_begun(rollout, finished, str(file), "000000000103 is a number", '"000000000103" if it is text')


def test_a_notebook_that_is_none(rollout: Any, command: Any) -> None:
    finished = command(["runbook", "run", "66", *rollout.settings()], rollout.aws.environ())
    assert_nothing_was_begun(rollout, finished, "notebook '66'", "06_phase1_10_percent")


class TestInTheKernel:
    """What only a run can find out."""

    pytestmark = in_a_kernel

    def test_another_account(self, rollout: Any) -> None:
        finished = run(rollout, account_id="000000000103")
        assert_it_failed(rollout, finished, 2, "account_id", "'000000000103'", "'000000000000'", "prod")

    def test_a_copy_of_the_parameters_cell_makes_no_plan_a_change(self, rollout: Any, tmp_path: Path) -> None:
        notebook = json.loads((ROOT / "notebooks" / NAME).read_text())
        place = next(n for n, one in enumerate(notebook["cells"]) if "parameters" in one["metadata"].get("tags", ()))
        copy = json.loads(json.dumps(notebook["cells"][place]))
        copy["id"], copy["source"] = "a-copy", ['mode = "apply"\n', 'confirm = "prod"\n']
        notebook["cells"].insert(place + 1, copy)
        (tmp_path / NAME).write_text(json.dumps(notebook))
        finished = run(rollout, what=str(tmp_path / NAME))
        assert_it_failed(rollout, finished, 2, "mode is 'apply'", "'plan' was given")

    def test_an_endpoint_where_nobody_answers(self, rollout: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
            finished = run(rollout, env={"AWS_ENDPOINT_URL": closed})
        assert_it_failed(rollout, finished, 1, closed, "does not answer", "AWS_ENDPOINT_URL")

    def test_credentials_that_have_expired(self, rollout: Any, expired: str) -> None:
        finished = run(rollout, env={"AWS_ENDPOINT_URL": expired})
        assert_it_failed(rollout, finished, 1, "sts:GetCallerIdentity", "expired", "ExpiredToken", "sign in again")

    def test_no_credentials_at_all(self, rollout: Any) -> None:
        finished = run(rollout, env={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
        assert_it_failed(rollout, finished, 1, "no AWS credentials found", "sign in")

    def test_applying_on_evidence_of_an_hour_ago(self, rollout: Any) -> None:
        as_of = (rollout.aws.now() - dt.timedelta(hours=1)).isoformat(timespec="seconds")
        finished = run(rollout, "--apply", "--confirm", "prod", as_of=as_of)
        assert_it_failed(rollout, finished, 3, "as_of", when(as_of), "10 min allowed", "nothing was changed")

    def test_a_confirmation_of_another_environment(self, rollout: Any) -> None:
        finished = run(rollout, "--apply", "--confirm", "staging")
        assert_it_failed(rollout, finished, 2, "confirm is 'staging'", "expects 'prod'", "nothing was changed")


class _Expired(BaseHTTPRequestHandler):
    """Answers every question as STS answers one that is signed with a session token of yesterday."""

    answer = (
        b'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        b"<Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message></Error>"
        b"<RequestId>0</RequestId></ErrorResponse>"
    )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(403)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: Any) -> None:
        """Nothing is said on stderr."""


@pytest.fixture
def expired() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Expired) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
