"""Wrong answers to the exercises of notebook 01."""

import jax
import jax.numpy as jnp
import numpy as np

import sketchlab as sl


def _stacked(residuals, factors):
    return np.concatenate([factor * np.asarray(r) for factor, r in zip(factors, residuals, strict=True)])


def _half_square(residuals, factors):
    return np.sum(_stacked(residuals, factors) ** 2) / 2


def _each(residuals, weights, measures):
    return [(np.asarray(r), w, m) for r, w, m in zip(residuals, weights, measures, strict=True)]


def only_for_one_step(eigenvalues, steps):
    """Right for one step, and for none."""
    return np.ones_like(eigenvalues) if steps == 0 else 1 - eigenvalues / eigenvalues[0]


def by_hessian(u, x):
    """The right terms by another way, but a coordinate that is an array."""
    return -jax.hessian(u)(x)[0, 0] + u(x) - x


WRONG = {
    "check_01_residual": [
        (lambda u, x: sl.laplacian(u)(x) + u(x) - x[0], "Compare the sign of u″"),
        (lambda u, x: -sl.laplacian(u)(x) - x[0], "is not the only one with u"),
        (lambda u, x: -sl.laplacian(u)(x) + u(x), "bring everything to one side"),
        (lambda u, x: -sl.laplacian(u)(x) + u(x) + x[0], "right-hand side has the wrong sign"),
        (lambda u, x: sl.laplacian(u)(x) - u(x) + x[0], "all signs are turned round"),
        (lambda u, x: (-sl.laplacian(u)(x) + u(x) - x[0]) ** 2, "Squares come later"),
        (by_hessian, "which entry is the coordinate"),
        (lambda u, x: -sl.partial(u, 0)(x) + u(x) - x[0], "differs from −u″ + u − x"),
        (lambda u, x: jnp.abs(-sl.laplacian(u)(x) + u(x) - x[0]) + 1e-3, "Write the three terms one by one"),
    ],
    "check_01_loss": [
        (lambda r, w, m: 2 * _half_square(r, [(a * b / len(c)) ** 0.5 for c, a, b in _each(r, w, m)]), "the factor ½"),
        (
            lambda r, w, m: np.linalg.norm(_stacked(r, [(a * b / len(c)) ** 0.5 for c, a, b in _each(r, w, m)])),
            "half the square of it",
        ),
        (lambda r, w, m: _half_square(r, [(a * b) ** 0.5 for _, a, b in _each(r, w, m)]), "more points make no larger loss"),
        (
            lambda r, w, m: _half_square(r, [(a * b / sum(map(len, r))) ** 0.5 for _, a, b in _each(r, w, m)]),
            "of condition c alone",
        ),
        (lambda r, w, m: _half_square(r, [a * b / len(c) for c, a, b in _each(r, w, m)]), "squared once too often"),
        (lambda r, w, m: sum(np.sum(np.sqrt(a * b / len(c)) * c**2) for c, a, b in _each(r, w, m)) / 2, "Scale a row first"),
        (lambda r, w, m: sum(a * np.mean(c**2) for c, a, _ in _each(r, w, m)) / 2, "the measures are missing"),
        (lambda r, w, m: sum(b * np.mean(c**2) for c, _, b in _each(r, w, m)) / 2, "the weights are missing"),
        (lambda r, w, m: sum(a * b * np.mean(c) ** 2 for c, a, b in _each(r, w, m)) / 2, "square first"),
        (lambda r, w, m: sum(a * b * np.mean(np.abs(c)) for c, a, b in _each(r, w, m)) / 2, "sum of squares"),
        (lambda r, w, m: w[0] * m[0] * np.mean(r[0] ** 2) / 2, "your loss differs"),
    ],
    "check_01_left_over": [
        (lambda values, n: (values / values[0]) ** n, "what does it leave"),
        (lambda values, n: (1 - values) ** n, "not divided by λ₁"),
        (lambda values, n: (1 - values / values[-1]) ** n, "Which one is λ₁"),
        (lambda values, n: (1 - values / np.sum(values)) ** n, "the sum of all"),
        (lambda values, n: (1 + values / values[0]) ** n, "mind the sign"),
        (lambda values, n: (1 - values / values[0]) ** (2 * n), "left of the loss"),
        (lambda values, n: 1 - n * values / values[0], "not of what was there at first"),
        (lambda values, n: 1 - (1 - values / values[0]) ** n, "Asked is the part that is left"),
        (lambda values, n: np.exp(-n * values / values[0]), "done after one step"),
        (only_for_one_step, "multiplies by the factor again"),
        (lambda values, n: (1 - np.sqrt(values / values[0])) ** n, "the factors differ"),
    ],
}
