"""Input validation: every error names the argument, the value it got and what is allowed.

Helpers raise `ValueError` for a value that is not allowed and `TypeError` for a wrong type.
"""

import difflib
import operator
import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 60


def _short(value: object) -> str:
    """One-line representation of `value`, about 60 characters long at most."""
    return " ".join(_repr.repr(value).split())


def _at(index: np.ndarray | tuple[int, ...]) -> str:
    """Subscript text such as `[2, 0]`; empty for a 0-d array."""
    return f"[{', '.join(str(int(i)) for i in index)}]" if len(index) else ""


def real_array(name: str, value: ArrayLike, *, dtype: DTypeLike | None = None) -> np.ndarray:
    """Convert `value` to an array of real floating-point numbers; NaN and infinity are allowed.

    Args:
        name: Argument name for the message.
        value: Array-like of integers or floats.
        dtype: Result type. By default a floating type is kept and integers become float64.

    Returns:
        The array; it may share memory with `value`.

    Raises:
        TypeError: If the elements are complex, bool, text or objects, or do not fit in kind into `dtype`.
        ValueError: If the rows have different lengths.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array of numbers, got {_short(value)}") from error
    if array.dtype.kind not in "iuf":
        raise TypeError(
            f"{name} must hold real numbers (integers or floats), got {_short(value)} of dtype {array.dtype}"
        )
    if dtype is None:
        dtype = array.dtype if array.dtype.kind == "f" else np.float64
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        raise TypeError(f"{name} must be of dtype {np.dtype(dtype)}, got {array.dtype}")
    with np.errstate(over="ignore"):  # an overflow shows as an infinity, which finite_array reports
        return array.astype(dtype, copy=False)


def finite_array(
    name: str,
    value: ArrayLike,
    *,
    ndim: int | tuple[int, ...] | None = None,
    shape: tuple[int | None, ...] | None = None,
    dtype: DTypeLike | None = None,
) -> np.ndarray:
    """Convert `value` to a non-empty array of finite real numbers.

    Args:
        name: Argument name for the message.
        value: Array-like of integers or floats.
        ndim: Allowed number of dimensions, or several of them.
        shape: Required shape; `None` stands for any length.
        dtype: Result type, as in `real_array`.

    Returns:
        The array; it may share memory with `value`.

    Raises:
        TypeError: If the elements are not real numbers.
        ValueError: If the shape is not allowed, the array is empty, or an element is NaN or infinite
            (also after conversion to `dtype`); the message gives the first such index.
    """
    array = real_array(name, value, dtype=dtype)
    if ndim is not None:
        allowed = (ndim,) if isinstance(ndim, int) else ndim
        if array.ndim not in allowed:
            dims = " or ".join(f"{n}-D" for n in allowed)
            raise ValueError(f"{name} must be {dims}, got shape {array.shape}")
    if shape is not None and (
        array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True))
    ):
        text = ", ".join("any" if n is None else str(n) for n in shape) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name} must have shape ({text}), got {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise ValueError(f"{name} must be finite, got {name}{_at(bad[0])} = {array[tuple(bad[0])]}")
    return array


def positive_int(name: str, value: Any, minimum: int = 1) -> int:
    """Convert `value` to an int that is at least `minimum` (0 makes it 'non-negative').

    Raises:
        TypeError: For bool, float (3.0 as well) and everything else that is no integer.
        ValueError: If `value < minimum`.
    """
    message = f"{name} must be an integer >= {minimum}, got {_short(value)}"
    if isinstance(value, bool | np.bool_):
        raise TypeError(message)
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(message) from None
    if number < minimum:
        raise ValueError(message)
    return number


def _suggestion(name: object, options: list[str]) -> str:
    """Text `; did you mean "..."?` when an option is close to `name`, letter case aside; else empty."""
    folded = {option.casefold(): option for option in options}
    close = difflib.get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.5)
    return f'; did you mean "{folded[close[0]]}"?' if close else ""


def unknown(kind: str, name: object, options: Iterable[str]) -> ValueError:
    """Return (not raise) the error for a name that is not registered.

    The message reads `unknown rule "sma"; did you mean "sam"? known: gd, sam`.

    Args:
        kind: What was looked up, in the singular: "rule", "data set".
        name: The name that was asked for.
        options: The names that exist.
    """
    known = list(options)
    hint = _suggestion(name, known)
    shown = _short(name)[1:-1] if isinstance(name, str) else _short(name)
    listed = ", ".join(known[:_LISTED]) + (f" and {len(known) - _LISTED} more" if len(known) > _LISTED else "")
    return ValueError(f'unknown {kind} "{shown}"{hint or ";"} known: {listed or "none"}')


#: Known names that a message lists.
_LISTED = 16


def choice(name: str, value: Any, options: Iterable[str]) -> str:
    """Return `value` if it is one of `options`.

    Raises:
        TypeError: If `value` is not a string.
        ValueError: If it is none of `options`; the message offers the nearest one.
    """
    known = list(options)
    message = f"{name} must be one of {', '.join(map(repr, known))}; got {_short(value)}"
    if not isinstance(value, str):
        raise TypeError(message)
    if value not in known:
        raise ValueError(message + _suggestion(value, known))
    return value


def in_interval(
    name: str,
    value: ArrayLike,
    low: float = -np.inf,
    high: float = np.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> np.ndarray:
    """Return `value` as a float array if every element lies in the interval from `low` to `high`.

    An infinity passes only as a closed end; NaN never passes.

    Raises:
        TypeError: If the elements are not real numbers.
        ValueError: If the array is empty or an element lies outside; the message gives the first such
            element and the interval in the form `0 <= beta < 1`.
    """
    array = real_array(name, value)
    interval = f"{low:g} {'<' if open_low else '<='} {name} {'<' if open_high else '<='} {high:g}"
    if array.size == 0:
        raise ValueError(f"{name} must not be empty ({interval} required)")
    inside = (array > low if open_low else array >= low) & (array < high if open_high else array <= high)
    bad = np.argwhere(~inside)
    if len(bad):
        raise ValueError(f"{interval} required, got {name}{_at(bad[0])} = {array[tuple(bad[0])]}")
    return array


def symmetric(name: str, matrix: ArrayLike, rtol: float = 1e-10) -> np.ndarray:
    """Return the exactly symmetric matrix (A + Aᵀ)/2 if A is finite, square and symmetric up to rounding.

    Exact symmetry makes products with the matrix agree with `eigh`, which reads one triangle only.

    Args:
        name: Argument name for the message.
        matrix: A, shape (dim, dim).
        rtol: Largest allowed |A - Aᵀ| relative to max |A|.

    Raises:
        TypeError: If the elements are not real numbers.
        ValueError: If A is not finite, not square or not symmetric; the message names the pair of
            entries that differs most.
    """
    A = finite_array(name, matrix, ndim=2)
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"{name} must be square, got shape {A.shape}")
    with np.errstate(over="ignore"):
        gap = np.abs(A - A.T)
    if gap.max() > rtol * np.abs(A).max():
        i, j = sorted(int(k) for k in np.unravel_index(gap.argmax(), gap.shape))
        raise ValueError(f"{name} must be symmetric, got {name}[{i}, {j}] = {A[i, j]} and {name}[{j}, {i}] = {A[j, i]}")
    return A if gap.max() == 0 else 0.5 * A + 0.5 * A.T


def existing_folder(path: Path) -> None:
    """Raise ValueError unless the folder of a file to be written exists."""
    if not path.resolve().parent.is_dir():
        raise ValueError(f"cannot write to {str(path)!r}: no such folder")


def figure_path(name: str, path: Path) -> None:
    """Raise ValueError unless `path` is a figure to be written to a folder that exists."""
    if path.suffix not in (".png", ".svg", ".pdf") or not path.resolve().parent.is_dir():
        raise ValueError(f"{name} must be a .png, .svg or .pdf file in an existing folder, got {str(path)!r}")


def has_gradient(problem: Any) -> None:
    """Raise TypeError unless a problem has ``dim``, ``loss`` and ``grad``."""
    for name in ("dim", "loss", "grad"):
        if not hasattr(problem, name):
            raise TypeError(f"problem must have dim, loss(w) and grad(w), got {type(problem).__name__} without {name}")
