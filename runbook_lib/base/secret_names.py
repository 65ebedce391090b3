"""Names that tell a secret, and the value behind one: `name = value`, `"name": "value"`, `--name value`."""

from __future__ import annotations

import re
from collections.abc import Callable

from runbook_lib.base.secret_kinds import MASK, Match

_S = "[_-]?"
_TONGUES = (
    "kennwort|contrase(?:ñ|n)a|mot[ _-]?de[ _-]?passe|senha|wachtwoord|has[łl]o|пароль|密码|密碼|パスワード|"
    "비밀번호|l[öo]senord|adgangskode|passord|salasana|heslo|jelszó|parola|[şs]ifre"
)
"""`password` in the languages of teams."""
SURE = r"passw(?:or)?[dt]s?|passphrases?|passcodes?"
"""Names of a password; a sentence may contain them, too."""
_SURE = (
    rf"(?:aws{_S})?secret{_S}access{_S}key|(?:aws{_S})?session{_S}token|x-amz-(?:signature|credential|security-token)"
    rf"|(?:aws{_S})?access{_S}key{_S}id|{SURE}|secret{_S}(?:key|string|value)|client{_S}secret"
    rf"|(?:signing|encryption|account|shared{_S}access|master|private|routing|integration|service|(?:ops)?genie|x-api|api|deploy|x-functions|subscription)"
    rf"{_S}keys?|webhook{_S}urls?"
)
_LIKELY = rf"secrets?|(?:auth|access|refresh|id|api|bot)?{_S}token|authorization|credentials?"
_PREFIXED = r"(?<=[A-Za-z0-9][_-])(?:pass|pwd|auth)"
"""Telling only with a prefix: `DB_PASS`; `PASS` alone is a verdict and `PWD` a folder."""
_SHORT = r"(?<![A-Za-z0-9_-])(?:pwd|pass|pw|psw)"
"""Telling only right before a value, as in `pwd=x`; a folder, a verdict or a count there is no secret."""
NAMES = rf"{_SURE}|{_LIKELY}"
_ANY = rf"(?:{_SURE}|{_LIKELY}|{_PREFIXED})(?:{_S}[0-9]{{1,2}})?"
_START = r"(?:(?<![A-Za-z0-9])|(?-i:(?<=[a-z0-9])(?=[A-Z]))|(?=passw|passphrase))"
"""A name begins after a dash, at a capital (`dbPassword`), or anywhere if it is `password`: no rescanning."""

_HUMP = r"(?:[a-z0-9]*(?-i:(?<=[a-z0-9])(?=[A-Z])))?"
_FULL = re.compile(
    rf"(?i)(?:[a-z0-9]+[_.-])*?{_HUMP}(?:{_SURE}|{_LIKELY}|[a-z0-9]*passw(?:or)?d|pwd|{_TONGUES}|(?:set-)?cookie)(?:{_S}[0-9]{{1,2}})?"
    r"|[a-z0-9_-]{1,40}[_-](?:pass|pwd)"
)
_SURE_FULL = re.compile(rf"(?i)(?:[a-z0-9]+[_.-])*?{_HUMP}(?:{_SURE}|{_TONGUES}|[a-z0-9]*passw(?:or)?d)")

_GAP = r"(?:\s|<[^<>]{0,120}>|[*_`~]){0,12}"
_QUOTE = r"(?:\\{0,7}[\"']|&quot;|&#3[49];|&#x27;)"
_AFTER = rf"{_QUOTE}?{_GAP}(?:[:=：＝]>?|%3[Dd]){_GAP}"
_QUOTED = re.compile(
    rf"(?i)({_START}(?:{_ANY}){_AFTER}[rbuf]{{0,2}}(?P<q>{_QUOTE}))"
    r"(?P<value>(?:(?!(?P=q))(?:\\[^\n]|[^\n]))+)"
)
_BARE = re.compile(
    rf"(?i)(?P<head>{_START}(?:(?P<sure>{_SURE}|{_PREFIXED})|{_LIKELY})(?:{_S}[0-9]{{1,2}})?"
    rf"(?P<sep>{_AFTER}))(?!bearer\s|basic\s|AWS4-|{_QUOTE}|(?:{_SURE}|{_LIKELY})\s{{0,8}}[:=])"
    r"(?P<value>(?:(?!&quot;|&#3[49];)[^\s\"';<>&\\])+)"
)
_FLAG = re.compile(
    rf"(?i)((?<![a-z0-9-])--[a-z0-9-]{{0,40}}?(?:{_SURE}|{_LIKELY}|pass|pwd)(?:\s{{1,4}}|=)(?P<q>[\"']?))(?!-|\[redacted\])"
    r"(?P<value>[^\s\"']+)"
)
_TAGGED = re.compile(
    rf"(?i)({_START}(?:{_ANY})(?:\s[^<>]{{0,120}})?(?:>|(?:</[a-z]{{1,10}}>){{0,3}}</(?:t[hd]|dt)>\s{{0,20}}<(?:td|dd)[^<>]{{0,120}}>(?:\s{{0,20}}<[^<>/]{{1,120}}>){{0,3}})\s{{0,20}})"
    r"(?!\[redacted\])(?P<value>[^<>\s]+)(?=\s{0,20}</)"
)
FOLDS = "İıſ\u212a"
"""Letters beyond ASCII that a pattern without regard to case takes for i, s or k."""
_ROOTS = ("secret", "token", "key", "pass", "x-amz-", "webhook", "auth", "credential", "pwd")
"""Every telling name contains one of these, ..."""
_BEFORE, _BEHIND = 24, 12
"""... at most this many characters behind its beginning; as many behind it show whether the name begins there."""
_BEGINNING = re.compile(rf"(?i){_START}")
_WORDS = frozenset(
    """none null nil true false undefined str string bytes int required optional missing empty unset yes no not the a an
    is was are of in for to and or""".split()  # noqa: SIM905
)
_CODE = re.compile(r"[A-Za-z_][\w.]*[(\[]|self\.[a-z_]+$")
"""A value that a program computes, such as `getpass()`."""
_PLACE = re.compile(r"[/~.%\\]|[A-Za-z]:[\\/]|[\d.,]+%?$")
"""A folder or a count."""
_BRIEF = re.compile(
    rf"(?i)(?P<head>{_SHORT}(?:=|{_QUOTE}?:\s?|{_QUOTE}=)(?P<q>{_QUOTE}?))(?!\[redacted\])(?P<value>[^\s\"'`;<>&\\,]+)"
)
_FOREIGN = re.compile(
    rf"(?i)((?<![A-Za-z0-9])(?:[A-Za-z0-9]{{1,20}}[_-]){{0,3}}(?:{_TONGUES})(?:{_S}[0-9]{{1,2}})?{_AFTER}{_QUOTE}?)"
    r"(?!\[redacted\])(?P<value>[^\s\"'`;<>&\\]+)"
)
_STEMS = (
    "secret",
    "token",
    "key",
    "passw",
    "passphrase",
    "passcode",
    "x-amz-",
    "webhook",
    "authorization",
    "credential",
    "_pass",
    "-pass",
    "_pwd",
    "-pwd",
    "_auth",
    "-auth",
)
"""Every telling name contains one of these, in small letters ..."""
_TONGUE_STEMS = (
    *("kennwort", "contraseña", "contrasena", "mot de passe", "mot_de_passe", "mot-de-passe", "motdepasse", "senha"),
    *("wachtwoord", "hasło", "haslo", "пароль", "密码", "密碼", "パスワード", "비밀번호", "lösenord", "losenord"),
    *("adgangskode", "salasana", "heslo", "jelszó", "parola", "şifre", "sifre", "passord"),
)
"""... or, in another language, one of these."""
_ASSIGNED = re.compile(
    rf"[a-z0-9_-]{{0,18}}(?:{_QUOTE}?{_GAP}(?:[:=：＝]|%3d)|[^<>]{{0,121}}>|(?:</[a-z]{{1,10}}>){{0,3}}</(?:t[hd]|dt)>)"
)
"""The assignment behind such a beginning, within the longest end of a name."""


def telling(name: str) -> bool:
    """Whether a key or a flag names a secret, such as `DB_PASSWORD`, `apiKey` or `--client-secret`."""
    return len(name) <= 120 and _FULL.fullmatch(name.strip().lstrip("-").replace(" ", "_")) is not None


def surely(name: str) -> bool:
    """Whether everything below such a key is secret, numbers and lists too; a `token` can be a count."""
    return len(name) <= 120 and _SURE_FULL.fullmatch(name.strip().lstrip("-").replace(" ", "_")) is not None


def harmless(value: str) -> bool:
    """Whether a value only points to a secret: an ARN, a KMS alias, a variable, a mask."""
    return value.startswith(("arn:", "alias/", "$", "{{", MASK)) or not value.strip("*.-–… ")


def stemmed(small: str) -> bool:
    """Whether a text in small letters may contain a telling name."""
    return any(stem in small for stem in (*_STEMS, "pwd")) or _foreign(small)


def _foreign(small: str) -> bool:
    return any(stem in small for stem in _TONGUE_STEMS)


def no_value(value: str) -> bool:
    """Whether a text in the place of a value is none: a word of a sentence, a variable, a mask."""
    return not value or value == MASK[:-1] or harmless(value) or value.casefold() in _WORDS


def mask_named(text: str, small: str) -> str:
    """`text` with the values behind telling names masked; `small`: the same text in small letters."""
    flags = "--" in small and any(stem in small for stem in (*_STEMS, "pass", "pwd"))
    if flags:
        text = _FLAG.sub(lambda match: match[0] if harmless(match["value"]) else match[1] + MASK, text)
    if any(name in small for name in ("pwd", "pass", "pw", "psw")):
        text = _BRIEF.sub(_brief, text)
    if _foreign(small):
        text = _FOREIGN.sub(_after, text)
    if _assigns(small):
        for pattern, replace in ((_QUOTED, _quoted), (_BARE, _bare), (_TAGGED, _quoted)):
            text = at_names(pattern, replace, text)
    return text


def at_names(pattern: re.Pattern[str], replace: Callable[[Match], str], text: str) -> str:
    """`pattern.sub` for a pattern that begins with a telling name, tried only where one can begin: a report has a
    million characters and few names, and `str.find` finds them fifty times faster.
    """
    if not text.isascii() and any(letter in text for letter in FOLDS):
        return pattern.sub(replace, text)
    kept, at, least = list[str](), 0, 0
    for place in _rooted(text.lower()):
        for begin in _BEGINNING.finditer(text, max(least, place - _BEFORE), place + _BEHIND):
            if begin.start() > place:
                break
            found = pattern.match(text, begin.start()) if begin.start() >= at else None
            if found:
                kept += [text[at : found.start()], replace(found)]
                at = found.end()
        least = place + 1
    return "".join([*kept, text[at:]])


def _rooted(small: str) -> list[int]:
    """Positions of the roots, in order; `small`: in small letters."""
    places = list[int]()
    for root in _ROOTS:
        at = small.find(root)
        while at >= 0:
            places.append(at)
            at = small.find(root, at + 1)
    return sorted(places)


def _assigns(small: str) -> bool:
    for stem in _STEMS:
        at = small.find(stem)
        while at >= 0:
            if _ASSIGNED.match(small, at + len(stem)):
                return True
            at = small.find(stem, at + 1)
    return False


def _quoted(match: Match) -> str:
    return match[0] if harmless(match["value"]) else match[1] + MASK


def _after(match: Match) -> str:
    value = match["value"].rstrip(",.)]}:|`")
    return match[0] if no_value(value) else match[1] + MASK + match["value"][len(value) :]


def _brief(match: Match) -> str:
    value = match["value"].rstrip(",.)]}:|`")
    tail = match["value"][len(value) :]
    spaced = match["head"][-1].isspace()
    none = no_value(value) or _PLACE.match(value) or value.startswith(("(", "[", "{")) or _CODE.match(value)
    if none or (spaced and not any(char.isdigit() for char in value)):
        return match[0]
    return match["head"] + MASK + tail


def _bare(match: Match) -> str:
    """Masks a value without quotes: behind a sure name, anything but a word of a sentence; else only a likely token."""
    value = match["value"].rstrip(",.)]}:|`") or match["value"]
    tail = match["value"][len(value) :]
    block = value[:1] == "|" and not value.strip("|+-0123456789")  # YAML: the value follows below
    if value == MASK[:-1] or not value or harmless(value) or block or value.startswith(("(", "[", "{")):
        return match[0]
    loose = match["sep"][-1:].isspace()
    code = _CODE.match(value) is not None and (loose or not match["sure"])
    word = value.casefold() in _WORDS or code
    if match["sure"]:
        return match[0] if word else match["head"] + MASK + tail
    enough = any(char in "0123456789/+=" for char in value) and len(value) >= 8
    tight = not loose and match["sep"] == "=" and len(value) >= 4
    return match["head"] + MASK + tail if (enough or tight) and not word else match[0]
