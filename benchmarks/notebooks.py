"""Run notebooks as a student does, from top to bottom: python -m benchmarks.notebooks [NOTEBOOK ...].

Prints, and writes to benchmarks/results/notebooks.md when all are run, the seconds and the peak memory of each, in full and with
SKETCHLAB_FAST=1. Nothing compiled is taken from disk: it is a student's first day.
"""

import argparse
import os
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from benchmarks.machine import describe, sentence

ROOT = Path(__file__).resolve().parent.parent
OUT = Path(__file__).parent / "results" / "notebooks.md"
PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"


def run(path: Path, fast: bool) -> tuple[float, float, list[str]]:
    """Return the seconds from the first cell to the last, the peak memory in GB and what went to standard error."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    environment = {name: value for name, value in os.environ.items() if name != "SKETCHLAB_FAST"} | {"SKETCHLAB_CACHE": "off"}
    if fast:
        environment["SKETCHLAB_FAST"] = "1"
    start = time.perf_counter()
    NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(path.parent)}}).execute(env=environment)
    seconds = time.perf_counter() - start
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    said = [output.text for output in outputs if output.get("name") == "stderr"]
    return seconds, float(outputs[-1].text) / 1e9, said


def main() -> None:
    """Run, print, and write if all were run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.notebooks", description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of them by default")
    options = parser.parse_args()
    folders = ROOT / "notebooks", ROOT / "docs" / "solutions"
    paths = options.notebooks or [path for folder in folders for path in sorted(folder.glob("*.ipynb"))]
    rows = ["| notebook | seconds, GB | with SKETCHLAB_FAST=1 |", "|---|---|---|"]
    print("\n".join(rows), flush=True)
    for path in paths:
        cells = []
        for fast in (False, True):
            seconds, memory, said = run(path.resolve(), fast)
            cells.append(f"{seconds:.0f} s, {memory:.2f} GB" + (f", standard error: {said}" if said else ""))
        rows.append(f"| {path.resolve().relative_to(ROOT)} | {cells[0]} | {cells[1]} |")
        print(rows[-1], flush=True)
    if not options.notebooks:
        OUT.write_text(f"# Notebooks, from top to bottom\n\n{sentence(describe())}\n\n" + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
