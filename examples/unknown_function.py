"""An unknown function: the conductivity k(x) in -(k u')' = 1, from noisy measurements of u.

A second output of the network is the logarithm of k, so that k stays above 0. Where u' is small the data say little about k: a
condition of small weight asks that the logarithm is smooth.
"""

import jax
import jax.numpy as jnp
import numpy as np

import sketchlab as sl

jax.config.update("jax_enable_x64", True)

# Measurements: the solution for k = 1 + x/2, and noise.
x, sigma = np.linspace(0.02, 0.98, 49), 5e-4
u = 2 * np.log(1 + x / 2) / np.log(1.5) - 2 * x + sigma * np.random.default_rng(0).normal(size=49)


def balance(w, x):
    def flux(y):
        return -jnp.exp(w(y)[1]) * sl.partial(w, 0)(y)[0]

    return sl.partial(flux, 0)(x) - 1.0


conditions = [
    sl.interior(balance),
    sl.interior(lambda w, x: sl.laplacian(w)(x)[1], weight=1e-4),
    sl.data(x[:, None], u, sigma=sigma, residual=lambda w, x: w(x)[0], weight=10.0),
    sl.boundary(lambda w, x: w(x)[0], weight=10.0),
]
problem = sl.Problem("unknown conductivity", sl.Box(0, 1), conditions, outputs=2)
run = sl.train(problem, sl.MLP(1, width=12, depth=1, outputs=2), points=100, steps=80, progress=False)

k, true_k = np.exp(run.solution(x[:, None])[:, 1]), 1 + x / 2
print(f"k(x) rises from {k[0]:.2f} to {k[-1]:.2f}; it is wrong by {100 * np.max(np.abs(k / true_k - 1)):.1f} % at most")
assert np.max(np.abs(k / true_k - 1)) < 0.05
