"""A long time interval: over the whole of it a network finds a wrong answer with a small loss, slab by slab the right one."""

import jax

import sketchlab as sl

jax.config.update("jax_enable_x64", True)

problem = sl.PROBLEMS["transport_1d"](speed=15.0)
network = sl.Periodic(sl.MLP(3, width=12), periods=(1.0, None))
optimizer = sl.sketched_natural_gradient(80)

whole = sl.train(problem, network, optimizer, points=400, steps=60, progress=False)
print(f"whole: loss {whole.history.loss[-1]:.0e}, error {whole.history.relative_error[-1]:.0e}")
slabs = sl.march(problem, network, optimizer, slabs=15, points=400, steps=40, progress=False)
print(f"slabs: loss {slabs.history.loss[-1]:.0e}, error {sl.relative_error(slabs):.0e}")
assert sl.relative_error(slabs) < 1e-2 < whole.history.relative_error[-1]
