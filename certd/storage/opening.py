"""Opens the store that a setting names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from certd.errors import InvalidParameter, Unavailable
from certd.storage.folder import FolderStore

if TYPE_CHECKING:
    from certd.storage.store import Store

S3 = "s3://"


def open_store(place: str) -> Store:
    """Open a store.

    Args:
        place: A folder's path, or ``s3://bucket/prefix``.

    Raises:
        InvalidParameter: If ``place`` is of another kind.
        Unavailable: If a bucket is named and s3fs is not installed.
    """
    if not place.startswith(S3):
        if "://" in place:
            raise InvalidParameter(f"CERTD_STORAGE is a folder or s3://bucket/prefix, not {place!r}.")
        return FolderStore(Path(place))
    bucket = place.removeprefix(S3)
    if not bucket.strip("/"):
        raise InvalidParameter("CERTD_STORAGE names no bucket: write s3://bucket/prefix.")
    try:
        from certd.storage.bucket import BucketStore  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"Storage in a bucket needs {error.name}: pip install 'certd[s3]', then start again."
        ) from None
    return BucketStore(bucket)
