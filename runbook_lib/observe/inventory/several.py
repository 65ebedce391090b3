"""The inventory of a service with several workers: each has a function, an event source, a queue and a dead-letter
queue, and what must hold of the first worker's must hold of the others'. A service without a status route has nothing
of one, and the table's attributes are called as the contract says.
"""

from __future__ import annotations

import re
from typing import Any

from runbook_lib.observe.inventory.rules import Inventory, Resource, Setting
from runbook_lib.params.contract_inside import Table
from runbook_lib.params.load import Params
from runbook_lib.params.posts import KEYS, Post

_OF_THE_TABLE = re.compile(r"\{table\.(\w+)\}")
"""A name of `contract.table` in a rule."""
_FIELD = re.compile(r"\{(workers|name\.(?:worker|queue|dlq))\}")


def of_all(params: Params) -> Inventory:
    """`params/inventory.yaml`, with each resource of the first worker said of every other one too, and without a
    status route that the API has not and flags where the weight has another home.

    Raises:
        UsageError: it is missing or wrong; the sentence names key and value.
    """
    known = params.nested("inventory", Inventory)
    service, resources = params.service, dict[str, Resource]()
    for id, written in known.resources.items():
        if written.route == "status" and not service.api.routes.status:
            continue
        if written.kind == "flags" and service.traffic.kind != "appconfig":
            continue
        if written.name == "status" and not params.named("status"):
            continue
        resource = resources[id] = _named(written, service.contract.table)
        if written.route and not written.method:
            resource = resources[id] = resource.model_copy(update={"method": service.methods[written.route]})
        if resource.name in KEYS.values():
            for post in service.crew[1:]:
                resources.setdefault(post.id(id), _of(resource, post))
    return known.model_copy(update={"resources": resources})


def _named(resource: Resource, table: Table) -> Resource:
    """The resource with the table's attributes as the contract names them, without the rules about one that it has not.

    An index finds repetitions, so nothing of it is asked where there is no key of one.
    """
    settings = dict[str, Setting]()
    for name, setting in resource.settings.items():
        if resource.kind == "table" and name.startswith("index") and not table.idempotency_key:
            continue
        said = setting.model_dump(exclude_unset=True)
        if not _OF_THE_TABLE.search(str(said)):
            settings[name] = setting
        elif (filled := _attributes(said, table)) is not None:
            settings[name] = Setting.model_validate(filled)
    return resource.model_copy(update={"settings": settings})


def _attributes(value: Any, table: Table) -> Any:
    """Values with the fields of the table filled in; None: one of them is about an attribute that the table has not."""
    if isinstance(value, str):
        names = {found: str(getattr(table, found, f"{{table.{found}}}")) for found in _OF_THE_TABLE.findall(value)}
        return _OF_THE_TABLE.sub(lambda found: names[found[1]], value) if all(names.values()) else None
    if isinstance(value, list | tuple) and value:
        return tuple(one for each in value if (one := _attributes(each, table)) is not None) or None
    if isinstance(value, dict):
        found = {key: _attributes(one, table) for key, one in value.items()}
        return None if any(one is None and value[key] is not None for key, one in found.items()) else found
    return value


def _of(resource: Resource, post: Post) -> Resource:
    """The resource of another worker, from that of the first. Its name in the team's code is unknown, so a diff's
    resource is recognised by its physical name.
    """
    said: dict[str, Any] = _texts(resource.model_dump(exclude_unset=True), post)
    title = f"{resource.title} ({post.place})"
    return Resource.model_validate(said | {"name": post.key(resource.name), "title": title, "logical": ""})


def _texts(value: Any, post: Post) -> Any:
    if isinstance(value, str):
        return _FIELD.sub(lambda found: f"{{{found[1]}{post.suffix}}}", value)
    if isinstance(value, dict):
        return {key: _texts(one, post) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_texts(one, post) for one in value)
    return value
