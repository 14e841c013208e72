"""Measure sketchlab and its peers; write benchmarks/results/results.json and results.md.

    python -m benchmarks                         everything, about an hour on two cores
    python -m benchmarks --only targets --seeds 0 1 2
    python -m benchmarks --only wait --against 8dcce86
    python -m benchmarks --only records --goals "Allen-Cahn" "Kovasznay" --seeds 10 11 12

Every measurement is a process of its own (`benchmarks.job`). Seconds are those of steps: compilation and the evaluation of errors
are not counted. Stop other programs first.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import suites
from benchmarks.machine import describe
from benchmarks.records import GOALS

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the suites asked for; what the others found before stays in the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=suites.SUITES, default=list(suites.SUITES), help="suites to run")
    parser.add_argument("--goals", nargs="+", choices=GOALS, help="rows of records and certificates to measure; others stay")
    parser.add_argument("--against", metavar="REV", help="commit that the suite wait runs too, in turns")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of results.json and results.md")
    options = parser.parse_args()
    if "race" in options.only and importlib.util.find_spec("randngd") is None:
        parser.error('the race needs randngd: pip install -e ".[bench]"')
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    with tempfile.TemporaryDirectory() as cache:
        for name in options.only:
            print(f"{name} …", file=sys.stderr, flush=True)
            measure, _ = suites.SUITES[name]
            run = _runner(cache)
            if options.goals:
                run = _only(options.goals, run, results.get(name, {}).get("measured", []))
            found = measure(options.against) if name == "wait" else measure(run, options.seeds)
            measured = [one for one in found if one is not None]
            results[name] = {"machine": describe(), "measured": measured}
            path.write_text(json.dumps(results, indent=1) + "\n")
    text = "\n".join(
        suites.SUITES[name][1](found["measured"], found["machine"]) for name, found in results.items() if name in suites.SUITES
    )
    (options.out / "results.md").write_text(text)
    print(text)


def _only(goals, run, former):
    """Return a function that runs a job if its goal is asked for, and else returns what was found before, or None."""

    def run_some(job, **arguments):
        if arguments.get("goal") in goals:
            return run(job, **arguments)
        known = {name: value for name, value in arguments.items() if name != "seeds"}
        return next((one for one in former if known.items() <= one.items()), None)

    return run_some


def _runner(cache):
    """Return a function that runs one job and returns its result, with compiled code kept in `cache` from job to job."""
    environment = os.environ | {
        "JAX_COMPILATION_CACHE_DIR": cache,
        # Large arrays in large pages: without it half the time of a large Jacobian goes into page faults.
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    }

    def run(job, **arguments):
        print(f"  {job} {arguments}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "benchmarks.job", json.dumps({"job": job} | arguments)]
        finished = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return arguments | json.loads(finished.stdout.splitlines()[-1])

    return run


if __name__ == "__main__":
    main()
