import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import graded_matrix, matrix_with

import sketchlab as sl
from sketchlab.gramian import noise_floors

DECADES = np.logspace(0, -12, 25)


def assert_orthonormal(vectors):
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(vectors.shape[1]), atol=1e-12)


def test_operator_equals_the_matrix_product(least_squares, theta, points):
    matrix = np.asarray(jax.jit(least_squares.jacobian)(theta, points))
    expected, scale = matrix.T @ matrix, np.linalg.norm(matrix, 2) ** 2
    a = np.random.default_rng(0).standard_normal((matrix.shape[1], 2))

    @jax.jit
    def results(theta):
        gramian = sl.Gramian(least_squares.dense(theta, points))
        assert gramian.shape == expected.shape
        return gramian.matmat(jnp.asarray(a)), gramian.dense()

    for found, right in zip(results(theta), (expected @ a, expected), strict=True):
        np.testing.assert_allclose(found, right, atol=1e-11 * scale)


def test_dense_refuses_beyond_its_limit_and_names_both_figures():
    gramian = sl.Gramian(sl.from_matrix(jnp.zeros((1, 512))))
    with pytest.raises(sl.InputError, match=r"P = 512 parameters takes 0.00195 GiB, the limit is 0.000977 GiB"):
        gramian.dense(limit=2**20)
    assert gramian.dense(limit=2**21).shape == (512, 512)


@pytest.mark.parametrize("rows, columns", [(40, 30), (30, 40)])
def test_full_spectrum_finds_prescribed_triplets(rows, columns):
    s = np.linspace(3, 1, 30)
    matrix, left, right = matrix_with(s, rows, columns)
    spectrum = sl.full_spectrum(sl.from_matrix(matrix))
    assert spectrum.rank == 30
    np.testing.assert_allclose(spectrum.singular_values, s, rtol=1e-12)
    np.testing.assert_allclose(spectrum.eigenvalues, s**2, rtol=1e-12)
    # Vectors are free up to one sign a pair: compare the products u vᵀ.
    for i in (0, 15, 29):
        np.testing.assert_allclose(
            jnp.outer(spectrum.left[:, i], spectrum.right[:, i]), np.outer(left[:, i], right[:, i]), atol=1e-11
        )
    assert_orthonormal(spectrum.left)
    assert_orthonormal(spectrum.right)


def test_full_spectrum_keeps_small_singular_values():
    matrix, _, _ = matrix_with(DECADES, 40, 30)
    found = sl.full_spectrum(sl.from_matrix(matrix)).singular_values[: DECADES.size]
    # Rounding the matrix moves every singular value by up to about ε s₁: a relative 1e-3 of the last one, far less above it.
    np.testing.assert_allclose(found, DECADES, rtol=1e-8, atol=2e-15)


def test_eigenvalues_of_the_dense_gramian_are_noise_where_those_of_j_are_right():
    matrix, _, _ = matrix_with(DECADES, 40, 30)
    small = DECADES < 1e-9
    from_gramian = np.linalg.eigvalsh(np.asarray(matrix.T @ matrix))[::-1][: DECADES.size]
    from_jacobian = np.asarray(sl.full_spectrum(sl.from_matrix(matrix)).eigenvalues)[: DECADES.size]
    assert np.all(np.abs(from_gramian - DECADES**2)[small] > 0.5 * DECADES[small] ** 2)
    assert np.all(np.abs(from_jacobian - DECADES**2)[small] < 0.02 * DECADES[small] ** 2)


def test_kernel_spectrum_finds_triplets_down_to_what_the_kernel_resolves():
    matrix, _, _ = matrix_with(DECADES, DECADES.size, 40)
    spectrum = sl.kernel_spectrum(sl.from_matrix(matrix))
    s = np.asarray(spectrum.singular_values)
    floor = (np.finfo(float).eps * DECADES.size) ** 0.5
    above, below = DECADES > 2 * floor, DECADES < floor / 2
    # The kernel's eigenvalues err by about ε λ₁, so s errs by about ε s₁² / s.
    assert np.all(np.abs(s - DECADES)[above] < 1e-14 / DECADES[above])
    assert np.all(s[below] == 0)
    assert np.all(np.asarray(spectrum.left)[:, below] == 0) and np.all(np.asarray(spectrum.right)[:, below] == 0)
    assert np.any(above) and np.any(below)


def test_kernel_spectrum_is_the_full_one_when_well_conditioned():
    matrix, _, _ = matrix_with(np.linspace(3, 1, 20), 20, 40)
    kernel, full = (f(sl.from_matrix(matrix)) for f in (sl.kernel_spectrum, sl.full_spectrum))
    np.testing.assert_allclose(kernel.singular_values, full.singular_values, rtol=1e-12)
    np.testing.assert_allclose(kernel.left * kernel.singular_values[None] @ kernel.right.T, matrix, atol=1e-12)
    assert_orthonormal(kernel.left)
    assert_orthonormal(kernel.right)


def test_kernel_spectrum_of_a_zero_matrix_is_zero_and_finite():
    spectrum = sl.kernel_spectrum(sl.from_matrix(jnp.zeros((4, 6))))
    for part in (spectrum.singular_values, spectrum.left, spectrum.right):
        assert np.all(np.asarray(part) == 0)


def test_kernel_spectrum_has_no_more_triplets_than_parameters():
    matrix, _, _ = matrix_with(np.linspace(3, 1, 20), 40, 20)
    found = sl.kernel_spectrum(sl.from_matrix(matrix))
    assert (found.rank, found.left.shape, found.right.shape) == (20, (40, 20), (20, 20))
    np.testing.assert_allclose(found.left * found.singular_values[None] @ found.right.T, matrix, atol=1e-12)


@pytest.mark.parametrize("decompose", [sl.full_spectrum, sl.kernel_spectrum])
def test_the_spectrum_of_a_jacobian_with_nan_is_nan(decompose):
    found = decompose(sl.from_matrix(jnp.eye(4, 6).at[1, 2].set(jnp.nan)))
    for part in (found.singular_values, found.left, found.right):
        assert np.all(np.isnan(part))


def test_effective_dimension_weighs_each_direction_and_counts_none():
    found = sl.full_spectrum(sl.from_matrix(jnp.diag(jnp.sqrt(jnp.array([4.0, 1.0, 0.25])))))
    np.testing.assert_allclose(found.effective_dimension(1.0), 4 / 5 + 1 / 2 + 1 / 5)
    with pytest.raises(sl.InputError, match="damping = 'a' is not an array of real numbers"):
        found.effective_dimension("a")


def test_shares_are_normalized_for_left_vectors_shorter_than_one():
    left = jnp.array([[0.3, 0.0], [0.4, 0.0], [0.0, 0.0]])
    found = sl.Spectrum(jnp.array([2.0, 0.0]), left, jnp.eye(2), conditions=(("inside", 1), ("outside", 2)))
    np.testing.assert_allclose(found.shares["inside"], [0.36, 0])
    np.testing.assert_allclose(found.shares["outside"], [0.64, 0])


def test_noise_floor_of_j_and_of_its_square_by_hand():
    floors = noise_floors(sl.full_spectrum(sl.from_matrix(jnp.diag(jnp.array([4.0, 1.0])))))
    np.testing.assert_allclose(floors, (2.0**-104 * 16, 2.0**-52 * 16))


@pytest.mark.parametrize(
    "jacobian, message",
    [
        (np.eye(3), r"jacobian = array of shape \(3, 3\) is a matrix: wrap it with sl.from_matrix"),
        (3, "jacobian = 3 is no Jacobian: make one with sl.jacobian"),
        (None, "jacobian = None is no Jacobian"),
    ],
)
def test_what_is_no_jacobian_is_said(jacobian, message):
    for use in (
        lambda: sl.full_spectrum(jacobian),
        lambda: sl.kernel_spectrum(jacobian),
        lambda: sl.Gramian(jacobian).dense(),
        lambda: sl.rayleigh_ritz(jacobian, jnp.eye(3)),
        lambda: sl.sketched_spectrum(jacobian, 1, key=jax.random.key(0)),
    ):
        with pytest.raises(sl.InputError, match=message):
            use()


def test_graded_columns_come_out_to_relative_accuracy():
    s = np.logspace(0, -12, 13)
    found = sl.full_spectrum(sl.from_matrix(graded_matrix(s))).singular_values
    np.testing.assert_allclose(found, s, rtol=1e-3)
