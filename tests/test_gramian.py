import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import graded_matrix, matrix_with

import sketchlab as sl

DECADES = np.logspace(0, -12, 25)


def assert_orthonormal(vectors):
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(vectors.shape[1]), atol=1e-12)


def test_operator_equals_the_matrix_product(least_squares, theta, points):
    matrix = np.asarray(jax.jit(least_squares.jacobian)(theta, points))
    gramian = sl.Gramian(least_squares.products(theta, points))
    expected, scale = matrix.T @ matrix, np.linalg.norm(matrix, 2) ** 2
    a = np.random.default_rng(0).standard_normal((matrix.shape[1], 2))
    assert gramian.shape == expected.shape
    assert gramian.nbytes == expected.nbytes

    @jax.jit
    def results(theta):
        gramian = sl.Gramian(least_squares.products(theta, points))
        return gramian.matmat(jnp.asarray(a)), gramian.matvec(jnp.asarray(a[:, 0])), gramian.dense()

    for found, right in zip(results(theta), (expected @ a, expected @ a[:, 0], expected), strict=True):
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
    np.testing.assert_allclose(kernel.left * kernel.singular_values @ kernel.right.T, matrix, atol=1e-12)
    assert_orthonormal(kernel.left)
    assert_orthonormal(kernel.right)


def test_kernel_spectrum_of_a_zero_matrix_is_zero_and_finite():
    spectrum = sl.kernel_spectrum(sl.from_matrix(jnp.zeros((4, 6))))
    for part in (spectrum.singular_values, spectrum.left, spectrum.right):
        assert np.all(np.asarray(part) == 0)


def test_graded_columns_come_out_to_relative_accuracy():
    s = np.logspace(0, -12, 13)
    found = sl.full_spectrum(sl.from_matrix(graded_matrix(s))).singular_values
    np.testing.assert_allclose(found, s, rtol=1e-3)
