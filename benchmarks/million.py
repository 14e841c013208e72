"""Train a network of a million parameters for notebooks/06_a_million_parameters.ipynb: python -m benchmarks.million.

Writes notebooks/million.json: the run, a slice of what the network learned, and the machine. It takes about four minutes on two
cores and 5 GB. Seconds are those of steps, as in `benchmarks`: stop other programs first, and set
``GLIBC_TUNABLES=glibc.malloc.hugetlb=1``, as ``make lab`` does.
"""

import argparse
import json
import os
import resource
import time
from pathlib import Path

import jax
import numpy as np

import sketchlab as sl
from benchmarks.machine import describe, sentence
from benchmarks.suites import MILLION
from sketchlab.drawing import exact_values, slice_points
from sketchlab.files import replacing

OUT = Path(__file__).resolve().parent.parent / "notebooks" / "million.json"
#: Steps whose eigenvalues are kept, besides the last one.
KEPT = (1, 5, 10, 15, 20)
#: Points a side of the field that is kept.
SIDE = 41


def measure(steps: int, seed: int) -> dict:
    """Train, and return what the notebook shows, fit for JSON."""
    width, depth, points, rank = (MILLION[name] for name in ("width", "depth", "points", "rank"))
    problem, network = sl.PROBLEMS["heat_1d"](), sl.MLP(2, width, depth)
    load, machine, start = os.getloadavg()[0], describe(), time.perf_counter()
    optimizer = sl.sketched_natural_gradient(rank)
    # All rows in one block of pieces: what the memory of this machine suggests, wherever it is run.
    run = sl.train(problem, network, optimizer, steps=steps, points=points, seed=seed, block=points)
    wall = time.perf_counter() - start
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    history, (x, (side, _)) = run.history, slice_points(problem, SIDE)
    u = np.asarray(run.solution(x))
    eigenvalues = {str(i): _rounded(history.eigenvalues[i - 1]) for i in sorted({*KEPT, steps}) if i <= steps}
    return {
        "machine": machine,
        "machine_in_words": sentence(machine),
        "load_before": load,
        "large_pages": "hugetlb=1" in os.environ.get("GLIBC_TUNABLES", ""),
        "problem": problem.name,
        **MILLION,
        "parameters": network.size,
        "seed": seed,
        "dtype": run.settings["dtype"],
        "rows": run.settings["rows"],
        "block": run.settings["block"],
        "steps": len(history),
        "stop_reason": run.stop_reason,
        "compile_seconds": _rounded(run.settings["compile_seconds"]),
        "wall_seconds": _rounded(wall),
        "peak_bytes": peak,
        "seconds": _rounded(history.seconds, 6),
        "loss": _rounded(history.loss),
        "relative_error": _rounded(history.relative_error),
        "damping": _rounded(history.damping),
        "accepted": history.accepted.tolist(),
        "eigenvalues": eigenvalues,
        "x": _rounded(x[:, 0].reshape(side, -1)[:, 0]),
        "t": _rounded(x[:, 1].reshape(side, -1)[0]),
        "solution": _rounded(u.reshape(side, -1)),
        "error": _rounded((u - exact_values(problem, x)).reshape(side, -1), 3),
    }


def _rounded(values, digits=4):
    """Return numbers of so many significant digits, in lists as deep as the array."""
    return np.vectorize(lambda value: float(f"{value:.{digits}g}"), otypes=[float])(values).tolist()


def main() -> None:
    """Run once and write the file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million", description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    found = measure(options.steps, options.seed)
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items()]
    with replacing(options.out) as partial:
        partial.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    seconds, error = found["seconds"][-1], found["relative_error"][-1]
    print(f"{found['steps']} steps, {seconds:.0f} s, relative error {error:.1e}: {options.out}")


if __name__ == "__main__":
    main()
