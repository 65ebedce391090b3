"""A `credential_process` of ~/.aws/config: given up when it never answers or says too much, and never quoted.

botocore waits for it without an end or a word, keeps all that it prints, and shows it: its standard error where it
fails, parts of its answer where that makes no sense. Both may be a secret, and nothing tells one from a word.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from botocore import credentials
from botocore.compat import compat_shell_split
from botocore.exceptions import CredentialRetrievalError

from runbook_lib.base.output import pieces
from runbook_lib.base.telling import busy

MOST_S = 60.0
"""Seconds: it may ask a person, for a key to be touched for instance."""
LINGER_S = 0.5
"""Seconds for which more is read once it has ended: a helper that it leaves behind may hold its output open."""
MOST_B = 65_536
"""Bytes that it may print; credentials have some two thousand."""
BY_HAND = "run it by hand to see what it says"


class TooMuch(subprocess.SubprocessError):
    """The process printed more than `MOST_B` bytes, and was ended."""


class Waited(subprocess.Popen[bytes]):
    """A process with a time limit; a person at a terminal is told what takes so long."""

    def communicate(self, input: Any = None, timeout: float | None = None) -> Any:  # noqa: ARG002 - it is given none
        """See `Popen.communicate`.

        Raises:
            TimeoutExpired: it did not end in time, and was ended.
            TooMuch: it printed more than credentials have, and was ended.
        """
        most = MOST_S if timeout is None else timeout
        end = time.monotonic() + most
        said = {self.stdout: bytearray(), self.stderr: bytearray()}
        try:
            with busy(f"waiting for credential_process, {most:.0f} s at most"):
                for pipe, piece in pieces(self, LINGER_S, LINGER_S):
                    if pipe is not None:
                        said[pipe] += piece
                    if any(len(one) > MOST_B for one in said.values()):
                        raise TooMuch
                    if time.monotonic() > end:
                        raise subprocess.TimeoutExpired(self.args, most)
                with suppress(subprocess.TimeoutExpired):
                    self.wait(max(0.0, end - time.monotonic()))
                if self.returncode is None:
                    raise subprocess.TimeoutExpired(self.args, most)
        finally:
            self.kill()
            self.wait()
        return tuple(bytes(one) for one in said.values())


class Provider(credentials.ProcessProvider):  # type: ignore[misc]
    """botocore's provider, with a time limit for the process, and without its output in errors."""

    def __init__(self, profile_name: str, load_config: Any, popen: Any = Waited) -> None:
        super().__init__(profile_name, load_config, popen=popen)

    def _retrieve_credentials_using(self, credential_process: str) -> dict[str, Any]:
        """See botocore's provider.

        Raises:
            CredentialRetrievalError: the process could not start, failed, or printed no credentials.
        """
        name = "without a command"
        try:
            words = compat_shell_split(credential_process)
            name = Path(words[0]).name or "''"
            process = self._popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except (OSError, ValueError, IndexError) as error:
            why = error.strerror if isinstance(error, OSError) else "no command line"
            _failed(f"credential_process {name} could not be begun ({why})")
        try:
            out, err = process.communicate()
        except subprocess.TimeoutExpired as error:
            _failed(f"credential_process {name} gave no answer within {error.timeout or MOST_S:.0f} s")
        except TooMuch:
            _failed(f"credential_process {name} printed more than {MOST_B // 1024} KB and was ended; {BY_HAND}")
        if process.returncode:
            silent = "" if (err or out or b"").strip() else " and said nothing"
            _failed(f"credential_process {name} ended with {process.returncode}{silent}; {BY_HAND}")
        found = _answer(out)
        if found is None:
            expected = "JSON with Version 1, AccessKeyId, SecretAccessKey, and a SessionToken and an Expiration or none"
            _failed(f"credential_process {name} printed no credentials: expects {expected}; {BY_HAND}")
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found.get("SessionToken"),
            "expiry_time": found.get("Expiration"),
            "account_id": self._get_account_id(found),
        }


def _answer(text: bytes) -> dict[str, Any] | None:
    """The credentials that the process printed; None if they are unusable."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("Version") != 1:
        return None
    keys = [found.get("AccessKeyId"), found.get("SecretAccessKey")]
    keys += [] if found.get("SessionToken") is None else [found["SessionToken"]]
    whole = all(isinstance(key, str) and re.fullmatch(r"[!-~]+", key) for key in keys)
    return found if whole and _in_time(found.get("Expiration")) else None


def _in_time(expiration: Any) -> bool:
    """Whether botocore can read when the credentials expire."""
    if expiration is None:
        return True
    try:
        return credentials.parse(expiration).tzinfo is not None  # as botocore reads it
    except (TypeError, ValueError, OverflowError):
        return False


def _failed(told: str) -> NoReturn:
    raise CredentialRetrievalError(provider="custom-process", error_msg=told) from None


def install() -> None:
    """Installs the provider for every later session, including those of profiles that a role is assumed from."""
    credentials.ProcessProvider = Provider
