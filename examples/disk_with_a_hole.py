"""A domain that is no box: a membrane over a disk with a hole. The rim is held, the edge of the hole is free."""

import jax
import jax.numpy as jnp

import sketchlab as sl

jax.config.update("jax_enable_x64", True)

ring = sl.Difference(sl.Ball([0, 0], 1.0), sl.Ball([0, 0], 0.5))
rim, hole = ring.parts


def slope(u, x, normal):
    return sl.gradient(u)(x) @ normal


def exact(x):
    square = x[0] ** 2 + x[1] ** 2
    return (1 - square) / 4 + jnp.log(square) / 16


conditions = [
    sl.interior(lambda u, x: -sl.laplacian(u)(x) - 1.0),
    sl.Condition(lambda u, x: u(x), rim, weight=10.0),
    sl.Condition(slope, hole, weight=10.0),
]
problem = sl.Problem("membrane", ring, conditions, solution=exact, axes=["x", "y"])
run = sl.train(problem, sl.MLP(2, width=16), points=400, steps=60, progress=False)

print(f"relative error {run.history.relative_error[-1]:.1e} after {len(run.history)} steps")
assert run.history.relative_error[-1] < 1e-3
