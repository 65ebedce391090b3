"""Fills a service's own words and values into the delivered parameter files; comments and order stay.

The delivered files are the example: complete, commented, tested. Another service gets the same text with
other names (`WORDS`, in this order) and with single values replaced (`put`).
"""

from __future__ import annotations

import json
import re

import yaml

from runbook_lib.base.errors import UsageError
from runbook_lib.commands.init.answers import NO_ACCOUNT, NO_ROUTE, ROUTES, Answers, ByEnvironment, Said
from runbook_lib.commands.init.tools import delivered
from runbook_lib.params.posts import KEYS

WORDS: tuple[tuple[str, str], ...] = (
    (r"careervp-\{env\}-vpr-results-use1-", "{service}-{{env}}-results-"),
    (r" \(from its specification, 07-vpr-async-architecture\)", ""),
    (r"careervp-feature-type-env", "{service}-feature-type-env"),
    (r"careervp-core-api", "{service}-api"),
    (r"careervp-vpr-", "{service}-"),
    (r"VPR-Async-Monitoring", "{service}-monitoring"),
    (r"\(\(?careervp\|vpr\)\?", "({plain})?"),
    (r"\(vpr\)\?", "({plain})?"),
    (r'"vpr(?=submit|worker|status|generator)', '"({plain})?'),
    (r"careervp_kpi", "{snake}_kpi"),
    (r"--cov=careervp\b", "--cov=."),
    (r"\bcareervp/", "."),
    (r"\bcareervp\b", "{service}"),
    (r"\bvpr_step\b", "step"),
    (r"\bvpr_handler\b", "handler"),
    (r"\bvpr_async\b", "async"),
    (r"-vpr-async\b", "-{service}-async"),
    (r"\bvpr-async-(?=dial|switch)", "{service}-async-"),
    (r"\n    [a-z_]+: \{metric: VPR\w+\},", ""),
    (r"\bVPR(?=[A-Z][A-Za-z]+)", ""),
    (r"\bVPR generation\b", "Generation"),
    (r"\bVPRs\b", "jobs"),
    (r"\bVPR\b", "job"),
)
"""The example's words and their replacements: `{service}`, `{plain}` without dashes, `{snake}` with underscores."""


OWN_CODE = "python -m runbook_lib.rehearse.sandbox.iac handlers --env {env}   # a rehearsal: yours are in commands.yaml"
"""What a rehearsal runs in the place of the runbook's own tests, which only its checkout has."""


def rewritten(name: str, text: str, answers: Answers) -> str:
    """A delivered parameter file for this service.

    Args:
        name: name of the file in `params/`.
    """
    text = _routed(text, answers)
    service = answers.service
    given = {"service": service, "plain": service.replace("-", ""), "snake": service.replace("-", "_")}
    for pattern, words in WORDS:
        text = re.sub(pattern, words.format(**given).replace("\\", r"\\"), text)
    stem = name.removesuffix(".yaml")
    if stem == "service":
        return _service(text, answers)
    if stem == "gates":
        return _alarms(text, answers)
    if stem == "inventory":
        return _inventory(text, answers)
    if stem == "commands":
        return _commands(text, answers)
    if stem == "rehearsal-commands":
        return re.sub(r"(?m)^(    run: )python -m (?:pytest|ruff|mypy) .*$", rf"\1{OWN_CODE}", text)
    return text


def _routed(text: str, answers: Answers) -> str:
    """The example's paths, which titles and remarks name, replaced by the service's."""
    guessed = {key: template.replace("{service}", answers.service) for key, template in ROUTES.items()}
    said = {key: one.value for key, one in answers.routes.items() if one.value != NO_ROUTE}
    paths = {**guessed, **said}
    own = {"-async": paths["submit"], "/status": paths["status"], "": paths["sync"]}
    return re.sub(r"/api/vpr(-async|/status|)(?:/\{job_id\})?(?![\w-])", lambda found: own[found[1]], text)


def environment(env: str, text: str, answers: Answers) -> str:
    """The flat file of an environment, made from that of the delivered one that it replaces."""
    text = put(text, ("env",), env)
    account = answers.accounts.get(env)
    text = put(text, ("account_id",), account.value if account else NO_ACCOUNT)
    text = put(text, ("region",), answers.region_of(env))
    return put(text, ("release",), answers.release or f"{answers.service}-async-1")


def _service(text: str, answers: Answers) -> str:
    text = _workers(text, answers)
    listed = [key for post in answers.crew for key in post.keys] if len(answers.crew) > 1 else []
    for key, said in answers.names.items():
        if key not in listed:
            text = put(text, ("names", key), said.value, _remark(said))
    for key, said in answers.routes.items():
        text = put(text, ("api", "routes", key), said.value, _remark(said))
    if answers.tells_no_status:  # the table says it, and the bucket has the result
        text = re.sub(r"(?m)^(?:  status: \S+-status-\S+|    status: none)(?:\s+#.*)?\n", "", text)
        text = put(text, ("contract", "status", "told_by"), "table")
        text = put(text, ("contract", "result", "fetched"), "bucket")
    for key, said in answers.table.items():
        text = put(text, ("contract", "table", key), said.value, _remark(said))
    for key, said in answers.traffic.items():
        text = put(text, ("traffic", key), said.value, said.source)
    text = put(text, ("api", "kind"), answers.kind.value)
    return put(text, ("api", "stage"), answers.stage.value)


def _workers(text: str, answers: Answers) -> str:
    """The only worker's number of jobs at a time; of several the list, in the place of that number and of the names."""
    remarks = {key: f"   # {_remark(said)}" if _remark(said) else "" for key, said in answers.concurrency.items()}
    if len(answers.crew) == 1:
        count = answers.concurrency["worker"].value
        return re.sub(r"(?m)^workers: .*$", f"workers: {count}{remarks['worker']}", text)
    block = ["workers:                       # each a function with a queue and a dead-letter queue of its own"]
    for post in answers.crew:
        for key, of_first in KEYS.items():
            said = answers.names[post.key(of_first)]
            begin, end = "  - " if key == "function" else "    ", f"   # {_remark(said)}"
            block.append(f"{begin}{key}: {_scalar(said.value)}{end if _remark(said) else ''}")
        block.append(f"    concurrency: {answers.concurrency[post.worker].value}{remarks[post.worker]}")
    for key in KEYS.values():
        text = re.sub(rf"(?m)^  {key}: .*\n", "", text, count=1)
    return re.sub(r"(?m)^workers: .*$", lambda _: "\n".join(block), text)


def _remark(said: Said) -> str:
    """The remark on a value that nobody has said."""
    return "" if said.source == "said" else said.source


def _alarms(text: str, answers: Answers) -> str:
    """The name of each of the team's alarms, with a remark where it is guessed."""
    for id, said in answers.alarms.items():
        line = f"{_scalar(said.value)}   # {said.source}"
        text = re.sub(rf"(?m)^(  - id: {id}\n    name: ).*$", lambda found, line=line: found[1] + line, text)  # type: ignore[misc]
    return text


def _inventory(text: str, answers: Answers) -> str:
    """The inventory for this service: found or said names need not follow the example's rule, so any name is right."""
    own = [key for key, said in answers.names.items() if said.source != "guessed"]
    bucket = answers.names["bucket_prefix"].value
    text = put(
        text,
        ("naming", "own", "AWS::S3::Bucket"),
        re.escape(bucket).replace(r"\{env\}", "{env}").replace("\\-", "-") + "[a-z0-9.-]*",
    )
    if not own:  # a guessed name is short: orders-api-{env} has no word for a feature
        return text.replace(f"{answers.service}-[a-z0-9]+(-[a-z0-9]+)*-", f"{answers.service}(-[a-z0-9]+)*-")
    return put(text, ("naming", "rule"), "[A-Za-z0-9._-]+", "any name: yours were here before the rule")


def _commands(text: str, answers: Answers) -> str:
    """The commands of the chosen tool: they replace the section from `diff` to the key behind `deploy`."""
    told = delivered()[answers.tool].replace("{service}", answers.service)
    return re.sub(r"(?ms)^diff:.*?^deploy:.*?(?=^\w|\Z)", lambda _: told, text) if told else text


def put(text: str, path: tuple[str, ...], value: str, remark: str = "") -> str:
    """The text with one value replaced; the line's comment stays, with the remark added to it.

    A missing key is added below its parent.

    Raises:
        UsageError: the parent is missing.
    """
    lines = text.split("\n")
    start, end = 0, len(lines)
    for depth, key in enumerate(path):
        pattern = re.compile(rf"""^{"  " * depth}{re.escape(key)}:(?=\s|$)""")
        found = next((place for place in range(start, end) if pattern.match(lines[place])), None)
        last = depth == len(path) - 1
        if found is None and last and depth:
            lines.insert(start, f"{'  ' * depth}{key}: {_scalar(value)}{f'   # {remark}' if remark else ''}")
            return "\n".join(lines)
        if found is None:
            raise UsageError(f"the delivered parameters have no {'.'.join(path[: depth + 1])}; reinstall the runbook")
        if last:
            lines[found] = _line(lines[found], f"{'  ' * depth}{key}", value, remark)
            return "\n".join(lines)
        start = found + 1
        inner = "  " * (depth + 1)
        end = next((n for n in range(start, end) if lines[n].strip() and not lines[n].startswith((inner, "#"))), end)
    return text


def _line(line: str, key: str, value: str, remark: str) -> str:
    comment = re.search(r"\s+#.*$", line)
    if not remark and line.removesuffix(comment[0] if comment else "") == f"{key}: {_scalar(value)}":
        return line
    said = comment[0].strip().removeprefix("#").strip() if comment else ""
    words = "; ".join(filter(None, (remark, said)))
    return f"{key}: {_scalar(value)}" + (f"   # {words}" if words else "")


def _scalar(value: str) -> str:
    """A text as a YAML scalar: without quotes if YAML reads it as text anyway."""
    plain = re.fullmatch(r"[A-Za-z/][A-Za-z0-9_./{}-]*", value) and yaml.safe_load(value) == value
    return value if plain or isinstance(value, ByEnvironment) else json.dumps(value)
