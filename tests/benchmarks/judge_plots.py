"""The plots of `make bench-judge --write`: drawn from the simulation, in the palette of the reports."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib import ticker

from runbook_lib.show import style

GRID = np.round(np.concatenate([np.linspace(0.002, 0.02, 10), np.linspace(0.025, 0.06, 8)]), 4)
BAD = (0.03, 0.035, 0.04, 0.05, 0.06, 0.08, 0.10, 0.15, 0.20)
PROMOTED = np.round(np.linspace(0.001, 0.03, 30), 4)


def plots(bench: Any, runs: int) -> dict[str, Any]:
    """Figures by name; `bench` is the module `bench_judge`, `runs` the simulated soaks for each point."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    with matplotlib.rc_context(style.rc()):
        made = {}
        for name, draw in (
            ("judge-early", _early),
            ("judge-median", _median),
            ("judge-change", _change),
            ("judge-promoted", _promoted),
        ):
            figure, axes = pyplot.subplots(figsize=(8, 4.2), layout="constrained")
            draw(axes, bench, runs)
            axes.grid(visible=True)
            made[name] = figure
    return made


def _success(axes: Any, bench: Any) -> None:
    axes.set_xlabel("true success rate of the service (%)")
    for at, what in ((bench.TARGET, "target"), (bench.LIMIT, "alert limit")):
        axes.axvline(100 * at, color=style.BLACK, linestyle=(0, (1.5, 1.2)), linewidth=1)
        axes.annotate(
            f"{what} {at:.0%}".replace("%", " %"), (100 * at, 108), ha="center", fontsize=8, annotation_clip=False
        )
    axes.set_ylim(-2, 106)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)


def _early(axes: Any, bench: Any, runs: int) -> None:
    at = 100 * (1 - GRID)
    for who, naive, colour in (("naive threshold", True, style.ORANGE), ("the judge", False, style.BLUE)):
        for rate, dash, mark in zip(bench.RATES, ("-", (0, (5, 1.5))), ("o", "s"), strict=True):
            shares = [100 * bench.early(p, runs, rate, 1, naive=naive).share for p in GRID]
            axes.plot(
                at, shares, color=colour, linestyle=dash, marker=mark, markersize=4, label=f"{who}, {rate:,} a day"
            )
    axes.set_title("Failed early within 24 h, a look every 5 minutes", pad=18)
    axes.set_ylabel("share of soaks (%)")
    _success(axes, bench)


def _median(axes: Any, bench: Any, runs: int) -> None:
    at = [100 * (1 - p) for p in BAD]
    each = [bench.each(p, runs, 6000, 1).median for p in BAD]
    axes.plot(at, each, color=style.BLUE, marker="o", markersize=5, label="a look after each request")
    for rate, colour, mark, dash in zip(bench.LOOKED, style.CYCLE[1:], "sD^", style.DASHES[1:], strict=False):
        shown = [
            (x, y) for x, p in zip(at, BAD, strict=True) if (y := bench.early(p, runs, rate, 1).median) < bench.NEVER
        ]
        axes.plot(
            *zip(*shown, strict=True),
            color=colour,
            marker=mark,
            markersize=5,
            linestyle=dash,
            label=f"a look every 5 minutes, {rate:,} a day (within 24 h)",
        )
    axes.plot(
        at,
        [bench.wald(p) for p in BAD],
        color=style.BLACK,
        linestyle=(0, (1.5, 1.2)),
        label="Wald's bound ln(1/alpha) / KL",
    )
    wanted = {95: 350, 90: 60, 80: 20}
    axes.plot(
        list(wanted),
        list(wanted.values()),
        linestyle="none",
        marker="v",
        markersize=9,
        fillstyle="none",
        color=style.VERMILLION,
        label="wanted: at most",
    )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda n, _: f"{n:,.0f}"))
    axes.set_yticks([20, 50, 100, 200, 500, 1000, 2000])
    axes.minorticks_off()
    axes.set(
        title="Requests until a bad service is caught (median soak)",
        ylabel="requests",
        xlabel="true success rate of the service (%)",
    )
    axes.legend(loc="upper left", fontsize=8)


def _change(axes: Any, bench: Any, runs: int) -> None:
    change, good = bench.bench_change, 2900
    rows = change.rows(runs)
    at = [100 * share for share in change.SHARES]
    for (name, words), colour, mark, dash in zip(
        (
            ("judge", "the judge"),
            ("cusum", "CUSUM that knows the share"),
            ("naive", "below the limit so far"),
            ("start", "the test from the start alone"),
        ),
        style.CYCLE,
        "osD^",
        style.DASHES,
        strict=False,
    ):
        shown = [(x, rows[good, x / 100][name].median) for x in at]
        shown = [(x, y) for x, y in shown if np.isfinite(y)]
        axes.plot(*zip(*shown, strict=True), color=colour, marker=mark, markersize=5, linestyle=dash, label=words)
    axes.plot(
        at,
        [change.lorden(share) for share in change.SHARES],
        color=style.BLACK,
        linestyle=(0, (1.5, 1.2)),
        label="Lorden's bound, worst case",
    )
    axes.plot(
        at,
        change.GOALS[good],
        linestyle="none",
        marker="v",
        markersize=9,
        fillstyle="none",
        color=style.VERMILLION,
        label="wanted: at most",
    )
    axes.set(
        xscale="log",
        yscale="log",
        title="Requests until a change is found after 2,900 good ones (median soak)",
        ylabel="requests since the change",
        xlabel="failing since the change (%)",
    )
    for axis, ticks in ((axes.xaxis, at), (axes.yaxis, [3, 10, 30, 100, 300, 1000])):
        axis.set_major_formatter(ticker.FuncFormatter(lambda n, _: f"{n:,.0f}"))
        axis.set_ticks(ticks)
    axes.minorticks_off()
    axes.legend(loc="upper right", fontsize=8)


def _promoted(axes: Any, bench: Any, runs: int) -> None:
    at = 100 * (1 - PROMOTED)
    width = {"point": 4.5, "limit": 1.8, "target": 1.8}  # with much traffic `limit` lies on `point`
    colours = {"point": style.ORANGE, "limit": style.BLUE, "target": style.GREEN}
    for how in ("point", "limit", "target"):
        for rate, dash, mark in zip(bench.RATES, ("-", (0, (5, 1.5))), ("o", None), strict=True):
            shares = [100 * bench.promoted(p, rate, runs, 2, how) for p in PROMOTED]
            axes.plot(
                at,
                shares,
                color=colours[how],
                linestyle=dash,
                marker=mark,
                markersize=3.5,
                linewidth=width[how] if mark is None else 1.8,
                label=f"{how}, {rate:,} a day",
            )
    axes.set_title("Promoted at a look at 24, 30 or 36 h, by evidence policy", pad=18)
    axes.set_ylabel("share of soaks (%)")
    _success(axes, bench)
