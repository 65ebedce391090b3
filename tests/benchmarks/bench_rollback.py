"""From process start to async read back as off: `runbook rollback 1` beside a bare boto3 script (`make bench`).

Both run on the same embedded AWS, in turn, and make the same calls (`tests/test_kill_switch.py` compares them). The
best of each counts: what a crowded machine adds says nothing of the code; while the ratio is over the limit, three
rounds at most are run. Exits 1 if the command takes over 1.5 times as long.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from runbook_lib.observe.traffic import state as traffic
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import deploy

LIMIT = 1.5
ROUNDS = 3
ROOT = params_dir(Path(__file__).parent).parent

BARE = """
import json
import boto3

sts, client = boto3.client("sts"), boto3.client("appconfig")
assert sts.get_caller_identity()["Account"] == "000000000000"


def named(operation, **where):
    pages = client.get_paginator(operation).paginate(**where)
    return {item["Name"]: item["Id"] for page in pages for item in page["Items"]}


app = {"ApplicationId": named("list_applications")["careervp-vpr-rollout-prod"]}
profile = named("list_configuration_profiles", **app)["vpr-async-switch"]
where = {**app, "EnvironmentId": named("list_environments", **app)["prod-switch"]}
strategy = named("list_deployment_strategies")["careervp-vpr-immediate-strategy-prod"]
kept = {**app, "ConfigurationProfileId": profile}


def enabled(version):
    content = client.get_hosted_configuration_version(**kept, VersionNumber=version)["Content"].read()
    return json.loads(content)["values"]["vpr_async"]["enabled"]


pages = client.get_paginator("list_deployments").paginate(**where)
newest = max(item["DeploymentNumber"] for page in pages for item in page["Items"])
now = client.get_deployment(**where, DeploymentNumber=newest)
assert enabled(int(now["ConfigurationVersion"]))
pages = client.get_paginator("list_hosted_configuration_versions").paginate(**kept)
versions = sorted((item["VersionNumber"] for page in pages for item in page["Items"]), reverse=True)
off = next(version for version in versions if not enabled(version))
number = client.start_deployment(
    **where, DeploymentStrategyId=strategy, ConfigurationProfileId=profile, ConfigurationVersion=str(off)
)["DeploymentNumber"]
found = client.get_deployment(**where, DeploymentNumber=number)
assert found["State"] == "COMPLETE" and not enabled(int(found["ConfigurationVersion"]))
print("off", flush=True)
"""


def switch_on(aws: EmbeddedAws, params: Params) -> None:
    """Async on again, so that there is something to turn off."""
    client = aws.client("appconfig")
    known = traffic.handles(client, params)
    client.start_deployment(
        ApplicationId=known.application,
        EnvironmentId=known.switch_environment,
        ConfigurationProfileId=known.switch_profile,
        DeploymentStrategyId=known.immediate_strategy,
        ConfigurationVersion="2",
    )


def first_line(command: list[str], env: dict[str, str]) -> float:
    """Seconds from the start of `command` to its first line, which says that async was read back as off."""
    begun = time.perf_counter()
    with subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - begun
        process.stdout.read()
    assert process.returncode == 0 and "off" in line and "already" not in line, line
    return seconds


def main() -> int:
    """Measures and prints; 1 if the ratio is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=9)
    repeat = parser.parse_args().repeat
    overlay = read_yaml(ROOT / "params" / "rehearsal.yaml")
    params = load_file(ROOT / "params" / "prod.yaml", overlay)
    with EmbeddedAws() as aws, tempfile.TemporaryDirectory() as archive:
        deploy(aws, params)
        env = {**os.environ, **aws.env}
        overlay |= {"archive": archive}
        pairs = [word for key, value in overlay.items() for word in ("--set", f"{key}={value}")]
        command = [str(Path(sys.executable).parent / "runbook"), "rollback", "1", "--env", "prod", "--apply"]
        command += ["--confirm", "prod", "--no-notebook", *pairs]
        taken: dict[str, list[float]] = {"bare boto3": [], "runbook rollback 1": []}
        for done in range(ROUNDS * repeat):
            if done and done % repeat == 0 and ratio(taken) <= LIMIT:
                break
            for name, words in (("bare boto3", [sys.executable, "-c", BARE]), ("runbook rollback 1", command)):
                switch_on(aws, params)
                taken[name].append(first_line(words, env))
    for name, seconds in taken.items():
        print(f"{name:20} {min(seconds):6.2f} s (best of {len(seconds)}, median {statistics.median(seconds):.2f} s)")
    print(f"{'ratio':20} {ratio(taken):6.2f} (at most {LIMIT})")
    return 1 if ratio(taken) > LIMIT else 0


def ratio(taken: Mapping[str, Sequence[float]]) -> float:
    """Best of the command over best of the bare script."""
    bare, ours = (min(seconds) for seconds in taken.values())
    return ours / bare


if __name__ == "__main__":
    sys.exit(main())
