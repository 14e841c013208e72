import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import SPECTRA, matrix_with

import sketchlab as sl
from sketchlab.optimality import gramian_error

KEY = jax.random.key(0)


@pytest.mark.parametrize("name", SPECTRA)
def test_bounds_hold_over_twenty_gaussian_sketches(name):
    result = sl.near_optimality(sl.from_matrix(matrix_with(SPECTRA[name], 120, 100)[0]), 15, key=KEY, sketches=["gaussian"])
    for q in (0, 1, 2):
        for norm in ("spectral", "frobenius"):
            errors, optimum = (getattr(norms, norm) for norms in (result.errors["gaussian", q], result.optimum))
            bounds = result.bounds[q]
            assert errors.shape == (20,)
            assert np.all(errors >= optimum * (1 - 1e-2) - result.floor)
            assert np.mean(errors) <= getattr(bounds.expected, norm) + result.floor
            assert np.max(errors) <= getattr(bounds.likely, norm) + result.floor


def test_power_iterations_bring_a_sketch_to_the_optimum_over_a_step():
    result = sl.near_optimality(sl.from_matrix(matrix_with(SPECTRA["step"], 120, 100)[0]), 20, key=KEY, power_iterations=(0, 2))
    for sketch in sl.SKETCHES:
        before, after = (np.mean(result.errors[sketch, q].spectral) / result.optimum.spectral for q in (0, 2))
        assert before > 3 and after < 1.05, sketch


def test_a_column_sample_misses_what_lies_along_other_coordinates():
    # 11 columns out of 200 hold none of the first 5 with a probability of three quarters.
    s = np.concatenate([np.ones(5), np.full(195, 0.01)])
    matrix = sl.from_matrix(jnp.asarray(np.linalg.qr(np.random.default_rng(0).standard_normal((220, 200)))[0] * s))
    result = sl.near_optimality(matrix, 5, key=KEY, sketches=["gaussian", "columns"], power_iterations=(1,), repeats=10)
    assert np.max(result.errors["gaussian", 1].spectral) < 0.01
    assert np.median(result.errors["columns", 1].spectral) > 0.9


def test_the_error_of_g_is_that_of_the_dense_matrices():
    matrix = matrix_with(SPECTRA["algebraic"][:60], 70, 100)[0]
    full, found = sl.full_spectrum(sl.from_matrix(matrix)), sl.sketched_spectrum(sl.from_matrix(matrix), 12, key=KEY)
    dense = np.asarray(matrix.T @ matrix - found.right * found.eigenvalues[None] @ found.right.T)
    error = gramian_error(full, found, key=KEY)
    np.testing.assert_allclose(error.frobenius, np.linalg.norm(dense), rtol=1e-10)
    np.testing.assert_allclose(error.spectral, np.linalg.norm(dense, 2), rtol=0.03)


def test_bounds_of_a_flat_spectrum_are_those_on_paper():
    bounds = sl.halko_bounds(np.ones(50), 10, 5, 0)
    tail = np.sqrt(40)
    spectral = 1 + np.sqrt(10 / 4) + np.e * np.sqrt(15) / 5 * tail
    np.testing.assert_allclose(bounds.expected.spectral, 1 + 2 * spectral)
    np.testing.assert_allclose(bounds.expected.frobenius, tail + np.sqrt(2) * np.sqrt(1 + 10 / 4) * tail)


def test_bounds_shrink_with_power_iterations_and_vanish_with_the_tail():
    eigenvalues = 0.5 ** np.arange(60)
    spectral = [sl.halko_bounds(eigenvalues, 10, 5, q).expected.spectral for q in range(6)]
    assert np.all(np.diff(spectral) < 0)
    assert sl.halko_bounds(np.r_[np.ones(10), np.zeros(20)], 10, 5, 3).likely.frobenius == 0
    assert sl.halko_bounds(np.r_[np.ones(5), np.zeros(20)], 10, 5, 3).likely.spectral == 0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"rank": 1}, "rank = 1"),
        ({"oversampling": 3}, "oversampling = 3"),
        ({"power_iterations": (-1,)}, "power_iterations = -1"),
        ({"repeats": 0}, "repeats = 0"),
        ({"sketches": ()}, "name at least one"),
        ({"sketches": ("gauss",)}, "unknown sketch 'gauss'"),
    ],
)
def test_bad_input_is_named(options, message):
    with pytest.raises(sl.InputError, match=message):
        sl.near_optimality(sl.from_matrix(jnp.eye(30)), **{"rank": 5, "key": KEY} | options)


def test_eigenvalues_that_are_no_list_of_numbers_are_refused():
    with pytest.raises(sl.InputError, match=r"eigenvalues of shape \(3, 3\)"):
        sl.halko_bounds(np.ones((3, 3)), 2, 4, 0)
    with pytest.raises(sl.InputError, match="not an array of real numbers"):
        sl.halko_bounds([1j] * 5, 2, 4, 0)
