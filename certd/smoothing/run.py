"""A run: a manifest with the certificates made under it, and the Parquet file that keeps both."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from certd.errors import UnreadableInput
from certd.smoothing.certificate import Certificate
from certd.smoothing.draws import Phase, Record, Tally
from certd.smoothing.evidence import COUNTS, require_evidence, require_shapes
from certd.smoothing.manifest import Manifest
from certd.smoothing.standard import StandardOutput
from certd.smoothing.votes import BINS, ConfidenceSums, SoftSums

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from certd.smoothing.guarantee import Guarantee
    from certd.smoothing.plans import Plan

_MANIFEST_KEY = b"certd.manifest"
ROW_GROUP = 8192
"""Rows that a reader must hold at once."""

SCHEMA = pa.schema(
    [
        ("image_id", pa.uint64()),
        ("label", pa.int64()),
        ("prediction", pa.int64()),
        ("outcome", pa.string()),
        ("correct", pa.bool_()),
        ("radius", pa.float64()),
        ("p_a_lower", pa.float64()),
        ("p_a_estimate", pa.float64()),
        ("p_label_estimate", pa.float64()),
        ("top_class", pa.int64()),
        ("top_count", pa.int64()),
        ("draws", pa.int64()),
        ("total_draws", pa.int64()),
        ("published_smoothing_radius", pa.float64()),
        ("published_lipschitz_radius", pa.float64()),
        ("image_sha256", pa.string()),
        *((name, pa.list_(pa.int64())) for name in COUNTS.values()),
        ("trail", pa.list_(pa.int64())),
        ("soft_scores", pa.list_(pa.int64())),
        ("soft_squares", pa.list_(pa.int64())),
        ("standard_logits", pa.list_(pa.float64())),
        ("mixing_weight", pa.float64()),
        ("clean_scores", pa.list_(pa.int64())),
        ("confidence_scores", pa.list_(pa.int64())),
        ("confidence_squares", pa.list_(pa.int64())),
        ("confidence_draws", pa.list_(pa.int64())),
        ("confidence_sums", pa.list_(pa.int64())),
        ("confidence_log_loss", pa.int64()),
    ]
)
_CONCLUDED = frozenset(
    {
        "prediction", "outcome", "correct", "radius", "p_a_lower", "p_a_estimate", "p_label_estimate",
        "top_class", "top_count", "draws", "total_draws", "published_smoothing_radius",
        "published_lipschitz_radius",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """A manifest and the certificates finished so far, in the order of the images."""

    manifest: Manifest
    certificates: tuple[Certificate, ...]

    @property
    def complete(self) -> bool:
        """Return whether every image that was asked for has its certificate."""
        return len(self.certificates) == self.manifest.num_images


def write_run(stream: BinaryIO, run: Run) -> None:
    """Write a run as Parquet: one row an image, the manifest in the file's metadata."""
    schema = SCHEMA.with_metadata({_MANIFEST_KEY: run.manifest.model_dump_json().encode()})
    rows = [certificate.row() for certificate in run.certificates]
    pq.write_table(
        pa.Table.from_pylist(rows, schema=schema), stream, compression="zstd", row_group_size=ROW_GROUP
    )


def read_run(stream: BinaryIO) -> Run:
    """Read what :func:`write_run` wrote; every conclusion is drawn anew from the counts.

    Raises:
        UnreadableInput: If the file is no run, or is damaged.
    """
    with parquet_read():
        # A reader's threads can outlive a process that ends at once, and abort it.
        table = pq.read_table(stream, use_threads=False, pre_buffer=False)
        rows = table.to_pylist()
    manifest = manifest_of(table.schema.metadata or {})
    return Run(manifest, tuple(conclude_rows(manifest, rows)))


@contextmanager
def parquet_read() -> Iterator[None]:
    """Turn what Arrow raises on other bytes than Parquet's into one error; the disk's own errors pass.

    Raises:
        UnreadableInput: In place of Arrow's errors.
    """
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UnreadableInput(f"This is not a Parquet file, or a damaged one: {error}") from None


def manifest_of(metadata: Mapping[bytes, bytes]) -> Manifest:
    """Return the manifest in a Parquet file's metadata.

    Raises:
        UnreadableInput: If there is none, so that the file is no run, or one that cannot be read.
    """
    if _MANIFEST_KEY not in metadata:
        raise UnreadableInput("This Parquet file holds no certd manifest, so it is not a certd run.")
    try:
        return Manifest.model_validate_json(metadata[_MANIFEST_KEY])
    except ValidationError as error:
        raise UnreadableInput(
            f"The manifest of this run is damaged, or of a later version of certd: {error}"
        ) from None


def conclude_rows(manifest: Manifest, rows: Sequence[dict[str, Any]]) -> list[Certificate]:
    """Draw the conclusions from stored counts, with no forward pass.

    Raises:
        UnreadableInput: If a row is not what a certification under the manifest leaves.
    """
    guarantee = manifest.guarantee
    plan = manifest.certification.procedure
    return [_concluded(row, manifest, plan, guarantee) for row in rows]


def _concluded(row: dict[str, Any], manifest: Manifest, plan: Plan, guarantee: Guarantee) -> Certificate:
    try:
        require_shapes(row, manifest.num_classes)
        record = record_from_row(row)
        require_evidence(record, plan)
        return Certificate(record, plan.conclude(record, guarantee))
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableInput(
            f"The row of image {row.get('image_id')} is damaged: {_reason(error)}. Take the run from where "
            "it was made, or make it again."
        ) from error


def _reason(error: Exception) -> str:
    missing = error.args[0] if isinstance(error, KeyError) else None
    if isinstance(missing, Phase):
        return f"its {missing.name.lower()} draws are missing"
    return str(error) if missing is None else f"the column {missing} is missing"


def recorded(columns: Sequence[str]) -> list[str]:
    """Return which of a file's columns hold what was observed, and not what follows from it."""
    return [name for name in columns if name not in _CONCLUDED]


def record_from_row(row: dict[str, Any]) -> Record:
    """Return the record that a row's counts make up."""
    tallies = {}
    for phase, column in COUNTS.items():
        counts = row.get(column)
        if counts is not None:
            more = _beside_the_votes(row) if phase is Phase.ESTIMATION else {}
            tallies[phase] = Tally(sum(counts), np.array(counts, dtype=np.int64), **more)
    clean = row.get("clean_scores")
    return Record(
        row["image_id"],
        row["image_sha256"],
        row["label"],
        tallies,
        _standard(row),
        None if clean is None else tuple(clean),
    )


def _beside_the_votes(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a row holds of the estimation draws besides their votes."""
    return {"trail": tuple(row["trail"]), "soft": _soft_sums(row), "confidence": _confidence_sums(row)}


def _confidence_sums(row: dict[str, Any]) -> ConfidenceSums | None:
    if row.get("confidence_scores") is None:
        return None
    scores, squares, draws, sums = (
        np.array(row[f"confidence_{name}"], np.int64) for name in ("scores", "squares", "draws", "sums")
    )
    return ConfidenceSums(
        scores, squares, draws.reshape(2, BINS), sums.reshape(2, BINS), row["confidence_log_loss"]
    )


def _standard(row: dict[str, Any]) -> StandardOutput | None:
    logits = row.get("standard_logits")
    return None if logits is None else StandardOutput(tuple(logits), row["mixing_weight"])


def _soft_sums(row: dict[str, Any]) -> SoftSums | None:
    if row["soft_scores"] is None:
        return None
    return SoftSums(np.array(row["soft_scores"], np.int64), np.array(row["soft_squares"], np.int64))
