"""A parameter study: each run starts from the solution before it, so that a large parameter is reached in small steps."""

import jax
import jax.numpy as jnp

import sketchlab as sl

jax.config.update("jax_enable_x64", True)


def bratu(strength):
    """u″ + λ eᵘ = 0 between two zeros: heat that feeds itself. Above λ = 3.51 there is no solution."""
    inside = sl.interior(lambda u, x: sl.laplacian(u)(x) + strength * jnp.exp(u(x)))
    return sl.Problem("bratu", sl.Box(0, 1), [inside, sl.boundary(lambda u, x: u(x), weight=10.0)])


network, theta, heights = sl.MLP(1, width=12), None, {}
for strength in (0.5, 1.0, 2.0, 3.0, 3.5):
    run = sl.train(bratu(strength), network, sl.natural_gradient(), points=60, steps=40, theta=theta, progress=False)
    theta = run.theta
    heights[strength] = float(run.solution([[0.5]])[0])
    print(f"λ = {strength}: height {heights[strength]:.4f}, loss {run.history.loss[-1]:.0e}")

# Known: the height at λ = 1 is 0.1405.
assert abs(heights[1.0] - 0.1405) < 1e-3 and heights[3.5] > 1.0
