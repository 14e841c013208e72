import dataclasses
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import cauchy_riemann

import sketchlab as sl


def random(shape, seed):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape))


def small_system():
    problem = cauchy_riemann()
    least_squares = sl.LeastSquares(problem, sl.MLP(dim=2, width=6, depth=1, outputs=2))
    theta = least_squares.network.init(key=jax.random.key(1))
    return least_squares, theta, tuple(jnp.asarray(x) for x in problem.sample([17, 8], seed=1))


# Compiled, since one operation at a time JAX takes seconds for what follows.
jacobian_of = jax.jit(lambda least_squares, theta, points: least_squares.jacobian(theta, points), static_argnums=0)


@pytest.fixture(scope="module", params=["scalar", "vector"])
def case(request, least_squares, theta, points):
    return (least_squares, theta, points) if request.param == "scalar" else small_system()


def test_loss_is_half_the_squared_residual(case):
    least_squares, theta, points = case
    residual = least_squares.residual(theta, points)
    assert residual.shape == (least_squares.rows(points),)
    assert least_squares.loss(theta, points) == pytest.approx(float(residual @ residual) / 2, rel=1e-13)


def test_jacobian_equals_the_derivative_of_the_stacked_residual(case):
    least_squares, theta, points = case
    expected = jax.jit(jax.jacrev(lambda t: least_squares.residual(t, points)))(theta)
    np.testing.assert_allclose(
        jacobian_of(least_squares, theta, points), expected, atol=1e-11 * float(jnp.max(jnp.abs(expected)))
    )


def test_rows_of_a_system_are_ordered_by_point_then_equation():
    least_squares, theta, points = small_system()
    problem = least_squares.problem
    first = problem.conditions[0].residual(lambda y: least_squares.network.apply(theta, y), points[0][1])
    scale = (problem.domain.measure / 17) ** 0.5
    assert least_squares.rows(points) == 2 * 17 + 2 * 8
    np.testing.assert_allclose(least_squares.residual(theta, points)[2:4], scale * first, rtol=1e-13)


def test_a_condition_counts_weight_times_measure_times_its_mean_square(network, theta):
    box = sl.Box([0.0, 0.0], [2.0, 3.0])
    inside, edge = sl.interior(lambda u, x: 0 * u(x) + 5.0, weight=4.0), sl.boundary(lambda u, x: 0 * u(x) + 7.0, weight=0.5)
    least_squares = sl.LeastSquares(sl.Problem("constants", box, [inside, edge]), network)
    # However many points there are: ½ (4 · 6 · 25 + ½ · 10 · 49).
    for counts in ([10, 20], [30, 4]):
        points = tuple(jnp.asarray(x) for x in least_squares.problem.sample(counts, seed=0))
        assert least_squares.loss(theta, points) == pytest.approx((4 * 6 * 25 + 0.5 * 10 * 49) / 2, rel=1e-12)


def test_solution_evaluates_many_points(least_squares, theta):
    x = random((5, 2), 0)
    expected = [least_squares.network.apply(theta, y) for y in x]
    np.testing.assert_allclose(least_squares.solution(theta, x), expected, rtol=1e-13)


@pytest.mark.parametrize(
    "network, text",
    [
        (sl.MLP(dim=3), "has dim = 2, but the network has dim = 3"),
        (sl.MLP(dim=2, outputs=2), "has outputs = 1, but the network has outputs = 2"),
    ],
)
def test_a_network_that_does_not_fit_the_problem_is_refused(problem, network, text):
    with pytest.raises(sl.InputError, match=text):
        sl.LeastSquares(problem, network)


def test_linearize_holds_j_whole_unless_told_a_block(case):
    least_squares, theta, points = case
    matrix = np.asarray(jacobian_of(least_squares, theta, points))
    a = random((theta.size, 2), 4)
    for block in (None, 3):
        blocked = dataclasses.replace(least_squares, block=block)
        found = jax.jit(lambda t, x, ls=blocked: ls.linearize(t, x).matmat(a))(theta, points)
        np.testing.assert_allclose(found, matrix @ a, atol=1e-11 * np.linalg.norm(matrix, 2))


@pytest.mark.parametrize("block", [None, 5])
def test_the_linear_model_is_residual_slope_and_jacobian(case, block):
    least_squares, theta, points = case
    drift = random(theta.shape, 3)
    one_pass = jax.jit(lambda t: dataclasses.replace(least_squares, block=block).linear_model(t, points, drift))
    residual, along, jacobian = one_pass(theta)
    expected = jacobian_of(least_squares, theta, points)
    scale = float(jnp.max(jnp.abs(expected)))
    np.testing.assert_allclose(residual, least_squares.residual(theta, points), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(along, expected @ drift, atol=1e-11 * scale * theta.size)
    np.testing.assert_allclose(jacobian.dense(), expected, atol=1e-11 * scale)


def test_faces_that_ask_the_same_are_compiled_once(network, theta):
    def sizes(faces):
        conditions = [sl.face(axis=axis, side=side, residual=lambda u, x: u(x), weight=weight) for axis, side, weight in faces]
        least_squares = sl.LeastSquares(sl.Problem("faces", sl.Box([0, 0], [1, 2]), conditions), network)
        points = tuple(jnp.asarray(x) for x in least_squares.problem.sample([3, 5, 7, 9][: len(faces)], seed=0))
        text = jax.jit(least_squares.residual).lower(theta, points).as_text()
        parts = [sl.LeastSquares(sl.Problem("one", least_squares.problem.domain, [c]), network) for c in conditions]
        apart = [part.residual(theta, (x,)) for part, x in zip(parts, points, strict=True)]
        np.testing.assert_allclose(least_squares.residual(theta, points), jnp.concatenate(apart), rtol=1e-12, atol=1e-14)
        return text.count("dot_general")

    four = [(0, "lower", 1.0), (0, "upper", 2.0), (1, "lower", 3.0), (1, "upper", 4.0)]
    assert sizes(four) == sizes(four[:1])


def test_traces_are_those_of_each_conditions_part_of_g(case):
    least_squares, theta, points = case
    matrix = np.asarray(jacobian_of(least_squares, theta, points))
    traces = jax.jit(least_squares.traces)(theta, points)
    assert float(traces.sum()) == pytest.approx(np.sum(matrix**2), rel=1e-12)
    row, x = next(iter(least_squares.scaled_rows(points)))
    first = jax.vmap(row, (None, 0))(least_squares.network.unflatten(theta), x).size
    assert float(traces[0]) == pytest.approx(np.sum(matrix[:first] ** 2), rel=1e-12)


def test_residual_sizes_carry_no_weights(case):
    least_squares, theta, points = case
    sizes = least_squares.residual_sizes(theta, points)
    scales = [
        c.weight * region.measure / len(x)
        for c, region, x in zip(least_squares.problem.conditions, least_squares.problem.regions, points, strict=True)
    ]
    loss = sum(scale * float(size @ size) for scale, size in zip(scales, sizes, strict=True)) / 2
    assert loss == pytest.approx(float(least_squares.loss(theta, points)), rel=1e-12)
    assert [len(size) for size in sizes] == [len(x) for x in points]


def test_the_leaves_of_cut_parameters_are_theta(theta, network):
    leaves = jax.tree.leaves(network.unflatten(theta))
    np.testing.assert_array_equal(np.concatenate([np.ravel(leaf) for leaf in leaves]), theta)


#: Whatever a residual may read from outside: cells of a notebook change them, and run only some of the cells again.
SCALE, ARRAY, HELD = 1.0, np.ones(3), types.SimpleNamespace(k=1.0)


def by_default(u, x, k=1.0):
    return k * u(x)


def in_a_closure():
    k = 1.0

    def residual(u, x):
        return k * u(x)

    return residual


CLOSED = in_a_closure()


def rod(residual, **options):
    return sl.Problem("rod", sl.Box(0, 1), [sl.interior(residual, **options), sl.boundary(lambda u, x: u(x))])


@pytest.mark.parametrize(
    "residual, change",
    [
        (lambda u, x: SCALE * u(x), lambda patch: patch.setattr(sys.modules[__name__], "SCALE", 2.0)),
        (lambda u, x: jnp.sum(ARRAY * u(x)), lambda patch: patch.setattr(sys.modules[__name__], "ARRAY", 2 * np.ones(3))),
        (lambda u, x: jnp.sum(ARRAY * u(x)), lambda patch: ARRAY.fill(7.0)),
        (lambda u, x: HELD.k * u(x), lambda patch: patch.setattr(HELD, "k", 2.0)),
        (by_default, lambda patch: patch.setattr(by_default, "__defaults__", (2.0,))),
        (CLOSED, lambda patch: patch.setattr(CLOSED.__closure__[0], "cell_contents", 2.0)),
    ],
    ids=["scalar", "array", "array in place", "attribute", "default", "closure"],
)  # fmt: skip
def test_a_number_from_outside_that_changes_makes_another_least_squares(residual, change, monkeypatch):
    problem, network = rod(residual), sl.MLP(1, 4, 1)
    theta, points = network.init(key=jax.random.key(0)), (jnp.full((1, 1), 0.3), jnp.zeros((1, 1)))
    # A function of this test's own: those of other tests have compiled the same problem.
    loss = jax.jit(lambda least_squares, *given: least_squares.loss(*given), static_argnums=0)
    before = sl.LeastSquares(problem, network)
    values = [loss(before, theta, points), loss(sl.LeastSquares(problem, network), theta, points)]
    assert values[0] == values[1] and loss._cache_size() == 1
    unused = sl.LeastSquares(problem, network, block=7)
    change(monkeypatch)
    after = sl.LeastSquares(problem, network)
    assert after != before and loss(after, theta, points) != values[0]
    # What was made before the change has the number that it was made with, compiled or not.
    assert loss(unused, theta, points) == values[0]


def test_equal_least_squares_compute_the_same_and_hash_alike():
    network = sl.MLP(1, 4, 1)

    def made(k=2.0, **options):
        return sl.LeastSquares(rod(lambda u, x: k * u(x), **options), network)

    assert made() == made() and hash(made()) == hash(made())
    others = [
        made(k=3.0),
        made(weight=2.0),
        dataclasses.replace(made(), block=3),
        sl.LeastSquares(made().problem, sl.MLP(1, 4, 1, activation="sin")),
    ]
    assert all(other != made() for other in others) and len({made(), made(), *others}) == 5
    assert made() != "made"


def test_arrays_inside_compiled_helpers_tell_least_squares_apart():
    def made(value):
        array = np.full(3, value)

        @jax.jit
        def helper(x):
            return jnp.sum(array) * x[0] + jnp.sum(array * x)

        return sl.LeastSquares(rod(lambda u, x: u(x) + helper(x)), sl.MLP(1, 4, 1))

    with jax.numpy_rank_promotion("allow"):
        assert made(1.0) == made(1.0) and made(1.0) != made(2.0)


def test_python_functions_that_are_called_back_tell_least_squares_apart():
    def made(function):
        shape = jax.ShapeDtypeStruct((), float)
        residual = rod(lambda u, x: u(x) + jax.pure_callback(function, shape, x[0], vmap_method="sequential"))
        return sl.LeastSquares(residual, sl.MLP(1, 4, 1))

    one, other = (lambda x, k=k: np.asarray(k * x) for k in (1.0, 2.0))
    assert made(one) == made(one) and made(one) != made(other)


def test_a_coefficient_can_be_differentiated_through():
    network = sl.MLP(1, 4, 1)
    theta, points = network.init(key=jax.random.key(0)), (jnp.full((1, 1), 0.3), jnp.zeros((1, 1)))

    def loss(k):
        return sl.LeastSquares(rod(lambda u, x: k * u(x) - 1.0), network).loss(theta, points)

    u = network.apply(theta, points[0][0])
    np.testing.assert_allclose(jax.grad(loss)(2.0), (2 * u - 1) * u, rtol=1e-12)


def test_32_bits_stay_32_bits_beside_numpys_numbers(network):
    problem = sl.Problem("rod", sl.Box([0, 0], [1, 1]), [sl.interior(lambda u, x: u(x) * np.sqrt(2.0) + np.ones(2) @ x)])
    theta, points = network.init(key=jax.random.key(0), dtype="float32"), (jnp.ones((4, 2), "float32"),)
    with jax.numpy_dtype_promotion("standard"):
        least_squares = sl.LeastSquares(problem, network)
        assert least_squares.residual(theta, points).dtype == "float32"
        for form in (least_squares.dense(theta, points), least_squares.row_blocks(theta, points, 3)):
            assert form.dtype == form.matmat(jnp.ones((theta.size, 1), "float32")).dtype == "float32"
            assert form.rmatmat(jnp.ones((4, 1), "float32")).dtype == "float32"


def test_a_residual_on_the_boundary_gets_the_normal_that_it_asks_for(network, theta):
    flux = sl.boundary(lambda u, x, normal: sl.gradient(u)(x) @ normal)
    problem = sl.Problem("flux", sl.Box([0, 0], [1, 1]), [flux])
    x = jnp.array([[0.0, 0.4], [0.3, 1.0]])
    found = sl.LeastSquares(problem, network).residual(theta, (x,))
    slopes = jax.vmap(jax.grad(lambda y: network.apply(theta, y)))(x)
    np.testing.assert_allclose(found, np.sqrt(4 / 2) * np.array([-slopes[0, 0], slopes[1, 1]]), rtol=1e-12)


def test_trained_constants_are_read_from_u():
    network = sl.WithConstants(sl.MLP(1, 4, 1), speed=3.0)
    least_squares = sl.LeastSquares(rod(lambda u, x: u.speed**2 * u(x)), network)
    theta, points = network.init(key=jax.random.key(0)), (jnp.full((1, 1), 0.3), jnp.zeros((1, 1)))
    residual = least_squares.residual(theta, points)
    np.testing.assert_allclose(residual[0], 9 * sl.MLP(1, 4, 1).apply(theta[:-1] if theta[-1] == 3 else theta[1:], points[0][0]))
    expected = jax.jacrev(lambda t: least_squares.residual(t, points))(theta)
    np.testing.assert_allclose(least_squares.jacobian(theta, points), expected, atol=1e-12)
