"""Why the eigenvalues decay: a bound for one hidden tanh layer in one dimension, from the weights alone.

The tangent functions of a neuron are analytic up to a pole that its weights tell. So polynomials approximate them, with an error
that falls as ρ⁻ⁿ with the degree n, and polynomials of low degree span few dimensions. The faster they approximate, the faster
the eigenvalues of G fall. docs/decay.md derives the bound, with all constants.

=========  ===========  =======  ==============================================================
symbol     name         shape    meaning
=========  ===========  =======  ==============================================================
xⱼ         poles        (m,)     nearest pole of neuron j, a point of the complex plane
ρⱼ         rho          (m,)     size of the Bernstein ellipse through it, > 1
d                                dimension of the polynomials, degree below d
q          set_aside    (count,) neurons that are kept as they are, at 3 dimensions each
=========  ===========  =======  ==============================================================
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sketchlab.domains import Box
from sketchlab.networks import MLP
from sketchlab.validation import InputError, check_array, check_instance, check_integer, check_real

#: Arcs of half an ellipse on which the functions are bounded, an even number so that none spans its top; and ellipses that are
#: tried for each neuron.
ARCS, ELLIPSES = 400, 60
#: Largest ellipse that is tried where no pole is near.
LARGEST = 1e3


class DecayBound(NamedTuple):
    """What `decay_bound` found.

    Attributes
    ----------
    eigenvalues : (count,)
        Upper bounds of λ₁, λ₂, …
    plain : (count,)
        The same without setting neurons aside and with one ellipse for all, inside the strip that the largest |w| leaves free of
        poles wherever they are: |Im z| < π/2.
    set_aside : (count,) int
        q, neurons set aside in each of `eigenvalues`.
    poles : (m,) complex
        Pole of each neuron with positive imaginary part, in x; infinite for a neuron with w = 0.
    rho : (m,)
        Parameter ρⱼ of the Bernstein ellipse through it.
    """

    eigenvalues: np.ndarray
    plain: np.ndarray
    set_aside: np.ndarray
    poles: np.ndarray
    rho: np.ndarray


def decay_bound(
    network: MLP, theta, domain: Box, *, count: int = 60, coefficients: Sequence[float] = (1.0, 0.0, 0.0), weight: float = 1.0
) -> DecayBound:
    """Bound the eigenvalues of the Gramian of one hidden tanh layer in one dimension.

    Parameters
    ----------
    network : MLP
        With dim = depth = outputs = 1 and tanh.
    theta : (P,)
    domain : Box
        [α, β]
    count : int
        Eigenvalues to bound.
    coefficients : (γ₀, γ₁, γ₂)
        L u = γ₀ u + γ₁ u' + γ₂ u''; the function itself by default, (0, 0, -1) for -u''.
    weight : float
        Of the condition.

    Raises
    ------
    InputError
        If the network or the domain is another one.

    Examples
    --------
    >>> problem, network = sl.PROBLEMS["poisson_1d"](), sl.MLP(1, width=8, depth=1)
    >>> bound = sl.decay_bound(network, network.init(key=jax.random.key(0)), problem.domain, count=20)
    >>> bool(bound.eigenvalues[19] < 1e-6 * bound.eigenvalues[0])
    True

    Notes
    -----
    Derivation and assumptions: docs/decay.md.
    """
    weights, biases, amplitudes = _neurons(network, theta, domain)
    check_integer("count", count, 1)
    check_real("weight", weight, 0, np.inf, open_low=True, open_high=True)
    gammas = np.asarray(check_array("coefficients", coefficients), float)
    if gammas.shape != (3,) or not np.all(np.isfinite(gammas)):
        raise InputError(f"coefficients = {coefficients} are not three numbers (γ₀, γ₁, γ₂) of γ₀ u + γ₁ u' + γ₂ u''.")
    half, middle = domain.lengths[0] / 2, (domain.lower[0] + domain.upper[0]) / 2
    # In t the neuron is tanh(slope t + shift).
    slopes, shifts = weights * half, weights * middle + biases
    with np.errstate(all="ignore"):
        in_t = np.where(slopes == 0, np.inf, (0.5j * np.pi - shifts) / slopes)
        in_t = np.where(np.imag(in_t) < 0, np.conj(in_t), in_t)
        poles = np.where(slopes == 0, np.inf, middle + half * in_t)
    rho = bernstein_parameter(in_t)

    def sizes(ellipses, sech):
        reach = abs(middle) + half * (ellipses + 1 / ellipses) / 2
        return _tangent_bounds(weights[:, None], amplitudes[:, None], reach, sech, np.abs(gammas))

    factor = weight * domain.lengths[0]
    degrees = np.arange(count)
    constant = np.where(degrees == 0, factor * gammas[0] ** 2, 0.0)

    # From close to the interval to close to the pole.
    fractions = np.geomspace(1e-3, 1, ELLIPSES + 1)[:-1]
    ellipses = 1 + fractions * (np.minimum(rho, LARGEST)[:, None] - 1)
    errors = _polynomial_errors(sizes(ellipses, _sech_bound(slopes, shifts, ellipses)), ellipses, degrees)
    squares = factor * np.sum(errors.min(axis=2) ** 2, axis=1)
    # Neurons by their poles, nearest first: row q is the sum over all but the first q.
    ordered = squares[np.argsort(rho)]
    rest = np.concatenate([np.cumsum(ordered[::-1], axis=0)[::-1], np.zeros((1, count))]) + constant
    shifted = np.full((len(rest), count), np.inf)
    for q in range(min(len(rest), count // 3 + 1)):
        shifted[q, 3 * q :] = rest[q, : count - 3 * q]

    # |Im z| = |slope| (ρ - 1/ρ) / 2 < π/2 for the steepest neuron leaves every |cosh z|² ≥ cos² Im z > 0.
    steepest = np.max(np.abs(slopes))
    widest = min(np.pi / 2 / steepest, LARGEST / 2) if steepest else LARGEST / 2
    same = np.tile(1 + fractions * (widest + np.sqrt(widest**2 + 1) - 1), (len(slopes), 1))
    imaginary = np.abs(slopes)[:, None] * (same - 1 / same) / 2
    plain = _polynomial_errors(sizes(same, 1 / np.cos(imaginary) ** 2), same, degrees)
    plain = factor * np.min(np.sum(plain**2, axis=(0, 1)), axis=0) + constant
    sharpened = shifted.min(axis=0)
    # Both hold, and now and then the plain one is the lower: its ellipses are others.
    set_aside = np.where(plain < sharpened, 0, shifted.argmin(axis=0))
    return DecayBound(np.minimum(sharpened, plain), plain, set_aside, poles, rho)


def bernstein_parameter(t) -> np.ndarray:
    """Return ρ of the Bernstein ellipse with foci ±1 through the complex points t: |t + √(t² - 1)|, the larger branch."""
    t = np.asarray(t, complex)
    with np.errstate(invalid="ignore"):
        root = np.sqrt(t - 1) * np.sqrt(t + 1)
        return np.where(np.isfinite(t), np.maximum(np.abs(t + root), np.abs(t - root)), np.inf)


def _neurons(network, theta, domain):
    for name, value in {"dim": 1, "depth": 1, "outputs": 1, "activation": "tanh"}.items():
        if (given := getattr(network, name, None)) != value:
            raise InputError(f"the bound is for one hidden tanh layer in one dimension: the network has {name} = {given!r}.")
    if check_instance("domain", domain, Box, "sl.Box([0], [1])").dim != 1:
        raise InputError(f"the bound is for one hidden tanh layer in one dimension: the domain has {domain.dim}.")
    theta = np.asarray(check_array("theta", theta), float)
    if theta.shape != (network.size,) or not np.all(np.isfinite(theta)):
        raise InputError(f"theta of shape {theta.shape} is not the {network.size} finite parameters of the network.")
    (weights, biases), (amplitudes, _) = network.unflatten(theta)
    return tuple(np.asarray(a, float).ravel() for a in (weights, biases, amplitudes))


def _sech_bound(slopes, shifts, ellipses):
    """Bound |sech² z| on every ellipse of every neuron: (m, e)."""
    angles = np.linspace(0, np.pi, ARCS + 1)
    # |cosh z| is the same for -z and for the conjugate of z: slopes >= 0 and the upper half are enough.
    shifts, slopes = (shifts * np.where(slopes < 0, -1, 1))[:, None, None], np.abs(slopes)[:, None, None]
    ellipses = ellipses[..., None]
    real = slopes * (ellipses + 1 / ellipses) / 2 * np.cos(angles) + shifts
    imaginary = slopes * (ellipses - 1 / ellipses) / 2 * np.sin(angles)
    low, high = real[..., 1:], real[..., :-1]
    nearest = np.where((low <= 0) & (high >= 0), 0, np.minimum(np.abs(low), np.abs(high)))
    first, last = np.minimum(imaginary[..., 1:], imaginary[..., :-1]), np.maximum(imaginary[..., 1:], imaginary[..., :-1])
    # Between two zeros |cos| is concave, so it is least at an end of the arc, unless a zero lies on it.
    has_zero = np.floor(last / np.pi - 0.5) != np.floor(first / np.pi - 0.5)
    cosine = np.where(has_zero, 0, np.minimum(np.abs(np.cos(first)), np.abs(np.cos(last))))
    with np.errstate(over="ignore", divide="ignore"):
        return 1 / np.min(np.sinh(nearest) ** 2 + cosine**2, axis=-1)


def _tangent_bounds(w, a, reach, sech, coefficients):
    """Bound the tangent functions by the amplitude, the bias and the weight on an ellipse: (m, 3, e)."""
    w, a = np.abs(w), np.abs(a)
    tanh = np.sqrt(1 + sech)
    with np.errstate(invalid="ignore"):
        slope, bend = 2 * w * tanh * sech, w**2 * sech * (4 + 6 * sech)
        orders = [
            (tanh, a * sech, a * reach * sech),
            (w * sech, a * slope, a * (sech + reach * slope)),
            (w * slope, a * bend, a * (2 * slope + reach * bend)),
        ]
        total = sum(c * np.stack(order, axis=1) for c, order in zip(coefficients, orders, strict=True) if c)
    return np.where(np.isnan(total), np.inf, total)


def _polynomial_errors(sizes, ellipses, degrees):
    """Bound the error of the best polynomial of a degree below d, on every ellipse: (m, 3, e) -> (m, 3, e, d)."""
    ellipses, sizes = ellipses[:, None, :, None], sizes[..., None]
    with np.errstate(invalid="ignore"):
        series = 2 * sizes * ellipses ** (1.0 - degrees) / (ellipses - 1)
    return np.where(degrees == 0, sizes, np.minimum(sizes, np.nan_to_num(series, nan=np.inf)))
