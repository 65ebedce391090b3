"""The doctor's checks of the connection to AWS: region, endpoint, clock, credentials, account."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from urllib.parse import urlsplit

from runbook_lib.base.aws import connect, require_account
from runbook_lib.base.errors import AwsError, UsageError
from runbook_lib.commands.doctor.mends import CLOCK
from runbook_lib.commands.doctor.model import Found, Ground, note, ok, wrong
from runbook_lib.judge import words
from runbook_lib.observe.api_address import identified

MOST_S = 300
"""Seconds: AWS refuses a signature that differs more from its own clock ("Signature Version 4", IAM User Guide)."""
MUCH_S = 30
_IN_SECONDS = 600
"""A difference of more seconds is told in minutes, hours or days."""


def region(ground: Ground) -> Found:
    """Checks that the AWS SDK knows the region of the parameters. It asks no profile: that is another line's."""
    from botocore.loaders import create_loader
    from botocore.regions import EndpointResolver

    known, said = EndpointResolver(create_loader().load_data("endpoints")), ground.known.region
    parts = known.get_available_partitions()
    there = {name for part in parts for name in known.get_available_endpoints("lambda", part)}
    if said not in there:
        return wrong(
            f"'{said}' is not a region that has Lambda, as this version of boto3 knows",
            f"edit `region` in {ground.told}",
        )
    return ok(said)


def endpoint(ground: Ground) -> Found:
    """Checks that AWS answers, without credentials, so that this line is about the network alone."""
    ground.aws = connect(ground.known, quick=True)
    there, here = ground.aws.clock(), dt.datetime.now(dt.UTC)
    ground.there, ground.here = there, here
    return ok(f"{ground.aws.endpoint} answers")


def clock(ground: Ground) -> Found:
    """Compares this machine's clock with AWS's, from the Date of its answer."""
    if ground.here is None or ground.there is None:
        return note("AWS told no time")
    off = round((ground.here - ground.there).total_seconds())
    far = words.hours(abs(off) / 3600) if abs(off) > _IN_SECONDS else f"{abs(off)} s"
    said = f"{far} {'ahead of' if off > 0 else 'behind'} AWS's"
    if abs(off) > MUCH_S and _embedded(ground.aws.endpoint if ground.aws else ""):
        return note(f"{said}: what answers is on this machine, and may have a clock of its own")
    if abs(off) > MOST_S:
        return wrong(f"{said}, and AWS refuses what is signed more than {MOST_S} s off", CLOCK)
    if abs(off) > MUCH_S:
        return note(f"{said}; from {MOST_S} s on AWS refuses what is signed", CLOCK)
    return ok("within a second or two of AWS's" if abs(off) <= 2 else said)


def _embedded(endpoint: str) -> bool:
    """Whether the endpoint is on this machine, as an embedded AWS is, whose clock is virtual."""
    return urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")


def credentials(ground: Ground) -> Found:
    """Checks that the credentials work, and shows the caller."""
    ground.identity = ground.clients.identity()
    return ok(ground.identity.arn)


def account(ground: Ground) -> Found:
    """Compares the caller's account with the one in the parameters."""
    try:
        require_account(ground.known, ground.who)
    except UsageError as error:
        return wrong(str(error), f"sign in to account {ground.known.account_id}, or edit `account_id` in {ground.told}")
    with suppress(AwsError):  # the line about the resources says why
        ground.params = identified(ground.clients, ground.known)
    return ok(ground.who.account)
