"""Bytes that lie, break or bloat are refused before they cost anything."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from certd.datasets.decoding import DecodingLimits, decode_image, decode_images, read_npy, read_npz
from certd.errors import InvalidParameter, ShapeMismatch, TooLarge, UnreadableInput

LIMITS = DecodingLimits()
DIGITS = np.arange(3 * 64, dtype=np.uint8).reshape(3, 1, 8, 8)


def saved(array: np.ndarray, **options: Any) -> bytes:
    """Return the ``.npy`` file of ``array``."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


def with_header(text: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Return an ``.npy`` file with a header of our own."""
    length = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + length + text.encode("latin-1") + data


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of ``members``."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as target:
        for name, data in members.items():
            target.writestr(name, data)
    return stream.getvalue()


def picture(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return the file of ``image``."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def gradient(mode: str = "L", size: tuple[int, int] = (6, 4)) -> Image.Image:
    """Return an image in which no two neighbouring pixels agree."""
    width, height = size
    values = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    return Image.fromarray(values).convert(mode)


@pytest.mark.parametrize("dtype", ["|u1", "<f4", "<f8", "<i8", "<i4"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.filterwarnings("ignore:Stored array in format")
def test_what_numpy_saves_is_read_back(dtype: str, order: Any, version: tuple[int, int]) -> None:
    """Every version, admitted type and memory order comes back element for element."""
    array = np.asarray(DIGITS.astype(dtype), order=order)
    read = read_npy(saved(array, version=version), "digits.npy", LIMITS)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


def test_a_header_that_asks_for_32_gib_costs_nothing() -> None:
    """128 bytes that promise 32 GiB are refused by arithmetic, without allocating."""
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (65536, 1, 256, 256), }"
    data = with_header(header.ljust(117) + "\n")
    assert len(data) == 128
    tracemalloc.start()
    with pytest.raises(UnreadableInput, match="34359738368 bytes, but holds 0"):
        read_npy(data, "liar.npy", LIMITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_shape_beyond_64_bits_does_not_wrap_around() -> None:
    """The size of 2^63 x 2 bytes is not taken for 0."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({1 << 63}, 2), }}"
    with pytest.raises(UnreadableInput, match=str(1 << 64)):
        read_npy(with_header(header), "wrap.npy", LIMITS)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_one_byte_short_or_long_is_refused(change: int) -> None:
    """The bytes present are exactly those promised."""
    data = saved(DIGITS)
    with pytest.raises(UnreadableInput, match="was cut short"):
        read_npy(data[:-1] if change < 0 else data + b"\0", "digits.npy", LIMITS)


def test_objects_are_never_unpickled() -> None:
    """An array of objects is refused by its type, before its pickle is looked at."""
    with pytest.raises(UnreadableInput, match="never unpickled"):
        read_npy(saved(np.array([{}], dtype=object)), "objects.npy", LIMITS)


@pytest.mark.parametrize(
    ("descr", "complaint"),
    [
        (">f4", "big-endian"),
        ("<f2", "elements of type"),
        ("<c8", "elements of type"),
        ("<U3", "elements of type"),
    ],
)
def test_other_types_are_refused_with_advice(descr: str, complaint: str) -> None:
    """Only the listed types of elements are read."""
    with pytest.raises(UnreadableInput, match=complaint):
        read_npy(saved(np.zeros(3, dtype=descr)), "typed.npy", LIMITS)


def test_the_header_grammar_takes_keys_in_any_order() -> None:
    """Other writers order, quote and space the three keys in their own way."""
    data = with_header("{ \"shape\":(2,),\"fortran_order\" : False , 'descr': '|u1'}\n", b"ab", b"\x02\x00")
    assert read_npy(data, "other.npy", LIMITS).tolist() == [97, 98]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "{}",
        "[]",
        "{'descr': '|u1', 'fortran_order': False}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'extra': 1}",
        "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '|u1', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1 1,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': ()}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (0,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (9**9,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)} or exit()",
    ],
)
def test_any_other_header_is_refused(header: str) -> None:
    """Nothing but the three keys with plain values is a header."""
    with pytest.raises(UnreadableInput):
        read_npy(with_header(header, b"a"), "odd.npy", LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x93NUMPY", b"PK\x03\x04" * 8, with_header("{}", version=b"\x09\x00"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff", with_header(" " * 10_001),
    ],
)  # fmt: skip
def test_what_is_no_npy_file_is_refused(data: bytes) -> None:
    """Magic, version and length of the header are checked first."""
    with pytest.raises(UnreadableInput):
        read_npy(data, "other.npy", LIMITS)


def test_a_header_that_ends_beyond_the_file_is_told_as_such() -> None:
    """The claimed length is compared with what is there."""
    with pytest.raises(UnreadableInput, match="claims a header of 500 bytes"):
        read_npy(b"\x93NUMPY\x01\x00" + struct.pack("<H", 500) + b"{}", "cut.npy", LIMITS)


def test_an_array_of_no_images_is_refused() -> None:
    """An empty axis would make every later statement about the images hollow."""
    with pytest.raises(UnreadableInput, match="none empty"):
        read_npy(saved(np.zeros((0, 1, 8, 8), dtype=np.uint8)), "empty.npy", LIMITS)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_gives_images_and_labels(save: Any) -> None:
    """Both of NumPy's ways of writing are read."""
    stream = io.BytesIO()
    save(stream, images=DIGITS, labels=np.array([3, 1, 4]))
    arrays = read_npz(stream.getvalue(), "digits.npz", LIMITS)
    np.testing.assert_array_equal(arrays.images, DIGITS)
    assert arrays.labels is not None
    assert arrays.labels.tolist() == [3, 1, 4]


def test_labels_may_be_missing() -> None:
    """Images alone are enough."""
    assert read_npz(archive({"images.npy": saved(DIGITS)}), "digits.npz", LIMITS).labels is None


def test_a_bomb_is_refused_by_its_directory() -> None:
    """An archive that grows a thousandfold is not expanded."""
    bomb = archive({"images.npy": saved(np.zeros((1 << 14, 32, 32), dtype=np.uint8))})
    tracemalloc.start()
    with pytest.raises(TooLarge, match="max_expansion is 100"):
        read_npz(bomb, "bomb.npz", LIMITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_bomb_that_understates_its_size_is_not_expanded() -> None:
    """The directory's size bounds what is expanded, whatever the stream holds."""
    bomb = bytearray(archive({"images.npy": saved(np.zeros((1 << 14, 32, 32), dtype=np.uint8))}))
    struct.pack_into("<I", bomb, bomb.rindex(b"PK\x01\x02") + 24, 100)
    tracemalloc.start()
    with pytest.raises(UnreadableInput):
        read_npz(bytes(bomb), "bomb.npz", LIMITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_the_content_of_an_archive_counts_as_bytes() -> None:
    """The limit on bytes is one on the expanded content too."""
    data = archive({"images.npy": saved(np.zeros((40, 1, 8, 8), dtype=np.uint8))})
    assert len(data) < 1000
    with pytest.raises(TooLarge, match=r"^.digits\.npz. takes \d+ bytes; the limit max_bytes is 1000"):
        read_npz(data, "digits.npz", DecodingLimits(max_bytes=1000))


def test_a_crowded_archive_is_refused_before_its_directory_is_read() -> None:
    """Members are counted by their signature, at no memory for each."""
    data = archive({f"{index}.npy": b"" for index in range(40)})
    with pytest.raises(UnreadableInput, match="too many members"):
        read_npz(data, "crowd.npz", LIMITS)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"labels.npy": saved(DIGITS)},
        {"images.npy": saved(DIGITS), "more.npy": b""},
        {"../images.npy": saved(DIGITS)},
        {"images": saved(DIGITS)},
        {"images.npy": b"no array"},
    ],
)
def test_an_archive_of_other_members_is_refused(members: dict[str, bytes]) -> None:
    """Images must be there, labels may be, nothing else is."""
    with pytest.raises(UnreadableInput):
        read_npz(archive(members), "odd.npz", LIMITS)


def test_a_member_that_comes_twice_is_refused() -> None:
    """No reader has to guess which of two members counts."""
    data = archive({"images.npy": saved(DIGITS), "labels.npy": saved(DIGITS)})
    with pytest.raises(UnreadableInput, match="each once"):
        read_npz(data.replace(b"labels.npy", b"images.npy"), "twice.npz", LIMITS)


def test_an_encrypted_or_unusual_archive_is_refused() -> None:
    """Stored and deflated members are read, in the clear."""
    plain = bytearray(archive({"images.npy": saved(DIGITS)}))
    plain[plain.rindex(b"PK\x01\x02") + 8] |= 1
    for data in (bytes(plain), archive({"images.npy": saved(DIGITS)}, zipfile.ZIP_LZMA)):
        with pytest.raises(UnreadableInput, match="encrypted or of an unusual compression"):
            read_npz(data, "odd.npz", LIMITS)


def test_a_damaged_archive_is_refused() -> None:
    """A flipped bit of stored pixels fails the checksum."""
    data = bytearray(archive({"images.npy": saved(DIGITS)}, zipfile.ZIP_STORED))
    data[250] ^= 1
    with pytest.raises(UnreadableInput, match="no intact"):
        read_npz(bytes(data), "damaged.npz", LIMITS)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_lossless_files_come_back_pixel_for_pixel(kind: str, mode: str, channels: int) -> None:
    """Grey has one channel, colour three; rows come before columns."""
    image = gradient(mode)
    pixels = decode_image(picture(image, kind, lossless=True), "image", LIMITS)
    if kind == "WEBP" and mode == "L":  # WebP knows colour only
        channels = 3
    assert pixels.shape == (channels, 4, 6)
    np.testing.assert_array_equal(pixels[0], np.asarray(image).reshape(4, 6, -1)[..., 0])


def test_jpeg_is_read() -> None:
    """A flat grey survives JPEG's compression."""
    pixels = decode_image(picture(Image.new("L", (8, 8), 77), "JPEG"), "flat.jpg", LIMITS)
    assert pixels.shape == (1, 8, 8)
    assert set(pixels.flat) == {77}


def test_one_bit_becomes_black_and_white() -> None:
    """A bilevel image has the grey levels 0 and 255."""
    pixels = decode_image(picture(gradient("L").point(lambda grey: grey % 2 * 255, "1")), "bits.png", LIMITS)
    assert pixels.shape == (1, 4, 6)
    assert set(pixels.flat) == {0, 255}


def test_a_palette_becomes_its_colours() -> None:
    """Indices are looked up, without loss."""
    image = gradient("RGB").quantize(200)
    expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(decode_image(picture(image), "palette.png", LIMITS), expected)


def test_a_palette_of_greys_serves_a_model_of_one_channel() -> None:
    """It has three channels unless one is wanted, so that a set of palettes has one shape."""
    data = picture(gradient("L").convert("P"))
    assert decode_image(data, "palette.png", LIMITS).shape == (3, 4, 6)
    assert decode_image(data, "palette.png", LIMITS, channels=1).shape == (1, 4, 6)
    assert decode_image(picture(gradient("RGB").quantize(9)), "p.png", LIMITS, channels=1).shape == (3, 4, 6)


@pytest.mark.parametrize(("mode", "channels"), [("RGBA", 3), ("LA", 1)])
def test_alpha_is_dropped_only_where_it_is_opaque(mode: str, channels: int) -> None:
    """A single translucent pixel refuses the image."""
    image = gradient(mode)
    opaque = decode_image(picture(image), "opaque.png", LIMITS)
    assert opaque.shape == (channels, 4, 6)
    np.testing.assert_array_equal(opaque[0], np.asarray(image)[..., 0])
    pixel = image.getpixel((2, 2))
    assert isinstance(pixel, tuple)
    image.putpixel((2, 2), (*pixel[:-1], 254))
    with pytest.raises(UnreadableInput, match="translucent"):
        decode_image(picture(image), "translucent.png", LIMITS)


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_transparent_colour_counts_as_alpha(mode: str) -> None:
    """PNG can name a colour that is transparent; where it occurs, the image is refused."""
    transparent = (0, 1, 2) if mode == "RGB" else 0
    image = Image.new(mode, (4, 4))
    image.putpixel((1, 1), transparent)
    opaque = Image.new(mode, (4, 4), (9, 9, 9) if mode == "RGB" else 9)
    assert decode_image(picture(opaque, transparency=transparent), "opaque.png", LIMITS).shape[1:] == (4, 4)
    with pytest.raises(UnreadableInput, match="translucent"):
        decode_image(picture(image, transparency=transparent), "keyed.png", LIMITS)


def test_sixteen_bits_are_refused_also_in_colour() -> None:
    """Pillow would drop the low byte of a 16-bit colour PNG silently."""
    deep = black_png(width=2, height=3, bytes_per_pixel=6, bit_depth=16, colour_type=2)
    assert Image.open(io.BytesIO(deep)).mode == "RGB"
    for data in (deep, picture(Image.new("I;16", (2, 3)))):
        with pytest.raises(UnreadableInput, match="16 bits"):
            decode_image(data, "deep.png", LIMITS)
    assert decode_image(picture(Image.new("RGB", (2, 3))), "shallow.png", LIMITS).shape == (3, 3, 2)


def black_png(*, width: int, height: int, bytes_per_pixel: int, bit_depth: int, colour_type: int) -> bytes:
    """Return a black PNG of any depth, which Pillow cannot write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    rows = zlib.compress(bytes(height * (1 + width * bytes_per_pixel)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM", "ICO"])
def test_other_formats_are_refused(kind: str) -> None:
    """Only the three listed formats reach a decoder."""
    with pytest.raises(UnreadableInput, match=r"'image\.png' is no intact PNG, JPEG or WebP"):
        decode_image(picture(gradient(size=(16, 16)), kind), "image.png", LIMITS)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_refused(kind: str) -> None:
    """No frame is picked on the caller's behalf."""
    frames = [gradient("RGB"), gradient("RGB").rotate(180)]
    data = picture(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(UnreadableInput, match="several frames"):
        decode_image(data, "moving", LIMITS)


def test_four_inks_are_refused() -> None:
    """CMYK has no lossless place in RGB."""
    with pytest.raises(UnreadableInput, match="mode CMYK"):
        decode_image(picture(gradient("CMYK"), "JPEG"), "print.jpg", LIMITS)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_truncated_file_is_refused_by_name(kind: str) -> None:
    """Half a file is no image, and the refusal says which file."""
    data = picture(gradient("RGB", (64, 64)), kind)
    with pytest.raises(UnreadableInput, match=r"'half\.img'"):
        decode_image(data[: len(data) // 2], "half.img", LIMITS)


@pytest.mark.parametrize("side", [101, 30_000])
def test_pixels_are_counted_before_they_are_decoded(side: int) -> None:
    """A file that claims too many pixels costs its header, whether or not Pillow objects as well."""
    data = black_png(
        width=side, height=100 if side == 101 else side, bytes_per_pixel=0, bit_depth=8, colour_type=0
    )
    with pytest.raises(TooLarge, match="10000"):
        decode_image(data, "vast.png", DecodingLimits(max_pixels_per_image=10_000))


def test_images_are_stacked_in_order_and_never_resized() -> None:
    """A file of another shape is named, with both shapes."""
    files = [("a.png", picture(gradient("L"))), ("b.png", picture(gradient("L").rotate(180)))]
    images = decode_images(files, (1, 4, 6), LIMITS)
    np.testing.assert_array_equal(images[1, 0], images[0, 0, ::-1, ::-1])
    with pytest.raises(ShapeMismatch, match=r"'a\.png' is 1 x 4 x 6 .* takes 3 x 4 x 6"):
        decode_images(files, (3, 4, 6), LIMITS)


@pytest.mark.parametrize(
    ("limits", "bound"),
    [
        (DecodingLimits(max_images=1), "max_images"),
        (DecodingLimits(max_bytes=40), "max_bytes"),
        (DecodingLimits(max_pixels_per_image=23), "max_pixels_per_image"),
    ],
)
def test_a_limit_is_named_when_it_is_exceeded(limits: DecodingLimits, bound: str) -> None:
    """The refusal says which limit, and how much it allows."""
    data = picture(gradient("L"))
    with pytest.raises(TooLarge, match=bound) as refusal:
        decode_images([("a.png", data), ("b.png", data)], (1, 4, 6), limits)
    assert refusal.value.details["limit"] == bound


def test_files_that_expand_to_more_than_the_limit_are_refused() -> None:
    """Small files of large images count as what they decode to."""
    files = [(f"{index}.png", picture(Image.new("L", (100, 100)))) for index in range(10)]
    limits = DecodingLimits(max_bytes=99_999)
    with pytest.raises(TooLarge, match="decoded request"):
        decode_images(files, (1, 100, 100), limits)


def test_an_array_of_too_many_images_is_refused() -> None:
    """The limit on images holds for arrays as for files."""
    with pytest.raises(TooLarge, match="max_images is 2"):
        read_npy(saved(DIGITS), "digits.npy", DecodingLimits(max_images=2))


def test_a_limit_of_nothing_is_refused() -> None:
    """Every limit is positive."""
    with pytest.raises(InvalidParameter, match="max_images"):
        DecodingLimits(max_images=0)
