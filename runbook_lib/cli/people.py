"""`runbook attest`, `approve`, `note`: statements of people for the chain."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runbook_lib.base.errors import Refused, UsageError
from runbook_lib.base.redact import redact_text
from runbook_lib.cli.options import AsJson, ParamsFile, Set, person
from runbook_lib.cli.terminal import Column, agreed, asks, facts, prose, say, say_json, table

if TYPE_CHECKING:
    from runbook_lib.base.aws import Identity
    from runbook_lib.params.load import Params
    from runbook_lib.record.archive import Archive
    from runbook_lib.record.entry import Kind
    from runbook_lib.rollout.approval import Evidence
    from runbook_lib.rollout.speaking import Approver

_By = Annotated[str, typer.Option("--by", metavar="NAME", help="Name of the person.")]
_Role = Annotated[str, typer.Option("--role", help="Role of the person, as it is required.")]
_Link = Annotated[str, typer.Option("--link", metavar="URL", help="Where the evidence is: a review, a rota.")]
_Text = Annotated[str, typer.Option("--text", help="A sentence about it.")]

_RUN = re.compile(r"(?:\d{8}T[\d.]+Z-)?[0-9a-f]{6,32}")
"""A run id, its beginning, or its folder's name: no notebook's name has that form."""

_SEALED = "Sealed into the archive's chain with AWS's time and the caller's ARN; nothing in AWS is changed."


def register(app: typer.Typer) -> None:
    """Adds the commands to `app`."""
    app.command(epilog=_SEALED)(attest)
    app.command(epilog=_SEALED)(approve)
    app.command(epilog=_SEALED)(note)


def attest(
    params: ParamsFile,
    item: Annotated[str, typer.Argument(help="What is attested, such as code_review; --list shows all.")] = "",
    by: _By = "",
    role: _Role = "",
    link: _Link = "",
    text: _Text = "",
    list_: Annotated[bool, typer.Option("--list", help="Show what is required, given and missing, and stop.")] = False,
    set_: Set = None,
    json_: AsJson = False,
) -> None:
    """Attest what no command can verify: a review, a rota, a sign-off.

    The notebook that requires the item looks for it, checks role and age, and says HOLD while it is missing.

    Example: [bold]runbook attest code_review --by "Ada L." --role reviewer --link https://… -f params/prod.yaml[/bold]

    Example: [bold]runbook attest --list -f params/prod.yaml[/bold]
    """
    from runbook_lib.record.entry import same_role
    from runbook_lib.rollout.people import declared

    loaded = _load(params, set_)
    if list_:
        _list(loaded, json_)
        return
    if not item:
        raise UsageError("attest: expects an item; `runbook attest --list` shows them")
    wanted = declared(loaded.policy, item)
    if not same_role(role, wanted.role):
        raise UsageError(f"--role is '{role}': for {item} the {wanted.role} is asked (gates.yaml, attestations)")
    _enter(loaded, "attestation", item, by, wanted.role, link, text, json_)


def approve(
    what: Annotated[
        str,
        typer.Argument(
            metavar="NOTEBOOK|RUN",
            help="The phase to approve, by name or number (07); or the run that it depends on.",
        ),
    ],
    params: ParamsFile,
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who approves; default: the name in the caller's ARN.")
    ] = "",
    role: _Role = "",
    link: _Link = "",
    text: _Text = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, in a terminal.")] = False,
    set_: Set = None,
    json_: AsJson = False,
) -> None:
    """Approve a phase: sign off the newest records that it depends on, after their verdicts were shown.

    The approval holds for this environment, release and attempt, while those records are the newest. gates.yaml,
    approvals, says who may approve, how long it holds, and whether the operator may.

    Example: [bold]runbook approve 07 --by "Grace H." --role "engineering lead" -f params/prod.yaml[/bold]
    """
    from runbook_lib.record.entry import same_role
    from runbook_lib.rollout import approval, speaking

    loaded = _load(params, set_)
    found, run = loaded.policy.named(what), ""
    if not found and _RUN.fullmatch(what):
        from runbook_lib.record.archive import Archive

        found, run = [approval.approved_by_record(Archive.of(loaded), loaded, what)], what
    if len(found) != 1:
        known = ", ".join(found or loaded.policy.steps)
        raise UsageError(f"notebook '{what}': no single step has that name; there are: {known}")
    phase = loaded.policy.phases.get(found[0])
    asked = phase.approvers if phase else ()
    named = next((one for one in asked if same_role(one, role)), role)
    if named not in asked:
        by_whom = f"approved by the {' and the '.join(asked)}" if asked else "not approved by anybody"
        raise UsageError(f"--role is '{role}': {found[0]} is {by_whom} (gates.yaml, phases)")
    archive, identity = _caller(loaded)
    stands = approval.evidence(archive, loaded, found[0])
    if run:
        approval.must_be_newest(stands, run)
    who = _approver(loaded, named, identity, approval.audience(loaded, found[0], named, stands))
    name = by.strip() or ", ".join(speaking.let_in(loaded.policy.approvals, who))
    name = name or identity.arn.rpartition("/")[2].rpartition(":")[2]
    for sentence in approval.may_approve(loaded, stands, who, identity.now):
        say(f"warning: {sentence}", fg="yellow", err=True)
    if not json_:
        for one in stands:
            _shown(archive, one)
        if not yes and asks():
            if not agreed(f"Approve {found[0]} in {loaded.env} as the {named}?"):
                raise Refused(f"{found[0]} is not approved: the answer was no", nothing_changed=True)
            archive, identity = _caller(loaded)  # a person takes time: what holds is what holds now
            if approval.evidence(archive, loaded, found[0]) != stands:
                raise Refused(
                    f"{found[0]} is not approved: its records changed while the question stood; approve it again",
                    nothing_changed=True,
                )
    evidence: dict[str, Any] = {"evidence": [one.model_dump() for one in stands]}
    shown = {"review": who.review, "signed": who.token}
    evidence |= {key: each.model_dump() for key, each in shown.items() if each}
    said = {"kind": "approval", "item": found[0], "by": name, "role": named, "link": link, "text": text}
    _seal(loaded, archive, identity, {**said, "facts": evidence}, json_)


def _approver(params: Params, role: str, identity: Identity, audience: str) -> Approver:
    """Who approves. A job of CI asks who let it in, and for GitHub's signature."""
    from runbook_lib.observe.ci import job_token, reviews
    from runbook_lib.rollout.speaking import Approver

    wanted = params.policy.approvals.in_ci(role, identity.arn)
    if wanted is None:
        return Approver(role, identity.arn)
    review = reviews.asked(os.environ, wanted.environment)
    token = job_token.asked(os.environ, audience) if wanted.keys else None
    return Approver(role, identity.arn, review, token, audience, identity.now, Path(params.source))


def _shown(archive: Archive, one: Evidence) -> None:
    """Prints the verdict table of a record to be signed off."""
    from runbook_lib.cli.archive import GATES
    from runbook_lib.record.listing import show_record

    record = show_record(archive, one.run_id)
    told = {name.replace("_", " "): record[name] for name in ("decision", "reason", "as_of")}
    facts("Approval", {"signs off": one.told, **told, "hash": one.hash})
    if record.get("gates"):
        table("Gates", GATES, record["gates"])


def note(
    text: Annotated[str, typer.Argument(help="What happened, in a sentence.")],
    params: ParamsFile,
    by: _By = "",
    role: _Role = "",
    link: _Link = "",
    set_: Set = None,
    json_: AsJson = False,
) -> None:
    """Add an issue during the rollout to the chain; the acceptance report lists them.

    Example: [bold]runbook note "PagerDuty was slow for ten minutes" --by "Ada L." -f params/prod.yaml[/bold]
    """
    if not text.strip():
        raise UsageError("note: expects a text")
    loaded = _load(params, set_)
    _enter(loaded, "note", "", by, role, link, text, json_)


def _load(file: Path, pairs: list[str] | None) -> Params:
    from runbook_lib.params.load import load_file
    from runbook_lib.run.launch import overrides

    return load_file(file, overrides(pairs or []))


def _caller(params: Params) -> tuple[Archive, Identity]:
    from runbook_lib.base.aws import caller
    from runbook_lib.record.archive import Archive

    _, identity = caller(params)
    return Archive.of(params), identity


def _enter(params: Params, kind: Kind, item: str, by: str, role: str, link: str, text: str, json_: bool) -> None:
    name = (by.strip() or params.operator) if kind == "note" else person(by)
    archive, identity = _caller(params)
    said = {"kind": kind, "item": item, "by": name or identity.arn, "role": role, "link": link, "text": text}
    _seal(params, archive, identity, said, json_)


def _seal(params: Params, archive: Archive, identity: Identity, said: Mapping[str, Any], json_: bool) -> None:
    from runbook_lib.record.entry import Entry, enter

    entry = Entry.model_validate({**said, "at": identity.now.isoformat()})
    ref = enter(archive, params, entry, identity.arn)
    if json_:
        say_json({**entry.model_dump(), "env": params.env, "run": ref.run_id, "record": str(ref.folder)})
        return
    about = f" of {entry.item}" if entry.item else ""
    by = redact_text(entry.by)  # as it was sealed
    prose(f"{entry.kind}{about} by {by} is in the chain of {params.env}, release {params.release}", bold=True)
    say(f"record: {ref.folder}")


def _list(params: Params, json_: bool) -> None:
    rows, altered = _rows(params)
    if json_:
        say_json({"items": rows, "warnings": altered})
        return
    columns = (
        Column("item", "item", told=_item),
        Column("state", "state"),
        Column("role", "role", rank=1),
        Column("for", "notebook", rank=2),
        Column("what", "title", prose=True),
        Column("said", "said", prose=True),
    )
    table(f"Asked of people · {params.env} · {params.release}", columns, rows)
    for sentence in altered:
        say(f"warning: {sentence}", fg="yellow", err=True)


def _item(row: Mapping[str, Any]) -> str:
    """An approval with what it approves: there may be several."""
    return f"approval of {row['notebook']}" if row["item"] == "approval" else str(row["item"])


def _rows(params: Params) -> tuple[list[dict[str, Any]], list[str]]:
    """Every item and approval of the rollout, given or missing."""
    from runbook_lib.record.entry import book
    from runbook_lib.rollout.approval import approval_checks
    from runbook_lib.rollout.people import Asked, attestation_checks

    archive, identity = _caller(params)

    def row(item: str, role: str, notebook: str, check: Any) -> dict[str, Any]:
        return {
            "item": item,
            "title": check.title,
            "role": role,
            "notebook": notebook,
            "state": "given" if check.ok else "missing",
            "said": check.reason if check.ok else "" if check.found == "nobody" else check.reason,
        }

    items = params.policy.attestations
    checks = attestation_checks(Asked("", params, archive, identity.now), [item.id for item in items])
    rows = [row(item.id, item.role, ", ".join(item.notebooks), one) for item, one in zip(items, checks, strict=True)]
    for name, phase in params.policy.phases.items():
        for role in phase.approvers:
            asked = Asked(name, params, archive, identity.now)
            rows.append(row("approval", role, name, approval_checks(asked, [role])[0]))
    return rows, list(book(archive, None, params.release).altered)
