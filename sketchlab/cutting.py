"""A problem, cut into slabs of time: what of `march` is about one slab.

All slabs are one computation with other numbers: the network of a slab sees a time from 0 to 1, and the beginning of the slab and
the values that the last slab ended with travel with the points. So their steps are one compiled function.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.domains import Box, BoxSurface, Region, Sampler, uniform
from sketchlab.history import History, Run
from sketchlab.measurements import Measurements
from sketchlab.problems import Problem
from sketchlab.residuals import LeastSquares
from sketchlab.setup import Setup
from sketchlab.slabs import Slabs
from sketchlab.training import train
from sketchlab.user_code import Ansatz
from sketchlab.validation import InputError, check_instance, check_integer
from sketchlab.weights import weighed


class Reached(NamedTuple):
    """How far a march has come: what each slab has left, and the settings of the last."""

    thetas: list
    #: Steps of the slabs that are finished.
    finished: list
    records: list
    #: Of each slab, in the problem's own time.
    points: list
    settings: dict

    def with_slab(self, slab, points, whole):
        """Add the run of one more slab."""
        records = self.records + following(self.records, slab.history.records())
        finished = self.finished + ([len(slab.history)] if whole else [])
        return Reached([*self.thetas, jnp.asarray(slab.theta)], finished, records, [*self.points, points], slab.settings)


NOTHING = Reached([], [], [], [], {})


def slab_of(problem: Problem) -> Problem:
    """Return a problem as the network of a slab sees it: with a time from 0 to 1."""
    box = check_instance("domain", problem.domain, Box, "a box, along whose last axis march goes")
    unit = Box([*box.lower[:-1], 0.0], [*box.upper[:-1], 1.0])
    # As it is, it keeps the note of how it was made.
    return problem if box == unit else replace(problem, domain=unit)


def steps_of_slabs(steps) -> list[int]:
    """Return how many steps each slab takes, the last number for all that follow; a single number is one for all."""
    steps = [check_integer("steps", number, 1, 10**9) for number in (steps if isinstance(steps, (tuple, list)) else [steps])]
    if not steps:
        raise InputError("steps = () has no number: give one for all slabs, or several, the last of them for all that follow.")
    return steps


def steps_in(steps: Sequence[int], number: int) -> int:
    """Return the steps of slab `number`, counted from 0."""
    return steps[min(number, len(steps) - 1)]


def following(records, later):
    """Give later records the numbers and the seconds that follow on those before."""
    seconds = records[-1].seconds if records else 0.0
    return [one._replace(step=len(records) + one.step, seconds=seconds + one.seconds) for one in later]


class Cut:
    """A problem, cut into slabs; `whole` is the network of all of them."""

    def __init__(self, problem, network, count):
        box = check_instance("problem", problem, Problem, 'sl.PROBLEMS["transport_1d"]() or sl.Problem(…)').domain
        if not isinstance(box, Box):
            raise InputError(f"the domain of {problem.name!r} is no box: march goes along the last axis of one.")
        first, last = (box.face(problem.dim - 1, side) for side in ("lower", "upper"))
        for name, region in zip(problem.names, problem.regions, strict=True):
            if isinstance(region, Measurements):
                raise InputError(
                    f"{problem.name!r} has measured points, which belong to no slab: train it over the whole interval, or write "
                    "a problem for each slab."
                )
            face = isinstance(region, BoxSurface) and region.box == box and len(region.faces) == 1 and region != last
            if region != box and not face:
                raise InputError(
                    f"the condition on the {name} of {problem.name!r} cannot be cut into slabs: write one sl.face(…) for each "
                    "face, and none for the end of the time axis."
                )
        if first not in problem.regions:
            raise InputError(f"{problem.name!r} has no condition where the time begins, on the {first.name}.")
        self.problem = problem
        if network is None:
            # In a slab, time goes from 0 to 1.
            network = slab_of(problem).network()
        self.whole: Any = Slabs(network, box.lower[-1], float(box.lengths[-1]) / count, count)
        _check_no_constants(network)
        if count > 1:
            _check_free(network, slab_of(problem).domain)
        # Says what is wrong with a residual before anything is trained, and how many numbers it returns.
        self.least_squares = LeastSquares(problem, self.whole)
        numbers = self.least_squares.components
        self.begins = {i: numbers[i] for i, region in enumerate(problem.regions) if region == first}
        self.ended = {i: jax.jit(partial(self._ended, problem.conditions[i])) for i in self.begins}

    def reached(self, run):
        """Return how far a run over slabs has come; a slab that it has not finished begins anew."""
        check_instance("after", run, Run, "what sl.march returned")
        if run.network != self.whole or "slab_steps" not in run.settings:
            raise InputError(f"the run is not one of {self.whole.count} slabs of this network: give what sl.march returned.")
        finished = list(run.settings["slab_steps"])
        parameters = self.whole.unflatten(jnp.asarray(run.theta))
        thetas = [
            jnp.concatenate([leaf[number].ravel() for leaf in jax.tree.leaves(parameters)]) for number in range(len(finished))
        ]
        reached = self.whole.start + len(finished) * self.whole.length
        points = tuple(x[x[:, -1] <= reached] for x in run.points or ())
        return Reached(thetas, finished, run.history.records()[: sum(finished)], [points], run.settings)

    def points(self, number, slab):
        """Return the points of a slab in the problem's own time; those at its beginning only of the first."""
        found = []
        for i, x in enumerate(slab.points):
            x = x[:0] if number and i in self.begins else x
            # Behind the coordinates come the beginning of the slab, and its length.
            start, length = x[:, self.problem.dim], x[:, self.problem.dim + 1]
            x = x[:, : self.problem.dim].copy()
            x[:, -1] = start + length * x[:, -1]
            found.append(x)
        return tuple(found)

    def begin(self, number, reached, options, make):
        """Let `train` or `Trainer` begin a slab from where the one before ended; return what it makes, and the weights."""
        options, boundary_weight = options | {"seed": (options["seed"] + number) % 2**32}, options["boundary_weight"]
        options["boundary_weight"] = "own"
        if number:
            weights, options["theta"] = reached.settings["weights"], reached.thetas[-1]
        else:
            weights = self._weights(boundary_weight, options)
        return make(self.slab(number, weights, *reached.thetas[-1:]), self.whole.network, **options), weights

    def train(self, number, reached, optimizer, options):
        """Train the network of one slab."""
        steps = steps_in(options["steps"], number)
        run, weights = self.begin(number, reached, options | {"optimizer": optimizer, "steps": steps}, train)
        return replace(run, settings=run.settings | {"weights": weights})

    def _weights(self, boundary_weight, options):
        """Choose the weights of all slabs, in the first."""
        own = [condition.weight for condition in self.problem.conditions]
        given = {name: options[name] for name in ("points", "seed", "dtype", "sampler") if name in options}
        setup = Setup(self.slab(0, [1.0] * len(own)), self.whole.network, **given)
        theta = setup.theta() if options.get("theta") is None else setup.check_theta(options["theta"])
        least_squares = replace(setup.least_squares, problem=setup.problem.reweighted(own))
        weighted = weighed(boundary_weight, least_squares, theta, setup.draw()).problem
        return [condition.weight for condition in weighted.conditions]

    def run(self, reached, reason, optimizer, settings) -> Run:
        """Return what was reached as a run over the whole interval."""
        thetas, kept = reached.thetas, reached.settings
        problem = self.problem.reweighted(kept["weights"]) if kept else self.problem
        history = History.from_records(reached.records, has_solution=problem.solution is not None)
        settings = kept | {"slab_steps": reached.finished, "residuals": self.least_squares.digest} | settings
        theta = self.joined(thetas)
        points = tuple(np.concatenate(one) for one in zip(*reached.points, strict=True))
        return Run(problem, self.whole, np.asarray(theta), history, reason, settings, optimizer, points=points)

    def joined(self, thetas):
        """Join the parameters of the slabs that were reached; the others get those of the last."""
        return self.whole.joined(thetas + thetas[-1:] * (self.whole.count - len(thetas)))

    def slab(self, number, weights, former=None) -> Problem:
        """Return the problem of a slab, its time going from 0 to 1; `former` are the parameters of the slab before.

        Weights travel with the points: as those of the conditions, they would be compiled in.
        """
        problem, length = self.problem, self.whole.length
        start = self.whole.start + number * length
        box, conditions = slab_of(problem).domain, []
        for i, (condition, given) in enumerate(zip(problem.conditions, problem.regions, strict=True)):
            # The same part of the slab as it is of the whole: a region may have been given with the whole's own times.
            region, ended = replace(given, box=box) if isinstance(given, BoxSurface) else box, None
            if i in self.begins:
                ended = partial(self.ended[i], former, start - length) if number else partial(_nothing, self.begins[i])
            residual = partial(_residual, condition, region)
            slab = _Slab(region, (start, length, weights[i] ** 0.5), ended, self.begins.get(i, 0))
            conditions.append(replace(condition, residual=residual, region=slab, weight=1.0))
        solution = None if problem.solution is None else partial(_later, problem.solution, start, length)
        return replace(problem, name=f"{problem.name} ({number + 1})", domain=box, conditions=conditions, solution=solution)

    def _ended(self, condition, theta, start, x):
        """Evaluate the residual of an initial condition at points x (n, d) where a slab has ended: (n, m)."""
        network, length = self.whole.network, self.whole.length
        u = Ansatz(network, network.unflatten(theta))
        at_the_end = x.at[:, -1].set(start + length)
        return jax.vmap(lambda y: jnp.atleast_1d(condition.residual(_InSlab(u, start, length), y)))(at_the_end)


class _InSlab:
    """The u of a slab as a function of the problem's own time."""

    def __init__(self, u, start, length):
        self._u, self._start, self._length = u, start, length

    def __call__(self, x):
        return self._u(x.at[-1].set((x[-1] - self._start) / self._length))

    def __getattr__(self, name):
        return getattr(self._u, name)


@dataclass(frozen=True)
class _Slab:
    """A region of a slab: with each point come three numbers and, on its first face, what the slab before ended with."""

    region: Region
    #: Beginning and length of the slab, and the root of the condition's weight.
    slab: tuple[float, float, float]
    ended: Callable[..., Any] | None
    numbers: int

    name = property(lambda self: self.region.name)
    dim = property(lambda self: self.region.dim)
    codimension = property(lambda self: self.region.codimension)
    measure = property(lambda self: self.region.measure)
    capacity = property(lambda self: self.region.capacity)
    carries = property(lambda self: 3 + self.numbers)

    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points, and append what comes with them."""
        x = self.region.sample(n, seed=seed, sampler=sampler)
        ended = np.empty((len(x), 0)) if self.ended is None else np.asarray(self.ended(jnp.asarray(x)))
        return np.concatenate([x, np.tile(self.slab, (len(x), 1)), ended], axis=1)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) belong to the region: (n,) of bool."""
        return self.region.contains(x)


def _nothing(numbers, x):
    return jnp.zeros((len(x), numbers))


def _later(solution, start, length, x):
    return solution(x.at[-1].set(start + length * x[-1]))


def _residual(condition, region, u, x, numbers):
    """Evaluate the residual of a condition at a point of a slab, less what the slab before ended with."""
    start, length, root, ended = numbers[0], numbers[1], numbers[2], numbers[3:]
    normal = [region.normal(x)] if condition.takes_normal else []
    found = condition.residual(_InSlab(u, start, length), x.at[-1].set(start + length * x[-1]), *normal)
    return root * (found - ended.reshape(jnp.shape(found)) if ended.size else found)


def _check_no_constants(network):
    """Raise `InputError` for a network with constants: each slab would find its own."""
    if not hasattr(network, "constants"):
        return
    if constants := network.constants(network.unflatten(jnp.zeros(network.size))):
        raise InputError(f"the network has constants, {', '.join(constants)}: each slab would find others. Train it as a whole.")


def _check_free(network, box):
    """Raise `InputError` for a network whose values at the time 0 are always the same: each slab begins with other ones."""
    x = jnp.asarray(box.face(box.dim - 1, "lower").sample(8, seed=0, sampler=uniform))
    theta = network.init(key=jax.random.key(0))
    before, after = (jax.vmap(partial(network.apply, values))(x) for values in (theta, theta + 0.1))
    if np.array_equal(before, after):
        raise InputError(
            f"{type(network).__name__} has the same values at the beginning of every slab, whatever its parameters, but only the "
            "first slab begins with those: give a network without hard initial values, or slabs=1."
        )
