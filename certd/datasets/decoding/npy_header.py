"""The header of an ``.npy`` file, read by a grammar of our own.

NumPy's reader evaluates the header as a Python literal and allocates what it asks for: 128 bytes can demand
32 GiB. Here a regular expression admits the three keys of the format, and nothing is allocated.

References:
    NumPy Enhancement Proposal 1, "A simple file format for NumPy arrays"; versions 1.0, 2.0 and 3.0.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass

from certd.errors import UnreadableInput

MAGIC = b"\x93NUMPY"
MAX_HEADER_BYTES = 10_000
MAX_DIMENSIONS = 4
ITEM_BYTES = {
    "|u1": 1, "|i1": 1, "<u2": 2, "<i2": 2, "<u4": 4, "<i4": 4, "<i8": 8, "<f4": 4, "<f8": 8,
}  # fmt: skip

_ITEM = r"""(?x) \s* (?: ['"]descr['"] \s*:\s* ['"](?P<descr>[^'"\\]{1,16})['"]
                     | ['"]fortran_order['"] \s*:\s* (?P<fortran_order>True|False)
                     | ['"]shape['"] \s*:\s* \( (?P<shape>[0-9,\ ]{0,100}) \) ) \s* (?:,|$)"""
_ITEM_PATTERN = re.compile(_ITEM)
_SHAPE_PATTERN = re.compile(r" *(?:[0-9]{1,19} *, *)*(?:[0-9]{1,19} *)?")


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What an ``.npy`` file says about its content.

    Attributes:
        descr: Type of the elements, one of ``ITEM_BYTES``.
        fortran_order: Whether the first axis varies fastest.
        shape: One to ``MAX_DIMENSIONS`` positive lengths.
        data_offset: Where the elements start in the file, in bytes.
    """

    descr: str
    fortran_order: bool
    shape: tuple[int, ...]
    data_offset: int

    @property
    def data_bytes(self) -> int:
        """Return how many bytes the elements must take; exact, however large the shape claims to be."""
        return math.prod(self.shape) * ITEM_BYTES[self.descr]


def parse_npy_header(data: bytes, name: str) -> NpyHeader:
    """Read the header at the start of ``data``.

    Raises:
        UnreadableInput: If there is none, or it names objects, another byte order or an impossible shape.
    """
    text, data_offset = _header_text(data, name)
    items = _items(text, name)
    return NpyHeader(
        descr=_descr(items["descr"], name),
        fortran_order=items["fortran_order"] == "True",
        shape=_shape(items["shape"], name),
        data_offset=data_offset,
    )


def _header_text(data: bytes, name: str) -> tuple[str, int]:
    if len(data) < 12 or not data.startswith(MAGIC):
        raise UnreadableInput(f"{name!r} is no .npy file; write it with numpy.save.")
    if data[6:8] not in {b"\x01\x00", b"\x02\x00", b"\x03\x00"}:
        raise UnreadableInput(f"{name!r} has the unknown .npy version {data[6]}.{data[7]}.")
    length_format = "<H" if data[6] == 1 else "<I"
    (length,) = struct.unpack_from(length_format, data, 8)
    start = 8 + struct.calcsize(length_format)
    if length > min(MAX_HEADER_BYTES, len(data) - start):
        raise UnreadableInput(f"{name!r} claims a header of {length} bytes and does not hold one.")
    return data[start : start + length].decode("latin-1"), start + length


def _items(text: str, name: str) -> dict[str, str]:
    """Return the three entries of the header, each exactly once."""
    body = text.strip()
    if not (body.startswith("{") and body.endswith("}")):
        raise UnreadableInput(f"{name!r} has a header that is no dictionary.")
    body, position, items = body[1:-1].rstrip(), 0, dict[str, str]()
    while position < len(body):
        match = _ITEM_PATTERN.match(body, position)
        if match is None or match.lastgroup is None or match.lastgroup in items:
            raise UnreadableInput(f"{name!r} has a malformed header, or one of a structured type.")
        items[match.lastgroup] = match[match.lastgroup]
        position = match.end()
    if len(items) != 3:
        raise UnreadableInput(f"{name!r} has a header without descr, fortran_order or shape.")
    return items


def _descr(descr: str, name: str) -> str:
    if "O" in descr:
        raise UnreadableInput(f"{name!r} holds Python objects, which are never unpickled.")
    if descr.startswith(">"):
        raise UnreadableInput(f"{name!r} is big-endian; save array.astype(array.dtype.newbyteorder('<')).")
    if descr not in ITEM_BYTES:
        raise UnreadableInput(
            f"{name!r} has elements of type {descr!r}; save images as uint8, float32 or float64."
        )
    return descr


def _shape(text: str, name: str) -> tuple[int, ...]:
    if _SHAPE_PATTERN.fullmatch(text) is None:
        raise UnreadableInput(f"{name!r} has the malformed shape ({text}).")
    shape = tuple(int(length) for length in text.split(",") if length.strip())
    if not 1 <= len(shape) <= MAX_DIMENSIONS or 0 in shape:
        raise UnreadableInput(
            f"{name!r} has shape ({text}); it needs 1 to {MAX_DIMENSIONS} axes, none empty."
        )
    return shape
