"""A network of another library: an MLP of Equinox, trained by the natural gradient (pip install equinox)."""

import equinox as eqx
import jax

import sketchlab as sl

jax.config.update("jax_enable_x64", True)


def make(key):
    return eqx.nn.MLP(in_size=2, out_size="scalar", width_size=12, depth=2, activation=jax.nn.tanh, key=key)


# What is not an array, as the activation, stays outside of the parameters.
_, rest = eqx.partition(make(jax.random.key(0)), eqx.is_inexact_array)


def init(key):
    return eqx.filter(make(key), eqx.is_inexact_array)


def apply(arrays, x):
    return eqx.combine(arrays, rest)(x)


network = sl.from_pytree(init, apply, dim=2)
run = sl.train(sl.PROBLEMS["heat_1d"](), network, points=300, steps=60, progress=False)

print(f"relative error {run.history.relative_error[-1]:.1e} with {network.size} parameters")
assert run.history.relative_error[-1] < 1e-3
