"""Relative error and seconds of the sketched natural gradient on the catalogue, the median over seeds.

    python -m benchmarks.accuracy --seeds 0 1 2

Every row is what ``sketchlab train`` does with the same options; seconds are those of the steps, compilation is not counted.
"Seconds to target" is when the error first was at most the target.
"""

import argparse
import os
import platform
import statistics
from typing import NamedTuple

import jax

import sketchlab as sl


class Row(NamedTuple):
    """A problem with its network, and the figures to reach."""

    problem: str
    width: int
    depth: int
    rank: int
    points: int
    target: float
    limit: float


ROWS = (
    Row("heat_1d", 32, 2, 200, 1100, 1e-7, 15),
    Row("nonlinear_bvp", 32, 2, 200, 420, 1e-8, 8),
    Row("poisson_2d", 32, 2, 200, 1100, 1e-6, 20),
    Row("transport_1d", 32, 2, 200, 1100, 1e-4, 20),
    Row("poisson_5d", 64, 1, 256, 1900, 1e-3, 20),
)


def measure(row: Row, seed: int, steps: int) -> sl.Run:
    """Train one row with one seed."""
    problem = sl.PROBLEMS[row.problem]()
    network = sl.MLP(problem.dim, row.width, row.depth)
    optimizer = sl.sketched_natural_gradient(row.rank)
    return sl.train(problem, network, optimizer, steps=steps, points=row.points, seed=seed, progress=False)


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    print(f"{platform.machine()}, {os.cpu_count()} cores, jax {jax.__version__}, seeds {options.seeds}, {options.steps} steps\n")
    print("| problem | network | rank | points | target | error: median (all seeds) | seconds to target | seconds, all steps |")
    print("|---|---|---|---|---|---|---|---|")
    for row in ROWS:
        runs = [measure(row, seed, options.steps) for seed in options.seeds]
        errors = [float(run.history.relative_error[-1]) for run in runs]
        reached = [_seconds_to(run, row.target) for run in runs]
        total = statistics.median(float(run.history.seconds[-1]) for run in runs)
        print(
            f"| {row.problem} | {runs[0].problem.dim}{f'-{row.width}' * row.depth}-1 | {row.rank} | {row.points} "
            f"| {row.target:.0e} in {row.limit:g} s "
            f"| {statistics.median(errors):.1e} ({', '.join(f'{error:.0e}' for error in errors)}) "
            f"| {statistics.median(reached):.1f} | {total:.1f} |",
            flush=True,
        )


def _seconds_to(run, target):
    """Return the seconds after which the error was at most `target`, infinity if it never was."""
    hits = run.history.seconds[run.history.relative_error <= target]
    return float(hits[0]) if len(hits) else float("inf")


if __name__ == "__main__":
    main()
