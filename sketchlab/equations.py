"""The problems that come with the package, by name in `PROBLEMS`.

To add one, write a function that returns a `Problem` and enter it: ``PROBLEMS["mine"] = my_problem``. Whatever the catalogue
makes notes its name and arguments in `Problem.origin`, so that it can be made again from a file.
"""

import functools
import inspect
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from sketchlab.calculus import Function, laplacian, partial
from sketchlab.domains import Box
from sketchlab.problems import Problem, Residual, boundary, face, interior
from sketchlab.validation import Catalogue, InputError, check_call, check_real


def _dirichlet(exact: Function) -> Residual:
    """Return the residual u - exact."""
    return lambda u, x: u(x) - exact(x)


def _poisson(dim, equation, exact, eigenvalue):
    """Return −Δu = eigenvalue · exact on (0, 1)^dim with the values of `exact` on the boundary."""
    inside = interior(lambda u, x: -laplacian(u)(x) - eigenvalue * exact(x))
    conditions, cube = [inside, boundary(_dirichlet(exact), weight=10.0)], Box([0.0] * dim, [1.0] * dim)
    return Problem(f"poisson_{dim}d", cube, conditions, solution=exact, equation=equation)


def poisson_1d() -> Problem:
    """−u″ = π² sin πx on (0, 1), u = sin πx."""
    return _poisson(1, "−u″ = π² sin πx on (0, 1),  u = sin πx", lambda x: jnp.sin(jnp.pi * x[0]), jnp.pi**2)


def poisson_2d() -> Problem:
    """−Δu = f on (0, 1)², u = sin πx sin πy."""
    equation = "−Δu = f on (0, 1)²,  u = sin πx sin πy"
    return _poisson(2, equation, lambda x: jnp.prod(jnp.sin(jnp.pi * x)), 2 * jnp.pi**2)


def poisson_5d() -> Problem:
    """−Δu = f on (0, 1)⁵, u = Σ cos πxᵢ."""
    return _poisson(5, "−Δu = f on (0, 1)⁵,  u = Σ cos πxᵢ", lambda x: jnp.sum(jnp.cos(jnp.pi * x)), jnp.pi**2)


def heat_1d() -> Problem:
    """u_t = ¼ u_xx on (0, 1) × (0, 1), u = exp(−π²t/4) sin πx; points are (x, t)."""

    def exact(x):
        return jnp.exp(-(jnp.pi**2) * x[1] / 4) * jnp.sin(jnp.pi * x[0])

    equation = "u_t = ¼ u_xx on (0, 1)×(0, 1),  u = exp(−π²t/4) sin πx"
    conditions = [
        interior(lambda u, x: partial(u, 1)(x) - laplacian(u, axes=[0])(x) / 4),
        face(axis=0, side="lower", residual=lambda u, x: u(x), weight=10.0),
        face(axis=0, side="upper", residual=lambda u, x: u(x), weight=10.0),
        face(axis=1, side="lower", residual=_dirichlet(exact), weight=10.0),
    ]
    return Problem("heat_1d", Box([0.0, 0.0], [1.0, 1.0]), conditions, solution=exact, equation=equation, axes=("x", "t"))


def nonlinear_bvp() -> Problem:
    """−u″ + u³ = f on (−1, 1), u = cos πx."""

    def exact(x):
        return jnp.cos(jnp.pi * x[0])

    def inside(u, x):
        source = jnp.pi**2 * exact(x) + exact(x) ** 3
        return -laplacian(u)(x) + u(x) ** 3 - source

    equation = "−u″ + u³ = f on (−1, 1),  u = cos πx"
    conditions = [interior(inside), boundary(_dirichlet(exact), weight=10.0)]
    return Problem("nonlinear_bvp", Box([-1.0], [1.0]), conditions, solution=exact, equation=equation)


def transport_1d(speed: float = 1.0) -> Problem:
    """u_t + c u_x = 0 on (0, 1) × (0, 1), periodic in x, u = sin 2π(x − ct); points are (x, t).

    Parameters
    ----------
    speed : float
        c, between -1000 and 1000. 1 is easy, 10 hard, and at 30 a plain PINN fails (Krishnapriyan et al. 2021).
    """
    speed = check_real("speed", speed, -1000, 1000)

    def exact(x):
        return jnp.sin(2 * jnp.pi * (x[0] - speed * x[1]))

    def periodic(u, x):
        return u(x) - u(x.at[0].add(1.0))

    equation = f"u_t + c u_x = 0 on (0, 1)×(0, 1), periodic in x,  u = sin 2π(x − ct), c = {speed:g}"
    conditions = [
        interior(lambda u, x: partial(u, 1)(x) + speed * partial(u, 0)(x)),
        face(axis=0, side="lower", residual=periodic, weight=10.0),
        face(axis=1, side="lower", residual=_dirichlet(exact), weight=10.0),
    ]
    return Problem("transport_1d", Box([0.0, 0.0], [1.0, 1.0]), conditions, solution=exact, equation=equation, axes=("x", "t"))


class ProblemCatalogue(Catalogue):
    """A catalogue whose factories note their name and arguments in the problems that they make."""

    def __init__(self, *factories: Callable[..., Problem]):
        super().__init__("problem", {})
        self.update({factory.__name__: factory for factory in factories})

    def __setitem__(self, name, factory):
        super().__setitem__(name, _noting(name, factory))

    def update(self, factories):
        """Enter several factories, name by name."""
        for name, factory in dict(factories).items():
            self[name] = factory


def _noting(name, factory):
    if not callable(factory):
        raise InputError(f"PROBLEMS[{name!r}] = {factory!r}: enter a function that returns a Problem.")

    @functools.wraps(factory)
    def make(*args, **kwargs):
        check_call(factory, args, kwargs, name=name)
        problem = factory(*args, **kwargs)
        if not isinstance(problem, Problem):
            raise InputError(f"PROBLEMS[{name!r}] returned {problem!r}: it must return a Problem.")
        bound = inspect.signature(factory).bind(*args, **kwargs)
        bound.apply_defaults()
        # Python's own numbers, for JSON.
        arguments = {key: value.item() if isinstance(value, np.generic) else value for key, value in bound.arguments.items()}
        return problem.of_origin((name, arguments))

    return make


def made_again(origin: tuple[str, dict], weights: list[float]) -> Problem:
    """Make a problem of the catalogue again, from its `Problem.origin` and the weights of its conditions."""
    name, arguments = origin
    return PROBLEMS[name](**arguments).reweighted(weights)


#: Factories of problems; see the opening of this module.
PROBLEMS = ProblemCatalogue(poisson_1d, poisson_2d, poisson_5d, heat_1d, nonlinear_bvp, transport_1d)
