"""The problems that come with the package, by name in `PROBLEMS`.

To add one, write a function that returns a `Problem` and enter it: ``PROBLEMS["mine"] = my_problem``. Whatever the catalogue
makes notes its name and arguments in `Problem.origin`, so that it can be made again from a file.

Each problem has a solution: a formula, or one that was computed by a spectral method and is stored with its error, see
`sketchlab.equations.references`. Its `Recipe` says with what it is solved well.
"""

import functools
import inspect
from collections.abc import Callable

import numpy as np

from sketchlab.equations import elliptic, evolution, flows, layers, nonlinear
from sketchlab.problems import Problem
from sketchlab.validation import Catalogue, InputError, check_call


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
PROBLEMS = ProblemCatalogue(
    elliptic.poisson_1d,
    elliptic.poisson_2d,
    elliptic.poisson_5d,
    evolution.heat_1d,
    elliptic.nonlinear_bvp,
    evolution.transport_1d,
    evolution.wave_1d,
    evolution.beam,
    evolution.heat_4d,
    elliptic.helmholtz,
    elliptic.disk,
    elliptic.l_shape,
    elliptic.jump,
    elliptic.poisson_10d,
    flows.kovasznay,
    flows.taylor_green,
    flows.cavity,
    nonlinear.reaction_1d,
    nonlinear.reaction_diffusion,
    layers.burgers,
    layers.allen_cahn,
    nonlinear.korteweg_de_vries,
    nonlinear.kuramoto_sivashinsky,
)
