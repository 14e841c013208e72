import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import SPECTRA, matrix_with

import sketchlab as sl
from sketchlab.orthogonal import orthonormalize

KEY = jax.random.key(0)


@pytest.mark.parametrize("route", sl.ROUTES)
@pytest.mark.parametrize("sketch", sl.SKETCHES)
@pytest.mark.parametrize("rows, columns", [(30, 24), (24, 30)])
def test_at_full_rank_every_route_and_sketch_is_the_dense_spectrum(route, sketch, rows, columns):
    matrix = matrix_with(np.linspace(2, 1, 24), rows, columns)[0]
    found = sl.sketched_spectrum(sl.from_matrix(matrix), 24, key=KEY, route=route, sketch=sketch, oversampling=0)
    np.testing.assert_allclose(found.eigenvalues, np.linspace(2, 1, 24) ** 2, rtol=1e-10)
    np.testing.assert_allclose(found.left * found.singular_values[None] @ found.right.T, matrix, atol=1e-9)
    assert (found.rank, found.route, found.shape, found.dtype) == (24, route, (rows, columns), "float64")


@pytest.mark.parametrize("route", sl.ROUTES)
@pytest.mark.parametrize("name", SPECTRA)
def test_the_error_estimate_holds_on_prescribed_spectra(route, name):
    s = SPECTRA[name]
    jacobian = sl.from_matrix(matrix_with(s, 120, 100)[0])
    compute = jax.jit(lambda key: sl.sketched_spectrum(jacobian, 15, key=key, route=route))
    for seed in range(10):
        found = compute(jax.random.key(seed))
        rounding = 1e-7 if found.squared else 1e-13
        assert np.all(np.abs(np.asarray(found.singular_values) - s[:15]) <= found.error + rounding)
        assert s[15] <= found.singular_values[-1] + found.error + rounding
        assert found.error >= s[30] / 10
        np.testing.assert_allclose(found.right.T @ found.right, np.eye(15), atol=1e-10)


@pytest.mark.parametrize("route", ["range", "kernel", "nystrom"])
def test_ritz_values_never_exceed_the_eigenvalues(route):
    for name, s in SPECTRA.items():
        found = sl.sketched_spectrum(sl.from_matrix(matrix_with(s, 120, 100)[0]), 20, key=KEY, route=route)
        assert np.all(np.asarray(found.eigenvalues) <= s[:20] ** 2 + 1e-12), name


@pytest.mark.parametrize("route", ["range", "kernel", "nystrom"])
def test_over_a_flat_tail_a_sketch_needs_power_iterations(route):
    s = np.concatenate([[2.0, 1.8, 1.6], np.ones(297)])
    jacobian = sl.from_matrix(matrix_with(s, 320, 300)[0])

    def worst(q):
        found = sl.sketched_spectrum(jacobian, 10, key=KEY, route=route, power_iterations=q)
        return np.max(np.abs(1 - np.asarray(found.singular_values[:3]) / s[:3]))

    assert worst(0) > 0.05
    assert worst(12) < 1e-3


@settings(max_examples=25, deadline=None)
@given(
    # Every other shape compiles anew: three sides are tall, wide and square.
    rows=st.sampled_from([3, 10, 25]),
    columns=st.sampled_from([3, 10, 25]),
    share=st.sampled_from([0.1, 0.5, 1.0]),
    seed=st.integers(0, 2**31),
    route=st.sampled_from(list(sl.ROUTES)),
    sketch=st.sampled_from(list(sl.SKETCHES)),
)
def test_any_shape_and_rank_gives_ordered_triplets(rows, columns, share, seed, route, sketch):
    size = min(rows, columns)
    rank = max(1, int(share * size))
    matrix = matrix_with(0.7 ** np.arange(size), rows, columns, seed % 1000)[0]
    found = sl.sketched_spectrum(
        sl.from_matrix(matrix), rank, key=jax.random.key(seed), route=route, sketch=sketch, oversampling=min(6, size - rank)
    )
    s = np.asarray(found.singular_values)
    assert s.shape == (rank,) and found.left.shape == (rows, rank) and found.right.shape == (columns, rank)
    assert np.all(np.isfinite(s)) and np.all(s >= 0) and np.all(np.diff(s) <= 1e-12)
    np.testing.assert_allclose(found.right.T @ found.right, np.eye(rank), atol=1e-9)


@pytest.mark.parametrize("route", sl.ROUTES)
def test_a_decaying_spectrum_ends_in_rounding_errors_and_never_in_nan(route):
    s = 10.0 ** -np.linspace(0, 40, 80)
    found = sl.sketched_spectrum(sl.from_matrix(matrix_with(s, 100, 90)[0]), 70, key=KEY, route=route)
    assert np.all(np.isfinite(np.asarray(found.eigenvalues))) and np.all(np.isfinite(np.asarray(found.left)))
    above = s[:70] ** 2 > 1e4 * float(found.noise_floor)
    # Squaring costs half of the digits: fewer eigenvalues are right.
    np.testing.assert_allclose(np.asarray(found.eigenvalues)[above], s[:70][above] ** 2, rtol=0.02)
    assert (above.sum() < 15) == (route == "nystrom")


def test_zero_is_a_matrix_too():
    for route in sl.ROUTES:
        found = sl.sketched_spectrum(sl.from_matrix(jnp.zeros((20, 30))), 4, key=KEY, route=route)
        np.testing.assert_allclose(found.singular_values, 0, atol=1e-60)
        assert found.error < 1e-60


@pytest.mark.parametrize(
    "options, message",
    [
        ({"rank": 0}, "rank = 0"),
        ({"rank": -3}, "rank = -3"),
        ({"rank": 45}, r"rank \+ oversampling = 51 exceeds min\(N, P\) = 50"),
        ({"power_iterations": -1}, "power_iterations = -1"),
        ({"power_iterations": 0.5}, "power_iterations = 0.5"),
        ({"power_iterations": 2**70}, "power_iterations = .* is not a whole number between 0 and 100"),
        ({"route": ["range"]}, r"unknown route \['range'\]"),
        ({"sketch": sl.SKETCHES["gaussian"]}, "unknown sketch <function gaussian"),
        ({"key": "k"}, "key = 'k' is no random key"),
        ({"route": "nystrm"}, "unknown route 'nystrm'. Did you mean 'nystrom'"),
        ({"sketch": "sparse"}, "unknown sketch 'sparse'"),
        ({"route": "single-pass", "power_iterations": 1}, "a single pass has none"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(sl.InputError, match=message):
        sl.sketched_spectrum(sl.from_matrix(jnp.eye(80, 50)), **{"rank": 5, "key": KEY} | options)


class Counted:
    """A Jacobian that remembers which products were asked for: the protocol, and nothing else."""

    def __init__(self, matrix):
        self.matrix, self.shape, self.dtype, self.calls = matrix, matrix.shape, matrix.dtype, []

    def matmat(self, a):
        self.calls.append("J")
        return self.matrix @ a

    def rmatmat(self, b):
        self.calls.append("JT")
        return self.matrix.T @ b


def test_products_are_counted_as_stated():
    matrix = jnp.asarray(np.random.default_rng(0).standard_normal((60, 50)))
    for route, expected in {"range": lambda q: 2 * q + 3, "kernel": lambda q: 2 * q + 2, "nystrom": lambda q: 2 * q + 2}.items():
        for q in (0, 2):
            jacobian = Counted(matrix)
            sl.sketched_spectrum(jacobian, 5, key=KEY, route=route, power_iterations=q)
            assert len(jacobian.calls) == expected(q), (route, q)
    jacobian = Counted(matrix)
    sl.sketched_spectrum(jacobian, 5, key=KEY, route="single-pass")
    assert sorted(jacobian.calls) == ["J", "JT"]


@pytest.mark.parametrize("route", sl.ROUTES)
def test_every_random_key_is_used_once(route, monkeypatch):
    monkeypatch.setattr("sketchlab.orthogonal.TALL", 100)
    monkeypatch.setattr("sketchlab.orthogonal.BUCKETS", 64)
    jacobian = sl.from_matrix(jnp.asarray(np.random.default_rng(0).standard_normal((120, 110))))
    with jax.debug_key_reuse(True):
        for q in (0,) if route == "single-pass" else (0, 2):
            sl.sketched_spectrum(jacobian, 5, key=jax.random.key(q), route=route, power_iterations=q)
        with pytest.raises(jax.errors.KeyReuseError):
            key = jax.random.key(0)
            jax.random.normal(key), jax.random.normal(key)


def test_the_error_of_nystrom_is_of_singular_values_not_of_eigenvalues():
    # Scaled by c, J has singular values and errors c times as large; those of G grow by c².
    matrix = matrix_with(SPECTRA["algebraic"], 120, 100)[0]
    small, large = (sl.sketched_spectrum(sl.from_matrix(c * matrix), 10, key=KEY, route="nystrom") for c in (1.0, 100.0))
    np.testing.assert_allclose(large.error, 100 * small.error, rtol=1e-6)


@pytest.mark.parametrize("route", ["range", "kernel"])
def test_the_error_estimate_is_the_formula_of_the_paper(route):
    # A flat spectrum: (I - QQᵀ) Jᵀw is a Gaussian vector in the n - l dimensions that the sketch misses.
    n, columns = 400, 16
    jacobian = sl.from_matrix(matrix_with(np.ones(n), n, n)[0])
    errors = [sl.sketched_spectrum(jacobian, 10, key=jax.random.key(seed), route=route).error for seed in range(5)]
    np.testing.assert_allclose(errors, 10 * np.sqrt(2 / np.pi) * np.sqrt(n - columns), rtol=0.15)


def test_a_full_range_is_kept_by_orthonormalize():
    matrix = jnp.asarray(np.random.default_rng(0).standard_normal((9, 9)))
    basis, triangle = orthonormalize(matrix, key=KEY)
    np.testing.assert_allclose(basis @ triangle, matrix, atol=1e-13)
