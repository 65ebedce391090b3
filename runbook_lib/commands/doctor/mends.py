"""What mends an error of AWS, by its kind, wherever it came up: a network's setting mends no wrong credentials, and a
policy mends no network.
"""

from __future__ import annotations

from runbook_lib.base.answers import through
from runbook_lib.base.aws_errors import EXPIRED, SKEWED, cause_of, code_of, spoilt
from runbook_lib.base.patience import Silent

SIGN_IN = "aws sso login   (or set AWS_PROFILE)"
NETWORK = "set AWS_ENDPOINT_URL and HTTPS_PROXY as your network needs them"
CLOCK = "sudo timedatectl set-ntp true"
_SOURCES = ("botocore.credentials", "botocore.configloader", "botocore.session", "botocore.tokens")


def mend_of(error: BaseException) -> str:
    """The command or edit that mends it; empty: it depends on what was asked, as for a refusal."""
    from botocore import exceptions as bc

    cause = cause_of(error)
    if isinstance(cause, bc.ClientError):
        code = code_of(cause)
        known = SIGN_IN if code in EXPIRED else CLOCK if code in SKEWED else ""
        return known or (NETWORK if spoilt(cause) else "")
    who = (
        *(bc.NoCredentialsError, bc.PartialCredentialsError, bc.CredentialRetrievalError, bc.MetadataRetrievalError),
        *(bc.TokenRetrievalError, bc.SSOError, bc.RefreshWithMFAUnsupportedError, bc.UnknownCredentialError),
        *(bc.ProfileNotFound, bc.ConfigNotFound, bc.ConfigParseError, bc.InvalidConfigError),
        *(bc.InfiniteLoopConfigError, bc.UnauthorizedSSOTokenError),
    )
    if isinstance(cause, who) or (isinstance(cause, Exception) and through(cause, *_SOURCES)):
        return SIGN_IN
    network = isinstance(error, Silent) or isinstance(cause, bc.HTTPClientError | bc.ConnectionError | Silent)
    return NETWORK if network or (isinstance(cause, Exception) and spoilt(cause)) else ""
