"""What a computation starts from: a problem, a network, points, a seed, a type of numbers.

Training, spectra, the command line and the explorers all begin here, so that the same five choices give the same points and
the same first parameters everywhere, and whatever does not fit is said once.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.domains import Sampler, carried, uniform, unit_sized
from sketchlab.memory import check_memory, largest_rank
from sketchlab.networks import MLP, check_network
from sketchlab.problems import Problem
from sketchlab.residuals import LeastSquares, Points
from sketchlab.user_code import check_solution
from sketchlab.validation import InputError, check_array, check_instance, check_integer, checked_call

#: Vectors as long as theta that are alive at once when the first parameters are drawn, or in a step of Adam.
VECTORS = 8


class ScaleWarning(UserWarning):
    """A network sees coordinates whose size it is not made for."""


@checked_call()
@dataclass(frozen=True)
class Setup:
    """A problem and a network, with the points, the seed and the type of numbers to see them with.

    Parameters
    ----------
    problem : Problem
    network : network
        See `sketchlab.networks`; `Problem.network` makes the usual one.
    points : int or sequence of int
        Collocation points, see `Problem.sample`.
    seed : int
        Decides the first parameters, the points and every random matrix.
    dtype : str
        "float64", or "float32", which ends at relative errors of about 2e-6 on easy problems.
    sampler : callable
        An entry of `SAMPLERS`, or your own: (n, dim, seed) -> (m, dim) in the unit cube.

    Raises
    ------
    InputError
        For whatever does not fit, a residual or a solution of the wrong kind among it: see the message.

    Examples
    --------
    >>> setup = sl.Setup(sl.PROBLEMS["heat_1d"](), sl.MLP(2, width=8), points=100)
    >>> setup.rows, setup.parameters, setup.theta().shape
    (100, 105, (105,))
    """

    problem: Problem
    network: MLP
    points: int | Sequence[int] = 1000
    seed: int = 0
    dtype: str = "float64"
    sampler: Sampler = uniform
    least_squares: LeastSquares = field(init=False, repr=False)
    #: N, residual rows.
    rows: int = field(init=False, repr=False)

    def __post_init__(self):
        check_instance("problem", self.problem, Problem, 'sl.PROBLEMS["heat_1d"]() or sl.Problem(…)')
        object.__setattr__(self, "seed", check_integer("seed", self.seed, 0, 2**32 - 1))
        check_dtype(self.dtype)
        check_network(self.network)
        if type(self.network) is MLP and not unit_sized(self.problem.domain):
            lower, upper = (np.asarray(corner).tolist() for corner in (self.problem.domain.lower, self.problem.domain.upper))
            warnings.warn(
                f"the network sees coordinates from {lower} to {upper}, far from the size of 1 that it is made for: take "
                f"problem.network(width={self.network.width}), or sl.Scaled(network, {lower}, {upper}).",
                ScaleWarning,
                stacklevel=2,
            )
        # Before anything is compiled for a network that is larger than any method can work with here.
        needed = VECTORS * self.parameters * jnp.dtype(self.dtype).itemsize
        check_memory(f"a network of P = {self.parameters:,} parameters", needed, "take a smaller one.")
        check_solution(self.problem)
        # Traced now: what is wrong with a residual is said before anything is drawn or compiled.
        object.__setattr__(self, "least_squares", LeastSquares(self.problem, self.network))
        self._check_weights()
        points = self.problem.sample(self.points, seed=0, sampler=self.sampler)
        self._check_inside(points)
        object.__setattr__(self, "rows", self.least_squares.rows(points))

    def _check_weights(self):
        # Their squares have to be numbers of this dtype: a loss that is too small for it would be zero, and look solved.
        least, most = (float(limit) ** 0.5 for limit in (jnp.finfo(self.dtype).tiny, jnp.finfo(self.dtype).max))
        for name, condition in zip(self.problem.names, self.problem.conditions, strict=True):
            if not least <= condition.weight <= most:
                raise InputError(
                    f"weight = {condition.weight:g} of the {name} does not fit {self.dtype}: {least:.0e} to {most:.0e} do."
                )

    def _check_inside(self, points):
        # A face of a box goes on where a hole has cut the box, but the equation does not hold there.
        domain = self.problem.domain
        for name, region, x in zip(self.problem.names, self.problem.regions, points, strict=True):
            if region in (domain, domain.boundary):
                continue
            outside = ~domain.contains(x[:, : domain.dim])
            if outside.any():
                first = np.round(x[np.argmax(outside), : domain.dim], 4).tolist()
                raise InputError(
                    f"{outside.sum()} of the {len(x)} points of the {name} lie outside the domain, x = {first} for one: give a "
                    "region of this domain, as an entry of its parts."
                )

    @property
    def parameters(self) -> int:
        """P, the number of parameters."""
        return self.network.size

    @property
    def largest_rank(self) -> int:
        """Largest rank of a sketch that N, P and the memory at hand allow; 0 if none fits."""
        return largest_rank(self.rows, self.parameters, itemsize=jnp.dtype(self.dtype).itemsize)

    def keys(self, seed: int | None = None) -> tuple[jax.Array, ...]:
        """Return the random keys of a seed: for parameters, for an optimizer's first state or a sketch, and for steps."""
        return _keys(self.seed if seed is None else seed)

    def draw(self, seed: int | None = None) -> Points:
        """Draw the collocation points, (n_c, d) for each condition."""
        drawn = self.problem.sample(self.points, seed=self.seed if seed is None else seed, sampler=self.sampler)
        return as_arrays(drawn, self.dtype)

    def theta(self, seed: int | None = None) -> jax.Array:
        """Draw the first parameters (P,)."""
        return self.network.init(key=self.keys(seed)[0], dtype=jnp.dtype(self.dtype))

    def check_theta(self, theta) -> jax.Array:
        """Return given parameters as an array (P,) of this dtype, or raise `InputError` if they do not fit the network."""
        theta = jnp.asarray(check_array("theta", theta), jnp.dtype(self.dtype))
        if theta.shape != (self.parameters,):
            raise InputError(f"theta has shape {theta.shape}, but the network has P = {self.parameters} parameters.")
        return theta

    def check_points(self, points) -> Points:
        """Return given points as arrays of this dtype, one (n, d) for each condition, or raise `InputError`."""
        # Numbers that come with a point are further columns.
        widths = [self.problem.dim + carried(region) for region in self.problem.regions]
        if not isinstance(points, tuple | list) or [np.shape(x)[1:] for x in points] != [(width,) for width in widths]:
            shapes = [np.shape(x) for x in points] if isinstance(points, tuple | list) else points
            asked = ", ".join(f"(n, {width})" for width in dict.fromkeys(widths))
            raise InputError(
                f"points of shapes {shapes} do not fit: {len(widths)} arrays {asked} are asked for, one a condition."
            )
        return as_arrays(points, self.dtype)


@jax.jit
def _keys(seed):
    return tuple(jax.random.split(jax.random.key(seed), 3))


def as_arrays(points, dtype) -> Points:
    """Hand points that were drawn on the host to JAX."""
    return tuple(jnp.asarray(x, jnp.dtype(dtype)) for x in points)


def check_dtype(name: str) -> None:
    """Raise `InputError` if a type of numbers is unknown, or switched off."""
    if not isinstance(name, str) or name not in ("float64", "float32"):
        raise InputError(f"dtype = {name!r} is not known: use 'float64' or 'float32'.")
    if name == "float64" and not jax.config.read("jax_enable_x64"):
        raise InputError(
            "dtype = 'float64', but JAX has 64-bit numbers off: run jax.config.update('jax_enable_x64', True) "
            "first, or ask for dtype='float32', which ends at relative errors of about 2e-6."
        )
