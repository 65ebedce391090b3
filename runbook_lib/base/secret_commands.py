"""Secrets that a command line takes behind a short option, which no name tells: `mysql -pX`, `sshpass -p X`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runbook_lib.base.secret_kinds import MASK, Match
from runbook_lib.base.secret_names import harmless

_OPTIONS: tuple[tuple[str, str], ...] = (
    ("mysql|mysqldump|mysqladmin|mysqlimport|mysqlsh|mariadb|mariadb-dump", r"-p(?=\S)"),
    ("sshpass", r"-p\s{0,4}"),
    ("redis-cli|valkey-cli|keydb-cli", r"-a\s{1,4}"),
    ("openssl", r"-(?:pass|passin|passout)\s{1,4}pass:"),
    ("openssl", r"-k\s{1,4}"),
    ("mongo|mongosh|mongodump|mongorestore|mongoexport|mongoimport", r"-p\s{1,4}"),
    ("ldapsearch|ldapadd|ldapmodify|ldapdelete|ldappasswd|ldapwhoami", r"-w\s{0,4}"),
    ("docker|podman|nerdctl|helm|az|oc|buildah|skopeo|crane|cf", r"(?<=\s)-p\s{1,4}(?=[^\s:]+(?:\s|$|[\"'`;|&]))"),
    ("smbclient|mount.cifs|rpcclient", r"-U\s{0,4}[^\s%]{1,80}%"),
    ("keytool|jarsigner|apksigner", r"-(?:store|key|srcstore|deststore|srckey|destkey)pass\s{1,4}(?:pass:)?"),
    ("7z|7za|7zr|rar|unrar", r"-p(?=\S)"),
    ("zip|unzip", r"-P\s{0,4}"),
    ("sqlcmd|bcp", r"-P\s{0,4}"),
    ("cqlsh|influx|clickhouse-client", r"-p\s{1,4}"),
    ("htpasswd", r"-\w{0,3}b\w{0,3}\s(?:\S{1,120}\s){1,2}"),
    ("ipmitool|mosquitto_pub|mosquitto_sub", r"-P\s{1,4}"),
)
"""Programs, and what stands right before the secret."""
_LOGIN = ("docker", "podman", "nerdctl", "helm", "az", "oc", "buildah", "skopeo", "crane", "cf")
"""Programs whose `-p` is a password only behind `login`."""
_PATTERNS = [
    (
        tuple(programs.split("|")),
        re.compile(
            rf"((?<![\w.-])(?:{programs})(?:\.exe)?(?=\s)"
            + (r"[^\n;|&]{0,40}?\blogin\b" if programs.split("|")[0] in _LOGIN else "")
            + rf"[^\n;|&]{{0,300}}?\s{option})(?P<q>[\"']?)(?P<value>[^\s\"'`;|&<>\\]+)"
        ),
    )
    for programs, option in _OPTIONS
]
PROGRAMS = frozenset(name for programs, _ in _PATTERNS for name in programs)


def mask_commands(text: str, small: str) -> str:
    """`text` with the secrets of command lines masked; `small`: the same text in small letters."""
    if "-" not in small:
        return text
    for programs, pattern in _PATTERNS:
        if any(name in small for name in programs):
            text = pattern.sub(_masked, text)
    return text


def mask_words(words: Sequence[str]) -> list[str] | None:
    """The same for a command line that is a list of words; None where nothing in it is a secret."""
    if not words or words[0].rpartition("/")[2] not in PROGRAMS or any(re.search(r"\s|^$", word) for word in words):
        return None
    line = " ".join(words)
    clean = mask_commands(line, line.casefold()).split(" ")
    return clean if clean != list(words) and len(clean) == len(words) else None


def _masked(match: Match) -> str:
    return match[0] if harmless(match["value"]) else f"{match[1]}{match['q']}{MASK}"
