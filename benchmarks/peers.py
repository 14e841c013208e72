"""randngd 0.1.1 (Bioli, Marcati, Sangalli, arXiv 2505.11638) on our problems, points, networks and first parameters."""

import time

import jax
import jax.numpy as jnp
import numpy as np

import sketchlab as sl

#: Each with Levenberg-Marquardt damping: all of G by Cholesky, and conjugate gradients with a randomly pivoted Cholesky
#: preconditioner.
PEERS = ("randngd full", "randngd rpchol")


def run_peer(name: str, problem, network, points, seed: int, seconds: float, tolerance: float) -> dict:
    """Minimise the same loss; return seconds and relative errors after every trial of its line search."""
    import randngd

    trainer = sl.Trainer(problem, network, sl.adam(), points=points, seed=seed)
    least_squares, theta, error = trainer.least_squares, trainer.theta, lambda theta: trainer.errors(theta)[0]
    terms = [(_unscaled(network, row, len(x)), x, 1 / len(x)) for row, x in least_squares.scaled_rows(trainer.points)]
    damping = randngd.LevenbergMarquardt()
    if name == "randngd full":
        metric = randngd.metrics.gauss_newton(terms, theta, representation="full")
        preconditioner = randngd.NGDFull(metric, damping=damping)
    else:
        metric = randngd.metrics.gauss_newton(terms, theta, representation="jacobians")
        preconditioner = randngd.RPCholNGD(
            metric, ell_max=min(500, network.size // 40 * 20), damping=damping, key=jax.random.key(seed)
        )
    solver = randngd.ngd_solver(preconditioner)

    def loss(t, _):
        return least_squares.loss(t, trainer.points), None

    shape = jax.ShapeDtypeStruct((), theta.dtype)
    state = solver.init(loss, theta, None, {}, shape, None, frozenset())
    step = jax.jit(lambda t, s: solver.step(loss, t, None, {}, s, frozenset()))
    step = step.lower(theta, state).compile()
    clock, errors, spent = [], [], 0.0
    while spent < seconds:
        start = time.perf_counter()
        theta, state, _ = jax.block_until_ready(step(theta, state))
        spent += time.perf_counter() - start
        clock.append(spent)
        errors.append(float(error(theta)))
        if errors[-1] <= tolerance or not jnp.isfinite(errors[-1]):
            break
    return {"seconds": np.array(clock), "errors": np.array(errors)}


def _unscaled(network, row, count):
    """Undo the 1/√n in our rows: randngd's metric brings its own 1/n, and takes theta whole."""
    return lambda theta, x: row(network.unflatten(theta), x)[0] * count**0.5
