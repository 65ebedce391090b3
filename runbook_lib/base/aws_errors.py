"""Turns every error between us and AWS into one sentence: configuration, sign-in, network, answers.

An error of botocore, boto3 or urllib3 inside `aws_errors` never leaves it unchanged: if no rule here knows it, it
keeps its own words, on one line.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from runbook_lib.base.answers import PORTAL, frames, through
from runbook_lib.base.aws_settings import config_file, files, wrong_setting
from runbook_lib.base.errors import AwsError, RunbookError, Unreadable
from runbook_lib.base.foreign import address, one_line, quoted
from runbook_lib.base.patience import Silent


class Unhad(Exception):
    """A source gave no credentials; the sentence says which one, why, and what to check."""


EXPIRED = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
}
SKEWED = {"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"}
"""The request's time differs from AWS's; `SignatureDoesNotMatch` and similar codes say so in their message."""
_SKEWED_WORDS = ("signature expired", "signature not yet current")
_FOREIGN = ("botocore", "boto3", "urllib3", "s3transfer")
_CONFIG = "check AWS_PROFILE and {files}"
BODY = re.compile(r"(Received non 200 response \w{1,9} from \w{1,20} metadata): .*", re.DOTALL)
"""botocore quotes the whole answer of a credentials endpoint."""


_QUOTED = re.compile(r"\.? Further retries may succeed:.*", re.DOTALL)
"""What botocore's parser quotes of an answer that is no XML or JSON; it tells the reader nothing."""


_NO_NUMBER = re.compile("invalid literal for int|could not convert string to float")
"""What Python says of a number that AWS sends as text, such as a queue's depth, and that is none."""


_REFUSED, _FAILED, _SIGN_IN = 400, 500, 511
"""HTTP codes from which on AWS refuses, from which on it failed itself, and that of a network to sign in to."""


@contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Turns botocore's errors into one sentence that names the action.

    Raises:
        AwsError: unusable configuration, missing or expired credentials, an unreachable endpoint,
            a refusal by AWS, an answer that makes no sense.
    """
    try:
        yield
    except Silent as error:
        raise AwsError(f"{doing}: {error}") from None
    except Unreadable as error:
        raise Unreadable(f"{doing}: {error}") from None
    except RunbookError:
        raise
    except Exception as error:  # the last resort: errors that are not about AWS pass unchanged
        said = sentence(error)
        of_it = isinstance(error, (json.JSONDecodeError, LookupError, TypeError, AttributeError))
        if said is None and (of_it or (type(error) is ValueError and _NO_NUMBER.match(str(error)))):
            said = f"AWS's answer cannot be read ({_kind(error)}); {PORTAL}"
        if said is None:
            raise
        raise AwsError(f"{doing}: {said}") from None


def sentence(error: Exception) -> str | None:
    """The problem and what to do; None if the error comes neither from AWS nor from the connection to it."""
    from botocore import exceptions as bc

    on_the_way_there = isinstance(error, (bc.BotoCoreError, ValueError)) or _foreign(error)
    ours = not isinstance(error, bc.BotoCoreError)
    wrong = wrong_setting(of_the_profile=ours) if on_the_way_there and not isinstance(error, bc.ClientError) else None
    wrong = str(error) if isinstance(error, Unhad) else wrong
    if isinstance(error, bc.ClientError) or wrong:
        return wrong or _refused(error)
    if isinstance(error, bc.BotoCoreError):
        return _by_kind(error) or one_line(error).rstrip(".")
    if type(error).__name__ == "StdinNotImplementedError" or (isinstance(error, EOFError) and _foreign(error)):
        return (
            "the profile asks for an MFA code, and nobody can be asked here; sign in first, for example "
            '`eval "$(aws configure export-credentials --format env)"`, and run again'
        )
    if _foreign(error):
        return _by_kind(error) or _foreign_words(error)
    return None


def on_the_way(error: Exception) -> bool:
    """Whether the error comes from AWS or the connection to it (a proxy, a network, an answer), whatever raised it."""
    from botocore import exceptions as bc

    kinds = (bc.ClientError, bc.BotoCoreError, AwsError, ConnectionError, TimeoutError)
    return isinstance(error, kinds) or _foreign(error)


def cause_of(error: BaseException) -> BaseException | None:
    """The error of which `aws_errors` made a sentence; any other one is its own cause."""
    return error.__context__ if isinstance(error, AwsError) else error


def spoilt(error: Exception) -> bool:
    """Whether something in between may have spoilt an answer of AWS, so that asking again helps: a web page, half an
    answer, a redirect. A refusal by AWS is none, nor are credentials that cannot be had.
    """
    from botocore import exceptions as bc
    from botocore.parsers import ResponseParserError

    cause = cause_of(error)
    if isinstance(cause, bc.ClientError):
        return code_of(cause).isdigit() or not code_of(cause)
    unreadable = isinstance(error, Unreadable) or isinstance(cause, (LookupError, TypeError, AttributeError))
    return unreadable or isinstance(cause, (ResponseParserError, bc.ConnectionClosedError))


def perhaps_done(error: Exception) -> bool:
    """Whether AWS may have done what this came of: the answer was lost, spoilt, or a failure within AWS. Not where it
    refused, or could not be asked.
    """
    from botocore import exceptions as bc
    from botocore.parsers import ResponseParserError

    if isinstance(error, bc.ClientError):
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
        return spoilt(error) or status >= _FAILED
    if isinstance(error, bc.BotoCoreError):  # a connection that could not be made is no HTTPClientError
        return isinstance(error, (bc.HTTPClientError, bc.IncompleteReadError))
    answered = isinstance(error, (Unreadable, Silent, ResponseParserError))
    return answered or spoilt(error) or through(error, "botocore.parsers")


def _tls(error: Exception, where: str) -> str | None:
    """What is wrong with a TLS connection, if it is not the certificate."""
    said = str(error)
    if "WRONG_VERSION_NUMBER" in said or "HTTP_REQUEST" in said or "RECORD_LAYER_FAILURE" in said:
        return f"{where} speaks no TLS: does AWS_ENDPOINT_URL (or HTTPS_PROXY) mean http:// where it says https://?"
    if "[Errno" in said or "[X509" in said or "[PEM" in said:
        bundle = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
        named = f"AWS_CA_BUNDLE is {quoted(bundle)}, which" if bundle else f"ca_bundle in {config_file()}"
        return f"{named} is no file with certificates ({one_line(said.partition('[')[2].partition('] ')[2])})"
    return None


def _by_kind(error: Exception) -> str | None:
    from botocore.exceptions import SSLError

    if isinstance(error, SSLError) and (said := _tls(error, address(error.kwargs.get("endpoint_url") or "AWS"))):
        return said
    for kinds, text in _rules():
        if isinstance(error, kinds):
            where = address(getattr(error, "kwargs", {}).get("endpoint_url") or "AWS").partition("?")[0]
            said = one_line(BODY.sub(r"\1", str(error)))
            said = (said if "a web page" in said else _QUOTED.sub("", said)).rstrip(".") + _line(error)
            return text.format(where=where, error=said, files=files(), config=config_file())
    return None


def _line(error: Exception) -> str:
    """Where in a configuration file something is wrong; the line itself may hold a secret."""
    cause = getattr(error, "kwargs", {}).get("error") or error.__cause__
    lines = [getattr(cause, "lineno", None), *(number for number, _ in getattr(cause, "errors", ()))]
    number = next((one for one in lines if isinstance(one, int)), None)
    return f", line {number}" if number else ""


def _rules() -> tuple[tuple[tuple[type[Exception], ...], str], ...]:
    """Sentences by kind of error, the narrower kinds before the wider."""
    from botocore import exceptions as bc
    from botocore.parsers import ResponseParserError

    network = "check the network, AWS_ENDPOINT_URL and HTTPS_PROXY"
    return (
        ((bc.PartialCredentialsError,), "{error}; set both, or neither and sign in another way"),
        (
            (bc.NoCredentialsError,),
            "no AWS credentials found; sign in (for example `aws sso login`) and run again",
        ),
        (
            (bc.TokenRetrievalError, bc.SSOError),
            "the sign-in has expired; sign in again (for example `aws sso login`)",
        ),
        (
            (bc.CredentialRetrievalError, bc.MetadataRetrievalError, bc.RefreshWithMFAUnsupportedError),
            "the credentials are not available: {error}; " + _CONFIG,
        ),
        ((bc.ProxyConnectionError, bc.InvalidProxiesConfigError), "{error}; check HTTPS_PROXY and NO_PROXY"),
        (
            (bc.SSLError,),
            "the connection cannot be trusted: {error}; check AWS_CA_BUNDLE, and whether a proxy stands between",
        ),
        (
            (bc.ConnectionClosedError,),
            "{where} gives no whole answer (it closes the connection, sends without end, or speaks no HTTP); "
            + network,
        ),
        (
            (bc.EndpointConnectionError, bc.ConnectTimeoutError, bc.ReadTimeoutError),
            f"{{where}} does not answer; {network}",
        ),
        ((bc.HTTPClientError, bc.ConnectionError), f"{{error}}; {network}"),
        (
            (
                bc.ProfileNotFound,
                bc.ConfigNotFound,
                bc.ConfigParseError,
                bc.InvalidConfigError,
                bc.InfiniteLoopConfigError,
                bc.UnknownCredentialError,
            ),
            "{error}; " + _CONFIG,
        ),
        ((bc.InvalidDefaultsMode,), "{error}; check AWS_DEFAULTS_MODE and defaults_mode in {config}"),
        (
            (ResponseParserError,),
            f"the answer is not from AWS: {{error}}; {PORTAL}",
        ),
    )


def code_of(error: Any) -> str:
    """AWS's name of a `ClientError`, such as `ConflictException`; empty: what answered gave none."""
    return str(error.response.get("Error", {}).get("Code") or "")


_NUMBERS = {"x-amzn-requestid", "x-amz-request-id"}


def numbered(error: Any) -> bool:
    """Whether what refused gave the request a number, as AWS does."""
    answer = error.response.get("ResponseMetadata", {})
    return bool(answer.get("RequestId") or _NUMBERS & set(answer.get("HTTPHeaders", ())))


def _foreign_code(error: Any) -> bool:
    """Whether a `ClientError` has no code but that of HTTP, and one that AWS does not send so: 503 is one of its load
    balancers', 302 or 511 a login page's.
    """
    code = code_of(error)
    if not code.isdigit() or numbered(error):
        return False
    aws_from = _REFUSED if error.operation_name.startswith("Head") else _FAILED  # HEAD's refusals have no body
    return int(code) == _SIGN_IN or int(code) < aws_from


def _refused(error: Any) -> str:
    """The sentence for AWS's own refusal."""
    said = error.response.get("Error", {})
    code, message = one_line(code_of(error)), one_line(said.get("Message") or "")
    if not code:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        number = f" (HTTP {status})" if status else ""
        return f"what answers {error.operation_name} is not AWS: it refuses without a code{number}; {PORTAL}"
    if _foreign_code(error):
        return f"the answer to {error.operation_name} is not from AWS (HTTP {code}); {PORTAL}"
    if code in SKEWED or any(words in message.lower() for words in _SKEWED_WORDS):
        return f"this machine's clock is not AWS's{_by(error.response)} ({code}); set it right (NTP) and run again"
    if code in EXPIRED:
        return f"the credentials are expired or not valid ({code}); sign in again"
    return f"AWS answered {code} to {error.operation_name}: {message}".rstrip(": ")


def _by(response: dict[str, Any]) -> str:
    """The difference between the clocks, if AWS's answer tells it."""
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        off = dt.datetime.now(dt.UTC) - parsedate_to_datetime(headers["date"]).astimezone(dt.UTC)
    except (KeyError, ValueError, TypeError, OverflowError):
        return ""
    ahead = off.total_seconds() / 60
    return f": it is {abs(ahead):.0f} min {'ahead' if ahead > 0 else 'behind'}" if abs(ahead) >= 1 else ""


def _foreign_words(error: Exception) -> str:
    """The sentence for an error that has no class of its own in botocore."""
    if "Invalid endpoint" in str(error):
        said, is_, where = str(error).partition(": ")
        return f"{one_line(said)}{is_}{address(where)}; AWS_ENDPOINT_URL expects http:// or https:// before the host"
    if isinstance(error, OSError):
        return f"{one_line(error)}; check AWS_CA_BUNDLE and {files()}"
    if through(error, "botocore.parsers"):
        return f"the answer is not from AWS ({_kind(error)}); {PORTAL}"
    if through(error, "botocore.loaders", "botocore.model"):
        where = f"AWS_DATA_PATH ({one_line(path)})" if (path := os.environ.get("AWS_DATA_PATH")) else "~/.aws/models"
        return f"the descriptions of AWS's services in {where} cannot be read ({_kind(error)}); mend or remove them"
    if through(error, "botocore.credentials", "botocore.utils", "botocore.configloader", "botocore.session"):
        check = _CONFIG.format(files=files())
        return f"the credentials are not available ({_kind(error)}); {check}, and credential_process there"
    return f"{_kind(error)}; check AWS_PROFILE, AWS_ENDPOINT_URL and {files()}"


def _kind(error: Exception) -> str:
    """The error's text, without Python's class names, which mean nothing to the reader."""
    said = one_line(error).removesuffix(".")
    if isinstance(error, KeyError):
        return f"without {said}" if error.args else "a part of it is missing"
    return said or "without a message"


def _foreign(error: Exception) -> bool:
    """Whether the error was raised below a call into botocore."""
    return type(error).__module__.split(".")[0] in _FOREIGN or through(error, *_FOREIGN)


def place(error: BaseException) -> str:
    """File and line that raised the error."""
    last = list(frames(error))[-1]
    return f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}"
