"""Verifies an archive of the rollout runbook with the standard library alone; it imports nothing of the runbook.

    python verify_standalone.py ARCHIVE [--witness FILE] [--key PUBLIC.pem]

Exit code 0: intact. 1: damaged, each damage is named. 3: cannot tell. docs/audit.md has the formats; `openssl` checks
signatures. Copy this file out of a release that you trust, not from the machine that you audit.
"""

import argparse
import base64
import datetime as dt
import json
import re
import shutil
import subprocess
import tempfile
from decimal import Decimal
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any

B64 = "(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
NOTE = re.compile(rf"(\S[^\n]*)\n(0|[1-9]\d{{0,14}})\n([A-Za-z0-9+/]{{43}}=)\n\n((?:\u2014 \S+ {B64}\n)*)")
NULL = subprocess.DEVNULL
WRONG = (ValueError, OSError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)


def must(right: object, said: str) -> bool:
    if not right:
        raise ValueError(said)
    return True


def openssl(*words: str) -> bool:
    return bool(shutil.which("openssl")) and subprocess.call(["openssl", *words], stdout=NULL, stderr=NULL) == 0


def strict(raw: bytes) -> dict[str, Any]:
    once: Any = {"object_pairs_hook": lambda pairs: must(len(dict(pairs)) == len(pairs), "a key twice") and dict(pairs)}
    return dict(json.loads(raw, parse_constant=lambda one: must(False, one), **once))


def jcs(value: Any) -> str:  # the canonical form of RFC 8785
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: pair[0].encode("utf-16-be"))
        return "{" + ",".join(f"{jcs(key)}:{jcs(one)}" for key, one in pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(jcs, value)) + "]"
    must(not isinstance(value, int) or abs(value) < 2**53, "a number has no exact form in RFC 8785")
    if not value or not isinstance(value, float):
        return "0" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    exact = Decimal(repr(value)).normalize()  # as ECMAScript writes it (RFC 8785, 3.2.2.3)
    return f"{exact:f}" if -7 < exact.adjusted() < 21 else re.sub("e([+-])0", r"e\1", repr(value))


def record_hash(record: dict[str, Any]) -> str:
    rest = {key: value for key, value in record.items() if key != "hash"}
    old = json.dumps(rest, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256((jcs(rest) if int(record.get("schema") or 0) >= 3 else old).encode()).hexdigest()


def safe(name: str) -> set[str]:  # a name as a folder; versions before 0.2 cut a long one without a hash
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip("._-") or "unknown"
    end = sha256(name.encode("utf-8", "replace")).hexdigest()[:16]
    return {plain} if len(plain) <= 100 else {f"{plain[:83]}-{end}", plain[:100]}


def stamp(at: str) -> str:
    return f"{dt.datetime.fromisoformat(at).astimezone(dt.UTC):%Y%m%dT%H%M%S.%f}"[:-3] + "Z"


def roots(leaves: list[bytes]) -> list[bytes]:  # the root of the tree at each size (RFC 6962, 2.1)
    peaks, found = list[bytes](), [sha256(b"").digest()]
    for size, line in enumerate(leaves):
        peaks.append(sha256(b"\0" + line).digest())
        for _ in range((size ^ (size + 1)).bit_length() - 1):
            peaks[-2:] = [sha256(b"\1" + peaks[-2] + peaks[-1]).digest()]
        found.append(reduce(lambda root, peak: sha256(b"\1" + peak + root).digest(), reversed(peaks)))
    return found


def checked(folder: Path) -> dict[str, Any]:  # the record in a folder, by itself
    must(re.fullmatch(r"\d{8}T\d{6}\.\d{3}Z-[A-Za-z0-9]+", folder.name), "sealing makes no such thing")
    record = strict(raw := (folder / "record.json").read_bytes())
    must(raw == json.dumps(record, indent=1, ensure_ascii=False).encode(), "record.json is spelt otherwise")
    must(record["hash"] == record_hash(record), "record.json was altered")
    must(folder.name == f"{stamp(record['sealed_at'])}-{record['run_id']}", "the folder was renamed")
    for key, part in zip(("env", "release", "notebook"), folder.parts[-4:-1], strict=True):
        must((part.partition("=")[2] or part) in safe(record[key]), "it belongs to another folder")
    must(not any(one.is_symlink() for one in (folder.parent, folder, *folder.iterdir())), "a link is in it")
    there = {one.name for one in folder.iterdir() if one.name != "attachments" or one.is_file()} - {"record.json"}
    must(there == set(record["files"]), f"files were added or removed: {there ^ set(record['files'])}")
    for name, said in record["files"].items():
        must(sha256((folder / name).read_bytes()).hexdigest() == said, f"{name} was altered")
    return record


def attached(folder: Path, record: dict[str, Any], known: set[str], taken: list[str] | None) -> None:
    old = str((record.get("versions") or {}).get("rollout-runbook")).startswith("0.1.")
    for one in sorted((folder / "attachments").glob("*")):
        if not one.name.startswith(".part-"):
            facts = strict(raw := (one / "attachment.json").read_bytes())
            right = one.name == stamp(facts["attached_at"]) and raw == json.dumps(facts, indent=1).encode()
            found = {each.name: sha256(each.read_bytes()).hexdigest() for each in one.iterdir()}
            right = right and found == {**facts["files"], "attachment.json": sha256(raw).hexdigest()}
            right = right and (facts["record"], facts["run_id"]) == (record["hash"], record["run_id"])
            must(right and facts["hash"] == record_hash(facts), f"the attachment {one.name} was altered")
            bound = facts["hash"] in known or (old and (taken is None or facts["hash"] in taken))
            must(bound, f"the attachment {one.name} was not attached")


def signed(body: bytes, lines: str, key: str) -> bool | None:  # None: there is no such key, or no openssl
    with tempfile.TemporaryDirectory() as folder:
        verify = f"pkeyutl -verify -rawin -pubin -in {folder}/text -sigfile {folder}/signature -inkey".split()
        Path(folder, "text").write_bytes(body)
        parts = [base64.b64decode(line.split(" ")[2])[4:] for line in lines.splitlines()]
        good = any(Path(folder, "signature").write_bytes(one) and openssl(*verify, key) for one in parts)
    return good or (False if openssl("pkey", "-pubin", "-in", key) else None)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--witness", type=Path, action="append", default=[])
    parser.add_argument("--key", default="")
    given = parser.parse_args(arguments)
    root, bad, unsure = given.archive.absolute(), [], []
    if odd := [one for one in root.rglob("*") if one.exists() and not (one.is_file() or one.is_dir())]:
        print(f"damaged: {odd[0]}: it is a pipe or a device, which may have no end")
        return 1
    records, stones, known, chains, leaves, late = json.loads("[{}, {}, {}, {}, {}, {}]")
    lines, note, begun = list[bytes](), None, root / "log" / "sealing.json"
    for folder in sorted(one for one in root.glob("env=*/release=*/*/*") if not one.name.startswith(".part-")):
        path, own = folder.relative_to(root).as_posix(), chains.setdefault(folder.parent, [])
        try:
            if folder.name != "HEAD" or folder.is_symlink():
                record = records[path] = checked(folder)
                own.append((path, record.get("previous", ""), record["hash"]))
                entry = record.get("entry") or {}
                bound = entry.get("kind") == "attachment" and entry["facts"]["attachment"]
                known.setdefault(folder.parents[1], set()).add(bound)
                stones |= entry["facts"]["records"] if entry.get("kind") == "tombstone" else {}
        except WRONG as error:
            bad.append(f"{path}: {error}")
    try:
        parts = [root / "log" / "leaves.jsonl", *sorted((root / "log").glob("leaves.part-*"))]
        *lines, torn = b"".join(each := [part.read_bytes() for part in parts]).split(b"\n")
        leaves = {one["path"]: one for one in map(strict, lines)}
        must(note := NOTE.fullmatch((root / "log" / "checkpoint").read_text()), "the checkpoint is none")
        must([one["index"] for one in leaves.values()] == [*range(len(lines))], "leaves were moved, or stand twice")
        late = strict(begun.read_bytes()) if begun.exists() else {}
        must(late or not (torn or begun.exists() or b"" in each[1:]), "sealing.json is none, or leaves are cut off")
    except WRONG as error:
        bad += [f"log: {error}"] if (root / "log").exists() else []
    at, size = roots(lines), int(note[2]) if note else 0
    if note and len(lines) - size not in ((0, 1) if late else (0,)):
        bad.append(f"log: the checkpoint is of {size} records, the log has {len(lines)}")
    elif note and base64.b64decode(note[3]) != at[size]:
        bad.append("log: leaves were altered: their root is not that of the checkpoint")
    good = not note or not given.key or signed(f"{note[1]}\n{size}\n{note[3]}\n".encode(), note[4], given.key)
    bad += ["log/checkpoint: it is not signed by the key"] if good is False else []
    unsure += [f"{given.key}: openssl reads no public key there"] if good is None else []
    pruned = [path for path, one in stones.items() if path not in records and one["leaf"] == leaves.get(path)]
    for chain, own in chains.items():
        buried = [(path, stones[path]["previous"], leaves[path]["hash"]) for path in pruned]
        links = sorted([*own, *(one for one in buried if (root / one[0]).parent == chain)])
        hashes = [None, *(one[2] for one in links)]
        if [one[1] for one in links] != hashes[:-1]:
            bad.append(f"{chain.relative_to(root)}: a record was not sealed after the one before it")
        head = (chain / "HEAD").read_bytes().decode("utf-8", "replace").strip() if (chain / "HEAD").is_file() else None
        if head not in hashes[-2:] or (head is None and (len(own) > 1 or leaves)):
            bad.append(f"{chain.relative_to(root)}: HEAD is not that of the newest record")
    for path, record in records.items():
        leaf, file = leaves.get(path), sha256((root / path / "record.json").read_bytes()).hexdigest()
        try:
            attached(root / path, record, known.get((root / path).parents[1], set()), leaf and leaf["attachments"])
            pending = (late.get("path"), late.get("hash")) == (path, record["hash"])
            must(leaf or pending or not (leaves or record["schema"] >= 3), "it is not in the log")
            unsure += [f"{path} was being sealed, and is not in the log yet"] if pending and not leaf else []
            must(not leaf or (leaf["hash"], leaf["file"]) == (record["hash"], file), "the log has another record")
            must(not leaf or leaf["how"] != "taken_in" or record["schema"] < 3, "it was in a log that was removed")
        except WRONG as error:
            bad.append(f"{path}: {error}")
    bad += [f"{path}: removed; the log has it" for path in leaves.keys() - pruned if not (root / str(path)).is_dir()]
    above = [root / "log", *(one for each in ("env=*", "env=*/*", "env=*/*/*", "log/*") for one in root.glob(each))]
    bad += [f"{x}: it was put there" for x in above if x.is_symlink() or (x.is_file() and x.parent.name != "log")]
    for one, file in ((one, one / "checkpoint" if one.is_dir() else one) for one in given.witness):
        seen = NOTE.fullmatch(file.read_bytes().decode("utf-8", "replace")) if file.is_file() else None
        unsure += [] if seen else [f"{one} keeps no checkpoint"]
        if seen and not (note and seen[1] == note[1] and [base64.b64decode(seen[3])] == at[int(seen[2]) :][:1]):
            bad.append(f"{one}: it has seen {seen[2]} records of {seen[1]}, which are not those of this archive")
    unsure += [] if note else ["there is no log: whether records were removed cannot be told"]
    print("\n".join([*(f"damaged: {one}" for one in bad), *(f"cannot tell: {one}" for one in unsure)]) or "intact")
    return 1 if bad else 3 if unsure else 0


if __name__ == "__main__":
    raise SystemExit(main())
