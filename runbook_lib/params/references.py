"""Where a secret is kept that service.yaml only names: `env:VARIABLE`, `ssm:PARAMETER`, `secretsmanager:SECRET#FIELD`.

The name of a parameter or a secret may contain `{env}`. Nothing here reads a value (`observe/references.py`).
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from runbook_lib.base.template import fault, filled

Kind = Literal["env", "ssm", "secretsmanager"]
NAME = re.compile(r"[a-z][a-z0-9_]*")
"""Form of a secret's name, the same as of every placeholder."""
EXPECTED = "expects env:VARIABLE, ssm:PARAMETER, secretsmanager:SECRET or secretsmanager:SECRET#FIELD"
_FORMS: dict[str, tuple[str, str]] = {
    "env": (r"[A-Za-z_][A-Za-z0-9_]*", "a variable is letters, digits and _"),
    "ssm": (r"[A-Za-z0-9_./-]{1,1011}", "a parameter is 1 to 1011 letters, digits and _ . - /"),
    "secretsmanager": (
        r"[A-Za-z0-9/_+=.@-]{1,512}(#[A-Za-z0-9_.-]+)?",
        "a secret is 1 to 512 letters, digits and / _ + = . @ -, then # and a field where it is JSON",
    ),
}
"""Kind to its form (Systems Manager, PutParameter, `Name`; Secrets Manager, CreateSecret, `Name`), also in words."""


class Reference(NamedTuple):
    """The place of one secret."""

    kind: Kind
    name: str
    """Name of the variable, the parameter or the secret."""
    field: str = ""
    """Name of the value in a secret that is a JSON object; empty: the whole text."""


def wrong(text: str) -> str:
    """What is wrong with a reference, as the end of a sentence; empty: nothing. It never quotes the text: it may be the
    secret itself.

    >>> wrong("ssm:/orders/{env}/api-key"), wrong("env:ORDERS_KEY"), wrong("secretsmanager:orders/{env}#api.key")
    ('', '', '')
    >>> wrong("abc").startswith("is not a reference; expects env:VARIABLE")
    True
    """
    kind, sign, name = text.partition(":")
    if not sign or kind not in _FORMS:
        return f"is not a reference; {EXPECTED}"
    form, words = _FORMS[kind]
    if kind != "env":
        if found := fault(name, ("env",)):
            return found
        name = filled(name, {"env": "staging"})
    return "" if re.fullmatch(form, name, re.ASCII) else f"is not a reference: {words}"


def read(text: str, env: str) -> Reference:
    """The reference in a valid text, for an environment.

    >>> read("secretsmanager:orders/{env}#key", "prod")
    Reference(kind='secretsmanager', name='orders/prod', field='key')
    """
    kind, _, name = text.partition(":")
    if kind == "env":
        return Reference("env", name)
    name = filled(name, {"env": env})
    if kind == "ssm":
        return Reference("ssm", name)
    name, _, field = name.partition("#")
    return Reference("secretsmanager", name, field)
