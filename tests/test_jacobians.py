import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import cauchy_riemann

import sketchlab as sl
from sketchlab.memory import compiler_options

#: Block sizes: one row, less than a condition, more than one condition, all rows.
BLOCKS = [1, 5, 55, 1000]


def random(shape, seed):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape))


def in_form(form, least_squares, theta, points):
    return least_squares.dense(theta, points) if form == "dense" else least_squares.row_blocks(theta, points, form)


@pytest.fixture(scope="module", params=["scalar", "vector"])
def case(request, least_squares, theta, points):
    if request.param == "scalar":
        return least_squares, theta, points
    problem = cauchy_riemann()
    least_squares = sl.LeastSquares(problem, sl.MLP(dim=2, width=6, depth=1, outputs=2))
    theta = least_squares.network.init(key=jax.random.key(1))
    return least_squares, theta, tuple(jnp.asarray(x) for x in problem.sample([17, 8], seed=1))


@pytest.fixture(scope="module")
def matrix(case):
    least_squares, theta, points = case
    return np.asarray(jax.jit(sl.LeastSquares.jacobian, static_argnums=0)(least_squares, theta, points))


@jax.jit
def products(jacobian, a, b):
    return jacobian.matmat(a), jacobian.rmatmat(b), jacobian.dense()


@pytest.mark.parametrize("form", ["dense", *BLOCKS])
def test_products_equal_those_of_the_matrix(form, case, matrix):
    jacobian = in_form(form, *case)
    a, b = random((matrix.shape[1], 3), 0), random((len(matrix), 3), 1)
    assert jacobian.shape == matrix.shape and jacobian.dtype == matrix.dtype
    for found, right in zip(products(jacobian, a, b), (matrix @ a, matrix.T @ b, matrix), strict=True):
        np.testing.assert_allclose(found, right, atol=1e-11 * np.linalg.norm(matrix, 2))


@pytest.mark.parametrize("form", ["dense", 7])
def test_products_are_linear_and_adjoint_to_each_other(form, case, matrix):
    jacobian = in_form(form, *case)
    v, w = random((matrix.shape[1], 2), 2), random((len(matrix), 2), 3)
    along, across, _ = products(jacobian, v, w)
    np.testing.assert_allclose(w.T @ along, across.T @ v, rtol=1e-10)
    for found, parts, x in ((0, along, v), (1, across, w)):
        sides = [v, w]
        sides[found] = jnp.stack([2 * x[:, 0] - 3 * x[:, 1], x[:, 1]], axis=1)
        whole = products(jacobian, *sides)[found]
        np.testing.assert_allclose(whole[:, 0], 2 * parts[:, 0] - 3 * parts[:, 1], atol=1e-11 * np.max(np.abs(parts)))


@pytest.mark.parametrize("form", ["dense", 7])
def test_a_jacobian_may_be_an_argument_of_a_compiled_function(form, case, matrix):
    full = jax.jit(sl.full_spectrum)(in_form(form, *case))
    np.testing.assert_allclose(
        full.singular_values, np.linalg.svd(matrix, compute_uv=False), atol=1e-11 * full.singular_values[0]
    )


def test_a_jacobian_may_be_an_argument_of_a_mapped_function(matrix):
    jacobian, keys = sl.from_matrix(matrix), jax.random.split(jax.random.key(0), 2)
    found = jax.jit(jax.vmap(lambda j, key: sl.sketched_spectrum(j, 5, key=key), (None, 0)))(jacobian, keys)
    one = sl.sketched_spectrum(jacobian, 5, key=keys[1])
    np.testing.assert_allclose(found.singular_values[1], one.singular_values, rtol=1e-9)


def test_jacobians_of_many_parameters_at_once(least_squares, theta, points):
    thetas, a = jnp.stack([theta, 2 * theta]), random((theta.size, 2), 0)
    many = jax.vmap(lambda t: least_squares.row_blocks(t, points, 7))(thetas)
    found = jax.jit(jax.vmap(lambda j: j.matmat(a)))(many)
    np.testing.assert_allclose(found[1], least_squares.jacobian(2 * theta, points) @ a, atol=1e-10 * np.max(np.abs(found)))


def test_functions_of_equal_least_squares_are_compiled_once(problem, network, theta, points):
    compiled = jax.jit(lambda jacobian, a: jacobian.matmat(a))
    for _ in range(2):
        compiled(sl.LeastSquares(problem, network).row_blocks(theta, points, 7), random((theta.size, 2), 0))
    assert compiled._cache_size() == 1


@pytest.mark.parametrize("block", [1, 16, 64, 250])
@pytest.mark.parametrize("name", ["matmat", "rmatmat"])
def test_a_product_in_blocks_holds_one_block(name, block):
    problem, network = sl.PROBLEMS["transport_1d"](), sl.MLP(2, 64, 2)
    least_squares = sl.LeastSquares(problem, network)
    theta = network.init(key=jax.random.key(0))
    points = tuple(jnp.asarray(x) for x in problem.sample(1000, seed=0))
    factor = random((theta.size if name == "matmat" else 1000, 4), 0)
    product = jax.jit(lambda t, side: getattr(least_squares.row_blocks(t, points, block), name)(side))
    compiled = product.lower(theta, factor).compile(compiler_options(block))
    # A block, what a pass through the network needs at a point, and copies of factor and output.
    numbers = 1.1 * block * theta.size + 600 * block + 2 * 4 * (theta.size + 1000)
    assert compiled.memory_analysis().temp_size_in_bytes < 8 * numbers


def test_a_single_block_is_never_held_whole(problem, monkeypatch):
    monkeypatch.setattr("sketchlab.jacobians.PIECE", 2**17)
    least_squares = sl.LeastSquares(problem, sl.MLP(2, 64, 3))
    points = tuple(jnp.asarray(x) for x in problem.sample(200, seed=0))
    theta = least_squares.network.init(key=jax.random.key(0))

    for name, factor in (("matmat", random((theta.size, 2), 0)), ("rmatmat", random((200, 2), 1))):
        product = jax.jit(lambda t, side, name=name: getattr(least_squares.row_blocks(t, points, 200), name)(side))
        compiled = product.lower(theta, factor).compile(compiler_options(200))
        assert compiled.memory_analysis().temp_size_in_bytes < 200 * theta.size * 8 / 3


@pytest.mark.parametrize("piece", [1, 50])
def test_pieces_of_columns_change_no_product(piece, case, matrix, monkeypatch):
    monkeypatch.setattr("sketchlab.jacobians.PIECE", piece)
    jacobian = in_form(7, *case)
    a, b = random((matrix.shape[1], 2), 0), random((len(matrix), 2), 1)
    # Not `products`, which would remember the other size of a piece.
    found = jax.jit(lambda j, a, b: (j.matmat(a), j.rmatmat(b)))(jacobian, a, b)
    for product, right in zip(found, (matrix @ a, matrix.T @ b), strict=True):
        np.testing.assert_allclose(product, right, atol=1e-11 * np.linalg.norm(matrix, 2))


def test_a_matrix_in_blocks_of_columns_is_that_matrix():
    matrix = random((4, 7), 0)
    jacobian = sl.Jacobian((matrix[:, :3], matrix[:, 3:]))
    assert jacobian.shape == (4, 7)
    np.testing.assert_array_equal(jacobian.dense(), matrix)
    np.testing.assert_allclose(jacobian.rmatmat(jnp.eye(4)), matrix.T)


@pytest.mark.parametrize("value", [None, 3.0, [1.0, 2.0], [["a"]], np.ones((2, 2), int), np.ones((0, 2)), np.ones((2, 2)) * 1j])
def test_what_is_no_matrix_of_real_numbers_is_refused(value):
    with pytest.raises(sl.InputError, match="real numbers"):
        sl.from_matrix(value)


def test_lists_are_matrices_too():
    np.testing.assert_array_equal(sl.from_matrix([[1.0, 2.0], [3.0, 4.0]]).dense(), [[1, 2], [3, 4]])


@pytest.mark.parametrize("form", ["dense", 7])
def test_a_factor_of_the_wrong_height_is_refused(form, case, matrix):
    jacobian = in_form(form, *case)
    for product, height in ((jacobian.matmat, matrix.shape[1]), (jacobian.rmatmat, matrix.shape[0])):
        for shape in ((height + 1, 2), (height,)):
            with pytest.raises(sl.InputError, match=f"it needs {height} rows"):
                product(jnp.ones(shape))


@pytest.mark.parametrize("block", [0, -1, 2.0])
def test_a_bad_block_size_is_refused(least_squares, theta, points, block):
    with pytest.raises(sl.InputError, match="block = .* is not a whole number of at least 1"):
        least_squares.row_blocks(theta, points, block)
