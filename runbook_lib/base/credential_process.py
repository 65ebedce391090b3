"""A `credential_process` of ~/.aws/config that never answers: botocore waits for it without an end or a word."""

from __future__ import annotations

import subprocess
from typing import Any

from botocore import credentials
from botocore.exceptions import CredentialRetrievalError

from runbook_lib.base.patience import TELL_AFTER_S, tell

MOST_S = 60.0
"""Seconds: it may ask a person, for a key to be touched for instance."""


class Waited(subprocess.Popen[bytes]):
    """A process that is given up; somebody at a terminal is told what is waited for."""

    def communicate(self, input: Any = None, timeout: float | None = None) -> Any:
        """As Popen's.

        Raises:
            CredentialRetrievalError: it did not end in time.
        """
        most = MOST_S if timeout is None else timeout
        first = min(TELL_AFTER_S, most)
        try:
            return self._said(super().communicate(input, first))
        except subprocess.TimeoutExpired:
            tell(f"waiting for credential_process, {most:.0f} s at most ...")
        try:
            return self._said(super().communicate(input, most - first))
        except subprocess.TimeoutExpired:
            self.kill()
            self.wait()
            told = f"credential_process gave no answer within {most:.0f} s"
            raise CredentialRetrievalError(provider="custom-process", error_msg=told) from None

    def _said(self, told: tuple[bytes, bytes | None]) -> tuple[bytes, bytes | None]:
        """What it printed; of what it says where it fails, nothing: it may say the secret, under no name that tells.

        botocore's sentence is what stands in the standard error.
        """
        out, err = told
        if self.returncode:
            err = f"credential_process ended with {self.returncode}; run it by hand to see what it says".encode()
        return out, err


class Provider(credentials.ProcessProvider):  # type: ignore[misc]
    """botocore's, with a process that is given up."""

    def __init__(self, profile_name: str, load_config: Any, popen: Any = Waited) -> None:
        super().__init__(profile_name, load_config, popen=popen)


def install() -> None:
    """For every session that is made from now on, the profiles that a role is assumed from included."""
    credentials.ProcessProvider = Provider
