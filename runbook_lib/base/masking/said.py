"""Secrets that a sentence, an error or a prompt tells, without an assignment: `password x was rejected`,
`Password for ada: x`, `Value 'x' at 'password' failed to satisfy constraint`, `Secret Access Key [None]: x`.
"""

from __future__ import annotations

import re

from runbook_lib.base.masking.drawn import AMONG, FAR, looks_drawn
from runbook_lib.base.masking.ends import is_front
from runbook_lib.base.masking.kinds import MASK, Match, shorn
from runbook_lib.base.masking.names import NAMES, PREFIXED, START, SURE, at_names, no_value, stemmed, surely, telling
from runbook_lib.base.masking.pairs import STEM, near
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.masking.vocabulary import HUMP, PLAIN, TAIL, has

_START = rf"(?:(?<![A-Za-z0-9])|{HUMP})"
_KEYS = r"(?:secret[ _-])?access[ _-]?key|(?:api|secret|private|session)[ _-](?:key|token)|secret|token"
_NAME = rf"{_START}(?:(?P<sure>{SURE}|secret[ _-]access[ _-]key)|{_KEYS})"
_VALUE = (
    r"(?:(?P<q>\\{0,3}[\"'`])(?P<quoted>(?:(?!(?P=q))[^\n]){1,500})(?=(?P=q))"
    r"|(?P<bare>[^\s\"'`<>\\](?:(?:(?!</|\\{1,4}[nrtu\"'])\S)+(?<![\"'`])(?=[ \t]{0,8}$)|[^\s\"'`<>\\]*)))"
)
_END = r"(?P<end>[ \t]{0,8}(?:$|\\n|<|[\"']))?"
_NEXT = re.compile(
    rf"(?i)({_START}(?:{SURE})[\"'`*_]{{0,3}}(?:\s{{1,4}}(?:[-–—→]\s{{1,4}})?[(\[]?))"
    r"(?P<bare>(?!redacted\])[^\s\"'`<>\\]+)"
)
"""`with password x failed`, `password (x) invalid`, `password - x`: only what looks drawn."""
_BESIDE = re.compile(
    rf"(?i)((?:(?:{'|'.join(f'(?<={word}[ _-])' for word in ('api', 'secret', 'access', 'private', 'session'))})key"
    rf"|{''.join(f'(?<!{word} )' for word in ('next', 'starting', 'page', 'continuation'))}"
    r"(?<![A-Za-z0-9_-])(?:secret|token))"
    r"[\"'`*_]{0,3}\s[(\[]?)"
    r"(?P<bare>(?!redacted\])[^\s\"'`<>\\]{12,200})"
)
"""`the api key x leaked`: only what looks drawn letter by letter."""
_SENT = re.compile(
    r"(?i)((?P<q>[\"'])[^\"'\n]{0,60}ass(?:word|phrase|code)[^\"'\n]{0,20}(?P=q)[^\"'\n]{0,20}\s{0,40}[^\"'\n]{0,40}?"
    r"\bsend(?:line|text)?\b(?:[ \t]--)?[ \t({]{0,6}(?P<o>[\"']))(?P<quoted>(?:(?!(?P=o))[^\n])+)"
)
"""What a script sends when it is asked: `expect "password:" send "x"`."""
_FOR = re.compile(
    rf"(?im)({_NAME}[ \t](?:for|of|(?:is|was|has[ ]been)[ ](?:auto-?)?(?:generated|created|set)[ ](?:for|as))[ \t]"
    rf"(?:'[^'\n]{{1,120}}'|[^\n\\:=]{{1,80}}?)(?:\s?[:=]|\sis(?:\snow)?(?:\s?:)?|\s?→)[ \t]{{1,4}}){_VALUE}{_END}"
)
"""`Password for ada: x`, `the password for prod is x`."""
_NOW = re.compile(
    rf"(?im)({_NAME}[ \t](?:(?:is|was|has[ ]been)[ \t])?(?:now|reset to|set to|changed to):?[ \t]){_VALUE}{_END}"
)
_ASKED = re.compile(rf"(?im)({_NAME}[ \t]?[\[(][^\])\n]{{0,60}}[\])][ \t]?:[ \t]{{1,4}})(?!\[){_VALUE}{_END}")
"""A prompt that shows what stands there already, or how it is asked."""
_ALONE = re.compile(
    rf"(?i)({_START}(?:{SURE})[^\n]{{0,100}}(?:\n[ \t]{{0,8}}(?:new )?value:[ \t]"
    r"|:[ \t]{0,8}(?:\n[ \t]{0,8}){1,3}))"
    r"(?P<bare>[^\s\"'`<>\\]{8,200})(?=[ \t]{0,8}(?:\n|\Z))"
)
"""A sentence about a password, and below it a word alone: `use the following password:`"""
_SIGNED = re.compile(
    rf"(?i)((?<![A-Za-z0-9.])(?:{SURE})[\"'`*_]{{0,3}}(?:[ \t]?(?P<sign>(?P<row>;)|[|(~→])[ \t]?|[?>][ \t]))"
    r"(?P<bare>(?!redacted\])(?(row)[^\s\"'`<>\\|;]+|[^\s\"'`<>\\|]+))"
)
"""`password|x`, `password(x)`: only what looks drawn, and is no column's name with a number."""
_BOTH = re.compile(
    r"(?i)(\b(?:user(?:[ _-]?(?:name|id))?|login|account)[ \t]?(?P<sign>[/:|])[ \t]?pass(?:word|wd|phrase)?\b[\"']?"
    r"(?:[ \t]{0,4}[:=])?[ \t]{0,4}[^\s/:|\"'<>]{1,80}[ \t]?(?P=sign)[ \t]?)(?P<bare>[^\s\"'`<>\\]+)"
)
"""`user/password: ada/x`"""
_LOUD = re.compile(
    r"(?<![A-Za-z0-9_])((?P<name>[A-Z][A-Z0-9_]{0,60}?(?:PASS|PWD|SECRET|TOKEN|KEY|CREDENTIAL|AUTH)[A-Z0-9_]{0,20})"
    r"(?P<gap>[ ]?\t[ \t]{0,8}|[ ]{1,80}))(?P<bare>[^\s\"'`<>\\=:]+)"
)
"""An environment variable and its value, between blanks."""
_FLAG = re.compile(
    r"(?i)((?<![\w-])-(?:[a-z]{0,20}?(?:passw(?:or)?d|passphrase|secret|token|apikey|accesskey|secretkey))"
    r"[ \t]{1,4}(?P<q>[\"']?))(?P<bare>(?!-)[^\s\"'`<>\\]+)"
)
"""An option behind one dash."""
_FLAGGED = tuple(
    name + blank for name in ("passwd", "password", "passphrase", "secret", "token", "key") for blank in (" ", "\t")
)
_SIGNS = ("/pass", "/ pass", ":pass", ": pass", "|pass", "| pass")
_TYPED = re.compile(
    rf"(?i)({START}(?:{NAMES}|{PREFIXED}){TAIL}\s{{0,4}}"
    r"(?::\s{0,4}&?[A-Za-z][\w.\[\]|&' ]{0,60}?"
    r"=\s{0,4}|[:=]\s{0,4}(?:new\s)?(?:Some|Just|Ok|Right|Secret\w{0,20}|Sensitive\w{0,20}|String)\(|=\s{0,4}@|\{))(?P<q>\\{0,3}[\"'])(?P<quoted>(?:(?!(?P=q))[^\n]){1,500})(?=(?P=q)(?!\s{0,8}:))"
)
"""A variable with its type, or within the word that makes it: `password: str = 'x'`, `password=SecretStr('x')`."""
_AT = re.compile(
    r"(?P<head>\b[Vv]alue (?P<q>\\{0,3}[\"']))(?P<quoted>(?:(?!(?P=q) at )[^\n]){1,2000})"
    r"(?=(?P=q) at (?P=q)(?P<name>[\w.\[\]/-]{1,120})(?P=q))"
)
_PARAMETER = re.compile(
    r"(?P<head>\bparameter (?P<name>[\w.\[\]-]{1,120}), value: )(?P<quoted>[^\n]{1,2000}?)(?=, (?:type|valid)\b|$|\n)"
)
_ARGUMENT = re.compile(
    r"(?P<head>\bargument (?:-\w(?: \w+)?/)?--?(?P<name>[\w-]{1,60})(?: \w+)?: invalid [\w ]{0,40}: (?P<q>[\"']))"
    r"(?P<quoted>(?:(?!(?P=q))[^\n])+)"
)
_INPUT = re.compile(
    r"(?m)(?P<head>^[ \t]*(?P<name>[\w.\[\]-]{1,200})\n[ \t]+[^\n]{0,400}?\[type=[\w.]{1,80}, input_value=)"
    r"(?P<quoted>'[^'\n]*'|\"[^\"\n]*\"|[^\s,\]]+)(?=, input_type)"
)
"""What AWS, botocore, argparse and pydantic say about a value that they refuse."""
_ERRORS = (
    (("' at '", '" at "', '" at \\'), _AT),
    ((", value: ",), _PARAMETER),
    ((": invalid ",), _ARGUMENT),
    (("input_value=",), _INPUT),
)
_NUMBERED = re.compile(r"[A-Za-z_. -]+[0-9]{1,2}")
_ECHO = re.compile(
    r"(\b(?:echo|printf)[ \t](?:-\w{1,3}[ \t]|[\"']?%s(?:\\n)?[\"']?[ \t])?(?P<q>[\"']?)"
    r"(?:[^\s\"':|]{1,80}:(?=[^\n]{1,400}\|[ \t]*(?:sudo[ \t])?chpasswd))?)"
    r"(?P<bare>[^\s\"'|<>\\]+)(?=[\"']?[ \t]{0,4}\|[^\n|]{0,200}"
    r"(?:--password-stdin|--with-token|\bsudo -S|--stdin|chpasswd|\bsecrets? (?:set|put)\b))"
)
"""A password that a shell hands to a program's input."""


_ROW = 400
"""Characters of a line that are regarded."""


def mask_apart(text: str, small: str) -> str:
    """`text` with the values masked that stand apart from their name by more than a sign (in an error, behind a type or
    a blank); `small`: the same text in small letters.
    """
    if "|" in small and has(("echo", "printf"), small):
        text = _ECHO.sub(lambda match: match[0] if harmless(match["bare"]) else match[1] + MASK, text)
    if "send" in small and "ass" in small:
        text = _SENT.sub(lambda match: match[0] if harmless(match["quoted"]) else match[1] + MASK, text)
    if not stemmed(small):
        return text
    if "_" in small:
        text = _LOUD.sub(_loud, text)
    for needles, pattern in _ERRORS:
        if has(needles, small):
            text = pattern.sub(_refused, text)
    return at_names(_TYPED, _told, text, every=True)


def mask_said(text: str, small: str) -> str:
    """`text` with the secrets masked that it tells so; `small`: the same text in small letters."""
    if not stemmed(small):
        return text
    if has(_FLAGGED, small):
        text = _FLAG.sub(_told, text)
    if has(_SIGNS, small):
        text = _BOTH.sub(_told, text)
    for pattern in (_FOR, _NOW, _ASKED, _NEXT):
        text = near(pattern, _told, text, STEM, 0)
    text = near(_SIGNED, _signed, near(_ALONE, _told, text, STEM, 0), STEM, 0)
    return near(_BESIDE, _beside, text, STEM, 0)


def _refused(match: Match) -> str:
    value = match["quoted"]
    told = any(map(telling, [match["name"], *re.split(r"[.\[\]/]", match["name"])]))
    if not told or harmless(value) or value.isdigit():
        return match[0]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{match['head']}{quote}{MASK}{quote}"


def _loud(match: Match) -> str:
    """Masks the value of a variable: behind a tab any that is no word of a sentence."""
    bare = match["bare"]
    value = shorn(bare, ",.)]};!?|")
    if "_" not in match["name"] or not telling(match["name"]) or no_value(value):
        return match[0]
    line = match.string[match.string.rfind("\n", 0, match.start()) + 1 :][:_ROW].partition("\n")[0]
    tab = "\t" in match["gap"] and MASK not in line and surely(match["name"]) and len(value) > 3
    tab = tab and not value.replace(".", "").isdigit()
    header = value.isupper() and value.replace("_", "").isalpha()  # of the next column
    plain = header or value.casefold() in PLAIN or value.startswith(("[", "{", "("))
    return f"{match[1]}{MASK}{bare[len(value) :]}" if (tab and not plain) or looks_drawn(value, AMONG) else match[0]


def _beside(match: Match) -> str:
    bare = match["bare"]
    value = shorn(bare, ",.)]}:;!?*_")
    return (
        f"{match[1]}{MASK}{bare[len(value) :]}" if looks_drawn(value, FAR) and looks_drawn(value, AMONG) else match[0]
    )


def _signed(match: Match) -> str:
    called = match["sign"] == "(" and match.string[max(0, match.start() - 1) : match.start()] == "_"
    return match[0] if called or _NUMBERED.fullmatch(shorn(match["bare"], ",.)]}:;!?*_")) else _told(match)


def _told(match: Match) -> str:
    parts = match.groupdict()
    if (quoted := parts.get("quoted")) is not None:
        return (
            match[0]
            if harmless(quoted) or no_value(quoted)
            else f"{match[1]}{parts['q']}{MASK}{parts.get('end') or ''}"
        )
    bare = match["bare"]
    value = shorn(bare, ",.)]}:;!?*_")
    if "\n" in match[1] and MASK in match.string[match.string.rfind("\n", 0, match.start()) + 1 : match.start()]:
        return match[0]  # its value is before it
    last = parts.get("end") is not None and parts.get("sure")
    word = value.casefold() in PLAIN or value.startswith(("[", "(", "{", "/", "~")) or value[:1].isdigit()
    if (
        no_value(value)
        or is_front(match, match[1], "bare")
        or not (looks_drawn(value, AMONG) or (last and not word and len(value) > 3))
    ):
        return match[0]
    return f"{match[1]}{parts.get('q') or ''}{MASK}{bare[len(value) :]}{parts.get('end') or ''}"
