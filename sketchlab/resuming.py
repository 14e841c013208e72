"""Going on with a run from a file, and repeating one: with what a run was trained, from its settings."""

from sketchlab.domains import Sampler
from sketchlab.history import Run
from sketchlab.marching import march
from sketchlab.optimizers import Optimizer
from sketchlab.problems import Problem
from sketchlab.recipes import samplers_of
from sketchlab.resampling import RESAMPLINGS, Resampling
from sketchlab.storage import load
from sketchlab.trainer import Trainer
from sketchlab.training import loop, of_the_loop, train
from sketchlab.validation import InputError, checked_call


@checked_call(train, but="checkpoint")
def resume(
    path,
    problem: Problem | None = None,
    network=None,
    optimizer: Optimizer | None = None,
    *,
    sampler: Sampler | None = None,
    resampling: Resampling | None = None,
    **options,
) -> Run:
    """Go on with a run from a file that `save` or ``train(…, checkpoint=…)`` wrote, as if it had not been interrupted.

    A run that was split in this way equals the unsplit one bit for bit, on the same machine and versions. The file is written
    again while the run goes on, and at its end. A `march` goes on with the slab in which it was interrupted.

    Parameters
    ----------
    path
    problem, network, optimizer
        Needed where they are your own, see `load`.
    steps : int, optional
        Steps in all, those taken before included; as many as were asked for at first by default.
    seconds, tolerance : optional
        As in `train`; what was asked for at first by default.
    callbacks, progress, every : optional
        As in `train`.
    sampler, resampling : optional
        Needed where they are your own.

    Raises
    ------
    InputError
        If the file does not say enough, or the run has taken its steps already.
    """
    run = load(path, problem, network, optimizer)
    settings, taken = run.settings, len(run.history)
    if run.optimizer is not None and "march" in settings:
        asked = trained_with(run, sampler, resampling) | settings["march"] | options
        return march(run.problem, run.network.network, run.optimizer, **asked, after=run, checkpoint=path)
    if run.optimizer is None or run.state is None:
        raise InputError(
            f"{str(path)!r} does not say how to go on: its optimizer is your own (give it), or it was written by sketchlab 0.1 "
            "(use sl.train(…, theta=run.theta))."
        )
    options = trained_with(run, sampler, resampling) | options
    asked = of_the_loop(options)
    drive = loop(**asked, checkpoint=path)
    if asked.get("steps", 0) <= taken:
        raise InputError(f"the run has taken its {taken} steps: ask for more in all, as steps={2 * taken}.")
    # The problem of a run has the weights that were chosen for it.
    trainer = Trainer(run.problem, run.network, run.optimizer, boundary_weight="own", seed=settings["seed"], **options)
    trainer.go_on_from(run)
    return drive(trainer)


def trained_with(run: Run, sampler: Sampler | None = None, resampling: Resampling | None = None) -> dict:
    """Return the options of `train` that a run was made with, but for its seed and its weights.

    Raises
    ------
    InputError
        If its sampler or its resampling are somebody's own, and are not given.
    """
    settings = run.settings
    if sampler is None:
        sampler = _named("sampler", samplers_of(run.problem), settings["sampler"])
    if resampling is None and settings["resampling"] is not None:
        arguments = dict(settings["resampling"])
        resampling = _named("resampling", RESAMPLINGS, arguments.pop("name"))(**arguments)
    kept = {name: settings[name] for name in ("dtype", "block")} | {"points": settings["points_asked"]}
    return settings["limits"] | kept | {"sampler": sampler, "resampling": resampling}


def _named(kind, catalogue, name):
    """Return the sampler or resampling that a file names."""
    if name not in catalogue:
        raise InputError(f"the run used a {kind} of your own, {name!r}: give it, {kind}=….")
    return catalogue[name]
