from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import matrix_with

import sketchlab as sl
from sketchlab.orthogonal import orthonormalize, qr
from sketchlab.random_matrices import SKETCHES, gaussian
from sketchlab.routes import check_rank

KEY = jax.random.key(0)


def jacobian_with(s, rows=120, columns=100):
    return sl.from_matrix(matrix_with(s, rows, columns)[0])


def test_a_sketch_of_full_rank_is_the_full_spectrum():
    jacobian = jacobian_with(np.linspace(2, 1, 30), 40, 30)
    full, sketched = sl.full_spectrum(jacobian), sl.sketched_spectrum(jacobian, 30, key=KEY, oversampling=0)
    np.testing.assert_allclose(sketched.singular_values, full.singular_values, rtol=1e-12)
    for i in (0, 29):
        outer = [jnp.outer(one.left[:, i], one.right[:, i]) for one in (full, sketched)]
        np.testing.assert_allclose(*outer, atol=1e-10)


@pytest.mark.parametrize("name", ["flat", "decaying"])
@pytest.mark.parametrize("q", [0, 2])
def test_ritz_values_never_exceed_the_eigenvalues(name, q):
    s = np.ones(100) if name == "flat" else 0.8 ** np.arange(100)
    for seed in range(3):
        spectrum = sl.sketched_spectrum(jacobian_with(s), 20, key=jax.random.key(seed), oversampling=5, power_iterations=q)
        assert spectrum.rank == 20
        assert np.all(np.asarray(spectrum.eigenvalues) <= s[:20] ** 2 + 1e-13)


def test_a_decaying_spectrum_is_captured_to_high_accuracy():
    s = 0.5 ** np.arange(100)
    spectrum = sl.sketched_spectrum(jacobian_with(s), 20, key=KEY)
    np.testing.assert_allclose(spectrum.singular_values, s[:20], rtol=1e-8)
    np.testing.assert_allclose(spectrum.right.T @ spectrum.right, np.eye(20), atol=1e-12)
    np.testing.assert_allclose(spectrum.left.T @ spectrum.left, np.eye(20), atol=1e-12)


def test_a_slowly_decaying_spectrum_comes_out_wrong_until_power_or_rank_help():
    s = 1 / (1 + 0.02 * np.arange(100))
    jacobian = jacobian_with(s)

    def worst(rank, q):
        found = sl.sketched_spectrum(jacobian, rank, key=KEY, oversampling=0, power_iterations=q).singular_values
        return np.max(1 - np.asarray(found)[:10] / s[:10])

    assert worst(10, 0) > 0.1
    assert worst(10, 30) < worst(10, 0) / 3
    assert worst(100, 0) < 1e-12


def test_range_error_stays_below_the_bound_on_average():
    k, p = 10, 5
    s = 1.0 / np.arange(1, 81) ** 2
    matrix = np.asarray(matrix_with(s, 100, 80)[0])
    errors = []
    for seed in range(20):
        test_matrix = gaussian(k + p, 80, key=jax.random.key(seed))
        basis = np.asarray(sl.range_finder(sl.from_matrix(jnp.asarray(matrix)), test_matrix, key=KEY))
        errors.append(np.linalg.norm(matrix - matrix @ basis @ basis.T, 2))
    # Halko, Martinsson, Tropp 2011, Theorem 10.6, for one product; the product with G makes the basis better still.
    tail = np.linalg.norm(s[k:])
    assert np.mean(errors) <= (1 + (k / (p - 1)) ** 0.5) * s[k] + np.e * (k + p) ** 0.5 / p * tail
    # No basis of k + p columns can do better than the next singular value.
    assert np.min(errors) >= s[k + p] * (1 - 1e-12)


@pytest.mark.parametrize("q", [0, 1])
def test_small_singular_values_survive_the_range_finder(q):
    s = np.logspace(0, -12, 25)
    jacobian = jacobian_with(s, 60, 50)
    basis = sl.range_finder(jacobian, gaussian(25, 50, key=KEY), power_iterations=q, key=KEY)
    found = np.asarray(sl.rayleigh_ritz(jacobian, basis).singular_values)
    np.testing.assert_allclose(basis.T @ basis, np.eye(25), atol=1e-12)
    np.testing.assert_allclose(found, s, rtol=0.02)


def test_without_the_inner_factorization_small_singular_values_drown():
    s = np.logspace(0, -12, 25)
    jacobian = jacobian_with(s, 60, 50)
    naive = jnp.linalg.qr(jacobian.rmatmat(jacobian.matmat(gaussian(25, 50, key=KEY))))[0]
    found = np.asarray(sl.rayleigh_ritz(jacobian, naive).singular_values)
    assert np.all(np.abs(found - s)[s < 1e-11] > 0.05 * s[s < 1e-11])


def test_test_matrix_columns_have_length_about_one():
    lengths = jnp.linalg.norm(gaussian(50, 2000, key=KEY), axis=0)
    np.testing.assert_allclose(lengths, 1, atol=0.1)


def test_rank_check_names_both_numbers_and_the_way_out():
    with pytest.raises(sl.InputError, match=r"rank \+ oversampling = 60 exceeds min\(N, P\) = 50: .*sample more points"):
        check_rank(50, 10, 50, 80)
    with pytest.raises(sl.InputError, match=r"rank \+ oversampling = 51 exceeds min\(N, P\) = 50: .*widen the network"):
        sl.sketched_spectrum(sl.from_matrix(jnp.eye(80, 50)), 51, key=KEY, oversampling=0)
    check_rank(40, 10, 50, 80)


@pytest.mark.parametrize("rank, oversampling, name", [(0, 1, "rank"), (2.0, 1, "rank"), (3, -1, "oversampling")])
def test_bad_ranks_are_refused(rank, oversampling, name):
    with pytest.raises(sl.InputError, match=f"^{name} = "):
        check_rank(rank, oversampling, 50, 80)


@pytest.mark.parametrize("decay", [0.5, 0.8, 1.0])
def test_the_error_estimate_bounds_what_the_sketch_missed(decay):
    jacobian = jacobian_with(decay ** np.arange(50.0))
    for seed in range(20):
        matrix_key, key = jax.random.split(jax.random.key(seed))
        basis, error = sl.co_range_finder(jacobian, gaussian(15, jacobian.shape[0], key=matrix_key), probes=4, key=key)
        np.testing.assert_allclose(basis.T @ basis, np.eye(19), atol=1e-12)
        matrix, first = jacobian.dense(), basis[:, :15]
        missed = float(jnp.linalg.norm(matrix - matrix @ first @ first.T, 2))
        assert missed <= error <= 200 * missed


@pytest.fixture
def tall(monkeypatch):
    """Let 2,000 rows count as tall, and return the singular values of such a matrix from 1 down to 1e-12."""
    monkeypatch.setattr("sketchlab.orthogonal.TALL", 1000)
    monkeypatch.setattr("sketchlab.orthogonal.BUCKETS", 256)
    return 10.0 ** np.linspace(0, -12, 20)


def test_a_tall_matrix_is_orthonormalized_as_householder_does_it(tall):
    matrix, left, _ = matrix_with(tall, 2000, 20)
    basis, triangle = jax.jit(lambda a: orthonormalize(a, key=KEY))(matrix)
    np.testing.assert_allclose(basis @ triangle, matrix, atol=1e-14)
    np.testing.assert_allclose(triangle, np.triu(triangle), atol=1e-15)
    basis = np.asarray(basis)
    householder = np.linalg.qr(matrix)[0]
    np.testing.assert_allclose(basis.T @ basis, np.eye(20), atol=1e-13)
    missed, expected = (np.linalg.norm(left - q @ (q.T @ left), axis=0) for q in (basis, householder))
    assert np.all(missed <= 30 * expected + 1e-13)
    # It did go the way of the sketch.
    assert not np.allclose(np.abs(basis), np.abs(householder), atol=1e-12)


def test_householder_steps_in_where_columns_depend_on_each_other(tall):
    matrix = np.array(matrix_with(tall, 2000, 20)[0])
    matrix[:, 7] = 0
    basis = np.asarray(orthonormalize(jnp.asarray(matrix), key=KEY)[0])
    np.testing.assert_allclose(basis.T @ basis, np.eye(20), atol=1e-13)
    np.testing.assert_allclose(basis @ (basis.T @ matrix), matrix, atol=1e-13)


@pytest.fixture
def on_a_gpu(monkeypatch):
    monkeypatch.setattr("sketchlab.orthogonal.default_device", lambda: SimpleNamespace(platform="gpu"))


@pytest.mark.parametrize("digits", [0, 8, 12, 20])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_on_a_gpu_cholesky_factorizations_do_as_well_as_householder(on_a_gpu, digits, dtype):
    epsilon = float(jnp.finfo(dtype).eps)
    # What the recycled sketch of a decaying J returns: nearly orthogonal columns of very different lengths, and random mixtures.
    s = 10.0 ** np.linspace(0, -digits, 60)
    matrix, left, _ = matrix_with(s, 300, 60)
    start = np.concatenate([left[:, :45], np.random.default_rng(1).standard_normal((300, 15))], axis=1)
    image = jnp.asarray(matrix.T @ start, dtype)
    basis, triangle = jax.jit(qr)(image)
    np.testing.assert_allclose(basis @ triangle, image, atol=100 * epsilon * float(jnp.linalg.norm(image)))
    np.testing.assert_allclose(basis.T @ basis, np.eye(60), atol=100 * epsilon)
    # It did go that way: Householder's R has numbers of both signs on its diagonal.
    assert np.all(np.diagonal(triangle) > 0)
    assert np.any(np.diagonal(np.linalg.qr(image)[1]) < 0)


def test_on_a_gpu_householder_steps_in_where_a_column_is_zero(on_a_gpu):
    matrix = np.array(matrix_with(np.linspace(2, 1, 20), 200, 20)[0])
    matrix[:, 7] = 0
    basis, triangle = qr(jnp.asarray(matrix))
    np.testing.assert_allclose(basis.T @ basis, np.eye(20), atol=1e-13)
    np.testing.assert_allclose(basis @ triangle, matrix, atol=1e-13)


def test_a_nested_sketch_contains_all_smaller_ones():
    matrix = jax.numpy.asarray(np.random.default_rng(0).standard_normal((30, 40)) * 0.7 ** np.arange(40))
    jacobian = sl.from_matrix(matrix)
    test_matrix = SKETCHES["gaussian"](20, 40, key=jax.random.key(1), dtype=matrix.dtype)
    for power_iterations in (0, 2):
        options = {"power_iterations": power_iterations, "key": jax.random.key(2)}
        nested = sl.nested_sketch(jacobian, test_matrix, **options)
        for rank, oversampling in ((3, 0), (8, 6), (14, 6)):
            alone = sl.rayleigh_ritz(jacobian, sl.range_finder(jacobian, test_matrix[:, : rank + oversampling], **options), rank)
            singular_values, vectors = nested.ritz(rank, oversampling=oversampling)
            assert np.allclose(singular_values, alone.singular_values, rtol=1e-10)
            right = np.asarray(nested.basis)[:, : rank + oversampling] @ vectors
            assert np.allclose(
                right @ np.diag(singular_values**2) @ right.T, alone.right @ np.diag(alone.eigenvalues) @ alone.right.T
            )


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda J: sl.range_finder(J, jnp.ones((5, 3)), key=KEY),
            r"test_matrix of shape \(5, 3\) does not fit: it needs 13 rows",
        ),
        (lambda J: sl.range_finder(J, None, key=KEY), "test_matrix = None is not an array of real numbers"),
        (lambda J: sl.co_range_finder(J, jnp.ones(12), probes=2, key=KEY), r"test_matrix of shape \(12,\) does not fit"),
        (lambda J: sl.co_range_finder(J, jnp.ones((12, 3)), probes=-1, key=KEY), "probes = -1"),
        (lambda J: sl.co_range_finder(J, jnp.ones((12, 3)), probes=2, key=0), "key = 0 is no random key: use jax.random.key"),
        (
            lambda J: sl.range_finder(J, jnp.ones((13, 3)), power_iterations=2**70, key=KEY),
            "is not a whole number between 0 and 100",
        ),
        (lambda J: sl.rayleigh_ritz(J, jnp.ones((5, 3))), r"basis of shape \(5, 3\) does not fit: it needs 13 rows"),
        (lambda J: sl.nested_sketch(J, jnp.ones((13, 3)), key=KEY).ritz(2.5), "rank = 2.5"),
    ],
)
def test_what_does_not_fit_a_jacobian_is_named(call, message):
    with pytest.raises(sl.InputError, match=message):
        call(sl.from_matrix(jnp.ones((12, 13))))
