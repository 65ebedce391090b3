"""Every kind of secret, planted wherever a run can leave text, is in no file of the sealed record; and an ordinary
record loses nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, redact_text
from runbook_lib.base.redact_data import redact
from runbook_lib.params.load import load
from runbook_lib.record.archive import Archive, seal_staged
from runbook_lib.record.journal import Journal, plain
from runbook_lib.record.place import new_run_id
from runbook_lib.record.record import Problem
from runbook_lib.record.redact_notebook import redact_outputs
from tests.secrets import LINES, SECRETS


def _stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def _cell(source: str, *outputs: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs), "metadata": metadata, "execution_count": 1}


def _coloured(text: str) -> str:
    """As IPython colours a traceback: a sequence before each word and sign."""
    return "".join(f"\x1b[38;5;28m{char}\x1b[39m" if char in "=: " else char for char in text)


def _notebook(text: str) -> dict[str, Any]:
    data = {"text/html": f"<p>{text}</p>", "text/plain": [text], "application/json": {"a": [text]}}
    error = {"output_type": "error", "ename": "E", "evalue": text, "traceback": ["at", _coloured(text)]}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"papermill": {"parameters": {"reason": text}}, "title": text},
        "cells": [
            {"cell_type": "markdown", "source": f"# T\n\n{text}", "metadata": {}},
            _cell(f"reason = '''{text}'''", tags=["injected-parameters"]),
            _cell("x", _stream(text), _stream(text, "stderr"), note=text),
            _cell("y", {"output_type": "display_data", "data": data, "metadata": {}}),
            _cell("z", error),
        ],
    }


def _sealed(text: str, root: Path) -> Path:
    archive = Archive(root)
    staging = archive.stage("dev", "r1", "nb", new_run_id(), "interactive")
    journal = Journal(staging)
    params = {"env": "dev", "release": "r1", "reason": text, "operator": text}
    journal.append("opened", run_id=staging.name, notebook="nb", params=params, origin="interactive")
    journal.append("warning", text=text)
    journal.append("intent", id="i", what=text, undo=text, before={"value": text}, after=[text, {text: 1}])
    journal.append("outcome", intent="i", ok=False, error=text, read_back={"value": text})
    journal.append("check", check={"id": "c", "title": "C", "verdict": "FAIL", "reason": text, "required": True})
    journal.attach("metrics.json", json.dumps({"series": [text], "deep": {"label": text}}).encode())
    journal.attach("notes.txt", text)
    journal.attach("lines.jsonl", "\n".join(json.dumps({"line": text}) for _ in range(2)))
    journal.append("decision", moment="step", outcome={"decision": "HOLD", "reason": text, "next": text})
    ref = seal_staged(
        archive, staging, status="failed", notebook=_notebook(text), error=Problem(type="E", sentence=text)
    )
    archive.verify(ref)
    return ref.folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", SECRETS)
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_no_file_of_a_record_has_it(kind: str, data: Any) -> None:
    text, secret = data.draw(SECRETS[kind])
    with tempfile.TemporaryDirectory() as root:
        folder = _sealed(text, Path(root))
        kept = {path.name: path.read_text() for path in folder.iterdir()}
    assert {"record.json", "report.html", "notebook.ipynb", "journal.jsonl", "metrics.json"} <= kept.keys()
    assert [name for name, content in kept.items() if secret in content] == []
    json.loads(kept["metrics.json"])


@pytest.mark.parametrize("kind", LINES)
@given(data=st.data())
def test_nor_has_it_one_that_comes_in_pieces(kind: str, data: Any) -> None:
    lines, secret = data.draw(LINES[kind])
    displayed = [{"output_type": "display_data", "data": {"text/plain": line}, "metadata": {}} for line in lines]
    with tempfile.TemporaryDirectory() as root:
        archive = Archive(root)
        staging = archive.stage("dev", "r1", "nb", new_run_id(), "interactive")
        Journal(staging).append("opened", run_id=staging.name, lines=lines, params={"env": "dev", "release": "r1"})
        streams = [_stream(line, ("stdout", "stderr")[at % 2]) for at, line in enumerate(lines)]
        cells = [_cell("a", *streams), _cell("b", *displayed)]
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
        folder = seal_staged(archive, staging, status="failed", notebook=notebook).folder
        assert [path.name for path in folder.iterdir() if secret in path.read_text()] == []


@pytest.mark.slow
@pytest.mark.parametrize("noise", [[], [_stream("progress\n", "stderr")]])
@pytest.mark.parametrize("kind", SECRETS)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_nor_has_it_a_cell_whose_text_comes_in_two_messages(kind: str, noise: list[Any], data: Any) -> None:
    text, secret = data.draw(SECRETS[kind])
    cut = data.draw(st.integers(0, len(text)))
    outputs = [_stream(text[:cut]), *map(dict, noise), _stream(text[cut:])]
    redact_outputs(outputs)
    assert secret not in "".join(one["text"] for one in outputs if one["name"] == "stdout")
    assert len(outputs) == 2 + len(noise)


def test_an_ordinary_record_is_unchanged(
    archive: Archive, stage: Callable[..., Path], gate_result: Callable[..., dict[str, Any]]
) -> None:
    run_id, sha = new_run_id(), "0123456789abcdef" * 4
    said = (
        f"after run {run_id} (sha256 {sha}) of arn:aws:lambda:us-east-1:000000000101:function:vpr-worker-dev, "
        "AWS/ApiGateway Count ApiId=abc123 Stage=dev, idempotency key job-12345678, input_tokens: 250000"
    )
    gates = [gate_result(verdict="FAIL", reason=said)]
    outcome = {"decision": "HOLD", "reason": said, "next": "runbook status --env dev", "results": gates}
    events: list[tuple[str, dict[str, Any]]] = [
        ("caller", {"account_id": "000000000101", "arn": "arn:aws:sts::000000000101:assumed-role/ops/ada@example.org"}),
        ("intent", {"id": "i", "what": "dial 0 % -> 10 %", "undo": "runbook rollback 1 --env dev --apply"}),
        ("outcome", {"intent": "i", "ok": True, "read_back": {"deployment": 7, "description": f"runbook {run_id}"}}),
        ("decision", {"moment": "after", "outcome": outcome}),
        ("closed", {"decision": "HOLD"}),
    ]
    ref = seal_staged(archive, stage(*events), status="completed")
    archive.verify(ref)
    raw = json.loads((ref.folder / "record.json").read_bytes())
    assert redact(raw) == raw
    assert said in json.dumps(raw, ensure_ascii=False)
    for path in ref.folder.iterdir():
        assert MASK not in path.read_text()
        assert redact_text(path.read_text()) == path.read_text()


@pytest.mark.parametrize("env", ["dev", "staging", "prod"])
def test_the_declarations_that_a_record_keeps_are_unchanged(env: str) -> None:
    flat = {"env": env, "account_id": "000000000101", "region": "us-east-1", "release": "2026.11-vpr-async"}
    params = load(flat)
    for part in (params.flat, params.policy, params.service, params.prices):
        dumped = plain(part)
        assert redact(dumped) == dumped
