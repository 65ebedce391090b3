from __future__ import annotations

import datetime as dt
import json
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from runbook_lib.base.errors import ArchiveError
from runbook_lib.record import journal as module
from runbook_lib.record.journal import FILE, Journal, plain, read_events


def test_an_event_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    entry = Journal(tmp_path).append("note", text="hello")
    assert json.loads((tmp_path / FILE).read_text()) == entry
    assert entry["seq"] == 1
    assert dt.datetime.fromisoformat(entry["at"]).utcoffset() == dt.timedelta(0)


def test_data_cannot_take_the_place_of_the_entry_s_own_words(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    entry = journal.append("note", seq=99, at="never", text="x")
    assert (entry["seq"], entry["event"], entry["text"]) == (1, "note", "x")
    assert entry["at"] != "never"


def test_a_second_journal_in_the_folder_goes_on_counting(tmp_path: Path) -> None:
    Journal(tmp_path).append("opened")
    Journal(tmp_path).append("closed")
    assert [(event["seq"], event["event"]) for event in read_events(tmp_path)] == [(1, "opened"), (2, "closed")]


def test_a_torn_last_line_is_told_and_does_not_hide_the_rest(tmp_path: Path) -> None:
    Journal(tmp_path).append("opened")
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"seq":2,"event":"int')
    assert [event["event"] for event in read_events(tmp_path)] == ["opened", "torn"]
    Journal(tmp_path).append("note", text="after the crash")
    events = read_events(tmp_path)
    assert [event["event"] for event in events] == ["opened", "torn", "note"]
    assert events[1]["text"].startswith('{"seq":2')


def test_every_cut_of_a_journal_can_be_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in range(3):
        journal.append("note", text=f"Grüße {number}")
    whole = (tmp_path / FILE).read_bytes()
    lines = whole.count(b"\n")
    for cut in range(len(whole) + 1):
        (tmp_path / FILE).write_bytes(whole[:cut])
        good = [event for event in read_events(tmp_path) if event["event"] == "note"]
        assert len(good) in (whole[:cut].count(b"\n"), whole[:cut].count(b"\n") + 1)
        assert len(good) <= lines


def test_a_pipe_in_its_place_is_one_sentence(tmp_path: Path) -> None:
    """To open one that nobody reads waits for ever: a cell stood, and so did its run."""
    os.mkfifo(tmp_path / FILE)
    with pytest.raises(ArchiveError, match="cannot be written"):
        Journal(tmp_path).append("opened")


def test_no_journal_is_no_events(tmp_path: Path) -> None:
    assert read_events(tmp_path / "absent") == []


def test_a_folder_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"^run gone is over: its record was sealed meanwhile"):
        Journal(tmp_path / "gone").append("note")


def _full(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_full_disk_does_not_hold_up_a_lowering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "4f1c"
    folder.mkdir()
    spare = tmp_path / "tmp"
    spare.mkdir()
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(spare))
    journal = Journal(folder)
    journal.append("opened")
    write = module._write
    monkeypatch.setattr(module, "_write", lambda path, text: _full() if path.parent == folder else write(path, text))
    with pytest.raises(ArchiveError, match="No space left on device"):
        journal.append("intent", what="raise")
    entry = journal.append_or_stderr("intent", what="switch off")
    assert entry["what"] == "switch off"
    assert "switch off" in capsys.readouterr().err
    assert json.loads((spare / "runbook-4f1c.jsonl").read_text())["what"] == "switch off"
    journal.append_or_stderr("loaded", policy="x" * 30_000)
    assert len(capsys.readouterr().err) < 1000, "it is kept whole elsewhere"
    assert len((spare / "runbook-4f1c.jsonl").read_text()) > 30_000
    monkeypatch.setattr(module, "_write", write)
    assert Journal(folder).append_or_stderr("note")["seq"] == 5, "of another process: the gap is told"
    assert journal.append_or_stderr("outcome")["seq"] == 5
    assert [event["seq"] for event in read_events(folder)] == [1, 5, 3, 4, 5], "what was owed comes first"
    assert journal.append_or_stderr("closed")["seq"] == 6, "and once"
    assert [event["seq"] for event in read_events(folder)] == [1, 5, 3, 4, 5, 6]


def test_a_full_temporary_folder_does_not_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module.os, "write", _full)
    assert Journal(tmp_path).append_or_stderr("intent", what="x" * 30_000)["event"] == "intent"
    assert len(capsys.readouterr().err) > 30_000, "it is kept nowhere else"


def test_half_a_line_written_to_a_full_disk_does_not_spoil_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    real = os.write

    def half(handle: int, raw: bytes) -> int:
        monkeypatch.setattr(module.os, "write", _full)
        return real(handle, raw[:10])

    monkeypatch.setattr(module.os, "write", half)
    with pytest.raises(ArchiveError):
        journal.append("intent", what="raise")
    monkeypatch.setattr(module.os, "write", real)
    journal.append("note", text="room again")
    assert [event["event"] for event in read_events(tmp_path)] == ["torn", "note"]


def test_lines_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    threads = [threading.Thread(target=journal.append, args=("note",), kwargs={"text": "x" * 5000}) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(event["seq"] for event in read_events(tmp_path)) == list(range(1, 9))


def test_an_attachment_is_noted_with_its_hash(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    sha = journal.attach("metrics.csv", "a,b\n1,2\n")
    assert (tmp_path / "metrics.csv").read_text() == "a,b\n1,2\n"
    assert read_events(tmp_path)[-1] | {"at": None} == {
        "seq": 1,
        "at": None,
        "event": "attached",
        "name": "metrics.csv",
        "bytes": 8,
        "sha256": sha,
    }


def test_what_was_seen_is_not_overwritten(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.attach("answers.json", "[1]")
    journal.attach("answers.json", "[2]")
    journal.attach("answers.json", b"[2]")
    assert [event["name"] for event in read_events(tmp_path)] == ["answers.json", "answers-2.json", "answers-2.json"]


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "record.json", "journal.jsonl", "notebook.ipynb"])
def test_an_attachment_cannot_leave_its_place(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="cannot be the name of a file in a record"):
        Journal(tmp_path).attach(name, "x")


def test_an_attachment_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match=r"answers\.json cannot be written \(Not a directory\)"):
        Journal(tmp_path / "file").attach("answers.json", "[]")


class _Model(BaseModel):
    a: int = 1


@dataclass
class _Data:
    b: float = float("inf")


def test_anything_becomes_json() -> None:
    value = {
        "model": _Model(),
        "data": _Data(),
        "tuple": (1, 2.5),
        "set": {"b", "a"},
        "nan": float("nan"),
        "path": Path("/x"),
        "time": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "numpy": np.float64(1.5),
        "array0": np.int64(3),
        5: None,
        "surrogate": "\ud800",
    }
    assert plain(value) == {
        "model": {"a": 1},
        "data": {"b": "Infinity"},
        "tuple": [1, 2.5],
        "set": ["a", "b"],
        "nan": "NaN",
        "path": "/x",
        "time": "2026-01-01T00:00:00+00:00",
        "numpy": 1.5,
        "array0": 3,
        "5": None,
        "surrogate": "?",
    }


def test_a_lenient_journal_never_stops_a_run_that_lowers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal(tmp_path / "gone", lenient=True)
    entry = journal.append("intent", what="switch off")
    digest = journal.attach("post-mortem.md", "text")
    assert entry["event"] == "intent" and len(digest) == 64
    told = capsys.readouterr().err
    assert "switch off" in told and "post-mortem.md cannot be written" in told


def test_many_events_are_written_as_one_by_one_and_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(handle), real(handle)))
    (tmp_path / "one").mkdir()
    (tmp_path / "all").mkdir()
    one, many = Journal(tmp_path / "one"), Journal(tmp_path / "all")
    checks = [{"check": {"id": str(place), "password": "hunter2"}} for place in range(60)]
    for data in checks:
        one.append("check", **data)
    assert len(synced) == 60
    many.append_all("check", checks)
    many.append_all("check", [])
    assert len(synced) == 61

    def kept(folder: str) -> list[dict[str, Any]]:
        return [{**event, "at": ""} for event in read_events(tmp_path / folder)]

    assert kept("all") == kept("one") and len(kept("all")) == 60
    assert "hunter2" not in (tmp_path / "all" / "journal.jsonl").read_text()


@given(st.integers(0, 5_000))
def test_many_events_torn_by_a_full_disk_are_told_and_spoil_nothing(room: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder))
        journal.append("opened")
        real, left = os.write, [room]

        def write(handle: int, raw: bytes) -> int:
            if left[0] <= 0:
                raise OSError(28, "No space left on device")
            done = real(handle, raw[: left[0]])
            left[0] -= done
            return done

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", write)
            try:
                journal.append_all("note", ({"text": "x" * 50} for _ in range(40)))
                full = False
            except ArchiveError as error:
                full = True
                assert "No space left on device" in str(error)
        journal.append("closed")
        found = [event["event"] for event in read_events(Path(folder))]
        notes, torn = found.count("note"), found.count("torn")
        assert (found[0], found[-1], len(found)) == ("opened", "closed", notes + torn + 2)
        assert torn <= 1 and (notes < 40) is full


def test_a_run_that_is_over_says_so_in_every_cell_that_is_run_again(tmp_path: Path) -> None:
    """The last cell run twice named a file in a folder that was gone."""
    journal = Journal(tmp_path / "8c61d6672519")
    for again in (lambda: journal.append("closed"), lambda: journal.attach("case.json", "{}")):
        with pytest.raises(ArchiveError, match=r"^run 8c61d6672519 is over: .*run all cells again$"):
            again()


def test_what_a_full_disk_did_not_take_is_read_from_the_temporary_folder_and_sealed_with_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, spare = tmp_path / "4f1d", tmp_path / "tmp"
    for one in (folder, spare):
        one.mkdir()
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(spare))
    journal = Journal(folder, lenient=True)
    journal.append("opened")
    write = module._write
    with pytest.MonkeyPatch.context() as disk:
        disk.setattr(module, "_write", lambda path, text: _full() if path.parent == folder else write(path, text))
        journal.append("intent", what="switch off")
        journal.append("outcome", ok=True)
        assert "No space left on device" in module.settle(folder)[0]
    assert [event["event"] for event in read_events(folder)] == ["opened", "intent", "outcome"]
    assert module.settle(folder) == module.settle(folder) == []
    lines = (folder / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["opened", "intent", "outcome"]
    assert not (folder / module.OWING).exists()
    module.forget(folder)
    assert list(spare.iterdir()) == []


def test_events_that_are_nowhere_are_said_to_be_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "4f1e"
    folder.mkdir()
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path / "none"))
    journal = Journal(folder, lenient=True)
    journal.append("opened")
    with pytest.MonkeyPatch.context() as disk:
        disk.setattr(module, "_write", _full)
        journal.append("intent", what="switch off")
    module.settle(folder)
    assert [event["event"] for event in read_events(folder)] == ["opened", "warning"]
    journal.append("outcome", ok=True)
    module.settle(folder)
    assert [event["event"] for event in read_events(folder)][-2:] == ["intent", "outcome"], "it has them after all"


@pytest.mark.parametrize("forged", ["link", "owner"])
def test_another_users_file_in_the_temporary_folder_is_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forged: str
) -> None:
    folder = tmp_path / "4f1f"
    folder.mkdir()
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    file = tmp_path / "runbook-4f1f.jsonl"
    file.write_text('{"seq": 9, "event": "outcome"}\n')
    assert [event["seq"] for event in read_events(folder)] == [9]
    if forged == "link":
        file.rename(tmp_path / "other")
        file.symlink_to("/proc/self/status")
    else:
        monkeypatch.setattr(module.os, "geteuid", lambda: 12_345_678)
    assert not any(event["event"] == "outcome" for event in read_events(folder))
