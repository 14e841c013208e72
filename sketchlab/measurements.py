"""Measured data: points with values and standard deviations, which the solution shall meet.

`data` makes a condition of them; its region, `Measurements`, gives all of its points to every drawing. The values travel with the
points, as further columns: other values at as many points are the same computation, which is not compiled again.
"""

import hashlib
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.domains import Domain, Sampler, uniform
from sketchlab.problems import Condition
from sketchlab.validation import InputError, check_array, check_instance, check_integer, checked_call, takes


@dataclass(frozen=True)
class Measurements:
    """A region of given points, with which come the measured values and their standard deviations.

    Two are equal if their numbers are.

    Attributes
    ----------
    rows : (n, d + 2 m)
        Points, values, standard deviations.
    dim : int
    measure : float
        1 over the mean of 1/σ². So a condition of weight 1 counts as the mean square of what u misses the values by, where the
        more precise ones count more: (u - v)² with the weights 1/σ².
    fixed : bool
        True: every drawing has all points, which come in addition to those that are drawn.
    digest : str
        A short name of the numbers.
    """

    rows: np.ndarray = field(repr=False, compare=False)
    dim: int
    digest: str = field(init=False)

    name, codimension, fixed = "data", 0, True

    def __post_init__(self):
        check_instance("rows", self.rows, np.ndarray, "what sl.data makes of points and values").setflags(write=False)
        object.__setattr__(self, "digest", hashlib.sha256(np.ascontiguousarray(self.rows).tobytes()).hexdigest()[:16])

    @property
    def carries(self) -> int:
        """How many numbers come with each point: 2 m."""
        return self.rows.shape[1] - self.dim

    @property
    def capacity(self) -> int:
        """Number of points n."""
        return len(self.rows)

    @property
    def measure(self) -> float:
        """1 over the mean of 1/σ²."""
        return 1 / float(np.mean(self.sigma**-2.0))

    @property
    def x(self) -> np.ndarray:
        """Points (n, d)."""
        return self.rows[:, : self.dim]

    @property
    def values(self) -> np.ndarray:
        """Measured values (n, m)."""
        return np.split(self.rows[:, self.dim :], 2, axis=1)[0]

    @property
    def sigma(self) -> np.ndarray:
        """Their standard deviations (n, m)."""
        return np.split(self.rows[:, self.dim :], 2, axis=1)[1]

    def of(self, domain: Domain) -> "Measurements":
        """Return this region, or raise `InputError` if a point lies outside of the domain."""
        if domain.dim == self.dim and not np.all(inside := domain.contains(self.x)):
            raise InputError(
                f"{np.sum(~inside)} of {len(self.x)} measured points lie outside of the domain, the first at "
                f"x = {self.x[np.argmin(inside)].tolist()}: leave them out, or take a larger domain."
            )
        return self

    def sample(self, n: int, *, seed: int, sampler: Sampler = uniform) -> np.ndarray:
        """Return all rows, (n, d + 2 m), or raise `InputError` if fewer are asked for: no measurement is dropped."""
        if check_integer("n", n, 1) < len(self.rows):
            raise InputError(f"{n} points are asked for of {len(self.rows)} measured ones, which are never dropped: ask for all.")
        return self.rows

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Tell which of the points (n, d) were measured: (n,) of bool."""
        return np.any(np.all(np.asarray(x)[:, None] == self.x, axis=2), axis=1)


@dataclass(frozen=True)
class Misfit:
    """The residual of data, (observed(u, x) - value) / σ; where nothing is `observed`, u(x) is."""

    observed: Callable | None
    #: Shape of a value: () or (m,).
    shape: tuple[int, ...]

    def __call__(self, u, x: jax.Array, numbers: jax.Array) -> jax.Array:
        """Evaluate it at one point, with the value and σ in `numbers` (2 m,)."""
        value, sigma = (part.reshape(self.shape) for part in jnp.split(numbers, 2))
        found = u(x) if self.observed is None else self.observed(u, x)
        if hasattr(found, "shape") and found.shape != self.shape:
            raise InputError(
                f"u(x) has the shape {found.shape} at one point, a measured value {self.shape}: say what was measured, as in "
                "residual=lambda u, x: u(x)[0]"
                if self.observed is None
                else f"what is observed has the shape {found.shape} at one point, a measured value {self.shape}"
            )
        return (found - value) / sigma


@checked_call()
def data(x, values, *, sigma, residual: Callable | None = None, weight: float = 1.0) -> Condition:
    """Ask that the solution meets measured values: a condition on given points, each with its standard deviation.

    All points are part of every drawing, in addition to those that `points` asks for; in a list of numbers, give how many they
    are. Redrawing and choosing points leaves them as they are.

    Parameters
    ----------
    x : (n, d)
        Where it was measured, in the domain.
    values : (n,) or (n, m)
        Without NaN: leave out what is missing.
    sigma : float, or array
        Standard deviation of the values: one for all, or an array with as many axes as `values`, as (n,), (n, m) or (1, m).
    residual : callable, (u, x) -> () or (m,), optional
        What was measured, where it is not u(x): an entry of a system, ``lambda u, x: u(x)[0]``, a derivative, a flux.
    weight : float
        Part in the loss: ½ weight Σ ((u - v)/σ)² / Σ 1/σ², that is ½ weight times the mean of (u - v)², where the more precise
        values count more. One factor in all σ changes standard errors (`standard_errors`), not the solution.

    Notes
    -----
    Data are a condition inside: `boundary_weight` leaves their weight alone. Several conditions of data have a mean square each;
    the best estimate gives them weights in the ratio of their Σ 1/σ², unless they are put into one.

    Raises
    ------
    InputError
        If shapes do not fit, a number is not finite, or a standard deviation not above 0.

    Examples
    --------
    >>> x = np.linspace(0.1, 0.9, 9)[:, None]
    >>> seen = sl.data(x, np.sin(np.pi * x[:, 0]), sigma=0.01)
    >>> problem = sl.Problem("seen", sl.Box(0, 1), [sl.interior(lambda u, x: sl.laplacian(u)(x) + np.pi**2 * u(x)), seen])
    >>> [len(x) for x in problem.sample(40, seed=0)]
    [40, 9]
    """
    x, values, sigma = (np.array(check_array(name, a), float) for name, a in (("x", x), ("values", values), ("sigma", sigma)))
    if x.ndim != 2 or not x.size:
        way_out = ": write x[:, None] for points on a line" if x.ndim == 1 else ""
        raise InputError(f"x of shape {x.shape} holds no points (n, d){way_out}.")
    if values.ndim not in (1, 2) or len(values) != len(x) or not values.size:
        raise InputError(f"values of shape {values.shape} do not fit {len(x)} points: one for each, (n,), or several, (n, m).")
    for name, numbers in (("x", x), ("values", values), ("sigma", sigma)):
        if not np.all(fine := np.isfinite(numbers)):
            place = np.unravel_index(np.argmin(fine), numbers.shape)
            rest = "leave out the points whose value is missing" if name == "values" else "leave such points out"
            raise InputError(f"{name} has {np.sum(~fine)} NaN or infinite numbers, the first at {_index(place)}: {rest}.")
    # Squares are taken of them.
    if not np.all((sigma > 1e-150) & (sigma < 1e150)):
        raise InputError(
            f"sigma = {reprlib.repr(sigma.tolist())} must be above 0, and its square a number: it is a standard deviation."
        )
    if sigma.ndim not in (0, values.ndim) or any(have not in (1, n) for have, n in zip(sigma.shape, values.shape, strict=False)):
        raise InputError(f"sigma of shape {sigma.shape} does not fit values of shape {values.shape}: one for all, or one each.")
    if residual is not None and not (callable(residual) and takes(residual, 2)):
        raise InputError(f"residual = {residual!r} is not a function of (u, x): write lambda u, x: … for what was measured.")
    columns = [x, values, np.broadcast_to(sigma, values.shape)]
    region = Measurements(np.concatenate([column.reshape(len(x), -1) for column in columns], axis=1), x.shape[1])
    return Condition(Misfit(residual, values.shape[1:]), region, weight, equations=values[0].size)


def _index(place):
    """Write an index as for NumPy: [3] or [3, 0]."""
    return f"[{', '.join(map(str, place))}]"
