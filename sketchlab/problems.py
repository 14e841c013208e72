"""Equations: what must vanish, where, and with what weight.

A `Condition` is a residual, a function of u and one point that is zero for the solution, with the place where it holds.
A `Problem` is a domain and its conditions. Together they say the whole equation, once: loss, residual vector and Jacobian
all follow from them (`sketchlab.residuals`). `sketchlab.equations` has the problems that come with the package.
"""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import jax
import numpy as np

from sketchlab.calculus import Function
from sketchlab.domains import BOUNDARY, INTERIOR, Domain, Face, Place, Region, Sampler, apportion, carried, given_points, uniform
from sketchlab.recipes import Recipe
from sketchlab.validation import InputError, check_instance, check_integer, check_real, checked_call, takes

Residual = Callable[..., jax.Array]

#: Part of the points that goes inside when a problem has conditions on its boundary too.
INTERIOR_SHARE = 0.8
#: More points for a condition than this are a slip of the keyboard.
MOST_POINTS = 10**8
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@checked_call()
@dataclass(frozen=True)
class Condition:
    """A residual that vanishes on a region; its mean square counts `weight` times the region's measure.

    Attributes
    ----------
    residual : callable, (u, x) -> () or (m,)
        With three positional parameters it takes (u, x, normal), where normal (d,) is the outward unit normal at x; or
        (u, x, numbers) where the region's points carry numbers.
    region : Place, Face or Region
        ``INTERIOR``, ``BOUNDARY`` or a `Face` of the problem's domain, or a region itself.
    weight : float
    equations : int, optional
        Number of entries that the residual returns, where it is not one for each unknown function.
    takes_normal : bool
        Whether the residual takes a normal.
    """

    residual: Residual
    region: Place | Face | Region
    weight: float = 1.0
    equations: int | None = None
    takes_normal: bool = field(init=False)

    def __post_init__(self):
        if not callable(self.residual):
            raise InputError(f"residual = {self.residual!r} is not a function: write lambda u, x: … .")
        if not (hasattr(self.region, "of") or isinstance(self.region, Region)):
            raise InputError(f"region = {self.region!r} is not a region: use sl.interior, sl.boundary or sl.face.")
        object.__setattr__(self, "weight", check_real("weight", self.weight, 0, np.inf, open_low=True, open_high=True))
        if self.equations is not None:
            object.__setattr__(self, "equations", check_integer("equations", self.equations, 1))
        object.__setattr__(self, "takes_normal", takes(self.residual, 3) and not takes(self.residual, 2))

    def on(self, domain: Domain) -> Region:
        """Return the region of a domain where the condition holds."""
        # What has `of` has something to say about the domain: a place, or measured points, which must lie in it.
        return self.region.of(domain) if hasattr(self.region, "of") else self.region  # pyright: ignore[reportAttributeAccessIssue, reportReturnType]


@checked_call()
def interior(residual: Residual, weight: float = 1.0, equations: int | None = None) -> Condition:
    """Ask that `residual` vanishes inside the domain: the differential equation.

    >>> str(sl.interior(lambda u, x: sl.laplacian(u)(x) + 1.0).region)
    'interior'
    """
    return Condition(residual, INTERIOR, weight, equations)


@checked_call()
def boundary(residual: Residual, weight: float = 1.0, equations: int | None = None) -> Condition:
    """Ask that `residual` vanishes on the whole boundary; a Neumann condition takes the normal as a third argument.

    >>> sl.boundary(lambda u, x, normal: sl.gradient(u)(x) @ normal).takes_normal
    True
    """
    return Condition(residual, BOUNDARY, weight, equations)


@checked_call()
def face(
    *, axis: int, side: Literal["lower", "upper"], residual: Residual, weight: float = 1.0, equations: int | None = None
) -> Condition:
    """Ask that `residual` vanishes on one face of a box: the lower face of the time axis carries the initial condition.

    >>> str(sl.face(axis=1, side="lower", residual=lambda u, x: u(x)).region)
    'lower face of axis 1'
    """
    return Condition(residual, Face(axis, side), weight, equations)


@checked_call()
@dataclass(frozen=True)
class Problem:
    """A differential equation with its side conditions on a domain.

    Parameters
    ----------
    name : str
    domain : Domain
        A `Box`, or one of your own.
    conditions : sequence of Condition
        See `interior`, `boundary` and `face`, and `data` for measured values.
    solution : callable, (d,) -> () or (outputs,), optional
        The exact solution at one point. Without it there is no error curve.
    outputs : int
        Number of unknown functions; with more than one, u returns a vector.
    equation : str
        The equation in one line of text, for people.
    axes : sequence of str, optional
        Names of the coordinates of a point, for pictures; x, or x₁, x₂ …
    recipe : Recipe, optional
        With what it is solved well, where that is known.

    Attributes
    ----------
    regions : tuple of Region
        Where each condition holds.
    origin : (str, dict) or None
        Name and arguments by which `PROBLEMS` makes this problem, but for the weights; None for a problem of your own.

    Raises
    ------
    InputError
        If there is no condition, one does not fit the domain, or the axes are not as many as the dimensions.

    Examples
    --------
    >>> rod = sl.Problem("rod", sl.Box(0, 1), [sl.interior(lambda u, x: sl.laplacian(u)(x) + 1), sl.boundary(lambda u, x: u(x))])
    >>> rod.names, [len(x) for x in rod.sample(50, seed=0)]
    (['interior', 'boundary'], [48, 2])
    """

    name: str
    domain: Domain
    conditions: Sequence[Condition]
    solution: Function | None = None
    outputs: int = 1
    equation: str = ""
    axes: Sequence[str] = ()
    recipe: Recipe = field(default_factory=Recipe, hash=False)
    regions: tuple[Region, ...] = field(init=False, repr=False, compare=False)
    origin: tuple[str, dict[str, Any]] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self):
        self._check_kinds()
        object.__setattr__(self, "outputs", check_integer("outputs", self.outputs, 1))
        object.__setattr__(self, "conditions", tuple(self.conditions))
        object.__setattr__(self, "regions", tuple(condition.on(self.domain) for condition in self.conditions))
        for condition, region in zip(self.conditions, self.regions, strict=True):
            if region.dim != self.dim:
                raise InputError(f"the region {region.name!r} has points of {region.dim} coordinates, the domain of {self.dim}.")
            if condition.takes_normal and region.codimension != 1 and not carried(region):
                raise InputError(f"the residual on the {region.name} takes (u, x, normal), but only a boundary has a normal.")
        axes = self.axes or (["x"] if self.dim == 1 else [f"x{i}".translate(SUBSCRIPTS) for i in range(1, self.dim + 1)])
        if not isinstance(axes, Sequence) or len(axes) != self.dim or not all(isinstance(axis, str) for axis in axes):
            raise InputError(f"axes = {axes!r} are not the names of {self.dim} coordinates.")
        object.__setattr__(self, "axes", tuple(axes))

    def _check_kinds(self):
        check_instance("name", self.name, str, "text, as 'heat'")
        check_instance("equation", self.equation, str, "text, as 'u″ = 1'")
        check_instance("recipe", self.recipe, Recipe, "one, as sl.Recipe(width=48)")
        check_instance("domain", self.domain, Domain, "a box by its corners, as sl.Box([0.0, 0.0], [1.0, 1.0])")
        if not isinstance(self.conditions, list | tuple):
            raise InputError(f"conditions = {self.conditions!r} is not a list: write conditions=[sl.interior(residual), …].")
        if not self.conditions:
            raise InputError(f"problem {self.name!r} has no conditions: give it at least one sl.interior(residual).")
        for i, condition in enumerate(self.conditions):
            check_instance(f"conditions[{i}]", condition, Condition, "sl.interior(residual), sl.boundary(residual) or sl.face(…)")
        if self.solution is not None and not callable(self.solution):
            raise InputError(f"solution = {self.solution!r} is not a function: write lambda x: … for one point x (d,).")

    @property
    def dim(self) -> int:
        """Dimension d of a point, time included."""
        return self.domain.dim

    @property
    def names(self) -> list[str]:
        """Name of each condition: its region, with a number where a region has several."""
        names = [region.name for region in self.regions]
        return [name if names.count(name) == 1 else f"{name} ({names[: i + 1].count(name)})" for i, name in enumerate(names)]

    def network(self, width: int | None = None, depth: int | None = None, activation: str | None = None):
        """Return the network that fits this problem, of its recipe's width, depth and activation unless others are given.

        An `MLP` unless the recipe has features; where the domain's lengths are far from 1, its coordinates are `Scaled`.

        >>> sl.PROBLEMS["heat_1d"]().network(width=8)
        MLP(dim=2, width=8, depth=2, outputs=1, activation='tanh')
        """
        from sketchlab.usual import usual_network

        return usual_network(self, "usual", width, depth, activation)

    def check_points(self, x) -> None:
        """Raise `InputError` unless x holds points of the domain's dimension, (n, d)."""
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise InputError(f"points of shape {x.shape} do not fit: {self.name!r} takes (n, {self.dim}).")

    def reweighted(self, weights: Sequence[float]) -> "Problem":
        """Return the problem with other weights, one for each condition."""
        weights = _listed(weights)
        if not isinstance(weights, Sequence) or len(weights) != len(self.conditions):
            raise InputError(f"weights = {weights!r} do not fit the {len(self.conditions)} conditions of {self.name!r}.")
        conditions = [replace(condition, weight=weight) for condition, weight in zip(self.conditions, weights, strict=True)]
        return replace(self, conditions=conditions).of_origin(self.origin)

    def __deepcopy__(self, memo):
        return self

    def __reduce_ex__(self, protocol):
        """Pickle a problem of the catalogue by its name, any other if its functions can be pickled."""
        if self.origin is not None:
            from sketchlab.equations import made_again

            return made_again, (self.origin, [condition.weight for condition in self.conditions])
        try:
            pickle.dumps([self.domain, self.solution, *((c.residual, c.region) for c in self.conditions)], protocol)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            way_out = "define its functions with def at the top of a module, or make it anew from its numbers in each process"
            raise pickle.PicklingError(f"problem {self.name!r} cannot be pickled ({error}): {way_out}.") from error
        return super().__reduce_ex__(protocol)

    def of_origin(self, origin: tuple[str, dict[str, Any]] | None) -> "Problem":
        """Return the problem with a note of how the catalogue made it."""
        problem = replace(self)
        object.__setattr__(problem, "origin", origin)
        return problem

    @checked_call()
    def sample(self, points: int | Sequence[int], *, seed: int, sampler: Sampler = uniform) -> tuple[np.ndarray, ...]:
        """Draw collocation points for every condition.

        Parameters
        ----------
        points : int or sequence of int
            A number for each condition, or the total: 80 % go inside; the conditions on the boundary share the rest by area,
            but each gets half of an equal share at least, and no more than its region has. Points that are given, as those of
            `data`, come in addition to the total; in a list, their number or more is asked for, and all of them taken.
        seed : int
        sampler : callable, (n, dim, seed) -> (m, dim) in the unit cube
            An entry of `SAMPLERS`, or your own.

        Returns
        -------
        tuple of ndarray, (n_c, d) for condition c

        Raises
        ------
        InputError
            If there are fewer points than conditions, or not one number a condition, or one that would drop given points.
        """
        counts = self._counts(points)
        seeds = np.random.SeedSequence(check_integer("seed", seed, 0, 2**32 - 1)).generate_state(len(counts)).tolist()
        drawings = zip(self.regions, counts, seeds, strict=True)
        return tuple(region.sample(count, seed=own_seed, sampler=sampler) for region, count, own_seed in drawings)

    def _counts(self, points):
        points, given = _listed(points), [given_points(region) for region in self.regions]
        if isinstance(points, Sequence) and not isinstance(points, str):
            if len(points) != len(given):
                raise InputError(f"points = {points} has {len(points)} numbers for the {len(given)} conditions of {self.name!r}.")
            counts = [check_integer("points", _listed(count), 1, MOST_POINTS) for count in points]
            for name, least, count in zip(self.names, given, counts, strict=True):
                if count < least:
                    raise InputError(f"points = {points} would drop points of the {name}: give it its {least}.")
            return counts
        drawn = [region for region, known in zip(self.regions, given, strict=True) if not known]
        shares = iter(_share(check_integer("points", points, max(len(drawn), 1), MOST_POINTS), drawn))
        return [known or next(shares) for known in given]


def _share(total, regions):
    """Share a total number of points among regions."""
    if not regions:
        return []
    inside = np.array([region.codimension == 0 for region in regions])
    limits = np.array([region.capacity or np.inf for region in regions])
    shares = np.zeros(len(regions))
    if not inside.all():
        areas = np.array([region.measure for region in regions])[~inside]
        # A small total leaves two points to each condition: both ends of an interval.
        budget = max((1 - INTERIOR_SHARE) * total, min(2 * len(areas), total / 2)) if inside.any() else total
        shares[~inside] = np.minimum(_fair(budget, areas), limits[~inside])
    if inside.any():
        # What the boundary cannot use goes inside.
        shares[inside] = (total - shares[~inside].sum()) / inside.sum()
    return apportion(total, np.cumsum(shares), limits)


def _fair(total, areas):
    """Share by area, but leave every condition half of an equal share: what is above it is scaled to the rest."""
    shares = total * areas / areas.sum()
    least = total / (2 * len(areas))
    excess = np.maximum(shares - least, 0)
    return shares if np.all(shares >= least) else least + excess * (total / 2) / excess.sum()


def _listed(numbers):
    """Return arrays of NumPy and JAX as Python numbers."""
    return numbers.tolist() if hasattr(numbers, "tolist") else numbers
