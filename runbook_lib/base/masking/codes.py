"""Codes that let their bearer sign in once: what OAuth and SAML hand over in an address or a form, what an MFA device
shows.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.kinds import AND, EQ, KEEP, MASK, VALUE, Kind, Match


def _code(match: Match) -> str:
    """Masks a code that lets its bearer sign in; a status or an error's name is shorter or a word."""
    value = match[2]
    if "[" in value or "(" in value:  # a program's source
        return match[0]
    mixed = any(map(str.isdigit, value)) and not value.isdigit()
    return match[1] + MASK if len(value) >= (9 if mixed else 20) else match[0]


_ONCE = (
    r"(?:(?:mfa|2fa|[th]?otp)(?:[ _-]?(?:code|token|pin|value))?|(?-i:(?:MFA)?TokenCode)"
    r"|(?:verification|security|confirmation|authenticat(?:ion|or)|sms|login|backup|recovery|one[ _-]?time|token|pin)"
    r"[ _-]?(?:code|password|passcode|pin)|pin)"
)
"""Names of a code that counts once; behind one a few digits are the code."""


CODES: tuple[Kind, ...] = (
    Kind(
        ("code=", "code%", "code_verifier"),
        re.compile(
            rf"(?i)((?:{AND}(?:amp;)?|(?<![a-z0-9_.-]))(?:(?:auth(?:orization)?|device|user)_?)?code(?:_verifier)?{EQ})(?!\[redacted\])({VALUE})"
        ),
        _code,
    ),
    Kind(
        ("samlresponse", "samlassertion"),
        re.compile(
            r"(?i)(\bSAML(?:Response|Assertion)\\{0,4}[\"']?\s{0,8}(?:[:=]|%3D)\s{0,8}\\{0,4}[\"']?)[A-Za-z0-9+/=%_-]{40,}"
        ),
        KEEP,
    ),
    Kind(
        ("mfa", "2fa", "otp", "code", "pin", "one-time", "one time", "one_time"),
        re.compile(
            rf"(?i)((?<![a-z0-9]){_ONCE}\\{{0,4}}(?:[\"'`]|&quot;|&#3[49];|&#x27;)?"
            r"(?:\s{1,4}for\s{1,4}[^\s\"'<>]{1,200}?)?(?:\s{0,8}[:=]\s{0,8}|\s{1,4}is:?\s{1,4}|\s{1,4})"
            r"\\{0,4}(?:[\"'`]|&quot;|&#3[49];|&#x27;)?)(?:[0-9]{6,8}|[0-9]{3}[ -][0-9]{3})(?![0-9A-Za-z_]|[.:,-][0-9])"
        ),
        KEEP,
    ),
)
