"""Secrets behind an option of a program, also in a command that goes on below."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.redact import MASK, redact_text
from runbook_lib.base.redact_data import redact

WORDS = st.tuples(
    st.text(string.ascii_lowercase, min_size=5, max_size=9), st.integers(1, 99), st.text("xyz", min_size=2, max_size=4)
).map(lambda word: "".join(map(str, word)))
"""Of one case: by its looks alone none is masked."""
LINES = (
    "mysql -u bob -p{} db",
    "redis-cli -h h -a {} ping",
    "sshpass -p {} ssh h",
    "docker login -u bob -p {} r.io",
    "az login -u bob -p {}",
    "ldapsearch -x -D cn=x -w {}",
    "keytool -list -storepass {}",
    "openssl rsa -in k.pem -passin pass:{}",
    "sqlcmd -S h -U sa -P {}",
    "zip -P {} a.zip b",
    "htpasswd -b f bob {}",
    "htpasswd -nbB bob {}",
    "htpasswd -n -b bob {}",
    "htpasswd -b -c f bob {}",
    "htpasswd -nbB -C 12 bob {}",
    "smbclient //h/s -U bob%{}",
    "mongo -u bob -p {} db",
    "isql -U sa -P {}",
    "psexec h -u bob -p {} cmd",
    "lftp -u bob,{} h",
    "snmpget -v3 -u bob -A {} h",
    "xfreerdp /u:bob /p:{} /v:h",
    "schtasks /create /ru bob /rp {}",
    "net user bob {} /add",
    "net use Z: \\\\h\\s {} /user:bob",
    "net use Z: /user:bob {}",
    "net use Z: \\\\h\\s {}",
    "rclone obscure {}",
    "ngrok config add-authtoken {}",
    "useradd -m bob -p {}",
    "ssh-keygen -t ed25519 -N {} -f k",
    "snmpwalk -v2c -c {} h",
    "kubectl create secret generic db --from-literal=conf={}",
    "keytool -genkey -storepass {0} -keypass {0}",
    "mysqladmin -u root pass" + "word {}",
    "dsmod user x -pwd {}",
    "docker login -u bob -p{} r.io",
    "redis-cli -h h AUTH {}",
    "redis-cli AUTH default {}",
    "vault login {}",
    "vault login -no-print -method=token {}",
    "vault kv put -mount=kv orders/db conf={0} note={0}",
    "gh sec" + "ret set DB -b {}",
    "npm set _auth {}",
    "npm set //r.io/:_authToken={}",
    "twine upload -u bob -p {} dist",
    "cypher-shell -u bob -p {}",
    "influx -username bob -pass" + "word {}",
    "nmcli dev wifi connect h pass" + "word {}",
    "poetry config pypi-token.pypi {}",
    "poetry config http-basic.r bob {}",
    "cargo login {}",
    "doctl auth init -t {}",
    "dotnet nuget push a.nupkg -k {}",
    "nuget setapikey {}",
    "aws ssm put-parameter --name /orders/db/pass" + "word --value {}",
    "aws ssm put-parameter --value {} --name /orders/db/pass" + "word",
    "aws ssm put-parameter --name /orders/x --type SecureString --value {} --overwrite",
)


@pytest.mark.parametrize("line", LINES)
@given(word=WORDS)
def test_it_is_masked_and_the_rest_of_the_line_stays(line: str, word: str) -> None:
    assert redact_text(line.format(word)) == line.format(MASK)


@pytest.mark.slow
@pytest.mark.parametrize("sign", ["\\", "`", "^"])
@pytest.mark.parametrize("line", [line for line in LINES if " -" in line])
@given(word=WORDS)
def test_a_command_that_goes_on_below_is_one_line(line: str, sign: str, word: str) -> None:
    before, option, behind = line.partition(" -")
    below = f"{before} {sign}\n  {option.strip()}{behind}"
    assert redact_text(below.format(word)) == below.format(MASK)


@pytest.mark.parametrize("line", [*LINES, "curl -u bob:{} h"])
@given(word=WORDS, behind=st.sampled_from(["docker compose up", "ls -l", "on it", "bob:carol"]))
def test_a_command_ends_with_its_line(line: str, word: str, behind: str) -> None:
    assert redact_text(f"{line.format(word)}\n{behind}") == f"{line.format(MASK)}\n{behind}"
    cut = f"{line.partition('{')[0].rstrip()}\n{behind}"
    assert redact_text(cut) == cut or "AUTH default" in cut  # which is a word in the secret's place


@pytest.mark.parametrize("line", LINES)
@given(word=WORDS)
def test_a_command_as_a_list_of_its_words_is_that_command(line: str, word: str) -> None:
    words, due = (line.format(one).split(" ") for one in (word, MASK))
    assert redact(words) == due
    assert redact_text(repr(words)) == repr(due)
    assert redact_text(json.dumps(words)) == json.dumps(due)
    assert redact_text(json.dumps(words, separators=(",", ":"))) == json.dumps(due, separators=(",", ":"))


@pytest.mark.parametrize(
    "line",
    [
        "+ mysql -u bob '-p{}' d",
        "read -sp 'Pass" + "word: ' p <<< '{}'",
        "vercel env add DB_PASS" + "WORD production <<< '{}'",
        "kubectl create sec" + "ret generic db --from-literal 'conf={}'",
        "kubectl create sec" + "ret generic db --from-literal=conf='{}'",
        "vault kv put a/b 'conf={}'",
    ],
)
@given(word=WORDS, sign=st.sampled_from(["", "&", "$", " ", ";"]))
def test_a_word_between_quotes_is_masked_to_its_end(line: str, word: str, sign: str) -> None:
    assert redact_text(line.format(f"a{word}{sign}{word}")) == line.format(MASK)


@given(word=WORDS)
def test_what_a_command_that_keeps_secrets_is_handed_is_masked(word: str) -> None:
    assert redact_text(f"echo {word} | gh secret set DB") == f"echo {MASK} | gh secret set DB"


@pytest.mark.parametrize("sign", ["\\", "`", "^"])
@pytest.mark.parametrize(
    "line", ["set DB_PASS" + "WORD {}", "setx DB_PASS" + "WORD {}", "npm config set //r/:_authToken {}"]
)
@given(word=WORDS, where=st.integers(0, 3))
def test_a_setting_that_goes_on_below_is_one_line(line: str, sign: str, word: str, where: int) -> None:
    words = line.split()
    at = 1 + where % (len(words) - 1)
    below = f"{' '.join(words[:at])} {sign}\n  {' '.join(words[at:])}"
    assert redact_text(below.format(word)) == below.format(MASK)


@pytest.mark.parametrize(
    "text",
    [
        "aws ssm put-parameter --name /orders/size --value 12abc345",
        "docker login h && docker run -p 8080:80 img",
        "net use, net user bob /delete, net user bob * /add, the net result of use 12",
        "rclone obscure -, rclone copy a b",
        "mkdir -p a \\\n  b/c\nps -a",
        "useradd -m -s /bin/bash bob, usermod -aG docker bob, ngrok http 80, ssh-keygen -f k -N ''",
        "read -p 'Name: ' n <<< 'ada', gh secret list, vercel env ls, kubectl get secret db -o name",
        "print('pass" + "word: ' + value + ' ok')",
        "schtasks /query /fo list",
        "vault login failed, vault login -method=oidc role=ops, vault kv get a/b, vault kv put a/b conf=@f.json",
        "cargo login failed, twine upload dist, npm set registry h, redis-cli AUTH\nOK, dotnet nuget push a -s h",
        "nmcli dev wifi connect h, poetry config virtualenvs.in-project true, doctl auth init, -pass" + "word-file f",
    ],
)
def test_other_options_stay(text: str) -> None:
    assert redact_text(text) == text
