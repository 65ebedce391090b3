"""The sandbox's infrastructure tool, as a command of its own in place of the team's `cdk`.

    python -m runbook_lib.rehearse.sandbox.iac diff   --env prod --step migrate --fail
    python -m runbook_lib.rehearse.sandbox.iac deploy --env prod --step migrate --guards ARN,ARN
    python -m runbook_lib.rehearse.sandbox.iac verify --env prod [--step migrate]
    python -m runbook_lib.rehearse.sandbox.iac naming --env prod
    python -m runbook_lib.rehearse.sandbox.iac smoke  --env prod [--routes sync]

The endpoint is AWS_ENDPOINT_URL's. Exit status: 0, 1 for differences (with --fail) and violations, 2 for errors.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from runbook_lib.base.errors import RunbookError, UsageError
from runbook_lib.base.once import Once
from runbook_lib.base.project import environments, params_dir
from runbook_lib.observe.api_address import address
from runbook_lib.observe.inventory.inspect import rules
from runbook_lib.observe.jobs.behind import Behind
from runbook_lib.observe.references import with_secrets
from runbook_lib.params.alarms import alarm_name
from runbook_lib.params.load import Params
from runbook_lib.rehearse.play.stage import params_of
from runbook_lib.rehearse.sandbox import deploy as sandbox
from runbook_lib.rehearse.sandbox import template
from runbook_lib.rehearse.sandbox.cdk_text import differences, resolved

_WATCHED = ("migrate", "remove_temporary")
"""Steps whose update the guards watch, because AppConfig guards nothing any more (docs/domain.md, trap 18)."""
_NAMED = re.compile(r"(?:Function|Queue|Table|Bucket|Topic|Role|Alarm|Dashboard)?Name")


class Remote:
    """The embedded AWS as seen by another process: through its endpoint."""

    def __init__(self) -> None:
        self.endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        if not re.match(r"http://(127\.0\.0\.1|localhost)[:/]", self.endpoint):
            raise UsageError(f"AWS_ENDPOINT_URL is '{self.endpoint}': this tool deploys to an embedded AWS only")
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The boto3 client of a service."""
        import boto3

        if service not in self._clients:
            self._clients[service] = boto3.client(service)
        return self._clients[service]


def deployed(aws: Remote, params: Params) -> dict[str, Any]:
    """Resources of the deployed stack by logical id; empty if there is none."""
    cloudformation = aws.client("cloudformation")
    try:
        body = cloudformation.get_template(StackName=params.name("stack"))["TemplateBody"]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return {}
        raise
    found: dict[str, Any] = (json.loads(body) if isinstance(body, str) else body)["Resources"]
    return found


def diff(aws: Remote, params: Params, step: str) -> list[str]:
    """The changes that deploying `step` would make, as in `cdk diff`."""
    wanted = json.loads(json.dumps(sandbox.embedded_template(params, step)))
    defaults = {name: str(one.get("Default", "")) for name, one in wanted["Parameters"].items()}
    lines = list(differences(deployed(aws, params), wanted["Resources"], {**template.defaults(params), **defaults}))
    return [*lines, *_made_apart(aws, params)] if step != "baseline" else lines


def _made_apart(aws: Remote, params: Params) -> list[str]:
    """Missing alarms of the stack among those that `sandbox.deploy` makes through the API."""
    wanted = {alarm_name(one, params): one for one in params.policy.alarms if one.owner == "stack" and not one.metric}
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=list(wanted)) if wanted else {"MetricAlarms": []}
    there = {one["AlarmName"] for one in found["MetricAlarms"]}
    missing = [(name, one) for name, one in wanted.items() if name not in there]
    return [f"[+] AWS::CloudWatch::Alarm {name} {template.alarm_id(one.id)}" for name, one in missing]


def violations(params: Params) -> list[str]:
    """Names in the template that break the naming rule of `params/inventory.yaml`."""
    naming, built = rules(params).naming, template.build(params)
    defaults = {name: str(one.get("Default", "")) for name, one in built["Parameters"].items()}
    found = []
    for id, resource in built["Resources"].items():
        for key, value in resource.get("Properties", {}).items():
            if not _NAMED.fullmatch(key):
                continue
            name = resolved(value, defaults)
            if name and not naming.fits(resource["Type"], name, params.env):
                found.append(f"{id}: {key} is '{name}'")
    return found


def _deploy(aws: Remote, params: Params, step: str, guards: Sequence[str]) -> int:
    lines = diff(aws, params, step)
    # CloudFormation refuses an update with a missing trigger: before 04 makes the guards there are none.
    guards = guards if step in _WATCHED else ()
    print(f"{params.name('stack')}: deploying step {step}")
    if guards:
        print(f"rollback triggers, for {sandbox.MONITORING_MIN} min: {', '.join(guards)}")
    begun = time.monotonic()
    sandbox.deploy(aws, params, step, guards)
    for line in lines:
        if line.startswith("["):
            print(f"{line}  COMPLETE")
    changed = sum(line.startswith("[") for line in lines)
    print(f"✔ {params.name('stack')}: {changed} resources changed in {time.monotonic() - begun:.1f} s")
    return 0


def _verify(aws: Remote, params: Params, wanted: str | None) -> int:
    """Checks that the stack is complete and at the wanted step (without one, at any known step); the exit status."""
    stacks = aws.client("cloudformation").describe_stacks(StackName=params.name("stack"))["Stacks"]
    status = stacks[0]["StackStatus"]
    step = next((step for step in template.STEPS if not diff(aws, params, step)), None)
    told = f"at step {step}" if step else "at no known step: its template is another"
    print(f"{params.name('stack')}: {status}, {told}" + (f", expects {wanted}" if wanted else ""))
    whole = status.endswith("_COMPLETE") and "ROLLBACK" not in status
    return 0 if whole and step and wanted in (None, step) else 1


def _smoke(aws: Remote, params: Params, routes: str) -> int:
    from runbook_lib.act.requests.smoke import smoke, sync_answer

    stack = aws.client("cloudformation").describe_stacks(StackName=params.name("stack"))["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    url = address(params, aws.endpoint, outputs["ApiId"])
    contract = with_secrets(params.service.contract, aws, params.env)
    if routes == "sync":
        step = sync_answer(url, params.service.api.routes.sync, "suite", contract)
        print(f"{contract.sync.method} {params.service.api.routes.sync}: {step.detail}")
        return 0 if step.ok else 1
    steps = smoke(
        url,
        probe_id="suite",
        routes=params.service.api.routes,
        contract=contract,
        behind=Behind(aws, params),
    )
    for step in steps:
        print(f"{'PASSED' if step.ok else 'FAILED'}  {step.name}: {step.detail} ({step.seconds:.2f} s)")
    failed = sum(not step.ok for step in steps)
    print(f"{len(steps) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _handlers() -> int:
    """The sandbox's own handlers can be compiled: what there is of code where a project has none beside it."""
    files = sorted((Path(__file__).parent / "handlers").glob("*.py"))
    for file in files:
        compile(file.read_text("utf-8"), file.name, "exec")
    print(f"{len(files)} handlers of the sandbox can be compiled; the project's own code is not looked at here")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="iac", description="The sandbox's infrastructure, as code.")
    parser.add_argument("what", choices=("diff", "deploy", "verify", "naming", "smoke", "handlers"))
    parser.add_argument("--env", action=Once, required=True, choices=environments(params_dir()))
    parser.add_argument("--step", action=Once, choices=template.STEPS, help="default: async; of `verify`: any")
    parser.add_argument("--fail", action="store_true", help="exit with 1 if there are differences")
    parser.add_argument(
        "--guards", action=Once, default="", help="of `deploy`: ARNs of alarms that take the update back"
    )
    parser.add_argument("--routes", action=Once, default="all", choices=("all", "sync"))
    given = parser.parse_args(arguments)
    params = params_of(given.env, "rehearsal")
    if given.what == "naming":
        found = violations(params)
        print("\n".join(found) or f"every name follows {rules(params).naming.told}")
        return 1 if found else 0
    if given.what == "handlers":
        return _handlers()
    aws = Remote()
    match given.what:
        case "diff":
            lines = diff(aws, params, given.step or "async")
            print(f"Stack {params.name('stack')}")
            print("\n".join(["Resources", *lines]) if lines else "There were no differences")
            print(f"Number of stacks with differences: {bool(lines):d}")
            return 1 if lines and given.fail else 0
        case "deploy":
            return _deploy(aws, params, given.step or "async", [arn for arn in given.guards.split(",") if arn])
        case "verify":
            return _verify(aws, params, given.step)
        case _:
            return _smoke(aws, params, given.routes)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RunbookError, OSError, ClientError, BotoCoreError) as problem:
        print(f"iac: {problem}", file=sys.stderr)
        sys.exit(2)
