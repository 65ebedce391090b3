"""The standalone verifier stands alone, is short, and comes to the hashes that the product comes to."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook_lib.record import verify_standalone
from runbook_lib.record.archive import Archive
from runbook_lib.record.audit import audit
from runbook_lib.record.log.merkle import leaf_hash, roots
from runbook_lib.record.log.witness import FileWitness
from runbook_lib.record.place import RecordRef, safe
from runbook_lib.record.seal import jcs
from tests.archives import of_version_0_2_and_earlier

FILE = Path(verify_standalone.__file__)
PACKED = Path(__file__).parents[1] / "fixtures" / "records-0.1" / "archive.tar.xz"
TEXT = st.text(st.characters(exclude_categories=("Cs",)))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | FLOATS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=12,
)


def test_it_has_at_most_200_lines_and_imports_the_standard_library_alone() -> None:
    text = FILE.read_text()
    assert len(text.splitlines()) <= 200
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [str(node.module) if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports]
    imported = {name.partition(".")[0] for name in names}
    assert imported <= sys.stdlib_module_names


@given(JSON)
@example([1e21, 1e-6, 1e-7, 1.0, 0.1, 123456789012345680000.0, -0.0, 5e-324, 1.7976931348623157e308, 333333333.3333333])
@example({"\ufb33": 1, "\U0001f600": 2, "\u20ac": 3})
def test_its_canonical_form_is_that_of_the_package(value: object) -> None:
    assert verify_standalone.jcs(value).encode() == jcs(value)


@given(st.lists(st.binary(max_size=3), max_size=40))
def test_its_roots_are_those_of_the_log(lines: list[bytes]) -> None:
    wanted = roots([leaf_hash(line) for line in lines], range(len(lines) + 1))
    assert verify_standalone.roots(lines) == [wanted[size] for size in range(len(lines) + 1)]


@given(st.text("aZ0._-/ é", max_size=130))
def test_its_folders_are_those_of_the_archive(name: str) -> None:
    assert safe(name) in verify_standalone.safe(name)


def test_it_runs_where_nothing_is_installed(archive: Archive, sealed: Callable[..., RecordRef], tmp_path: Path) -> None:
    ref = sealed()
    alone = tmp_path / "verify_standalone.py"
    alone.write_text(FILE.read_text())
    command = [sys.executable, "-I", "-S", str(alone), str(archive.root)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "intact\n"), done.stderr
    (ref.folder / "answers.json").write_text("[]")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "answers.json was altered" in done.stdout


def test_two_keys_are_refused(archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        verify_standalone.main([str(archive.root), "--key", "a", "--key", "b"])
    assert ended.value.code == 2 and "--key is said twice" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["healthy", "rollback"])
def test_it_reads_records_of_version_0_1(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.unpack_archive(PACKED, tmp_path)
    assert verify_standalone.main([str(tmp_path / name)]) == 3
    assert "damaged" not in capsys.readouterr().out
    record = next((tmp_path / name).glob("env=*/*/*/*/record.json"))
    record.write_text(json.dumps(json.loads(record.read_text()) | {"attempt": 7}, indent=1, ensure_ascii=False))
    assert verify_standalone.main([str(tmp_path / name)]) == 1


def test_it_reads_records_of_schema_2_and_those_taken_in(
    archive: Archive, sealed: Callable[..., RecordRef], capsys: pytest.CaptureFixture[str]
) -> None:
    sealed()
    sealed()
    of_version_0_2_and_earlier(archive)
    assert verify_standalone.main([str(archive.root)]) == 3
    sealed()
    assert verify_standalone.main([str(archive.root)]) == 0


def test_a_witness_that_is_no_text_contradicts_nobody(
    archive: Archive, sealed: Callable[..., RecordRef], tmp_path: Path
) -> None:
    sealed()
    note, file = (archive.root / "log" / "checkpoint").read_bytes(), tmp_path / "seen"
    for at in range(len(note)):
        file.write_bytes(note[:at] + b"\xff" + note[at + 1 :])
        assert verify_standalone.main([str(archive.root), "--witness", str(file)]) == 3, at
    assert audit(archive, None, [FileWitness(file)]).exit_code == 3
