"""A system without a known solution: two species that react and spread. Independent runs tell how far it can be trusted."""

import jax
import jax.numpy as jnp

import sketchlab as sl

jax.config.update("jax_enable_x64", True)


def balance(w, x):
    u, v = w(x)
    spread = jnp.array([0.1, 0.05]) * sl.laplacian(w, axes=[0])(x)
    return sl.partial(w, 1)(x) - spread - jnp.stack([u - u * v, u * v - v])


def start(w, x):
    return w(x) - jnp.stack([1 + 0.5 * jnp.cos(jnp.pi * x[0]), 0.5 - 0.2 * jnp.cos(jnp.pi * x[0])])


def closed(w, x):
    return sl.partial(w, 0)(x)


ends = [sl.face(axis=0, side=side, residual=closed, weight=10.0) for side in ("lower", "upper")]
conditions = [sl.interior(balance), *ends, sl.face(axis=1, side="lower", residual=start, weight=10.0)]
problem = sl.Problem("two species", sl.Box([0, 0], [1, 2]), conditions, outputs=2, axes=["x", "t"])
run = sl.train(problem, sl.MLP(2, width=12, outputs=2), points=400, steps=60, progress=False)

found = sl.verify(run)
print(found)
assert found.trusted and found.error < 1e-2
