"""Names that tell a secret, and the value behind one: `name = value`, `"name": "value"`, `--name value`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from runbook_lib.base.masking.drawn import BEHIND, FAR, looks_drawn
from runbook_lib.base.masking.ends import ends_line, ends_text, is_front, is_key
from runbook_lib.base.masking.kinds import MASK, Match, shorn
from runbook_lib.base.masking.places import FIGURE, harmless, refers
from runbook_lib.base.masking.vocabulary import FACT, HUMP, TAIL, TONGUES, foreign, has

_S = "[_-]?"
SURE = r"passw(?:or)?[dt]s?|pass[ ]?phrases?|passcodes?"
"""Names of a password, which a sentence may have, too."""
SURE_NAMES = (
    r"(?:secret|access|account|api|private|encryption)\.key|(?:access|auth|session|api)\.token|client\.secret"
    rf"|(?:aws{_S})?secret{_S}access{_S}key|(?:aws{_S})?session{_S}token|x-amz-(?:signature|credential|security-token)"
    rf"|(?:aws{_S})?access{_S}key{_S}id|{SURE}|secret{_S}(?:key(?:{_S}base)?|string|value|binary)|client{_S}secret"
    rf"|(?:signing|encryption|account|shared{_S}access|master|private|routing|integration|service|(?:ops)?genie|x-api|api|deploy|x-functions|subscription|fastly|license|x-auth|fernet|aes|hmac|jwt|stripe|mailgun|cipher|symmetric|pre{_S}shared)"
    rf"{_S}keys?|webhook{_S}urls?|client{_S}key{_S}data|sshpass|shared{_S}access{_S}signature"
    rf"|passw(?:or)?ds?{_S}(?:hash|text|string)"
)
_PAGES = "next|starting|page|pagination|continuation|idempotency|clientrequest|client-request|client_request"
_PAGE = "".join(f"(?<!{name})(?<!{name}[ _-])" for name in _PAGES.split("|"))
"""A token behind one of these names says where a list goes on, or which request it was: whoever has it has nothing."""
LIKELY = (
    rf"secrets?|(?:auth|access|refresh|id|api|bot)?{_S}{_PAGE}token|authorization|credentials?|creds?|cookies"
    rf"|(?:access|admin|app(?:lication)?|server|shared|unseal){_S}keys?|(?:auth|nonce|logged{_S}in){_S}(?:keys?|salts?)"
)
_OWNERS = (
    "db|database|pg|postgres|mysql|mongo|redis|sql|ora|admin|user|root|app|svc|store|trust|key|bind|ldap|smtp|mail|ftp"
    "|proxy|http|api|vnc|wifi|mq|rabbit|login"
)
PREFIXED = (
    r"(?<=[A-Za-z0-9][_-])(?:pass|pwd|pw|psk|auth)|(?-i:(?<=[a-z0-9])P(?:ass|wd|w)(?![a-z]))"
    rf"|(?:{_OWNERS})(?:store)?(?:pass|pwd|pw)|(?:git(?:hub|lab)|devops)_pat"
    rf"|(?:api|app|consumer|oauth|jwt|webhook|session|hmac){_S}secret"
)
"""Telling only with something in front: `DB_PASS`, `dbPass`; `PASS` alone is a verdict and `PWD` a folder."""
_SHORT = r"(?<![A-Za-z0-9_-])(?:pwd|pass|pw|psw|psk)"
"""Telling only right before its value: `pwd=x`. A folder, a verdict or a count behind it is none."""
NAMES = rf"{SURE_NAMES}|{LIKELY}"
_ANY = rf"(?:{SURE_NAMES}|{LIKELY}|{PREFIXED}){TAIL}"
START = rf"(?:(?<![A-Za-z0-9])|{HUMP}|(?=passw|passphrase)|(?<=[\s\"']-D))"
"""A name begins after a dash, at a hump (`dbPassword`), or anywhere if it is `password`: nothing is scanned twice."""

_HUMP = rf"(?:[a-z0-9]*{HUMP})?"
_ONE_OF = re.compile(r"([\w.-]+)\[[\"']?([\w.-]*)[\"']?\]")
_FULL = re.compile(
    rf"(?i)(?!no[_-])(?:[a-z0-9]+[_.-])*?{_HUMP}(?:{SURE_NAMES}|{LIKELY}|[a-z0-9]*passw(?:or)?d|pwd|{TONGUES}|(?:set-)?cookies?){TAIL}"
    rf"|(?:[a-z0-9_-]{{1,40}}(?:[_-]|(?-i:(?<=[a-z0-9])(?=P)))(?:pass|pwd|pw|psk)"
    rf"|(?:[a-z0-9]{{1,20}}[_-]){{0,3}}(?:(?:{_OWNERS})(?:store)?(?:pass|pwd|pw)|(?:git(?:hub|lab)|devops)_pat)){TAIL}"
)
_SURE_FULL = re.compile(rf"(?i)(?:[a-z0-9]+[_.-])*?{_HUMP}(?:{SURE_NAMES}|{TONGUES}|[a-z0-9]*passw(?:or)?d){TAIL}")

_GAP = r"(?:\s|\\\r?\n|<[^<>]{0,120}>|[*_`~]|\\{1,4}[nrt](?![a-z])){0,12}"
QUOTE = r"(?:\\{0,7}[\"']|&quot;|&#3[49];|&#x27;)"
_ASSIGN = r"(?:[:?+]?={1,3}>?|::(?=[ \t])|:>?|[：＝]|<-|->|%3d|&#61;|&#x3d;|\\{1,4}(?:u003|x3)[ad])"
_SUBSCRIPT = rf"(?:\[{QUOTE}?[\w.-]{{1,40}}{QUOTE}?\])?"
"""Which of several: `password[db]`."""
AFTER = rf"{_SUBSCRIPT}{QUOTE}?\]?{_GAP}{_ASSIGN}{_GAP}"
_TAG = r"(?:[!&][^\s\"'`<>\[({]{1,40}[ \t]{1,4}(?![}\])]))?"
"""What YAML may have before a value: its kind, or an anchor."""
_QUOTED = re.compile(
    rf"(?i)({START}(?:{_ANY}){AFTER}{_TAG}(?:[rbufne]{{0,2}}|u&|\$|string\(\d{{1,6}}\)[ ])(?P<q>{QUOTE}))"
    r"(?P<value>(?:(?!(?P=q))(?:\\[^\n]|[^\n]))+)"
)
CONTINUED = r"(?:[ \t]{1,4}[\\`^]\r?\n[ \t]{0,40}|\s{1,4}|=)"
"""Between an option and its value; a shell's line may go on below."""
NEXT = (
    r"(?P<next>[ \t]{1,4}(?:[/|,][ \t]{1,4})?(?P<drawn>[^\s\"';<>&\\=:,(){}\[\]-][^\s\"';<>&\\=:,(){}\[\]]{11,199}))?"
)
"""The word behind a value: it is the value if the first one is a name, as in `basic_auth: bob x`."""
_BARE = re.compile(
    rf"(?i)(?P<head>{START}(?:(?P<sure>{SURE_NAMES}|{PREFIXED})|{LIKELY}){TAIL}"
    rf"(?P<sep>{AFTER}{_TAG}))(?!bearer\s|basic\s|AWS4-|{QUOTE}|(?:[rbufneq]{{1,2}}|u&)[\"']|(?:{SURE_NAMES}|{LIKELY})\s{{0,8}}[:=])"
    rf"(?P<value>(?:(?!&quot;|&#3[49];)[^\s\"';<>&\\])+){NEXT}"
)
_FLAG = re.compile(
    rf"(?i)((?<![a-z0-9-])--(?!no-|secret[ ]\S{{1,80}}[ ]\[redacted\])[a-z0-9-]{{0,40}}?"
    rf"(?:{SURE_NAMES}|{LIKELY}|pass|pwd){TAIL}{CONTINUED}(?:<<<[ \t]{{0,4}})?)"
    rf"(?:\$?(?P<q>[\"'])(?P<quoted>(?:\\[^\n]|(?!(?P=q))[^\n])+)|(?!-|\[redacted\]|<<|[\\`^](?:\r?\n|\Z))"
    rf"(?P<value>(?:\\ |[^\s\"']|(?<=[^\s=\"'])[\"'](?=[^\s\"',;:<>)\]}}]))+){NEXT})"
)
_TAGGED = re.compile(
    rf"(?i)({START}(?:{_ANY}){QUOTE}?(?:\s[^<>]{{0,120}})?(?:>|(?:</[a-z]{{1,10}}>){{0,3}}</(?:t[hd]|dt|key)>\s{{0,20}}<(?:td|dd|string)[^<>]{{0,120}}>(?:\s{{0,20}}<[^<>/]{{1,120}}>){{0,3}})\s{{0,20}}(?:<value>)?(?:<!\[CDATA\[)?)"
    r"(?!\[redacted\])(?P<value>(?:(?!\]\]>)[^<>\s])+)(?=(?:\]\]>)?\s{0,20}</)"
)
FOLDS = "İıſ\u212a"
"""Letters beyond ASCII that a pattern without regard to case takes for i, s or k."""
_ROOTS = (
    *("secret", "token", "key", "pass", "x-amz-", "webhook", "auth", "cred", "pw", "psk", "salt", "cookies"),
    *("sharedaccess", "_pat"),
)
"""Every telling name contains one of these, ..."""
_BEFORE, _BEHIND = 24, 12  # ... at most so far behind its beginning; as much more shows whether it begins there
_BEGINNING = re.compile(rf"(?i){START}")
LONGEST = 200
"""Most characters of a match that stays in which others are looked for: in a longer one, that takes too long."""
_OF_NAMES = re.compile(
    r"(?i)<t[hd][^<>]{0,60}>\s{0,20}\w{0,20}(?:name|key|parameter|setting|variable)\s{0,20}</t[hd]>"
    r"(?:\s{0,20}<td[^<>]{0,60}>[^<>]{0,80}</td>){0,9}\s{0,20}<td[^<>]{0,60}>[^<>]{0,80}\Z"
)
"""Before the first name of a row that has names alone."""
_ROW = 400
"""Characters behind a cell in which its row ends."""
_WORDS = frozenset(
    """none null nil true false undefined str string bytes int required optional missing empty unset yes no not the a an
    is was are of in for to and or invalid incorrect enabled
    disabled on off securestring plaintext""".split()  # noqa: SIM905
)
_FETCHED = ("include", "same-origin", "omit", "use-credentials", "anonymous")
"""What a browser's `credentials` are set to: a page whose script is changed shows nothing."""
_CODE = re.compile(r"[A-Za-z_][\w.]*[(\[]|self\.[a-z_]+$")
"""A value that a program computes, such as `getpass()`."""
_REFERENCE = re.compile(
    r"(?:var|local|config|settings|self|module|data|args|params|props|process\.env)\.[A-Za-z_][\w.]*"
)
"""A value that another name of a program holds."""
_CALLED = re.compile(r"!(?:Ref|GetAtt|ImportValue|FindInMap|Select|Join|If)\s{1,4}\Z")
"""What CloudFormation has before the name of a value."""
_COUNT = re.compile(r"[\d.,]+%?")
_PLACE = re.compile(r"[/~.%\\]|[A-Za-z]:[\\/]|[\d.,]+%?$")
"""A folder or a count."""
_BRIEF = re.compile(
    rf"(?i)(?P<head>{_SHORT}(?:=|{QUOTE}?:[^\S\n]?|{QUOTE}=)(?P<q>{QUOTE}?))(?!\[redacted\])(?P<value>[^\s\"'`;<>&\\,]+)"
)
_FOREIGN = re.compile(
    rf"(?i)((?<![A-Za-z0-9])(?:{TONGUES})(?:{_S}[0-9]{{1,2}})?{AFTER}{QUOTE}?)"
    r"(?!\[redacted\])(?P<value>[^\s\"'`;<>&\\]+)"
)
_STEMS = (
    *("secret", "token", "key", "salt", "pass", "pw", "x-amz-", "webhook", "authorization", "cred", "cookie"),
    *("_auth", "-auth", "_psk", "sharedaccess", "hub_pat", "lab_pat", "ops_pat"),
)
"""Every telling name contains one of these, in small letters, or one of another language."""
_ASSIGNED = re.compile(
    rf"(?:[ ]phrase)?[a-z0-9_.-]{{0,40}}"
    rf"(?:{_SUBSCRIPT}{QUOTE}?\]?{_GAP}{_ASSIGN}|[^<>]{{0,121}}>|(?:</[a-z]{{1,10}}>){{0,3}}</(?:t[hd]|dt|key)>)"
)
"""The assignment behind such a beginning, within the longest end of a name."""
_ASSIGNS = re.compile(
    rf"(?i)[\w.-]{{2,140}}(?:[ ]phrase)?"
    rf"(?:{_SUBSCRIPT}{QUOTE}?\]?{_GAP}{_ASSIGN}|{QUOTE}?(?:\s[^<>]{{0,120}})?(?:>|</))"
)


@lru_cache(maxsize=4096)
def telling(name: str) -> bool:
    """Whether a key or a flag names a secret, such as `DB_PASSWORD`, `apiKey`, `password[db]` or `--client-secret`."""
    return len(name) <= 120 and any(map(_FULL.fullmatch, _words_of(name)))


@lru_cache(maxsize=1024)
def surely(name: str) -> bool:
    """Whether everything below such a key is secret, numbers and lists too; a `token` can be a count."""
    return len(name) <= 120 and any(map(_SURE_FULL.fullmatch, _words_of(name)))


def _words_of(name: str) -> tuple[str, ...]:
    """A name as it is compared; of one of several (`password[db]`, a form's `user[password]`) both parts."""
    bare = name.strip().lstrip("-").replace(" ", "_")
    parts = _ONE_OF.fullmatch(bare)
    return (parts[1], parts[2]) if parts else (bare,)


@lru_cache(maxsize=1024)
def describes(name: str) -> bool:
    """Whether a key below a telling name holds a fact about the secret, such as `name` or `secretArn`."""
    return len(name) <= 120 and FACT.fullmatch(name.strip()) is not None


def stemmed(small: str) -> bool:
    """Whether a text in small letters may have a telling name anywhere."""
    return has(_STEMS, small) or foreign(small)


def no_value(value: str) -> bool:
    """Whether a text in the place of a value is none: a word of a sentence, a variable, a mask."""
    return not value or value == MASK[:-1] or harmless(value) or value.casefold() in _WORDS


def mask_named(text: str, small: str, *, assigned: bool) -> str:
    """`text` with the values behind telling names masked; `small`: the same text in small letters, `assigned`: as of
    `assigns`.
    """
    flags = "--" in small and has(_STEMS, small)
    if flags:
        text = everywhere(_FLAG, _option, text)
    if has(("pass", "pw", "psw", "psk"), small):
        text = everywhere(_BRIEF, _brief, text)
    if foreign(small):
        text = everywhere(_FOREIGN, _after, text)
    if assigned:
        for pattern, replace in ((_QUOTED, _quoted), (_BARE, _bare), (_TAGGED, _tagged)):
            text = at_names(pattern, replace, text)
    return text


def at_names(pattern: re.Pattern[str], replace: Callable[[Match], str], text: str, *, every: bool = False) -> str:
    """`everywhere` for a pattern that begins with a telling name, tried only where one can begin (`every`: also
    where nothing is assigned to it): a report has a million characters and few names, and `str.find` finds them fifty
    times faster.
    """
    if not text.isascii() and any(letter in text for letter in FOLDS):
        return everywhere(pattern, replace, text)
    kept, at = list[str](), 0
    for begin in beginnings(text) if every else assigned_beginnings(text):
        found = pattern.match(text, begin) if begin >= at else None
        if found and ((told := replace(found)) != found[0] or len(told) > LONGEST):
            kept += [text[at : found.start()], told]
            at = found.end()
    return "".join([*kept, text[at:]])


def everywhere(pattern: re.Pattern[str], replace: Callable[[Match], str], text: str) -> str:
    """`pattern.sub`, but what `replace` leaves as it is may have another match in it: a name without a value takes the
    next line's name for one.
    """
    kept, at, found = list[str](), 0, pattern.search(text)
    while found:
        told, begin = replace(found), found.start() + 1
        if told != found[0] or len(told) > LONGEST:
            kept += [text[at : found.start()], told]
            at = begin = found.end()
        found = pattern.search(text, begin)
    return "".join([*kept, text[at:]])


@lru_cache(maxsize=1)
def beginnings(text: str) -> tuple[int, ...]:
    """Positions in a text at which a telling name can begin, in order; several patterns ask for them in turn."""
    return tuple(_beginnings(text))


@lru_cache(maxsize=1)
def assigned_beginnings(text: str) -> tuple[int, ...]:
    """Those of the positions behind which something is assigned to a word."""
    return tuple(begin for begin in beginnings(text) if _ASSIGNS.match(text, begin))


def _beginnings(text: str) -> Iterator[int]:
    least = 0
    for place in _rooted(text.lower()):
        for begin in _BEGINNING.finditer(text, max(least, place - _BEFORE), place + _BEHIND):
            if begin.start() > place:
                break
            yield begin.start()
        least = place + 1


def _rooted(small: str) -> list[int]:
    """Positions of the roots, in order; `small`: in small letters."""
    places = list[int]()
    for root in _ROOTS:
        at = small.find(root)
        while at >= 0:
            places.append(at)
            at = small.find(root, at + 1)
    return sorted(places)


def assigns(small: str) -> bool:
    """Whether behind a telling name in a text in small letters something is assigned."""
    for stem in _STEMS:
        at = small.find(stem)
        while at >= 0:
            if _ASSIGNED.match(small, at + len(stem)):
                return True
            at = small.find(stem, at + 1)
    return False


def _option(match: Match) -> str:
    if (quoted := match["quoted"]) is not None:
        return match[0] if harmless(quoted) or is_key(match, match[1]) else f"{match[1]}{match['q']}{MASK}"
    front = is_front(match, match[1]) or ("\n" in match[1] and telling(match["value"].strip("`*:=")))
    return (
        match[0]
        if front or harmless(match["value"]) or refers(match["value"].rstrip(","))
        else match[1] + MASK + _next(match)
    )


def _next(match: Match) -> str:
    """The word behind a value that is masked: if it looks drawn and the value is a name, it is masked, too."""
    following, value = match["next"] or "", match["value"].rstrip(",")
    name = value.isidentifier() and value.casefold() not in _WORDS and not any(map(str.isdigit, value))
    return f" {MASK}" if following and name and looks_drawn(match["drawn"].rstrip(".!?|`"), FAR) else following


def _quoted(match: Match) -> str:
    if ends_text(match):
        return match[0]
    fetched = match["value"] in _FETCHED and "credentials" in match[1].casefold()
    return match[0] if fetched or harmless(match["value"]) else match[1] + MASK


def _tagged(match: Match) -> str:
    """Masks what an element holds, unless the value is in another cell of its row, which is masked."""
    before = match.string[max(0, match.start() - _ROW) : match.start()].rpartition("<tr")[2]
    others = before + match.string[match.end() : match.end() + _ROW].partition("</tr")[0]
    turned = _OF_NAMES.search(match.string, max(0, match.start() - _ROW), match.start())
    return match[0] if "<td" in match[1] and (turned or f">{MASK}<" in others) else _quoted(match)


def _after(match: Match) -> str:
    value = shorn(match["value"], ",.)]}:|`")
    none = no_value(value) or is_front(match, match[1])
    return match[0] if none else match[1] + MASK + match["value"][len(value) :]


def _brief(match: Match) -> str:
    value = shorn(match["value"], ",.)]}:|`")
    tail = match["value"][len(value) :]
    spaced = match["head"][-1].isspace()
    verdict = match["head"].startswith("PASS") and ":" in match["head"]  # a mapping of verdicts: `{"PASS": "green"}`
    none = no_value(value) or _PLACE.match(value) or value.startswith(("(", "[", "{")) or _CODE.match(value)
    figure = verdict and FIGURE.fullmatch(value)
    if none or figure or ((spaced or verdict) and not any(char.isdigit() for char in value)):
        return match[0]
    return match["head"] + MASK + tail


def _bare(match: Match) -> str:
    """Masks a value without quotes: behind a sure name, anything but a word of a sentence; else only a likely token."""
    value = shorn(match["value"], ",.)]}:|`") or match["value"]
    tail = match["value"][len(value) :]
    block = value[:1] == "|" and not value.strip("|+-0123456789")  # YAML: the value follows below
    key = ends_line(match, match["value"])
    if value == MASK[:-1] or not value or harmless(value) or block or key or value.startswith(("(", "[", "{")):
        return match[0]
    if not match["sure"] and "==" in match["sep"]:  # a comparison, whose other side is a variable
        return match[0]
    loose = match["sep"][-1:].isspace()
    if refers(match["value"].rstrip(",.);")) or _CALLED.search(match["sep"]):
        return match[0]
    count = (match["sure"] or "").casefold() in ("auth", "pass") and _COUNT.fullmatch(value)  # of a thing so named
    verdict = match["sure"] == "PASS" and ":" in match["sep"] and FIGURE.fullmatch(value)
    if verdict or (loose and (count or _REFERENCE.fullmatch(value))):
        return match[0]
    code = _CODE.match(value) is not None and (loose or not match["sure"])
    word = value.casefold() in _WORDS or code
    tight = not loose and match["sep"].lstrip("]") == "=" and len(value) >= 4
    told = not word and (match["sure"] or looks_drawn(value, BEHIND) or tight)
    return match["head"] + MASK + tail + _next(match) if told else match[0]
