"""The command line: ``sketchlab lab | app | problems | train | verify | spectrum | doctor``.

Results go to standard output (one JSON object with ``--json``), progress and complaints to standard error. The exit status is 0
for success, and for training that was interrupted after a step; 1 from a doctor that found something, and for a run that is not
to be trusted; 2 for a mistake of the caller, which is told in one line, and nothing is written; 130 for what was interrupted
before there was a result.
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
from dataclasses import asdict
from pathlib import Path

import jax
import numpy as np

import sketchlab as sl
from sketchlab.compiled import keep_compiled_functions
from sketchlab.cutting import slab_of
from sketchlab.decompositions import RANK
from sketchlab.doctor import examine
from sketchlab.files import replacing
from sketchlab.lab import open_lab, serve_app
from sketchlab.optimizers import PRESETS
from sketchlab.reading import make_optimizer, read_optimizer
from sketchlab.sketch import OVERSAMPLING
from sketchlab.storage import check_path
from sketchlab.usual import USUAL_NETWORKS, usual_network

#: Options that choose a network, and those that a run which goes on takes.
NETWORK, LOOP = ("network", "width", "depth", "activation"), ("steps", "seconds", "tolerance", "every")
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
    # Only what is given, and what has a default here.
    options = vars(_parser().parse_args(arguments))
    try:
        return options.pop("run")(options)
    except sl.InputError as error:
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
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name, run, description):
        command = commands.add_parser(name, help=description, argument_default=argparse.SUPPRESS)
        command.set_defaults(run=run)
        return command

    lab = add("lab", lambda options: open_lab(options["passed_on"]), "open the notebooks in JupyterLab")
    app = add("app", lambda options: serve_app(options["passed_on"]), "serve the start notebook as a page without code, by Voila")
    for opening in (lab, app):
        opening.add_argument("passed_on", nargs="*", metavar="-- OPTION", help="options for it, after --")
    problems = add("problems", _problems, "list the problems and their equations")
    training = add("train", _train, "train a network on a problem, or go on with a run")
    verification = add("verify", _verify, "say how far a run can be trusted, by independent runs and fresh points")
    spectra = add("spectrum", _spectrum, "compute the eigenvalues of the Gramian")
    doctor = add("doctor", _doctor, "check the installation")
    for printing in (problems, training, verification, spectra, doctor):
        printing.add_argument("--json", action="store_true", help="print JSON")

    training.add_argument("--resume", metavar="RUN.npz", help="go on with this run, and write it to the same file")
    training.add_argument("--optimizer", help=f"{', '.join(sl.OPTIMIZERS)} (default sngd), or as 'sngd(rank=80, momentum=0.5)'")
    training.add_argument("--preset", help=f"of sngd: one of {', '.join(PRESETS)} (default best)")
    training.add_argument("--steps", type=int, help="steps at most, in all, or in each slab")
    training.add_argument("--slabs", type=_literal, help="parts of the time interval, one after the other, or auto")
    training.add_argument("--seconds", type=float, help="stop after so many seconds of steps")
    training.add_argument("--tolerance", type=float, help="stop at this relative L2 error")
    training.add_argument("--resample", metavar="STEPS", type=int, help="draw new points every so many steps")
    training.add_argument("--resampling", help=f"how: one of {', '.join(sl.RESAMPLINGS)} (default redraw)")
    weight_help = "weight of the conditions on the boundary, or balance (default: the problem's own)"
    training.add_argument("--boundary-weight", metavar="WEIGHT", type=_literal, help=weight_help)
    training.add_argument("--block", type=int, help="points in a block of rows of the Jacobian (default: whole if it fits)")
    training.add_argument("--out", metavar="RUN.npz", help="write the run to this file, while it goes on and at its end")
    training.add_argument("--every", metavar="STEPS", type=int, help="steps from one writing to the next (default 10)")
    _add_model(training)

    verification.add_argument("file", metavar="RUN.npz", help="of sketchlab train --out, or sl.save")
    verification.add_argument("--runs", type=int, help="independent runs (default 2)")
    verification.add_argument("--device", default=None, choices=("cpu", "gpu"), help="default: what JAX prefers")

    spectra.add_argument("--theta", metavar="RUN.npz", help="take problem, network and parameters from a run")
    spectra.add_argument("--sketch", default="gaussian", help=f"test matrix, one of {', '.join(sl.SKETCHES)} (default gaussian)")
    spectra.add_argument("--route", default="range", help=f"one of {', '.join(sl.ROUTES)} (default range)")
    spectra.add_argument("--power-iterations", metavar="Q", type=int, default=0, help="power iterations (default 0)")
    spectra.add_argument("--compare-full", action="store_true", help="compute the full spectrum too, and compare")
    spectra.add_argument("--out", metavar="FIGURE", help=f"draw the spectrum into this file ({', '.join(FIGURES)})")
    _add_model(spectra)
    return parser


def _add_model(parser):
    """Add what says which problem, network, points and numbers are meant."""
    parser.add_argument("problem", nargs="?", default=None, help=f"one of {', '.join(sl.PROBLEMS)}")
    parser.add_argument("--network", help=f"one of {', '.join(USUAL_NETWORKS)} (default usual: what the problem asks for)")
    parser.add_argument("--width", type=int, help="units in a hidden layer (default: the recipe's)")
    parser.add_argument("--depth", type=int, help="hidden layers (default: the recipe's)")
    parser.add_argument("--activation", help=f"one of {', '.join(sl.ACTIVATIONS)} (default: the recipe's)")
    parser.add_argument("--rank", type=_literal, help="rank of the sketch (default: the recipe's), or auto to train with")
    parser.add_argument("--points", type=int, help="collocation points (default: the recipe's)")
    parser.add_argument("--sampler", help=f"one of {', '.join(sl.SAMPLERS)} (default uniform)")
    parser.add_argument("--seed", type=int, help="random seed (default 0)")
    parser.add_argument("--dtype", help="float64 (default) or float32")
    parser.add_argument("--device", default=None, choices=("cpu", "gpu"), help="default: what JAX prefers")
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
    for problem, factory in sl.PROBLEMS.items():
        for name in inspect.signature(factory).parameters:
            owners.setdefault(name, []).append(problem)
    return owners


def _take(options, names):
    """Take options out of all that are given, by name."""
    return {name: options.pop(name) for name in names if name in options}


def _refuse(names, file):
    for name in names:
        option = name.replace("_", "-")
        raise sl.InputError(f"--{option} does not go with --{file}: the run in the file has its own. Leave --{option} out.")


def _set_up_jax(device):
    """Set precision and device, before the first array."""
    # Runs in files have either precision, and each array is made with the one that it needs.
    jax.config.update("jax_enable_x64", True)
    keep_compiled_functions()
    if device is None:
        return
    try:
        jax.config.update("jax_default_device", jax.devices(device)[0])
    except RuntimeError as error:
        platforms = ", ".join(sorted({device.platform for device in jax.devices()}))
        raise sl.InputError(
            f"device = {device!r} is not there, JAX sees: {platforms}. Leave --device out, or install jax[cuda13]."
        ) from error


def _make_problem(options, file):
    """Make the problem that is named; None if none is, and there is a file of a run, which has its own."""
    name, owners = options.pop("problem"), _problem_parameters()
    arguments = {parameter: options.pop(f"problem_{parameter}") for parameter in owners if f"problem_{parameter}" in options}
    for parameter, value in arguments.items():
        if name not in owners[parameter]:
            others = ", ".join(owners[parameter])
            raise sl.InputError(f"{parameter} = {value} belongs to {others}, not to {name or 'a run of a file'}.")
    if name is not None:
        return sl.PROBLEMS[name](**arguments)
    if file is None:
        raise sl.InputError(f"no problem is named: give one of {', '.join(sl.PROBLEMS)}.")
    return None


def _make_network(options, problem):
    given = _take(options, NETWORK)
    return usual_network(problem, given.pop("network", "usual"), **given) if given else None


def _start(options):
    """Take the options of a `Setup` out of all that are given."""
    start = _take(options, ("points", "seed", "dtype", "sampler"))
    if "sampler" in start:
        start["sampler"] = sl.SAMPLERS[start["sampler"]]
    return start


def _train(options):
    as_json = options.pop("json", False)
    _set_up_jax(options.pop("device"))
    with warnings.catch_warnings():
        # What it says is printed below.
        warnings.simplefilter("ignore", sl.TrainingWarning)
        run = _old_run(options) if "resume" in options else _new_run(options)
    history, settings = run.history, run.settings
    if not len(history):
        raise KeyboardInterrupt
    if run.stop_reason in ("non-finite", "stalled"):
        print(f"sketchlab: stopped after {run.advice}", file=sys.stderr)
    summary = {
        "problem": run.problem.name,
        "parameters": run.network.size,
        **{name: settings[name] for name in ("optimizer", "points", "dtype", "device", "seed", "compile_seconds")},
        # A first-order method has no rank.
        "rank": int(history.rank[-1]) or None,
        "steps": len(history),
        "seconds": history.seconds[-1],
        "loss": history.loss[-1],
        "relative_l2_error": sl.relative_error(run),
        "stop_reason": run.stop_reason,
    }
    _print(summary, as_json)
    return 0


def _old_run(options):
    path = options.pop("resume")
    problem = _make_problem(options, path)
    _refuse((name for name in options if name not in LOOP), "resume")
    return sl.resume(path, problem, **options)


def _new_run(options):
    problem = _make_problem(options, None)
    slabs = options.get("slabs", problem.recipe.slabs)
    network, start = _make_network(options, problem if slabs == 1 else slab_of(problem)), _start(options)
    name, shortcuts = options.pop("optimizer", None), _take(options, ("rank", "preset"))
    # With a shortcut it has to be a bare name: a text has its own rank and preset.
    optimizer = make_optimizer(name or "sngd", **shortcuts) if shortcuts else name and read_optimizer(name)
    draw = sl.RESAMPLINGS[options.get("resampling", "redraw")]
    if "resample" in options:
        options["resampling"] = draw(options.pop("resample"))
    elif "resampling" in options:
        raise sl.InputError(f"--resampling {options['resampling']} says how to draw points: say how often too, --resample STEPS.")
    return sl.solve(problem, network, optimizer, checkpoint=options.pop("out", None), **start, **options)


def _verify(options):
    as_json = options.pop("json", False)
    _set_up_jax(options.pop("device"))
    run = sl.load(options.pop("file"))
    found = sl.verify(run, progress=True, **options)
    if as_json:
        print(json.dumps({"problem": run.problem.name, "trusted": found.trusted} | asdict(found)))
    else:
        print(f"{run.problem.name}: {found}")
    return 0 if found.trusted else 1


def _spectrum(options):
    as_json, compare, out, file = (options.pop(name, None) for name in ("json", "compare_full", "out", "theta"))
    _set_up_jax(options.pop("device"))
    problem, start, theta = _make_problem(options, file), _start(options), None
    if file is None:
        network = _make_network(options, problem) or problem.network()
    else:
        _refuse(_take(options, NETWORK), "theta")
        run = sl.load(file, problem)
        problem, network, theta = run.problem, run.network, run.theta
        start = {"dtype": theta.dtype.name} | start
    if out is not None:
        check_path(out)
        if Path(out).suffix.lower() not in FIGURES:
            raise sl.InputError(f"--out {out!r} is no kind of figure: end it with one of {', '.join(FIGURES)}.")
    start = {"points": problem.recipe.points} | start
    setup = sl.Setup(problem, network, **start)
    choices = {"rank": min(problem.recipe.rank or RANK, max(setup.largest_rank - OVERSAMPLING, 1))} | options
    rank = choices["rank"]
    # First what memory may refuse.
    full = sl.spectrum(problem, network, theta, **start) if compare else None
    sketched = sl.spectrum(problem, network, theta, **choices, **start)
    drawn = ({} if full is None else {"full": full}) | {f"sketched, rank {rank}": sketched}
    eigenvalues, floor = np.asarray(sketched.eigenvalues), float(sketched.noise_floor)
    summary = {
        "problem": problem.name,
        "parameters": setup.parameters,
        "points": setup.points,
        "rows": setup.rows,
        **choices,
        "dtype": setup.dtype,
        "largest_eigenvalue": eigenvalues[0],
        "eigenvalue_at_rank": eigenvalues[-1],
        "singular_value_error": sketched.error,
        "noise_floor": floor,
        "effective_dimension_1e-8": sketched.effective_dimension(1e-8 * eigenvalues[0]),
        "decay": sl.fit_decay(sketched).law if np.sum(eigenvalues > floor) > 2 else None,
    }
    if full is not None:
        exact = np.asarray(full.eigenvalues)
        seen = exact[:rank] > max(floor, float(full.noise_floor))
        summary |= {
            "full_eigenvalue_at_rank": exact[rank - 1],
            "full_effective_dimension_1e-8": full.effective_dimension(1e-8 * exact[0]),
            "eigenvalues_above_noise": int(np.sum(seen)),
            "largest_relative_error": np.max(np.abs(eigenvalues / exact[:rank] - 1)[seen], initial=0),
        }
    if as_json:
        summary |= {f"{name.split(',')[0]}_eigenvalues": np.asarray(one.eigenvalues).tolist() for name, one in drawn.items()}
    if out is not None:
        _draw_spectrum(out, f"{problem.name}, P = {setup.parameters}, N = {setup.rows}", drawn, rank)
    _print(summary | {"out": out}, as_json)
    return 0


def _draw_spectrum(path, title, spectra, rank):
    # Not made by pyplot, which may need a screen.
    from matplotlib.figure import Figure

    from sketchlab.plots import plot_spectrum

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    plot_spectrum(spectra, rank=rank, ax=figure.subplots()).set_title(title)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=150)


def _problems(options):
    described = {name: sl.PROBLEMS[name]() for name in sl.PROBLEMS}
    if "json" in options:
        print(json.dumps([{"name": name, "dim": one.dim, "equation": one.equation} for name, one in described.items()]))
    else:
        width = max(map(len, described))
        for name, problem in described.items():
            print(f"{name:{width}s}  {problem.equation}")
    return 0


def _doctor(options):
    jax.config.update("jax_enable_x64", True)
    report = examine()
    _print(report, "json" in options)
    return 1 if report["problems_found"] else 0


def _print(summary, as_json):
    summary = {name: _plain(value) for name, value in summary.items()}
    if as_json:
        print(json.dumps(summary))
        return
    width = max(len(name) for name in summary)
    for name, value in summary.items():
        shown = f"{value:.3g}" if isinstance(value, float) else ", ".join(map(str, value)) if isinstance(value, list) else value
        print(f"{name:{width}s}  {'none' if shown is None or shown == '' else shown}")


def _plain(value):
    """Return a number of NumPy or JAX as one of Python, and None for what is non-finite."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
