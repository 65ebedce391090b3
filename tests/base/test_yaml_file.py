"""YAML files that cannot be used: one sentence with file and line, whatever is in them."""

from __future__ import annotations

import os
import re
import tracemalloc
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import environments, params_file
from runbook_lib.base.yaml_file import MOST_DEEP, MOST_VALUES, read_yaml, unquoted
from runbook_lib.params.essentials import essentials
from runbook_lib.params.load import Flat, load_file
from tests.project import own_project


def sentence(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_yaml(path)
    said = str(caught.value)
    assert said.startswith(str(path))
    assert len(said) < 500 + len(str(path))
    return said


@pytest.mark.parametrize(
    "nested",
    [
        "a: " + "[" * 100_000 + "]" * 100_000,
        "a: " + "[" * 100_000,
        "a: " + "{x: " * 100_000 + "1" + "}" * 100_000,
        "a:\n  " + "- " * 100_000 + "x",
        "\n".join(f"{' ' * deep}a:" for deep in range(1_000)),
        "a: " + "['[', " * 100_000,
    ],
    ids=["brackets", "open", "braces", "dashes", "indents", "with quotes"],
)
def test_what_is_nested_without_end_is_refused_with_its_line(nested: str, tmp_path: Path) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text(f"env: prod\n{nested}\n")
    said = sentence(path)
    assert ", line " in said and (f"more than {MOST_DEEP} levels" in said or "too long" in said)


def test_a_value_of_fifty_megabytes_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text("env: prod\nreason: " + "x" * 50_000_000 + "\nregion: r\n")
    assert "line 2: too long; the file has 50.0 MB" in sentence(path)


def test_a_file_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text("env: prod\n")
    os.truncate(path, 3_000_000_000)
    tracemalloc.start()
    try:
        assert "line 2: too long; the file has 3000.0 MB" in sentence(path)
        assert environments(tmp_path) == []
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "is a folder" in sentence(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "env: !!python/object/apply:os.system [true]\n",
        "env: !secret x\n",
        "a: [\n",
        "a: 2026-99-99\n",
        "a: \x00\n",
        "? [a]\n: b\n",
    ],
)
def test_what_is_no_plain_yaml_is_a_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert "not valid YAML" in sentence(path)


def test_letters_that_are_not_utf_8_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("env: prod\nreason: Störung\n".encode("latin-1"))
    assert "line 2: not valid YAML (no UTF-8)" in sentence(path)


@pytest.mark.parametrize(
    ("key", "raw", "kind"),
    [
        ("release", "2026.10", "a number"),
        ("release", "2026-11-23", "a date"),
        ("release", "on", "yes or no"),
        ("as_of", "2026-11-23T03:00:00Z", "a date"),
        ("confirm", "no", "yes or no"),
        ("reason", "~", "nothing"),
    ],
)
def test_text_without_quotes_is_told_how_to_quote(key: str, raw: str, kind: str, tmp_path: Path) -> None:
    path = own_project(tmp_path)
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{key}:")]
    path.write_text("\n".join([f"{key}: {raw}", *lines]))
    says = f"line 1: '{key}': {raw} without quotes is {kind} for YAML; write {key}: \"{raw}\""
    with pytest.raises(UsageError) as caught:
        load_file(path)
    assert says in str(caught.value)
    if key == "release":
        with pytest.raises(UsageError) as caught:
            essentials(path, {})
        assert says in str(caught.value)


@pytest.mark.parametrize("key", ["attempt", "time_scale", "operator"])
@pytest.mark.parametrize(
    "raw",
    ["1:30", "1:30.5", "0x10", "010", "007", "0b11", "1_000", "1_0.5", ".inf", "-.INF", ".nan", "1" * 16, "1e9999"],
)
def test_a_number_that_is_read_in_another_way_than_it_looks_is_refused(key: str, raw: str, tmp_path: Path) -> None:
    path = own_project(tmp_path)
    lines = [line for line in path.read_text().splitlines() if not line.startswith(f"{key}:")]
    path.write_text("\n".join([f"{key}: {raw}", *lines]))
    if isinstance(yaml.safe_load(raw), str):
        return
    with pytest.raises(UsageError) as caught:
        load_file(path)
    assert f"line 1: {raw} is a number" in str(caught.value) and f'or "{raw}" if it is text' in str(caught.value)
    # The switch does not wait for it: a wrong digit leaves nobody on a failing endpoint.
    assert essentials(path, {}).values[key] == raw


@pytest.mark.parametrize("raw", ["0x10", "1:30", "yes", "fast"])
def test_what_the_switch_needs_as_a_number_is_one(raw: str, tmp_path: Path) -> None:
    path = own_project(tmp_path)
    service = path.parent / "service.yaml"
    text = re.sub(r"client_poll_s: *[0-9.]+", f"client_poll_s: {raw}", service.read_text())
    service.write_text(text)
    assert raw in text
    with pytest.raises(UsageError, match=r"service\.yaml: 'traffic\.client_poll_s' is .*, expects seconds in digits"):
        essentials(path, {})


@given(st.text("0123456789_:.xabeo+-", min_size=1, max_size=18))
def test_a_number_is_the_one_that_is_written(tmp_path_factory: pytest.TempPathFactory, raw: str) -> None:
    path = tmp_path_factory.mktemp("yaml") / "a.yaml"
    path.write_text(f"a: {raw}\n")
    try:
        value = read_yaml(path).get("a")
    except UsageError:
        return
    if isinstance(value, (int, float)):
        assert value == float(raw) and not set(raw) & set("_:xo")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("yaml") / "a.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        assert isinstance(read_yaml(path), dict)
    except UsageError as error:
        assert str(error).startswith(str(path))


@given(st.sampled_from(sorted(Flat.model_fields)), st.text("0123456789.-:TZonyes~", min_size=1, max_size=12))
def test_what_it_says_to_write_is_read_as_that_text(
    tmp_path_factory: pytest.TempPathFactory, key: str, raw: str
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "a.yaml"
    path.write_text(f"{key}: {raw}\n")
    try:
        value = read_yaml(path)[key]
    except UsageError:
        return
    found = unquoted(path, [key], value)
    if found is None:
        assert isinstance(value, (str, dict, list))
        return
    assert yaml.safe_load(found[1].partition("; write ")[2]) == {key: raw}


def laughing(levels: int, wide: int, merged: bool) -> str:
    """A file whose aliases multiply: `wide` to the power of `levels` values, in a few lines."""
    first = "a0: &a0 {k: v}\n" if merged else "a0: &a0 [v]\n"
    named = (", ".join([f"*a{level}"] * wide) for level in range(levels))
    inner = (f"{{<<: [{names}], k{level}: v}}" if merged else f"[{names}]" for level, names in enumerate(named))
    return first + "".join(f"a{level}: &a{level} {text}\n" for level, text in enumerate(inner, start=1))


@pytest.mark.parametrize("merged", [False, True], ids=["lists", "merged"])
@given(levels=st.integers(1, 12), wide=st.integers(2, 30))
def test_aliases_that_multiply_a_file_are_refused_before_they_are_written_out(
    levels: int, wide: int, merged: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("laughs") / "a.yaml"
    path.write_text(laughing(levels, wide, merged))
    if wide**levels > MOST_VALUES:
        assert f"more than {MOST_VALUES} values" in sentence(path)
    elif wide**levels < 1_000:
        assert set(read_yaml(path)) == {f"a{level}" for level in range(levels + 1)}


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a {b: {c: [*a]}}\n"])
def test_an_alias_within_itself_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert "line 1: not valid YAML (an alias refers to a value that contains it)" in sentence(path)


@pytest.mark.parametrize("kind", ["pipe", "device", "links that go round"])
def test_what_is_no_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    """A pipe would be waited for, and /dev/zero read, without an end."""
    path = Path("/dev/zero") if kind == "device" else tmp_path / "a.yaml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind != "device":
        path.symlink_to(path)
    assert ("is a pipe or a device" if kind in ("pipe", "device") else "symbolic links") in sentence(path)
    with pytest.raises(UsageError):
        load_file(path)
    with pytest.raises(UsageError):
        essentials(params_file(path), {})


def test_whoever_gets_a_file_may_change_what_he_got_and_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: {b: [1, 2]}\n")
    read_yaml(path)["a"]["b"].append(3)
    assert read_yaml(path) == {"a": {"b": [1, 2]}}
    path.write_text("a: {b: [010]}\n")
    assert read_yaml(path, odd_numbers=True) == {"a": {"b": ["010"]}}
    assert "a number that YAML reads in its own way" in sentence(path)


@pytest.mark.parametrize("deep", [200, 900])
def test_what_is_too_deep_to_be_kept_is_read_all_the_same_or_refused(deep: int, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: " + "[" * deep + "]" * deep + "\n")
    try:
        found = read_yaml(path)["a"]
    except (UsageError, RecursionError) as error:
        assert deep > 200, error
        return
    for _ in range(deep - 1):
        (found,) = found
    assert found == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "nothing"), ("# later\n", "nothing"), ("null", "nothing"), ("- a", "a list"), ("7", "one value")],
)
def test_what_is_no_mapping_is_told_in_words(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "dev.yaml").write_text(text)
    assert sentence(tmp_path / "dev.yaml").endswith(f": holds {said}, expects a mapping of names to values")


TAGS = ["binary", "bool", "float", "int", "map", "null", "omap", "pairs", "seq", "set", "str", "timestamp", "value"]


@pytest.mark.slow
@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("value", ["x", "", "[a]", "[{a: b}]", "{a: b}", '"aGk="', "2026-99-99"])
@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_that_its_value_does_not_fit_is_a_sentence(tag: str, value: str, odd: bool, tmp_path: Path) -> None:
    path = tmp_path / "dev.yaml"
    path.write_text(f"env: !!{tag} {value}\n")
    try:
        read_yaml(path, odd_numbers=odd)
    except UsageError as error:
        assert "dev.yaml" in str(error) and "\n" not in str(error)


def test_bytes_are_told_as_bytes_and_not_as_a_date(tmp_path: Path) -> None:
    path = tmp_path / "dev.yaml"
    path.write_text("env: !!binary aGk=\n")
    assert unquoted(path, ["env"], b"hi") == (
        1,
        'the tag !!binary makes it bytes; write env: "aGk=" without the tag',
    )
