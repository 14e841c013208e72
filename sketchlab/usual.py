"""Networks that fit a problem, by a name: what dropdowns and the command line offer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from sketchlab.domains import unit_sized
from sketchlab.networks import MLP, NETWORKS
from sketchlab.scaled import Scaled
from sketchlab.validation import Catalogue
from sketchlab.wrappers import Fourier, Periodic, WithFeatures, Wrapper


def usual_network(
    problem, kind: str = "usual", width: int | None = None, depth: int | None = None, activation: str | None = None
):
    """Return a network that fits a problem, of a kind by name. Far from unit size, it sees coordinates in units of the domain.

    Parameters
    ----------
    problem : Problem
    kind : str
        An entry of `USUAL_NETWORKS`: "usual", what the problem's recipe says; "mlp", an `MLP`; "periodic", whose periods are the
        lengths of the box around the domain, but for an axis called t; or "fourier", whose features make half an oscillation and
        a whole one along each axis of that box.
    width, depth, activation
        Of the MLP; the recipe's unless given.

    Examples
    --------
    >>> from sketchlab.usual import usual_network
    >>> usual_network(sl.PROBLEMS["heat_1d"](), "periodic", width=8).periods
    (1.0, None)
    """
    given, recipe = {"width": width, "depth": depth, "activation": activation}, problem.recipe
    return USUAL_NETWORKS[kind](problem, *(getattr(recipe, name) if value is None else value for name, value in given.items()))


def _of_the_recipe(problem, width, depth, activation):
    make = problem.recipe.network
    network = (USUAL_NETWORKS[make] if isinstance(make, str) else make)(problem, width, depth, activation)
    if problem.origin is None or getattr(network, "settings", None) is not None:
        return network
    name, arguments = problem.origin
    return OfRecipe(network, name, tuple(arguments.items()), width, depth, activation)


@dataclass(frozen=True)
class OfRecipe(Wrapper):
    """A network with functions in it, which cannot be written to a file, and a note of the problem whose recipe makes it."""

    problem: str
    arguments: tuple[tuple[str, Any], ...]
    width: int
    depth: int
    activation: str

    @property
    def settings(self) -> dict:
        """What `Problem.network` was called with, and the problem's origin."""
        shape = {"width": self.width, "depth": self.depth, "activation": self.activation}
        return {"name": "recipe", "problem": self.problem, "arguments": dict(self.arguments)} | shape

    def around(self, network):
        """Return the other network, which is no longer that of the recipe."""
        return network

    def evaluate(self, parameters, x: jax.Array) -> jax.Array:
        """Evaluate u at one point."""
        return self.network.evaluate(parameters, x)


def _by_recipe(problem, arguments, width, depth, activation):
    """Make the network of a recipe again, from its settings."""
    from sketchlab.equations import PROBLEMS

    return PROBLEMS[problem](**arguments).network(width, depth, activation)


NETWORKS["recipe"] = _by_recipe


def _alone(problem, width, depth, activation):
    return _seen(problem, lambda lengths: MLP(problem.dim, width, depth, problem.outputs, activation))


def _behind_periods(problem, width, depth, activation):
    def make(lengths):
        periods = tuple(None if axis == "t" else length for axis, length in zip(problem.axes, lengths, strict=True))
        features = sum(1 if period is None else 2 for period in periods)
        return Periodic(MLP(features, width, depth, problem.outputs, activation), periods)

    return _seen(problem, make)


def _behind_oscillations(problem, width, depth, activation):
    def make(lengths):
        whole = np.diag(1 / np.array(lengths))
        # With whole oscillations alone, u would have the same values at both ends of every axis, of time too.
        frequencies = np.concatenate([whole / 2, whole]).tolist()
        return Fourier(MLP(2 * len(frequencies), width, depth, problem.outputs, activation), frequencies)

    return _seen(problem, make)


def _seen(problem, make):
    """Make a network for the lengths of the box around the domain; or for lengths of 2, with coordinates that are scaled."""
    domain = problem.domain
    if unit_sized(domain):
        return make(np.subtract(domain.upper, domain.lower).tolist())
    return Scaled(make([2.0] * problem.dim), domain.lower, domain.upper)


#: Kinds of networks that fit any problem, by name: (problem, width, depth, activation) -> network.
USUAL_NETWORKS = Catalogue(
    "kind of network",
    {
        "usual": _of_the_recipe,
        "mlp": _alone,
        "periodic": _behind_periods,
        "fourier": _behind_oscillations,
    },
)


def centred_time(x: jax.Array) -> jax.Array:
    """Return 2t - 1, for points (x, t) with t from 0 to 1: a feature of recipes."""
    return 2 * x[1] - 1


def spread_units(
    scales: Sequence[float],
    *,
    spread: float = np.pi,
    periods: Sequence[float | None] | None = None,
    harmonics: int = 1,
    features=(),
):
    """Return a kind of network for a recipe: hidden units of the first layer are spread over the domain, and over wave numbers.

    Coordinates go from -1 to 1. One wide layer of sin units with the wave numbers of the solution is nearly a random Fourier
    basis, one of tanh units a smooth one; Gauss-Newton needs few steps to find the best function in it.

    Parameters
    ----------
    scales : sequence of float
        Of the first layer, one for each input: see `MLP`.
    spread : float
    periods : sequence, optional
        As of `Periodic`, in units of the problem; `harmonics` too.
    features : sequence
        Of `WithFeatures`.
    """

    def make(problem, width, depth, activation):
        network: Any = MLP(len(scales), width, depth, problem.outputs, activation, scales, spread)
        lower, upper = problem.domain.lower, problem.domain.upper
        if features:
            network = WithFeatures(network, features)
        if periods is not None:
            lengths = np.subtract(upper, lower)
            scaled = [None if period is None else 2 * period / length for period, length in zip(periods, lengths, strict=True)]
            network = Periodic(network, scaled, harmonics)
        return Scaled(network, lower, upper)

    return make
