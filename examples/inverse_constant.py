"""An unknown constant with its interval: the diffusivity of a rod from a table of thermometer readings.

u_t = k u_xx, the ends are held at 0, and nobody knows the first temperature. The readings were made with k = 0.25.
"""

import jax
import numpy as np

import sketchlab as sl

jax.config.update("jax_enable_x64", True)

# Time, then the readings at x = 0.2, 0.4, 0.6, 0.8; np.loadtxt("readings.csv", delimiter=",") in practice.
table = np.array([
    [0.1, 0.460, 0.748, 0.738, 0.463],
    [0.3, 0.290, 0.458, 0.469, 0.272],
    [0.5, 0.172, 0.270, 0.269, 0.169],
    [0.7, 0.107, 0.173, 0.174, 0.127],
    [0.9, 0.072, 0.087, 0.105, 0.058],
    [1.2, 0.025, 0.062, 0.047, 0.011],
])  # fmt: skip
times, readings = table[:, 0], table[:, 1:]
points = np.stack(np.broadcast_arrays([0.2, 0.4, 0.6, 0.8], times[:, None]), axis=-1).reshape(-1, 2)


def heat(u, x):
    return sl.partial(u, 1)(x) - u.diffusivity * sl.laplacian(u, axes=[0])(x)


ends = [sl.face(axis=0, side=side, residual=lambda u, x: u(x), weight=10.0) for side in ("lower", "upper")]
data = sl.data(points, readings.ravel(), sigma=0.01)
problem = sl.Problem("rod", sl.Box([0, 0], [1, 1.2]), [sl.interior(heat), data, *ends], axes=["x", "t"])
network = sl.WithConstants(sl.MLP(2, width=12, depth=1), positive=["diffusivity"], diffusivity=1.0)
run = sl.train(problem, network, points=300, steps=150, progress=False)

found = sl.standard_errors(run)
low, high = found.intervals["diffusivity"]
print(f"diffusivity {run.constants['diffusivity']:.3f}, with 95 % certainty from {low:.3f} to {high:.3f}")
assert low < 0.25 < high and high - low < 0.04
