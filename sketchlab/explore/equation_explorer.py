"""The explorer of one's own equation: a few lines of Python become a trained network, or a sentence on what is wrong."""

import linecache
import re
import traceback
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

import sketchlab
from sketchlab.explore.controls import Words
from sketchlab.explore.training_explorer import TrainingExplorer
from sketchlab.networks import MLP
from sketchlab.problems import Problem
from sketchlab.residuals import LeastSquares
from sketchlab.setup import Setup
from sketchlab.validation import InputError

#: What the text knows besides Python.
NAMES = {"sl": sketchlab, "jax": jax, "jnp": jnp, "np": np}
#: What Python calls the text in its messages.
FILE = "<your equation>"
TEMPLATE = """\
# −Δu + u³ = 1 on the unit square, u = 0 on its boundary
def equation(u, x):
    return -sl.laplacian(u)(x) + u(x) ** 3 - 1.0

problem = sl.Problem(
    name="mine",
    domain=sl.Box([0.0, 0.0], [1.0, 1.0]),
    conditions=[sl.interior(equation), sl.boundary(lambda u, x: u(x), weight=10.0)],
)
"""
#: What to do about an exception, where its own words do not say it.
ADVICE = {
    NameError: "the text knows sl, jnp, np, jax and what it defines itself",
    jax.errors.TracerBoolConversionError: "a residual cannot branch on values with `if`: use jnp.where(condition, a, b)",
    jax.errors.TracerArrayConversionError: "NumPy cannot compute with u and x here: use jnp in place of np",
    jax.errors.ConcretizationTypeError: "u and x have no values yet when this line is read: keep to jnp functions of them",
}


class EquationExplorer(TrainingExplorer):
    """A problem written as text, and its training.

    Parameters
    ----------
    source : str
        Python that makes a `Problem` called ``problem``; it knows ``sl``, ``jnp``, ``np`` and ``jax``.
    **choices
        First values of the other controls, see `TrainingExplorer`.
    """

    name = "equation"
    title = "Your own equation"
    look_for = (
        "Write what must vanish inside and on the boundary, click outside the text, and press <b>Run</b>. "
        "The line below the buttons says what is wrong, and in which line."
    )
    structure: ClassVar = ("source", *TrainingExplorer.structure[1:])

    def __init__(self, source=TEMPLATE, **choices):
        self._start_with(
            {"source": Words("problem", TEMPLATE, lines=12, help="Python; what it calls `problem` is solved")},
            choices | {"source": source},
        )

    def _changed(self, names):
        if "source" in names:
            # Another equation: what was trained is of no use to it.
            self._background.drop()
            self._session = None
        super()._changed(names)

    def _problem(self):
        return read_problem(self._value("source"))


def read_problem(source: str) -> Problem:
    """Run a text and return the `Problem` that it calls ``problem``, tried on a small network.

    Raises
    ------
    InputError
        With the line, and in words, for whatever is wrong: Python that cannot be read or run, no problem, residuals that cannot
        be computed or are no numbers.
    """
    # So that messages can quote the lines.
    linecache.cache[FILE] = len(source), None, source.splitlines(keepends=True), FILE
    names = dict(NAMES)
    try:
        exec(compile(source, FILE, "exec"), names)
        problem = names.get("problem")
        if not isinstance(problem, Problem):
            raise InputError("the text makes no problem: end it with problem = sl.Problem(…).")
        _try(problem)
    except SyntaxError as error:
        raise InputError(f"line {error.lineno} cannot be read: {error.msg}.") from error
    except Exception as error:  # said in words, with the line
        raise InputError(_explain(error)) from error
    return problem


def _try(problem):
    network = MLP(problem.dim, 4, 1, problem.outputs)
    least_squares = LeastSquares(problem, network)
    points = problem.sample(10 * len(problem.conditions), seed=0)
    theta = Setup(problem, network, 10 * len(problem.conditions)).theta()
    sizes = least_squares.residual_sizes(theta, tuple(jnp.asarray(x) for x in points))
    for name, x, size in zip(problem.names, points, sizes, strict=True):
        if not np.all(np.isfinite(size)):
            where = ", ".join(f"{coordinate:.3g}" for coordinate in x[np.argmin(np.isfinite(size))])
            raise InputError(f"the residual on the {name} is not a number at x = ({where}): look for a division by zero there.")


def _explain(error):
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == FILE]
    where = f"line {lines[-1].lineno}, {lines[-1].line!r}: " if lines else ""
    words = str(error).splitlines()[0] if str(error) else type(error).__name__
    # What Python calls the function that the residual gets as u.
    words = re.sub(r"LeastSquares[\w.<>]*\(\)", "u()", words)
    for kind, advice in ADVICE.items():
        if isinstance(error, kind):
            return f"{where}{words if kind is NameError else type(error).__name__}; {advice}."
    return where + (words if isinstance(error, InputError) else f"{type(error).__name__}: {words}")
