"""The documentation site, made by `make docs`: the pages of docs/, the README as the first, the commands' reference.

A link out of docs/ (a parameter file, a test) leads to a page with that file. zensical checks every link and anchor and
stops at the first that leads nowhere. Pictures written in mermaid would be drawn by a script from elsewhere: the site
asks nobody, so it has drawn ones.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer

from runbook_lib.cli.app import app
from tests.architecture import floors

ROOT = Path(__file__).resolve().parents[1]
PAGES, SITE = ROOT / "build" / "pages", ROOT / "build" / "docs"
_LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?(\))")
_MERMAID = re.compile(r"```mermaid\n(.*?)```", re.S)
_ROLLOUT = "![A rollout: the weight goes from 0 to 10, 50 and 100 %, with a soak after each shift](images/rollout.svg)"
_STYLE = """/* A name is not broken within a word: a table that is too wide scrolls. */
.md-typeset table:not([class]) code { word-break: normal; overflow-wrap: normal; }
.md-typeset table:not([class]) :is(th, td):first-child code { white-space: nowrap; }
"""
_TEXT = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json", ".md": "markdown"}


@cache
def commands() -> dict[str, Any]:
    """Words of a command (`archive list`) to click's command."""
    found: dict[str, Any] = {}

    def walk(group: Any, words: str) -> None:
        for name, one in group.commands.items():
            if hasattr(one, "commands"):
                walk(one, f"{words}{name} ")
            else:
                found[f"{words}{name}"] = one

    walk(typer.main.get_command(app), "")
    return found


def _cell(text: object) -> str:
    return " ".join(re.sub(r"\[/?[a-z ]*\]", "", str(text or "")).split()).replace("|", "\\|").replace("<", "&lt;")


def _parameter(one: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
    needed = " (required)" if one.required else ""
    default: Any = one.default
    known = isinstance(default, (str, int, float)) and default is not False and default != ""
    return f"| {names}{needed} | {_cell(getattr(one, 'help', ''))} | {f'`{default}`' if known else ''} |"


def cli_reference() -> str:
    """docs/cli.md: each command with its help, arguments, options and exit codes, from the commands themselves."""
    lines = ["# Command line", "", "Made of the commands' own help; in a terminal: `runbook COMMAND --help`.", ""]
    for words, command in sorted(commands().items()):
        lines += [f"## runbook {words}", ""]
        for block in re.split(r"\n\s*\n", (command.help or "").strip()):
            if block.strip().startswith("\b"):
                lines += ["```text", block.strip().removeprefix("\b").strip("\n"), "```", ""]
            else:
                lines += [_cell(block), ""]
        shown = [one for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]
        if shown:
            lines += ["| argument or option | what it is | default |", "|---|---|---|", *map(_parameter, shown), ""]
        if command.epilog:
            lines += [*_epilog(command.epilog.strip()), ""]
    return "\n".join(lines)


def _epilog(text: str) -> list[str]:
    """What a command says at its end: a list as it stands, a sentence as one."""
    return ["```text", text.removeprefix("\b").strip("\n"), "```"] if text.startswith("\b") else [_cell(text)]


def rooms() -> str:
    """The floors of `runbook_lib` as a table, top floor first; the picture of docs/architecture.md in words."""
    rows = [
        f"| {number} | {', '.join(f'`{room}`' for room in floor)} |"
        for number, floor in zip(range(99), floors(), strict=False)
    ]
    top = len(rows) - 1
    return "\n".join(
        [
            "| floor | rooms |",
            "|---|---|",
            *(row.replace(f"| {i} |", f"| {top - i} |", 1) for i, row in enumerate(rows)),
        ]
    )


def _file_page(target: Path) -> str:
    """A page with a file of the project, or with what a folder holds."""
    name = target.relative_to(ROOT).as_posix()
    if target.is_dir():
        return f"# {name}\n\n" + "\n".join(
            f"- `{one.name}`" for one in sorted(target.iterdir()) if one.name[0] not in "._"
        )
    return f"# {name}\n\n````{_TEXT.get(target.suffix, 'text')}\n{target.read_text('utf-8')}\n````\n"


def _inside(target: Path) -> str:
    """Where the site has a file of the project, below the site's root."""
    docs = ROOT / "docs"
    if target == ROOT / "README.md":
        return "index.md"
    if docs in target.parents:
        return target.relative_to(docs).as_posix()
    if target == docs:
        return "index.md"
    return f"files/{target.relative_to(ROOT).as_posix().removeprefix('.')}.md"  # no page lies in a hidden folder


def page(source: Path) -> tuple[str, set[Path]]:
    """(a page's text for the site, files outside docs/ that it leads to).

    Raises:
        ValueError: a link leads to no file.
    """
    outside: set[Path] = set()
    here = Path(_inside(source)).parent

    def relink(found: re.Match[str]) -> str:
        target = (source.parent / found[2]).resolve()
        if not target.exists():
            raise ValueError(f"{source.relative_to(ROOT)}: {found[2]} leads nowhere")
        place = _inside(target)
        if place.startswith("files/"):
            outside.add(target)
        return f"{found[1]}{os.path.relpath(place, here)}{found[3] or ''}{found[4]}"

    parts = re.split(r"(^```.*?^```$)", source.read_text("utf-8"), flags=re.S | re.M)
    told = "".join(part if part.startswith("```") else _LINK.sub(relink, part) for part in parts)
    told = re.sub(r"\[\[([^\]]+)\]\]", r"`\1`", told)  # the customer's own notation of a reference
    return _MERMAID.sub(lambda found: _ROLLOUT if "06<br>" in found[1] else rooms(), told), outside


def sources() -> Iterator[Path]:
    """The pages that people write, and those that benchmarks and models write."""
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").rglob("*.md"))


def assemble(into: Path = PAGES) -> None:
    """Writes the site's pages into a folder, which is emptied before."""
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "images", into / "images")
    (into / "site.css").write_text(_STYLE, "utf-8")
    outside: set[Path] = set()
    texts = {"cli.md": cli_reference()}
    for source in sources():
        texts[_inside(source)], more = page(source)
        outside |= more
    texts |= {_inside(one): _file_page(one) for one in outside}
    for name, text in texts.items():
        place = into / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")


def build() -> int:
    """Assembles and builds the site; zensical's exit code, not 0 where a link leads nowhere."""
    assemble()
    done = subprocess.run(
        [Path(sys.executable).parent / "zensical", "build", "--strict", "--clean"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        print(re.sub(r"\x1b\[[\d;]*m", "", done.stderr).split("Traceback")[0], file=sys.stderr)
    else:
        print(f"{SITE.relative_to(ROOT)}/index.html")
    return done.returncode


if __name__ == "__main__":
    sys.exit(build())
