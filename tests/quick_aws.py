"""botocore without what it computes anew for each question, though the arguments are the same or the answer is plain.

A test asks the embedded AWS some hundreds of questions, and botocore's half of each costs more than the emulator's. In
the tests' own processes and the kernels forked for them; what a user runs, and what the kernels run that boot by
themselves, is botocore as it is.
"""

from __future__ import annotations

import functools
import http.client
import threading
from collections.abc import Callable
from typing import Any

from botocore import auth, hooks, httpsession, parsers, useragent
from botocore.session import EVENT_ALIASES

Read = Callable[[Any, Any], Any]
"""What makes an answer's value of botocore's parser and of the value as it came."""


def install() -> None:
    """From here on, in this process and its forks."""
    kept = functools.lru_cache(maxsize=None)
    useragent.sanitize_user_agent_string_component = kept(useragent.sanitize_user_agent_string_component)
    http.client.parse_headers = _parse_headers  # type: ignore[assignment]
    hooks.EventAliaser._alias_event_name = _aliased(hooks.EventAliaser._alias_event_name)
    parsers.JSONParser._parse_shape = _parse_shape
    auth.SigV4Auth.add_auth = _signed(auth.SigV4Auth.add_auth)
    hooks._PrefixTrie.__copy__ = _copied
    httpsession.create_urllib3_context = kept(httpsession.create_urllib3_context)


def _signed(sign: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Questions with the emulator's own credentials say who asks, and for which service, and are not signed.

    It reads no more of them; of every other caller's it checks more.
    """

    def add_auth(signer: Any, request: Any) -> None:
        if type(signer) is not auth.SigV4Auth or getattr(signer.credentials, "access_key", "") != "test":
            sign(signer, request)
            return
        request.context["timestamp"] = auth.get_current_datetime().strftime(auth.SIGV4_TIMESTAMP)
        signer._modify_request_before_signing(request)
        said = f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders=host, Signature={'0' * 64}"
        request.headers["Authorization"] = said

    return add_auth


def _copied(trie: Any) -> Any:
    """As botocore's: each client has a copy of its session's handlers of events, some four hundred nodes."""

    def copied(node: dict[str, Any]) -> dict[str, Any]:
        values, children = node["values"], node["children"]
        return {
            "chunk": node["chunk"],
            "children": {name: copied(child) for name, child in children.items()} if children else {},
            "values": values and hooks.NodeList(*map(list, values)),
        }

    found = type(trie)()
    found._root = copied(trie._root)
    return found


def _aliased(alias: Callable[[Any, str], str]) -> Callable[[Any, str], str]:
    """The names of events as all emitters know them that have botocore's own aliases; each begins with none known."""
    known: dict[str, str] = {}

    def answer(emitter: Any, name: str) -> str:
        if emitter._alias_name_cache is not known:
            if emitter._event_aliases != EVENT_ALIASES:
                return alias(emitter, name)
            emitter._alias_name_cache = known
        return known[name] if name in known else alias(emitter, name)

    return answer


def _parse_headers(fp: Any, _class: Any = http.client.HTTPMessage) -> Any:
    """As `http.client.parse_headers`: headers of one line each are taken as they are, others go to the mail parser."""
    lines = http.client._read_headers(fp)  # type: ignore[attr-defined]
    text = b"".join(lines).decode("iso-8859-1")
    found = _class()
    for line in text.split("\n")[:-1]:
        name, colon, value = line.removesuffix("\r").partition(":")
        if not name and not colon:
            break
        if not colon or not name.isascii() or not name.replace("-", "").isalnum() or "\r" in value:
            return http.client.email.parser.Parser(_class=_class).parsestr(text)  # type: ignore[attr-defined]
        found._headers.append((name, value.lstrip(" \t")))
    found.set_payload("")
    return found


def _parse_shape(parser: Any, shape: Any, value: Any) -> Any:
    """As botocore's: what a shape asks for is looked up once for all answers, and not for each value of each."""
    resolver = getattr(shape, "_shape_resolver", None)
    if resolver is None or shape.serialization:  # a shape that says how it is sent is known by more than its name
        return parsers.ResponseParser._parse_shape(parser, shape, value)
    known = _shapes(id(resolver._shape_map), resolver._shape_map)
    if shape.name not in known:
        with _LEARNING:  # what is half learnt, no other thread may meet: `later` would find itself
            learnt = dict(known)
            _learn(shape, learnt)
            known.update(learnt)
    read = known[shape.name]
    return value if read is None else read(parser, value)


_LEARNING = threading.Lock()
_SHAPES: dict[int, tuple[Any, dict[str, Read | None]]] = {}


def _shapes(number: int, model: Any) -> dict[str, Read | None]:
    """The readers of a service's model by the names of its shapes; None: a value is taken as it is."""
    return _SHAPES.setdefault(number, (model, {}))[1]  # the model is held, so that no other gets its number


def _learn(shape: Any, known: dict[str, Read | None]) -> Read | None:
    """Puts the reader of a shape, and of all that is in it, into `known`."""
    if shape.name in known:
        return known[shape.name]

    def later(parser: Any, value: Any) -> Any:  # for a shape that is in itself
        read = known[shape.name]
        return value if read is None else read(parser, value)

    known[shape.name] = later
    known[shape.name] = made = _reader(shape, known)
    return made


def _reader(shape: Any, known: dict[str, Read | None]) -> Read | None:
    kind = shape.type_name
    if kind == "structure":
        if shape.is_document_type or shape.is_tagged_union:
            return lambda parser, value: parser._handle_structure(shape, value)
        return _structure(
            {one.serialization.get("name", name): (name, _learn(one, known)) for name, one in shape.members.items()}
        )
    if kind == "list":
        return _list(_learn(shape.member, known))
    if kind == "map":
        return _map(_learn(shape.key, known), _learn(shape.value, known))
    if kind in ("timestamp", "blob"):
        return lambda parser, value: getattr(parser, f"_handle_{kind}")(shape, value)
    return None


def _structure(members: dict[str, tuple[str, Read | None]]) -> Read:
    def read(parser: Any, value: Any) -> Any:
        if value is None:
            return None
        found = {}
        for sent, one in value.items():
            if one is not None and sent in members:
                name, inner = members[sent]
                found[name] = one if inner is None else inner(parser, one)
        return found

    return read


def _list(inner: Read | None) -> Read:
    if inner is None:
        return lambda parser, value: list(value)
    return lambda parser, value: [None if one is None else inner(parser, one) for one in value]


def _map(key: Read | None, inner: Read | None) -> Read:
    assert key is None, "a key is a text"
    if inner is None:
        return lambda parser, value: dict(value)
    return lambda parser, value: {name: inner(parser, one) for name, one in value.items()}
