"""Whatever the bytes, a decoder answers with an array or with one of our errors."""

from __future__ import annotations

import contextlib
import io
import zipfile
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from certd.datasets import to_images
from certd.datasets.decoding import DecodingLimits, decode_image, read_npy, read_npz
from certd.errors import CertdError

LIMITS = DecodingLimits(max_bytes=1 << 16, max_pixels_per_image=1 << 12)
PIXELS = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)


def _file(save: Any) -> bytes:
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


NPY = _file(lambda stream: np.save(stream, PIXELS))
NPZ = [
    _file(lambda stream, save=save: save(stream, images=PIXELS)) for save in (np.savez, np.savez_compressed)
]
PICTURES = [
    _file(lambda stream, kind=kind, mode=mode: Image.fromarray(PIXELS).convert(mode).save(stream, kind))
    for kind, mode in [
        ("PNG", "RGB"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "LA"),
        ("JPEG", "L"),
        ("WEBP", "RGBA"),
    ]
]
READERS = (read_npy, read_npz, decode_image)


@st.composite
def damaged(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """Draw a valid file with some bytes overwritten, removed or repeated."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = draw(st.integers(start, min(len(data), start + 8)))
        data[start:stop] = draw(st.binary(max_size=8))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


def answers(reader: Any, data: bytes) -> None:
    """Read ``data``; any error but ours escapes and fails the test."""
    with contextlib.suppress(CertdError):
        array = reader(data, "file", LIMITS)
        assert array is not None


MAGICS = [b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF"]


@given(st.binary(max_size=300), st.sampled_from(MAGICS))
def test_arbitrary_bytes_never_escape_the_error_tree(data: bytes, magic: bytes) -> None:
    """Bytes behind any magic number are answered by every reader."""
    for reader in READERS:
        answers(reader, magic + data)


@given(damaged([NPY]))
def test_a_damaged_npy_never_escapes_the_error_tree(data: bytes) -> None:
    """A header that is almost right is answered."""
    answers(read_npy, data)


@given(damaged(NPZ))
def test_a_damaged_npz_never_escapes_the_error_tree(data: bytes) -> None:
    """A directory that is almost right is answered."""
    answers(read_npz, data)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(damaged(PICTURES))
def test_a_damaged_picture_never_escapes_the_error_tree(data: bytes) -> None:
    """A picture that is almost right is answered."""
    answers(decode_image, data)


@given(st.text(alphabet="{}()[]'\":, \n0123456789descrfotnhapTuFl_<>|O", max_size=120))
def test_any_header_of_the_grammar_s_letters_is_answered(text: str) -> None:
    """No arrangement of the header's own words is more than refused."""
    answers(read_npy, b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode())


@given(
    arrays.arrays(np.uint8, arrays.array_shapes(min_dims=4, max_dims=4, max_side=6)), st.sampled_from("CF")
)
def test_npy_is_read_as_numpy_reads_it(array: np.ndarray, order: Any) -> None:
    """The strict reader agrees with NumPy's on what NumPy writes."""
    data = _file(lambda stream: np.save(stream, np.asarray(array, order=order)))
    np.testing.assert_array_equal(read_npy(data, "file", LIMITS), np.load(io.BytesIO(data)))


@given(
    arrays.arrays(np.uint8, arrays.array_shapes(min_dims=4, max_dims=4, max_side=6)),
    st.sampled_from([np.float32, np.float64]),
)
def test_bytes_survive_the_way_through_floats(images: np.ndarray, dtype: Any) -> None:
    """Dividing by 255 in either precision and coming back changes no pixel."""
    scaled = images.astype(dtype) / dtype(255)
    np.testing.assert_array_equal(to_images(scaled, images.shape[1:], "NCHW"), images)


@given(arrays.arrays(np.float64, (2, 1, 2, 2), elements=st.floats(-0.1, 1.1)))
def test_no_float_is_rounded_silently(array: np.ndarray) -> None:
    """Whatever is accepted lies within 1e-6 of the image that is returned."""
    with contextlib.suppress(CertdError):
        assert np.abs(to_images(array, (1, 2, 2)) / 255 - array).max() <= 1e-6


@given(st.sampled_from(["images.npy", "labels.npy", "a", "../b"]), st.binary(max_size=40))
def test_any_member_is_answered(name: str, content: bytes) -> None:
    """Members of any name and content are read or refused."""

    def write(stream: io.BytesIO) -> None:
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr(name, content)

    answers(read_npz, _file(write))
