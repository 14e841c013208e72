"""No equation: a smooth curve through noisy data, by a small weight on the second derivative."""

import jax
import numpy as np

import sketchlab as sl

jax.config.update("jax_enable_x64", True)


def truth(x):
    return np.sin(2 * np.pi * x) + x


sigma = 0.1
x = np.linspace(0, 1, 100)
noisy = truth(x) + sigma * np.random.default_rng(0).normal(size=100)

smooth = sl.interior(lambda u, x: sl.laplacian(u)(x), weight=1e-6)
problem = sl.Problem("curve", sl.Box(0, 1), [sl.data(x[:, None], noisy, sigma=sigma), smooth])
run = sl.train(problem, sl.MLP(1, width=16, depth=1), points=100, steps=60, progress=False)

error = np.sqrt(np.mean((run.solution(x[:, None]) - truth(x)) ** 2))
print(f"the noise has size {sigma}, the curve is wrong by {error:.3f}")
assert error < 0.5 * sigma
