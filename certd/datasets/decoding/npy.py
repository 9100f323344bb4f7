"""Arrays in ``.npy`` files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from certd.datasets.decoding.npy_header import parse_npy_header
from certd.errors import UnreadableInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from certd.datasets.decoding.limits import DecodingLimits


def read_npy(data: bytes, name: str, limits: DecodingLimits) -> NDArray[Any]:
    """Return the array in an ``.npy`` file, as a read-only view of ``data``; nothing is allocated.

    Args:
        data: The whole file.
        name: What to call it in a refusal.
        limits: Bounds on its bytes and on the length of its first axis.

    Raises:
        UnreadableInput: If the header is malformed, or promises more or fewer bytes than there are.
        TooLarge: If a limit is exceeded.
    """
    limits.require_bytes(len(data), name)
    header = parse_npy_header(data, name)
    present = len(data) - header.data_offset
    if header.data_bytes != present:
        raise UnreadableInput(
            f"{name!r} promises shape {header.shape} of {header.descr}, or {header.data_bytes} bytes, but "
            f"holds {present}; it was cut short or does not tell the truth."
        )
    limits.require_images(header.shape[0], name)
    elements = np.frombuffer(data, dtype=header.descr, offset=header.data_offset)
    return elements.reshape(header.shape, order="F" if header.fortran_order else "C")
