"""Files are written all or none, and each at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.all_or_none import write_all

NAMES = st.sampled_from(["a", "b", "x/a", "x/y/b", "z/c"])


def tree(root: Path) -> dict[str, bytes | None]:
    return {str(one.relative_to(root)): one.read_bytes() if one.is_file() else None for one in root.rglob("*")}


@given(
    st.dictionaries(NAMES, st.binary(max_size=9)),
    st.dictionaries(NAMES, st.binary(max_size=9), min_size=1),
    st.integers(0, 5),
)
def test_a_failure_at_any_file_leaves_what_was(
    tmp_path_factory: pytest.TempPathFactory, there: dict[str, bytes], wanted: dict[str, bytes], fails: int
) -> None:
    root = tmp_path_factory.mktemp("all")
    write_all({root / name: content for name, content in there.items()})
    before, rename, done = tree(root), Path.replace, 0

    def replace(part: Path, target: Path) -> Path:
        nonlocal done
        done += 1
        if done > fails:
            raise OSError(28, "No space left on device")
        return rename(part, target)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        if fails < len(wanted):
            with pytest.raises(OSError, match="No space left"):
                write_all({root / name: content for name, content in wanted.items()})
            assert tree(root) == before
            return
        write_all({root / name: content for name, content in wanted.items()})
    files = {name: content for name, content in tree(root).items() if content is not None}
    assert files == {**there, **wanted}


def test_permissions_and_a_link_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_bytes(b"old")
    real.chmod(0o750)
    link.symlink_to(real)
    write_all({link: b"new"})
    assert link.is_symlink() and real.read_bytes() == b"new" and real.stat().st_mode & 0o777 == 0o750


def test_the_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(OSError, match="a/b") as refused:
        write_all({tmp_path / "new": b"", tmp_path / "a" / "b": b""})
    assert str(tmp_path / "a" / "b") in str(refused.value) and [one.name for one in tmp_path.iterdir()] == ["a"]
