"""The command line: ``sketchlab lab | app | problems | train | spectrum | doctor``.

Results go to standard output (one JSON object with ``--json``), progress and complaints to standard error. The exit status is 0
for success, and for training that was interrupted after a step; 1 from a doctor that found something; 2 for a mistake of the
caller, which is told in one line, and nothing is written; 130 for what was interrupted before there was a result.
"""

import argparse
import inspect
import json
import math
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from sketchlab.decompositions import RANK
from sketchlab.doctor import examine
from sketchlab.domains import SAMPLERS
from sketchlab.equations import PROBLEMS
from sketchlab.files import replacing
from sketchlab.history import TrainingWarning
from sketchlab.lab import open_lab, serve_app
from sketchlab.laws import fit_decay
from sketchlab.networks import ACTIVATIONS
from sketchlab.optimizers import OPTIMIZERS, PRESETS
from sketchlab.random_matrices import SKETCHES
from sketchlab.reading import make_optimizer, read_optimizer
from sketchlab.resampling import RESAMPLINGS
from sketchlab.routes import ROUTES
from sketchlab.setup import Setup
from sketchlab.sketch import OVERSAMPLING
from sketchlab.spectra import spectrum
from sketchlab.storage import check_path, load
from sketchlab.training import resume, train
from sketchlab.validation import InputError
from sketchlab.wrappers import USUAL_NETWORKS, usual_network

NETWORK = ("network", "width", "depth", "activation")
#: What a new run is made of, and a run from a file brings with it.
NEW_RUN = (*NETWORK, *"points sampler seed dtype optimizer rank preset resample resampling boundary_weight block out".split())
FIGURES = (".png", ".pdf", ".svg")


def main() -> int:
    """Be the command line of this process, and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A console that lacks a sign shows another one in its place.
        stream.reconfigure(errors="replace")
    received = []

    def interrupt(number, frame):
        # Every other one is passed over: while what was reached is being saved, an impatient second Ctrl-C changes nothing.
        received.append(number)
        if len(received) % 2:
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    status = command()
    sys.stdout.flush()
    if received:
        # XLA goes on compiling in threads of its own, and crashes when Python takes down at exit what they use.
        os._exit(status)
    return status


def command(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except InputError as error:
        print(f"sketchlab: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sketchlab: interrupted before there was a result.", file=sys.stderr)
        return 130


class _Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line, without the usage text."""

    def error(self, message):
        self.exit(2, f"sketchlab: error: {message} (see {self.prog} --help)\n")


def _parser():
    parser = _Parser(prog="sketchlab", description="Natural gradients for physics-informed neural networks.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    lab = commands.add_parser("lab", help="open the notebooks in JupyterLab")
    lab.add_argument("jupyter", nargs="*", metavar="-- OPTION", help="options for jupyter lab, after --")
    lab.set_defaults(run=lambda options: open_lab(options.jupyter))

    app = commands.add_parser("app", help="serve the start notebook as a page without code, by Voila")
    app.add_argument("voila", nargs="*", metavar="-- OPTION", help="options for voila, after --")
    app.set_defaults(run=lambda options: serve_app(options.voila))

    problems = commands.add_parser("problems", help="list the problems and their equations")
    problems.set_defaults(run=_problems)

    training = commands.add_parser("train", help="train a network on a problem, or go on with a run")
    training.add_argument("--resume", metavar="RUN.npz", help="go on with this run, and write it to the same file")
    training.add_argument("--optimizer", help=f"{', '.join(OPTIMIZERS)} (default sngd), or as in 'sngd(rank=80, momentum=0.5)'")
    training.add_argument("--preset", help=f"of sngd: one of {', '.join(PRESETS)} (default best)")
    training.add_argument("--steps", type=int, help="steps at most, in all (default 100)")
    training.add_argument("--seconds", type=float, help="stop after so many seconds of steps")
    training.add_argument("--tolerance", type=float, help="stop at this relative L2 error")
    training.add_argument("--resample", metavar="STEPS", type=int, help="draw new points every so many steps")
    training.add_argument("--resampling", help=f"how: one of {', '.join(RESAMPLINGS)} (default redraw)")
    weight_help = "weight of the conditions on the boundary, or balance (default: the problem's own)"
    training.add_argument("--boundary-weight", metavar="WEIGHT", type=_literal, help=weight_help)
    training.add_argument("--block", type=int, help="points in a block of rows of the Jacobian (default: whole if it fits)")
    training.add_argument("--out", metavar="RUN.npz", help="write the run to this file, while it goes on and at its end")
    training.add_argument("--every", metavar="STEPS", type=int, help="steps from one writing to the next (default 10)")
    _add_model(training)
    training.set_defaults(run=_train)

    spectra = commands.add_parser("spectrum", help="compute the eigenvalues of the Gramian")
    spectra.add_argument("--theta", metavar="RUN.npz", help="take problem, network and parameters from a run")
    spectra.add_argument("--sketch", default="gaussian", help=f"test matrix, one of {', '.join(SKETCHES)} (default gaussian)")
    spectra.add_argument("--route", default="range", help=f"one of {', '.join(ROUTES)} (default range)")
    spectra.add_argument("--power-iterations", metavar="Q", type=int, default=0, help="power iterations (default 0)")
    spectra.add_argument("--compare-full", action="store_true", help="compute the full spectrum too, and compare")
    spectra.add_argument("--out", metavar="FIGURE", help=f"draw the spectrum into this file ({', '.join(FIGURES)})")
    _add_model(spectra)
    spectra.set_defaults(run=_spectrum)

    doctor = commands.add_parser("doctor", help="check the installation")
    doctor.set_defaults(run=_doctor)
    for printing in (problems, training, spectra, doctor):
        printing.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_model(parser):
    """Add what says which problem, network, points and numbers are meant: what is not given is None."""
    parser.add_argument("problem", nargs="?", help=f"one of {', '.join(PROBLEMS)}")
    parser.add_argument("--network", help=f"one of {', '.join(USUAL_NETWORKS)} (default mlp)")
    parser.add_argument("--width", type=int, help="units in a hidden layer (default 32)")
    parser.add_argument("--depth", type=int, help="hidden layers (default 2)")
    parser.add_argument("--activation", help=f"one of {', '.join(ACTIVATIONS)} (default tanh)")
    parser.add_argument("--rank", type=_literal, help=f"rank of the sketch (default {RANK} or what fits), or auto to train with")
    parser.add_argument("--points", type=int, help="collocation points (default 1000)")
    parser.add_argument("--sampler", help=f"one of {', '.join(SAMPLERS)} (default uniform)")
    parser.add_argument("--seed", type=int, help="random seed (default 0)")
    parser.add_argument("--dtype", help="float64 (default) or float32")
    parser.add_argument("--device", help="cpu or gpu (default: what JAX prefers)")
    for name, owners in _problem_parameters().items():
        added = {"dest": f"problem_{name}", "type": _literal, "help": f"parameter of {', '.join(owners)}"}
        try:
            parser.add_argument(f"--{name}", **added)
        except argparse.ArgumentError:
            # Another option has this name.
            parser.add_argument(f"--problem-{name}", **added)


def _literal(text):
    """Read a number, and leave any other text as it is."""
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            pass
    return text


def _problem_parameters():
    """Map every parameter that some problem takes to the problems that take it."""
    owners = {}
    for problem, factory in PROBLEMS.items():
        for name in inspect.signature(factory).parameters:
            owners.setdefault(name, []).append(problem)
    return owners


def _given(options, *names):
    """Return those of the options that were given, by name."""
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def _refuse(options, names, file):
    for name in _given(options, *names):
        option = name.replace("_", "-")
        raise InputError(f"--{option} does not go with --{file}: the run in the file has its own. Leave --{option} out.")


def _set_up_jax(options):
    """Set precision and device, before the first array."""
    # Runs in files have either precision, and each array is made with the one that it needs.
    jax.config.update("jax_enable_x64", True)
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


def _make_problem(options, file):
    """Make the problem that is named; None if none is, and there is a file of a run, which has its own."""
    factory = None if options.problem is None else PROBLEMS[options.problem]
    arguments = {}
    for name, owners in _problem_parameters().items():
        value = getattr(options, f"problem_{name}")
        if value is not None and options.problem not in owners:
            raise InputError(f"{name} = {value} belongs to {', '.join(owners)}, not to {options.problem or 'a run of a file'}.")
        if value is not None:
            arguments[name] = value
    if factory is None and file is None:
        raise InputError(f"no problem is named: give one of {', '.join(PROBLEMS)}.")
    return factory and factory(**arguments)


def _make_network(options, problem):
    given = _given(options, *NETWORK)
    return usual_network(problem, given.pop("network", "mlp"), **given)


def _start(options):
    """Return the options of a `Setup`."""
    given = _given(options, "points", "seed", "dtype", "sampler")
    return given | ({"sampler": SAMPLERS[given["sampler"]]} if "sampler" in given else {})


def _train(options):
    _set_up_jax(options)
    with warnings.catch_warnings():
        # What it says is printed below.
        warnings.simplefilter("ignore", TrainingWarning)
        run = _new_run(options) if options.resume is None else _old_run(options)
    history, settings = run.history, run.settings
    if not len(history):
        raise KeyboardInterrupt
    if run.stop_reason in ("non-finite", "stalled"):
        print(f"sketchlab: stopped after {run.advice}", file=sys.stderr)
    summary = {
        "problem": run.problem.name,
        "optimizer": run.optimizer.name,
        "parameters": run.network.size,
        "points": settings["points"],
        # A first-order method has no rank.
        "rank": _last(history.rank) or None,
        "dtype": settings["dtype"],
        "device": settings["device"],
        "seed": settings["seed"],
        "steps": len(history),
        "seconds": _last(history.seconds),
        "compile_seconds": settings["compile_seconds"],
        "loss": _last(history.loss),
        "relative_l2_error": _last(history.relative_error),
        "stop_reason": run.stop_reason,
    }
    _print(summary, options.json)
    return 0


def _new_run(options):
    problem = _make_problem(options, None)
    name, shortcuts = options.optimizer or "sngd", _given(options, "rank", "preset")
    # With a shortcut it has to be a bare name: a text has its own rank and preset.
    optimizer = make_optimizer(name, **shortcuts) if shortcuts else read_optimizer(name)
    draw = RESAMPLINGS[options.resampling or "redraw"]
    if options.resample is None and options.resampling is not None:
        raise InputError(f"--resampling {options.resampling} says how to draw new points: say how often too, --resample STEPS.")
    return train(
        problem,
        _make_network(options, problem),
        optimizer,
        resampling=None if options.resample is None else draw(options.resample),
        checkpoint=options.out,
        **_given(options, "steps", "seconds", "tolerance", "every", "boundary_weight", "block"),
        **_start(options),
    )


def _old_run(options):
    _refuse(options, NEW_RUN, "resume")
    return resume(
        options.resume, _make_problem(options, options.resume), **_given(options, "steps", "seconds", "tolerance", "every")
    )


def _spectrum(options):
    _set_up_jax(options)
    problem, start, theta = _make_problem(options, options.theta), _start(options), None
    if options.theta is None:
        network = _make_network(options, problem)
    else:
        _refuse(options, NETWORK, "theta")
        run = load(options.theta, problem)
        problem, network, theta = run.problem, run.network, run.theta
        start = {"dtype": theta.dtype.name} | start
    if options.out is not None:
        check_path(options.out)
        if Path(options.out).suffix.lower() not in FIGURES:
            raise InputError(f"--out {options.out!r} is no kind of figure: end it with one of {', '.join(FIGURES)}.")
    setup = Setup(problem, network, **start)
    rank = min(RANK, max(setup.largest_rank - OVERSAMPLING, 1)) if options.rank is None else options.rank
    choices = _given(options, "route", "sketch", "power_iterations")
    # First what memory may refuse.
    full = spectrum(problem, network, theta, **start) if options.compare_full else None
    sketched = spectrum(problem, network, theta, rank=rank, **choices, **start)
    drawn = ({} if full is None else {"full": full}) | {f"sketched, rank {rank}": sketched}
    eigenvalues, floor = np.asarray(sketched.eigenvalues), float(sketched.noise_floor)
    summary = {
        "problem": problem.name,
        "parameters": setup.parameters,
        "points": setup.points,
        "rows": setup.rows,
        "rank": rank,
        **choices,
        "dtype": setup.dtype,
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
        _draw_spectrum(options.out, f"{problem.name}, P = {setup.parameters}, N = {setup.rows}", drawn, rank)
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


def _problems(options):
    described = {name: PROBLEMS[name]() for name in PROBLEMS}
    if options.json:
        print(json.dumps([{"name": name, "dim": one.dim, "equation": one.equation} for name, one in described.items()]))
    else:
        for name, problem in described.items():
            print(f"{name:14s} {problem.equation}")
    return 0


def _doctor(options):
    jax.config.update("jax_enable_x64", True)
    report = examine()
    _print(report, options.json)
    return 1 if report["problems_found"] else 0


def _number(value):
    """Return a float, or None for what JSON has no number for."""
    value = float(value)
    return value if math.isfinite(value) else None


def _last(column):
    """Return the last entry of a history's column; None if there is no column, or the entry is non-finite."""
    return None if column is None or not np.isfinite(column[-1]) else column[-1].item()


def _print(summary, as_json):
    if as_json:
        print(json.dumps(summary))
        return
    width = max(len(name) for name in summary)
    for name, value in summary.items():
        shown = f"{value:.3g}" if isinstance(value, float) else ", ".join(map(str, value)) if isinstance(value, list) else value
        print(f"{name:{width}s}  {'none' if shown is None or shown == '' else shown}")
