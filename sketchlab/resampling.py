"""New collocation points during training, because a network can learn a fixed set of them by heart.

A `Resampling` says how often and how. To add one, write a function that returns it and enter it in `RESAMPLINGS`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from sketchlab.domains import Sampler
from sketchlab.problems import Problem
from sketchlab.validation import Catalogue, check_integer, check_real, checked_call


class Resampling(NamedTuple):
    """When and how to draw new points.

    Attributes
    ----------
    name : str
    period : int
        Steps from one drawing to the next.
    draw : callable, (problem, points, residual_sizes, *, seed, sampler) -> tuple of ndarray (n_c, d)
        As many points as ``problem.sample(points, …)`` draws: pass what the first points were drawn with. residual_sizes maps
        such a tuple to the sizes |residual| (n_c,) at the current parameters.
    settings : dict
        What it was made with, fit for JSON.
    """

    name: str
    period: int
    draw: Callable
    settings: dict[str, Any]


@checked_call()
def redraw(period: int = 10) -> Resampling:
    """Draw all points anew every `period` steps.

    >>> sl.redraw(5).settings
    {'period': 5}
    """
    period = check_integer("period", period, 1)

    def draw(problem: Problem, points, residual_sizes, *, seed: int, sampler: Sampler):
        return problem.sample(points, seed=seed, sampler=sampler)

    return Resampling("redraw", period, draw, {"period": period})


@checked_call()
def residual_adaptive(period: int = 10, *, power: float = 1.0, floor: float = 1.0, pool: int = 10) -> Resampling:
    """Draw points where the residual ε is large (RAD), with probability proportional to εᵏ / mean εᵏ + c.

    Parameters
    ----------
    period : int
        Steps from one drawing to the next.
    power, floor : float
        k and c. Larger k concentrates, larger c spreads.
    pool : int
        Points to choose from, as a multiple of those wanted.

    Notes
    -----
    Wu, Zhu, Tan, Kartha, Lu 2023 (arXiv 2207.10289), their RAD with k = c = 1.

    A condition whose residuals are non-finite or all zero gets its points evenly. Where fewer points than wanted have a
    probability above zero (c = 0), all of these are taken, and the others evenly.

    The loss still gives all points of a condition one weight, so it is no longer an estimate of the integral of the squared
    residual: it counts more where the points gather.

    Examples
    --------
    >>> sl.residual_adaptive(5, floor=0.5).settings
    {'period': 5, 'power': 1.0, 'floor': 0.5, 'pool': 10}
    """
    period = check_integer("period", period, 1)
    power = check_real("power", power, 0, np.inf, open_high=True)
    floor = check_real("floor", floor, 0, np.inf, open_high=True)
    pool = check_integer("pool", pool, 2, 1000)

    def draw(problem: Problem, points, residual_sizes, *, seed: int, sampler: Sampler):
        counts = [len(x) for x in problem.sample(points, seed=seed, sampler=sampler)]
        candidates = problem.sample([pool * count for count in counts], seed=seed, sampler=sampler)
        generator = np.random.default_rng(seed)
        wanted = zip(candidates, residual_sizes(candidates), counts, strict=True)
        return tuple(_choose(x, _density(np.asarray(size, float), power, floor), n, generator) for x, size, n in wanted)

    return Resampling("rad", period, draw, {"period": period, "power": power, "floor": floor, "pool": pool})


def _density(size, power, floor):
    """Return the density of RAD at points of these residual sizes, (n,), nowhere zero."""
    largest = size.max()
    # The negation sees NaN too.
    if not 0 < largest < np.inf:
        return np.ones(len(size))
    density = (size / largest) ** power
    density = density / density.mean() + floor
    # Small enough to matter only when all points of larger density are taken.
    return np.maximum(density, 1e-12 * density.max())


def _choose(x, density, count, generator):
    # A face that is a single point has nothing to choose from.
    return x if len(x) <= count else x[generator.choice(len(x), count, replace=False, p=density / density.sum())]


RESAMPLINGS = Catalogue("resampling", {"redraw": redraw, "rad": residual_adaptive})
