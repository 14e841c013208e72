"""What `sketchlab doctor` looks at: the versions that are installed, the devices, and whether a small problem is solved."""

import importlib.metadata
import os
import sys

import jax

import sketchlab as sl
from sketchlab.compiled import entries, folder, folder_of_jax, keep_compiled_functions

PACKAGES = "sketchlab jax jaxlib numpy scipy optax matplotlib jupyterlab ipywidgets plotly anywidget".split()


def examine() -> dict:
    """Return what is installed and how a trial run went; ``problems_found`` lists what is wrong."""
    installed = {found.name: found.version for found in importlib.metadata.distributions()}
    report = {"python": sys.version.split()[0]} | {name: installed.get(name) for name in PACKAGES}
    problems = [f'{name} is not installed: run pip install "sketchlab[lab]"' for name in PACKAGES if name not in installed]
    report["devices"] = [f"{device.platform}: {device.device_kind}" for device in jax.devices()]
    report["cores"] = os.cpu_count()
    report["compiled_functions"] = _kept()
    # The shortest proof that double precision, the linear algebra and the loop work: a small problem solved.
    problem = sl.PROBLEMS["poisson_1d"]()
    run = sl.train(problem, problem.network(8, 1), sl.sketched_natural_gradient(20), steps=30, points=60, progress=False)
    report["trial_error"] = float(run.history.relative_error[-1])
    if not report["trial_error"] < 1e-2:
        problems.append(f"a trial run ended with a relative error of {report['trial_error']:.1e}, expected below 1e-2")
    return report | {"problems_found": problems}


def _kept():
    """Say where compiled functions are kept, and how many."""
    if not keep_compiled_functions():
        return "not kept" if folder_of_jax() is None else f"kept in {folder_of_jax()}"
    files = entries(folder())
    return f"{len(files)} in {folder()}, {sum(file.stat().st_size for file in files) / 1e6:.0f} MB"
