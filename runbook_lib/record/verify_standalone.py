"""Verifies an archive of the rollout runbook by the standard library alone: 0 intact, 1 damaged, 3 cannot tell."""

import argparse
import base64
import datetime as dt
import json
import os
import re
import subprocess
import tempfile
from decimal import Decimal
from functools import partial, reduce
from hashlib import sha256
from pathlib import Path
from typing import Any

X, Z, T, ALL = "[A-Za-z0-9+/]", "[AEIMQUYcgkosw048]=", '"[^"]*"', ("lo[g]", "log/*", "env=*", "env=*/**/*")
B64 = rf"(?:{X}{{4}})+(?:{X}{{4}}(?:{X}[AQgw]==)?|{X}{{2}}{Z})"  # base64 has one spelling here
NOTE = re.compile(rf"(?s)(?!.*\ufffd)(\S[^\n]*)\n(0|[1-9][0-9]{{0,14}})\n({X}{{42}}{Z})\n\n((?:\u2014 \S+ {B64}\n)*)")
NAMED, RECORD = "[A-Za-z0-9][A-Za-z0-9._-]*", r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[A-Za-z0-9]+"
DEEP, PLACE = rb"(?m)^ {101}|^ {100}.*[\]}],?$", rf"env={NAMED}/release={NAMED}/{NAMED}/{RECORD}"
LEAF = rf'{{"attachments":\[[^]]*\],"file":{T},"hash":{T},"how":"(sealed|completed|taken_in)","index":\d+,"kind":{T},'
LEAF += rf'"path":"{PLACE}","schema":1,"sealed_at":{T}}}'
LAID = r"(?s)log/((tree|sealing|writer)\.json|leaves\.jsonl|checkpoint|(leaves)?\.part-[^/]*)?|"
LITTER = r"(.*/)?(\.DS_Store|\._[^/]+|\.localized|Thumbs\.db|[Dd]esktop\.ini)"  # a file manager leaves these
LAID += rf"env={NAMED}/(release={NAMED}/({NAMED}/(HEAD|\.part-.*|{RECORD}/(?!attachments(/.+/.+/)?$).*)?)?)?|{LITTER}"
FORM = r'\{\n(( "((account|run)_id|caller_arn|endpoint|env|hash|host|mode|notebook|operator|origin|reason|region|releas'
FORM += r'e|sealed_at)": ".*"| "(as_of|(clos|open)ed_at|decision|moment|previous)": (null|".*")| "schema": [123]| "atte'
FORM += r'mpt": -?\d+| "status": "(complet|fail|cancell|di)ed"| "(notes|warnings)": \[(|\n(  ".*\n)+ )\]| "(census|chec'
FORM += r'ks|gates)": \[(|\n(  [{} ].*\n)+ )\]| "(evidence|files|params|policy|prices|service|versions)": <>| "(inciden'
FORM += r't|outcome|traffic_(after|before))": (null|<>)| "entry": (null|\{\n((  "(at|by|item|kind|link|role|text)": ".*'
FORM += r'"|  "facts": < >),?\n){8} \})| "error": (null|\{\n((  "(type|sentence)": ".*"|  "cell": (-?\d+|null)),?\n){3}'
FORM += r' \})| "changes": \[(|\n(  \{\n((   "intent": <  >|   "outcome": (null|<  >)),?\n){2}  \},?\n)+ )\]),?\n){43}}'
FORM = re.sub("<( *)>", r"\\{(|\\n(\1  .*\\n)+\1 )\\}", FORM)  # an object, by its depth
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
    x = Decimal(repr(value)).normalize()  # as ECMAScript writes it (RFC 8785, 3.2.2.3)
    return f"{x:f}" if -7 < x.adjusted() < 21 else re.sub("e([+-])0", r"e\1", repr(value))


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
    parser.add_argument("--key", action="append", default=[])
    len(set((given := parser.parse_args(arguments)).key)) < 2 or parser.error("--key is said twice")
    log, begun, n = (root := given.archive.absolute()) / "log", root / "log" / "sealing.json", len(str(root)) + 1
    laid = [x for one in ALL for x in root.glob(one) if "/.part-" not in str(x.parent)[n:]]  # else left by a crash
    shut = [x for x in (root, *laid) if x.name[:6] != ".part-" and os.access(x, 0) and not os.access(x, 4 + x.is_dir())]
    if odd := shut or [x for x in laid if x.exists() and (x.stat().st_size > 256e6 if x.is_file() else not x.is_dir())]:
        print(f"{'cannot tell' if shut else 'damaged'}: {str(odd[0])!a}: {'unreadable' if shut else 'no plain file'}")
        return 3 if shut else 1
    junk = {x for x in laid if x.name == "attachments" or (re.fullmatch(LITTER, x.name) and x.is_file())}
    records, stones, known, leaves, late, bad, unsure, lines, note = json.loads("[{}, {}, {}, {}, {}, [], [], [], 0]")
    chains = {one: list[Any]() for one in root.glob("env=*/release=*/*")}
    try:
        late = {"signature": ""} | strict(begun.read_bytes()) if begun.exists() else {}
        right = [type(late.get(x)) for x in ("path", "hash", "staging", "signature", "size")] == [str] * 4 + [int]
        must(not begun.exists() or (right and len(late) == 5 and re.fullmatch(PLACE, late["path"])), "no sealing.json")
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
    at, size = [base64.b64encode(one).decode() for one in roots(lines)], int(note[2]) if note else 0
    if note and (len(lines) - size not in (0, late.get("size") == size) or note[3] != at[size]):
        bad.append("log: its leaves are not those of the checkpoint")
    for path, folder in sorted((x.relative_to(root).as_posix(), x) for x in root.glob("env=*/release=*/*/[0-9]*")):
        try:
            record = records[path] = strict(raw := (folder / "record.json").read_bytes())
            must(raw == json.dumps(record, indent=1, ensure_ascii=False).encode(), "record.json is spelt otherwise")
            must(re.fullmatch(FORM, raw.decode()) and not re.search(DEEP, raw), "record.json is of another format")
            must(folder.name == f"{stamp(record['sealed_at'])}-{record['run_id']}", "the folder was renamed")
            where = zip(("env", "release", "notebook"), folder.parts[-4:-1], strict=True)
            right = all((x.partition("=")[2] or x) in safe(record[key]) for key, x in where)
            must(right and record["hash"] == record_hash(record), "record.json was altered, or is of another folder")
            has = {(x.name, sha256(x.read_bytes()).hexdigest()) for x in {*folder.iterdir()} - junk}
            lost = {x for x, _ in has ^ {*record["files"].items(), ("record.json", sha256(raw).hexdigest())}}
            must(not lost, f"{', '.join(sorted(lost))} was altered, added or removed")
            chains[folder.parent].append((path, record["previous"], record["hash"]))
            kind, it = map((record["entry"] or {}).get, ("kind", "facts"))
            known |= {(folder.parents[1], it["record"] + "", it["attachment"] + ""): 1} if kind == "attachment" else {}
            leaf, pending = leaves.get(path), (late.get("path"), late.get("hash")) == (path, record["hash"])
            mine = leaf["index"] if leaf and leaf["index"] < size else 0
            told = [(x, y["previous"], y["leaf"]) for x, y in (it["records"].items() if kind == "tombstone" else ())]
            stones |= {x: before for x, before, its in told if its == leaves.get(x) and its["index"] < mine}
            must(leaf or pending or not (leaves or record["schema"] >= 3), "it is not in the log")
            unsure += [f"{path} is not under the checkpoint"] if (leaf["index"] >= size if leaf else pending) else []
            said = [sha256(raw).hexdigest(), record["hash"], kind or "run", record["sealed_at"]]
            must(not leaf or said == [leaf[x] for x in ("file", "hash", "kind", "sealed_at")], "the log says otherwise")
            must(not leaf or leaf["how"] != "taken_in" or record["schema"] < 3, "it was in a log that was removed")
        except WRONG as error:
            bad.append(f"{path}: {error}")
    if note and (key := "".join(given.key[:1])) and not (good := signed(note, key)):
        (unsure if good is None else bad).append(f"log/checkpoint: {key} did not sign it, or is no key")
    gone = stones.keys() & leaves.keys() - records
    for chain, links in chains.items():
        own = sorted(links + [(p, stones[p], leaves[p]["hash"]) for p in gone if (root / p).parent == chain])
        tips = [None, *(one[2] for one in own)]
        head = (chain / "HEAD").read_bytes().decode("ascii", "replace").strip() if (chain / "HEAD").is_file() else None
        if [x[1] for x in own] != tips[:-1] or head not in tips[-2:] or (not head and {x[0] for x in own} & {*leaves}):
            bad.append(f"{chain.relative_to(root)}: records and HEAD are no chain, each sealed after the one before it")
    for path, record in records.items():
        leaf, folder = leaves.get(path), root / path
        try:
            early = str(record["versions"].get("rollout-runbook")).startswith("0.1.")
            for one in (x for x in {*(folder / "attachments").glob("*")} - junk if x.name[:6] != ".part-"):
                facts = strict(raw := (one / "attachment.json").read_bytes())
                right = facts["hash"] == record_hash(facts) and raw == json.dumps(facts, indent=1).encode()
                right = right and (facts["record"], facts["run_id"]) == (record["hash"], record["run_id"])
                files = {x.name: sha256(x.read_bytes()).hexdigest() for x in {*one.iterdir()} - junk}
                right = right and files == {**facts["files"], "attachment.json": sha256(raw).hexdigest()}
                must(right and one.name == stamp(facts["attached_at"]), f"the attachment {one.name} was altered")
                right = early and (not leaf or facts["hash"] in leaf["attachments"])
                must(right or (folder.parents[1], facts["record"], facts["hash"]) in known, f"{one} was not attached")
        except WRONG as error:
            bad.append(f"{path}: {error}")
    bad += [f"{path}: removed; the log has it" for path in leaves.keys() - gone if not (root / str(path)).is_dir()]
    made = (x for x in laid if not x.is_symlink() and re.fullmatch(LAID, x.as_posix()[n:] + "/" * x.is_dir()))
    bad += [f"{one}: it was put there" for one in sorted({*laid} - {*made})]
    for one, file in ((one, one / "checkpoint" if one.is_dir() else one) for one in given.witness):
        seen = NOTE.fullmatch(file.read_bytes().decode("utf-8", "replace")) if file.is_file() else None
        if not (seen and note and seen[1] == note[1] and seen[3] in at[int(seen[2]) :][:1]):
            (bad if seen else unsure).append(f"{one}: its checkpoint is {'of other records' if seen else 'none'}")
    unsure += ["there is no log: whether records were removed cannot be told"] * (not note)
    lines = [*(f"damaged: {one}" for one in bad), *(f"cannot tell: {one}" for one in unsure)] or ["intact"]
    print("\n".join(one.encode("unicode_escape").decode() for one in lines))
    return 1 if bad else 3 if unsure else 0


if __name__ == "__main__":
    raise SystemExit(main())
