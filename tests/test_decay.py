import jax
import mpmath
import numpy as np
import pytest

import sketchlab as sl
from sketchlab.decay import bernstein_parameter

OPERATORS = {"u": (1.0, 0.0, 0.0), "u'": (0.0, 1.0, 0.0), "-u''": (0.0, 0.0, -1.0), "all": (2.0, -1.0, 0.5)}


def random_network(seed):
    """Weights over two decades, steps inside and outside of an interval that is somewhere."""
    generator = np.random.default_rng(seed)
    width = int(generator.integers(1, 25))
    lower = generator.uniform(-4, 4)
    domain = sl.Box([lower], [lower + generator.uniform(0.2, 4)])
    weights = 10 ** generator.uniform(-1, 1.3, width) * generator.choice([-1, 1], width)
    biases = -weights * generator.uniform(lower - 2, lower + 4, width)
    amplitudes = generator.standard_normal(width) * 10 ** generator.uniform(-1, 1)
    return sl.MLP(1, width, 1), np.concatenate([weights, biases, amplitudes, [0.3]]), domain


def tangent_matrix(network, theta, x, coefficients):
    """Evaluate γ₀ φ + γ₁ φ' + γ₂ φ'' for every tangent function φ at points x, by formulas of its own: (n, P)."""
    w, b, a = (theta[i * network.width : (i + 1) * network.width] for i in range(3))
    z = x[:, None] * w + b
    t = np.tanh(z)
    s = 1 / np.cosh(z) ** 2
    first, second, third = w * s, -2 * w**2 * t * s, w**3 * s * (4 * t**2 - 2 * s)
    by_amplitude = [t, first, second]
    by_bias = [a * first / w, a * second / w, a * third / w]
    x = x[:, None]
    by_weight = [x * by_bias[0], by_bias[0] + x * by_bias[1], 2 * by_bias[1] + x * by_bias[2]]
    constant = [np.ones_like(x), np.zeros_like(x), np.zeros_like(x)]
    orders = [np.concatenate(parts, axis=1) for parts in zip(by_weight, by_bias, by_amplitude, constant, strict=True)]
    return sum(c * order for c, order in zip(coefficients, orders, strict=True))


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_bound_holds_on_fifty_random_networks(operator):
    coefficients = OPERATORS[operator]
    for seed in range(50):
        network, theta, domain = random_network(seed)
        n = 300
        x = np.random.default_rng(seed).uniform(domain.lower[0], domain.upper[0], n)
        matrix = tangent_matrix(network, theta, x, coefficients) * np.sqrt(domain.lengths[0] / n)
        measured = np.linalg.svd(matrix, compute_uv=False) ** 2
        bound = sl.decay_bound(network, theta, domain, count=len(measured), coefficients=coefficients)
        floor = (np.finfo(float).eps * len(measured)) ** 2 * measured[0]
        assert np.all(measured <= bound.eigenvalues + floor), seed
        assert np.all(measured <= bound.plain + floor), seed
        assert np.all(np.diff(bound.eigenvalues) <= 1e-9 * bound.eigenvalues[:-1]), seed


def test_the_bound_is_of_the_jacobian_that_the_package_computes():
    network, theta, domain = random_network(3)
    problem = sl.Problem("second", domain, [sl.interior(lambda u, x: -sl.laplacian(u)(x), weight=7.0)])
    matrix = np.asarray(sl.jacobian(problem, network, theta, points=50).dense())
    x = problem.sample(50, seed=0)[0][:, 0]
    expected = tangent_matrix(network, theta, x, (0.0, 0.0, -1.0)) * np.sqrt(7 * domain.lengths[0] / 50)
    np.testing.assert_allclose(
        np.linalg.svd(matrix, compute_uv=False)[:5], np.linalg.svd(expected, compute_uv=False)[:5], rtol=1e-9
    )
    weighted, plain = (
        sl.decay_bound(network, theta, domain, coefficients=(0.0, 0.0, -1.0), weight=weight).eigenvalues for weight in (7.0, 1.0)
    )
    np.testing.assert_allclose(weighted, 7 * plain)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_beyond_float64_the_bound_holds_at_120_digits(seed):
    generator = np.random.default_rng(seed)
    width, n = 7, 30
    network, domain = sl.MLP(1, width, 1), sl.Box([-1.0], [1.0])
    theta = np.concatenate(
        [generator.uniform(0.1, 0.5, width), generator.uniform(-1, 1, width), generator.standard_normal(width), [0]]
    )
    with mpmath.workdps(120):
        w, b, a = ([mpmath.mpf(float(v)) for v in theta[i * width : (i + 1) * width]] for i in range(3))
        gramian = mpmath.zeros(3 * width + 1)
        for x in (-1 + mpmath.mpf(2 * i + 1) / n for i in range(n)):
            t = [mpmath.tanh(w[j] * x + b[j]) for j in range(width)]
            steep = [a[j] * (1 - t[j] ** 2) for j in range(width)]
            row = mpmath.matrix([x * s for s in steep] + steep + t + [1])
            gramian += row * row.T * 2 / n
        exact = sorted((float(v) for v in mpmath.eigsy(gramian, eigvals_only=True)), reverse=True)
    bound = sl.decay_bound(network, theta, domain, count=len(exact))
    assert exact[-1] < 1e-32 * exact[0], "a case that float64 can judge needs no more digits"
    assert np.all(np.array(exact) > 0)
    assert np.all(exact <= bound.eigenvalues)
    assert np.all(exact <= bound.plain)


def test_one_steep_neuron_ruins_the_plain_bound_and_not_the_sharpened_one():
    network, domain = sl.MLP(1, 6, 1), sl.Box([0.0], [1.0])
    theta = np.random.default_rng(0).standard_normal(network.size)
    theta[0], theta[6] = 60.0, -30.0
    bound = sl.decay_bound(network, theta, domain, count=18)
    assert bound.plain[15] > 0.1 * bound.plain[0]
    assert bound.eigenvalues[15] < 1e-6 * bound.eigenvalues[0]
    assert bound.set_aside[15] >= 1
    assert np.argmin(bound.rho) == 0
    np.testing.assert_allclose(bound.poles[0], 0.5 + 0.5j * np.pi / 60)


def test_the_bernstein_parameter_of_known_points():
    rho = np.array([1.0, 1.5, 4.0])
    angles = np.array([0.3, 1.2, 2.8])
    zeta = rho * np.exp(1j * angles)
    np.testing.assert_allclose(bernstein_parameter((zeta + 1 / zeta) / 2), rho)
    np.testing.assert_allclose(bernstein_parameter([0.3, 1.25, -1.25, np.inf]), [1, 2, 2, np.inf])


def test_flat_neurons_and_a_point_far_away_are_no_trouble():
    network = sl.MLP(1, 3, 1)
    theta = np.array([0.0, 1e-9, 1.0, 0.5, 500.0, -800.0, 1.0, 2.0, 3.0, 0.0])
    bound = sl.decay_bound(network, theta, sl.Box([0.0], [1.0]), count=10)
    for values in (bound.eigenvalues, bound.plain):
        assert np.all(np.isfinite(values)) and np.all(values >= 0)


def test_the_plain_bound_is_the_formula_by_hand():
    # u = a tanh(w x) + c with one neuron and the amplitude's tangent alone in reach: a = 0 leaves tanh(w x) and the constant.
    w, count = 2.0, 8
    bound = sl.decay_bound(sl.MLP(1, 1, 1), np.array([w, 0.0, 0.0, 0.0]), sl.Box([-1.0], [1.0]), count=count)
    rho = np.linspace(1.0001, np.pi / 4 + np.sqrt(np.pi**2 / 16 + 1) - 1e-6, 20_000)
    # On the ellipse |Im z| <= y = w (ρ - 1/ρ) / 2, where |tanh|² <= 1 + 1 / cos² y.
    size = np.sqrt(1 + 1 / np.cos(w * (rho - 1 / rho) / 2) ** 2)
    degrees = np.arange(2, count)
    expected = [2 * np.min(np.minimum(size, 2 * size * rho ** (1.0 - d) / (rho - 1))) ** 2 for d in degrees]
    np.testing.assert_allclose(bound.plain[2:], expected, rtol=0.05)
    assert np.all(bound.plain[2:] >= np.array(expected) * (1 - 1e-6))


@pytest.mark.parametrize(
    "network, options, message",
    [
        (sl.MLP(1, 4, 2), {}, "depth = 2"),
        (sl.MLP(2, 4, 1), {}, "dim = 2"),
        (sl.MLP(1, 4, 1, 2), {}, "outputs = 2"),
        (sl.MLP(1, 4, 1, activation="sin"), {}, "activation = 'sin'"),
        (sl.MLP(1, 4, 1), {"domain": sl.Box([0, 0], [1, 1])}, "the domain has 2"),
        (sl.MLP(1, 4, 1), {"theta": np.ones(3)}, r"shape \(3,\) is not the 13 finite parameters"),
        (sl.MLP(1, 4, 1), {"theta": np.full(13, np.nan)}, "13 finite parameters"),
        (sl.MLP(1, 4, 1), {"count": 0}, "count = 0"),
        (sl.MLP(1, 4, 1), {"weight": 0.0}, "weight = 0.0"),
        (sl.MLP(1, 4, 1), {"coefficients": (1.0,)}, "not three numbers"),
        (sl.MLP(1, 4, 1), {"coefficients": "abc"}, "coefficients = 'abc' is not an array of real numbers"),
        (sl.MLP(1, 4, 1), {"domain": None}, "domain = None is no Box"),
    ],
)
def test_bad_input_is_named(network, options, message):
    options = {"domain": sl.Box([0.0], [1.0]), "theta": network.init(key=jax.random.key(0))} | options
    with pytest.raises(sl.InputError, match=message):
        sl.decay_bound(network, **options)
