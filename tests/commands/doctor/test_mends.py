"""The doctor's mend fits what is wrong, whichever check met it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions as bc
from botocore.parsers import ResponseParserError

from runbook_lib.base.aws_errors import aws_errors
from runbook_lib.base.errors import AwsError, Exit
from runbook_lib.commands.doctor.mends import CLOCK, NETWORK, SIGN_IN, mend_of
from runbook_lib.commands.doctor.model import Findings, Ground, Probe, examined
from runbook_lib.params.load import params_dir

OWN = "attach the policy"


def _refused(code: str) -> Exception:
    return bc.ClientError({"Error": {"Code": code, "Message": "no"}}, "GetX")


CASES: list[tuple[Exception, str]] = [
    (bc.NoCredentialsError(), SIGN_IN),
    (bc.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), SIGN_IN),
    (bc.CredentialRetrievalError(provider="process", error_msg="it failed"), SIGN_IN),
    (bc.ProfileNotFound(profile="nope"), SIGN_IN),
    (bc.ConfigParseError(path="config", error=ValueError("x")), SIGN_IN),
    (bc.InfiniteLoopConfigError(source_profile="a", visited_profiles=["a"]), SIGN_IN),
    (bc.InvalidConfigError(error_msg="no such sso_session"), SIGN_IN),
    (bc.UnauthorizedSSOTokenError(), SIGN_IN),
    (bc.TokenRetrievalError(provider="sso", error_msg="expired"), SIGN_IN),
    (_refused("ExpiredToken"), SIGN_IN),
    (_refused("RequestExpired"), CLOCK),
    (_refused("AccessDenied"), OWN),
    (_refused("ResourceNotFoundException"), OWN),
    (_refused("502"), NETWORK),
    (_refused(""), NETWORK),
    (bc.EndpointConnectionError(endpoint_url="http://x"), NETWORK),
    (bc.ConnectTimeoutError(endpoint_url="http://x"), NETWORK),
    (bc.ReadTimeoutError(endpoint_url="http://x"), NETWORK),
    (bc.ProxyConnectionError(proxy_url="http://x"), NETWORK),
    (bc.SSLError(endpoint_url="http://x", error="bad"), NETWORK),
    (bc.ConnectionClosedError(endpoint_url="http://x"), NETWORK),
    (ResponseParserError("no XML"), NETWORK),
]


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(("error", "mend"), CASES, ids=lambda one: type(one).__name__)
def test_the_mend_fits_the_error_and_no_class_of_python_is_shown(error: Exception, mend: str, told: bool) -> None:
    def ask(_: Ground) -> Any:
        if told:
            with aws_errors("asking"):
                raise error
        raise error

    probe = Probe("flags", "Flags", ask, OWN, Exit.HOLD)
    (found,) = examined([probe], Ground(Path("params/prod.yaml"), {}), Findings())
    assert (found.state, found.mend) == ("WRONG", mend)
    assert type(error).__name__ not in found.said


def test_what_does_not_answer_in_time_is_the_network() -> None:
    from runbook_lib.base.patience import Silent

    with pytest.raises(AwsError) as raised, aws_errors("asking"):
        raise Silent("AppConfig does not answer")
    assert mend_of(raised.value) == NETWORK


@pytest.mark.slow
@pytest.mark.parametrize("config", ["", "[profile x\nbroken"])
def test_a_profile_that_is_not_there_is_no_wrong_parameter(config: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(config, "utf-8")
    environ = {"AWS_PROFILE": "nope", "AWS_CONFIG_FILE": str(tmp_path / "config"), "HOME": str(tmp_path), "PATH": ""}
    words = [
        sys.executable,
        "-m",
        "runbook_lib.cli.entry",
        "doctor",
        "--env",
        str(params_dir() / "prod.yaml"),
        "--json",
    ]
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=environ, cwd=tmp_path)
    lines = {one["id"]: one for one in json.loads(done.stdout)["checks"]}
    assert lines["region"]["state"] == "OK"
    assert lines["endpoint"]["state"] == "WRONG" and lines["endpoint"]["mend"] == SIGN_IN
    assert "AWS_PROFILE" in lines["endpoint"]["said"] or "config" in lines["endpoint"]["said"]
    assert done.returncode == Exit.ERROR and "Traceback" not in done.stderr
