"""Numbers that a user gives to a module's constructor, checked once at the door."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from riemannian_modules.door import number_array
from riemannian_modules.errors import DomainError, SignatureError
from riemannian_modules.spaces import Array


def finite_array(where: str, value: ArrayLike) -> Array:
    """A copy of ``value`` as float64.

    Raises:
        SignatureError: If it is no rectangular array of numbers.
        DomainError: If it holds NaN or infinities.
    """
    array = number_array(where, value)
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise DomainError(
            f"{where}: expected finite numbers, got NaN or infinity in {count} of {array.size} "
            "entries. Replace them."
        )
    return array


def finite_number(where: str, value: ArrayLike) -> float:
    """One finite number; raises as `finite_array` does.

    Raises:
        SignatureError: If it is no single number.
    """
    array = finite_array(where, value)
    if array.size != 1:
        raise SignatureError(f"{where}: expected one number, got an array of shape {array.shape}.")
    return float(array.reshape(()))


def positive_number(where: str, value: ArrayLike, mend: str = "Give one above 0.") -> float:
    """One positive, finite number, or the mend's words; raises as `finite_array` does.

    Raises:
        DomainError: If it is not positive.
    """
    number = finite_number(where, value)
    if not number > 0:
        raise DomainError(f"{where}: expected a positive number, got {number}. {mend}")
    return number


def finite_vector(where: str, value: ArrayLike) -> Array:
    """A vector (n,) of finite numbers; a number counts as (1,). Raises as `finite_array` does.

    Raises:
        SignatureError: If it is no vector.
    """
    array = np.atleast_1d(finite_array(where, value))
    if array.ndim != 1:
        raise SignatureError(
            f"{where}: expected a vector (n,), got an array of shape {array.shape}."
        )
    return array


def vector_of_size(where: str, value: ArrayLike | None, size: int) -> Array:
    """A vector (size,) of finite numbers, zeros for None; raises as `finite_array` does.

    Raises:
        SignatureError: If it has another size.
    """
    vector = np.zeros(size) if value is None else finite_vector(where, value)
    if len(vector) != size:
        raise SignatureError(f"{where}: expected {size} numbers, got {len(vector)}.")
    return vector


def finite_matrix(where: str, value: ArrayLike) -> Array:
    """A matrix (n, m) of finite numbers; raises as `finite_array` does.

    Raises:
        SignatureError: If it is no matrix.
    """
    array = finite_array(where, value)
    if array.ndim != 2:
        raise SignatureError(
            f"{where}: expected a matrix (n, m), got an array of shape {array.shape}. "
            "Write a row as [[...]], a column as [[.], [.]]."
        )
    return array


def matrix_of_shape(where: str, value: ArrayLike, shape: tuple[int, int]) -> Array:
    """A matrix of the shape that its neighbours ask for; raises as `finite_array` does.

    Raises:
        SignatureError: If it has another shape.
    """
    array = finite_matrix(where, value)
    if array.shape != shape:
        raise SignatureError(f"{where}: expected shape {shape}, got {array.shape}.")
    return array
