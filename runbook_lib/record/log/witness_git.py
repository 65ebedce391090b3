"""A witness of annotated tags in a git repository: `git:/srv/witness.git`, `git:ssh://host/witness.git#our-records`.

Each checkpoint is a tag of its own, named by its size (`our-records/000000000042`), with the checkpoint as its message.
A tag is pushed where there is none, and never moved or deleted: so all that was ever witnessed is compared, and whoever
may push but not delete cannot take anything back. The tagged object is a blob: the repository needs no commit.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from runbook_lib.base.errors import ArchiveError
from runbook_lib.base.redact import redact_text
from runbook_lib.record.log.note import parsed
from runbook_lib.record.log.witness import Witness

PREFIX = "checkpoint"
WAIT_S = 20.0
"""Seconds for one call of git: a seal waits for it."""
HISTORY_S = 300.0
"""Seconds for fetching all tags, which only verifying does: 10,000 take some seconds."""
MOST = 10_000
"""Most bytes of a tag; ours have some 500."""
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9_-]*)*")
_SIZE = re.compile(r"[0-9]{12}")
_LOGIN = re.compile(r"(?<=://)[^/@]*@")
_SSH = "ssh -oBatchMode=yes -oConnectTimeout=5 -oControlMaster=no"
"""Asks nobody, and leaves no connection behind, which would hold git's output open (a shared one is used)."""
_ALONE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")
"""Variables that would lead git to another repository, as in a hook."""


class _Said(Exception):
    """What git said about a failure."""


class GitWitness(Witness):
    """Tags of one repository that begin with a prefix. No announcement: a push more would hold up each seal."""

    def __init__(self, name: str) -> None:
        where, _, prefix = name.partition("#")
        self.prefix, self.name = prefix or PREFIX, f"git:{_LOGIN.sub('', name)}"
        if not where or where.startswith("-") or "::" in where or not _PREFIX.fullmatch(self.prefix):
            expected = "expects git:REPOSITORY or git:REPOSITORY#PREFIX"
            raise ArchiveError(f"the witness {self.name} cannot be asked: {expected}")
        local = where[0] in "/.~" or Path(where).exists()
        self._remote = str(Path(where).expanduser().absolute()) if local else where

    def read(self) -> bytes | None:
        """The checkpoint in the tag of the largest size; None: there is no tag."""
        with self._asked() as here:
            there = self._tags(here)
            return self._text(here, max(there), there) if there else None

    def history(self) -> Sequence[bytes | ValueError]:
        """The checkpoint in each tag."""
        with self._asked() as here:
            return self._texts(here, self._tags(here))

    def write(self, text: bytes) -> None:
        """Pushes a tag of its own for it. One that is there already stays, and must say the same."""
        size = f"{parsed(text).size:012d}"
        with self._asked() as here:
            try:
                self._push(here, f"{self.prefix}/{size}", text)
            except _Said:
                there = self._tags(here)
                if size not in there:
                    raise
                if not parsed(self._text(here, size, there)).same_tree(parsed(text)):
                    raise ArchiveError(f"its tag {self.prefix}/{size} is of other records") from None

    def _tags(self, here: str) -> dict[str, str]:
        """Size of each checkpoint that has a tag, as the tag's name says it, to the tag's object."""
        listed = self._git(here, "ls-remote", "--refs", "--", self._remote, f"refs/tags/{self.prefix}/*").decode()
        pairs = (line.partition(f"\trefs/tags/{self.prefix}/") for line in listed.splitlines())
        return {size: tag for tag, _, size in pairs if _SIZE.fullmatch(size)}

    def _text(self, here: str, size: str, tags: Mapping[str, str]) -> bytes:
        """The message of the tag of this size; a ValueError for a tag that is not ours."""
        (text,) = self._texts(here, {size: tags[size]})
        if isinstance(text, ValueError):
            raise text
        return text

    def _texts(self, here: str, tags: Mapping[str, str]) -> list[bytes | ValueError]:
        """The messages of these tags; an error in the place of a tag that is none of ours."""
        if not tags:
            return []
        all_, one = (f"refs/tags/{self.prefix}/{size}" for size in ("*", next(iter(tags))))
        # By a pattern: git's time grows with the square of names that are given one by one.
        wanted, wait_s = (one, WAIT_S) if len(tags) == 1 else (f"+{all_}:{all_}", HISTORY_S)
        self._git(here, "fetch", "--quiet", "--no-tags", "--", self._remote, wanted, wait_s=wait_s)
        answer = self._git(here, "cat-file", "--batch", given="".join(f"{tag}\n" for tag in tags.values()).encode())
        texts, at = list[bytes | ValueError](), 0
        for size in tags:
            head, _, _ = answer[at : at + MOST].partition(b"\n")
            words, begins = head.split(), at + len(head) + 1
            if len(words) != 3:  # it has gone since it was listed
                texts.append(ValueError(f"the tag {self.prefix}/{size} is not there"))
                at = begins
                continue
            at = begins + int(words[2]) + 1
            texts.append(self._message(size, words[1], answer[begins : at - 1]))
        return texts

    def _message(self, size: str, kind: bytes, raw: bytes) -> bytes | ValueError:
        name = f"{self.prefix}/{size}"
        if kind != b"tag" or len(raw) > MOST:
            return ValueError(f"the tag {name} is not an annotated one")
        told, _, text = raw.partition(b"\n\n")
        try:
            if f"tag {name}".encode() in told.split(b"\n") and parsed(text).size == int(size):
                return text
        except ValueError as error:
            return ValueError(f"the tag {name}: {error}")
        return ValueError(f"the tag {name} was made under another name, or for another size")

    def _push(self, here: str, name: str, text: bytes) -> None:
        blob = self._git(here, "hash-object", "-w", "--stdin", given=text).decode().strip()
        who = f"rollout-runbook <runbook@localhost> {int(time.time())} +0000"
        head = f"object {blob}\ntype blob\ntag {name}\ntagger {who}\n\n"
        tag = self._git(here, "mktag", given=head.encode() + text).decode().strip()
        self._git(here, "push", "--quiet", "--no-follow-tags", "--", self._remote, f"{tag}:refs/tags/{name}")

    @contextmanager
    def _asked(self) -> Iterator[str]:
        """An empty repository to work in; what git says comes out as a sentence."""
        with tempfile.TemporaryDirectory(prefix="runbook-witness-") as here:
            try:
                self._git(here, "init", "--quiet", "--bare", "--template=")
                yield here
            except _Said as error:
                raise ArchiveError(f"git cannot use {self.name.removeprefix('git:')} ({error})") from None

    def _git(self, here: str, *words: str, given: bytes = b"", wait_s: float = 0) -> bytes:
        environ = {name: value for name, value in os.environ.items() if name not in _ALONE}
        environ |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        environ.setdefault("GIT_SSH_COMMAND", _SSH)
        # No hook of the user's, and nothing that goes on in the background in a folder that is removed.
        own = ("core.hooksPath=/dev/null", "push.gpgSign=false", "gc.auto=0", "maintenance.auto=false")
        command = ["git", *(word for one in own for word in ("-c", one)), *words]
        code, answer, told = _ran(command, here, environ, given, wait_s or WAIT_S)
        if code:
            lines = redact_text(told.decode("utf-8", "replace")).splitlines()
            telling = [one for one in lines if one.lstrip().startswith(("fatal:", "error:", "!", "remote:"))]
            said = next(iter(telling or lines), f"it ended with {code}")
            raise _Said(_LOGIN.sub("", said.strip()).replace(self._remote, "it")[:200])
        return answer


def _ran(
    command: Sequence[str], here: str, environ: Mapping[str, str], given: bytes, wait_s: float
) -> tuple[int, bytes, bytes]:
    """The exit code of a program, its output and what it wrote on standard error; `_Said` if it cannot run or hangs."""
    pipe = subprocess.PIPE
    try:
        with subprocess.Popen(
            command, cwd=here, env=environ, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        ) as process:
            try:
                answer, told = process.communicate(given, wait_s)
            except BaseException:
                with suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)  # its ssh too, which a silent host holds for ever
                raise
    except subprocess.TimeoutExpired:
        raise _Said(f"no answer within {wait_s:g} s") from None
    except OSError:
        raise _Said("there is no program `git`") from None
    return process.returncode, answer, told
