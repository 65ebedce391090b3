"""Verifies an archive of the rollout runbook with the standard library alone; it imports nothing of the runbook.

Exit code 0: intact. 1: damaged, each damage is named. 3: cannot tell. Copy this file out of a release that you trust.
"""

import argparse
import base64
import datetime as dt
import json
import re
import subprocess
import tempfile
from decimal import Decimal
from functools import partial, reduce
from hashlib import sha256
from pathlib import Path
from typing import Any

X, Z, T = "[A-Za-z0-9+/]", "[AEIMQUYcgkosw048]=", '"[^"]*"'  # base64 has one spelling here
B64 = rf"(?:{X}{{4}})+(?:{X}{{4}}(?:{X}[AQgw]==)?|{X}{{2}}{Z})"
NOTE = re.compile(rf"(\S[^\n]*)\n(0|[1-9][0-9]{{0,14}})\n({X}{{42}}{Z})\n\n((?:\u2014 \S+ {B64}\n)*)")
NAMED, RECORD = "[A-Za-z0-9][A-Za-z0-9._-]*", r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[A-Za-z0-9]+"
DEEP, PLACE = rb"(?m)^ {101}|^ {100}.*[\]}],?$", rf"env={NAMED}/release={NAMED}/{NAMED}/{RECORD}"
LEAF = rf'{{"attachments":\[[^]]*\],"file":{T},"hash":{T},"how":"(sealed|completed|taken_in)","index":\d+,"kind":{T},'
LEAF += rf'"path":"{PLACE}","schema":1,"sealed_at":{T}}}'
LAID = r"(?s)log/((tree|sealing|writer)\.json|leaves\.jsonl|checkpoint|(leaves)?\.part-[^/]*)?|"
LAID += rf"env={NAMED}/(release={NAMED}/({NAMED}/(HEAD|\.part-.*|{RECORD}/(?!attachments$).*)?)?)?"
WRONG = (ValueError, OSError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)


def must(right: object, said: str) -> Any:
    if not right:
        raise ValueError(said)


def strict(raw: bytes) -> dict[str, Any]:
    once: Any = {"object_pairs_hook": lambda pairs: must(len(dict(pairs)) == len(pairs), "a key twice") or dict(pairs)}
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
    return {plain} if len(plain) <= 100 else {f"{plain[:83]}-{sha256(name.encode()).hexdigest()[:16]}", plain[:100]}


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
    record = strict(raw := (folder / "record.json").read_bytes())
    must(raw == json.dumps(record, indent=1, ensure_ascii=False).encode(), "record.json is spelt otherwise")
    must(record["hash"] == record_hash(record) and not re.search(DEEP, raw), "record.json was altered, or is too deep")
    must(folder.name == f"{stamp(record['sealed_at'])}-{record['run_id']}", "the folder was renamed")
    parts = zip(("env", "release", "notebook"), folder.parts[-4:-1], strict=True)
    must(all((part.partition("=")[2] or part) in safe(record[key]) for key, part in parts), "it is of another folder")
    own = {(one.name, sha256(one.read_bytes()).hexdigest()) for one in folder.iterdir() if one.name != "attachments"}
    odd = {name for name, _ in own ^ {*record["files"].items(), ("record.json", sha256(raw).hexdigest())}}
    must(not odd, f"{', '.join(sorted(odd))} was altered, added or removed")
    return record


def attached(folder: Path, record: dict[str, Any], known: set[str], taken: list[str] | None) -> None:
    old = str((record.get("versions") or {}).get("rollout-runbook")).startswith("0.1.")
    for one in (one for one in (folder / "attachments").glob("*") if not one.name.startswith(".part-")):
        facts = strict(raw := (one / "attachment.json").read_bytes())
        right = one.name == stamp(facts["attached_at"]) and raw == json.dumps(facts, indent=1).encode()
        found = {each.name: sha256(each.read_bytes()).hexdigest() for each in one.iterdir()}
        right = right and found == {**facts["files"], "attachment.json": sha256(raw).hexdigest()}
        right = right and (facts["record"], facts["run_id"]) == (record["hash"], record["run_id"])
        must(right and facts["hash"] == record_hash(facts), f"the attachment {one.name} was altered")
        right = facts["hash"] in known or (old and (taken is None or facts["hash"] in taken))
        must(right, f"the attachment {one.name} was not attached")


def signed(note: re.Match[str], key: str) -> bool | None:  # None: there is no such key, or no openssl
    openssl = partial(subprocess.call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as where:
        text, signature, public = (Path(where, one) for one in ("text", "signature", "public"))
        made = ["env", "openssl", "pkey", "-pubout", "-out", str(public), "-in", key]
        if openssl([*made, "-pubin"]) and openssl(made):
            return None  # of a private key the public one is in it
        der = base64.b64decode("".join(public.read_text().splitlines()[1:-1]))
        own = sha256(f"{note[1]}\n\1".encode() + der[12:] if len(der) == 44 else der).digest()[:4]  # Ed25519, or ECDSA
        blobs = [base64.b64decode(one[2]) for one in map(str.split, note[4].splitlines()) if one[1] == note[1]]
        verify = f"env openssl pkeyutl -verify -rawin -pubin -inkey {public} -in {text} -sigfile {signature}".split()
        text.write_bytes(f"{note[1]}\n{note[2]}\n{note[3]}\n".encode())
        return any(one[:4] == own and signature.write_bytes(one[4:]) and not openssl(verify) for one in blobs)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--witness", type=Path, action="append", default=[])
    parser.add_argument("--key", default="")
    given = parser.parse_args(arguments)
    log, begun, n = (root := given.archive.absolute()) / "log", root / "log" / "sealing.json", len(str(root)) + 1
    laid = [one for each in ("lo[g]", "log/*", "env=*", "env=*/**/*") for one in root.glob(each)]
    laid = [one for one in laid if "/.part-" not in str(one.parent)[n:]]  # nobody reads what is in them
    if odd := [x for x in laid if x.exists() and (x.stat().st_size > 256e6 if x.is_file() else not x.is_dir())]:
        print(f"damaged: {str(odd[0])!a}: it is a pipe or a device, or too large to be read")
        return 1
    records, stones, known, leaves, late, bad, unsure, lines, note = json.loads("[{}, {}, {}, {}, {}, [], [], [], 0]")
    chains = {one: list[Any]() for one in root.glob("env=*/release=*/*")}
    try:
        late = strict(begun.read_bytes()) if begun.exists() else {}
        right = {k: type(v) for k, v in late.items()} == {"path": str, "hash": str, "size": int, "staging": str}
        must(not begun.exists() or (right and re.fullmatch(PLACE, late["path"])), "sealing.json is none")
        parts = [log / "leaves.jsonl", *sorted(log.glob("leaves.part-*"))]
        there = any((log / one).exists() for one in ("leaves.jsonl", "tree.json", "checkpoint"))
        *lines, torn = b"".join(read := [part.read_bytes() for part in parts if there]).split(b"\n")
        found = {one["path"]: one for one in map(strict, lines)}
        each = [jcs({**one, "index": index}) for index, one in enumerate(found.values())]
        whole = each == [one.decode() for one in lines] and all(re.fullmatch(LEAF, one) for one in each)
        must(whole and (late or not (torn or b"" in read[1:])), "a line is no leaf, or leaves were moved or cut off")
        leaves = found
        if there and (late or (log / "checkpoint").exists() or {one["how"] for one in leaves.values()} - {"taken_in"}):
            must(note := NOTE.fullmatch((log / "checkpoint").read_bytes().decode()), "the checkpoint is none")
        lines, leaves = (lines, leaves) if note else ([], {})  # a crash may have kept the log from being begun
    except WRONG as error:
        bad.append(f"log: {error}")
    at, size = roots(lines), int(note[2]) if note else 0
    for path, folder in sorted((x.relative_to(root).as_posix(), x) for x in root.glob("env=*/release=*/*/[0-9]*")):
        try:
            record = records[path] = checked(folder)
            chains[folder.parent].append((path, record.get("previous", ""), record["hash"]))
            entry, bound = record.get("entry") or {}, known.setdefault(folder.parents[1], set())
            bound.add(entry.get("kind") == "attachment" and entry["facts"]["attachment"])
            if entry.get("kind") == "tombstone" and path in leaves and leaves[path]["index"] < size:
                stones |= {k: v["previous"] for k, v in entry["facts"]["records"].items() if v["leaf"] == leaves.get(k)}
        except WRONG as error:
            bad.append(f"{path}: {error}")
    fits = not note or (len(lines) - size in (0, late.get("size") == size) and base64.b64decode(note[3]) == at[size])
    bad += [] if fits else ["log: its leaves are not those of the checkpoint"]
    if note and given.key and not (good := signed(note, given.key)):
        (unsure if good is None else bad).append(f"log/checkpoint: {given.key} did not sign it, or is no key")
    gone = stones.keys() & leaves.keys() - records
    for chain, own in chains.items():
        each = sorted(own + [(p, stones[p], leaves[p]["hash"]) for p in gone if (root / p).parent == chain])
        hashes = [None, *(one[2] for one in each)]
        head = (chain / "HEAD").read_bytes().decode("ascii", "replace").strip() if (chain / "HEAD").is_file() else None
        right = [one[1] for one in each] == hashes[:-1] and head in hashes[-2:]
        if not right or (head is None and each and (len(each) > 1 or each[-1][0] in leaves)):
            bad.append(f"{chain.relative_to(root)}: records and HEAD are no chain, each sealed after the one before it")
    for path, record in records.items():
        leaf, file = leaves.get(path), sha256((root / path / "record.json").read_bytes()).hexdigest()
        try:
            attached(root / path, record, known.get((root / path).parents[1], set()), leaf and leaf["attachments"])
            pending = (late.get("path"), late.get("hash")) == (path, record["hash"])
            must(leaf or pending or not (leaves or record["schema"] >= 3), "it is not in the log")
            unsure += [f"{path} is not under the checkpoint"] if (leaf["index"] >= size if leaf else pending) else []
            must(not leaf or (leaf["hash"], leaf["file"]) == (record["hash"], file), "the log has another record")
            must(not leaf or leaf["how"] != "taken_in" or record["schema"] < 3, "it was in a log that was removed")
        except WRONG as error:
            bad.append(f"{path}: {error}")
    bad += [f"{path}: removed; the log has it" for path in leaves.keys() - gone if not (root / str(path)).is_dir()]
    laid = [x for x in laid if x.is_symlink() or not re.fullmatch(LAID, x.as_posix()[n:] + "/" * x.is_dir())]
    bad += [f"{one}: it was put there" for one in laid]
    for one, file in ((one, one / "checkpoint" if one.is_dir() else one) for one in given.witness):
        seen = NOTE.fullmatch(file.read_bytes().decode("utf-8", "replace")) if file.is_file() else None
        if not (seen and note and seen[1] == note[1] and [base64.b64decode(seen[3])] == at[int(seen[2]) :][:1]):
            (bad if seen else unsure).append(f"{one}: its checkpoint is {'of other records' if seen else 'none'}")
    unsure += [] if note else ["there is no log: whether records were removed cannot be told"]
    said = [*(f"damaged: {one}" for one in bad), *(f"cannot tell: {one}" for one in unsure)] or ["intact"]
    print("\n".join(one.encode("unicode_escape").decode() for one in said))
    return 1 if bad else 3 if unsure else 0


if __name__ == "__main__":
    raise SystemExit(main())
