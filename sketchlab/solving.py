"""Solving a problem by its recipe."""

from sketchlab.cutting import steps_of_slabs
from sketchlab.decompositions import RANK
from sketchlab.history import Run
from sketchlab.marching import march
from sketchlab.optimizers import Optimizer, sketched_natural_gradient
from sketchlab.problems import Problem
from sketchlab.setup import Setup
from sketchlab.trainer import Trainer
from sketchlab.training import train
from sketchlab.validation import check_instance, check_integer, checked_call


@checked_call(train, Trainer, Setup)
def solve(
    problem: Problem, network=None, optimizer: Optimizer | None = None, *, slabs: int | str | None = None, **options
) -> Run:
    """Train the network of a problem's recipe, with its points and its sketch, as a whole or slab by slab.

    Parameters
    ----------
    problem : Problem
        Its `Recipe` says what is not given here.
    network : network, optional
    optimizer : Optimizer, optional
        `sketched_natural_gradient` with the rank of the recipe, or the largest that fits another network or other points; its
        other options as always.
    slabs : int or "auto", optional
        With more than one, `march` along the last axis. The rest of a recipe was found for its own number.
    **options
        As in `train`: points, steps, seed, tolerance …

    Returns
    -------
    Run

    Examples
    --------
    >>> run = sl.solve(sl.PROBLEMS["poisson_1d"](), points=60, steps=50, progress=False)
    >>> bool(run.history.relative_error[-1] < 1e-4)
    True
    """
    check_instance("problem", problem, Problem, 'sl.PROBLEMS["heat_1d"]() or sl.Problem(…)')
    recipe = problem.recipe
    given = options
    slabs = recipe.slabs if slabs is None else slabs
    if not isinstance(slabs, str):
        check_integer("slabs", slabs, 1)
    # Numbers of steps that were found for its own slabs say nothing of others.
    steps = recipe.steps if slabs == recipe.slabs else max(steps_of_slabs(recipe.steps))
    options = {"points": recipe.points, "steps": steps, **recipe.options} | options
    if optimizer is None:
        rank = RANK if recipe.rank is None else recipe.rank
        if network is not None or "points" in given:
            # A rank that was found for another network, or for more points.
            setup = Setup(problem, problem.network() if network is None else network, options["points"])
            rank = max(1, min(rank, setup.largest_rank))
        optimizer = sketched_natural_gradient(rank)
    if slabs == 1:
        return train(problem, problem.network() if network is None else network, optimizer, **options)
    return march(problem, network, optimizer, slabs=slabs, **options)
