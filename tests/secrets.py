"""Secrets of every kind, for tests: none stands here as such, each is put together when the test runs."""

from __future__ import annotations

import base64
import json

from hypothesis import strategies as st

UPPER = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=16, max_size=16)
HEX = st.text("0123456789abcdef", min_size=32, max_size=64)
HEX64 = st.text("0123456789abcdef", min_size=64, max_size=64)
TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=24, max_size=60).filter(
    lambda text: any(char.isdigit() for char in text)
)
LETTERS = st.text("ghijklmnopqrstuvwxyz", min_size=5, max_size=14).map(lambda text: f"Q{text}q")
DIGITS = st.text("0123456789", min_size=6, max_size=6)
LONG_LETTERS = st.text("ghijklmnopqrstuvwxyz", min_size=24, max_size=40)
PEM = "PRIVATE " + "KEY"


def packed(text: str) -> str:
    """A user and this text, as a registry's file has them."""
    return base64.b64encode(f"user:{text}".encode()).decode()


SECRETS: dict[str, st.SearchStrategy[tuple[str, str]]] = {
    "access key": UPPER.map(lambda x: ("AK" + "IA" + x, "AK" + "IA" + x)),
    "session key": UPPER.map(lambda x: ("key AS" + "IA" + x + ".", x)),
    "secret key": TOKEN.map(lambda x: (f"aws_secret_access_{'key'} = {x}", x)),
    "secret in json": TOKEN.map(lambda x: (json.dumps({"SecretAccess" + "Key": x}), x)),
    "escaped json": TOKEN.map(lambda x: (json.dumps(json.dumps({"session_" + "token": x})), x)),
    "presigned": HEX.map(lambda x: (f"https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Sig{'nature'}={x}&a=1", x)),
    "presigned credential": TOKEN.map(lambda x: (f"GET /k?X-Amz-Cred{'ential'}={x}%2F2026", x)),
    "presigned token": TOKEN.map(lambda x: (f"?X-Amz-Security-{'Token'}={x}", x)),
    "bearer": TOKEN.map(lambda x: (f"Authorization: Bear{'er'} {x}", x)),
    "basic": TOKEN.map(lambda x: (f"basi{'c'} {x}==", x)),
    "jwt": st.tuples(TOKEN, TOKEN, TOKEN).map(lambda x: (f"ey{'J'}{x[0]}.{x[1]}.{x[2]}", x[1])),
    "signature": HEX64.map(lambda x: (f"AWS4-HMAC-SHA256 Credential=a, Sig{'nature'}={x}", x)),
    "code host": TOKEN.map(lambda x: (f"g{'hp'}_{x}", x)),
    "llm": TOKEN.map(lambda x: (f"s{'k'}-ant-{x}", x)),
    "chat": TOKEN.map(lambda x: (f"xo{'xb'}-{x}", x)),
    "webhook": TOKEN.map(lambda x: (f"https://hooks.sla{'ck.com'}/services/T0/B0/{x}", x)),
    "pager": HEX.map(lambda x: (f'"routing_{"key"}": "{x}"', x)),
    "gateway": HEX.map(lambda x: (f"x-functions-{'key'}: {x}", x)),
    "pager url": HEX.map(lambda x: (f"https://events.pager{'duty.com'}/integration/{x}/enqueue", x)),
    "password in url": TOKEN.map(lambda x: (f"postgres://user:{x}@host/db", x)),
    "password": TOKEN.map(lambda x: (f"DB_PASS{'WORD'}={x}", x)),
    "private key": TOKEN.map(lambda x: (f"-----BEGIN RSA {PEM}-----\n{x}\n-----END RSA {PEM}-----", x)),
    "short password": LETTERS.map(lambda x: (f"pass{'word'}={x}", x)),
    "password with a space": LETTERS.map(lambda x: (f"db_pass{'word'}: {x}", x)),
    "password flag": LETTERS.map(lambda x: (f"mysqldump --pass{'word'} {x} all", x)),
    "password in json": LETTERS.map(lambda x: (json.dumps({"pass" + "word": f'a"{x}"b'}), x)),
    "password in escaped html": LETTERS.map(lambda x: (f"<li>&quot;pass{'word'}&quot;: &quot;{x}&quot;</li>", x)),
    "password in highlighted code": LETTERS.map(lambda x: (f"<b>pass{'word'}</b><i>=</i><u>{x}</u>", x)),
    "password in a table": LETTERS.map(lambda x: (f"<tr><td>db_pass{'word'}</td><td>{x}</td></tr>", x)),
    "coloured password": LETTERS.map(lambda x: (f"\x1b[1mpass{'word'}\x1b[0m\x1b[31m=\x1b[0m\x1b[32m'{x}'\x1b[0m", x)),
    "short name": LETTERS.map(lambda x: (f"DB_PA{'SS'}={x}", x)),
    "hump": LETTERS.map(lambda x: (f"dbPass{'word'}={x}", x)),
    "postgres": LETTERS.map(lambda x: (f"PGPASS{'WORD'}={x}", x)),
    "signing key": LETTERS.map(lambda x: (f"SIGNING_{'KEY'}={x}", x)),
    "encryption key": LETTERS.map(lambda x: (f"ENCRYPTION_{'KEY'}={x}", x)),
    "password without a user": LETTERS.map(lambda x: (f"red{'is'}://:{x}@host:6379/0", x)),
    "xml": LETTERS.map(lambda x: (f"<SecretAccess{'Key'}>{x}</SecretAccess{'Key'}>", x)),
    "bearer of letters": LETTERS.map(lambda x: (f"Authorization: Bear{'er'} {x}", x)),
    "another scheme": TOKEN.map(lambda x: (f"Authori{'zation'}: FooKey {x}", x)),
    "a scheme that is known": LETTERS.map(lambda x: (f"'Authori{'zation'}: GenieKey {x}'", x)),
    "twilio": st.text("0123456789abcdef", min_size=32, max_size=32).map(lambda x: (f"sid S{'K'}{x}.", x)),
    "opsgenie": st.uuids().map(str).map(lambda x: (f"sent Genie{'Key'} {x}", x)),
    "opsgenie by name": st.uuids().map(str).map(lambda x: (f"opsgenie_{'key'}: {x}", x)),
    "set in a shell": LETTERS.map(lambda x: (f"set DB_PASS{'WORD'} {x}", x)),
    "set in fish": TOKEN.map(lambda x: (f"set -gx PASS{'WORD'} '{x}'", x)),
    "set in csh": LETTERS.map(lambda x: (f"setenv API_TO{'KEN'} {x}", x)),
    "set in windows": LETTERS.map(lambda x: (f'setx DB_PASS{"WORD"} "{x}" /M', x)),
    "digest": TOKEN.map(lambda x: (f'Authori{"zation"}: Digest username="u", response="{x}"', x)),
    "what a password becomes": st.tuples(TOKEN, LETTERS).map(lambda x: (f'pass{"word"} = "{x[0]}" -> "{x[1]}"', x[1])),
    "the same without quotes": TOKEN.map(lambda x: (f"pass{'word'}: old{x} => {x}", x)),
    "pair": TOKEN.map(lambda x: (str(("db_pass" + "word", "1" + x)), x)),
    "bearer anywhere": LONG_LETTERS.map(lambda x: (f"sent bear{'er'} {x}", x)),
    "stripe": TOKEN.map(lambda x: (f"s{'k'}_li{'ve'}_{x}", x)),
    "google": HEX.map(lambda x: (f"AI{'za'}{x}", x)),
    "npm": HEX.map(lambda x: (f"np{'m_'}{x}", x)),
    "pypi": TOKEN.map(lambda x: (f"py{'pi-'}{x}", x)),
    "gitlab": TOKEN.map(lambda x: (f"gl{'pat'}-{x}", x)),
    "pgp": TOKEN.map(lambda x: (f"-----BEGIN PGP {PEM} BLOCK-----\n\n{x}\n-----END PGP {PEM} BLOCK-----", x)),
    "key without an end": TOKEN.map(lambda x: (f"-----BEGIN {PEM}-----\n{x}", x)),
    "set-cookie": TOKEN.map(lambda x: (f"Set-Coo{'kie'}: sid={x}; Path=/", x)),
    "teams": TOKEN.map(lambda x: (f"https://acme.webhook.off{'ice.com'}/webhookb2/{x}@a/IncomingWebhook/b", x)),
    "discord": TOKEN.map(lambda x: (f"https://discord.com/api/web{'hooks'}/1234/{x}", x)),
    "encoded presigned": HEX.map(lambda x: (f"url=https%3A%2F%2Fb%2Fk%3FX-Amz-Sig{'nature'}%3D{x}%26a%3D1", x)),
    "twice encoded presigned": HEX.map(lambda x: (f"k%253FX-Amz-Sig{'nature'}%253D{x}", x)),
    "curl": LETTERS.map(lambda x: (f"curl -s -u admin:{x} https://host/", x)),
    **{
        f"provider {begin}": TOKEN.map(lambda x, begin=begin: (f"{begin}{(x * 3)[:70]}", (x * 3)[:70]))
        for begin in ("gl" + "c_", "nt" + "n_", "gs" + "k_", "bk" + "ua_", "sb" + "p_", "r8" + "_", "rubygems" + "_")
    },
    **{
        f"provider {begin}": TOKEN.map(lambda x, begin=begin: (f"{begin}{(x * 3)[:70]}", (x * 3)[:70]))
        for begin in (
            "xa" + "i-",
            "pp" + "lx-",
            "nva" + "pi-",
            "PM" + "AK-",
            "fi" + "gd_",
            "AK" + "Cp",
            "psca" + "le_pw_",
        )
    },
    "databricks": HEX64.map(lambda x: (f"da{'pi'}{x[:32]}", x[:32])),
    "digitalocean": HEX64.map(lambda x: (f"do{'o_v1_'}{x}", x)),
    "pulumi": HEX64.map(lambda x: (f"pu{'l-'}{x[:40]}", x[:40])),
    "mailgun": HEX64.map(lambda x: (f"ke{'y-'}{x[:32]}", x[:32])),
    "crates": HEX64.map(lambda x: (f"ci{'o'}{x[:32]}", x[:32])),
    "vault, batch": TOKEN.map(lambda x: (f"hv{'b.'}{x}", x)),
    "terraform": TOKEN.map(lambda x: (f"{(x * 2)[:14]}.atlas{'v1'}.{(x * 3)[:60]}", (x * 3)[:60])),
    "telegram by address": TOKEN.map(lambda x: (f"https://api.telegram.org/b{'ot'}123456789:{(x * 2)[:35]}/x", x[:24])),
    "hash of a password": TOKEN.map(lambda x: (f"hash $2{'b'}$12${(x * 3)[:53]}", (x * 3)[:53])),
    "hash in a shadow file": TOKEN.map(lambda x: (f"root:${'6'}$abcdefgh${(x * 4)[:86]}:19000:0:", (x * 4)[:86])),
    "putty": TOKEN.map(lambda x: (f"Private-{'Lines'}: 1\n{x}\nPrivate-MAC: 0", x)),
    "registry": TOKEN.map(
        lambda x: (f'{{"auths": {{"h": {{"{"au"}th": "{packed(x)}"}}}}}}', packed(x)),
    ),
    "odbc": LETTERS.map(lambda x: (f"Driver={{a}};UID=sa;P{'WD'}={{{x}}};", x)),
    "secure string": LETTERS.map(lambda x: (f'ConvertTo-Secure{"String"} "{x}" -AsPlainText', x)),
    "kms": TOKEN.map(lambda x: (json.dumps({"Plain" + "text": x}), x)),
    "secret binary": TOKEN.map(lambda x: (json.dumps({"Secret" + "Binary": x}), x)),
    "parameter store": LETTERS.map(lambda x: (json.dumps({"Type": "Secure" + "String", "Value": x}), x)),
    "form": LETTERS.map(lambda x: (f'Content-Disposition: form-data; name="pass{"word"}"\r\n\r\n{x}\r\n--b', x)),
    "cdata": LETTERS.map(lambda x: (f"<pass{'word'}><![CDATA[{x}]]></pass{'word'}>", x)),
    "hook by address": TOKEN.map(lambda x: (f"https://hooks.zap{'ier.com'}/hooks/catch/123/{x}/", x)),
    "alert by address": st.uuids()
    .map(str)
    .map(lambda x: (f"https://alert.h{'.com'}/integrations/generic/1/alert/{x}/k", x)),
    "password in an encoded url": LETTERS.map(lambda x: (f"to=https%3A%2F%2Fu%{'3A'}{x}%40h%2F", x)),
    "cloudfront": TOKEN.map(lambda x: (f"CloudFront-Sig{'nature'}={x}; a=b", x)),
    "api secret": LETTERS.map(lambda x: (f"API_SEC{'RET'}: {x}", x)),
    "key base": HEX.map(lambda x: (f"SECRET_KEY_{'BASE'}={x}", x)),
    "x-auth-key": HEX.map(lambda x: (f"X-Auth-{'Key'}: {x}", x)),
    "fastly": TOKEN.map(lambda x: (f"Fastly-{'Key'}: {x}", x)),
    "npmrc": TOKEN.map(lambda x: (f"_au{'th'}={packed(x)}", packed(x))),
    "arrow": LETTERS.map(lambda x: (f"PASS{'WORD'} -> {x}", x)),
    "beside": LETTERS.map(lambda x: (f"login failed with pass{'word'} '{x}' for user a", x)),
    "option": LETTERS.map(lambda x: (f'{{"OptionName":"DB_PASS{"WORD"}","Value":"{x}"}}', x)),
    "sentence in json": LETTERS.map(lambda x: (json.dumps(f'my pass{"word"} is "{x}"'), x)),
    "a line below in json": LETTERS.map(lambda x: (json.dumps(f'"pass{"word"}":\n  "{x}"'), x)),
    "japanese in json": LETTERS.map(lambda x: (json.dumps(f"パスワ{'ード'}：{x}"), x)),
    "chinese, another": LETTERS.map(lambda x: (f"口{'令'}：{x}", x)),
    "arabic": LETTERS.map(lambda x: (f"كلمة المر{'ور'}: {x}", x)),
    "italian": LETTERS.map(lambda x: (f"parola d'ord{'ine'}: {x}", x)),
    # A name and a value that stand apart
    "pwd": LETTERS.map(lambda x: (f"pw{'d'}={x}", x)),
    "pwd in a connection string": LETTERS.map(lambda x: (f"Server=db;Uid=sa;Pw{'d'}={x};Encrypt=yes", x)),
    "pass": LETTERS.map(lambda x: (f"user=ada pas{'s'}={x}", x)),
    "netrc": LETTERS.map(lambda x: (f"machine db.internal login ada pass{'word'} {x}", x)),
    "netrc in lines": LETTERS.map(lambda x: (f"machine h\n  login ada\n  pass{'word'} {x}\n", x)),
    "name and value": LETTERS.map(lambda x: (f'{{"name": "DB_PASS{"WORD"}", "value": "{x}"}}', x)),
    "name and value, short": LETTERS.map(lambda x: (f"[{{'Key':'db-pass{'word'}','Value':'{x}'}}]", x)),
    "value and name": LETTERS.map(lambda x: (f'{{"Value": "{x}", "Name": "/prod/db/pass{"word"}"}}', x)),
    "parameter": LETTERS.map(lambda x: (f"ParameterKey=DbPass{'word'},ParameterValue={x}", x)),
    "parameter in json": LETTERS.map(
        lambda x: (f'{{"ParameterKey": "DbPass{"word"}", "UsePreviousValue": false, "ParameterValue": "{x}"}}', x)
    ),
    "parameter in escaped json": LETTERS.map(
        lambda x: (json.dumps(json.dumps({"ParameterKey": "DbPass" + "word", "ParameterValue": x})), x)
    ),
    "environment in yaml": LETTERS.map(lambda x: (f"env:\n  - name: DB_PASS{'WORD'}\n    value: {x}\n", x)),
    "yaml, one line on": LETTERS.map(lambda x: (f"pass{'word'}:\n  {x}", x)),
    "yaml, a block": LETTERS.map(lambda x: (f"db:\n  pass{'word'}: |-\n    {x}\n  host: h", x)),
    "tab": LETTERS.map(lambda x: (f"DB_PASS{'WORD'}\t{x}", x)),
    "columns of names and values": LETTERS.map(lambda x: (f"host          h\nDB_PASS{'WORD'}   {x}", x)),
    "german": LETTERS.map(lambda x: (f"Pass{'wort'}: {x}", x)),
    "german, another": LETTERS.map(lambda x: (f"Kenn{'wort'}={x}", x)),
    "french": LETTERS.map(lambda x: (f"Mot de pas{'se'} : {x}", x)),
    "spanish": LETTERS.map(lambda x: (f"contrase{'ña'}: {x}", x)),
    "portuguese": LETTERS.map(lambda x: (f"sen{'ha'}={x}", x)),
    "polish": LETTERS.map(lambda x: (f"has{'ło'}: {x}", x)),
    "russian": LETTERS.map(lambda x: (f"пар{'оль'}: {x}", x)),
    "chinese": LETTERS.map(lambda x: (f"密{'码'}：{x}", x)),
    "sentence": LETTERS.map(lambda x: (f"the pass{'word'} is {x}.", x)),
    "sentence with quotes": LETTERS.map(lambda x: (f"pass{'word'} was '{x}'", x)),
    "markdown": LETTERS.map(lambda x: (f"**Pass{'word'}:** {x}", x)),
    "markdown, code": LETTERS.map(lambda x: (f"`pass{'word'}`: `{x}`", x)),
    "markdown, a row": LETTERS.map(lambda x: (f"| pass{'word'} | {x} |", x)),
    "html, a list": LETTERS.map(lambda x: (f"<dl><dt>Pass{'word'}</dt><dd>{x}</dd></dl>", x)),
    "html, a cell in code": LETTERS.map(lambda x: (f"<td><b>pass{'word'}</b></td><td><code>{x}</code></td>", x)),
    "without width": LETTERS.map(lambda x: (f"pass\u200b{'word'}\u2060={x}", x)),
    "soft hyphen": LETTERS.map(lambda x: (f"pass\u00adword: {x}", x)),
    # More than one value
    "list": LETTERS.map(lambda x: (f'{{"to{"ken"}": ["{x}", "b"]}}', x)),
    "list, the second": LETTERS.map(lambda x: (f"pass{'words'} = ('a1', '{x}')", x)),
    "list of json": LETTERS.map(lambda x: (json.dumps({"api_" + "keys": ["a", x]}, indent=1), x)),
    "list in escaped json": LETTERS.map(lambda x: (json.dumps(json.dumps({"to" + "ken": [x]})), x)),
    "list of words": LETTERS.map(lambda x: (f"pass{'words'}: [a1, {x}]", x)),
    "list by lines": LETTERS.map(lambda x: (f"pass{'word'}s:\n  - a1\n  - {x}\n", x)),
    "object": LETTERS.map(lambda x: (f'{{"pass{"word"}": {{"value": "{x}"}}}}', x)),
    "variable": LETTERS.map(lambda x: (f'os.environ["DB_PASS{"WORD"}"] = "{x}"', x)),
    "tag of yaml": LETTERS.map(lambda x: (f"pass{'word'}: !!str {x}", x)),
    "three quotes": LETTERS.map(lambda x: (f"sec{'ret'} = '''{x}'''", x)),
    "three quotes, lines": LETTERS.map(lambda x: (f'pass{"word"}: """\n{x}\n"""', x)),
    "parts": LETTERS.map(lambda x: (f'pass{"word"} = "a" + "{x}"', x)),
    "parts in brackets": LETTERS.map(lambda x: (f"pass{'word'} = ('a'\n    '{x}')", x)),
    "field of a form": LETTERS.map(lambda x: (f"<input type=pass{'word'} value={x}>", x)),
    "field of a form, quoted": LETTERS.map(lambda x: (f'<input value="{x}" id="api_{"key"}">', x)),
    "field of a form, escaped": LETTERS.map(lambda x: (f"&lt;input type='pass{'word'}' value='{x}'&gt;", x)),
    "property": LETTERS.map(lambda x: (f'<property name="db.pass{"word"}">{x}</property>', x)),
    "login": LETTERS.map(lambda x: (f"http-tool -u ada:{x} https://host", x)),
    "login, long": LETTERS.map(lambda x: (f"tool --user='ada:{x}'", x)),
    "login in a list": LETTERS.map(lambda x: (f'["tool", "-u", "ada:{x}"]', x)),
    "wide letters": LETTERS.map(lambda x: (f"ｐａｓｓ{'ｗｏｒｄ'}: {x}", x)),
    "letters of mathematics": LETTERS.map(lambda x: (f"𝐩𝐚𝐬𝐬{'𝐰𝐨𝐫𝐝'}={x}", x)),
    "coloured by a source": LETTERS.map(lambda x: (f'print("pass\\x1b[31m{"word"}=\\033[0m{x}")', x)),
    "coloured in json": LETTERS.map(lambda x: (json.dumps(f"pass\x1b[1m{'word'}\x1b[0m={x}"), x)),
    "escaped sign": LETTERS.map(lambda x: (f"pass{'word'}\\u003d{x}", x)),
    "handed over": LETTERS.map(lambda x: (f"get(url, au{'th'}=('ada', '{x}'))", x)),
    "handed over, by class": LETTERS.map(lambda x: (f'HTTPBasicAu{"th"}("ada", "{x}")', x)),
    "header as a pair": LETTERS.map(lambda x: (f"[('Authori{'zation'}', 'token {x}')]", x)),
    "configured": LETTERS.map(lambda x: (f"aws configure set aws_secret_access_{'key'} {x}", x)),
    "put as a parameter": LETTERS.map(lambda x: (f"aws ssm put-parameter --value {x} --type Secure{'String'}", x)),
    "quoted by a shell": LETTERS.map(lambda x: (f"pass{'word'}=$'{x}'", x)),
    "behind a link": LETTERS.map(lambda x: (f"pass{'word'}: \x1b]8;;//a\x07{x}", x)),
    # Below a name, in another script, glued to an option
    "below secrets": LETTERS.map(lambda x: (json.dumps({"sec" + "rets": {"db": x}}), x)),
    "below secrets, deeper": LETTERS.map(lambda x: (json.dumps({"sec" + "rets": {"db": {"main": [x]}}}, indent=1), x)),
    "below credentials, escaped": LETTERS.map(lambda x: (json.dumps(json.dumps({"creden" + "tials": {"db": x}})), x)),
    "below secrets in yaml": LETTERS.map(lambda x: (f"sec{'rets'}:\n  name: db\n  db: {x}\nhost: h", x)),
    "below a password in yaml": LETTERS.map(lambda x: (f"- pass{'words'}:\n    db: '{x}'\n", x)),
    "look-alike letters": LETTERS.map(lambda x: ("p\u0430ss" + f"w\u043erd={x}", x)),
    "look-alike capitals": LETTERS.map(lambda x: ("DB_P\u0391\u0405S" + f"W\u041eRD: {x}", x)),
    "dockerfile": LETTERS.map(lambda x: (f"Step 3/9 : ENV DB_PASS{'WORD'} {x}", x)),
    "dockerfile, to the end of the line": LETTERS.map(lambda x: (f'ENV api_to{"ken"} "a {x}"\n', x)),
    "the line after its name": TOKEN.map(lambda x: (f"DB_PASS{'WORD'}\nq{x}\n", f"q{x}")),
    "glued login": LETTERS.map(lambda x: (f"tool -uada:{x} https://host", x)),
    "login behind other options": LETTERS.map(lambda x: (f"curl -sSu 'ada:{x}' https://host", x)),
    "token as the user of an address": TOKEN.map(lambda x: (f"git clone https://{x}0a@host/r.git", f"{x}0a")),
    "element with a value": LETTERS.map(lambda x: (f'<db.pass{"word"} kind="a" value="{x}"/>', x)),
    "element with a value, escaped": LETTERS.map(lambda x: (f"&lt;pass{'word'} value=&quot;{x}&quot;/&gt;", x)),
    "code of a sign-in": TOKEN.map(lambda x: (f"GET /callback?co{'de'}={x}1&state=a", x)),
    "code of a device": TOKEN.map(lambda x: (f"grant_type=a&device_co{'de'}={x}1", x)),
    "verifier": TOKEN.map(lambda x: (f"client_id=a&code_veri{'fier'}={x}1", x)),
    "saml": TOKEN.map(lambda x: (f"SAMLRes{'ponse'}={(x * 3)[:70]}", (x * 3)[:70])),
    "code that counts once": DIGITS.map(lambda x: (f"mfa_co{'de'}={x}", x)),
    "code of a device, by json": DIGITS.map(lambda x: (f'{{"SerialNumber": "a", "TokenCo{"de"}": "{x}"}}', x)),
    "code of a device, by a flag": DIGITS.map(lambda x: (f"aws sts get-session-token --token-co{'de'} {x}", x)),
    "code of a device, asked": DIGITS.map(lambda x: (f"Enter MFA co{'de'} for arn:aws:iam::1:mfa/ada: {x}", x)),
    "code of a device, said": DIGITS.map(lambda x: (f"Your verification co{'de'} is {x}.", x)),
    "code of a device, in two parts": DIGITS.map(lambda x: (f"ot{'p'}: {x[:3]} {x[3:]}", f"{x[:3]} {x[3:]}")),
    "series": LETTERS.map(lambda x: (f"user     ada\napi_{'key'}  {x}1\ndtype: object", x)),
    # Tables
    "data frame": LETTERS.map(
        lambda x: (f"\n  user {f'pass{chr(119)}ord':>20} n\n0  ada {x:>20} 1\n1  bob {'a':>20} 2", x)
    ),
    "data frame, first": LETTERS.map(lambda x: (f"\n{f'pass{chr(119)}ord':>21} user\n0{x:>20}  ada", x)),
    "data frame as html": LETTERS.map(
        lambda x: (
            f"<table><thead><tr><th></th><th>user</th><th>pass{'word'}</th></tr></thead><tbody>"
            f"<tr><th>0</th><td>ada</td><td>{x}</td></tr></tbody></table>",
            x,
        )
    ),
    "terminal's table": LETTERS.map(lambda x: (f"USER    PASS{'WORD'}            HOST\nada     {x:<18}  db1\n", x)),
    "csv": LETTERS.map(lambda x: (f"user,pass{'word'},host\nada,{x},db1\n", x)),
    "csv with quotes": LETTERS.map(lambda x: (f'user,pass{"word"},host\n"a, da","{x}",db1\n', x)),
    "tsv": LETTERS.map(lambda x: (f"user\tpass{'word'}\nada\t{x}", x)),
    "markdown table": LETTERS.map(lambda x: (f"| user | pass{'word'} |\n|---|---|\n| ada | {x} |\n", x)),
    "boxes": LETTERS.map(lambda x: (f"│ user │ pass{'word'} │\n├──────┼─────┤\n│ ada │ {x} │", x)),
    # Command lines
    "mysql": LETTERS.map(lambda x: (f"mysql -h db -u root -p{x} vpr", x)),
    "sshpass": LETTERS.map(lambda x: (f"sshpass -p {x} ssh ada@host", x)),
    "sshpass, quoted": LETTERS.map(lambda x: (f"sshpass -p'{x}' ssh ada@host", x)),
    "redis-cli": LETTERS.map(lambda x: (f"redis-cli -h h -a {x} ping", x)),
    "openssl": LETTERS.map(lambda x: (f"openssl rsa -in k.pem -passin pass:{x}", x)),
    "docker login": LETTERS.map(lambda x: (f"docker login -u ada -p {x} registry.example", x)),
    "ldap": LETTERS.map(lambda x: (f"ldapsearch -D cn=a -w {x} -b dc=x", x)),
    "keytool": LETTERS.map(lambda x: (f"keytool -list -storepass {x}", x)),
    # Addresses
    "jdbc": LETTERS.map(lambda x: (f"jdbc:postgresql://db/vpr?user=ada&pass{'word'}={x}", x)),
    "jdbc of a server": LETTERS.map(lambda x: (f"jdbc:sqlserver://h:1433;user=sa;pass{'word'}={x};encrypt=true", x)),
    "jdbc with an owner": LETTERS.map(lambda x: (f"jdbc:oracle:thin:ada/{x}@//db:1521/x", x)),
}
LINES: dict[str, st.SearchStrategy[tuple[list[str], str]]] = {
    "private key": TOKEN.map(lambda x: ([f"-----BEGIN EC {PEM}-----", x, f"-----END EC {PEM}-----"], x)),
    "pgp": TOKEN.map(lambda x: ([f"-----BEGIN PGP {PEM} BLOCK-----", "", x, f"-----END PGP {PEM} BLOCK-----"], x)),
    "never ended": TOKEN.map(lambda x: ([f"-----BEGIN {PEM}-----", x], x)),
}
"""Secrets that go over several lines, which may be printed one by one."""
