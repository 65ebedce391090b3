"""A password beside its user, as programs take the two together: `credentials bob:x`, `auth: [bob, x]`,
`BasicAuth("bob", "x")`; and one in quotes right behind a short name: `pw "x"`.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.drawn import AMONG, FAR, looks_drawn
from runbook_lib.base.masking.kinds import MASK, Match, shorn
from runbook_lib.base.masking.names import no_value
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.masking.vocabulary import PLAIN, has

_Q = r"(?:\\{0,7}[\"'`]|&quot;|&#3[49];|&#x27;)"
_NAME = (
    r"(?<![A-Za-z0-9])(?:(?P<sure>cred(?:ential)?s?|user[_:/-]?pass(?:word)?|userinfo|(?:basic|http|digest|proxy|ntlm|simple)[_-]?auth)"
    r"|auth(?:entication)?|login)"
)
_USER = r"(?P<user>[A-Za-z][\w.@+-]{0,63})"
_BOTH = re.compile(
    rf"(?i)(?P<head>{_NAME}{_Q}?(?:\s{{0,2}}[:=]\s{{0,4}}|[ \t]{{1,4}}|(?=[(\[])))"
    rf"(?:(?P<open>[(\[]\s{{0,8}})(?P<u>{_Q})?{_USER}(?(u)(?P=u))\s{{0,4}},\s{{0,8}}"
    rf"(?P<o>{_Q})?(?P<listed>(?(o)(?:(?!(?P=o))[^\n\\])+|[^\s\"'`<>\\,)\]]+))"
    rf"|(?P<v>{_Q}){_USER.replace('user', 'named')}(?P=v)\s{{0,4}},\s{{0,8}}(?P=v)(?P<quoted>(?:(?!(?P=v))[^\n\\])+)"
    rf"|{_Q}?{_USER.replace('user', 'who')}(?:[:/]|[ ][:/][ ]|[ \t]{{1,4}})(?P<bare>[^\s\"'`<>\\]+))"
)
_QUOTED = re.compile(
    r"(?i)(?P<head>(?<![A-Za-z0-9_.-])(?:pwd|psw|pw|pass)[ \t]{1,4})(?P<q>\\{0,3}[\"'])"
    r"(?P<value>(?:(?!(?P=q))[^\s\\]){4,200})(?=(?P=q))"
)
_NEEDLES = ("auth", "cred", "login", "userinfo", "userpass", "user:pass", "user/pass", "user_pass")
_SHORT = tuple(f"{name}{blank}" for name in ("pwd", "psw", "pw", "pass") for blank in (" ", "\t"))
_NO_USER = frozenset(
    """arn urn role profile file http https key keys sha256 sha1 md5 env ssm secretsmanager awskms region account id ids
    for of with the a an in on at by from to is are was and or not no type mode kind error code status state version
    endpoint server host port method provider source realm scheme level attempt failed failure required""".split()  # noqa: SIM905
)
"""Words before a colon or a blank that are no user's name."""

_ORDINARY = re.compile(r"(?i)[a-z0-9]+(?:[-_.:][a-z0-9]+)+|v\d[\w.]*|[0-9a-f-]{7,64}|.{1,3}")
"""A region, an address, a name with a number, a version, a hash."""


def mask_logins(text: str, small: str) -> str:
    """`text` with such passwords masked; `small`: the same text in small letters."""
    if has(_NEEDLES, small):
        text = _BOTH.sub(_both, text)
    return _QUOTED.sub(_beside, text) if has(_SHORT, small) else text


def _both(match: Match) -> str:
    parts = match.groupdict()
    which = next(name for name in ("listed", "quoted", "bare") if parts[name] is not None)
    user = parts["user"] or parts["named"] or parts["who"]
    value = shorn(parts[which], ",.)]}:;!?|")
    if not value or no_value(value) or harmless(value) or value.casefold() in PLAIN or user.casefold() in _NO_USER:
        return match[0]
    pair = which == "quoted" or (which == "listed" and (parts["o"] or parts["u"]))
    blank = which == "bare" and match.string[match.end("who")].isspace() and "/" not in match[0] and ":" not in match[0]
    drawn = looks_drawn(value.ljust(8, "x"), AMONG) and not _ORDINARY.fullmatch(value)
    told = looks_drawn(value, FAR) or (parts["sure"] and (pair or (drawn and not blank))) or (pair and drawn)
    if not told:
        return match[0]
    at = match.start(which) - match.start()
    return f"{match[0][:at]}{MASK}{match[0][at + len(value) :]}"


def _beside(match: Match) -> str:
    """Masks a word with a digit and a letter: `pass "phase"` says that one passed."""
    told = looks_drawn(match["value"], AMONG) and not harmless(match["value"])
    return f"{match['head']}{match['q']}{MASK}" if told else match[0]
