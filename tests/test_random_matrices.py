import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sketchlab as sl
from sketchlab.random_matrices import NESTED


@pytest.mark.parametrize("name", sl.SKETCHES)
@pytest.mark.parametrize("columns", [3, 9])
def test_every_test_matrix_is_isotropic(name, columns):
    size, draws = 9, 4000
    keys = jax.random.split(jax.random.key(1), draws)
    drawn = jax.vmap(lambda key: sl.SKETCHES[name](columns, size, key=key))(keys)
    mean = np.asarray(jnp.einsum("dil,djl->ij", drawn, drawn)) / draws * size / columns
    # An entry of ΩΩᵀ n/l has a standard deviation of at most √(3 n / l) for these sizes.
    np.testing.assert_allclose(mean, np.eye(size), atol=5 * (3 * size / columns / draws) ** 0.5)


@pytest.mark.parametrize("name", sl.SKETCHES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shape_dtype_and_randomness(name, dtype):
    draw = sl.SKETCHES[name]
    first, again, other = (draw(5, 40, key=jax.random.key(seed), dtype=jnp.dtype(dtype)) for seed in (0, 0, 1))
    assert first.shape == (40, 5) and first.dtype == dtype
    np.testing.assert_array_equal(first, again)
    assert np.any(np.asarray(first) != np.asarray(other))


@pytest.mark.parametrize("name", ["rademacher", "trigonometric", "columns"])
def test_columns_of_a_fixed_length_have_length_one(name):
    np.testing.assert_allclose(jnp.linalg.norm(sl.SKETCHES[name](7, 50, key=jax.random.key(0)), axis=0), 1, atol=1e-12)


@pytest.mark.parametrize("name", ["trigonometric", "columns"])
def test_transform_and_sample_have_orthonormal_columns(name):
    drawn = sl.SKETCHES[name](20, 20, key=jax.random.key(0))
    np.testing.assert_allclose(drawn.T @ drawn, np.eye(20), atol=1e-12)


@pytest.mark.parametrize("columns", [3, 30])
def test_a_sparse_sign_matrix_has_eight_signs_in_a_row_if_there_is_room(columns):
    drawn = np.asarray(sl.SKETCHES["sparse-sign"](columns, 50, key=jax.random.key(0)))
    assert set(np.count_nonzero(drawn, axis=1)) == {min(8, columns)}
    assert len(np.unique(np.abs(drawn[drawn != 0]).round(12))) == 1


def test_a_column_sample_takes_columns():
    matrix = np.random.default_rng(0).standard_normal((4, 30))
    taken = matrix @ np.asarray(sl.SKETCHES["columns"](6, 30, key=jax.random.key(0)))
    assert {tuple(column) for column in taken.T} <= {tuple(column) for column in matrix.T}
    assert len({tuple(column) for column in taken.T}) == 6


def test_an_unknown_sketch_is_named():
    with pytest.raises(sl.InputError, match="unknown sketch 'gausian'. Did you mean 'gaussian'"):
        sl.SKETCHES["gausian"]


@pytest.mark.parametrize("name", NESTED)
def test_leading_columns_of_a_nested_matrix_are_isotropic(name):
    keys = jax.random.split(jax.random.key(2), 4000)
    drawn = jax.vmap(lambda key: sl.SKETCHES[name](9, 12, key=key)[:, :3])(keys)
    products = jnp.mean(drawn @ drawn.mT, axis=0)
    assert np.allclose(products / jnp.mean(jnp.diag(products)), np.eye(12), atol=0.12)


@pytest.mark.parametrize("name", sl.SKETCHES)
@pytest.mark.parametrize("columns, size, message", [(3, -2, "size = -2"), (-1, 5, "columns = -1"), (2.5, 5, "columns = 2.5")])
def test_a_size_that_makes_no_matrix_is_named(name, columns, size, message):
    with pytest.raises(sl.InputError, match=message):
        sl.SKETCHES[name](columns, size, key=jax.random.key(0))


@pytest.mark.parametrize("name", ["trigonometric", "columns"])
def test_more_columns_than_rows_are_refused_where_columns_differ(name):
    with pytest.raises(sl.InputError, match="columns = 9 is not a whole number between 0 and 5"):
        sl.SKETCHES[name](9, 5, key=jax.random.key(0))
