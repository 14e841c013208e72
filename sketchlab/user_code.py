"""Residuals and solutions are code of the user: they are traced once, and what is wrong is said in the user's words.

Every message is an `InputError` that names the function, the line, and what to write instead.
"""

import inspect
import math
import re
import sysconfig
import textwrap
import traceback
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from sketchlab.domains import carried
from sketchlab.precision import in_full_precision
from sketchlab.validation import InputError, takes

#: Where the lines of a traceback are that are not the user's.
LIBRARIES = (str(Path(__file__).parent), str(Path(jax.__file__).parents[1]), sysconfig.get_path("stdlib"), "<frozen")

#: What JAX may do with an index before it uses it, from the parameters of the equation and its inputs.
INDEX_STEPS = {
    "lt": lambda _, a, b: np.less(a, b),
    "add": lambda _, a, b: np.add(a, b),
    "select_n": lambda _, which, no, yes: np.where(which, yes, no),
    "convert_element_type": lambda _, index: index,
    "broadcast_in_dim": lambda to, index: np.broadcast_to(
        np.expand_dims(index, tuple(set(range(len(to["shape"]))) - set(to["broadcast_dimensions"]))), to["shape"]
    ),
    "reshape": lambda to, index: np.reshape(index, to["new_sizes"]),
    "concatenate": lambda to, *parts: np.concatenate(parts, to["dimension"]),
}
#: Equations of a jaxpr that do another jaxpr once, with their own arguments.
CALLS = ("jit", "closed_call", "checkpoint", "custom_jvp_call", "custom_vjp_call")


class Ansatz:
    """The unknown u in a residual: ``u(x)`` is its value at a point, ``u.diffusivity`` a constant of `WithConstants`."""

    def __init__(self, network, parameters):
        self._network, self._parameters = network, parameters

    def __call__(self, *points):
        """Evaluate u at one point: (d,) -> () or (outputs,)."""
        if len(points) != 1:
            raise InputError(f"u takes one point, not {len(points)} arguments: write u(x), or u(jnp.stack([…])).")
        shape, expected = jnp.shape(points[0]), (self._network.dim,)
        if shape != expected:
            raise InputError(f"u takes a point of shape {expected}, not {shape}: write u(x), or u(jnp.stack([…])).")
        return self._network.evaluate(self._parameters, jnp.asarray(points[0]))

    def __getattr__(self, name):
        constants = getattr(self._network, "constants", lambda parameters: {})(self._parameters)
        if name not in constants:
            raise AttributeError(f"u has no constant {name!r}; the network has these: {', '.join(constants) or 'none'}.")
        return constants[name]


def fingerprint(jaxpr: ClosedJaxpr) -> tuple:
    """Return what is equal for equal computations: the text of the jaxpr, and what the text does not show."""
    return str(jaxpr), *_referred(jaxpr)


def trace_residual(problem, index: int, network, dtype) -> ClosedJaxpr:
    """Trace the residual of a condition: (parameters as the network cuts them, x (d,)) -> () or (m,), of type `dtype`.

    Where its region's points carry numbers, these come behind the coordinates in x.

    Raises
    ------
    InputError
        If it cannot be computed, or returns anything but a real number, or a vector of at most ``problem.outputs`` of
        them, or of ``condition.equations``.
    """
    condition = problem.conditions[index]
    name = f"the residual on the {problem.names[index]} of {problem.name!r}"
    region, third = problem.regions[index], {}
    carries = carried(region)
    if carries:
        third = {"numbers": lambda row: row[network.dim :]}
    elif condition.takes_normal:
        third = {"normal": region.normal}

    def residual(parameters, row):
        x = row[: network.dim] if carries else row
        return condition.residual(Ansatz(network, parameters), x, *(of(row) for of in third.values()))

    _check_arguments(name, condition.residual, ("u", "x", *third))
    theta, x = (jax.ShapeDtypeStruct((size,), dtype) for size in (network.size, network.dim + carries))
    trace = _trace(name, residual, jax.eval_shape(network.unflatten, theta), x)
    _check_shape(name, trace.out_avals[0].shape, problem.outputs, condition.equations)
    return trace


def check_solution(problem) -> None:
    """Raise `InputError` unless ``problem.solution``, if there is one, is a function (d,) -> () or (outputs,)."""
    if problem.solution is None:
        return
    name = f"the solution of {problem.name!r}"
    _check_arguments(name, problem.solution, ("x",))
    x = jax.ShapeDtypeStruct((problem.dim,), jnp.result_type(float))
    shape = _trace(name, problem.solution, x).out_avals[0].shape
    expected = () if problem.outputs == 1 else (problem.outputs,)
    if shape != expected:
        write = "return jnp.stack([…])" if expected else "return a scalar: write x[0] in place of x, or (…)[0]"
        raise InputError(f"{name} has shape {shape} at one point, and not {expected}: {write}.")


def explain(error: Exception) -> str:
    """Say what went wrong inside a user's function, and what to write instead.

    Examples
    --------
    >>> from sketchlab.user_code import explain
    >>> explain(NameError("name 'k' is not defined"))
    "name 'k' is not defined: define it above, or correct its spelling."
    """
    line, words = line_of(error), (str(error).splitlines() or [""])[0].rstrip(".")
    match error:
        case InputError() | AttributeError():
            return f"{words}."
        case NameError():
            return f"{words}: define it above, or correct its spelling."
        case jax.errors.TracerBoolConversionError():
            calls = dict.fromkeys(re.findall(r"(?<![\w.])(max|min)\(", line))
            write = ", ".join(f"jnp.{name}imum in place of {name}" for name in calls)
            write = write or "jnp.where(condition, a, b) in place of if, a & b in place of a and b"
            return f"Python cannot decide by traced values: write {write}."
        case jax.errors.TracerArrayConversionError() | jax.errors.ConcretizationTypeError():
            calls = dict.fromkeys(re.findall(r"\b((?:np|numpy|math)\.([a-z]\w*))\(", line))
            write = ", ".join(f"jnp.{name} in place of {call}" for call, name in calls if hasattr(jnp, name))
            if write or isinstance(error, jax.errors.TracerArrayConversionError):
                return f"NumPy and math cannot compute with traced values: write {write or 'jnp in place of np'}."
            return "u and x have no values yet when this line is read: write no float(…), int(…) or .item() around them."
        case TypeError() if re.search(r"\b(function|Ansatz)'", words):
            return "a function has no value without a point: write u(x) for u, sl.laplacian(u)(x) for sl.laplacian(u)."
        case TypeError() if "Tracer' object is not callable" in words:
            return "a number is called like a function: write x[0] for an entry; a residual takes (u, x), in this order."
    return f"{type(error).__name__}: {words}."


def line_of(error: Exception) -> str:
    """Return the last line of the user's own that an exception went through: "line 3, `return u(x)`", or ""."""
    return _line(error.__traceback__)


def _line(frames):
    own = [frame for frame in traceback.extract_tb(frames) if not frame.filename.startswith(LIBRARIES)]
    return f"line {own[-1].lineno}, `{textwrap.shorten(own[-1].line or '', 80, placeholder=' …')}`" if own else ""


def _trace(name, function, *arguments):
    @in_full_precision
    def checked(*arguments):
        try:
            value = function(*arguments)
        except Exception as error:
            line = line_of(error)
            raise InputError(f"{name} failed{line and f' in {line}'}: {explain(error)}") from error
        # NumPy's numbers have 64 bits, whatever type x has.
        return _as_real(name, value).astype(arguments[-1].dtype)

    traced = jax.make_jaxpr(checked)(*arguments)
    # Arrays of NumPy are copied, since their owner may change them.
    constants = [c if isinstance(c, jax.Array) else np.array(c) for c in traced.consts]
    known = {v: c for v, c in zip(traced.jaxpr.constvars, constants, strict=True) if not isinstance(c, Tracer)}
    _check_indices(name, traced.jaxpr, known)
    return ClosedJaxpr(traced.jaxpr, constants)


def _check_arguments(name, function, arguments):
    if not takes(function, len(arguments)):
        call = ", ".join(arguments)
        raise InputError(
            f"{name} takes {inspect.signature(function)}, but is called with ({call}): write def f({call}), or lambda {call}: …; "
            "the coordinates of x are x[0], x[1], …"
        )


def _as_real(name, value):
    returned, several = f"{name} returns", "jnp.stack([…])"
    if value is None:
        raise InputError(f"{returned} None: end it with return and the value.")
    if callable(value):
        raise InputError(f"{returned} a function: write u(x) for u, sl.laplacian(u)(x) for sl.laplacian(u).")
    if isinstance(value, list | tuple):
        raise InputError(f"{returned} a {type(value).__name__}: write {several}.")
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{returned} a {type(value).__name__}: return a number, or {several} of several.") from error
    if jnp.iscomplexobj(array):
        raise InputError(f"{returned} complex numbers: return real and imaginary part, jnp.stack([r.real, r.imag]).")
    if array.dtype == bool:
        raise InputError(f"{returned} a truth value: write a - b in place of a == b.")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise InputError(f"{returned} whole numbers ({array.dtype}): write 1.0 in place of 1.")
    return array


def _check_shape(name, shape, outputs, equations):
    m = math.prod(shape)
    if len(shape) > 1 or m == 0:
        raise InputError(f"{name} has shape {shape} at one point: return a scalar, or a vector for several equations.")
    if equations is not None and m != equations:
        raise InputError(f"{name} has shape {shape} at one point, but equations={equations}: one of the two is wrong.")
    if equations is None and outputs == 1 and shape == (1,):
        raise InputError(f"{name} has shape (1,) at one point: return a scalar: write x[0] in place of x, or (…)[0].")
    if equations is None and m > outputs:
        unknowns = "one unknown" if outputs == 1 else f"{outputs} unknowns"
        raise InputError(
            f"{name} returns {m} numbers at one point, the problem has {unknowns}: write x[0], x[1], … in place of x, or, "
            f"if these are {m} equations, say so with equations={m}."
        )


def _inner(equation):
    """List the jaxprs in an equation of a jaxpr."""
    values = [value if isinstance(value, tuple | list) else [value] for value in equation.params.values()]
    return [part for parts in values for part in parts if isinstance(part, Jaxpr | ClosedJaxpr)]


def _referred(jaxpr):
    """List what the text of a jaxpr does not show: the arrays that it closes over, and Python functions that it calls."""
    found = []
    for value in getattr(jaxpr, "consts", ()):
        # A tracer belongs to a computation around this one, and has no value yet.
        traced = isinstance(value, Tracer)
        found.append(id(value) if traced else (str(value.dtype), value.shape, np.asarray(value).tobytes()))
    for equation in jaxpr.eqns:
        found += [value.callback_func for value in equation.params.values() if hasattr(value, "callback_func")]
        found += [item for part in _inner(equation) for item in _referred(part)]
    return found


def _check_indices(name, jaxpr, known):
    """Refuse an index of an entry that does not exist: JAX takes the nearest that does, in silence.

    `known` has the variables whose values do not depend on the arguments. Returns the results, None where unknown.
    """

    def value(atom):
        return np.asarray(atom.val) if isinstance(atom, Literal) else known.get(atom)

    for equation in jaxpr.eqns:
        primitive, inputs, parts = equation.primitive.name, [value(atom) for atom in equation.invars], _inner(equation)
        for axis, indices, size in _picked(primitive, equation.params, inputs):
            length = equation.invars[0].aval.shape[axis]
            for index in np.ravel(indices):
                if not 0 <= index <= length - size:
                    frames = equation.source_info.traceback
                    line = _line(frames.as_python_traceback()) if frames else ""
                    raise InputError(
                        f"{name} reads or writes an entry that does not exist{line and f' in {line}'}: index "
                        f"{index if index >= 0 else index - length} of an array with {length} "
                        f"{'entry' if length == 1 else 'entries'}; the first has index 0."
                    )
        if primitive in INDEX_STEPS and all(given is not None for given in inputs):
            # Large arrays of other numbers are no indices.
            if not jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.inexact):
                known[equation.outvars[0]] = INDEX_STEPS[primitive](equation.params, *inputs)
        for part in (getattr(part, "jaxpr", part) for part in parts):
            called = primitive in CALLS and len(part.invars) == len(inputs)
            results = _check_indices(name, part, dict(zip(part.invars, inputs, strict=True)) if called else {})
            known |= zip(equation.outvars, results, strict=True) if called else {}
    return [value(atom) for atom in jaxpr.outvars]


def _picked(primitive, parameters, inputs):
    """List what an equation picks from its first argument by known indices: axis, first entries, number of entries."""
    numbers = parameters.get("dimension_numbers")
    if primitive == "dynamic_slice":
        found = zip(range(len(inputs) - 1), inputs[1:], parameters["slice_sizes"], strict=True)
        return [entry for entry in found if entry[1] is not None]
    if not (primitive == "gather" or primitive.startswith("scatter")) or inputs[1] is None:
        return []
    # Each row of the indices names one entry along several axes.
    columns = np.moveaxis(inputs[1], -1, 0)
    if primitive == "gather":
        return [
            (axis, column, parameters["slice_sizes"][axis]) for axis, column in zip(numbers.start_index_map, columns, strict=True)
        ]
    # Entries along these axes one by one, not several at once.
    axes = zip(numbers.scatter_dims_to_operand_dims, columns, strict=True)
    return [(axis, column, 1) for axis, column in axes if axis in numbers.inserted_window_dims]
