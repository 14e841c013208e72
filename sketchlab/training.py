"""Training: the loop, from the first step to the reason to stop.

`train` drives a `Trainer` until something says stop, and returns a `Run`.
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from tqdm.auto import tqdm

from sketchlab.history import Record, Run, TrainingWarning
from sketchlab.optimizers import Optimizer, sketched_natural_gradient
from sketchlab.problems import Problem
from sketchlab.setup import Setup
from sketchlab.storage import check_path, save
from sketchlab.trainer import Trainer
from sketchlab.validation import InputError, check_integer, check_real, checked_call, is_list, takes


@checked_call(Trainer, Setup)
def train(
    problem: Problem,
    network,
    optimizer: Optimizer | None = None,
    *,
    steps: int = 100,
    seconds: float | None = None,
    tolerance: float | None = None,
    callbacks: Sequence[Callable[[Trainer, Record], bool | None]] = (),
    progress: bool = True,
    checkpoint=None,
    every: int = 10,
    **options,
) -> Run:
    """Train a network on a problem.

    Parameters
    ----------
    problem, network
    optimizer : Optimizer, optional
        `sketched_natural_gradient()` by default.
    steps : int
        Steps at most.
    seconds : float, optional
        Stop after the step that passes it; compilation does not count.
    tolerance : float, optional
        Stop when the relative error, or without a known solution the loss, is at most this.
    callbacks : sequence of callable, (trainer, record) -> bool or None
        Called after every step; True stops.
    progress : bool
        Show a progress bar on standard error.
    checkpoint : path, optional
        File to `save` the run in while it goes on, and when it ends for whatever reason: `resume` continues it.
    every : int
        Steps from one writing of it to the next.
    **options
        points, seed, dtype, sampler: see `Setup`; theta, resampling, boundary_weight, block, mesh: see `Trainer`.

    Returns
    -------
    Run
        After Ctrl-C too: what was reached, with stop_reason "interrupted". A run that cannot go on ends as "non-finite" or
        "stalled", with a `TrainingWarning` that says what to try.

    Raises
    ------
    InputError
        For whatever does not fit: see the message.
    Exception
        That of a callback: what was reached is its attribute ``run``.
    """
    drive = loop(steps, seconds, tolerance, callbacks, progress, checkpoint, every)
    return drive(Trainer(problem, network, sketched_natural_gradient() if optimizer is None else optimizer, **options))


@checked_call(train, Trainer, Setup, but="seed")
def train_seeds(
    problem: Problem, network, optimizer: Optimizer | None = None, *, seeds: Sequence[int] = range(10), **options
) -> list[Run]:
    """Train from several seeds, with one compilation for all: one seed proves nothing.

    Parameters
    ----------
    problem, network, optimizer
    seeds : sequence of int
        Each has its own first parameters, points and random matrices.
    **options
        As in `train`, for each seed; there is no checkpoint.

    Returns
    -------
    list of Run
        One for each seed, as `train` returns it.

    Notes
    -----
    One seed after the other. A step may be mapped over seeds by `jax.vmap` too, but then the factorizations of all seeds become
    batched LAPACK calls, and two of those at once wait for each other for ever where JAX has two threads (jaxlib 0.10).

    Examples
    --------
    >>> problem, network, optimizer = sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 8), sl.sketched_natural_gradient(20)
    >>> runs = sl.train_seeds(problem, network, optimizer, seeds=range(3), steps=5, points=40, progress=False)
    >>> [len(run.history) for run in runs]
    [5, 5, 5]
    """
    drive = loop(**of_the_loop(options))
    if not is_list(seeds):
        raise InputError(f"seeds = {seeds!r} is no list, or is empty: write seeds=range(10), or seeds=[0].")
    trainer = Trainer(problem, network, sketched_natural_gradient() if optimizer is None else optimizer, seed=seeds[0], **options)
    runs = []
    for seed in seeds:
        trainer.restart(seed)
        runs.append(drive(trainer))
    return runs


def of_the_loop(options):
    """Take the options of the loop out of all, which leaves those of a `Trainer`."""
    names = "steps", "seconds", "tolerance", "callbacks", "progress", "every"
    return {name: options.pop(name) for name in names if name in options}


def loop(steps=100, seconds=None, tolerance=None, callbacks=(), progress=True, checkpoint=None, every=10):
    """Return the loop that advances a trainer until it has taken its steps, or something says stop: trainer -> run."""
    limits = {"steps": check_integer("steps", steps, 1, 10**9), "seconds": seconds, "tolerance": tolerance}
    for name in ("seconds", "tolerance"):
        if limits[name] is not None:
            check_real(name, limits[name], 0, np.inf, open_low=True, open_high=True)
    check_integer("every", every, 1)
    if np.ndim(callbacks) != 1 or not all(takes(callback, 2) for callback in callbacks):
        raise InputError(f"callbacks = {callbacks!r} is no list of functions (trainer, record): write callbacks=[callback].")
    if checkpoint is not None:
        check_path(checkpoint)

    def stop(trainer, record):
        """Return why to stop after a step, or None."""
        measured = record.loss if record.relative_error is None else record.relative_error
        # A list, not any() over a generator: one callback's stop must not keep the next from seeing the step.
        asked = any([_answer(callback(trainer, record)) for callback in callbacks])
        if tolerance is not None and measured <= tolerance:
            return "tolerance"
        if trainer.ended:
            return trainer.ended
        if asked:
            return "callback"
        if seconds is not None and trainer.seconds >= seconds:
            return "seconds"
        return "steps" if record.step >= steps else None

    def drive(trainer):
        reason = None
        try:
            with tqdm(total=steps, initial=len(trainer.records), desc=trainer.problem.name, disable=not progress) as bar:
                while reason is None:
                    record = trainer.step()
                    error = "" if record.relative_error is None else f", error {record.relative_error:.1e}"
                    bar.set_postfix_str(f"loss {record.loss:.1e}{error}", refresh=False)
                    bar.update()
                    reason = stop(trainer, record)
                    if checkpoint is not None and record.step % every == 0:
                        save(trainer.run("interrupted", **limits), checkpoint)
        except KeyboardInterrupt:
            reason = "interrupted"
        except Exception as error:
            reason = "error"
            error.run = trainer.run(reason, **limits)  # pyright: ignore[reportAttributeAccessIssue]
            error.add_note(f"{len(trainer.records)} steps were taken: they are in the attribute run of this exception.")
            raise
        finally:
            # Before the first step there is nothing that an older file should make room for.
            if checkpoint is not None and trainer.records:
                save(trainer.run(reason or "interrupted", **limits), checkpoint)
        run = trainer.run(reason, **limits)
        if reason in ("non-finite", "stalled"):
            warnings.warn(f"training of {run.problem.name!r} stopped after {run.advice}", TrainingWarning, stacklevel=4)
        return run

    return drive


def _answer(said):
    """Return whether a callback said stop: True, 1, or a NumPy or JAX number or truth value."""
    try:
        return bool(said)
    except ValueError as error:
        raise InputError(f"a callback returned {said!r}: return True to stop, False or nothing to go on.") from error
