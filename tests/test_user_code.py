"""What a user is told about a residual or a solution of the wrong kind."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sketchlab as sl
from sketchlab.user_code import Ansatz, check_solution, explain, line_of

NUMBERS = np.array([1.0, 2.0])


def rod(residual, dim=1, **options):
    return sl.Problem("rod", sl.Box([0.0] * dim, [1.0] * dim), [sl.interior(residual, **options)])


def flow(residual, **options):
    return sl.Problem("flow", sl.Box([0.0] * 2, [1.0] * 2), [sl.interior(residual, **options)], outputs=2)


def made(problem):
    return sl.LeastSquares(problem, sl.MLP(problem.dim, 4, 1, problem.outputs))


def said(problem):
    with pytest.raises(sl.InputError) as caught:
        made(problem)
    return str(caught.value)


def branches(u, x):
    if u(x) > 0:
        return u(x)
    return 0.0


def forgets(u, x):
    u(x)


def endless(u, x):
    return endless(u, x)


def nested(u, x):
    def inner(y):
        return np.sin(u(y))

    return sl.laplacian(inner)(x)


@pytest.mark.parametrize(
    "residual, line, advice",
    [
        (lambda u, x: np.sin(u(x)), "np.sin(u(x))", "cannot compute with traced values: write jnp.sin in place of np.sin."),
        (nested, "return np.sin(u(y))", "write jnp.sin in place of np.sin."),
        (lambda u, x: math.cos(u(x)), "math.cos(u(x))", "write jnp.cos in place of math.cos."),
        (lambda u, x: NUMBERS[x[0].astype(int)], "NUMBERS", "write jnp in place of np."),
        (lambda u, x: float(u(x)), "float(u(x))", "u and x have no values yet when this line is read: write no float(…)"),
        (branches, "if u(x) > 0:", "write jnp.where(condition, a, b) in place of if, a & b in place of a and b."),
        (lambda u, x: max(u(x), 0.0), "max(u(x), 0.0)", "write jnp.maximum in place of max."),
        (lambda u, x: unknown * u(x), "unknown", "name 'unknown' is not defined: define it above"),  # noqa: F821
        (lambda u, x: u(x[0], x[0]), "u(x[0], x[0])", "u takes one point, not 2 arguments: write u(x), or u(jnp.stack([…]))."),
        (lambda u, x: u(x[0]), "u(x[0])", "u takes a point of shape (1,), not (): write u(x)"),
        (lambda u, x: sl.laplacian(u) - 1, "sl.laplacian(u) - 1", "write u(x) for u, sl.laplacian(u)(x) for sl.laplacian(u)."),
        (lambda u, x: -sl.laplacian(u), "-sl.laplacian(u)", "a function has no value without a point"),
        (lambda u, x: sl.gradient(u)[0], "sl.gradient(u)[0]", "a function has no value without a point"),
        (lambda u, x: jnp.sin(u), "jnp.sin(u)", "a function has no value without a point"),
        (lambda u, x: u * 2, "u * 2", "a function has no value without a point"),
        (lambda x, u: u(x), "u(x)", "a residual takes (u, x), in this order."),
        (lambda u, x: sl.partial(u, 3)(x), "sl.partial(u, 3)", "axis = 3 does not exist"),
        (lambda u, x: u.speed * u(x), "u.speed", "u has no constant 'speed'; the network has these: none."),
        (lambda u, x: u(x) * (1 / 0), "1 / 0", "ZeroDivisionError: division by zero."),
        (endless, "return endless(u, x)", "RecursionError: maximum recursion depth exceeded"),
    ],
)  # fmt: skip
def test_an_exception_inside_is_told_with_its_line_and_the_way_out(residual, line, advice):
    text = said(rod(residual))
    assert text.startswith("the residual on the interior of 'rod' failed in line ")
    where, _, rest = text.partition("`: ")
    # The line of the user's own, not one of the package's or JAX's.
    assert line in where
    assert advice in rest


def test_what_was_raised_inside_is_kept_as_the_cause():
    with pytest.raises(sl.InputError) as caught:
        made(rod(lambda u, x: np.sin(u(x))))
    assert isinstance(caught.value.__cause__, jax.errors.TracerArrayConversionError)
    assert "np.sin" in line_of(caught.value.__cause__)
    assert explain(ZeroDivisionError("division by zero")) == "ZeroDivisionError: division by zero."
    assert line_of(ZeroDivisionError()) == ""


@pytest.mark.parametrize(
    "residual, text",
    [
        (forgets, "returns None: end it with return and the value."),
        (lambda u, x: [u(x), u(x)], "returns a list: write jnp.stack([…])."),
        (lambda u, x: (u(x), u(x)), "returns a tuple: write jnp.stack([…])."),
        (lambda u, x: {"a": u(x)}, "returns a dict: return a number, or jnp.stack([…]) of several."),
        (lambda u, x: "u(x)", "returns a str: return a number"),
        (lambda u, x: u, "returns a function: write u(x) for u"),
        (lambda u, x: sl.laplacian(u), "returns a function: write u(x) for u, sl.laplacian(u)(x) for sl.laplacian(u)."),
        (
            lambda u, x: jax.lax.complex(u(x), u(x)),
            "returns complex numbers: return real and imaginary part, jnp.stack([r.real, r.imag]).",
        ),
        (lambda u, x: u(x) == 0, "returns a truth value: write a - b in place of a == b."),
        (lambda u, x: 1, "returns whole numbers (int64): write 1.0 in place of 1."),
        (lambda u, x: u(x) * jnp.ones((2, 2)), "has shape (2, 2) at one point: return a scalar, or a vector"),
        (lambda u, x: x - u(x)[None], "has shape (1,) at one point: return a scalar: write x[0] in place of x, or (…)[0]."),
        (lambda u: 0.0, "takes (u), but is called with (u, x): write def f(u, x), or lambda u, x: …"),
        (lambda u, x, y, z: u(x), "takes (u, x, y, z), but is called with (u, x): "),
    ],
)
def test_a_result_of_the_wrong_kind_is_refused(residual, text):
    assert text in said(rod(residual))
    assert said(rod(residual)).startswith("the residual on the interior of 'rod' ")


def test_the_number_of_equations_is_that_of_the_unknowns_unless_it_is_given():
    text = said(rod(lambda u, x: jnp.sin(x), dim=2))
    assert "returns 2 numbers at one point, the problem has one unknown: write x[0], x[1], … in place of x, or, " in text
    assert "if these are 2 equations, say so with equations=2." in text
    assert made(rod(lambda u, x: jnp.sin(x), dim=2, equations=2)).components == (2,)
    assert "has shape () at one point, but equations=2" in said(rod(lambda u, x: u(x), equations=2))
    assert [made(flow(residual)).components for residual in (lambda u, x: u(x), lambda u, x: u(x)[0])] == [(2,), (1,)]

    def three(u, x):
        return jnp.stack([u(x)[0], u(x)[1], sl.divergence(u)(x)])

    assert "returns 3 numbers at one point, the problem has 2 unknowns" in said(flow(three))
    assert made(flow(three, equations=3)).components == (3,)


@pytest.mark.parametrize(
    "read, index, length",
    [
        (lambda x: x[2], 2, 2),
        (lambda x: x[-3], -3, 2),
        (lambda x: jnp.outer(x, x)[0, 3], 3, 2),
        (lambda x: jnp.take(x, 5), 5, 2),
        (lambda x: jnp.sum(x[np.array([0, 4])]), 4, 2),
        (lambda x: jnp.sum(x.at[2].add(1.0)), 2, 2),
        (lambda x: jnp.outer(x, x).at[0, 5].set(1.0)[0, 0], 5, 2),
        (lambda x: jnp.outer(x, x).at[-3, 0].add(1.0)[0, 0], -3, 2),
        (lambda x: jnp.sum(jnp.outer(x, x)[np.array([0, 1]), np.array([1, 7])]), 7, 2),
        (lambda x: jnp.sum(jnp.outer(x, x)[1, np.array([-4, 0])]), -4, 2),
        (lambda x: jax.jit(lambda y: y[2])(x), 2, 2),
        (lambda x: jax.lax.cond(x[0] > 0, lambda: x[2], lambda: x[0]), 2, 2),
        (lambda x: jax.lax.map(lambda y: x[7] + y, x)[0], 7, 2),
        (lambda x: jax.vmap(lambda y: y[1])(x[:, None])[0], 1, 1),
    ],
)
def test_an_entry_that_does_not_exist_is_refused(read, index, length):
    # JAX would read the last one in silence.
    text = said(rod(lambda u, x: u(x) + read(x), dim=2))
    assert "reads or writes an entry that does not exist" in text
    assert f": index {index} of an array with {length} {'entry' if length == 1 else 'entries'}; the first has index 0." in text


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x[1] + x[-1] + x[-2],
        lambda x: jnp.outer(x, x)[-1, 1] + jnp.take(x, -1),
        lambda x: jnp.sum(x.at[:].set(1.0).at[1].set(2.0).at[0:1].add(1.0)),
        lambda x: jnp.sum(
            jnp.outer(x, x).at[0, -1].set(2.0).at[np.array([0, 1]), np.array([1, -2])].add(1.0).at[0:1, 1].set(3.0)
        ),
        lambda x: jnp.sum(jnp.outer(x, x)[np.array([0, -2]), np.array([1, 0])] + jnp.diagonal(jnp.outer(x, x))),
        lambda x: jax.lax.fori_loop(0, 2, lambda i, total: total + x[i], 0.0),
        lambda x: jax.lax.scan(lambda i, _: (i + 1, x[i]), 0, None, length=2)[1][1],
        lambda x: jnp.interp(x[0], jnp.linspace(0.0, 1.0, 5), jnp.arange(5.0)),
        lambda x: jnp.sum(jnp.roll(x, 1) + x[::-1] + x[jnp.array([1, 0])]),
    ],
)
def test_entries_that_exist_are_read(read):
    made(rod(lambda u, x: u(x) + read(x), dim=2))


@pytest.mark.parametrize(
    "solution, text",
    [
        (lambda x: jnp.sin(x), "has shape (1,) at one point, and not (): return a scalar: write x[0] in place of x"),
        (lambda x: np.sin(x[0]), "failed in line"),
        (lambda x: None, "returns None"),
        (lambda x: x[0] > 0, "returns a truth value"),
        (lambda x: x[3], "index 3 of an array with 1 entry"),
        (lambda x, t: x[0], "takes (x, t), but is called with (x)"),
    ],
)
def test_a_solution_of_the_wrong_kind_is_refused(solution, text):
    problem = sl.Problem("rod", sl.Box(0, 1), [sl.interior(lambda u, x: u(x))], solution=solution)
    with pytest.raises(sl.InputError) as caught:
        check_solution(problem)
    assert str(caught.value).startswith("the solution of 'rod' ") and text in str(caught.value)


def test_a_solution_of_several_unknowns_has_one_value_for_each():
    def problem(solution):
        return sl.Problem("flow", sl.Box([0, 0], [1, 1]), [sl.interior(lambda u, x: u(x))], solution=solution, outputs=2)

    check_solution(problem(lambda x: x))
    check_solution(problem(None))
    with pytest.raises(sl.InputError, match=r"has shape \(\) at one point, and not \(2,\): return jnp.stack"):
        check_solution(problem(lambda x: x[0]))


def test_u_can_be_differentiated_mapped_and_asked_for_constants():
    network = sl.MLP(2, 4, 1)
    theta, x = network.init(key=jax.random.key(0)), jnp.array([0.3, 0.4])
    u = Ansatz(network, network.unflatten(theta))
    assert u(x) == network.apply(theta, x)
    np.testing.assert_allclose(jax.jvp(u, (x,), (jnp.ones(2),))[1], jnp.sum(jax.grad(u)(x)))
    assert jax.vmap(u)(jnp.ones((3, 2))).shape == (3,)
    with_speed = sl.WithConstants(network, speed=2.0)
    parameters = with_speed.unflatten(with_speed.init(key=jax.random.key(0)))
    assert Ansatz(with_speed, parameters).speed == 2.0
    with pytest.raises(AttributeError, match="u has no constant 'sped'; the network has these: speed"):
        Ansatz(with_speed, parameters).sped  # noqa: B018
