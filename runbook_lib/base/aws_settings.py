"""What a person has set wrong for AWS's clients: an environment variable, or a line of the profile."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from runbook_lib.base.foreign import address, one_line, quoted
from runbook_lib.base.masking.known import is_address


def files() -> str:
    """The files of the profiles that botocore reads, for the person who has to look into them."""
    own = os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "")
    return config_file() + (f" or {one_line(own)}" if own else "")


def config_file() -> str:
    """The file with the profiles' settings."""
    return one_line(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config")


def wrong_setting(*, of_the_profile: bool) -> str | None:
    """The visible mistake in an environment variable for AWS, or in the profile too; None: there is none."""
    return _environment() or (_profile() if of_the_profile else None)


def _environment() -> str | None:
    for name, value in os.environ.items():
        if name.upper() in _PROXIES or (name.startswith("AWS_") and is_address(name)):
            ours = name.startswith("AWS_")
            if ours and "://" not in value and value.strip():
                continue  # botocore reports it
            try:
                parsed = urlsplit(value if "://" in value else f"http://{value}")
                whole = bool(parsed.scheme and parsed.hostname and parsed.port != 0) and not _TORN.search(value)
                whole = whole and not _BLANK.search(value.lstrip(" ") if ours else value)
                whole = whole or not value
            except ValueError:
                whole = False
            if whole and name.upper() in _PROXIES and parsed.scheme.lower().startswith("socks"):
                return f"{name} is {quoted(value, address)}: a SOCKS proxy cannot be used; expects http://host:8080"
            if not whole:
                return f"{name} is {quoted(value, address)}, which is not an address such as http://host:8080"
        if name in _PROFILES and not value.strip():
            return f"{name} is {quoted(value)}: unset it, or set it to a profile of {files()}"
        if name in _NUMBERS and not _WHOLE.fullmatch(value):
            return f"{name} is {quoted(value)}, expects a whole number"
        if name in _TOKENS and not re.fullmatch(r"[!-~]*", value):
            return f"{name} contains an invalid character (a line break, a space?); set it again"
    return None


_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_TORN = re.compile(r"^https?(?:/|:(?!//))|\\", re.IGNORECASE)
"""A scheme that lacks a sign, and a sign at which a client of HTTP ends the host."""
_BLANK = re.compile(r"[\s\x00-\x1f]")
"""What no address has within it or behind it: Python takes some of it away, and botocore and urllib3 do not. A blank
before an address is taken away by botocore.
"""
_TOKENS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_NUMBERS = ("AWS_METADATA_SERVICE_TIMEOUT", "AWS_METADATA_SERVICE_NUM_ATTEMPTS")
"""botocore has a setting of the same name in a profile, without `AWS_`, in small letters."""
_WHOLE = re.compile(r"\s*-?[0-9]{1,18}\s*")
_NESTED = ("api_versions", "s3")
"""Settings of a profile that have lines of their own below them."""


def _profile() -> str | None:
    from botocore.configloader import load_config
    from botocore.exceptions import BotoCoreError

    file = os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config"
    name = next(filter(None, map(os.environ.get, _PROFILES)), "default")
    try:
        found = load_config(file)["profiles"].get(name, {})
    except (BotoCoreError, OSError, ValueError):
        return None
    numbers = (one.removeprefix("AWS_").lower() for one in _NUMBERS)
    wrong = [(one, "a whole number") for one in numbers if not _WHOLE.fullmatch(str(found.get(one, "1")))]
    wrong += [(one, "lines of its own below it") for one in _NESTED if not isinstance(found.get(one, {}), dict)]
    if not wrong:
        return None
    key, expected = wrong[0]
    return f"{key} of the profile '{one_line(name)}' in {config_file()} is '{one_line(found[key])}', expects {expected}"
