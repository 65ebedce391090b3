"""The inventory of a service with several workers: each has a function, an event source, a queue and a dead-letter
queue, and what must hold of the first worker's must hold of the others'. A service without a status route has nothing
of one.
"""

from __future__ import annotations

import re
from typing import Any

from runbook_lib.observe.inventory.rules import Inventory, Resource
from runbook_lib.params.crew import KEYS, Post
from runbook_lib.params.load import Params

_FIELD = re.compile(r"\{(workers|name\.(?:worker|queue|dlq))\}")


def of_all(params: Params) -> Inventory:
    """`params/inventory.yaml`, with each resource of the first worker said of every other one too, and without a
    status route that the API has not.

    Raises:
        UsageError: it is missing or wrong; the sentence names key and value.
    """
    known = params.nested("inventory", Inventory)
    service, resources = params.service, dict[str, Resource]()
    for id, resource in known.resources.items():
        if resource.route == "status" and not service.api.routes.status:
            continue
        if resource.name == "status" and not params.named("status"):
            continue
        resources[id] = resource
        if resource.name in KEYS.values():
            for post in service.crew[1:]:
                resources.setdefault(post.id(id), _of(resource, post))
    return known.model_copy(update={"resources": resources})


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
