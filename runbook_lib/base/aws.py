"""Session, clients, who am I, and AWS's own clock.

Endpoint and credentials come from botocore's own resolution (`AWS_ENDPOINT_URL`, profiles, roles), so the same code
serves AWS and an emulator.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from runbook_lib.base.errors import AwsError, UsageError

if TYPE_CHECKING:
    from runbook_lib.params.load import Params

_EXPIRED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
}


@dataclass(frozen=True)
class Identity:
    """Who asks, and what time it is for AWS (`Date` of its answer)."""

    account: str
    arn: str
    now: dt.datetime


@contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Turns botocore's errors into one sentence that names what was being done.

    Raises:
        AwsError: unreachable endpoint, missing or expired credentials, a refusal by AWS.
    """
    from botocore import exceptions as bc

    try:
        yield
    except (bc.NoCredentialsError, bc.PartialCredentialsError):
        raise AwsError(
            f"{doing}: no AWS credentials found; sign in (for example `aws sso login`) and run again"
        ) from None
    except (bc.TokenRetrievalError, bc.SSOTokenLoadError, bc.UnauthorizedSSOTokenError):
        raise AwsError(f"{doing}: the sign-in has expired; sign in again (for example `aws sso login`)") from None
    except (bc.EndpointConnectionError, bc.ConnectTimeoutError, bc.ReadTimeoutError, bc.ConnectionClosedError) as error:
        where = getattr(error, "kwargs", {}).get("endpoint_url", "AWS")
        raise AwsError(f"{doing}: {where} does not answer; check the network and AWS_ENDPOINT_URL") from None
    except bc.ProfileNotFound as error:
        raise AwsError(f"{doing}: {error}") from None
    except bc.ClientError as error:
        code = error.response.get("Error", {}).get("Code", "?")
        if code in _EXPIRED:
            raise AwsError(f"{doing}: the credentials are expired or not valid ({code}); sign in again") from None
        message = error.response.get("Error", {}).get("Message", "")
        raise AwsError(f"{doing}: AWS answered {code} to {error.operation_name}: {message}") from None


def instant(value: Any) -> dt.datetime:
    """A time in an answer of AWS, aware, in UTC.

    botocore's own reader converts each to the machine's time zone, which takes ten times as long, and a look reads
    tens of thousands; it is asked only for what is not a number of seconds.

    Raises:
        ValueError: it is no time.
    """
    if isinstance(value, (int, float)):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    from botocore.utils import parse_timestamp

    found: dt.datetime = parse_timestamp(value)
    return found.astimezone(dt.UTC)


class Aws:
    """Clients of one region, made once each.

    Args:
        answer_s: seconds that an answer may take, before the question is asked again (four times at most).
    """

    def __init__(self, region: str, endpoint_url: str | None = None, *, answer_s: float = 60.0) -> None:
        import boto3
        from botocore.config import Config
        from botocore.session import get_session

        self.region = region
        self._endpoint = endpoint_url
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=5,
            read_timeout=answer_s,
            max_pool_connections=16,
        )
        session = get_session()
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=instant)
        self._session = boto3.session.Session(region_name=region, botocore_session=session)
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The boto3 client of `service`."""
        if service not in self._clients:
            with aws_errors(f"opening {service}"):
                self._clients[service] = self._session.client(service, endpoint_url=self._endpoint, config=self._config)
        return self._clients[service]

    @property
    def endpoint(self) -> str:
        """Address that the clients talk to."""
        return str(self.client("sts").meta.endpoint_url)

    def identity(self) -> Identity:
        """The caller, and the clock of AWS.

        Raises:
            AwsError: unreachable, or credentials missing or expired.
        """
        with aws_errors("asking AWS who we are (sts:GetCallerIdentity)"):
            answer = self.client("sts").get_caller_identity()
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        if "date" not in headers:
            raise AwsError("AWS's answer carries no Date: its clock cannot be read")
        now = parsedate_to_datetime(headers["date"]).astimezone(dt.UTC)
        return Identity(account=answer["Account"], arn=answer["Arn"], now=now)


def connect(params: Params) -> Aws:
    """Clients for the region of the parameters."""
    return Aws(params.region)


def require_account(params: Params, identity: Identity) -> None:
    """The caller's account must be the one in the parameters: for reading as well as for changing.

    Raises:
        UsageError: it is another one.
    """
    if identity.account != params.account_id:
        raise UsageError(
            f"account_id: the parameters say '{params.account_id}' for {params.env}, the caller's account is "
            f"'{identity.account}' ({identity.arn}); nothing was asked or changed"
        )
