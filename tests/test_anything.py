"""Whatever is handed to a public function: a result, or a sentence of the package. Never a traceback from inside JAX or NumPy."""

import inspect
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sketchlab as sl

POISSON, NETWORK = sl.PROBLEMS["poisson_1d"](), sl.MLP(1, 4, 1)
RUN = sl.load(Path(__file__).parent / "data" / "run-0.1.0-poisson_1d.npz")
#: What fits where an argument has this name.
FITTING = {
    "problem": POISSON,
    "network": NETWORK,
    "theta": NETWORK.init(key=jax.random.key(0)),
    "run": RUN,
    "points": 20,
    "steps": 1,
    "progress": False,
    "key": jax.random.key(0),
    "seed": 0,
    "rank": 2,
    "optimizer": sl.adam(),
    "spectrum": sl.spectrum(POISSON, NETWORK, points=20),
    "jacobian": sl.from_matrix(np.eye(4)),
}
#: Always given, for by default they would train for long, or print.
BRIEF = ("steps", "points", "progress")
ODD = [
    *(None, True, 0, 1, -1, 2, 3, 7, 10**9, -(10**9), 10**400, 0.5, -0.5, 1e-320, 1e300, np.nan, np.inf, 1j),
    *("", "text", "float32", "float16", "poisson_1d", b"x", [], [1], [1.0, 2.0], [[1, 2], [3]], (0, 1), {}, {"a": 1}),
    *(np.zeros(0), np.zeros((0, 1)), np.ones(3), np.ones((3, 1)), np.ones((2, 3)), np.eye(3), np.ones((2, 2, 2))),
    *(np.array([np.nan, 1.0]), np.array(["a"]), np.array([1 + 2j]), np.ones(3, int), np.array(None), np.float32(2), np.int64(3)),
    *(jnp.ones(3), jnp.eye(3), jnp.ones((3, 1), jnp.float32), object(), range(3), slice(None), len, int),
    *(lambda x: x, lambda u, x: u(x), lambda: 1, lambda *given: 1 / 0, Path("/nonexistent/x")),
    *(sl.Box(0, 1), sl.Box([0, 0], [1, 1]), sl.interior(lambda u, x: u(x)), sl.damping_path(), sl.redraw(period=2)),
    *(sl.sketched_natural_gradient(3), sl.LeastSquares(POISSON, NETWORK)),
    *FITTING.values(),
]
#: Exceptions are made by the package, protocols by nobody.
CALLED = [
    name
    for name in sl.__all__
    if callable(made := getattr(sl, name))
    and not (isinstance(made, type) and (issubclass(made, BaseException) or getattr(made, "_is_protocol", False)))
]


@st.composite
def calls(draw, function):
    """Draw arguments: of those that must be given half fit; of the others few are given."""
    by_place, by_name = [], {}
    for parameter in inspect.signature(function).parameters.values():
        odd, name = st.sampled_from(ODD), parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.default is parameter.empty:
            value = draw(st.just(FITTING[name]) | odd if name in FITTING else odd)
        elif draw(st.integers(0, 3)) == 0:
            value = draw(odd)
        elif name in BRIEF:
            value = FITTING[name]
        else:
            continue
        if parameter.kind == parameter.KEYWORD_ONLY or parameter.default is not parameter.empty:
            by_name[name] = value
        else:
            by_place.append(value)
    return by_place, by_name


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CALLED)
def test_a_call_returns_or_says_in_words_what_is_wrong(name, tmp_path, monkeypatch):
    # Names of files are among what is handed over.
    monkeypatch.chdir(tmp_path)
    function = getattr(sl, name)

    # Always the same calls: one that fails is found again.
    @settings(max_examples=15, deadline=None, derandomize=True, database=None)
    @given(calls(function))
    def call(arguments):
        by_place, by_name = arguments
        try:
            function(*by_place, **by_name)
        except sl.InputError as error:
            assert str(error)

    call()


def test_the_calls_are_there():
    assert len(CALLED) > 60 and len(ODD) > 70
