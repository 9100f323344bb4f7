"""Bytes that nobody vouches for become arrays, or are refused before they cost anything.

Every refusal is a :class:`certd.errors.CertdError`; nothing here unpickles, evaluates or resizes. Arrays
are read without Pillow, which is imported where pictures are.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from certd.datasets.decoding.limits import DecodingLimits
from certd.datasets.decoding.npy import read_npy
from certd.datasets.decoding.npz import ArrayFile, read_npz
from certd.datasets.labels import to_labels
from certd.datasets.pixels import to_images

if TYPE_CHECKING:
    from certd.datasets.decoding.image_files import decode_image, decode_images

__all__ = [
    "ArrayFile",
    "DecodingLimits",
    "decode_image",
    "decode_images",
    "read_npy",
    "read_npz",
    "to_images",
    "to_labels",
]


def __getattr__(name: str) -> Any:
    """Import what needs Pillow only when it is asked for."""
    if name not in {"decode_image", "decode_images"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.image_files"), name)
