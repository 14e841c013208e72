import jax.numpy as jnp
import numpy as np

import sketchlab as sl


def value(u, x):
    return u(x)


def layer(epsilon):
    shift = np.exp(-1 / epsilon)
    return lambda x: x[0] - (jnp.exp((x[0] - 1) / epsilon) - shift) / (1 - shift)


def convection(residual, conditions=None, solution=layer, lower=0.0):
    """Make an answer of residual(u, x, epsilon) and other conditions than u = 0 on the boundary."""

    def make(epsilon):
        return sl.Problem(
            name="layer",
            domain=sl.Box([lower], [1.0]),
            conditions=[sl.interior(lambda u, x: residual(u, x, epsilon)), *(conditions or [sl.boundary(value, weight=10.0)])],
            solution=None if solution is None else solution(epsilon),
        )

    return make


def first(u, x):
    return sl.partial(u, 0)(x)


def second(u, x):
    return sl.laplacian(u)(x)


def right(u, x, epsilon):
    return -epsilon * second(u, x) + first(u, x) - 1.0


def swing(omega):
    return lambda t: jnp.stack([jnp.cos(omega * t[0]), -omega * jnp.sin(omega * t[0])])


def start(w, t):
    return w(t) - jnp.array([1.0, 0.0])


INITIAL = [sl.face(axis=0, side="lower", residual=start, weight=10.0)]


def oscillator(du, dv, conditions=INITIAL, solution=swing, outputs=2):
    """Make an answer of the right sides of u′ = du(u, v, omega) and v′ = dv(u, v, omega)."""

    def make(omega):
        def system(w, t):
            return sl.partial(w, 0)(t) - jnp.stack([du(*w(t), omega), dv(*w(t), omega)])

        return sl.Problem(
            name="oscillator",
            domain=sl.Box([0.0], [1.0]),
            conditions=[sl.interior(system), *conditions],
            solution=None if solution is None else solution(omega),
            outputs=outputs,
        )

    return make


def speed(u, v, omega):
    return v


def force(u, v, omega):
    return -(omega**2) * u


def one_equation(omega):
    return sl.Problem(
        name="one",
        domain=sl.Box([0.0], [1.0]),
        conditions=[sl.interior(lambda w, t: sl.partial(w, 0)(t)[0] - w(t)[1]), *INITIAL],
        outputs=2,
    )


def second_order(omega):
    return sl.Problem(
        name="second",
        domain=sl.Box([0.0], [1.0]),
        conditions=[sl.interior(lambda w, t: sl.laplacian(w)(t) + omega**2 * w(t)), *INITIAL],
        outputs=2,
    )


def twice(omega):
    return sl.Problem(
        name="twice",
        domain=sl.Box([0.0], [1.0]),
        conditions=[sl.interior(lambda w, t: (sl.partial(w, 0)(t)[0] - w(t)[1]) * jnp.array([1.0, 2.0])), *INITIAL],
        outputs=2,
    )


def no_inside(epsilon):
    return sl.Problem(name="none", domain=sl.Box([0.0], [1.0]), conditions=[sl.boundary(value)])


def two_inside(epsilon):
    inside = sl.interior(lambda u, x: right(u, x, epsilon))
    return sl.Problem(name="two", domain=sl.Box([0.0], [1.0]), conditions=[inside, inside, sl.boundary(value)])


def branching(u, x, epsilon):
    if u(x) > 0:
        return right(u, x, epsilon)
    return u(x)


def source(f):
    """Make an answer of f(Δu, u)."""
    return lambda u: lambda x: f(sl.laplacian(u)(x), u(x))


WRONG = {
    "check_07_convection_diffusion": [
        (lambda epsilon: right, "returns function, not a problem"),
        (convection(right, lower=-1.0), "Your domain goes from (-1.0,)"),
        (no_inside, "Nothing is asked for inside"),
        (two_inside, "2 equations inside"),
        (convection(lambda u, x, e: np.sin(x[0]) + right(u, x, e)), "jnp.sin in place of np.sin"),
        (convection(branching), "jnp.where(condition, a, b) in place of if"),
        (convection(lambda u, x, e: right(u, x, 1 / 0)), "ZeroDivisionError"),
        (convection(lambda u, x, e: jnp.log(-(u(x) ** 2))), "non-finite"),
        (convection(lambda u, x, e: None), "returns None"),
        (convection(lambda u, x, e: -e * second(u, x) + u(x) * first(u, x) - 1), "made of u″, u′ and numbers alone"),
        (convection(lambda u, x, e: -e * second(u, x) - 1), "no u′"),
        (convection(lambda u, x, e: first(u, x) - 1), "no u″"),
        (convection(lambda u, x, e: right(u, x, e) + u(x)), "a term with u itself"),
        (convection(lambda u, x, e: e * second(u, x) + first(u, x) - 1), "have the same sign"),
        (convection(lambda u, x, e: -second(u, x) + first(u, x) - 1), "does not depend on epsilon"),
        (convection(lambda u, x, e: -(e**2) * second(u, x) + first(u, x) - 1), "neither its square nor its root"),
        (convection(lambda u, x, e: -e * second(u, x) + first(u, x)), "The right-hand side is missing"),
        (convection(lambda u, x, e: -e * second(u, x) + first(u, x) + 1), "The right-hand side has the wrong sign"),
        (convection(lambda u, x, e: -e * second(u, x) + first(u, x) - 2), "The right-hand side is not 1"),
        (convection(right, [sl.face(axis=0, side="lower", residual=value)]), "Nothing is asked for at x = 1"),
        (convection(right, [sl.face(axis=0, side="upper", residual=value)]), "Nothing is asked for at x = 0"),
        (convection(right, [sl.boundary(first)]), "something else than a value of u"),
        (convection(right, [sl.boundary(lambda u, x: jnp.float64(0.0))]), "does not depend on u"),
        (convection(right, [sl.boundary(lambda u, x: u(x) - 1)]), "another value of u than 0"),
        (convection(right, solution=None), "does not know its solution"),
        (convection(right, solution=lambda e: layer(0.1)), "your solution is not"),
    ],
    "check_07_source": [
        (lambda u: 1.0, "returns float, not a function"),
        (source(lambda curvature, u: u), "Your f is u itself"),
        (source(lambda curvature, u: curvature + u**3), "The sign of the Laplacian"),
        (source(lambda curvature, u: -curvature), "The term u³ is missing"),
        (source(lambda curvature, u: curvature - u**3), "Both terms"),
        (source(lambda curvature, u: -curvature - u**3), "The sign of u³"),
        (source(lambda curvature, u: -curvature + u**2), "u is squared"),
        (source(lambda curvature, u: -curvature + u), "without its power"),
        (source(lambda curvature, u: -curvature + u * 3), "two stars"),
        (lambda u: lambda x: -sl.partial(sl.partial(u, 0), 0)(x) + u(x) ** 3, "along one axis only"),
        (source(lambda curvature, u: -2 * curvature + u**3), "term by term"),
        (lambda u: lambda x: -sl.gradient(u)(x) + u(x) ** 3, "Return one number, f at one point"),
        (lambda u: lambda x: -sl.laplacian(u(x))(x), "What you return stops: "),
    ],
    "check_07_oscillator": [
        (lambda omega: swing(omega), "returns function, not a problem"),
        (oscillator(speed, force, outputs=3), "outputs=3"),
        (lambda omega: no_inside(omega), "outputs=1"),
        (one_equation, "one equation for two unknown"),
        (second_order, "no second derivatives"),
        (twice, "do not tell both"),
        (oscillator(lambda u, v, omega: -v, force), "u′ = −v"),
        (oscillator(speed, lambda u, v, omega: omega**2 * u), "pushes away"),
        (oscillator(speed, lambda u, v, omega: -omega * u), "ω is not squared"),
        (oscillator(speed, lambda u, v, omega: -u), "The force does not depend on omega"),
        (oscillator(speed, lambda u, v, omega: -(omega**2) * u - v), "v′ = -4 u + -1 v"),
        (oscillator(speed, force, []), "No initial condition"),
        (oscillator(speed, force, [sl.boundary(start)]), "at t = 1 as well"),
        (
            oscillator(speed, force, [sl.face(axis=0, side="lower", residual=lambda w, t: sl.partial(w, 0)(t))]),
            "not made of u(0) and v(0) alone",
        ),
        (oscillator(speed, force, [sl.face(axis=0, side="lower", residual=lambda w, t: w(t)[0] - 1)]), "one number of two"),
        (
            oscillator(speed, force, [sl.face(axis=0, side="lower", residual=lambda w, t: w(t) - jnp.array([0.0, 1.0]))]),
            "The other way round",
        ),
        (
            oscillator(speed, force, [sl.face(axis=0, side="lower", residual=lambda w, t: w(t) + jnp.array([1.0, 0.0]))]),
            "u(0) = -1",
        ),
        (oscillator(speed, force, solution=None), "does not know its solution"),
        (
            oscillator(speed, force, solution=lambda omega: lambda t: jnp.stack([jnp.cos(omega * t[0]), jnp.sin(omega * t[0])])),
            "your solution is not",
        ),
    ],
}
