"""Secrets behind a short option of a command line, without a telling name: `mysql -pX`, `sshpass -p X`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from runbook_lib.base.masking.kinds import MASK, Match
from runbook_lib.base.masking.names import no_value, telling
from runbook_lib.base.masking.places import harmless
from runbook_lib.base.masking.vocabulary import has

_WORD = (
    r"(?:(?P<q>[\"'])(?!\[redacted\](?P=q))(?P<quoted>(?:(?!(?P=q))[^\n])+)(?=(?P=q))"
    r"|(?P<o>[\"']?)(?P<value>[^\s\"'`;|&<>\\]+))"
)
"""A word of a shell: between quotes every sign is its own."""
_OPEN = r"(?P<w>[\"'])?"
"""Quotes around a whole word: `'-px'`."""
_NO_WORD = r"(?!(?:failed|failure|error|succeeded|successful|is|was|with|and|or|to|for|in|from)\b)"
"""A word that a sentence has behind a command's name."""
_HTPASSWD = r"(?:-[a-zA-Z0-9]{1,6}\s{1,4}(?:[0-9]{1,2}\s{1,4})?+){1,4}+"
"""Options of `htpasswd`; with `n` it takes no file before the user."""
_OPTIONS: tuple[tuple[str, str], ...] = (
    ("mysql|mysqldump|mysqladmin|mysqlimport|mysqlsh|mariadb|mariadb-dump", r"-p(?=\S)"),
    ("curl", r"-[a-zA-Z]{1,6}u\s{0,4}[\"']?[^\s:\"'-][^\s:\"']{0,80}:"),
    ("curl", r"(?:-b|--cookie)(?:\s{1,4}|=)(?:\\{0,3}[\"'])?[^\s=\"';\\]{1,80}="),
    ("plink|pscp|psftp|putty|nodetool|sstableloader", r"-pw\s{1,4}"),
    ("curl", r"--oauth2-bearer(?:\s{1,4}|=)"),
    ("rootpw", r"(?:--(?:plaintext|iscrypted|allow-ssh|lock)\s{1,4}){0,3}(?!-)"),
    ("sshpass", r"-p\s{0,4}"),
    ("redis-cli|valkey-cli|keydb-cli", r"-a\s{1,4}"),
    (
        "redis-cli|valkey-cli|keydb-cli",
        r"(?i:auth)[ \t]{1,4}(?!\S{1,80}[ \t]{1,4}\[redacted\])(?:[^\s\"';|&<>]{1,80}[ \t]{1,4}(?=[^\s;|&<>]))?",
    ),
    ("openssl", r"-(?:pass|passin|passout)\s{1,4}pass:"),
    ("openssl", r"-k\s{1,4}"),
    ("mongo|mongosh|mongodump|mongorestore|mongoexport|mongoimport", r"-p\s{1,4}"),
    ("ldapsearch|ldapadd|ldapmodify|ldapdelete|ldappasswd|ldapwhoami", r"-w\s{0,4}"),
    ("docker|podman|nerdctl|helm|az|oc|buildah|skopeo|crane|cf", r"(?:(?<=\s)|(?<=[\"']))-p\s{0,4}(?![0-9.]+:[0-9])"),
    ("smbclient|mount.cifs|rpcclient", r"-U\s{0,4}[^\s%]{1,80}%"),
    ("keytool|jarsigner|apksigner", r"-(?:store|key|srcstore|deststore|srckey|destkey)pass\s{1,4}(?:pass:)?"),
    ("7z|7za|7zr|rar|unrar", r"-p(?=\S)"),
    ("zip|unzip", r"-P\s{0,4}"),
    ("sqlcmd|bcp", r"-P\s{0,4}"),
    ("cqlsh|influx|clickhouse-client|cypher-shell|twine", r"-p(?:assword)?\s{1,4}"),
    ("psql|pg_dump|pg_restore|pg_dumpall", r"-W\s{1,4}(?!-)"),
    ("htpasswd", rf"(?=[\w -]{{0,20}}b)(?=(?:-\w{{1,6}}\s){{0,3}}-\w{{0,5}}n){_HTPASSWD}(?!-)\S{{1,120}}\s"),
    (
        "htpasswd",
        rf"(?=-\w{{0,4}}b)(?!(?:\S{{1,120}}\s){{0,6}}\[redacted\]){_HTPASSWD}(?!-)\S{{1,120}}\s\S{{1,120}}\s",
    ),
    ("rabbitmqctl", r"(?:change_password|add_user|authenticate_user)\s{1,4}[^\s\"']{1,80}\s{1,4}"),
    ("ipmitool|mosquitto_pub|mosquitto_sub|isql|tsql|fisql", r"-P\s{0,4}"),
    ("rdesktop|psexec|psexec64|snowsql|beeline|ncftp|ncftpget|ncftpput|wbadmin", r"-p\s{1,4}"),
    ("lftp", r"-u\s{1,4}[^\s,\"']{1,80},"),
    ("snmpget|snmpset|snmpwalk|snmpbulkwalk|snmptrap", r"-[AXc]\s{1,4}"),
    ("kubectl|oc", rf"secret\s[^\n;|&]{{0,300}}?--from-literal(?:=|\s){_OPEN}[\w.-]{{1,80}}="),
    ("ngrok", r"(?:add-)?authtoken\s{1,4}"),
    ("ssh-keygen", r"-[NP]\s{1,4}"),
    ("useradd|usermod", r"-p\s{1,4}"),
    ("knife", r"-P\s{1,4}"),
    ("dsconf|dsidm|dsctl", r"-w\s{1,4}"),
    ("dsmod|dsadd|pdfunlock", r"-(?:pwd|upw|opw)\s{1,4}"),
    ("xfreerdp|wfreerdp|wlfreerdp", r"/p:"),
    ("schtasks", r"/r?p\s{1,4}"),
    ("rclone", r"obscure\s{1,4}(?!-)"),
    ("net", r"user\s{1,4}[^\s/\"']{1,80}\s{1,4}(?![/*])"),
    ("net", r"use\s[^\n;|&]{0,200}?/user:[^\s\"']{1,80}\s{1,4}(?![/*])"),
    ("net", r"use\s{1,4}(?:[A-Za-z]:\s{1,4})?[\\\ue000]{2,4}[^\s\"']{1,200}\s{1,4}(?![/*])"),  # also as a list
    ("mysqladmin", r"password\s{1,4}"),
    ("nmcli", r"(?:password|psk)\s{1,4}"),
    ("vault", rf"login\s{{1,8}}(?:-[\w-]{{1,40}}(?:=\S{{1,80}})?\s{{1,8}}){{0,4}}(?!-|[\w-]{{1,40}}=){_NO_WORD}"),
    ("vault", rf"kv\s{{1,4}}(?:put|patch)\s[^\n;|&]{{0,300}}?(?<=\s){_OPEN}(?!-)[\w.-]{{1,80}}=(?!@|-(?:\s|\Z))"),
    ("gh", r"secret\s[^\n;|&]{0,200}?\s(?:-b|--body)[ =]"),
    ("npm|pnpm|yarn", r"set\s{1,4}(?:[\w./:@-]{1,120}:)?_(?:auth|authToken|password)(?:\s{1,4}|=)"),
    ("poetry", r"config\s{1,4}(?:--?[\w-]{1,20}\s{1,4}){0,2}pypi-token\.[\w.-]{1,80}\s{1,4}"),
    ("poetry", r"config\s{1,4}(?:--?[\w-]{1,20}\s{1,4}){0,2}http-basic\.[\w.-]{1,80}\s{1,4}[^\s\"']{1,80}\s{1,4}"),
    ("cargo", rf"login\s{{1,4}}(?:--registry(?:=|\s)\S{{1,80}}\s{{1,4}})?(?!-){_NO_WORD}"),
    ("doctl", r"auth\s[^\n;|&]{0,80}?-t\s{1,4}"),
    ("dotnet|nuget", r"push\s[^\n;|&]{0,200}?-k\s{1,4}"),
    ("nuget", r"(?i:setapikey)\s{1,4}"),
)
"""Programs, and the text right before the secret."""
_LOGIN = ("docker", "podman", "nerdctl", "helm", "az", "oc", "buildah", "skopeo", "crane", "cf")
"""Programs whose `-p` is a password only behind `login`."""
_WITHIN = partial(re.compile(r"(?<!\[\^)\\s").sub, r"[^\\S\\n]")
"""A pattern, with blanks that end no line: what is below is another command's."""
_PATTERNS = [
    (
        tuple(programs.split("|")),
        re.compile(
            _WITHIN(
                rf"((?<![\w.-])(?:{programs})(?:\.exe)?(?=\s)"
                + (r"[^\n;|&]{0,40}?\blogin\b" if programs.split("|")[0] in _LOGIN else "")
                + rf"[^\n;|&]{{0,300}}?\s{'' if '(?P<w>' in option else _OPEN}{option})(?!\[redacted\])"
                rf"(?:(?(w)(?P<whole>(?:(?!(?P=w))[^\n])+)|{_WORD}))"
            )
        ),
    )
    for programs, option in _OPTIONS
]
_SPACE = r"(?:[ \t]{1,4}(?:[\\`^]\n[ \t]{0,40})?)"
_SET = re.compile(
    rf"(?<![\w-])((?:set|setx|setenv)(?:{_SPACE}-{{1,2}}[a-z]{{1,12}}){{0,3}}{_SPACE}(?P<name>[A-Za-z][A-Za-z0-9_]{{2,80}})"
    rf"{_SPACE}){_WORD}"
)
"""A variable as some shells set it, without an equals sign: `set -gx DB_PASSWORD x`, `setx DB_PASSWORD x`."""
_CONFIG = re.compile(
    rf"(?<![\w-])(config(?:ure)?(?:{_SPACE}(?:set|add|--?[\w-]{{1,20}})){{1,4}}{_SPACE}(?P<name>[\w./:@-]{{3,200}})"
    rf"{_SPACE}){_WORD}"
)
"""A setting of a program: `npm config set //r/:_authToken x`."""
_HERE = re.compile(r"(<<<[ \t]{0,4})(?:(?P<q>[\"'])(?P<quoted>(?:(?!(?P=q))[^\n])+)|(?P<value>[^\s\"'`;|&<>\\]+))")
_BELOW = re.compile(
    r"(<<-?[ \t]?(?P<q>[\"']?)(?P<end>[A-Z]{2,12})(?P=q)[^\n]{0,80}\n)"
    r"(?P<value>(?!\[redacted\]\n)[^\n]{1,500}(?:\n[^\n]{1,500}){0,20}?)(?=\n[ \t]{0,20}(?P=end)\b)"
)
"""What a shell hands to a program's input, behind the command or below it."""
_HANDED = re.compile(
    r"--with-token|\benv add\b|\bread -\w*s"
    r"|--password-stdin|--stdin|chpasswd|sudo -S|\bsecrets?\b|passw(?:or)?d|\blogin\b"
)
_ENV = re.compile(
    r"(?<![\w-])(ENV[ \t]{1,4}(?P<name>[A-Za-z][A-Za-z0-9_]{2,80})[ \t]{1,4})"
    r"(?P<value>\\{0,3}[\"'][^\"'\n\\]+\\{0,3}[\"']|[^\s=\"'<>\\][^\n\"'<>\\]*)"
)
"""A variable as a Dockerfile sets it: the value is the rest of the line."""
_LOGIN_AS = re.compile(
    r"((?<![\w-])(?:(?:-u|-U|--(?:proxy-)?user(?:name)?|--auth|--login|--creds?|--credentials?)"
    r"(?:[^\S\n]{1,4}[\"']?|=[\"']?|[\"'],\s{0,4}[\"'])"
    r"|-u(?=[A-Za-z])(?!(?:rl|ri|rn|pdate|pgrade|pload|nset|nits?|nsafe|ser|sername|sb|dp|tf|tc)[:\W_]))(?P<user>[^\s:\"'/\\<>+-][^\s:\"'/\\<>]{0,80}):)"
    r"(?![/\\:]|\[redacted\])(?P<value>[^\s\"'<>]+)"
)
_GROUPS = frozenset("root wheel staff users nogroup nobody adm docker daemon sudo admin".split())  # noqa: SIM905
_BEFORE = 8
_SECRETS = 4
"""Most secrets of one program in its command."""
_AS_ONE = re.compile(r"[\s\"'`;|&<>\\]")
_BLANK = "\ue000"
"""Stands in a word for what would end it in a line of a shell."""
_JOINT = "\x1c"
_SIGNS = {"\\": "\x1d", "`": "\x1e", "^": "\x1f"}
_OF_SIGNS = {blank: sign for sign, blank in _SIGNS.items()}
"""Blanks that no program writes, in the place of a sign at a line's end and of the break."""
_CONTINUED = re.compile(r"[\\`^]\n")
_PARTED = re.compile("\x1c([\x1d-\x1f])")
_PUT = re.compile(
    r"((?<![\w-])put-parameter(?=[^\S\n])(?:(?=[^\n]{0,600}?(?P<kind>SecureString))"
    r"|(?=[^\n]{0,600}?[^\S\n]--name(?:[^\S\n]{1,40}|=)[\"']?(?P<name>[\w./-]{1,200})))"
    rf"[^\n]{{0,300}}?[^\S\n]--value(?:[^\S\n]{{1,40}}|=)(?:\\{{1,3}}[\"'])?){_WORD}"
)
"""A parameter of SSM that is kept encrypted, or whose name tells."""
PROGRAMS = frozenset([*(name for programs, _ in _PATTERNS for name in programs), "put-parameter"])


def mask_commands(text: str, small: str) -> str:
    """`text` with the secrets of command lines masked; `small`: the same text in small letters."""
    if "set" in small:
        text = _SET.sub(_set, text)
    if "config" in small:
        text = _CONFIG.sub(_configured, text)
    if "<<" in small:
        text = _BELOW.sub(_handed, _HERE.sub(_handed, text))
    if "env" in small:
        text = _ENV.sub(_variable, text)
    if not has(
        ("-", "/", "rabbitmqctl", "mysqladmin", "rclone", "net ", "ngrok", " login", " auth", " set", " pass"), small
    ):
        return text
    if not has(("\\\n", "`\n", "^\n"), small) or _JOINT in text:
        return _of_programs(text, small)
    # A line that goes on below is one line, of the same length.
    joined = _CONTINUED.sub(lambda match: _JOINT + _SIGNS[match[0][0]], text)
    return _PARTED.sub(lambda match: _OF_SIGNS[match[1]] + "\n", _of_programs(joined, small))


def _of_programs(text: str, small: str) -> str:
    if ":" in small and ("-u" in small or "--" in small):
        text = mask_login(text)
    if "put-parameter" in small:
        text = _PUT.sub(_put, text)
    for programs, pattern in _PATTERNS:
        for _ in range(_SECRETS if has(programs, small) else 0):
            told, text = text, pattern.sub(_masked, text)
            if told == text:
                break
    return text


def mask_login(text: str) -> str:
    """`text` with what follows `-u user:` masked, unless it is a group or a port: `docker run --user 1000:1000`."""
    return _LOGIN_AS.sub(_login, text)


def mask_words(words: Sequence[str]) -> list[str] | None:
    """`mask_commands` for a command line that is a list of words; None if it has no secret. What stands before the
    program is another one that starts it, such as `sudo` or `env`.
    """
    first = next((at for at, word in enumerate(words[:_BEFORE]) if word.rpartition("/")[2] in PROGRAMS), None)
    if first is None:
        return None
    line = " ".join(_AS_ONE.sub(_BLANK, word) or _BLANK for word in words[first:])
    clean = mask_commands(line, line.casefold()).split(" ")
    told = [now.replace(_BLANK, " ") if MASK in now else word for word, now in zip(words[first:], clean, strict=False)]
    told = [*words[:first], *told]
    return told if len(clean) == len(words) - first and told != list(words) else None


def _set(match: Match) -> str:
    """Masks the value of a telling name in capitals; `set PASSWORD rules` is a sentence: its value has no digit."""
    name, value = match["name"], match["quoted"] or match["value"]
    told = telling(name) and (("_" in name and name.isupper()) or any(map(str.isdigit, value))) and not no_value(value)
    return f"{match[1]}{match['q'] or match['o']}{MASK}" if told else match[0]


def _configured(match: Match) -> str:
    """Masks a setting whose last word tells: `_authToken` of an address, `http.proxyPassword`."""
    name, value = re.split(r"[/:.]", match["name"])[-1].lstrip("_"), match["quoted"] or match["value"]
    return f"{match[1]}{match['q'] or match['o']}{MASK}" if telling(name) and not no_value(value) else match[0]


def _handed(match: Match) -> str:
    """Masks what a command is handed that takes a secret."""
    line = match.string[max(0, match.start() - 300) : match.start()].rpartition("\n")[2]
    quoted = match.groupdict().get("quoted")
    value = match["value"] if quoted is None else quoted
    if not _HANDED.search(line) or no_value(value) or len(value) < 4:
        return match[0]
    return f"{match[1]}{MASK}" if quoted is None else f"{match[1]}{match['q']}{MASK}"


def _variable(match: Match) -> str:
    """Masks the rest of the line; without quotes, a word of a sentence is none: `ENV API_TOKEN is not set`."""
    value = match["value"].lstrip("\\\"'")
    none = harmless(value) or (value == match["value"] and no_value(value.partition(" ")[0]))
    return f"{match[1]}{MASK}" if telling(match["name"]) and not none else match[0]


def _login(match: Match) -> str:
    user, value = match["user"], match["value"]
    other = (
        value == user or value in _GROUPS or (value.isdigit() and len(value) <= 5) or user in ("arn", "urn", "system")
    )
    return match[0] if other or harmless(value) else f"{match[1]}{MASK}"


def _put(match: Match) -> str:
    return _masked(match) if match["kind"] or telling(match["name"].rpartition("/")[2]) else match[0]


def _masked(match: Match) -> str:
    value = match.groupdict().get("whole") or match["quoted"] or match["value"]
    return match[0] if harmless(value) else f"{match[1]}{match['q'] or match['o'] or ''}{MASK}"
