"""The explorer of one's own equation: a few lines of Python become a trained network, or a sentence on what is wrong."""

import linecache
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

import sketchlab
from sketchlab.explore.controls import Words
from sketchlab.explore.training_explorer import TrainingExplorer
from sketchlab.problems import Problem
from sketchlab.setup import Setup
from sketchlab.user_code import explain, line_of
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
#: What is said about a text that nobody has read yet.
UNREAD = "this text came with the settings: read it, then press Run."


class EquationExplorer(TrainingExplorer):
    """A problem written as text, and its training.

    Parameters
    ----------
    source : str
        Python that makes a `Problem` called ``problem``; it knows ``sl``, ``jnp``, ``np`` and ``jax``.
    unread : bool
        Whether the text waits for Run, Step or `run_sync` before it is run: it may be somebody else's.
    **choices
        First values of the other controls, see `TrainingExplorer`.
    """

    name = "equation"
    title = "Your own equation"
    look_for = (
        "Write what must vanish inside and on the boundary, click outside the text, and press <b>Run</b>. "
        "The line below the buttons says what is wrong, and in which line."
    )
    primary: ClassVar = ("source", "optimizer", "width", "rank")
    structure: ClassVar = ("source", *TrainingExplorer.structure[1:])

    def __init__(self, source=TEMPLATE, network="usual", *, unread=False, **choices):
        self._unread = unread and source != TEMPLATE
        text = Words("problem", TEMPLATE, lines=12, help="Python; what it calls `problem` is solved")
        self._start_with({"source": text}, network, choices | {"source": source})

    @classmethod
    def from_settings(cls, settings):
        """Bring an explorer back from its `settings`, and leave the text unread."""
        return cls(**settings | {"unread": True})

    def _arrive(self, settings):
        # A link that brings no text leaves one unread that nobody has read yet.
        self._unread |= settings.get("source", TEMPLATE) not in (TEMPLATE, self._value("source"))
        super()._arrive(settings)

    def _in_hand(self):
        self._unread = False
        return super()._in_hand()

    def _changed(self, names):
        if "source" in names:
            # Another equation: what was trained is of no use to it.
            self._background.drop()
            self.work = None
        if self._unread:
            self._set_up()
        else:
            super()._changed(names)

    def _set_up(self):
        if self._unread:
            self._say(UNREAD, "idle")
        else:
            super()._set_up()

    def _problem(self):
        return read_problem(self._value("source"))


def read_problem(source: str) -> Problem:
    """Run a text and return the `Problem` that it calls ``problem``, tried on a small network.

    Raises
    ------
    InputError
        With the line, and in words, for whatever is wrong: Python that cannot be read or run, no problem, residuals that cannot
        be computed or are non-finite.
    """
    # So that messages can quote the lines.
    linecache.cache[FILE] = len(source), None, source.splitlines(keepends=True), FILE
    names = dict(NAMES)
    try:
        exec(compile(source, FILE, "exec"), names)
    except SyntaxError as error:
        raise InputError(f"line {error.lineno} cannot be read: {error.msg}.") from error
    except Exception as error:  # said in words, with the line
        raise InputError(f"{line_of(error)}: {explain(error)}") from error
    problem = names.get("problem")
    if not isinstance(problem, Problem):
        raise InputError("the text makes no problem: end it with problem = sl.Problem(…).")
    setup = Setup(problem, problem.network(4, 1), 10 * len(problem.conditions))
    points = setup.draw()
    for name, x, size in zip(problem.names, points, setup.least_squares.residual_sizes(setup.theta(), points), strict=True):
        if not np.all(np.isfinite(size)):
            where = ", ".join(f"{coordinate:.3g}" for coordinate in np.asarray(x[np.argmin(np.isfinite(size))]))
            raise InputError(f"the residual on the {name} is non-finite at x = ({where}): look for a division by zero there.")
    return problem
