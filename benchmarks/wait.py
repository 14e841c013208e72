"""From Enter to the answer: whole processes of the command line, cold and warm, in turns with those of another commit."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Problems, each solved to eight digits by its recipe.
PROBLEMS = ("poisson_1d", "poisson_2d", "heat_1d", "nonlinear_bvp")
TOLERANCE = 1e-8
#: Parts of the wait; "rest" is what none of them is.
PARTS = ("import", "trace", "compile", "points", "steps", "rest")
TIMES = 5
ROOT = Path(__file__).parent.parent

#: Runs the command line and prints, as its last line, the seconds of its parts. It is run by other commits too.
WORKER = """
import json, sys, time
import jax, psutil
found = dict.fromkeys(("trace", "compile", "points"), 0.0)
names = {
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "trace",
    "/jax/core/compile/backend_compile_duration": "compile",
}
def listen(name, seconds, **_):
    if name in names:
        found[names[name]] += seconds
jax.monitoring.register_event_duration_secs_listener(listen)
import sketchlab
from sketchlab.cli import main
sample = sketchlab.Problem.sample
def timed(*arguments, **options):
    start = time.perf_counter()
    drawn = sample(*arguments, **options)
    found["points"] += time.perf_counter() - start
    return drawn
sketchlab.Problem.sample = timed
found["import"] = time.time() - psutil.Process().create_time()
status = main()
print(json.dumps(found))
sys.exit(status)
"""


def measure(against: str | None = None) -> list[dict]:
    """Time every problem in a process of its own, `TIMES` times with an empty cache and as often with a full one."""
    with tempfile.TemporaryDirectory() as temporary:
        folders = {"now": ROOT}
        if against is not None:
            folders[against] = Path(temporary) / "other"
            _git("worktree", "add", "--detach", folders[against], against)
        try:
            return [_waits(problem, folders, Path(temporary)) for problem in PROBLEMS]
        finally:
            if against is not None:
                _git("worktree", "remove", "--force", folders[against])


def _git(*arguments):
    subprocess.run(["git", *map(str, arguments)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _waits(problem, folders, temporary):
    found = {name: {"cold": [], "warm": []} for name in folders}
    for number in range(TIMES):
        print(f"  wait {problem} {number + 1}", file=sys.stderr, flush=True)
        # In turns: a machine that slows down slows both.
        for name, folder in folders.items():
            cache = temporary / f"{problem}-{name}-{number}"
            for state in ("cold", "warm"):
                found[name][state].append(_wait(problem, folder, cache))
    return {"problem": problem, "waits": found}


def _wait(problem, folder, cache):
    """Run the command in a fresh process; return the seconds of its parts and of the whole."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("JAX_COMPILATION_CACHE_DIR", "SKETCHLAB_CACHE")
    }
    environment |= {"XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-c", WORKER, "train", problem, "--tolerance", str(TOLERANCE), "--json"]
    start = time.perf_counter()
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    whole = time.perf_counter() - start
    summary, parts = map(json.loads, run.stdout.splitlines()[-2:])
    if summary["relative_l2_error"] > TOLERANCE:
        raise RuntimeError(f"{problem} ended at {summary['relative_l2_error']:.1e}")
    parts["steps"] = summary["seconds"]
    return parts | {"rest": whole - sum(parts.values()), "whole": whole}


def lines(measured):
    """Return the rows of the table: medians, the parts, and the ratio to the other commit's cold process."""
    rows = []
    for result in measured:
        waits = result["waits"]
        others = [name for name in waits if name != "now"]
        for name, states in waits.items():
            for state, runs in states.items():
                medians = {part: statistics.median(run[part] for run in runs) for part in (*PARTS, "whole")}
                # Pair by pair: a machine's speed changes from minute to minute.
                pairs = zip(runs, waits[others[0]]["cold"], strict=True) if others else []
                ratios = [mine["whole"] / other["whole"] for mine, other in pairs]
                rows.append([
                    result["problem"],
                    name,
                    state,
                    *(f"{medians[part]:.2f}" for part in (*PARTS, "whole")),
                    f"{statistics.median(ratios):.2f}" if ratios else "–",
                ])  # fmt: skip
    return rows
