"""What telling names consist of: `password` in the languages of teams, and what may stand behind a name within one
word: the environment, the region or the form of the secret (`DB_PASSWORD_PROD`, `unseal_keys_b64`), another word
(`DB_PASSWORD_ORDERS`), or what makes it a fact about a secret (`TOKEN_FILE`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

TONGUES = (
    "kennwort|contrase(?:ñ|n)a|mot[ _-]?de[ _-]?passe|senha|wachtwoord|has[łl]o|пароль|密码|密碼|パスワード|"
    "비밀번호|l[öo]senord|adgangskode|passord|salasana|heslo|jelszó|parola(?:[ _]d.ordine)?|[şs]ifre|口令"
    "|كلمة[ _](?:المرور|السر)|סיסמ[הא]|mật[ _]khẩu|kata[ _]sandi|lozinka|geslo|κωδικός"
)
"""`password` in the languages of teams."""
_TONGUE_STEMS = (
    *("kennwort", "contraseña", "contrasena", "mot de passe", "mot_de_passe", "mot-de-passe", "motdepasse", "senha"),
    *("wachtwoord", "hasło", "haslo", "пароль", "密码", "密碼", "パスワード", "비밀번호", "lösenord", "losenord"),
    *("adgangskode", "salasana", "heslo", "jelszó", "parola", "şifre", "sifre", "passord"),
    *("口令", "كلمة", "סיסמ", "mật", "kata sandi", "kata_sandi", "lozinka", "geslo", "κωδικός"),
)
"""A text in one of these languages contains one of these, in small letters."""
_PLAIN_TONGUES = tuple(filter(str.isascii, _TONGUE_STEMS))


def foreign(small: str) -> bool:
    """Whether a text in small letters may have `password` in another language."""
    return has(_PLAIN_TONGUES if small.isascii() else _TONGUE_STEMS, small)


def has(words: Sequence[str], text: str) -> bool:
    """Whether one of the words is in the text; `any` of a generator takes twice as long, and every output is asked."""
    for word in words:  # noqa: SIM110
        if word in text:
            return True
    return False


HUMP = "(?-i:(?<=[a-z0-9])(?=[A-Z]))"
"""Between the words of `dbPassword`."""
_BETWEEN = rf"(?:[_.-]|{HUMP})"
_ENVIRONMENTS = (
    "prod|production|prd|live|stag(?:e|ing)|stg|dev|develop(?:ment)?|test|qa|uat|preprod|nonprod|sandbox|local|ci|demo"
    "|canary|blue|green|primary|secondary|main|backup|old|new|current|prev(?:ious)?|legacy|readonly|ro|rw|admin|root"
)
_REGIONS = (
    "(?:af|ap|ca|cn|eu|il|me|mx|sa|us)(?:[_-]?gov)?(?:[_-]?(?:north|south|east|west|central){1,2}(?:[_-]?[0-9])?)?"
)
_FORMS = "value|plain|plaintext|raw|pem|der|base64|b64|hex|json|confirm|confirmation|repeat|v[0-9]{1,2}"
_NUMBER = "(?:[_-]?[0-9]{1,2})?"
_AZURE = r"(?:\.[a-z0-9]{1,24}\.(?:blob|dfs|file|queue|table)\.core\.windows\.net)?"
"""Whose key it is, as a setting of Hadoop's tells it."""
TAIL = rf"{_NUMBER}(?:{_BETWEEN}(?:{_ENVIRONMENTS}|{_REGIONS}|{_FORMS}){_NUMBER}){{0,3}}{_AZURE}"
"""Behind such words a name tells as much as without them."""
OTHER = rf"(?:{_BETWEEN}[a-z0-9]{{1,24}}){{1,3}}"
"""Behind other words it tells only beside a value that looks drawn."""
_FACTS = (
    "ids?|arns?|names?|paths?|files?|dir|folder|counts?|len|length|size|urls?|uri|expiry|expires|expiration|age|policy"
    "|ttl|types?|kind|versions?|stages?|status|state|hash|sha256|sha|md5|digest|etag|fingerprint|thumbprint|rotation"
    "|usage|limit|budget|sources?|provider|manager|store|ref|reference|alias|index|prefix|suffix|field|column|header"
    "|label|at|on|by|date|time|days|hours|minutes|seconds|ms|enabled|required|algorithm|alg|format|encoding|scopes?"
    "|issuer|audience|endpoint|host|port|user|username|email|region|account|spec|schema|class|table|bucket|queue|topic"
    "|function|role|group|tags?|description|hint|error|reason|regex|pattern|min|max|env|var|variable|location|place"
    "|request|run|commit|revision|release|build|image|job|task|trace|span|item|row|line|cursor|marker|next"
)
_FACT = re.compile(rf"(?i)(?:.*[_.-])?(?:{_FACTS})|.*[a-z0-9](?-i:(?=[A-Z]))(?:{_FACTS})")


def is_fact(tail: str) -> bool:
    """Whether the last of the words behind a name makes it a fact about the secret: `_ID`, `_FILE`, `Expiry`."""
    return _FACT.fullmatch(tail.lstrip("_.-")) is not None


PLAIN = frozenset(
    """a about above accepted again all already also always an and any as asked at bad based before being below
    best blank by case changed checked chosen compared configured correct created default deleted derived
    different disabled displayed empty enabled encrypted enough entered equal exactly expected expired false
    fetched fine for found from generated given gone good handed hashed here hidden how if ignored in inside
    invalid it just kept known left logged long longer lost made managed masked missing more much needed never
    new no none not now null of off ok old on one only optional or our out passed plain present printed provided
    read redacted refused rejected removed required reset right rotated same saved sealed secret seen sent set
    shared short shorter shown so somewhere still stored strong supplied taken that the their there this to too
    true typed undefined under unknown unset unused updated used valid very wanted weak what where which with
    within without written wrong yes yet your""".split()  # noqa: SIM905
)
"""Words that a sentence may say about a password without telling it."""
_SAID = (
    "name|type|kind|arn|ids?|version|stage|description|status|state|engine|region|account|created|updated|changed|rotated|date|at|by"
    "|urls?|uri|host|port|user|username|email|path|provider|source|required|default|scopes?|algorithm|format|expires|expiration|alias"
    "|count|length|ref|enabled"
)
FACT = re.compile(rf"(?i)(?:.*[_.-])?(?:{_SAID})|.*[a-z0-9](?-i:{_SAID.title()})")
"""Names of what is said about a secret, below its name."""
