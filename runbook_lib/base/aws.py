"""Session, clients, the caller's identity, and AWS's own clock.

Endpoint and credentials come from botocore's own resolution (`AWS_ENDPOINT_URL`, profiles, roles), so the same code
serves AWS and an emulator.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runbook_lib.base import answer_types, answers, asked_again, calls
from runbook_lib.base.aws_errors import aws_errors
from runbook_lib.base.aws_settings import config_file
from runbook_lib.base.errors import AwsError, UsageError
from runbook_lib.base.foreign import address, head, one_line, quoted
from runbook_lib.base.patience import AGAIN_MOST_S, Patient, Silence
from runbook_lib.base.plain_file import open_plain

if TYPE_CHECKING:
    from runbook_lib.params.load import Params

__all__ = ["Aws", "Identity", "aws_errors", "caller", "connect", "instant", "require_account"]
CONNECT_S = 5.0
WHO_S = 10.0
"""Seconds for the first question, which AWS answers in milliseconds: a slower endpoint is dead."""
COMMAND_S, SILENT_S = 20.0, 40.0
"""Seconds that a command at a terminal waits for one answer, and in vain for all."""

OLDEST = dt.datetime(2019, 11, 25, tzinfo=dt.UTC)
"""The start of AppConfig (AWS News Blog): an earlier Date in an answer is not from AWS."""
LATEST = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
"""A later Date is not from AWS either, and times after the year 9999 overflow."""

_ASSUMED: dict[str, Any] = {}
"""Roles that this process has assumed, under botocore's own keys; they are used until they expire."""


@dataclass(frozen=True)
class Identity:
    """The caller, and AWS's time (`Date` of its answer)."""

    account: str
    arn: str
    now: dt.datetime
    trouble: str = ""
    """Why `now` is this machine's clock; empty: it is AWS's."""


def instant(value: Any) -> dt.datetime:
    """A time from an AWS answer, with its zone, in UTC.

    botocore's own reader converts each to the machine's time zone, which takes ten times as long, and one look reads
    tens of thousands. It is used only for values that are neither seconds nor ISO 8601 with a time zone.

    Raises:
        ValueError: the value is not a time.
    """
    if isinstance(value, (int, float)):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    try:
        known = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        known = None
    if known is not None and known.tzinfo is not None:
        return known.astimezone(dt.UTC)
    from botocore.utils import parse_timestamp

    found: dt.datetime = parse_timestamp(value)
    return found.astimezone(dt.UTC)


@lru_cache(maxsize=4)
def _models(data_path: str | None) -> Any:
    """botocore's models of AWS's services, loaded once per process: loading is most of the cost of making a client."""
    from botocore.loaders import create_loader

    return create_loader(data_path)


def _config(answer_s: float, tries: int, **more: Any) -> Any:
    """Settings of a client: seconds that an answer may take, and how often a question is asked."""
    from botocore.config import Config

    return Config(
        retries={"mode": "standard", "total_max_attempts": tries},
        connect_timeout=min(CONNECT_S, answer_s),
        read_timeout=answer_s,
        max_pool_connections=16,
        **more,
    )


def _patient(create: Callable[..., Any], silence: Silence | None) -> Callable[..., Any]:
    """botocore's `create_client`, for the clients that it makes by itself to have credentials too (SSO, a role): each
    gives up a question in time.
    """

    def made(*given: Any, **named: Any) -> Any:
        own = named.get("config")
        if own is None or getattr(own, "retries", None) is None:
            named["config"] = _config(WHO_S, 2) if own is None else own.merge(_config(WHO_S, 2))
        client = create(*given, **named)
        inner = client._endpoint
        inner.http_session = Patient(
            inner.http_session,
            address(client.meta.endpoint_url),
            float(client.meta.config.read_timeout),
            json="json" in client.meta.service_model.resolved_protocol,
            tries=int(client.meta.config.retries.get("total_max_attempts", 1)),
            silence=silence,
        )
        return client

    return made


class Aws:
    """The clients of one region, each made once.

    Args:
        answer_s: seconds that a whole answer may take, before the question is asked again.
        tries: how often a question is asked at most.
        silent_s: seconds that all questions may wait in vain, after which none is asked any more; None: no limit.

    Raises:
        AwsError: the configuration of the AWS clients cannot be used.
    """

    def __init__(
        self,
        region: str,
        endpoint_url: str | None = None,
        *,
        answer_s: float = 30.0,
        tries: int = 4,
        silent_s: float | None = None,
    ) -> None:
        with aws_errors("reading the AWS configuration"):
            import boto3
            from botocore.session import get_session

            # Here, because they need botocore.
            from runbook_lib.base import bounded, credential_process, credential_sources

            bounded.install()
            credential_process.install()
            credential_sources.install()
            self.region = region
            self._endpoint = endpoint_url
            self._answer_s = answer_s
            self._tries = tries
            session = get_session()
            _no_pipe(session.get_config_variable("ca_bundle"))
            session.create_client = _patient(session.create_client, Silence(silent_s) if silent_s else None)
            session.register_component("data_loader", _models(session.get_config_variable("data_path")))
            parsers = session.get_component("response_parser_factory")
            parsers.set_parser_defaults(timestamp_parser=instant)
            answer_types.checking(parsers)
            self._session = boto3.session.Session(region_name=region, botocore_session=session)
            # If the profile needs an MFA code, the person is asked once, not for each session of the process.
            session.get_component("credential_provider").get_provider("assume-role").cache = _ASSUMED
        self._clients: dict[str, Any] = {}
        self._spoilt = Silence(AGAIN_MOST_S)

    def client(self, service: str) -> Any:
        """The boto3 client of `service`.

        Raises:
            AwsError: the configuration or the credentials are unusable.
        """
        if service not in self._clients:
            with aws_errors(f"opening {service}"):
                self._clients[service] = self._made(service)
        return self._clients[service]

    def close(self) -> None:
        """Closes the connections; a further question opens another one."""
        for client in self._clients.values():
            client.close()

    def _made(self, service: str, **more: Any) -> Any:
        first = service == "sts"
        answer_s = min(WHO_S, self._answer_s) if first else self._answer_s
        tries = min(2, self._tries) if first else self._tries
        client = self._session.client(service, endpoint_url=self._endpoint, config=_config(answer_s, tries, **more))
        calls.listen(client)
        answers.listen(client)
        asked_again.listen(client, self._spoilt)
        return client

    def by_code(self) -> dict[str, str]:
        """The credentials as environment variables, for a process that cannot ask for an MFA code; empty if the
        profile needs none.

        Raises:
            AwsError: the credentials are unavailable.
        """
        with aws_errors("signing in with the profile's MFA device"):
            found: Any = self._session.get_credentials() if _wants_code(self._session) else None
            if getattr(found, "method", "") != "assume-role":
                return {}
            frozen = found.get_frozen_credentials()
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return dict(zip(names, (frozen.access_key, frozen.secret_key, frozen.token), strict=True))

    @property
    def endpoint(self) -> str:
        """The address of AWS that the clients use, without a user name or password in it."""
        found = urlsplit(str(self.client("sts").meta.endpoint_url))
        return found._replace(netloc=found.netloc.rpartition("@")[2]).geturl()

    def identity(self, *, any_clock: bool = False) -> Identity:
        """The caller, and AWS's clock.

        Args:
            any_clock: if AWS's clock is unknown, use this machine's.

        Raises:
            AwsError: AWS is unreachable, credentials are missing or expired, or AWS's clock is unknown.
        """
        with aws_errors("asking AWS who we are (sts:GetCallerIdentity)"):
            answer = self.client("sts").get_caller_identity()
            account, arn = str(answer["Account"]), str(answer["Arn"])
        try:
            return Identity(account=account, arn=arn, now=dated(answer))
        except AwsError as error:
            if not any_clock:
                raise
            return Identity(account=account, arn=arn, now=dt.datetime.now(dt.UTC), trouble=str(error))

    def clock(self) -> dt.datetime:
        """AWS's clock, asked without credentials: a refusal has a Date, too.

        Raises:
            AwsError: unreachable, or the answer is not from AWS.
        """
        from botocore import UNSIGNED
        from botocore.exceptions import ClientError

        with aws_errors("asking AWS for the time"):
            try:
                answer = self._made("sts", signature_version=UNSIGNED).get_caller_identity()
            except ClientError as error:
                answer = error.response
        return dated(answer)


def dated(answer: Any) -> dt.datetime:
    """The time of an answer by AWS's own clock: its Date.

    Raises:
        AwsError: the answer has no Date, or one that no clock of AWS shows.
    """
    said = str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))
    with suppress(TypeError, ValueError, OverflowError):
        found = parsedate_to_datetime(said).astimezone(dt.UTC)
        if OLDEST <= found < LATEST:
            return found
    carries = f"the Date '{one_line(head(said, 40))}', which cannot be" if said else "no Date"
    raise AwsError(f"AWS's answer carries {carries}: its clock is not known; something in between changed the answer")


def _no_pipe(bundle: str | None) -> None:
    """Of the file with certificates, which OpenSSL would wait for.

    Raises:
        AwsError: it is a pipe or a device.
    """
    if not bundle:
        return
    try:
        open_plain(Path(bundle)).close()
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.EINVAL:
            name = "AWS_CA_BUNDLE" if os.environ.get("AWS_CA_BUNDLE") == bundle else f"ca_bundle in {config_file()}"
            raise AwsError(f"{name} is {quoted(bundle)}, which is a pipe or a device; name a file") from None


def _wants_code(session: Any) -> bool:
    """Whether the profile, or one whose role it uses, names an MFA device."""
    profiles, name, seen = session._session.full_config.get("profiles", {}), session.profile_name, set[str]()
    while name and name not in seen:
        seen.add(name)
        if "mfa_serial" in profiles.get(name, {}):
            return True
        name = profiles.get(name, {}).get("source_profile")
    return False


def connect(params: Params, *, quick: bool = False, command: bool = False) -> Aws:
    """Clients for the region of the parameters.

    Args:
        quick: whether somebody waits at a terminal for answers of milliseconds: a question then ends in 20 s.
        command: whether somebody waits for a command: it then ends after waiting `SILENT_S` in vain.
    """
    if quick:
        return Aws(params.region, answer_s=WHO_S, tries=2, silent_s=SILENT_S)
    return Aws(params.region, answer_s=COMMAND_S, silent_s=SILENT_S) if command else Aws(params.region)


def caller(params: Params, *, quick: bool = False, any_clock: bool = False) -> tuple[Aws, Identity]:
    """Clients of a command and the caller, checked against the account that the parameters name.

    Args:
        quick: see `connect`.
        any_clock: see `Aws.identity`.

    Raises:
        UsageError: the caller's account is another one.
        AwsError: AWS cannot be asked.
    """
    aws = connect(params, quick=quick, command=True)
    identity = aws.identity(any_clock=any_clock)
    require_account(params, identity)
    return aws, identity


def require_account(params: Params, identity: Identity) -> None:
    """Checks that the caller's account is the one in the parameters: for reading as well as for changing.

    Raises:
        UsageError: it is another account.
    """
    if identity.account != params.account_id:
        raise UsageError(
            f"account_id: the parameters say '{params.account_id}' for {params.env}, the caller's account is "
            f"'{identity.account}' ({identity.arn})",
            nothing_changed=True,
        )
