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


@pytest.fixture(params=["scalar", "vector"])
def case(request, least_squares, theta, points):
    return (least_squares, theta, points) if request.param == "scalar" else small_system()


def test_loss_is_half_the_squared_residual(case):
    least_squares, theta, points = case
    residual = least_squares.residual(theta, points)
    assert residual.shape == (least_squares.rows(points),)
    assert least_squares.loss(theta, points) == pytest.approx(float(residual @ residual) / 2, rel=1e-13)


def test_jacobian_equals_the_derivative_of_the_stacked_residual(case):
    least_squares, theta, points = case
    expected = jax.jacrev(lambda t: least_squares.residual(t, points))(theta)
    np.testing.assert_allclose(least_squares.jacobian(theta, points), expected, atol=1e-11 * float(jnp.max(jnp.abs(expected))))


@pytest.mark.parametrize("form", ["dense", "products", 1, 5, 7, 1000])
def test_all_forms_of_the_jacobian_agree(case, form):
    least_squares, theta, points = case
    # Block sizes: one point, two that divide neither condition's points, and one larger than both.
    named = getattr(least_squares, form)(theta, points) if isinstance(form, str) else least_squares.row_blocks(theta, points, form)
    matrix = np.asarray(least_squares.jacobian(theta, points))
    rows, columns = matrix.shape
    assert named.shape == (rows, columns) and named.dtype == matrix.dtype
    a, b = random((columns, 3), 0), random((rows, 3), 1)
    scale = np.linalg.norm(matrix, 2)
    np.testing.assert_allclose(named.matmat(a), matrix @ a, atol=1e-12 * scale * columns**0.5)
    np.testing.assert_allclose(named.rmatmat(b), matrix.T @ b, atol=1e-12 * scale * rows**0.5)
    np.testing.assert_allclose(named.matvec(a[:, 0]), matrix @ a[:, 0], atol=1e-12 * scale * columns**0.5)
    np.testing.assert_allclose(named.rmatvec(b[:, 0]), matrix.T @ b[:, 0], atol=1e-12 * scale * rows**0.5)
    np.testing.assert_allclose(named.dense(), matrix, atol=1e-12 * scale)


@pytest.mark.parametrize("form", ["dense", "products", 7])
def test_products_are_adjoint_to_each_other(case, form):
    least_squares, theta, points = case
    jacobian = getattr(least_squares, form)(theta, points) if isinstance(form, str) else least_squares.row_blocks(theta, points, form)
    v, w = random(jacobian.shape[1], 2), random(jacobian.shape[0], 3)
    assert w @ jacobian.matvec(v) == pytest.approx(float(v @ jacobian.rmatvec(w)), rel=1e-11)


def test_dense_takes_the_shorter_side_and_gives_the_same_matrix():
    for shape in ((3, 7), (7, 3)):
        matrix = random(shape, 0)
        np.testing.assert_allclose(sl.from_matrix(matrix).dense(), matrix, rtol=1e-15)


def test_rows_of_a_system_are_ordered_by_point_then_equation():
    least_squares, theta, points = small_system()
    problem = least_squares.problem
    first = problem.conditions[0].residual(lambda y: least_squares.network.apply(theta, y), points[0][1])
    scale = (problem.domain.measure("interior") / 17) ** 0.5
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
    [(sl.MLP(dim=3), "has dim = 2, but the network has dim = 3"), (sl.MLP(dim=2, outputs=2), "has outputs = 1, but the network has outputs = 2")],
)
def test_a_network_that_does_not_fit_the_problem_is_refused(problem, network, text):
    with pytest.raises(sl.InputError, match=text):
        sl.LeastSquares(problem, network)


def test_a_residual_that_is_a_matrix_is_refused(network):
    problem = sl.Problem("matrix", sl.Box([0, 0], [1, 1]), [sl.interior(lambda u, x: u(x) * jnp.ones((2, 2)))])
    with pytest.raises(sl.InputError, match=r"interior of 'matrix' has shape \(2, 2\) at one point"):
        sl.LeastSquares(problem, network)


@pytest.mark.parametrize("block", [0, -1, 2.0])
def test_a_bad_block_size_is_refused(least_squares, theta, points, block):
    with pytest.raises(sl.InputError, match="block = .* is not a whole number of at least 1"):
        least_squares.row_blocks(theta, points, block)
