"""What a closed door and a spent quota answer."""

from __future__ import annotations

from certd.errors import CertdError


class Unauthorized(CertdError):  # noqa: N818 - HTTP's own noun
    """The request shows no valid key.

    Args:
        message: What to do about it.
        shown: Whether a key was shown at all.
    """

    code = "unauthorized"
    title = "A key is needed"
    status = 401

    def __init__(self, message: str, *, shown: bool = False) -> None:
        super().__init__(message)
        self.challenge = 'Bearer realm="certd"' + (', error="invalid_token"' if shown else "")


class QuotaExceeded(CertdError):  # noqa: N818 - as its siblings
    """The caller has asked for more than its share; later it may ask again."""

    code = "quota-exceeded"
    title = "Quota of noise draws exceeded"
    status = 429
    retryable = True
