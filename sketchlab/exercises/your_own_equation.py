"""Checks of notebook 07.

An answer is a problem. Its residuals are tried on functions drawn at random, and the coefficients of the equation that it
really asks for are fitted to what they return: an answer may write its equation in another order, or multiply it by a number.
"""

import jax
import jax.numpy as jnp
import numpy as np

from sketchlab.calculus import laplacian, partial
from sketchlab.domains import Box
from sketchlab.exercises.checking import Wrong, as_numbers, close, exercise, need, stopped
from sketchlab.problems import Problem, boundary, face, interior
from sketchlab.setup import Setup
from sketchlab.validation import InputError

#: Functions that residuals are tried on, and how far a fit to what they return may be off.
PROBES, MISFIT = 12, 1e-6


def convection_diffusion(epsilon: float) -> Problem:
    """−εu″ + u′ = 1 on (0, 1), u(0) = u(1) = 0: what the notebook goes on with if exercise 7.1 is not solved."""

    def exact(x):
        end = jnp.exp(-1 / epsilon)
        return x[0] - (jnp.exp((x[0] - 1) / epsilon) - end) / (1 - end)

    return Problem(
        name="convection_diffusion",
        domain=Box([0.0], [1.0]),
        conditions=[
            interior(lambda u, x: -epsilon * laplacian(u)(x) + partial(u, 0)(x) - 1.0),
            boundary(lambda u, x: u(x), weight=10.0),
        ],
        solution=exact,
    )


def oscillator(omega: float) -> Problem:
    """u′ = v, v′ = −ω²u on (0, 1), u(0) = 1, v(0) = 0: what the notebook goes on with if exercise 7.3 is not solved."""

    def system(w, t):
        (u, v), (du, dv) = w(t), partial(w, 0)(t)
        return jnp.stack([du - v, dv + omega**2 * u])

    def at_rest(w, t):
        return w(t) - jnp.array([1.0, 0.0])

    return Problem(
        name="oscillator",
        domain=Box([0.0], [1.0]),
        conditions=[interior(system), face(axis=0, side="lower", residual=at_rest, weight=10.0)],
        solution=lambda t: jnp.stack([jnp.cos(omega * t[0]), -omega * jnp.sin(omega * t[0])]),
        outputs=2,
        axes=["t"],
    )


@exercise
def check_07_convection_diffusion(answer):
    """−εu″ + u′ = 1 on (0, 1), u(0) = u(1) = 0: epsilon -> Problem."""
    for epsilon in (0.3, 0.07):
        problem = _problem(answer(epsilon), Box([0.0], [1.0]), outputs=1)
        equations = _inside(problem, "the differential equation")
        need(
            len(equations) == 1,
            f"You ask for {len(equations)} equations inside.",
            "There is one differential equation: a single sl.interior.",
        )
        row, misfit = _fit(problem, equations, _scalar_terms, _points_inside())
        need(
            misfit < MISFIT and len(row) == 1,
            "Your equation is not made of u″, u′ and numbers alone.",
            "The coefficients are constant: neither x nor a power of u stands in front of a derivative.",
        )
        second, first, value, constant = row[0] / np.max(np.abs(row[0]))
        need(abs(first) > 1e-6, "There is no u′ in your equation.", "The derivative of u along axis 0 is sl.partial(u, 0)(x).")
        # In units of the coefficient of u′, which is 1 in the equation.
        second, value, constant = second / first, value / first, constant / first
        need(abs(second) > 1e-6, "There is no u″ in your equation.", "In one dimension the Laplacian is the second derivative.")
        need(abs(value) < 1e-6, "There is a term with u itself in your equation.", "Only its two derivatives stand there.")
        need(
            not close(second, epsilon),
            "u″ and u′ have the same sign in your equation.",
            "Move everything to one side and look at the signs once more: diffusion comes with a minus here.",
        )
        need(
            not close(second, -1.0),
            "The number in front of u″ does not depend on epsilon.",
            "make(epsilon) is called with several numbers, and the equation changes with them.",
        )
        need(
            close(second, -epsilon, 1e-4),
            f"The number in front of u″ is {second:.4g}, for epsilon = {epsilon:g} and with u′ on its own.",
            "Diffusion has the coefficient that your function is given, neither its square nor its root.",
        )
        need(abs(constant) > 1e-6, "The right-hand side is missing.", "With u = 0 your residual vanishes, the equation does not.")
        need(
            not close(constant, 1.0, 1e-4),
            "The right-hand side has the wrong sign.",
            "A residual is the left side minus the right side.",
        )
        need(close(constant, -1.0, 1e-4), "The right-hand side is not 1.", "Move it to the left: what is left is zero.")
        for side, place in (("lower", 0.0), ("upper", 1.0)):
            conditions = _at_end(problem, side)
            need(
                conditions,
                f"Nothing is asked for at x = {place:g}.",
                "A second-order equation needs a value at both ends: sl.boundary asks at all of them.",
            )
            rows, misfit = _fit(problem, conditions, _scalar_terms, np.array([[place]]))
            need(
                np.max(np.abs(rows[:, :3])) > 1e-6,
                f"What you ask for at x = {place:g} does not depend on u.",
                "A residual that is the same for every function teaches the network nothing.",
            )
            need(
                misfit < MISFIT and np.max(np.abs(rows[:, :2])) < 1e-6 * np.max(np.abs(rows)),
                f"At x = {place:g} you ask for something else than a value of u.",
                "On the boundary the residual is u(x) minus the value that u should have.",
            )
            need(
                np.max(np.abs(rows[:, 3])) < 1e-6 * np.max(np.abs(rows)),
                f"At x = {place:g} you ask for another value of u than 0.",
                "Both boundary values are 0: what vanishes there is u itself.",
            )
        _compare_solution(problem, convection_diffusion(epsilon).solution)


@exercise
def check_07_source(answer):
    """−Δu + u³ = f for a given u: function -> function f."""
    functions = [
        # u, Δu, the second derivative along axis 0, a point
        (lambda x: jnp.sin(2 * x[0]), lambda x: -4 * jnp.sin(2 * x[0]), lambda x: -4 * jnp.sin(2 * x[0]), [0.7]),
        (lambda x: x[0] ** 2 * x[1] + x[1] ** 3, lambda x: 8 * x[1], lambda x: 2 * x[1], [0.6, -0.8]),
        (lambda x: jnp.exp(x[0] + x[1] - x[2]), lambda x: 3 * jnp.exp(x[0] + x[1] - x[2]), None, [0.3, 0.2, 0.4]),
    ]
    for u, curved, second, point in functions:
        f = answer(u)
        need(f is not None, "Your function returns None.", "Does it end with return?")
        need(
            callable(f),
            f"Your function returns {type(f).__name__}, not a function.",
            "f is a function of one point: define it inside of your function, and return it.",
        )
        x = jnp.asarray(point)
        given = float(as_numbers(_called(f, x), (), "f at one point"))
        value, curvature = float(u(x)), float(curved(x))
        hints = [
            (value, "Your f is u itself.", "f is what the left side of the equation gives when u is put into it."),
            (curvature + value**3, "The sign of the Laplacian is wrong.", "The equation starts with a minus."),
            (-curvature, "The term u³ is missing.", "The whole left side belongs to f."),
            (curvature - value**3, "Both terms have the wrong sign.", "f stands alone on its side: nothing is moved."),
            (-curvature - value**3, "The sign of u³ is wrong.", "f stands alone on its side: nothing is moved."),
            (-curvature + value**2, "u is squared.", "The power in the equation is three."),
            (-curvature + value, "u stands in f without its power.", "The power in the equation is three."),
            (-curvature + 3 * value, "u is multiplied by three.", "In Python a power is written with two stars."),
        ]
        if second is not None and len(point) > 1:
            says = "You differentiate along one axis only."
            hints.append((-float(second(x)) + value**3, says, "Δ sums the second derivatives over all axes: sl.laplacian(u)."))
        for wrong, says, hint in hints:
            need(not close(given, wrong, 1e-5), says, hint)
        need(
            close(given, -curvature + value**3, 1e-5),
            f"f is {given:.6g} at a point in {len(point)} dimensions where it should be another number.",
            "Put u into the left side, term by term, and let sl.laplacian differentiate.",
        )


@exercise
def check_07_oscillator(answer):
    """u′ = v, v′ = −ω²u on (0, 1), u(0) = 1, v(0) = 0: omega -> Problem."""
    for omega in (2.0, 3.5):
        problem = _problem(answer(omega), Box([0.0], [1.0]), outputs=2)
        rows, misfit = _fit(problem, _inside(problem, "the two equations"), _vector_terms, _points_inside())
        need(
            misfit < MISFIT,
            "Your equations are not made of u, v, u′ and v′ alone.",
            "Both equations are of first order: no second derivatives, no t, no products.",
        )
        need(
            len(rows) > 1,
            "There is one equation for two unknown functions.",
            "A residual may return a vector: jnp.stack([first, second]). Or give two sl.interior.",
        )
        derivatives = rows[:, 2:4]
        need(
            np.linalg.matrix_rank(derivatives, 1e-6 * np.max(np.abs(rows))) == 2,
            "Your equations do not tell both u′ and v′.",
            "One equation says what u′ is, the other what v′ is.",
        )
        # Solved for the derivatives: (u′, v′) = system · (u, v) + constant.
        solved = -np.linalg.pinv(derivatives) @ rows[:, [0, 1, 4]]
        (u_by_u, u_by_v, u_constant), (v_by_u, v_by_v, v_constant) = solved
        need(not close(u_by_v, -1.0, 1e-4), "Your equations say u′ = −v.", "A residual is the left side minus the right side.")
        need(
            not close(v_by_u, omega**2, 1e-4),
            "The force has the wrong sign: it pushes away from rest.",
            "v′ is minus ω² times u; in the residual that minus becomes a plus.",
        )
        need(not close(v_by_u, -omega, 1e-4), "ω is not squared.", "Differentiate cos ωt twice: how many ω come out?")
        need(
            not close(v_by_u, -1.0, 1e-4),
            "The force does not depend on omega.",
            "make(omega) is called with several numbers, and the system changes with them.",
        )
        need(
            close(solved, [[0.0, 1.0, 0.0], [-(omega**2), 0.0, 0.0]], 1e-4),
            f"Your equations say u′ = {_sum(u_by_u, u_by_v, u_constant)}, v′ = {_sum(v_by_u, v_by_v, v_constant)}.",
            f"That is for omega = {omega:g}. Compare it with the system, term by term.",
        )
        start = _at_end(problem, "lower")
        need(start, "No initial condition is asked for.", 'Time begins on the face sl.face(axis=0, side="lower", residual=…).')
        need(
            not _at_end(problem, "upper"),
            "You ask for something at t = 1 as well.",
            "What happens at the end is to be computed. sl.boundary takes both ends: take the lower face alone.",
        )
        rows, misfit = _fit(problem, start, _vector_terms, np.array([[0.0]]))
        need(
            misfit < MISFIT and np.max(np.abs(rows[:, 2:4])) < 1e-6 * np.max(np.abs(rows)),
            "Your initial condition is not made of u(0) and v(0) alone.",
            "What vanishes there is a value minus the value that it should have.",
        )
        rank = np.linalg.matrix_rank(rows[:, :2], 1e-6 * np.max(np.abs(rows)))
        need(
            rank == 2,
            "Your initial condition fixes one number of two.",
            "Both u(0) and v(0) are given: a residual with two entries, or two faces.",
        )
        first, second = -np.linalg.pinv(rows[:, :2]) @ rows[:, 4]
        need(
            not (close(first, 0.0, 1e-4) or abs(first) < 1e-6) or not close(second, 1.0, 1e-4),
            "You start with u(0) = 0 and v(0) = 1.",
            "The other way round: it is drawn aside and let go.",
        )
        need(
            close([first, second], [1.0, 0.0], 1e-4),
            f"You start with u(0) = {first:.4g} and v(0) = {second:.4g}.",
            "A residual u − 1 vanishes where u is 1. And which sign has the number that you subtract?",
        )
        _compare_solution(problem, oscillator(omega).solution)


def _problem(made, domain, outputs):
    """Return what an answer made, if it is a problem on that domain, or raise `Wrong`."""
    need(made is not None, "Your function returns None.", "Does it end with return?")
    need(
        isinstance(made, Problem),
        f"Your function returns {type(made).__name__}, not a problem.",
        "Return sl.Problem(name=…, domain=…, conditions=[…], …).",
    )
    need(
        (made.domain.lower, made.domain.upper) == (domain.lower, domain.upper),
        f"Your domain goes from {made.domain.lower} to {made.domain.upper}.",
        "The task names it; a box of one dimension is sl.Box([lower], [upper]).",
    )
    need(
        made.outputs == outputs,
        f"Your problem has outputs={made.outputs}.",
        "As many as there are unknown functions; with several, say so to sl.Problem.",
    )
    try:
        Setup(made, made.network(width=2, depth=1), points=20)
    except InputError as error:
        raise Wrong("Training would refuse your problem.", str(error)) from error
    return made


def _inside(problem, what):
    places = zip(problem.conditions, problem.regions, strict=True)
    conditions = [condition for condition, region in places if region.codimension == 0]
    need(conditions, f"Nothing is asked for inside: {what} is missing.", "It is a condition sl.interior(residual).")
    return conditions


def _at_end(problem, side):
    """Return the conditions that hold at the lower or the upper end of the interval."""
    end = np.array([getattr(problem.domain, side)])
    places = zip(problem.conditions, problem.regions, strict=True)
    return [condition for condition, region in places if region.codimension == 1 and region.contains(end)[0]]


def _points_inside():
    return np.random.default_rng(0).uniform(0.1, 0.9, (5, 1))


def _scalar_terms(u, x):
    """Return what a scalar equation may be made of: u″, u′, u, 1."""
    first = partial(u, 0)
    return jnp.stack([partial(first, 0)(x), first(x), u(x), jnp.ones(())])


def _vector_terms(u, x):
    """Return what a system of two may be made of: u, v, u′, v′, 1."""
    return jnp.concatenate([u(x), partial(u, 0)(x), jnp.ones(1)])


def _fit(problem, conditions, terms, points):
    """Fit linear combinations of terms to residuals.

    Returns
    -------
    rows : (m, terms)
        The coefficients of each of the m entries that the residuals of `conditions` have together.
    misfit : float
        How far they are off, relative to the largest value.
    """
    random = np.random.default_rng(1)
    known, values = [], []
    for _ in range(PROBES):
        u = _random_function(random, problem.outputs)
        known.append(np.asarray(jax.vmap(lambda x, u=u: terms(u, x))(points)))
        columns = [_values(condition.residual, u, points) for condition in conditions]
        values.append(np.concatenate(columns, axis=1))
    known, values = np.concatenate(known), np.concatenate(values)
    rows = np.linalg.lstsq(known, values, rcond=None)[0].T
    return rows, float(np.max(np.abs(known @ rows.T - values)) / max(np.max(np.abs(values)), 1e-300))


def _random_function(random, outputs):
    amplitudes, frequencies, phases = (random.uniform(0.5, 2.0, (outputs, 3)) for _ in range(3))

    def u(x):
        waves = jnp.sum(amplitudes * jnp.sin(frequencies * x[0] + 3 * phases), axis=1)
        return waves[0] if outputs == 1 else waves

    return u


def _values(residual, u, points):
    """Evaluate a residual at points as training does, (n, m)."""
    values = np.asarray(_called(jax.vmap(lambda x: residual(u, x)), points), float)
    need(
        np.all(np.isfinite(values)), "A residual is non-finite somewhere.", "Look for a division by zero, a root or a logarithm."
    )
    return values.reshape(len(points), -1)


def _called(function, x):
    """Return function(x), or raise `Wrong` with the line of the student's own where it stops."""
    try:
        return function(x)
    except Exception as error:  # Students may write anything, and read what it raises.
        raise stopped("What you return", error) from error


def _compare_solution(problem, exact):
    """Raise `Wrong` unless the problem knows its exact solution, (d,) -> () or (outputs,)."""
    need(
        problem.solution is not None,
        "Your equation is right, but your problem does not know its solution.",
        "Give the function as solution=…: without it there is no error curve.",
    )
    for x in _points_inside():
        expected = np.asarray(exact(jnp.asarray(x)))
        given = as_numbers(_called(problem.solution, jnp.asarray(x)), expected.shape, "the solution at one point")
        need(
            close(given, expected, 1e-5),
            f"Your equation is right, but your solution is not: it is {given} at {x[0]:.3g}.",
            "It is given in the task. Does it use the argument of your function?",
        )


def _sum(u, v, constant):
    terms = [f"{number:.4g}{name}" for number, name in ((u, " u"), (v, " v"), (constant, "")) if abs(number) > 1e-6]
    return " + ".join(terms) or "0"
