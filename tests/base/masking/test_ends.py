"""Names at the end of what they belong to: a path that a sentence quotes tells no secret."""

from __future__ import annotations

import ast
import errno
import itertools
import os
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.project import PACKAGE
from runbook_lib.base.redact import MASK, redact_text

PATHS = ["/etc/passwd", "~/keys/db_password", "./passwd", "/run/secrets/client-secret", "../our files/api_key"]
_OF_A_FILE = re.compile(r"\b(?:files?|path|folder|project)\b")


def ours() -> Iterator[str]:
    """What the sentences of this package say behind a path."""
    for module in sorted(PACKAGE.rglob("*.py")):
        for one in ast.walk(ast.parse(module.read_text("utf-8"))):
            for path, then in itertools.pairwise(one.values) if isinstance(one, ast.JoinedStr) else ():
                said = then.value if isinstance(then, ast.Constant) else ""
                named = isinstance(path, ast.FormattedValue) and _OF_A_FILE.search(ast.unparse(path))
                if named and re.match(r"'?: [a-z]+ ", said):
                    yield f"'{{}}{said}" if said.startswith("'") else f"{{}}{said}"


@pytest.mark.parametrize("said", sorted(set(ours())))
@given(path=st.sampled_from(PATHS))
def test_a_path_that_our_sentence_quotes_has_no_value(said: str, path: str) -> None:
    """`notebook '/etc/passwd': there is no notebook of that name` lost the word `there`."""
    assert redact_text(f"notebook {said.format(path)}") == f"notebook {said.format(path)}"


@given(st.sampled_from([os.strerror(one) for one in errno.errorcode]), st.sampled_from(PATHS), st.sampled_from("' "))
def test_what_the_system_says_of_a_file_is_no_value(said: str, path: str, quote: str) -> None:
    told = f"{quote}{path}{quote.strip()}: {said}".strip()
    assert redact_text(told) == told


@pytest.mark.parametrize("value", ["zebra", "correct horse", "zq3vkw9t", "therefore", "is3", "Permission9"])
@pytest.mark.parametrize("path", ["/prod/db/password", "'/prod/db/password'", "ada/password", "/prod/db password"])
def test_what_stands_behind_a_parameter_of_such_a_name_is_one(path: str, value: str) -> None:
    assert redact_text(f"{path}: {value}").startswith(f"{path}: {MASK}")


@pytest.mark.parametrize("said", ["password: there", "db/password: there", "'password': there", "user/passwd: cannot"])
def test_a_name_alone_is_no_path(said: str) -> None:
    assert MASK in redact_text(said)
