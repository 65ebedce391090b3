"""The doctor's checks in order, as declarations, and the function that runs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runbook_lib.base.errors import Exit
from runbook_lib.commands.doctor import account, allowed, machine, service
from runbook_lib.commands.doctor.mends import NETWORK, SIGN_IN
from runbook_lib.commands.doctor.model import Findings, Found, Ground, Probe, examined
from runbook_lib.params.permissions import Role

_FOLDER = "cd into the project's folder, or in an empty one: runbook init --service NAME --offline"
_FILE = "edit the file that the sentence names; `runbook params check` reads all of them"
_AGAIN = "runbook policies --params {params} --write iam/{roles}   (attach iam/{roles}/read-only.json)"
_READY = ("account",)
PROBES = (
    Probe("python", "Python", machine.python, machine.REINSTALL, Exit.USAGE),
    Probe("packages", "Packages", machine.packages, machine.REINSTALL, Exit.USAGE),
    Probe("kernel", "Jupyter kernel", machine.kernel, machine.REINSTALL, Exit.USAGE),
    Probe("project", "Project's folder", machine.project, _FOLDER, Exit.USAGE),
    Probe("params", "Parameters", machine.params, _FILE, Exit.USAGE),
    Probe("prices", "Prices", machine.prices, _FILE, Exit.USAGE, ("params",)),
    Probe("notebooks", "Notebooks", machine.notebooks, _FOLDER, Exit.USAGE, ("project", "params")),
    Probe("commands", "The team's commands", machine.commands, _FILE, Exit.USAGE, ("params",)),
    Probe("archive", "Archive", machine.archive, _FILE, Exit.USAGE, ("params",)),
    Probe("region", "Region", account.region, _FILE, Exit.USAGE, ("params",)),
    Probe("endpoint", "AWS answers", account.endpoint, NETWORK, Exit.ERROR, ("region",)),
    Probe("clock", "Clock", account.clock, NETWORK, Exit.ERROR, ("endpoint",)),
    Probe("credentials", "Who asks", account.credentials, SIGN_IN, Exit.ERROR, ("endpoint",)),
    Probe("account", "Account", account.account, SIGN_IN, Exit.USAGE, ("credentials",)),
    Probe("permissions", "Permissions", allowed.permitted, _AGAIN, Exit.ERROR, _READY),
    Probe("flags", "Traffic flags", service.flags, _AGAIN, Exit.HOLD, _READY),
    Probe("resources", "Resources", service.resources, _AGAIN, Exit.HOLD, _READY),
    Probe("sinks", "Who is told", service.sinks, _AGAIN, Exit.HOLD, _READY),
    Probe("headers", "Secret headers", service.headers, _AGAIN, Exit.HOLD, _READY),
    Probe("keeping", "Signatures", service.keeping, _AGAIN, Exit.HOLD, ("params",)),
)


def doctor(file: Path, values: Mapping[str, Any], role: Role, kept: Findings) -> Iterator[Found]:
    """Runs every check, yields each line as it is found, and keeps all in `kept`. Changes nothing, here or in AWS."""
    return examined(PROBES, Ground(file.absolute(), dict(values), role), kept)
