"""Reads the text that `cdk diff` prints into a `Diff`.

A stack begins with `Stack NAME`, or `Stack PATH (NAME)`. A resource is a line at the margin, and its properties are a
tree below it:

    [~] AWS::Lambda::Function Worker Worker1A2B3C4D
     ├─ [~] Timeout
     │   ├─ [-] 60
     │   └─ [+] 300
     └─ [+] ReservedConcurrentExecutions
         └─ 5

For a new resource the text has its type, path and logical id only. A list that changes is shown as a patch (`@@`): its
new value counts as unknown. Tables of IAM statements, parameters, conditions and outputs name no resource.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from runbook_lib.judge.incidents.diff import Action, Change, Diff, Property

_STACK = re.compile(r"^Stack (?P<path>\S.*?)(?: \((?P<name>[^()]+)\))?\s*$")
_RESOURCE = re.compile(r"^\[(?P<mark>[+~-])\] (?P<type>\w+(?:::\w+)+) +(?P<rest>\S.*?)\s*$")
_NODE = re.compile(r"^(?P<indent>[ │]*)[├└]─ (?P<body>.*?)\s*$")
_IMPACT = re.compile(r" (?P<impact>replace|may be replaced|destroy|orphan|import|[\w ]+ -> [\w ]+)$")
_ASIDE = re.compile(r" \((?:requires replacement|may cause replacement)\)$")
_MARKED = re.compile(r"^\[(?P<mark>[+~-])\] (?P<rest>.*)$")
_MOVED = re.compile(r"^(?:Added|Removed): \.(?P<key>.+)$")
_SAYS = re.compile(r"^(?:There were no differences|✨? *Number of stacks with differences: \d+)", re.M)
_ACTIONS: dict[str, Action] = {"+": "add", "~": "modify", "-": "remove"}


@dataclass
class _Node:
    """One line of a tree, which may have lines below it."""

    column: int
    path: tuple[str, ...]
    mark: str
    old: str | None = None
    new: str | None = None
    inner: bool = False
    """Whether it has properties below it; then it is no change by itself."""


@dataclass
class _Open:
    """A resource whose tree is being read."""

    stack: str
    mark: str
    type: str
    rest: str
    nodes: list[_Node] = field(default_factory=list)
    open: list[_Node] = field(default_factory=list)

    def read(self, column: int, body: str) -> None:
        """Adds one line of the tree."""
        while self.open and self.open[-1].column >= column:
            self.open.pop()
        parent, marked = (self.open[-1] if self.open else None), _MARKED.match(body)
        if marked is None:
            if parent is not None and not body.startswith("@@"):
                _value(parent, parent.mark, body)
            return
        mark, rest = marked["mark"], _ASIDE.sub("", marked["rest"])
        if parent is None:
            self._push(column, (rest,), mark)
        elif moved := _MOVED.match(rest):
            parent.inner = True
            self._push(column, (*parent.path, moved["key"]), mark)
        elif mark == "~":
            parent.inner = True
            self._push(column, (*parent.path, rest.removeprefix(".").removesuffix(":")), mark)
        else:
            _value(parent, mark, rest)

    def _push(self, column: int, path: tuple[str, ...], mark: str) -> None:
        node = _Node(column, path, mark)
        self.nodes.append(node)
        self.open.append(node)

    def change(self) -> Change:
        """The change that the tree describes."""
        impact = _IMPACT.search(self.rest)
        *path, logical = (self.rest[: impact.start()] if impact else self.rest).split()
        action = _ACTIONS[self.mark]
        if impact and impact["impact"] == "orphan":
            action = "orphan"
        properties = tuple(
            Property(path=one.path, old=one.old, new=one.new, removed=one.mark == "-")
            for one in self.nodes
            if not one.inner
        )
        return Change(
            action=action,
            type=self.type,
            logical_id=logical,
            label=" ".join(path),
            stack=self.stack,
            properties=properties,
        )


def _value(node: _Node, mark: str, text: str) -> None:
    if mark == "-":
        node.old = text
    elif mark == "+":
        node.new = text


def parse_cdk(text: str) -> Diff:
    """The diff in the output of `cdk diff`; of kind `none` where the text is no such output."""
    changes, stacks = (
        list(_changes(text)),
        [_name(found) for line in text.splitlines() if (found := _STACK.match(line))],
    )
    if not changes and not (stacks and _SAYS.search(text)):
        return Diff()
    return Diff(kind="cdk", stacks=tuple(dict.fromkeys(stacks)), changes=tuple(changes))


def _name(found: re.Match[str]) -> str:
    return found["name"] or found["path"]


def _changes(text: str) -> Iterator[Change]:
    stack, now = "", None
    for line in text.splitlines():
        if found := _NODE.match(line):
            if now is not None:
                now.read(len(found["indent"]), found["body"])
            continue
        named, begun = _STACK.match(line), _RESOURCE.match(line)
        if named or begun or line[:1].strip():
            # Anything else at the margin ends a resource: the tree below it belongs to another section.
            if now is not None:
                yield now.change()
            now = None
        if named:
            stack = _name(named)
        if begun:
            now = _Open(stack, begun["mark"], begun["type"], begun["rest"])
    if now is not None:
        yield now.change()
