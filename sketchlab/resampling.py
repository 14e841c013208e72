"""New collocation points during training, because a network can learn a fixed set of them by heart.

A `Resampling` says how often and how. To add one, write a factory that returns it and enter it in `RESAMPLINGS`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from sketchlab.domains import Sampler
from sketchlab.problems import Problem
from sketchlab.validation import Catalogue, check_integer, check_real


class Resampling(NamedTuple):
    """When and how to draw new points.

    Attributes
    ----------
    name : str
    period : int
        Steps from one drawing to the next.
    draw : callable, (problem, counts, residual_sizes, *, seed, sampler) -> tuple of ndarray (n_c, d)
        As many points for each condition as `counts` says. residual_sizes maps such a tuple to the sizes |residual| (n_c,) at
        the current parameters.
    settings : dict
        What it was made with, fit for JSON.
    """

    name: str
    period: int
    draw: Callable
    settings: dict[str, Any]


def redraw(period: int = 10) -> Resampling:
    """Draw all points anew every `period` steps."""
    check_integer("period", period, 1)

    def draw(problem: Problem, counts, residual_sizes, *, seed: int, sampler: Sampler):
        return problem.sample(counts, seed=seed, sampler=sampler)

    return Resampling("redraw", period, draw, {"period": period})


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
    """
    check_integer("period", period, 1)
    check_real("power", power, 0, np.inf, open_high=True)
    check_real("floor", floor, 0, np.inf, open_high=True)
    check_integer("pool", pool, 2)

    def draw(problem: Problem, counts, residual_sizes, *, seed: int, sampler: Sampler):
        candidates = problem.sample([pool * count for count in counts], seed=seed, sampler=sampler)
        generator = np.random.default_rng(seed)
        return tuple(
            _choose(x, np.asarray(size), count, generator)
            for x, size, count in zip(candidates, residual_sizes(candidates), counts, strict=True)
        )

    def _choose(x, size, count, generator):
        if len(x) <= count:  # a face that is a single point
            return x
        density = size**power
        density = density / density.mean() + floor if density.mean() > 0 and np.isfinite(density).all() else np.ones(len(x))
        return x[generator.choice(len(x), count, replace=False, p=density / density.sum())]

    return Resampling("rad", period, draw, {"period": period, "power": power, "floor": floor, "pool": pool})


RESAMPLINGS = Catalogue("resampling", {"redraw": redraw, "rad": residual_adaptive})
