"""`password` in the languages of teams, and whether a text may have it."""

from __future__ import annotations

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
