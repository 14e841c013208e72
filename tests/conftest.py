"""Set-up that every test shares: 64-bit numbers, no display, no figure left behind, and one small least-squares problem."""

import os

import jax
import matplotlib

matplotlib.use("Agg")
jax.config.update("jax_enable_x64", True)
# The command line keeps compiled functions in the user's folder: tests leave that alone.
os.environ.setdefault("SKETCHLAB_CACHE", "off")

import matplotlib.pyplot as plt
import pytest

import sketchlab as sl


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(autouse=True)
def strict_promotion():
    """Refuse to mix dtypes or ranks unseen. Modules that test what runs in notebooks override this."""
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


@pytest.fixture(scope="session")
def problem():
    return sl.PROBLEMS["poisson_2d"]()


@pytest.fixture(scope="session")
def network():
    return sl.MLP(dim=2, width=8, depth=2)


@pytest.fixture(scope="session")
def least_squares(problem, network):
    return sl.LeastSquares(problem, network)


@pytest.fixture(scope="session")
def theta(network):
    return network.init(key=jax.random.key(0))


@pytest.fixture(scope="session")
def points(problem):
    return tuple(jax.numpy.asarray(x) for x in problem.sample(60, seed=0))
