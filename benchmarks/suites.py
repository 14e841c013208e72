"""What is measured, and how it is written down: a suite is a pair (measure, report) in `SUITES`.

``measure(run, seeds)`` calls ``run(job, **arguments)`` and returns a list of its results; ``report(measured, machine)`` returns
Markdown.
"""

import math
import statistics

import numpy as np

from benchmarks import records, wait
from benchmarks.machine import sentence
from benchmarks.peers import PEERS
from benchmarks.rows import MILESTONES, RACES, TARGETS

#: Seconds that each of our optimizers gets in a race, and each of the peers.
RACE_SECONDS, PEER_SECONDS = 6, 12
#: The network of a million parameters: width, depth, points, rank.
MILLION = {"width": 580, "depth": 4, "points": 512, "rank": 64}


def _targets(run, seeds):
    return [
        run(
            "race",
            row=row,
            optimizer="sngd",
            seeds=seeds,
            tolerance=target.error,
            training={"resampling": target.resampling},
        )
        for row, target in TARGETS.items()
    ]


def _report_targets(measured, machine):
    lines = []
    for result in measured:
        target = TARGETS[result["row"]]
        reached = [_or_infinity(one["reached"][f"{target.error:g}"]) for one in result["runs"]]
        errors = [one["error"] for one in result["runs"]]
        lines.append(
            [
                target.title,
                _points(target.points) + (f", redrawn every {target.resampling[1]} steps" if target.resampling else ""),
                f"{target.error:.1e}",
                f"{target.seconds:g} s",
                f"{sum(t <= target.seconds for t in reached)} of {len(reached)}",
                f"{_seconds(statistics.median(reached))} / {_seconds(max(reached))}",
                f"{statistics.median(one['steps'] for one in result['runs']):.0f}",
                f"{statistics.median(errors):.0e} / {max(errors):.0e}",
                _bytes(result["peak_bytes"]),
            ]
        )
    return _section(
        "Figures to reach",
        "The sketched natural gradient with its default options, stopped when the error is reached.",
        machine,
        [
            "problem",
            "points",
            "error",
            "limit",
            "in time",
            "seconds: median / worst",
            "steps",
            "last error: median / worst",
            "peak memory",
        ],
        lines,
    )


def _race(run, seeds):
    return [
        run("race", row=row, optimizer=name, seeds=seeds, tolerance=1e-8, seconds=PEER_SECONDS if name in PEERS else RACE_SECONDS)
        for row in RACES
        for name in ("sngd", "engd", "dual", "lbfgs", "adam", "gd", *PEERS)
    ]


def _report_race(measured, machine):
    lines, seeds = [], max(len(result["runs"]) for result in measured)
    for result in measured:
        runs = result["runs"]
        times = {m: [_or_infinity(one["reached"][f"{m:g}"]) for one in runs] for m in MILESTONES}
        lines.append(
            [TARGETS[result["row"]].title, result["optimizer"]]
            + [f"{_seconds(statistics.median(t))} / {_seconds(max(t))}" for t in times.values()]
            + [f"{statistics.median(one['lowest'] for one in runs):.0e}", _bytes(result["peak_bytes"])]
        )
    return _section(
        "Race",
        f"Seconds to an error, median / worst of {seeds} seeds, in at most {RACE_SECONDS} s, the peers in "
        f"{PEER_SECONDS}; same problem, network, points and first parameters. randngd 0.1.1 with Levenberg-Marquardt damping: "
        "all of G by Cholesky, and conjugate gradients with its randomly pivoted Cholesky preconditioner of rank 500, or what "
        "fits." + _measured_again(measured),
        machine,
        ["problem", "optimizer", *(f"to {m:.0e}" for m in MILESTONES), "lowest error, median", "peak memory"],
        lines,
    )


def _measured_again(measured):
    """Say which rows are of another day than the rest: a change of one optimizer need not wait for a race of all."""
    again = [result for result in measured if "machine" in result]
    if not again:
        return ""
    names = ", ".join(dict.fromkeys(result["optimizer"] for result in again))
    seeds = len(again[0]["runs"])
    machines = "; ".join(dict.fromkeys(sentence(result["machine"]) for result in again))
    return f" Rows of {names}: measured again, {seeds} seeds, {machines}."


def _profile(run, seeds):
    return [run("profile", width=width, points=points, rank=rank) for width, points, rank in ((32, 1100, 200), (68, 2400, 320))]


def _report_profile(measured, machine):
    parts = list(measured[0]["parts"])
    heads = [f"P = {r['parameters']}, N = {r['points']}, k = {r['rank']}" for r in measured]
    lines = [[part, *(f"{1e3 * r['parts'][part]:.1f} ms" for r in measured)] for part in parts]
    lines.append(["floor: 4NPk at the speed of the two products", *(f"{1e3 * r['floor']:.1f} ms" for r in measured)])
    lines.append(["whole step / floor", *(f"{r['parts']['whole step'] / r['floor']:.2f}" for r in measured)])
    lines.append(["matrix products", *(f"{r['gflops']:.0f} GFLOP/s" for r in measured)])
    return _section(
        "Where a step's time goes",
        "Medians, every part compiled and timed by itself, in turns.",
        machine,
        ["part", *heads],
        lines,
    )


def _growth(run, seeds):
    grown = [run("steps", width=width, depth=2, points=512, rank=64, steps=6) for width in (30, 60, 120, 240, 480)]
    grown += [run("steps", width=68, depth=2, points=points, rank=64, steps=6) for points in (300, 600, 1200, 2400, 4800)]
    grown += [run("steps", width=68, depth=2, points=2400, rank=rank, steps=6) for rank in (40, 80, 160, 320, 640)]
    return [*grown, run("steps", **MILLION, steps=21)]


def _report_growth(measured, machine):
    *grown, million = measured
    lines = [
        [f"{r['parameters']:,}", r["points"], r["rank"], "whole" if r["block"] is None else f"blocks of {r['block']}",
         f"{1e3 * r['step_seconds']:.0f} ms", _bytes(r["peak_bytes"])]
        for r in (*grown, million)
    ]  # fmt: skip
    by = {
        "P": ([*grown[:5], million], "parameters"),
        "N": (grown[5:10], "points"),
        "k": (grown[10:], "rank"),
    }
    exponents = ", ".join(f"{_exponent(rows, key):.2f} in {name}" for name, (rows, key) in by.items())
    tens = ", ".join(f"{error:.1e}" for error in million["errors"][::10])
    return _section(
        "Growth of a step",
        f"Heat equation. Fitted exponents of the step time: {exponents}. The network of {million['parameters']:,} parameters: "
        f"relative error after 1, 11, 21 steps {tens}; {million['step_seconds']:.1f} s a step.",
        machine,
        ["P", "N", "k", "Jacobian", "step", "peak memory"],
        lines,
    )


def _spectra(run, seeds):
    routes = ["range", "kernel", "nystrom", "single-pass"]
    return [
        run("spectra", width=32, depth=2, points=1100, rank=200, ways=["full", *routes], repeats=9),
        run("spectra", width=2516, depth=1, points=3500, rank=500, ways=["full", *routes], repeats=3),
        *(run("spectra", **MILLION, ways=[route], repeats=5) for route in routes),
        run("test_matrices", size=10_065, columns=510, rows=3500),
    ]


def _report_spectra(measured, machine):
    *spectra, matrices = measured
    lines = []
    for result in spectra:
        seconds = result["seconds"]
        for way, value in seconds.items():
            faster = f"{seconds['full'] / value:.0f}" if "full" in seconds else "–"
            memory = _bytes(result["peak_bytes"]) if len(seconds) == 1 else "–"
            lines.append([f"{result['parameters']:,}", result["points"], result["rank"], way, f"{value:.2g} s", faster, memory])
    drawing = ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in matrices["drawing"].items())
    return _section(
        "Spectra",
        "A call of `sl.spectrum` for the heat equation, the first one, which compiles, not counted; medians, in turns; no power "
        "iterations. The last column is the peak of a process that does nothing else.\n\n"
        f"Drawing a test matrix of {matrices['size']:,} × {matrices['columns']}: {drawing}. One product of a matrix of "
        f"{matrices['rows']:,} rows with it: {1000 * matrices['product']:.0f} ms; a cosine transform of those rows instead: "
        f"{1000 * matrices['transform']:.0f} ms.",
        machine,
        ["P", "N", "k", "way", "time", "times faster than full", "peak memory"],
        lines,
    )


#: What the sketched natural gradient is without each of its parts.
VARIANTS = {
    "default": "sngd",
    "without geodesic acceleration": "sngd(search=damping_path(geodesic=False))",
    "without bisection": "sngd(search=damping_path(bisections=0))",
    "without momentum": "sngd(momentum=0.0)",
    "without recycling": "sngd(recycle=0.0)",
    "rank auto": 'sngd(rank="auto")',
    "preset paper": 'sngd(preset="paper")',
}


def _options(run, seeds):
    return [
        run(
            "race",
            row=row,
            optimizer=optimizer,
            seeds=seeds[:3],
            seconds=TARGETS[row].seconds,
            tolerance=TARGETS[row].error,
        )
        | {"variant": variant}
        for row in ("heat_1d", "transport_1d")
        for variant, optimizer in VARIANTS.items()
    ]


def _report_options(measured, machine):
    lines = []
    for result in measured:
        target, runs = TARGETS[result["row"]], result["runs"]
        reached = [_or_infinity(one["reached"][f"{target.error:g}"]) for one in runs]
        steps = [one["steps"] if math.isfinite(t) else math.inf for one, t in zip(runs, reached, strict=True)]
        lines.append(
            [
                target.title,
                result["variant"],
                f"{sum(map(math.isfinite, reached))} of {len(runs)}",
                _seconds(statistics.median(reached)),
                "–" if math.isinf(statistics.median(steps)) else f"{statistics.median(steps):.0f}",
                f"{statistics.median(one['lowest'] for one in runs):.0e}",
            ]
        )
    return _section(
        "What each option does",
        "The sketched natural gradient without each of its parts, first three seeds: how many reach the row's error in its time, "
        "and the medians.",
        machine,
        ["problem", "variant", "reached", "seconds", "steps", "lowest error"],
        lines,
    )


def _resampling(run, seeds):
    ways = {
        "fixed": {},
        "redrawn every 10 steps": {"resampling": ["redraw", 10]},
        "RAD every 10 steps": {"resampling": ["rad", 10]},
    }
    return [
        run(
            "race",
            row=row,
            optimizer="sngd",
            seeds=seeds[:5],
            seconds=min(TARGETS[row].seconds, 6),
            tolerance=1e-14,
            training=training,
        )
        | {"title": f"{TARGETS[row].title}, {_points(TARGETS[row].points)} points", "way": way}
        for row in ("poisson_5d", "poisson_2d small", "nonlinear_bvp")
        for way, training in ways.items()
    ]


def _weights(run, seeds):
    ways = {f"{weight:g}": {"boundary_weight": weight} for weight in (0.1, 1.0, 10.0, 100.0, 1000.0)} | {
        "balance": {"boundary_weight": "balance"}
    }
    return [
        run("race", row=row, optimizer=optimizer, seeds=seeds[:5], seconds=3, tolerance=1e-14, training=training)
        | {"title": f"{TARGETS[row].title}, {optimizer}", "way": way}
        for row, optimizer in (("heat_1d", "sngd"), ("poisson_2d small", "sngd"), ("poisson_2d small", "lbfgs"))
        for way, training in ways.items()
    ]


def _report_ways(title, varied, text):
    def report(measured, machine):
        lines = [
            [r["title"], r["way"], *(f"{choose(one['error'] for one in r['runs']):.1e}" for choose in (statistics.median, max))]
            for r in measured
        ]
        return _section(title, text, machine, ["problem", varied, "median", "worst"], lines)

    return report


def _section(title, text, machine, heads, lines):
    table = [heads, ["---"] * len(heads), *lines]
    rows = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in table)
    return f"## {title}\n\n{text}\n\n{sentence(machine)}\n\n{rows}\n"


def _exponent(rows, key):
    return float(np.polyfit(np.log([r[key] for r in rows]), np.log([r["step_seconds"] for r in rows]), 1)[0])


def _or_infinity(seconds):
    return math.inf if seconds is None else seconds


def _seconds(value):
    return "–" if math.isinf(value) else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def _points(points):
    return str(points) if isinstance(points, int) else " + ".join(map(str, points))


def _bytes(count):
    return f"{count / 1e9:.2f} GB"


def _report_records(measured, machine):
    return _section(
        "The hard equations",
        "Each by its recipe (`problem.recipe`), with the same optimizer and its default options; seconds: median and worst. The "
        f"seconds of a goal are those of a machine whose matrix products run at {records.SPEED} GFLOP/s; a faster one has fewer. "
        "The last rows are what a user would take where it applies, on a box and with a smooth solution: a spectral method in 30 "
        "lines, or 50.",
        machine,
        ["problem", "goal", "error: median / worst", "reached", "seconds", "GFLOP/s", "steps", "P", "record elsewhere"],
        records.lines(measured),
    )


def _report_certificates(measured, machine):
    runs = [run for result in measured for run in result["runs"]]
    elsewhere = [run["machine"] for run in runs if "machine" in run]
    note = f" {len(elsewhere)} of the {len(runs)} runs were made on: {'; '.join(dict.fromkeys(elsewhere))}." if elsewhere else ""
    return _section(
        "What `verify` says, and the truth",
        "The estimate of the error by two independent runs, beside the true one, which it does not know; close is within a "
        f"factor of ten. A wrong answer is one with an error above 0.1.{note}",
        machine,
        ["problem", "true error, median", "estimate close", "estimate / truth", "trusted", "wrong and trusted"],
        records.certificate_lines(measured),
    )


def _report_wait(measured, machine):
    return _section(
        "From Enter to the answer",
        f"`sketchlab train PROBLEM --tolerance {wait.TOLERANCE:g}`, whole processes, medians of {wait.TIMES} in seconds: with "
        "an empty cache of compiled functions, and with a full one. The ratio is to the other commit with an empty cache.",
        machine,
        ["problem", "commit", "cache", *wait.PARTS, "whole", "ratio"],
        wait.lines(measured),
    )


SUITES = {
    # The only one that is told of another commit, in place of seeds.
    "wait": (wait.measure, _report_wait),
    "records": (records.measure, _report_records),
    "certificates": (records.measure_certificates, _report_certificates),
    "targets": (_targets, _report_targets),
    "profile": (_profile, _report_profile),
    "race": (_race, _report_race),
    "options": (_options, _report_options),
    "growth": (_growth, _report_growth),
    "spectra": (_spectra, _report_spectra),
    "resampling": (
        _resampling,
        _report_ways(
            "Resampling",
            "points",
            "Relative error on held-out points after at most 6 s, first five seeds, by the way of drawing points.",
        ),
    ),
    "weights": (
        _weights,
        _report_ways(
            "Boundary weight", "weight", "Relative error after 3 s, first five seeds, by the weight of the conditions on faces."
        ),
    ),
}
