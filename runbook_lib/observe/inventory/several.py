"""The inventory of a service with several workers: each has a function, an event source, a queue and a dead-letter
queue, and what must hold of the first worker's must hold of the others'.
"""

from __future__ import annotations

import re
from typing import Any

from runbook_lib.observe.inventory.rules import Inventory, Resource
from runbook_lib.params.crew import KEYS, Post
from runbook_lib.params.load import Params

_FIELD = re.compile(r"\{(workers|name\.(?:worker|queue|dlq))\}")


def of_all(params: Params) -> Inventory:
    """`params/inventory.yaml`, with each resource of the first worker said of every other one too.

    Raises:
        UsageError: it is missing or wrong; the sentence names key and value.
    """
    known = params.nested("inventory", Inventory)
    if not params.service.more_workers:
        return known
    resources: dict[str, Resource] = {}
    for id, resource in known.resources.items():
        resources[id] = resource
        if resource.name in KEYS.values():
            for post in params.service.crew[1:]:
                resources.setdefault(post.id(id), _of(resource, post))
    return known.model_copy(update={"resources": resources})


def _of(resource: Resource, post: Post) -> Resource:
    """A resource of the first worker as that of another. What the team's code calls it nobody knows: a diff that speaks
    of it is found by its name.
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
