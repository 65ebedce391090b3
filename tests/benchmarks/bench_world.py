"""What a simulated day costs, and that the cost grows no faster than the requests (`make bench`).

One run measures all sizes, so that their ratios hold on any machine. The workers grow with the traffic: a queue that
only ever grows is another world. `Simulate` is the pure model; `publish` puts the same day into an embedded AWS.
Exits 1 if a request at the largest size costs over twice what one of the size before costs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import resource
import sys
import time
from pathlib import Path

from runbook_lib.act.traffic import flags
from runbook_lib.params.load import Params, load_file, params_dir, read_yaml
from runbook_lib.rehearse.emulator.embedded import EmbeddedAws
from runbook_lib.rehearse.sandbox.deploy import deploy
from runbook_lib.rehearse.world.jobs import Settings
from runbook_lib.rehearse.world.scenario import Scenario, load
from runbook_lib.rehearse.world.service import Service
from runbook_lib.rehearse.world.world import World

START = dt.datetime(2025, 6, 16, tzinfo=dt.UTC)
HOUR_S = 3600.0
SIZES = (3_000, 30_000, 300_000)
SHARE = 0.1


def sized(requests: int) -> tuple[Scenario, int]:
    """A healthy day of this many requests, and workers enough for its async tenth."""
    return load("healthy").model_copy(update={"requests_per_day": float(requests)}), max(5, requests // 1500)


def simulate(requests: int, repeat: int) -> float:
    """Seconds of one simulated day in hourly steps; the best of `repeat`."""
    best = float("inf")
    for seed in range(repeat):
        scenario, workers = sized(requests)
        service = Service(scenario, Settings(), seed, START.timestamp(), workers)
        service.set_weight(SHARE)
        begun = time.perf_counter()
        for hour in range(1, 25):
            service.run(START.timestamp() + hour * HOUR_S)
        best = min(best, time.perf_counter() - begun)
    return best


def publish(requests: int, params: Params) -> tuple[float, World]:
    """Seconds of one day simulated and published in step with the clock, and the world after it."""
    scenario, workers = sized(requests)
    with EmbeddedAws(START) as aws:
        deploy(aws, params)
        aws.client("lambda").put_function_concurrency(
            FunctionName=params.name("worker"), ReservedConcurrentExecutions=workers
        )
        _dial(aws, params, SHARE * 100)
        world = World(aws, params, scenario)
        begun = time.perf_counter()
        world.advance(START + dt.timedelta(hours=24))
        return time.perf_counter() - begun, world


def _dial(aws: EmbeddedAws, params: Params, percent: float) -> None:
    client, traffic = aws.client("appconfig"), params.service.traffic

    def id_of(answer: dict[str, list[dict[str, str]]], template: str) -> str:
        return next(one["Id"] for one in answer["Items"] if one["Name"] == template.format(env=params.env))

    application = id_of(client.list_applications(), traffic.application)
    profile = id_of(client.list_configuration_profiles(ApplicationId=application), traffic.dial_profile)
    version = client.create_hosted_configuration_version(
        ApplicationId=application,
        ConfigurationProfileId=profile,
        Content=flags.encode(flags.dial_document(traffic.flag, percent)),
        ContentType=flags.CONTENT_TYPE,
    )["VersionNumber"]
    client.start_deployment(
        ApplicationId=application,
        EnvironmentId=id_of(client.list_environments(ApplicationId=application), traffic.dial_environment),
        ConfigurationProfileId=profile,
        ConfigurationVersion=str(version),
        DeploymentStrategyId=id_of(client.list_deployment_strategies(), traffic.immediate_strategy),
    )


def main() -> int:
    """Print the table; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3, help="simulations of each size; the fastest counts")
    parser.add_argument("--no-publish", action="store_true", help="the pure simulation only")
    arguments = parser.parse_args()
    folder = params_dir(Path(__file__).parent)
    params = load_file(folder / "prod.yaml", read_yaml(folder / "rehearsal.yaml"))
    print(
        f"{'requests/day':>12} {'simulate':>10} {'us/request':>11} {'with publish':>13} {'us/request':>11} {'data':>8}"
    )
    costs = []
    for requests in SIZES:
        alone = simulate(requests, arguments.repeat)
        line = f"{requests:>12,} {alone:>8.2f} s {alone / requests * 1e6:>11.1f}"
        if not arguments.no_publish:
            whole, world = publish(requests, params)
            line += f" {whole:>11.2f} s {whole / requests * 1e6:>11.1f} {world.truth.data:>8,}"
        print(line, flush=True)
        costs.append(alone / requests)
    ratio = costs[-1] / costs[-2]
    print(f"a request at {SIZES[-1]:,} a day costs {ratio:.2f} times one at {SIZES[-2]:,} (linear: 1)")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process: {peak:.0f} MB")
    return 0 if ratio <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
