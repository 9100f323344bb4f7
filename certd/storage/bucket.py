"""A store in an S3 bucket, or in anything that speaks its protocol and knows conditional writes.

Credentials, region and endpoint come from where every S3 client takes them: the ``AWS_`` variables, the
shared configuration files, or the machine's role.
"""

from __future__ import annotations

import io
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import s3fs
from botocore.exceptions import BotoCoreError
from s3fs.core import S3_RETRYABLE_ERRORS

from certd.errors import StorageAway

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_MEMORY_BYTES = 32 * 2**20
# Two conditional writes that meet are both refused by some servers, with the advice to try again.
COLLISION = "ConditionalRequestConflict"
TRIES = 10


@contextmanager
def _answering() -> Iterator[None]:
    """Tell a bucket that does not answer from one that says what is there and what is not."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        raise
    except (OSError, BotoCoreError, *S3_RETRYABLE_ERRORS) as error:
        raise StorageAway(
            f"The bucket does not answer as it should ({error}). Nothing is lost; try again in a moment."
        ) from error


class BucketStore:
    """Objects whose keys begin with one prefix.

    An object appears when its upload ends, and a write that must be the first says so to the server
    (``If-None-Match: *``), so both promises of a store are the server's.

    Args:
        place: ``bucket`` or ``bucket/prefix``.
    """

    def __init__(self, place: str) -> None:
        self._place = place.strip("/")
        # A listing that is remembered hides what other processes wrote.
        self._bucket: Any = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)

    def __repr__(self) -> str:
        return f"bucket s3://{self._place}"

    @_answering()
    def read(self, name: str) -> bytes:
        """Return what lies under ``name``; see :class:`certd.storage.store.Store` for this and the rest."""
        return cast("bytes", self._bucket.cat_file(self._key(name)))

    def open(self, name: str) -> BinaryIO:
        """Fetch what lies under ``name``."""
        return io.BytesIO(self.read(name))

    @_answering()
    def write(self, name: str, content: bytes) -> None:
        """Replace what lies under ``name``."""
        self._bucket.pipe_file(self._key(name), content)

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """Open a local stream that is sent under ``name`` once it is complete."""
        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as stream:
            yield cast("BinaryIO", stream)
            stream.seek(0)
            self.write(name, stream.read())

    @_answering()
    def create(self, name: str, content: bytes) -> bool:
        """Write ``name`` unless it is there."""
        for tries_left in reversed(range(TRIES)):
            try:
                self._bucket.pipe_file(self._key(name), content, mode="create")
            except FileExistsError:
                return False
            except OSError as error:
                if COLLISION not in f"{error} {error.__cause__}" or not tries_left:
                    raise
            else:
                return True
        raise AssertionError  # the last try returned or raised

    @_answering()
    def exists(self, name: str) -> bool:
        """Return whether there is such an object."""
        try:
            return bool(self._bucket.info(self._key(name))["type"] == "file")
        except FileNotFoundError:
            return False

    @_answering()
    def children(self, folder: str) -> list[str]:
        """Return what lies directly in ``folder``."""
        try:
            found: list[str] = self._bucket.ls(self._key(folder), detail=False)
        except FileNotFoundError:
            return []
        return [key.rsplit("/", 1)[-1] for key in found]

    @_answering()
    def modified_at(self, name: str) -> float:
        """Return when ``name`` was written, by the server's clock."""
        return float(self._bucket.info(self._key(name))["LastModified"].timestamp())

    @_answering()
    def remove(self, name: str) -> None:
        """Remove one object."""
        self._bucket.rm_file(self._key(name))

    @_answering()
    def remove_folder(self, folder: str) -> None:
        """Remove all objects of ``folder``, one after another."""
        try:
            self._bucket.rm(self._key(folder), recursive=True)
        except FileNotFoundError:
            return

    def _key(self, name: str) -> str:
        return f"{self._place}/{name}"
