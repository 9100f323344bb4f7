"""A checkpoint: the records of images that are not finished yet, as bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from certd.smoothing.certificate import counts_row
from certd.smoothing.run import record_from_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.smoothing.draws import Record


def encode_records(records: Sequence[Record]) -> bytes:
    """Return ``records`` as bytes."""
    rows = [{"image_id": r.image_id, "label": r.label, **counts_row(r)} for r in records]
    return json.dumps(rows).encode()


def decode_records(content: bytes) -> list[Record]:
    """Read what :func:`encode_records` wrote."""
    return [record_from_row(row) for row in json.loads(content)]
