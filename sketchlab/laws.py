"""Laws of decay, fitted: how fast measured eigenvalues fall with their index. `sketchlab.decay` has a bound that is proved."""

from typing import NamedTuple

import numpy as np

from sketchlab.gramian import Spectrum
from sketchlab.validation import InputError, check_instance


class Decay(NamedTuple):
    """How eigenvalues fall with their index i.

    Attributes
    ----------
    law : str
        "exponential", λᵢ ≈ c e^(-ai), or "algebraic", λᵢ ≈ c i^(-a): the one that fits better.
    rate : float
        a
    constant : float
        c
    error : float
        Root mean square of the misfit of log₁₀ λᵢ, in decades.
    other_error : float
        That of the other law.
    """

    law: str
    rate: float
    constant: float
    error: float
    other_error: float

    def __call__(self, index):
        """Evaluate the law at indices i >= 1."""
        index = np.asarray(index, float)
        return self.constant * (np.exp(-self.rate * index) if self.law == "exponential" else index**-self.rate)


def fit_decay(spectrum: Spectrum) -> Decay:
    """Fit both laws to the eigenvalues above the noise floor, by least squares on the logarithm; return the better one.

    Raises
    ------
    InputError
        If fewer than 3 eigenvalues are above the floor.

    Examples
    --------
    >>> s = 0.5 ** jnp.arange(20.0)
    >>> fit = sl.fit_decay(sl.full_spectrum(sl.from_matrix(jnp.diag(s))))
    >>> fit.law, round(fit.rate, 3)
    ('exponential', 1.386)
    """
    check_instance("spectrum", spectrum, Spectrum, "what sl.spectrum returns")
    eigenvalues = np.asarray(spectrum.eigenvalues, float)
    eigenvalues = eigenvalues[eigenvalues > float(spectrum.noise_floor)]
    if eigenvalues.size < 3:
        raise InputError(f"{eigenvalues.size} eigenvalues above the noise floor say nothing about a decay: 3 are needed.")
    index, values = np.arange(1, eigenvalues.size + 1), np.log(eigenvalues)
    fits = {}
    for law, abscissa in (("exponential", index), ("algebraic", np.log(index))):
        slope, intercept = np.polyfit(abscissa, values, 1)
        misfit = np.sqrt(np.mean((values - slope * abscissa - intercept) ** 2)) / np.log(10)
        fits[law] = float(-slope), float(np.exp(intercept)), float(misfit)
    law, other = sorted(fits, key=lambda name: fits[name][2])
    rate, constant, error = fits[law]
    return Decay(law, rate, constant, error, fits[other][2])
