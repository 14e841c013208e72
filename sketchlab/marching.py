"""Marching: a long time interval is solved slab by slab, each from where the one before it ended.

Over a long interval a network may find a wrong answer with a small loss: it forgets the initial value in a layer that is thinner
than the distance between points. Over a short one it cannot. The time is the last coordinate of a point.

All slabs are one computation with other numbers: the network of a slab sees a time from 0 to 1, and the beginning of the slab and
the values that the last slab ended with travel with the points. So their steps are one compiled function.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.domains import Box, BoxSurface, Region, Sampler, uniform
from sketchlab.history import History, Run
from sketchlab.networks import NETWORKS, apply, check_network, name_of
from sketchlab.optimizers import Optimizer, sketched_natural_gradient
from sketchlab.problems import Problem
from sketchlab.residuals import LeastSquares
from sketchlab.setup import Setup
from sketchlab.trainer import Trainer
from sketchlab.training import train
from sketchlab.user_code import Ansatz
from sketchlab.validation import InputError, check_instance, check_integer, check_real, checked_call


@dataclass(frozen=True)
class Slabs:
    """One network after the other along the time axis: a network for the whole interval, each part with parameters of its own.

    Parameters
    ----------
    network : network
        That of one slab; it sees its time as a number that goes from 0 to 1.
    start, length : float
        Beginning of the first slab, and length of each.
    count : int
        Number of slabs. The first and the last go on beyond the interval.

    Examples
    --------
    >>> slabs = sl.Slabs(sl.MLP(dim=2, width=8), start=0.0, length=0.25, count=4)
    >>> slabs.size == 4 * sl.MLP(dim=2, width=8).size
    True
    """

    network: Any
    start: float
    length: float
    count: int

    def __post_init__(self):
        check_network(self.network)
        object.__setattr__(self, "start", check_real("start", self.start, -np.inf, np.inf))
        object.__setattr__(self, "length", check_real("length", self.length, 0, np.inf, open_low=True, open_high=True))
        object.__setattr__(self, "count", check_integer("count", self.count, 1))

    dim = property(lambda self: self.network.dim)
    outputs = property(lambda self: self.network.outputs)
    size = property(lambda self: self.count * self.network.size)

    @property
    def settings(self) -> dict | None:
        """Numbers, and the network's settings; None where the network has none."""
        inner = getattr(self.network, "settings", None)
        own = {"name": name_of(self), "start": self.start, "length": self.length, "count": self.count}
        return None if inner is None else own | {"network": inner}

    def init(self, *, key, dtype=None) -> jax.Array:
        """Draw `theta` (P,), each slab's part by itself."""
        return self.joined([self.network.init(key=one, dtype=dtype) for one in jax.random.split(key, self.count)])

    def joined(self, thetas) -> jax.Array:
        """Join the parameters of all slabs, (P / count,) each, to `theta` (P,)."""
        stacked = jax.vmap(self.network.unflatten)(jnp.stack([jnp.asarray(theta) for theta in thetas]))
        return jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(stacked)])

    def unflatten(self, theta: jax.Array):
        """Cut `theta` (P,) into the parameters of the network, with an axis of slabs in front."""
        one = jax.eval_shape(self.network.unflatten, jax.ShapeDtypeStruct((self.network.size,), theta.dtype))
        leaves, structure = jax.tree.flatten(one)
        pieces = jnp.split(theta, np.cumsum([self.count * leaf.size for leaf in leaves])[:-1])
        return structure.unflatten(piece.reshape(self.count, *leaf.shape) for piece, leaf in zip(pieces, leaves, strict=True))

    apply = apply

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point with the network of its slab."""
        slabs = (x[-1] - self.start) / self.length
        slab = jnp.clip(slabs, 0, self.count - 1).astype(int)
        time = slabs - slab.astype(x.dtype)
        return self.network.evaluate(jax.tree.map(lambda leaf: leaf[slab], parameters), x.at[-1].set(time))


NETWORKS["slabs"] = Slabs


@checked_call(train, Trainer, Setup, but="checkpoint")
def march(
    problem: Problem,
    network,
    optimizer: Optimizer | None = None,
    *,
    slabs: int,
    seed: int = 0,
    boundary_weight: float | str | None = "balance",
    after: Run | None = None,
    **options,
) -> Run:
    """Train slab by slab along the time axis, the last coordinate.

    A slab starts from the parameters of the one before. In place of the initial condition B u = g, it has that B u is what the
    slab before ended with: values for an equation of first order in time; values and derivatives where the residual on the lower
    face of the time axis has both.

    Parameters
    ----------
    problem : Problem
        On a `Box`, with its conditions inside and on faces: none on the upper face of the time axis.
    network : network
        That of one slab; it sees the time as a number that goes from 0 to 1 in each.
    optimizer : Optimizer, optional
        `sketched_natural_gradient()` by default.
    slabs : int
        Number of slabs of equal length.
    seed : int
        Of the first slab; each has the next one.
    boundary_weight
        As in `train`; chosen in the first slab, and kept.
    after : Run, optional
        What was reached when it was interrupted, as `march` returned it or `load` brings it back: go on with the next slab.
    **options
        As in `train`, for each slab: steps, seconds, tolerance, points …; a callback that stops ends the march.

    Returns
    -------
    Run
        Over the whole interval: its network is `Slabs`, its history that of all slabs, one after the other; the relative error in
        it is that in the slab of the step. After Ctrl-C, slabs that were not reached have the parameters of the last one.

    Raises
    ------
    InputError
        For a problem that cannot be cut into slabs, and whatever `train` refuses.

    Examples
    --------
    >>> problem = sl.PROBLEMS["transport_1d"](speed=2.0)
    >>> run = sl.march(problem, sl.MLP(2, width=8), slabs=2, points=100, steps=5, progress=False)
    >>> len(run.history), run.network.count
    (10, 2)
    """
    check_instance("problem", problem, Problem, "one on a box, with time as its last axis")
    optimizer, seed = optimizer or sketched_natural_gradient(), check_integer("seed", seed, 0, 2**32 - 1)
    cut = _Cut(problem, network, check_integer("slabs", slabs, 1))
    thetas, records, finished = cut.solved(after)
    reason, settings = "steps", {} if after is None else after.settings
    for number in range(len(thetas), cut.whole.count):
        part = cut.slab(number, *thetas[-1:])
        if number:
            part, boundary_weight = part.reweighted(settings["weights"]), None
            options["theta"] = thetas[-1]
        run = train(part, network, optimizer, seed=(seed + number) % 2**32, boundary_weight=boundary_weight, **options)
        reason, settings = run.stop_reason, run.settings
        thetas.append(jnp.asarray(run.theta))
        records += _after(records, run.history.records())
        if reason in ("interrupted", "callback", "non-finite"):
            break
        finished.append(len(run.history))
    theta = cut.whole.joined(thetas + thetas[-1:] * (cut.whole.count - len(thetas)))
    history = History.from_records(records, has_solution=problem.solution is not None)
    settings = settings | {"slab_steps": finished, "residuals": cut.least_squares.digest}
    return Run(problem, cut.whole, np.asarray(theta), history, reason, settings, optimizer)


def _after(records, later):
    """Give later records the numbers and the seconds that follow on those before."""
    seconds = records[-1].seconds if records else 0.0
    return [one._replace(step=len(records) + one.step, seconds=seconds + one.seconds) for one in later]


class _Cut:
    """A problem, cut into slabs; `whole` is the network of all of them."""

    def __init__(self, problem, network, count):
        box = problem.domain
        if not isinstance(box, Box):
            raise InputError(f"the domain of {problem.name!r} is no box: march goes along the last axis of one.")
        first, last = (box.face(problem.dim - 1, side) for side in ("lower", "upper"))
        for name, region in zip(problem.names, problem.regions, strict=True):
            if region != box and (not isinstance(region, BoxSurface) or len(region.faces) > 1 or region == last):
                raise InputError(
                    f"the condition on the {name} of {problem.name!r} cannot be cut into slabs: write one sl.face(…) for each "
                    "face, and none for the end of the time axis."
                )
        if first not in problem.regions:
            raise InputError(f"{problem.name!r} has no condition where the time begins, on the {first.name}.")
        self.problem = problem
        self.whole: Any = Slabs(network, box.lower[-1], float(box.lengths[-1]) / count, count)
        # Says what is wrong with a residual before anything is trained, and how many numbers it returns.
        self.least_squares = LeastSquares(problem, self.whole)
        numbers = self.least_squares.components
        self.begins = {i: numbers[i] for i, region in enumerate(problem.regions) if region == first}
        self.ended = {i: jax.jit(partial(self._ended, problem.conditions[i])) for i in self.begins}

    def solved(self, after):
        """Return parameters, records and numbers of steps of the slabs that a run has solved."""
        if after is None:
            return [], [], []
        check_instance("after", after, Run, "what sl.march returned")
        if after.network != self.whole or "slab_steps" not in after.settings:
            raise InputError(f"the run is not one of {self.whole.count} slabs of this network: give what sl.march returned.")
        finished = list(after.settings["slab_steps"])
        parameters = self.whole.unflatten(jnp.asarray(after.theta))
        thetas = [
            jnp.concatenate([leaf[number].ravel() for leaf in jax.tree.leaves(parameters)]) for number in range(len(finished))
        ]
        return thetas, after.history.records()[: sum(finished)], finished

    def slab(self, number, former=None) -> Problem:
        """Return the problem of a slab, its time going from 0 to 1; `former` are the parameters of the slab before."""
        problem, length = self.problem, self.whole.length
        start = self.whole.start + number * length
        box = Box([*problem.domain.lower[:-1], 0.0], [*problem.domain.upper[:-1], 1.0])
        conditions = []
        for i, condition in enumerate(problem.conditions):
            region, ended = condition.on(box), None
            if i in self.begins:
                ended = partial(self.ended[i], former, start - length) if number else partial(_nothing, self.begins[i])
            residual = partial(_residual, condition, region, length)
            conditions.append(replace(condition, residual=residual, region=_Slab(region, start, ended, self.begins.get(i, 0))))
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
    """A region of a slab: with each point come the beginning of the slab and, on its first face, what the last one ended with."""

    region: Region
    start: float
    ended: Callable[..., Any] | None
    numbers: int

    name = property(lambda self: self.region.name)
    dim = property(lambda self: self.region.dim)
    codimension = property(lambda self: self.region.codimension)
    measure = property(lambda self: self.region.measure)
    capacity = property(lambda self: self.region.capacity)
    carries = property(lambda self: 1 + self.numbers)

    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Draw at most `n` points, and append what comes with them."""
        x = self.region.sample(n, seed=seed, sampler=sampler)
        ended = np.empty((len(x), 0)) if self.ended is None else np.asarray(self.ended(jnp.asarray(x)))
        return np.concatenate([x, np.full((len(x), 1), self.start), ended], axis=1)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) belong to the region: (n,) of bool."""
        return self.region.contains(x)


def _nothing(numbers, x):
    return jnp.zeros((len(x), numbers))


def _later(solution, start, length, x):
    return solution(x.at[-1].set(start + length * x[-1]))


def _residual(condition, region, length, u, x, numbers):
    """Evaluate the residual of a condition at a point of a slab, less what the slab before ended with."""
    start, ended = numbers[0], numbers[1:]
    normal = [region.normal(x)] if condition.takes_normal else []
    found = condition.residual(_InSlab(u, start, length), x.at[-1].set(start + length * x[-1]), *normal)
    return found - ended.reshape(jnp.shape(found)) if ended.size else found
