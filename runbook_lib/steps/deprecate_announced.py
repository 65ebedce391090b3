"""The announcement that the synchronous code is gone."""

from __future__ import annotations

from runbook_lib.base.foreign import markdown
from runbook_lib.base.window import when
from runbook_lib.judge.gates.checks import Check
from runbook_lib.record.record import Record
from runbook_lib.run.run import Run


def announcement(records: list[Record], run: Run, *, removed: bool, archived: Check | None) -> str:
    """The announcement of completion as Markdown.

    Args:
        records: the release's, newest first; for each notebook and environment the newest applied PROMOTE counts.
        removed: whether the synchronous Lambda is gone; if not, the text is a draft.
        archived: the check `sync.archived`, which says where the old handler is kept.
    """
    steps, params = run.params.policy.steps, run.params
    noun = params.service.noun
    passed: dict[tuple[str, str], Record] = {}
    for one in records:
        if one.decision == "PROMOTE" and one.mode == "apply" and one.notebook in steps:
            passed.setdefault((one.notebook, one.env), one)
    order, where = list(steps), markdown(params.env)
    lines = [
        f"# {'' if removed else 'DRAFT: '}{noun[0].upper()}{noun[1:]} generation is asynchronous in {where}",
        "",
        f"Release {markdown(params.release)}. "
        + (
            "The synchronous code is archived and removed."
            if removed
            else "The synchronous Lambda is still there; this text is final once it is removed."
        ),
        "",
        f"- Clients post to `{params.service.api.routes.sync}`, get 202 with a job id, and poll "
        f"`{params.service.api.routes.status}`.",
        f"- {NO_WAY_BACK}",
    ]
    if archived is not None and archived.ok:
        lines.append(f"- The old handler: {markdown(archived.reason)}.")
    lines += ["", "| Step | Where | Passed | Success rate | Record |", "|---|---|---|---|---|"]
    for (notebook, env), one in sorted(passed.items(), key=lambda item: (order.index(item[0][0]), item[0][1])):
        step = f"{markdown(steps[notebook].title)} | {markdown(env)}"
        lines.append(f"| {step} | {when(one.as_of)} | {_success(one)} | {one.run_id} |")
    if not passed:
        lines.append("| no applied PROMOTE is on record | – | – | – | – |")
    return "\n".join(lines) + "\n"


def _success(record: Record) -> str:
    for result in record.gates:
        gate = result.get("gate") or {}
        if gate.get("id") == "success_rate" and result.get("value") is not None:
            return f"{100 * float(result['value']):.2f} % (n = {result.get('n') or 0:,})"
    return "–"


NO_WAY_BACK = (
    "After this there is no way back to the synchronous endpoint but the archived function deployed again; "
    "from then on a failure is mended forward."
)
