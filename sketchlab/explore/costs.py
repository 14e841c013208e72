"""What a step costs as the network grows, measured and fitted; it knows of no widget."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sketchlab.memory import FIT, memory_at_hand
from sketchlab.optimizers import dual_natural_gradient, natural_gradient, sketched_natural_gradient
from sketchlab.problems import Problem
from sketchlab.setup import Setup
from sketchlab.trainer import Trainer

#: Widths of a network of two hidden layers; 1,000 makes over a million parameters.
WIDTHS = (8, 16, 32, 64, 128, 256, 512, 1000, 2048)
#: Steps that are timed, after one that is not.
TIMED = 3


class Route(NamedTuple):
    """A way to a natural gradient, with what its step is made of.

    Attributes
    ----------
    make : callable, (k) -> Optimizer
    amounts : dict of str to callable, (N, P, k) -> float
        Operations, for the "seconds", and numbers held at once, for the "bytes", up to a factor.
    """

    make: Callable
    amounts: dict[str, Callable]


ROUTES = {
    "full": Route(
        lambda k: natural_gradient(),
        {
            "seconds": lambda n, p, k: n * p * min(n, p),
            "bytes": lambda n, p, k: n * p + (n + p) * min(n, p) + 4 * min(n, p) ** 2,
        },
    ),
    "dual": Route(
        lambda k: dual_natural_gradient(),
        {"seconds": lambda n, p, k: n**2 * p + n**3, "bytes": lambda n, p, k: n * p + n**2},
    ),
    "sketched": Route(
        lambda k: sketched_natural_gradient(rank=k),
        {"seconds": lambda n, p, k: n * p * k, "bytes": lambda n, p, k: n * p + (n + p) * k},
    ),
}


class Cost(NamedTuple):
    """What a step took: no seconds where it would not fit into memory."""

    seconds: float | None
    bytes: int


class Costs:
    """Measurements from small networks to large ones, a route at a time.

    Parameters
    ----------
    problem : Problem
    points : int
    rank : int
        Of the sketch; less where a network has fewer parameters.
    largest_width : int

    Attributes
    ----------
    measured : dict of (P, route) to Cost
    """

    def __init__(self, problem: Problem, points: int, rank: int, largest_width: int):
        self.problem, self.points, self.rank = problem, points, rank
        self.rows = Setup(problem, problem.network(WIDTHS[0]), points).rows
        self.measured: dict[tuple[int, str], Cost] = {}
        self._waiting = [(width, route) for width in WIDTHS if width <= largest_width for route in ROUTES]

    @property
    def unfinished(self) -> bool:
        """Whether there is something to measure."""
        return bool(self._waiting)

    @property
    def next(self) -> str:
        """What is measured next, in words."""
        width, route = self._waiting[0]
        return f"{route} at width {width}, {self.size(width):,} parameters"

    def size(self, width: int) -> int:
        """Return the parameters of a network."""
        return self.problem.network(width).size

    def step(self, values: dict) -> None:
        """Measure what is next, unless the law promises that a step takes longer than the patience that is set."""
        width, name = self._waiting.pop(0)
        size = self.size(width)
        law = self.law(name, "seconds")
        if law is None or law(size) <= values["seconds"]:
            self.measured[size, name] = self._measure(width, ROUTES[name])

    def found(self, route: str, what: str) -> dict[int, float]:
        """Return the "seconds" or "bytes" of a route that are known, by P."""
        costs = {size: getattr(cost, what) for (size, name), cost in self.measured.items() if name == route}
        return {size: cost for size, cost in costs.items() if cost is not None}

    def law(self, route: str, what: str) -> Callable | None:
        """Fit a + b · amount(N, P, k) to what was measured, by least squares of relative errors; None before two measurements."""
        # A third of a second to load, for the one explorer that fits a law.
        from scipy.optimize import nnls

        found, amount = self.found(route, what), ROUTES[route].amounts[what]
        if len(found) < 2:
            return None
        sizes, values = np.array(list(found.items()), float).T

        def basis(p):
            return np.stack([np.ones_like(p), [amount(self.rows, q, min(self.rank, q, self.rows)) for q in p]], axis=1)

        matrix = basis(sizes) / values[:, None]
        scale = np.linalg.norm(matrix, axis=0)
        coefficients = nnls(matrix / scale, np.ones(len(values)))[0] / scale
        return lambda p: (basis(np.atleast_1d(np.asarray(p, float))) @ coefficients).reshape(np.shape(p))

    def _measure(self, width, route):
        problem, points = self.problem, self.points
        setup = Setup(problem, problem.network(width), points)
        trainer = Trainer(problem, setup.network, route.make(min(self.rank, setup.parameters, setup.rows)), points=points)
        if trainer.step_bytes > FIT * memory_at_hand():
            return Cost(None, trainer.step_bytes)
        # Of the records, in which no error is evaluated.
        seconds = [trainer.step().seconds]
        while len(seconds) <= TIMED:
            seconds.append(trainer.step().seconds)
            # A long step needs no repeat: people are waiting.
            if seconds[1] - seconds[0] > 1:
                break
        return Cost(float(np.median(np.diff(seconds))), trainer.step_bytes)


def crossings(grid: np.ndarray, laws: dict[str, np.ndarray]) -> tuple[list[tuple[float, float, str]], list[str]]:
    """Return where the laws of two routes cross, as P, seconds and words; and in words who is cheaper throughout."""
    found, throughout = [], []
    for first, second in (("full", "dual"), ("full", "sketched"), ("dual", "sketched")):
        if first not in laws or second not in laws:
            continue
        difference = np.log(laws[first] / laws[second])
        places = np.flatnonzero(difference[:-1] * difference[1:] < 0)
        if not places.size:
            cheaper, other = (second, first) if difference[0] > 0 else (first, second)
            throughout.append(f"{cheaper} is cheaper than {other} at every P")
        for i in places:
            part = difference[i] / (difference[i] - difference[i + 1])
            p = grid[i] ** (1 - part) * grid[i + 1] ** part
            seconds = np.exp(np.interp(np.log(p), np.log(grid), np.log(laws[first])))
            cheaper, other = (second, first) if difference[i + 1] > 0 else (first, second)
            found.append((p, seconds, f"{cheaper} becomes cheaper than {other}"))
    return found, throughout
