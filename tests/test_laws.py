import jax.numpy as jnp
import numpy as np
import pytest

import sketchlab as sl


def spectrum_with(eigenvalues, squared=False):
    s = jnp.sqrt(jnp.asarray(eigenvalues))
    return sl.Spectrum(s, jnp.eye(s.size), jnp.eye(s.size), squared=squared)


@pytest.mark.parametrize(
    "law, values", [("exponential", 3 * np.exp(-0.5 * np.arange(1, 41))), ("algebraic", 3 * np.arange(1.0, 41) ** -2.5)]
)
def test_the_better_law_of_decay_is_named(law, values):
    fit = sl.fit_decay(spectrum_with(values))
    assert fit.law == law and fit.error < 1e-8 < 0.1 < fit.other_error
    np.testing.assert_allclose((fit.rate, fit.constant), (0.5 if law == "exponential" else 2.5, 3), rtol=1e-6)
    np.testing.assert_allclose(fit([1, 7]), values[[0, 6]], rtol=1e-6)


def test_a_fit_leaves_rounding_errors_out():
    values = np.exp(-2.0 * np.arange(60))
    clean = sl.fit_decay(spectrum_with(values))
    noisy = sl.fit_decay(spectrum_with(np.maximum(values, 1e-32)))
    np.testing.assert_allclose((noisy.rate, clean.rate), 2, rtol=1e-3)
    with pytest.raises(sl.InputError, match="2 eigenvalues above the noise floor"):
        sl.fit_decay(spectrum_with([1.0, 0.5, 1e-17], squared=True))


def test_what_is_no_spectrum_is_said():
    with pytest.raises(sl.InputError, match="spectrum = 'x' is no Spectrum: give what sl.spectrum returns"):
        sl.fit_decay("x")
