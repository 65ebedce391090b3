"""Sealing: canonical JSON, hashes, and folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.plain_file import open_plain


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value for hashing: keys sorted, no spaces, UTF-8, no NaN.

    >>> canonical({"b": 1.0, "a": [True, None]})
    b'{"a":[true,null],"b":1.0}'
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def strict(raw: bytes) -> Any:
    """The value of a JSON text whose objects have no key twice, and whose numbers are finite.

    Two readers may take different values of a repeated key: a sealed file has none.

    Raises:
        ValueError: the text is not such JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(raw, object_pairs_hook=_once, parse_constant=_no_number)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def written(value: Any) -> bytes:
    """The one spelling of a JSON value in `record.json`: one value per line, indented by depth, nothing after it."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """SHA-256 of the canonical spelling of a JSON value, hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


JCS_SINCE = 3
"""Records from this schema on are hashed in the form of RFC 8785, which other programs can compute."""
_EXACT = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 8785, 3.2.2.3; RFC 7493)."""


def jcs(value: Any) -> bytes:
    """The canonical form of a JSON value by RFC 8785 (JSON Canonicalization Scheme).

    Raises:
        ValueError: the value has a number without an exact form, or characters that are not valid text.
    """
    import rfc8785

    return rfc8785.dumps(value)


def exact(value: Any) -> Any:
    """The value with each integer that RFC 8785 cannot represent exactly replaced by its digits as text."""
    if isinstance(value, dict):
        return {key: exact(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [exact(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        return str(value)
    return value


def record_hash(record: Mapping[str, Any]) -> str:
    """The hash of a record over everything but its own `hash`, in the canonical form of its schema.

    Raises:
        ValueError: the record has no canonical form.
    """
    schema = record.get("schema")
    form = jcs if isinstance(schema, int) and schema >= JCS_SINCE else canonical
    return hashlib.sha256(form({key: value for key, value in record.items() if key != "hash"})).hexdigest()


def gates_digest(gates: Iterable[Mapping[str, Any]]) -> str:
    """Digest of what a notebook's closing output and the record must share: each gate's verdict, value, interval, n."""
    seen = ("verdict", "value", "low", "high", "n")
    return digest([[gate.get("gate", {}).get("id"), *(gate.get(key) for key in seen)] for gate in gates])


def file_hash(path: Path, most: int = 0) -> str:
    """SHA-256 of a file, hexadecimal.

    Args:
        most: most bytes that it may have; 0: any number. A file with a hole of terabytes takes no space, but hours.

    Raises:
        OSError: it cannot be read, or has more bytes.
    """
    with open_plain(path) as file:
        if most and os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_folder(final: Path, files: Mapping[str, bytes], copies: Mapping[str, Path] | None = None) -> None:
    """Makes the folder `final` with `files` (name to content) and `copies` (name to source), whole or not at all.

    Everything goes into a hidden folder beside it, is synced to disk, and is then renamed: after a crash at any point
    the folder is complete or absent.

    Raises:
        ArchiveError: `final` exists already, or the disk cannot be written.
    """
    part = _part(final)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():
            raise ArchiveError(f"{final} exists already; a record is never overwritten")
        part.mkdir()
        for name, source in (copies or {}).items():
            shutil.copyfile(source, part / name)
            sync(part / name)
        for name, content in files.items():
            (part / name).write_bytes(content)
            sync(part / name)
        sync(part)
        part.rename(final)
        sync(final.parent)
    except (OSError, ValueError) as error:  # ValueError: a path cannot have such a character
        why = f"{getattr(error, 'strerror', None) or error}"
        raise ArchiveError(f"{final} cannot be written ({why}){how_to_share(final, error)}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def how_to_share(path: Path, error: Exception) -> str:
    """What to do where `path` cannot be written for its folder is another user's, as the end of a sentence."""
    if not isinstance(error, PermissionError):
        return ""
    for folder in (path, *path.parents):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.geteuid():
                return ""
            told = "people who share an archive set umask 002 and give its folders to one group (chmod -R g+ws)"
            return f"; {folder} belongs to another user: {told}"
    return ""


def _part(final: Path) -> Path:
    """Another name beside it for what is not whole yet.

    Who may read and write it is for the process's umask to say, as of any file. `tempfile` would let nobody else in:
    where people share a folder, its log could be read by its last writer alone.
    """
    return final.with_name(f".part-{secrets.token_hex(8)}")


def replace_file(path: Path, content: bytes) -> None:
    """Writes a small file so that a reader sees the old or the new content, never a mixture.

    Raises:
        ArchiveError: the disk cannot be written.
    """
    part = _part(path)
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ArchiveError(f"{path} cannot be written ({error.strerror or error})") from None


def sync(path: Path) -> None:
    """Syncs a file or folder to disk; some systems cannot sync folders, which is ignored."""
    handle = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(PermissionError):
            os.fsync(handle)
    finally:
        os.close(handle)
