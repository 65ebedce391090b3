"""One rule for what lies around the records: `list`, `show`, `replay --all` and the standalone verifier end as `verify`
does, whatever is put into the archive.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from runbook_lib.base.errors import RunbookError
from runbook_lib.cli.app import app
from runbook_lib.cli.archive import archive_list, archive_show, archive_verify
from runbook_lib.cli.questions import archive_export, archive_query
from runbook_lib.cli.replay import replay
from runbook_lib.cli.site import archive_site
from runbook_lib.commands.archive import verify
from runbook_lib.record import verify_standalone
from runbook_lib.record.archive import Archive
from runbook_lib.record.frame import frame, shut_in
from runbook_lib.record.log import files
from runbook_lib.record.place import RecordRef
from runbook_lib.record.predecessors import predecessors
from tests.archives import of_version_0_2_and_earlier
from tests.other_user import another_person

CHAIN = "env=dev/release=r1/06_phase1_10_percent"


def ended(command: Callable[[], object]) -> int:
    """The exit code that a command comes to."""
    try:
        command()
    except RunbookError as error:
        assert "\n" not in str(error)
        return int(error.exit_code)
    except typer.Exit as done:
        return done.exit_code
    return 0


@pytest.fixture
def kept(archive: Archive, sealed: Callable[..., RecordRef]) -> Archive:
    sealed("SOAK")
    sealed("PROMOTE")
    return archive


def linked(root: Path, place: str) -> None:
    """What lies there is put elsewhere, and a link in its place."""
    (root / place).rename(root.parent / "elsewhere")
    (root / place).symlink_to(root.parent / "elsewhere")


def copied(root: Path, place: str) -> None:
    """Another archive, whole."""
    shutil.copytree(root, root.parent / "other")
    shutil.copytree(root.parent / "other", root / place)


def put(content: str) -> Callable[[Path, str], None]:
    return lambda root, place: (root / place).write_text(content) and None


def folder(root: Path, place: str) -> None:
    (root / place).mkdir(parents=True)


def pipe(root: Path, place: str) -> None:
    os.mkfifo(root / place)


def nothing(root: Path, place: str) -> None:
    pass


def moved(root: Path, place: str) -> None:
    (root / CHAIN).rename(root / place)


def of_before_the_log(root: Path, place: str) -> None:
    of_version_0_2_and_earlier(Archive(root))


def emptied(root: Path, place: str) -> None:
    """The log and the records of a chain removed, and its HEAD left."""
    of_version_0_2_and_earlier(Archive(root))
    for one in (root / CHAIN).glob("2*"):
        shutil.rmtree(one)


KINDS: list[tuple[Callable[[Path, str], object], str, int]] = [
    (nothing, "", 0),
    (linked, "log", 1),
    (linked, "log/leaves.jsonl", 1),
    (linked, "log/checkpoint", 1),
    (linked, "log/tree.json", 1),
    (pipe, "log/sealing.json", 1),
    (pipe, "log/evil", 1),
    (put("no seal"), "log/sealing.json", 1),
    (put("{}"), "log/sealing.json", 1),
    (folder, "log/sealing.json", 1),
    (linked, f"{CHAIN}/HEAD", 1),
    (linked, CHAIN, 1),
    (linked, "env=dev/release=r1", 1),
    (linked, "env=dev", 1),
    (put("x"), "env=dev/readme.txt", 1),
    (put("x"), "env=dev/release=r1/readme.txt", 1),
    (put("x"), f"{CHAIN}/readme.txt", 1),
    (folder, f"{CHAIN}/more", 1),
    (folder, "env=dev/r1", 1),
    (folder, "env=dev/.part-r1", 1),
    (folder, f"{CHAIN}/.part-cut-short", 0),
    (folder, "env=dev/release=r2/06_phase1_10_percent", 0),
    (put("x"), "env=prod", 1),
    (pipe, "env=prod", 1),
    (pipe, "env=dev/release=r1/more", 1),
    (put("x"), "readme.txt", 0),
    (put("x"), "log/.DS_Store", 0),
    (put("x"), "env=dev/desktop.ini", 0),
    (put("x"), f"{CHAIN}/._HEAD", 0),
    (folder, "env=dev/.DS_Store", 1),
    (pipe, "pipe", 0),
    (folder, "env=a\nintact: 9 records: b", 1),
    (folder, "env=dev/release=\x1b[2J", 1),
    (folder, "env=dev/release=r1/.hidden", 1),
    (moved, "env=dev/release=r1/.part-06_phase1_10_percent", 1),
    (moved, "env=dev/release=r1/06_phase1_10_percent\n", 1),
    (copied, "env=prod", 1),
    (copied, "env=dev/release=foreign", 1),
    (of_before_the_log, "", 3),
    (emptied, "", 1),
]


@pytest.mark.slow
@pytest.mark.parametrize(("do", "place", "code"), KINDS, ids=lambda one: getattr(one, "__name__", None))
def test_all_commands_end_as_verify_does(
    kept: Archive, do: Callable[[Path, str], object], place: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    run, root = kept.records()[0].run_id, kept.root
    do(root, place)
    found = {"verify": int(verify(root).exit_code), "standalone": verify_standalone.main([str(root)])}
    assert not {"\x1b", "intact: 9 records: b"} & {*capsys.readouterr().out.replace("\x1b", "\n\x1b\n").splitlines()}
    found["list"] = ended(lambda: archive_list(root, json_=True))
    if kept.records():
        found["show"] = ended(lambda: archive_show(run, root, json_=True))
    found["replay"] = ended(lambda: replay(all_=True, archive=root, json_=True))
    assert found == dict.fromkeys(found, code)
    out = capsys.readouterr().out
    assert "\x1b" not in out and all(isinstance(json.loads(line), (list, dict)) for line in out.splitlines())


@pytest.mark.parametrize(("name", "code"), [("Thumbs.db", 0), ("._record.json", 0), ("report.html.orig", 1)])
def test_what_a_file_manager_leaves_is_no_damage_of_a_record(kept: Archive, name: str, code: int) -> None:
    """Who looked at a record in Finder had it called damaged, and with it the phase that depends on it blocked."""
    for record in kept.records():
        (record.folder / name).write_bytes(b"x")
    assert int(verify(kept.root).exit_code) == verify_standalone.main([str(kept.root)]) == code
    assert code or archive_list(kept.root, json_=True) is None


def test_what_is_said_names_places_on_one_line(kept: Archive) -> None:
    folder(kept.root, "env=dev/release=a\nintact")
    (one,) = frame(kept.root).damage
    assert one.place == "env=dev/release=a\\nintact" and "\\nintact was put there" in one.sentence


@pytest.mark.parametrize("name", ["checkpoint", "tree.json", "leaves.jsonl", "checkpoint2"])
def test_damage_of_the_log_is_at_its_own_file(kept: Archive, name: str) -> None:
    """The place was read out of the sentence's beginning, so `checkpoint2` stood for the checkpoint."""
    (kept.root / "log" / name).unlink(missing_ok=True)
    pipe(kept.root, f"log/{name}")
    assert f"log/{name}" in {one.place for one in frame(kept.root).damage if "is not a file" in one.sentence}


@pytest.mark.parametrize("closed", ["", "env=prod", "env=prod/release=r1", "env=prod/release=r1/06_phase1"])
def test_what_this_user_may_not_look_into_is_named(
    closed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status` proposed the first step of a rollout whose records it could not list."""
    for chain in ("env=prod/release=r1/06_phase1", "env=dev/release=r1/02_deploy_dev", "log", ".staging/x"):
        (tmp_path / chain).mkdir(parents=True)
    real = os.scandir

    def listed(folder: str) -> Any:
        if folder == str(tmp_path / closed).rstrip("/"):
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    assert shut_in(tmp_path) == shut_in(tmp_path / "none") == []
    monkeypatch.setattr(os, "scandir", listed)
    (told,) = shut_in(tmp_path)
    assert told.startswith(f"{tmp_path / closed}: this user may not read it")


@pytest.mark.slow
def test_damage_beside_a_folder_that_is_shut_is_found(kept: Archive) -> None:
    """The walk ended at the first folder that it may not look into."""
    with tempfile.TemporaryDirectory(dir="/tmp") as where:
        Path(where).chmod(0o755)
        root = Path(shutil.copytree(kept.root, Path(where, "archive")))
        folder(root, f"{CHAIN}/put there")
        (root / "env=a").mkdir(mode=0)
        with another_person():
            found = frame(root)
        assert [one.place for one in found.damage] == [f"{CHAIN}/put there"] and "env=a" in found.unknown[0]


@pytest.mark.slow
@pytest.mark.parametrize("mode", [0, 0o444, 0o111])
def test_an_archive_that_this_user_may_not_look_into_is_not_judged(
    kept: Archive, mode: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As they are typed: they ended as damaged, or as bad usage of an `--archive` that nobody had written."""
    run = kept.records()[0].run_id
    commands = ["archive verify", "archive list", f"archive show {run}", "replay --all", "archive site"]
    commands += ["archive query,SELECT 1", f"archive prove {run}", "archive prune --older-than 1d", "archive sync"]
    with tempfile.TemporaryDirectory(dir="/tmp") as where:
        Path(where).chmod(0o755)
        shutil.copytree(kept.root, Path(where, "archive"))
        monkeypatch.chdir(where)
        for command in commands:
            typed(command)  # what they import, the other person may not be able to
        capsys.readouterr()
        Path("archive").chmod(mode)
        with another_person():
            found = {one: (typed(one), "--archive" in "".join(capsys.readouterr())) for one in commands}
        Path("archive").chmod(0o755)
        assert found == dict.fromkeys(commands, (3, False))


def typed(command: str) -> int:
    """The exit code of a command line; words are parted by spaces, or by a comma."""
    words, _, last = command.partition(",")
    arguments = [*words.split(), *([last] if last else [])]
    return ended(lambda: typer_exit(get_command(app).main(arguments, standalone_mode=False) or 0))


SHUT = [".", "log", "log/leaves.jsonl", "log/checkpoint", "log/tree.json", "env=dev", "env=dev/release=r1", CHAIN]
SHUT += [f"{CHAIN}/HEAD", f"{CHAIN}/2*", f"{CHAIN}/2*/record.json", f"{CHAIN}/2*/report.html"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", [0, 0o444, 0o111])
@pytest.mark.parametrize("place", SHUT)
def test_what_may_not_be_read_is_no_damage(
    archive: Archive,
    sealed: Callable[..., RecordRef],
    place: str,
    mode: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mode 444 lets a folder be listed, and nothing in it be opened; 111 the other way round."""
    sealed("SOAK")
    sealed("PROMOTE")
    with tempfile.TemporaryDirectory(dir="/tmp") as where:  # pytest's own folders are closed to others
        Path(where).chmod(0o755)
        root = Path(shutil.copytree(archive.root, Path(where, "archive")))
        (root / ".staging").exists() and shutil.rmtree(root / ".staging")
        for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
            monkeypatch.setenv(name, f"{where}/{name}")
        first = next(iter(sorted(root.glob(place)))) if place != "." else root
        if first.is_file() and mode:
            return
        run, old = Archive(root).records()[0].run_id, first.stat().st_mode
        commands = {
            "verify": lambda: archive_verify(root, json_=True),
            "standalone": lambda: typer_exit(verify_standalone.main([str(root)])),
            "list": lambda: archive_list(root, json_=True),
            "replay": lambda: replay(all_=True, archive=root, json_=True),
        }
        if first.name == "record.json" or "log" in place:
            commands["show"] = lambda: archive_show(run, root, json_=True)
        if first.name not in ("HEAD", "report.html", "tree.json") and not ("2" in place and mode == 0o111):
            # Of a record they read `record.json` alone, of the log its leaves.
            (out := Path(where, "out")).mkdir()
            out.chmod(0o777)
            commands["query"] = lambda: archive_query("SELECT 1", root, json_=True)
            commands["export"] = lambda: archive_export(root, csv=out / f"csv-{os.geteuid()}")
            commands["site"] = lambda: archive_site(root, out / f"site-{os.geteuid()}", json_=True)
        for command in commands.values():  # what they import, the other person may not be able to
            assert ended(command) == 0
        capsys.readouterr()
        files._read.cache_clear()
        first.chmod(mode)
        try:
            with another_person():
                found = {name: (ended(command), capsys.readouterr().out) for name, command in commands.items()}
        finally:
            first.chmod(old)
        assert {name: code for name, (code, _) in found.items()} == dict.fromkeys(found, 3), found
        assert all(str(first) in found[one][1] for one in ("verify", "standalone")), found
        if first.is_dir() and not mode and first.name != "log" and "2" not in first.name[:1]:
            first.chmod(mode)
            try:
                with another_person():
                    (finding,) = predecessors(Archive(root), ["06_phase1_10_percent@dev"], "r1")
            finally:
                first.chmod(old)
            assert not finding.ok and "may not read it" in finding.sentence, "a step waits, and says for what"


def typer_exit(code: int) -> None:
    raise typer.Exit(code)


@pytest.mark.parametrize("place", ["log", "env=*/release=*/06*", "env=*/release=*/06*/2*/attachments"])
def test_what_a_crash_left_and_nobody_may_read_hides_nothing(
    archive: Archive, sealed: Callable[..., RecordRef], place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both verifiers leave a `.part-` alone, whatever may be done with it."""
    sealed("SOAK")
    sealed("PROMOTE")
    with tempfile.TemporaryDirectory(dir="/tmp") as where:
        Path(where).chmod(0o755)
        root = Path(shutil.copytree(archive.root, Path(where, "archive")))
        (root / ".staging").exists() and shutil.rmtree(root / ".staging")
        folder = next(iter(sorted(root.glob(place.removesuffix("/attachments")))))
        folder = folder / "attachments" if place.endswith("/attachments") else folder
        folder.mkdir(exist_ok=True)
        (left := folder / ".part-0123").write_text("half")
        left.chmod(0)
        commands = [lambda: archive_verify(root, json_=True), lambda: typer_exit(verify_standalone.main([str(root)]))]
        found = [ended(command) for command in commands]
        capsys.readouterr()
        with another_person():
            assert [ended(command) for command in commands] == found == [0, 0], capsys.readouterr().out
