"""The command line: ``sketchlab lab | app | problems | train | spectrum | doctor``.

Results go to standard output (one JSON object with ``--json``), progress and complaints to standard error. A mistake of
the caller is one line and exit status 2; nothing is written then.
"""

import argparse
import importlib.metadata
import importlib.util
import inspect
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from sketchlab.decompositions import RANK
from sketchlab.domains import SAMPLERS
from sketchlab.equations import PROBLEMS
from sketchlab.files import replacing
from sketchlab.laws import fit_decay
from sketchlab.networks import ACTIVATIONS, MLP
from sketchlab.optimizers import OPTIMIZERS, PRESETS
from sketchlab.random_matrices import SKETCHES
from sketchlab.resampling import RESAMPLINGS
from sketchlab.routes import ROUTES
from sketchlab.sketch import OVERSAMPLING
from sketchlab.spectra import spectrum
from sketchlab.storage import load, save
from sketchlab.training import train
from sketchlab.validation import InputError, check_integer

START = "00_start_here.ipynb"
MISSING_LAB = 'JupyterLab is not installed: run pip install "sketchlab[lab]".'
MISSING_APP = 'Voila is not installed: run pip install "sketchlab[app]".'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 for success, 1 from a doctor that found something, 2 for a mistake."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except InputError as error:
        print(f"sketchlab: error: {error}", file=sys.stderr)
        return 2


def _parser():
    parser = _Parser(prog="sketchlab", description="Natural gradients for physics-informed neural networks.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    lab = commands.add_parser("lab", help="open the notebooks in JupyterLab")
    lab.add_argument("jupyter", nargs="*", metavar="-- OPTION", help="options for jupyter lab, after --")
    lab.set_defaults(run=_lab)

    app = commands.add_parser("app", help="serve the start notebook as a page without code, by Voila")
    app.add_argument("voila", nargs="*", metavar="-- OPTION", help="options for voila, after --")
    app.set_defaults(run=_app)

    problems = commands.add_parser("problems", help="list the problems and their equations")
    problems.add_argument("--json", action="store_true", help="print JSON")
    problems.set_defaults(run=_problems)

    training = commands.add_parser("train", help="train a network on a problem")
    _add_model(training)
    training.add_argument("--optimizer", default="sngd", help=f"one of {', '.join(OPTIMIZERS)} (default sngd)")
    training.add_argument("--steps", type=int, default=100, help="steps at most (default 100)")
    training.add_argument("--seconds", type=float, help="stop after so many seconds of steps")
    training.add_argument("--tolerance", type=float, help="stop at this relative L2 error")
    training.add_argument("--preset", help=f"of sngd: one of {', '.join(PRESETS)} (default best)")
    training.add_argument("--resample", metavar="STEPS", type=int, help="draw new points every so many steps")
    training.add_argument("--resampling", default="redraw", help=f"how: one of {', '.join(RESAMPLINGS)} (default redraw)")
    training.add_argument(
        "--boundary-weight",
        metavar="WEIGHT",
        type=_or_word(float, "balance"),
        help="weight of the conditions on faces, or balance (default: the problem's own)",
    )
    training.add_argument("--block", type=int, help="points in a block of rows of the Jacobian (default: whole if it fits)")
    training.add_argument("--out", metavar="RUN.npz", help="write the run to this file")
    training.set_defaults(run=_train)

    spectra = commands.add_parser("spectrum", help="compute the eigenvalues of the Gramian")
    _add_model(spectra)
    spectra.add_argument("--theta", metavar="RUN.npz", help="take network and parameters from a run that train --out wrote")
    spectra.add_argument("--sketch", default="gaussian", help=f"test matrix, one of {', '.join(SKETCHES)} (default gaussian)")
    spectra.add_argument("--route", default="range", help=f"one of {', '.join(ROUTES)} (default range)")
    spectra.add_argument("--power-iterations", metavar="Q", type=int, default=0, help="power iterations (default 0)")
    spectra.add_argument("--activation", default="tanh", help=f"one of {', '.join(ACTIVATIONS)} (default tanh)")
    spectra.add_argument("--compare-full", action="store_true", help="compute the full spectrum too, and compare")
    spectra.add_argument("--out", metavar="FIGURE", help="draw the spectrum into this file (png, pdf, svg)")
    spectra.set_defaults(run=_spectrum)

    doctor = commands.add_parser("doctor", help="check the installation")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.set_defaults(run=_doctor)
    return parser


class _Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line, without the usage text."""

    def error(self, message):
        self.exit(2, f"sketchlab: error: {message} (see {self.prog} --help)\n")


def _add_model(parser):
    """Add what says which problem, network, points and numbers are meant."""
    parser.add_argument("problem", help=f"one of {', '.join(PROBLEMS)}")
    parser.add_argument("--width", type=int, default=32, help="units in a hidden layer (default 32)")
    parser.add_argument("--depth", type=int, default=2, help="hidden layers (default 2)")
    parser.add_argument(
        "--rank", type=_or_word(int, "auto"), help=f"rank of the sketch (default {RANK} or what fits); auto to train with"
    )
    parser.add_argument("--points", type=int, default=1000, help="collocation points (default 1000)")
    parser.add_argument("--sampler", default="uniform", help=f"one of {', '.join(SAMPLERS)} (default uniform)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    parser.add_argument("--dtype", default="float64", help="float64 (default) or float32")
    parser.add_argument("--device", help="cpu or gpu (default: what JAX prefers)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    for name, owners in _problem_parameters().items():
        parser.add_argument(f"--{name}", type=float, help=f"parameter of {', '.join(owners)}")


def _or_word(number, word):
    """Return a parser of arguments that takes `word` as it is and anything else as a `number`."""

    def parse(text):
        return text if text == word else number(text)

    parse.__name__ = f"{number.__name__} or {word!r}"
    return parse


def _problem_parameters():
    """Map every parameter that some problem takes to the problems that take it."""
    owners = {}
    for problem, factory in PROBLEMS.items():
        for name in inspect.signature(factory).parameters:
            owners.setdefault(name, []).append(problem)
    return owners


def _make_problem(options):
    factory = PROBLEMS[options.problem]
    given = {name: getattr(options, name) for name in _problem_parameters() if getattr(options, name) is not None}
    for name in given:
        if name not in inspect.signature(factory).parameters:
            owners = ", ".join(_problem_parameters()[name])
            raise InputError(f"{options.problem} takes no --{name}; it belongs to {owners}.")
    return factory(**given)


def _set_up_jax(options):
    """Set precision and device, before the first array."""
    jax.config.update("jax_enable_x64", options.dtype == "float64")
    if options.device is None:
        return
    if options.device not in ("cpu", "gpu"):
        raise InputError(f"device = {options.device!r} is not known: use cpu or gpu.")
    try:
        jax.config.update("jax_default_device", jax.devices(options.device)[0])
    except RuntimeError as error:
        platforms = ", ".join(sorted({device.platform for device in jax.devices()}))
        raise InputError(
            f"device = {options.device!r} is not there, JAX sees: {platforms}. Leave --device out, or install jax[cuda13]."
        ) from error


def _make_optimizer(options):
    factory = OPTIMIZERS[options.optimizer]
    given = {name: getattr(options, name) for name in ("rank", "preset") if getattr(options, name) is not None}
    for name in given:
        if name not in inspect.signature(factory).parameters:
            raise InputError(f"optimizer {options.optimizer!r} takes no --{name}; leave it out, or use sngd.")
    return factory(**given)


def _train(options):
    _set_up_jax(options)
    problem = _make_problem(options)
    network = MLP(problem.dim, options.width, options.depth, problem.outputs)
    points = check_integer("points", options.points, len(problem.conditions))
    optimizer = _make_optimizer(options)
    resampling = None if options.resample is None else RESAMPLINGS[options.resampling](options.resample)
    if options.out is not None:
        _check_writable(options.out)
    run = train(
        problem,
        network,
        optimizer,
        steps=options.steps,
        seconds=options.seconds,
        tolerance=options.tolerance,
        points=points,
        seed=options.seed,
        dtype=options.dtype,
        sampler=SAMPLERS[options.sampler],
        resampling=resampling,
        boundary_weight=options.boundary_weight,
        block=options.block,
    )
    if options.out is not None:
        save(run, options.out)
    history = run.history
    summary = {
        "problem": problem.name,
        "optimizer": optimizer.name,
        "parameters": network.size,
        "points": run.settings["points"],
        # A first-order method has no rank.
        "rank": _last(history.rank) or None,
        "dtype": options.dtype,
        "device": run.settings["device"],
        "seed": options.seed,
        "steps": len(history),
        "seconds": _last(history.seconds) or 0.0,
        "compile_seconds": run.settings["compile_seconds"],
        "loss": _last(history.loss),
        "relative_l2_error": _last(history.relative_error),
        "stop_reason": run.stop_reason,
    }
    _print(summary, options.json)
    return 0


def _spectrum(options):
    _set_up_jax(options)
    problem = _make_problem(options)
    network = MLP(problem.dim, options.width, options.depth, problem.outputs, options.activation)
    theta = None
    if options.theta is not None:
        run = load(options.theta, problem=problem)
        network, theta = run.network, run.theta
    if options.out is not None:
        _check_figure(options.out)
    points = check_integer("points", options.points, len(problem.conditions))
    common = {"points": points, "seed": options.seed, "dtype": options.dtype, "sampler": SAMPLERS[options.sampler]}
    rank = min(RANK, max(min(points, network.size) - OVERSAMPLING, 1)) if options.rank is None else options.rank
    choices = {"route": options.route, "sketch": options.sketch, "power_iterations": options.power_iterations}
    # First what memory may refuse.
    full = spectrum(problem, network, theta, **common) if options.compare_full else None
    sketched = spectrum(problem, network, theta, rank=rank, **choices, **common)
    drawn = ({} if full is None else {"full": full}) | {f"sketched, rank {rank}": sketched}
    eigenvalues, floor = np.asarray(sketched.eigenvalues), float(sketched.noise_floor)
    summary = {
        "problem": problem.name,
        "parameters": sketched.shape[1],
        "points": points,
        "rows": sketched.shape[0],
        "rank": rank,
        **choices,
        "dtype": options.dtype,
        "largest_eigenvalue": _number(eigenvalues[0]),
        "eigenvalue_at_rank": _number(eigenvalues[-1]),
        "singular_value_error": _number(sketched.error),
        "noise_floor": _number(floor),
        "effective_dimension_1e-8": _number(sketched.effective_dimension(1e-8 * eigenvalues[0])),
        "decay": fit_decay(sketched).law if np.sum(eigenvalues > floor) > 2 else None,
    }
    if full is not None:
        exact = np.asarray(full.eigenvalues)
        seen = exact[:rank] > max(floor, float(full.noise_floor))
        summary |= {
            "full_eigenvalue_at_rank": _number(exact[rank - 1]),
            "full_effective_dimension_1e-8": _number(full.effective_dimension(1e-8 * exact[0])),
            "eigenvalues_above_noise": int(np.sum(seen)),
            "largest_relative_error": _number(np.max(np.abs(eigenvalues / exact[:rank] - 1)[seen], initial=0)),
        }
    if options.json:
        summary |= {f"{name.split(',')[0]}_eigenvalues": list(map(_number, one.eigenvalues)) for name, one in drawn.items()}
    if options.out is not None:
        _draw_spectrum(options.out, f"{problem.name}, P = {sketched.shape[1]}, N = {sketched.shape[0]}", drawn, rank)
    _print(summary | {"out": options.out}, options.json)
    return 0


def _draw_spectrum(path, title, spectra, rank):
    # Written by a backend that needs no screen, wherever the command runs.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from sketchlab.plots import plot_spectrum

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    plot_spectrum(spectra, rank=rank, ax=figure.subplots()).set_title(title)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=150)


def _check_writable(path):
    """Refuse a file that cannot be written before minutes of work go into it."""
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"cannot write --out {str(path)!r}: name a file in a folder that exists and is yours.")


def _check_figure(path):
    _check_writable(path)
    known = ("png", "pdf", "svg")
    if Path(path).suffix[1:].lower() not in known:
        raise InputError(f"--out {path!r} is no kind of figure: end it with one of {', '.join('.' + end for end in known)}.")


def _problems(options):
    described = {name: PROBLEMS[name]() for name in PROBLEMS}
    if options.json:
        print(json.dumps([{"name": n, "dim": p.dim, "equation": p.equation} for n, p in described.items()], ensure_ascii=False))
    else:
        for name, problem in described.items():
            print(f"{name:14s} {problem.equation}")
    return 0


def _lab(options):
    if importlib.util.find_spec("jupyterlab") is None:
        raise InputError(MISSING_LAB)
    folder = _notebooks()
    # In a container one often is root, and Jupyter asks to be told that this is meant.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [sys.executable, "-m", "jupyterlab", str(folder / START), *root, *options.jupyter]
    return subprocess.run(command, check=False).returncode


def _app(options):
    if importlib.util.find_spec("voila") is None:
        raise InputError(MISSING_APP)
    # A kernel whose page has gone is ended after a while, for Voila's own way to end it is refused by current servers.
    cull = ["--MappingKernelManager.cull_interval=30", "--MappingKernelManager.cull_idle_timeout=120"]
    show = ["--show_tracebacks=True", "--progressive_rendering=True"]
    command = [sys.executable, "-m", "voila", str(_notebooks() / START), *cull, *show, *options.voila]
    return subprocess.run(command, check=False).returncode


def _notebooks():
    """Find the notebooks: where they are in a checkout; else a copy in the current folder, for editing."""
    package = Path(__file__).parent
    checkout = package.parent / "notebooks"
    if (checkout / START).exists():
        return checkout
    copy = Path.cwd() / "sketchlab-notebooks"
    if not copy.exists():
        shutil.copytree(package / "notebooks", copy)
    return copy


def _doctor(options):
    jax.config.update("jax_enable_x64", True)
    report = {"python": sys.version.split()[0]}
    problems = []
    for name in (
        "sketchlab",
        "jax",
        "jaxlib",
        "numpy",
        "scipy",
        "optax",
        "matplotlib",
        "jupyterlab",
        "ipywidgets",
        "plotly",
        "anywidget",
    ):
        try:
            report[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            report[name] = None
            problems.append(f'{name} is not installed: run pip install "sketchlab[lab]"')
    report["devices"] = [f"{device.platform}: {device.device_kind}" for device in jax.devices()]
    report["cores"] = os.cpu_count()
    # The shortest proof that double precision, the linear algebra and the loop work: a small problem solved.
    run = train(PROBLEMS["poisson_1d"](), MLP(1, 8, 1), OPTIMIZERS["sngd"](rank=20), steps=30, points=60, progress=False)
    report["trial_error"] = float(run.history.relative_error[-1])
    if not report["trial_error"] < 1e-2:
        problems.append(f"a trial run ended with a relative error of {report['trial_error']:.1e}, expected below 1e-2")
    report["problems_found"] = problems
    _print(report, options.json)
    return 1 if problems else 0


def _number(value):
    """Return a float, or None for what JSON has no number for."""
    value = float(value)
    return value if math.isfinite(value) else None


def _last(column):
    """Return the last entry of a history's column; None if there is no column, no entry or no number."""
    if column is None or not len(column) or not np.isfinite(column[-1]):
        return None
    return column[-1].item()


def _print(summary, as_json):
    if as_json:
        print(json.dumps(summary))
        return
    width = max(len(name) for name in summary)
    for name, value in summary.items():
        shown = f"{value:.3g}" if isinstance(value, float) else ", ".join(map(str, value)) if isinstance(value, list) else value
        print(f"{name:{width}s}  {'none' if shown is None or shown == '' else shown}")
