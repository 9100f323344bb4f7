"""Every error that certd raises on purpose.

::

    CertdError                  500
    ├── InvalidRequest          422  the caller can mend it
    │   ├── InvalidParameter         a value outside its domain
    │   ├── CannotCertify            settings under which every image would abstain
    │   ├── ShapeMismatch            images and model disagree
    │   ├── OutOfRange               pixels that are no pixels
    │   ├── UnreadableInput          bytes that are not what they claim
    │   └── KeyReused                one idempotency key for two requests
    ├── Unauthorized            401  shows no valid key
    ├── Forbidden               403
    ├── NotFound                404
    ├── Conflict                409
    ├── Gone                    410
    ├── TooLarge                413  names the limit
    ├── QuotaExceeded           429  retry later
    ├── Unavailable             503  retry later
    │   ├── Unreachable
    │   └── StorageAway              where jobs lie, nothing answers
    ├── StorageFull             507  retry later
    ├── ModelError              500  the classifier, not the request
    │   ├── DigestMismatch
    │   ├── NonFiniteLogits
    │   └── OutOfMemory              retry with a smaller batch
    └── Interrupted             503  stopped on purpose; resumable

HTTP status and retry policy are read off the class. A refusal of a service that has no class here brings its
code, title and status along. Abstaining is a result, never an error.
"""

from __future__ import annotations

from typing import Any


class CertdError(Exception):
    """Root of the tree.

    Args:
        message: What went wrong and what to do about it, as one or two sentences.
        pointer: JSON Pointer to the offending part of the request, when there is one.
        details: Further members of the problem document, such as the least admissible ``n``.
    """

    code: str = "internal-error"
    title: str = "Internal error"
    status: int = 500
    retryable: bool = False

    def __init__(self, message: str, *, pointer: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer
        self.details = details


class InvalidRequest(CertdError):
    """The caller asked for something that cannot be done as asked."""

    code = "invalid-request"
    title = "Invalid request"
    status = 422


class InvalidParameter(InvalidRequest):
    """A value lies outside its domain."""

    code = "invalid-parameter"
    title = "Invalid parameter"


class CannotCertify(InvalidRequest):
    """Under these settings no image could ever be certified."""

    code = "cannot-certify"
    title = "These settings cannot certify anything"


class ShapeMismatch(InvalidRequest):
    """Images do not have the shape that the model takes."""

    code = "shape-mismatch"
    title = "Image shape does not match the model"


class OutOfRange(InvalidRequest):
    """Pixels are not finite, or not on the scale that was promised."""

    code = "pixels-out-of-range"
    title = "Pixels out of range"


class UnreadableInput(InvalidRequest):
    """Bytes are not a valid file of the format they claim to be."""

    code = "unreadable-input"
    title = "Unreadable input"


class KeyReused(InvalidRequest):
    """The idempotency key came before with another request."""

    code = "idempotency-key-reused"
    title = "Idempotency key used for another request"


class Unauthorized(CertdError):
    """The request shows no valid key.

    Args:
        message: What to do about it.
        shown: Whether a key was shown at all.
        details: As for every error.
    """

    code = "unauthorized"
    title = "A key is needed"
    status = 401

    def __init__(self, message: str, *, shown: bool = False, **details: Any) -> None:
        super().__init__(message, **details)
        self.challenge = 'Bearer realm="certd"' + (', error="invalid_token"' if shown else "")


class QuotaExceeded(CertdError):
    """The caller has asked for more than its share; later it may ask again."""

    code = "quota-exceeded"
    title = "Quota exceeded"
    status = 429
    retryable = True


class NotFound(CertdError):
    """Nothing of that name exists."""

    code = "not-found"
    title = "Not found"
    status = 404


class Gone(CertdError):
    """What was asked for existed once and was deleted, or has expired."""

    code = "gone"
    title = "No longer here"
    status = 410


class Conflict(CertdError):
    """The request contradicts the present state."""

    code = "conflict"
    title = "Conflict"
    status = 409


class Forbidden(CertdError):
    """The caller may not do this."""

    code = "forbidden"
    title = "Forbidden"
    status = 403


class TooLarge(CertdError):
    """The request exceeds a limit, which the message names."""

    code = "too-large"
    title = "Request too large"
    status = 413


class Unavailable(CertdError):
    """A part of the service does not answer now."""

    code = "unavailable"
    title = "Service unavailable"
    status = 503
    retryable = True


class StorageFull(CertdError):
    """Where jobs lie there is no room; what was being written is not there."""

    code = "storage-full"
    title = "No room left"
    status = 507
    retryable = True


class Unreachable(Unavailable):
    """No server answers at the address that was given."""

    code = "unreachable"
    title = "No server answers"


class StorageAway(Unavailable):
    """Where jobs lie, nothing answers, or not as it should; so nothing is known to be there or not."""

    code = "storage-away"
    title = "Storage does not answer"


class ModelError(CertdError):
    """The base classifier failed, through no fault of the request."""

    code = "model-error"
    title = "The base classifier failed"


class DigestMismatch(ModelError):
    """The weights on disk are not the weights that were registered."""

    code = "digest-mismatch"
    title = "Weights do not match their digest"


class NonFiniteLogits(ModelError):
    """The base classifier returned NaN or infinity, so its vote is undefined."""

    code = "non-finite-logits"
    title = "The base classifier returned NaN or infinity"


class OutOfMemory(ModelError):
    """The device has no memory left for one batch."""

    code = "out-of-memory"
    title = "Out of device memory"
    retryable = True


class Interrupted(CertdError):
    """Work was stopped on purpose and can be resumed."""

    code = "interrupted"
    title = "Interrupted"
    status = 503
    retryable = True
