"""A project's own environments: named on the command line, or in the folder's gates.yaml, in place of the delivered
three.

The first environment of each kind replaces the delivered one of that kind; a further one has the same steps.
Without one of development or staging, the other replaces it: one environment before production is enough.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from runbook_lib.base.errors import UsageError
from runbook_lib.base.project import ENVIRONMENT, read_yaml
from runbook_lib.params.phases import ENVIRONMENTS, HERE, EnvironmentKind, stand_in

KINDS: tuple[EnvironmentKind, ...] = get_args(EnvironmentKind)
_DELIVERED = "|".join(ENVIRONMENTS)
_OF_ONE = "infra_diff_reviewed|low_traffic_window"
"""Attestations about one environment of production: with several, each needs its own."""


def of_flags(given: Sequence[str]) -> dict[str, EnvironmentKind]:
    """The environments of `--environment NAME=KIND` options; empty without any.

    Raises:
        UsageError: the first one that cannot be understood, or none is production.
    """
    found: dict[str, EnvironmentKind] = {}
    for pair in given:
        name, _, said = pair.partition("=")
        kind = next((one for one in KINDS if one == said), None)
        if not re.fullmatch(ENVIRONMENT, name) or kind is None:
            meant = next((one for one in KINDS if said and one.startswith(said)), "")
            small = name.lower() if re.fullmatch(ENVIRONMENT, name.lower()) else ""
            raise UsageError(
                f"--environment {pair}: expects NAME=KIND, a name in small letters, digits and dashes, and one of "
                f"{', '.join(KINDS)}" + (f"; did you mean {small}={meant}?" if meant and small else "")
            )
        if name in found:
            raise UsageError(f"--environment {pair}: '{name}' is said twice; say it once")
        found[name] = kind
    if found and "production" not in found.values():
        raise UsageError("--environment: none is production; say which one has users, such as prod-eu=production")
    return found


def of_folder(root: Path) -> dict[str, EnvironmentKind]:
    """Environments of an existing project; empty: there is none, or its gates.yaml cannot be read."""
    try:
        said = read_yaml(root / "params" / "gates.yaml").get("environments")
    except UsageError:
        return {}
    if not isinstance(said, Mapping) or "production" not in said.values():
        return {}
    return {name: kind for name, kind in said.items() if isinstance(name, str) and kind in KINDS}


def every(environments: Mapping[str, EnvironmentKind]) -> dict[str, list[str]]:
    """Each delivered environment to the project's that have its steps: all of its kind, else the one in its place."""
    return {
        delivered: [name for name, kind in environments.items() if kind == ENVIRONMENTS[delivered]] or [first]
        for delivered, first in stand_in(environments).items()
    }


def _each_its_own(text: str, several: Mapping[str, list[str]]) -> str:
    """The steps of an environment of which there are several: each has a rollout of its own (`@{env}`)."""

    def own(found: re.Match[str]) -> str:
        one = rf"(\w+)@{found[1]}\b"
        return re.sub(one, rf'"\1@{HERE}"', found[0]) if len(several[found[1]]) > 1 else found[0]

    if len(several["prod"]) > 1:
        item = rf"(?m)^(  - id: (?:{_OF_ONE})\n(?:    (?:title|role): .*\n)+)"
        text = re.sub(item, r"\1    env: same\n", text)
    text = re.sub(rf"(?m)^    envs: \[({_DELIVERED})\]\n(?:    requires\w*: .*\n)*", own, text)
    return re.sub(rf"(?m)^    after: \w+@({_DELIVERED})$", own, text)


def renamed(path: str, text: str, environments: Mapping[str, EnvironmentKind]) -> str:
    """A delivered file with the delivered environments replaced by the project's.

    Args:
        path: path of the file in the project.
    """
    if dict(environments) == dict(ENVIRONMENTS):
        return text
    names = stand_in(environments)
    listed, together = list(environments), every(environments)
    spoken = f"{', '.join(listed[:-1])} or {listed[-1]}" if len(listed) > 1 else listed[0]

    def several(found: re.Match[str]) -> str:
        mine = dict.fromkeys(name for one in re.split(r",\s*", found[2]) for name in together[one])
        return f"{found[1]}[{', '.join(mine)}]"

    text = text.replace("dev, staging or prod", spoken).replace("(dev, staging, prod)", f"({', '.join(listed)})")
    text = text.replace("options: [dev, staging, prod]", f"options: [{', '.join(listed)}]")
    ids = ", ".join(f"{name}: a{place}b2c3" for place, name in enumerate(listed, 1))
    text = re.sub(rf"\{{(?:{_DELIVERED}): [a-z0-9]{{6}}, [^}}]*\}}", f"{{{ids}}}", text)
    text = _each_its_own(text, together) if path.endswith("gates.yaml") else text
    requirement = path.endswith("requirement.yaml")
    if requirement and len(together["prod"]) > 1:  # 11 in each of them asks for that one's own records
        text = re.sub(r"(?<=[\[ ])(\w+)@prod( [^,\]\n]+)(?=[,\]])", rf'"\1@{HERE}\2"', text)
        text = re.sub(r"\b(\w+)@prod\b", rf"\1@{HERE}", text)
    if requirement and names["dev"] == names["staging"]:  # 02 has deployed there already, and 05 finds nothing to do
        text = text.replace("05_staging@staging infra.deploy", "02_deploy_dev@staging infra.deploy")
    text = re.sub(rf"(?<=[a-z0-9_]@)({_DELIVERED})\b", lambda found: names[found[1]], text)
    text = re.sub(rf"(\benvs: )\[((?:{_DELIVERED})(?:, (?:{_DELIVERED}))*)\]", several, text)
    if not requirement:  # whose lines are the requirement's own words
        text = re.sub(rf"\b(on|to) ({_DELIVERED})\b", lambda found: f"{found[1]} {names[found[2]]}", text)
    text = re.sub(rf"\bparams/({_DELIVERED})\.yaml", lambda found: f"params/{names[found[1]]}.yaml", text)
    text = re.sub(rf'(?<=env = \\")({_DELIVERED})(?=\\")', lambda found: names[found[1]], text)
    if path.endswith("gates.yaml"):
        said = ", ".join(f"{name}: {kind}" for name, kind in environments.items())
        text = re.sub(r"(?m)^environments: \{[^}]*\}", f"environments: {{{said}}}", text)
    return text
