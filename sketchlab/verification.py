"""How far a run can be trusted, without knowing the solution.

A small loss is not a small error: between its points a network may do what it likes, and some equations are satisfied, but for a
thin layer, by a function that forgets its initial value. Two questions find out. How large is the residual where the network was
not trained? And do independent runs, from other first parameters, at other points, with another width, find the same function?
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.domains import sobol
from sketchlab.history import Run
from sketchlab.marching import march
from sketchlab.networks import MLP
from sketchlab.residuals import LeastSquares
from sketchlab.resuming import trained_with
from sketchlab.trainer import HELD_OUT
from sketchlab.training import train
from sketchlab.validation import InputError, check_instance, check_integer, checked_call
from sketchlab.wrappers import Wrapper

#: Independent runs, unless told otherwise, and how much wider their networks are.
RUNS, WIDER = 2, 1.25
#: Accepted is a residual at fresh points of so many times that at the trained ones, or of such a part of that before training.
HONEST, FALLEN = 10.0, 1e-2
#: Runs that differ by more than this, relatively, have not found one solution.
WRONG = 0.1
#: How often fresh points are drawn, as many as for training: a layer that they all miss is thin.
DRAWS = 10


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes
    ----------
    error : float
        Estimate of the relative L2 error of the run.
    distances : tuple of float
        ‖u - v‖ / ‖u‖ to each independent run v.
    losses : tuple of float
        ½‖r‖² that each of them reached, the run itself first.
    fresh, trained, first : float
        Root mean square of the residual, with the weights of the conditions: at fresh points, at those of the training, and at
        fresh points before any training.
    trusted : bool
        Whether all distances are below `WRONG`; and the residual at fresh points is at most `HONEST` times that at the trained
        ones, or has fallen to `FALLEN` times what it was, so that it hardly matters that it is larger.
    """

    error: float
    distances: tuple[float, ...]
    losses: tuple[float, ...]
    fresh: float
    trained: float
    first: float

    @property
    def trusted(self) -> bool:
        """See the class."""
        return max(self.distances) < WRONG and self._honest

    @property
    def _honest(self):
        return self.fresh <= max(HONEST * self.trained, FALLEN * self.first)

    def __str__(self):
        ratio = f"the residual at fresh points is {self.fresh / self.trained:.2g} times that at the trained ones"
        others = ", ".join(f"{distance:.1e}" for distance in self.distances)
        if self.trusted:
            return f"relative error about {self.error:.0e}. Independent runs are {others} away; {ratio}."
        if self._honest:
            return f"do not trust it: independent runs found other functions, {others} away. They may be the worse ones; {ratio}."
        return f"do not trust it: {ratio}, so it learned its points by heart. Independent runs are {others} away."


@checked_call()
def verify(run: Run, *, runs: int = RUNS, progress: bool = False, callbacks: Sequence[Callable] = (), **given) -> Verification:
    """Estimate the relative error of a run without its solution: residual at fresh points, and distance to independent runs.

    Parameters
    ----------
    run : Run
        As `train`, `march` or `solve` return it, or `load` brings it back.
    runs : int
        Independent runs. Each costs as many steps as the run itself; all share one compilation.
    progress : bool
        Show a progress bar.
    callbacks : sequence of callable, (trainer, record) -> bool or None
        As in `train`, for each independent run.
    **given
        sampler and resampling, where they were your own.

    Returns
    -------
    Verification
        Its text says in a sentence how far the run can be trusted.

    Raises
    ------
    InputError
        If the run does not say how to repeat it, or a callback stops an independent run: of half a run nothing follows.
    KeyboardInterrupt
        After Ctrl-C.

    Notes
    -----
    Where errors of runs are independent, their squares add: ‖u - v‖² = e_u² + e_v². From the distances of
    three runs follows e_u² = (‖u - v‖² + ‖u - w‖² - ‖v - w‖²) / 2, whatever the errors of the others are (the three-cornered hat
    of clocks, Gray and Allan 1974). Of more runs the median over pairs is taken, and at least half of the least distance.

    It is an estimate, no bound. It cannot see what all runs do wrong in the same way: a residual that is not the equation that
    was meant, or one with several solutions.

    Examples
    --------
    >>> run = sl.train(sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 8), steps=20, points=60, progress=False)
    >>> found = sl.verify(run)
    >>> found.trusted, found.error < 1e-2
    (True, True)
    """
    check_instance("run", run, Run, "what sl.train returns")
    check_integer("runs", runs, 1, 100)
    if run.optimizer is None or "limits" not in run.settings:
        raise InputError(
            "the run does not say how it was trained: give what sl.train returned; for a file, load(file, optimizer=…)."
        )
    options = trained_with(run, **given)
    residuals = _residuals(run, options)
    x = run.problem.domain.sample(HELD_OUT, seed=2**31 + 1, sampler=sobol)
    options |= {"progress": progress, "callbacks": callbacks}
    others = [_whole(_repeated(run, number, options)) for number in range(1, runs + 1)]
    values = [np.asarray(one.solution(x)) for one in (run, *others)]
    size = float(np.linalg.norm(values[0])) or 1.0
    between = {pair: float(np.linalg.norm(values[pair[0]] - values[pair[1]])) / size for pair in combinations(range(runs + 1), 2)}
    distances = tuple(between[0, other] for other in range(1, runs + 1))
    losses = tuple(float(one.history.loss[-1]) for one in (run, *others))
    return Verification(_error(between, distances), distances, losses, *residuals)


def _error(between, distances):
    """Estimate the error of run 0 from the distances between all."""
    if len(distances) == 1:
        return distances[0]
    pairs = combinations(range(1, len(distances) + 1), 2)
    squares = [(between[0, v] ** 2 + between[0, w] ** 2 - between[v, w] ** 2) / 2 for v, w in pairs]
    return float(max(np.sqrt(max(np.median(squares), 0.0)), min(distances) / 2))


def _repeated(run, number, options):
    """Train again: other first parameters, other points, a wider network, and no look at the solution."""
    options = options | {"tolerance": None, "seconds": None, "boundary_weight": "own"}
    if "march" in run.settings:
        march_of = run.settings["march"]
        options["steps"] = run.settings["slab_steps"]
        seed = (march_of["seed"] + number * march_of["slabs"]) % 2**32
        return march(run.problem, wider(run.network.network), run.optimizer, slabs=march_of["slabs"], seed=seed, **options)
    seed, steps = (run.settings["seed"] + number) % 2**32, len(run.history)
    return train(run.problem, wider(run.network), run.optimizer, **options | {"seed": seed, "steps": steps})


def _whole(run):
    """Return a run that was not broken off."""
    if run.stop_reason == "interrupted":
        raise KeyboardInterrupt
    if run.stop_reason == "callback":
        raise InputError(f"an independent run was stopped after {len(run.history)} steps: nothing is known of the error.")
    return run


def wider(network):
    """Return a network with wider hidden layers; as it is, if it is somebody's own."""
    if isinstance(network, MLP):
        return replace(network, width=max(network.width + 1, round(WIDER * network.width)))
    return network.around(wider(network.network)) if isinstance(network, Wrapper) else network


def _residuals(run, options):
    """Return the root mean square of the residual at fresh points, at those of the training, and at fresh ones before it."""
    least_squares = LeastSquares(run.problem, run.network)
    loss, theta = jax.jit(least_squares.loss), jnp.asarray(run.theta)
    before = run.network.init(key=jax.random.key(run.settings["seed"]), dtype=theta.dtype)
    seeds = np.random.SeedSequence([run.settings["seed"], 2**31]).generate_state(DRAWS).tolist()
    drawings = [run.problem.sample(options["points"], seed=seed, sampler=options["sampler"]) for seed in seeds]
    computed = ((theta, drawings), (theta, [run.points]), (before, drawings))
    means = (np.mean([loss(at, tuple(map(jnp.asarray, points))) for points in sets]) for at, sets in computed)
    return tuple(float(np.sqrt(2 * mean)) for mean in means)
