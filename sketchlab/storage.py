"""Files of runs: everything that is needed to look at a run again, to repeat it, or to go on with it.

A file is one ``.npz``: arrays without pickle, and JSON text beside them. It names the problem by its catalogue entry and
arguments, the network and the optimizer by their settings. What is your own cannot be written down: its name and description are
kept, and `load` asks for it.
"""

import importlib.metadata
import inspect
import json
import os
import zipfile

import jax
import numpy as np

from sketchlab.equations import PROBLEMS
from sketchlab.files import as_path, replacing
from sketchlab.history import STOP_REASONS, History, Run
from sketchlab.networks import network_from_settings
from sketchlab.optimizers import Optimizer, optimizer_from_settings
from sketchlab.problems import Problem
from sketchlab.residuals import LeastSquares
from sketchlab.setup import check_dtype
from sketchlab.strategies import written
from sketchlab.validation import InputError, check_instance

#: Version of the format; files of sketchlab 0.1 have none.
FORMAT = 2


def save(run: Run, path) -> None:
    """Write a run to one ``.npz`` file, which appears whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    check_instance("run", run, Run, "what sl.train returns")
    description = {
        "format": FORMAT,
        "versions": _versions(),
        "problem": _describe_problem(run.problem),
        "network": _described(getattr(run.network, "settings", None)),
        "optimizer": _described(written(run.optimizer)),
        "stop_reason": run.stop_reason,
        "resumable": run.state is not None,
        "settings": run.settings,
    }
    arrays = {name: value for name, value in vars(run.history).items() if value is not None}
    arrays |= {f"state_{i}": leaf for i, leaf in enumerate(run.state or ())}
    arrays |= {f"points_{i}": x for i, x in enumerate(run.points or ())}
    with replacing(path) as partial, open(partial, "wb") as file:
        np.savez(file, theta=run.theta, json=np.array(json.dumps(description, default=_as_text)), **arrays)


def load(path, problem: Problem | None = None, network=None, optimizer: Optimizer | None = None) -> Run:
    """Read a run that `save` wrote.

    Parameters
    ----------
    path
    problem, network, optimizer : optional
        Needed where they are your own; refused where they are not those of the run. The problem gets the weights of the run.

    Raises
    ------
    InputError
        If the file is missing or not a run, something has to be given, or is not what was saved.
    """
    path = as_path(path)
    try:
        with open(path, "rb") as file, np.load(file) as stored:
            arrays = dict(stored)
        saved = json.loads(str(arrays.pop("json")))
        if "format" not in saved:
            saved = _of_first_format(saved)
        theta = arrays.pop("theta")
        state, points = _numbered(arrays, "state"), _numbered(arrays, "points")
        error = arrays.setdefault("relative_error", None)
        # Files of sketchlab 0.1 have the error of all outputs together.
        arrays.setdefault("output_errors", None if error is None else np.full((len(error), 0), np.nan))
        history = History(**arrays)
        described, settings, stop_reason = saved["problem"], saved["settings"], saved["stop_reason"]
        whole = isinstance(saved["network"], dict | None) and isinstance(settings, dict) and isinstance(described, dict)
        if not whole or theta.ndim != 1 or history.loss.ndim != 1 or stop_reason not in STOP_REASONS:
            raise ValueError
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "it is damaged, or holds something else"
        raise InputError(f"cannot read {str(path)!r} as a run: {reason}. Give a file that sketchlab.save wrote.") from error
    check_dtype(theta.dtype.name)
    problem = _problem(described, problem)
    network = network_from_settings(saved["network"]) if network is None else network
    if network.size != len(theta):
        raise InputError(f"the network has {network.size} parameters, the run {len(theta)}: give the network that was saved.")
    if optimizer is None and saved["optimizer"] is not None:
        optimizer = optimizer_from_settings(saved["optimizer"])
    state = state if saved["resumable"] else None
    run = Run(problem, network, theta, history, stop_reason, settings, optimizer, state, points or None)
    if saved["versions"] == _versions() and settings.get("residuals") not in (None, LeastSquares(problem, network).digest):
        raise InputError(
            f"{str(path)!r} holds a run of another {described['name']!r}: its residuals or its network compute something else. "
            "Give those that were saved, load(file, problem, network)."
        )
    return run


def check_path(path) -> None:
    """Raise `InputError` if a file cannot be written, before work goes into it."""
    try:
        path = as_path(path)
        fits = not path.is_dir() and path.parent.is_dir() and os.access(path if path.exists() else path.parent, os.W_OK)
    except (OSError, RuntimeError):  # The name is too long, or ~ somebody unknown.
        fits = False
    if not fits:
        raise InputError(f"cannot write {str(path)!r}: name a file in a folder that exists and is yours.")


def _versions():
    versions = {name: importlib.metadata.version(name) for name in ("sketchlab", "jax", "numpy")}
    return versions | {"64 bit": jax.config.read("jax_enable_x64")}


def _described(value):
    """Return what JSON makes of a value, or None for what it cannot hold, as it is somebody's own."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return None


def _as_text(value):
    """Write a NumPy number as a number, and anything else as text for people."""
    return value.item() if isinstance(value, np.generic) else repr(value)


def _describe_problem(problem):
    return {
        "name": problem.name,
        "origin": _described(problem.origin),
        "weights": [condition.weight for condition in problem.conditions],
        "regions": problem.names,
        "dim": problem.dim,
        "outputs": problem.outputs,
    }


def _of_first_format(saved):
    """Describe a run of sketchlab 0.1, which did not say with which arguments its problem was made."""
    name = saved["problem"]
    arguments = None if name in PROBLEMS and inspect.signature(PROBLEMS[name]).parameters else {}
    return saved | {
        "problem": {"name": name, "origin": [name, arguments], "weights": saved["settings"]["weights"]},
        "network": {"name": "mlp"} | saved["network"],
        "optimizer": None,
        "resumable": False,
        "versions": None,
    }


def _numbered(arrays, name):
    """Take the arrays name_0, name_1 … out of a dictionary."""
    return tuple(arrays.pop(f"{name}_{i}") for i in range(sum(key.startswith(f"{name}_") for key in list(arrays))))


def _problem(described, given) -> Problem:
    """Return the problem of a run, with its weights: that which is given, if it is the same, or one from the catalogue."""
    name, (maker, arguments) = described["name"], described["origin"] or (None, None)
    if given is None:
        if maker not in PROBLEMS:
            raise InputError(f"the run is of a problem of your own, {name!r}: give it, load(file, problem).")
        if arguments is None:
            raise InputError(
                f"the file does not say with which arguments {name!r} was made, as it was written by sketchlab 0.1: give the "
                "problem, load(file, problem)."
            )
        given = PROBLEMS[maker](**arguments)
    found = _describe_problem(check_instance("problem", given, Problem, "the one that the run was trained on"))
    compared = described.keys() - {"weights"}
    # A problem of the catalogue may have been written anew.
    if arguments is None or found["origin"] is None:
        compared -= {"origin"}
    if any(found[key] != described[key] for key in compared):
        made = "" if arguments is None else f", made with {arguments}"
        raise InputError(f"the run is of {name!r}{made}, not of {given.name!r} as given: give the problem that was saved.")
    return given.reweighted(described["weights"])
