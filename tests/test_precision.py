import re

import jax
import jax.numpy as jnp
import pytest

import sketchlab as sl
from sketchlab.networks import solve
from sketchlab.setup import Setup
from sketchlab.trainer import compiled_step

PROBLEM, NETWORK = sl.PROBLEMS["heat_1d"](), sl.MLP(2, 8)


def precisions(lowered):
    """Return the precision that every matrix product of a lowered function asks for."""
    products = [line for line in lowered.as_text().splitlines() if "dot_general" in line]
    return {re.findall(r"precision = \[(\w+), (\w+)\]", line)[0] for line in products}


@pytest.mark.parametrize("name", sl.OPTIMIZERS)
def test_a_step_in_float32_multiplies_in_full_precision(name):
    """A GPU would take TF32, which has three digits."""
    setup = Setup(PROBLEM, NETWORK, 60, dtype="float32")
    least_squares, theta, points = setup.least_squares, setup.theta(), setup.draw()
    optimizer = sl.OPTIMIZERS[name]()
    state = optimizer.init(least_squares, theta, points, key=setup.keys()[1])
    lowered = compiled_step(optimizer, least_squares, quick=True).lower(theta, state, points, jax.random.key(0), 0)
    assert precisions(lowered) == {("HIGHEST", "HIGHEST")}


def test_products_outside_of_a_step_are_in_full_precision_too():
    jacobian = sl.from_matrix(jnp.ones((6, 4), "float32"))
    for function, argument in ((jacobian.matmat, jnp.ones((4, 2), "float32")), (jacobian.rmatmat, jnp.ones((6, 2), "float32"))):
        assert precisions(jax.jit(function).lower(argument)) == {("HIGHEST", "HIGHEST")}
    x = jnp.ones((3, 2), "float32")
    assert precisions(solve(NETWORK).lower(NETWORK.init(key=jax.random.key(0), dtype="float32"), x)) == {("HIGHEST", "HIGHEST")}
