"""Code that users write, residuals and solutions: traced once, and what is wrong with it said in the user's words.

Everything that goes wrong becomes an `InputError` that names the condition, the line, and what to write instead.
"""

import inspect
import re
import sysconfig
import traceback
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from sketchlab.validation import InputError

#: Code in these folders is not the user's.
LIBRARIES = (str(Path(__file__).parent), "<frozen", *(sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")))

#: What may become of an index on the way from Python to the entry that it stands for.
INDEX_STEPS = {
    "lt": np.less,
    "add": np.add,
    "select_n": lambda which, no, yes: np.where(which, yes, no),
    "convert_element_type": lambda index: index,
    "broadcast_in_dim": lambda index: index,
}
#: Equations of a jaxpr that do another computation once, with their own arguments.
CALLS = ("jit", "closed_call", "checkpoint", "custom_jvp_call", "custom_vjp_call")


class Ansatz:
    """The unknown function u that a residual gets: ``u(x)`` is its value at a point, (d,) -> () or (outputs,).

    A constant that is trained with the network is an attribute: ``u.diffusivity``.
    """

    def __init__(self, network, parameters):
        self._network, self._parameters = network, parameters

    def __call__(self, *points):
        """Evaluate u at one point."""
        if len(points) != 1:
            raise InputError(f"u takes one point, but gets {len(points)} arguments: write u(x), or u(jnp.stack([…])).")
        shape, expected = jnp.shape(points[0]), (self._network.dim,)
        if shape != expected:
            raise InputError(
                f"u takes a point of shape {expected}, but gets one of shape {shape}: write u(x) or u(jnp.stack([…]))."
            )
        return self._network.evaluate(self._parameters, jnp.asarray(points[0]))

    def __getattr__(self, name):
        constants = getattr(self._network, "constants", lambda parameters: {})(self._parameters)
        if name not in constants:
            known = f"it has the constants {', '.join(constants)}" if constants else "the network has no constants"
            raise AttributeError(f"u has no constant {name!r}: {known}.")
        return constants[name]


class Trace(NamedTuple):
    """A user's function at one point.

    Attributes
    ----------
    jaxpr : ClosedJaxpr
        What it computes.
    shape : tuple of int
        () or (m,)
    """

    jaxpr: ClosedJaxpr
    shape: tuple[int, ...]

    @property
    def fingerprint(self) -> tuple:
        """What tells it from another computation: its text, and whatever the text only refers to."""
        return str(self.jaxpr), *_referred(self.jaxpr)


def trace_residual(problem, index: int, network, dtype) -> Trace:
    """Trace the residual of a condition: (parameters as the network cuts them, x (d,)) -> () or (m,), of type `dtype`.

    Raises
    ------
    InputError
        If it cannot be computed, or does not return a real number or a vector of as many as there are unknowns or
        ``condition.equations`` says.
    """
    condition = problem.conditions[index]
    name = f"the residual on the {problem.names[index]} of {problem.name!r}"
    normal = problem.regions[index].normal if getattr(condition, "takes_normal", False) else None
    arguments = ("u", "x") if normal is None else ("u", "x", "normal")
    _check_arguments(name, condition.residual, arguments)

    def residual(parameters, x):
        return condition.residual(*(Ansatz(network, parameters), x, *(() if normal is None else [normal(x)])))

    theta, x = (jax.ShapeDtypeStruct((size,), dtype) for size in (network.size, network.dim))
    trace = _trace(name, residual, jax.eval_shape(network.unflatten, theta), x)
    _check_entries(name, trace.shape, problem.outputs, getattr(condition, "equations", None))
    return trace


def check_solution(problem) -> None:
    """Raise `InputError` unless ``problem.solution``, if there is one, is a function (d,) -> () or (outputs,)."""
    if problem.solution is None:
        return
    name = f"the solution of {problem.name!r}"
    _check_arguments(name, problem.solution, ("x",))
    x = jax.ShapeDtypeStruct((problem.dim,), jnp.result_type(float))
    shape = _trace(name, problem.solution, x).shape
    if problem.outputs == 1:
        _check_entries(name, shape, 1, None)
    elif shape != (problem.outputs,):
        raise InputError(
            f"{name} has shape {shape} at one point, the problem has {problem.outputs} unknowns: "
            f"return {problem.outputs} numbers, jnp.stack([…])."
        )


def explain(error: Exception) -> str:
    """Say what went wrong in a user's function, and what to write instead.

    Examples
    --------
    >>> from sketchlab.user_code import explain
    >>> explain(NameError("name 'k' is not defined"))
    "name 'k' is not defined: define it above, or correct its spelling."
    """
    line = line_of(error)
    words = (str(error).splitlines() or [""])[0].rstrip(".")
    if isinstance(error, InputError | AttributeError):
        return f"{words}."
    if isinstance(error, NameError):
        return f"{words}: define it above, or correct its spelling."
    if isinstance(error, jax.errors.TracerBoolConversionError):
        chosen = re.findall(r"(?<![\w.])(max|min)\(", line)
        write = [f"jnp.{name}imum in place of {name}" for name in dict.fromkeys(chosen)]
        write = write or ["jnp.where(condition, a, b) in place of if, a & b in place of a and b"]
        return f"Python cannot decide by traced values: write {', '.join(write)}."
    if isinstance(error, jax.errors.TracerArrayConversionError | jax.errors.ConcretizationTypeError):
        calls = dict.fromkeys(re.findall(r"\b(np|numpy|math|cmath)\.([a-z]\w*)\(", line))
        write = [f"jnp.{name} in place of {module}.{name}" for module, name in calls if hasattr(jnp, name)]
        if write or isinstance(error, jax.errors.TracerArrayConversionError):
            module = "math" if any(module.endswith("math") for module, _ in calls) else "NumPy"
            return f"{module} cannot compute with traced values: write {', '.join(write) or 'jnp in place of np'}."
        return "u and x have no values yet when this line is read: leave out float(…), int(…) and .item(), use jnp functions."
    if isinstance(error, TypeError) and re.search(r"\b(function|Ansatz)'", words):
        return (
            f"{words}: a function is no number before it gets a point: write u(x) for u, sl.laplacian(u)(x) for sl.laplacian(u)."
        )
    if isinstance(error, TypeError) and "Tracer' object is not callable" in words:
        return "a number is called like a function: write x[0] for an entry of x; a residual takes (u, x), in this order."
    return f"{type(error).__name__}: {words}."


def line_of(error: Exception) -> str:
    """Return the last line of the user's own that an exception passed, "line 3, `return u(x)`", or "" if there is none."""
    return _line(error.__traceback__)


def _line(frames):
    own = [frame for frame in traceback.extract_tb(frames) if not frame.filename.startswith(LIBRARIES)]
    if not own:
        return ""
    return f"line {own[-1].lineno}" + (f", `{own[-1].line}`" if own[-1].line else "")


def _trace(name, function, *arguments):
    def checked(*arguments):
        try:
            value = function(*arguments)
        except Exception as error:
            line = line_of(error)
            raise InputError(f"{name} failed{line and f' in {line}'}: {explain(error)}") from error
        # NumPy's numbers have 64 bits: with a theta of 32 the residual would have 64 too.
        return _as_real(name, value).astype(arguments[-1].dtype)

    jaxpr, value = jax.make_jaxpr(checked, return_shape=True)(*arguments)
    constants = zip(jaxpr.jaxpr.constvars, jaxpr.consts, strict=True)
    _check_indices(
        name, jaxpr.jaxpr, {variable: np.asarray(c) for variable, c in constants if not isinstance(c, jax.core.Tracer)}
    )
    return Trace(jaxpr, value.shape)


def _check_arguments(name, function, arguments):
    call = ", ".join(arguments)
    if not callable(function):
        raise InputError(f"{name} is {function!r}, not a function: write lambda {call}: ….")
    try:
        signature = inspect.signature(function)
    except ValueError:
        # Some functions of C have none.
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        hint = "; the coordinates of the point x are x[0], x[1], …" if len(signature.parameters) > len(arguments) else ""
        raise InputError(f"{name} takes {signature}, but is called with ({call}): write def f({call}){hint}.") from error


def _as_real(name, value):
    """Return what a user's function returned as an array of real numbers, or say what it is instead."""
    if value is None:
        raise InputError(f"{name} returns None: end it with return and what must vanish.")
    if isinstance(value, Ansatz):
        raise InputError(f"{name} returns the function u: write u(x).")
    if callable(value):
        raise InputError(f"{name} returns a function: give it the point, for example sl.laplacian(u)(x), not sl.laplacian(u).")
    if isinstance(value, list | tuple):
        raise InputError(f"{name} returns a {type(value).__name__}: write jnp.stack([…]).")
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} returns a {type(value).__name__}: return a number, or jnp.stack([…]) of several.") from error
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise InputError(f"{name} returns complex numbers: return real and imaginary part, jnp.stack([r.real, r.imag]).")
    if array.dtype == bool:
        raise InputError(f"{name} returns a truth value: write a - b in place of a == b.")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise InputError(f"{name} returns whole numbers ({array.dtype}), which have no derivative: write 1.0 in place of 1.")
    return array


def _check_entries(name, shape, outputs, equations):
    m = int(np.prod(shape))
    if len(shape) > 1:
        raise InputError(f"{name} has shape {shape} at one point: return a scalar, or a vector for several equations.")
    if equations is not None:
        if m != equations:
            raise InputError(
                f"{name} returns {_count(m, 'number')} at one point, but equations={equations}: correct one of them."
            )
    elif outputs == 1 and shape == (1,):
        raise InputError(f"{name} has shape (1,) at one point: return a scalar: write x[0] in place of x, or (…)[0].")
    elif m > outputs or m == 0:
        one = "write x[0], x[1], … in place of x" if outputs == 1 else "write u(x)[0], u(x)[1], … in place of u(x)"
        raise InputError(
            f"{name} returns {_count(m, 'number')} at one point, the problem has {_count(outputs, 'unknown')}: {one}, or, "
            f"if these are {m} equations, say so with equations={m}."
        )


def _count(n, noun):
    return f"{'one' if n == 1 else n} {noun}{'' if n == 1 else 's'}"


def _inner(equation):
    """List the computations that an equation of a jaxpr contains."""
    return [
        part
        for value in equation.params.values()
        for part in (value if isinstance(value, tuple | list) else [value])
        if isinstance(part, Jaxpr | ClosedJaxpr)
    ]


def _referred(closed):
    """Collect what the text of a jaxpr names but does not show: arrays that it closes over, and Python functions it calls back."""
    found = []
    for constant in getattr(closed, "consts", ()):
        if isinstance(constant, jax.core.Tracer):
            # Of a computation around this one: known by its identity alone.
            found.append(id(constant))
        else:
            array = np.asarray(constant)
            found.append((array.shape, str(array.dtype), array.tobytes()))
    for equation in getattr(closed, "jaxpr", closed).eqns:
        found += [value.callback_func for value in equation.params.values() if hasattr(value, "callback_func")]
        for part in _inner(equation):
            found += _referred(part)
    return found


def _check_indices(name, jaxpr, known):
    """Refuse indices of entries that do not exist: JAX takes the nearest that does, in silence.

    `known` has the values of those variables that do not depend on the arguments; returns those of the results, None where unknown.
    """

    def value(atom):
        return np.asarray(atom.val) if isinstance(atom, Literal) else known.get(atom)

    for equation in jaxpr.eqns:
        inputs = [value(atom) for atom in equation.invars]
        for axis, first, size in _entries(equation, inputs):
            length = equation.invars[0].aval.shape[axis]
            outside = np.ravel(first)[(np.ravel(first) < 0) | (np.ravel(first) > length - size)]
            if outside.size:
                # A negative index has had the length added.
                index = int(outside[0]) - (length if outside[0] < 0 else 0)
                traced = equation.source_info.traceback
                line = _line(traced.as_python_traceback()) if traced else ""
                raise InputError(
                    f"{name} reads or writes an entry that does not exist{line and f', in {line}'}: index {index} of an array "
                    f"with {length} {'entry' if length == 1 else 'entries'}; the first has index 0."
                )
        parts = _inner(equation)
        if equation.primitive.name in CALLS and len(parts) == 1:
            inner = getattr(parts[0], "jaxpr", parts[0])
            results = _check_indices(name, inner, dict(zip(inner.invars, inputs, strict=True)))
            known |= zip(equation.outvars, results, strict=True)
        else:
            for part in parts:
                _check_indices(name, getattr(part, "jaxpr", part), {})
        if equation.primitive.name in INDEX_STEPS and all(given is not None for given in inputs):
            known[equation.outvars[0]] = INDEX_STEPS[equation.primitive.name](*inputs)
    return [value(atom) for atom in jaxpr.outvars]


def _entries(equation, inputs):
    """List what an equation of a jaxpr picks by known indices from its first argument: (axis, first entries, how many each)."""
    name, parameters = equation.primitive.name, equation.params
    if name == "dynamic_slice":
        found = list(zip(range(len(inputs) - 1), inputs[1:], parameters["slice_sizes"], strict=True))
    elif name == "gather":
        axes = parameters["dimension_numbers"].start_index_map
        found = [(axes[0], inputs[1], parameters["slice_sizes"][axes[0]])] if len(axes) == 1 else []
    elif name.startswith("scatter"):
        numbers = parameters["dimension_numbers"]
        axes = numbers.scatter_dims_to_operand_dims
        found = [(axes[0], inputs[1], 1)] if len(axes) == 1 and axes[0] in numbers.inserted_window_dims else []
    else:
        found = []
    return [entry for entry in found if entry[1] is not None]
