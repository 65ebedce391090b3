"""Where credentials come from beside keys and a `credential_process`: a container, the instance, a token in a file, the
sign-in of `aws sso login`; and who is asked for an MFA code.

Whoever waits is told for what; the waiting ends; and what is wrong is said of the source, not of the profile.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore import credentials
from botocore.exceptions import BotoCoreError, ParamValidationError

from runbook_lib.base.aws_errors import BODY, Unhad
from runbook_lib.base.aws_settings import config_file
from runbook_lib.base.foreign import one_line, quoted
from runbook_lib.base.patience import Late, within
from runbook_lib.base.plain_file import open_plain

MOST_S = 15.0
"""Seconds for a service on this machine, with botocore's own tries."""
_TOKEN_B = 65_536
_CODE = re.compile(r"[0-9]{6}")
_PREFIX = re.compile(
    r"^(?:Error when retrieving credentials from [\w-]+: |Error retrieving metadata: "
    r"|Received error when attempting to retrieve container metadata: )+"
)
WEB = "AWS_WEB_IDENTITY_TOKEN_FILE"


@contextmanager
def _said(source: str, then: str) -> Iterator[None]:
    """What goes wrong inside is said of the source.

    Raises:
        Unhad: it gave no credentials.
    """
    try:
        yield
    except Unhad:
        raise
    except (LookupError, TypeError, AttributeError):
        why = "its answer holds none"
    except Late as late:
        why = f"no whole answer within {late.most_s:.0f} s"
    except (BotoCoreError, ValueError) as error:
        why = one_line(BODY.sub(r"\1", _PREFIX.sub("", str(error)))).rstrip(".")
    else:
        return
    raise Unhad(f"{source} gives no credentials: {why}; {then}") from None


class Container(credentials.ContainerProvider):  # type: ignore[misc]
    """botocore's, as it is in ECS, EKS, CloudShell and the like."""

    def _retrieve_or_fail(self) -> Any:
        name = self.ENV_VAR if self._provided_relative_uri() else self.ENV_VAR_FULL
        said = f"{name} ({one_line(self._environ[name])})"
        token = self._environ.get(self.ENV_VAR_AUTH_TOKEN_FILE)
        if token is not None:
            _readable(self.ENV_VAR_AUTH_TOKEN_FILE, token)
        told = f"{said} to give credentials, {MOST_S:.0f} s at most"
        with _said(said, f"check {name}, or unset it and sign in another way"):
            return within(super()._retrieve_or_fail, told, MOST_S)


class Instance(credentials.InstanceMetadataProvider):  # type: ignore[misc]
    """botocore's, on EC2; elsewhere nothing answers, and there are no credentials."""

    def load(self) -> Any:
        """As botocore's."""
        source = "the instance's metadata service"
        with _said(source, "where there is none set AWS_EC2_METADATA_DISABLED=true, and sign in"):
            return within(super().load, f"{source} to give credentials, {MOST_S:.0f} s at most", MOST_S)


class WebIdentity(credentials.AssumeRoleWithWebIdentityProvider):  # type: ignore[misc]
    """botocore's, in EKS and in CI."""

    def load(self) -> Any:
        """As botocore's."""
        file = self._get_config("web_identity_token_file")
        name = WEB if os.environ.get(WEB) == file else f"web_identity_token_file in {config_file()}"

        def asked(refresh: Callable[[], Any]) -> Any:
            _readable(name, str(file))
            return refresh()

        return _refreshed(super().load(), asked)


_ODD = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError, ParamValidationError)
"""What botocore raises over a file of a sign-in that is not as the sign-in has written it."""


class Sso(credentials.SSOProvider):  # type: ignore[misc]
    """botocore's, of `aws sso login`."""

    def load(self) -> Any:
        """As botocore's."""

        def asked(refresh: Any) -> Any:
            try:
                return refresh()
            except _ODD:
                of_it = refresh.__self__
                name = getattr(of_it, "_sso_session_name", None) or of_it._start_url
                key = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
                file = Path(self._SSO_TOKEN_CACHE_DIR, f"{key}.json")
                raise Unhad(
                    f"what `aws sso login` keeps in {one_line(file)} cannot be used, or the answer to it; sign in again"
                ) from None

        return _refreshed(super().load(), asked)


class Role(credentials.AssumeRoleProvider):  # type: ignore[misc]
    """botocore's, of a profile that assumes a role, perhaps with an MFA code."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **{"prompter": code, **named})


def code(prompt: str) -> str:
    """The MFA code that a person types: at the terminal, in JupyterLab, or in what is piped to standard input.

    Raises:
        EOFError: nobody can be asked.
        Unhad: what was typed is no code.
    """
    try:
        if getpass.getpass.__module__ != "getpass" or _terminal():  # a kernel puts one of its own there
            given = getpass.getpass(prompt).strip()
        elif not (given := sys.stdin.readline().strip() if sys.stdin else ""):
            raise EOFError(prompt)
    except UnicodeDecodeError:
        given = ""
    if not _CODE.fullmatch(given):  # AWS would say which of its parameters has which length
        raise Unhad("what was typed is no MFA code, which has six digits; run it again")
    return given


def _terminal() -> bool:
    """Whether this process has a terminal: without one `getpass` warns of that, and shows its prompt to nobody."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _refreshed(found: Any, how: Callable[[Callable[[], Any]], Any]) -> Any:
    """Credentials that are had later, then as `how` says."""
    if found is not None:
        refresh = found._refresh_using
        found._refresh_using = lambda: how(refresh)
    return found


def _readable(name: str, file: str) -> None:
    """Of the file with a token.

    Raises:
        Unhad: it is not there, or none.
    """
    why = ""
    try:
        with open_plain(Path(file)) as held:
            read = held.read(_TOKEN_B + 1)
        if not read.strip():
            why = "is empty"
        elif not 4 <= len(read) <= _TOKEN_B or not read.isascii():  # botocore takes no shorter one
            why = "holds no token"
    except (OSError, ValueError) as error:
        why = f"cannot be read ({getattr(error, 'strerror', None) or one_line(error)})"
    if why:
        raise Unhad(f"{name} is {quoted(file)}, which {why}; check it, or unset it and sign in another way")


def install() -> None:
    """For every session that is made from now on."""
    credentials.ContainerProvider = Container
    credentials.InstanceMetadataProvider = Instance
    credentials.AssumeRoleWithWebIdentityProvider = WebIdentity
    credentials.SSOProvider = Sso
    credentials.AssumeRoleProvider = Role
