import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import cauchy_riemann

import sketchlab as sl
from sketchlab.memory import compiler_options


def random(shape, seed):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape))


def in_form(form, least_squares, theta, points):
    return getattr(least_squares, form)(theta, points) if isinstance(form, str) else least_squares.row_blocks(theta, points, form)


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


@pytest.mark.parametrize("form", ["dense", "products", 1, 5, 7, 1000])
def test_all_forms_of_the_jacobian_agree(case, form):
    least_squares, theta, points = case
    # Block sizes: one point, two that divide neither condition's points, and one larger than both.
    matrix = np.asarray(jacobian_of(least_squares, theta, points))
    rows, columns = matrix.shape
    a, b = random((columns, 3), 0), random((rows, 3), 1)

    @jax.jit
    def results(theta, points):
        jacobian = in_form(form, least_squares, theta, points)
        assert jacobian.shape == matrix.shape and jacobian.dtype == matrix.dtype
        return jacobian.matmat(a), jacobian.rmatmat(b), jacobian.matvec(a[:, 0]), jacobian.rmatvec(b[:, 0]), jacobian.dense()

    expected = matrix @ a, matrix.T @ b, matrix @ a[:, 0], matrix.T @ b[:, 0], matrix
    for found, right in zip(results(theta, points), expected, strict=True):
        np.testing.assert_allclose(found, right, atol=1e-11 * np.linalg.norm(matrix, 2))


@pytest.mark.parametrize("form", ["dense", "products", 7])
def test_products_are_adjoint_to_each_other(case, form):
    least_squares, theta, points = case
    v, w = random(theta.size, 2), random(least_squares.rows(points), 3)

    @jax.jit
    def sides(theta, points):
        jacobian = in_form(form, least_squares, theta, points)
        return w @ jacobian.matvec(v), v @ jacobian.rmatvec(w)

    left, right = sides(theta, points)
    assert left == pytest.approx(float(right), rel=1e-11)


@pytest.mark.parametrize("form", ["dense", "products", 7])
def test_products_are_linear(case, form):
    least_squares, theta, points = case
    a, b = random((theta.size, 3), 4), random((theta.size, 3), 5)
    c, d = (random((least_squares.rows(points), 3), seed) for seed in (6, 7))

    @jax.jit
    def sides(theta, points):
        jacobian = in_form(form, least_squares, theta, points)
        return [
            (product(2 * x - 3 * y), 2 * product(x) - 3 * product(y))
            for product, x, y in ((jacobian.matmat, a, b), (jacobian.rmatmat, c, d))
        ]

    for whole, parts in sides(theta, points):
        np.testing.assert_allclose(whole, parts, atol=1e-11 * np.max(np.abs(whole)))


def test_dense_takes_the_shorter_side_and_gives_the_same_matrix():
    for shape in ((3, 7), (7, 3)):
        matrix = random(shape, 0)
        held = sl.from_matrix(matrix)
        for jacobian in (held, held._replace(blocks=())):
            np.testing.assert_allclose(jacobian.dense(), matrix, rtol=1e-15)


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


def test_a_residual_that_is_a_matrix_is_refused(network):
    problem = sl.Problem("matrix", sl.Box([0, 0], [1, 1]), [sl.interior(lambda u, x: u(x) * jnp.ones((2, 2)))])
    with pytest.raises(sl.InputError, match=r"interior of 'matrix' has shape \(2, 2\) at one point"):
        sl.LeastSquares(problem, network)


@pytest.mark.parametrize("block", [0, -1, 2.0])
def test_a_bad_block_size_is_refused(least_squares, theta, points, block):
    with pytest.raises(sl.InputError, match="block = .* is not a whole number of at least 1"):
        least_squares.row_blocks(theta, points, block)


def test_linearize_holds_j_whole_unless_told_a_block(case):
    least_squares, theta, points = case
    matrix = np.asarray(jacobian_of(least_squares, theta, points))
    a = random((theta.size, 2), 4)
    for block in (None, 3):
        blocked = dataclasses.replace(least_squares, block=block)
        found = jax.jit(lambda t, x, ls=blocked: ls.linearize(t, x).matmat(a))(theta, points)
        np.testing.assert_allclose(found, matrix @ a, atol=1e-11 * np.linalg.norm(matrix, 2))


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


@pytest.mark.parametrize("piece", [1, 50])
def test_pieces_of_columns_change_no_product(case, piece, monkeypatch):
    monkeypatch.setattr("sketchlab.residuals.PIECE", piece)
    least_squares, theta, points = case
    matrix = np.asarray(jacobian_of(least_squares, theta, points))
    a, b = random((theta.size, 2), 0), random((len(matrix), 2), 1)
    found = jax.jit(lambda t, x: [f(y) for f, y in zip(least_squares.row_blocks(t, x, 7)[2:4], (a, b), strict=True)])(
        theta, points
    )
    for product, right in zip(found, (matrix @ a, matrix.T @ b), strict=True):
        np.testing.assert_allclose(product, right, atol=1e-11 * np.linalg.norm(matrix, 2))


def test_a_product_in_blocks_never_holds_j(problem, monkeypatch):
    monkeypatch.setattr("sketchlab.residuals.PIECE", 2**16)
    least_squares = sl.LeastSquares(problem, sl.MLP(2, 128, 3))
    points = tuple(jnp.asarray(x) for x in problem.sample(200, seed=0))
    theta = least_squares.network.init(key=jax.random.key(0))
    for side, name in ((random((theta.size, 2), 0), "matmat"), (random((200, 2), 1), "rmatmat")):
        product = jax.jit(lambda t, b, name=name: getattr(least_squares.row_blocks(t, points, 200), name)(b))
        compiled = product.lower(theta, side).compile(compiler_options(200))
        assert compiled.memory_analysis().temp_size_in_bytes < 200 * theta.size * 8 / 3


def test_the_leaves_of_cut_parameters_are_theta(theta, network):
    leaves = jax.tree.leaves(network.unflatten(theta))
    np.testing.assert_array_equal(np.concatenate([np.ravel(leaf) for leaf in leaves]), theta)
