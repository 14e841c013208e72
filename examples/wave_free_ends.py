"""A wave between free ends: the slope is zero at both, so a residual takes the normal as its third argument."""

import jax
import jax.numpy as jnp

import sketchlab as sl

jax.config.update("jax_enable_x64", True)


def exact(x):
    return jnp.cos(jnp.pi * x[0]) * jnp.cos(jnp.pi * x[1])


def wave(u, x):
    return sl.partial(sl.partial(u, 1), 1)(x) - sl.laplacian(u, axes=[0])(x)


def slope(u, x, normal):
    return sl.gradient(u)(x) @ normal


def begin(u, x):
    return jnp.stack([u(x) - exact(x), sl.partial(u, 1)(x)])


ends = [sl.face(axis=0, side=side, residual=slope, weight=10.0) for side in ("lower", "upper")]
start = sl.face(axis=1, side="lower", residual=begin, weight=10.0, equations=2)
problem = sl.Problem("wave", sl.Box([0, 0], [1, 1]), [sl.interior(wave), *ends, start], solution=exact, axes=["x", "t"])
run = sl.train(problem, sl.MLP(2, width=16), points=400, steps=60, progress=False)

print(f"relative error {run.history.relative_error[-1]:.1e} after {len(run.history)} steps")
assert run.history.relative_error[-1] < 1e-3
