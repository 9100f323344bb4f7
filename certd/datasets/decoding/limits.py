"""How much a decoder may be asked to do."""

from __future__ import annotations

from dataclasses import dataclass, fields

from certd.errors import InvalidParameter, TooLarge


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """Bounds that are checked before memory is spent; each is positive.

    Attributes:
        max_bytes: Largest file, and largest content of an archive once expanded.
        max_images: Most images in one request.
        max_pixels_per_image: Largest height times width of an image file.
        max_expansion: Largest ratio of an archive's content to its size.

    Raises:
        InvalidParameter: If a bound is not positive.
    """

    max_bytes: int = 1 << 28
    max_images: int = 100_000
    max_pixels_per_image: int = 1 << 22
    max_expansion: int = 100

    def __post_init__(self) -> None:
        for bound in fields(self):
            if getattr(self, bound.name) < 1:
                raise InvalidParameter(f"{bound.name} must be at least 1, not {getattr(self, bound.name)}.")

    def require_bytes(self, num_bytes: int, name: str) -> None:
        """Refuse a file, or an expanded archive, of more than ``max_bytes``."""
        self._require("max_bytes", num_bytes, f"{name!r} takes {num_bytes} bytes")

    def require_images(self, num_images: int, name: str) -> None:
        """Refuse more than ``max_images``."""
        self._require("max_images", num_images, f"{name!r} holds {num_images} images")

    def require_pixels(self, height: int, width: int, name: str) -> None:
        """Refuse an image of more than ``max_pixels_per_image``."""
        self._require("max_pixels_per_image", height * width, f"{name!r} is {height} x {width} pixels")

    def require_expansion(self, num_bytes: int, compressed_bytes: int, name: str) -> None:
        """Refuse an archive that grows more than ``max_expansion`` times."""
        ratio = -(-num_bytes // max(compressed_bytes, 1))
        self._require("max_expansion", ratio, f"{name!r} expands {ratio} times")

    def _require(self, bound: str, value: int, fact: str) -> None:
        limit = getattr(self, bound)
        if value > limit:
            raise TooLarge(f"{fact}; the limit {bound} is {limit}.", limit=bound, max=limit, actual=value)
