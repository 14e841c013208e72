"""Recipes: with what a problem is solved well. No theorem says so, it was found by trying; each recipe says why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sketchlab.domains import SAMPLERS, Sampler

#: Options of most recipes: even points, of which fewer are needed.
SOBOL = {"sampler": SAMPLERS["sobol"]}


@dataclass(frozen=True)
class Recipe:
    """The network, the points and the sketch that solve a problem; `solve` follows it, and so does the command line.

    Options of the optimizer are not in it, but for the rank of its sketch: they are the same for all problems.

    Attributes
    ----------
    network : str or callable
        The kind of network, an entry of `USUAL_NETWORKS`, or a function (problem, width, depth, activation) -> network.
    width, depth, activation
        Of its hidden layers.
    points : int or sequence of int
        See `Problem.sample`; with slabs, of each.
    rank : int, optional
        Of the sketch; that of `sketched_natural_gradient` unless told otherwise.
    steps : int or sequence of int
        Of the optimizer; with slabs, in each, or one number for each, see `march`.
    slabs : int
        Parts of the time interval that are solved one after the other, see `march`.
    options : dict
        Others that `train` takes: sampler, resampling, boundary_weight.
    why : str
        In one line, for people.
    """

    network: str | Callable[..., Any] = "mlp"
    width: int = 32
    depth: int = 2
    activation: str = "tanh"
    points: Any = 1000
    rank: int | None = None
    steps: int | Sequence[int] = 100
    slabs: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


#: For a smooth function of one variable, or of two: eight digits in a fifth of the time, or half, of 32 units with 1,000 points.
SMOOTH_1D = Recipe(width=16, points=300, rank=100, why="Smooth: an MLP of two layers of 16 units, 300 points.")
SMOOTH_2D = Recipe(width=24, points=600, why="Smooth: an MLP of two layers of 24 units, 600 points.")


def samplers_of(problem) -> dict[str, Sampler]:
    """Return all samplers that a file can name: those of the catalogue, and that of the problem's recipe."""
    own = problem.recipe.options.get("sampler")
    return dict(SAMPLERS) | ({} if own is None else {"recipe": own})
