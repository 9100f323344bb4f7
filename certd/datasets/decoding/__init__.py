"""Bytes that nobody vouches for become arrays, or are refused before they cost anything.

Every refusal is a :class:`certd.errors.CertdError`; nothing here unpickles, evaluates or resizes.
"""

from certd.datasets.decoding.image_files import decode_image, decode_images
from certd.datasets.decoding.limits import DecodingLimits
from certd.datasets.decoding.npy import read_npy
from certd.datasets.decoding.npz import ArrayFile, read_npz
from certd.datasets.labels import to_labels
from certd.datasets.pixels import to_images

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
