"""Options that many commands have, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def placed(value: Path | None) -> Path | None:
    """The file that is meant: a bare environment, such as `prod`, is `params/prod.yaml` of the project.

    Raises:
        UsageError: only an environment is given, and there is no project here.
    """
    if value is None or value.suffix or len(value.parts) > 1 or value.exists():
        return value
    file = Path("params") / f"{value}.yaml"
    if file.parent.is_dir():
        return file
    from runbook_lib.params.load import params_dir

    return params_dir() / file.name


ParamsFile = Annotated[
    Path,
    typer.Option(
        "--params", "-f", "--env", metavar="FILE|ENV", callback=placed,
        help="Flat parameter file, such as params/prod.yaml; or only its environment, such as prod.",
    ),
]  # fmt: skip
Set = Annotated[list[str] | None, typer.Option("--set", metavar="K=V", help="Override one parameter; may be repeated.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]
Apply = Annotated[bool, typer.Option("--apply", help="Do it. Also needs --confirm.")]
Confirm = Annotated[str, typer.Option(help="Repeat the environment's name.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
