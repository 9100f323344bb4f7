"""The Parquet file that keeps imported results: what a log holds, and under which conditions it was read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from certd.errors import InvalidParameter, UnreadableInput
from certd.noise import additive_law
from certd.reports.condensation import Condenser
from certd.reports.results import Results, joined, results_of
from certd.smoothing.guarantee import Guarantee
from certd.smoothing.run import Run, conclude_rows, manifest_of, parquet_read, recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from certd.smoothing.manifest import Manifest

_RESULTS_KEY = b"certd.results"
BATCH_ROWS = 256
"""Rows turned into objects at once: few enough to be dropped before the collector looks at them twice."""
MOST_KEPT_APART = 100_000
"""Images of a run up to which its report keeps each by itself."""
_COLUMNS = (
    ("image_ids", pa.uint64()), ("labels", pa.int64()), ("top_classes", pa.int64()),
    ("certified", pa.bool_()), ("radii", pa.float64()), ("top_counts", pa.int64()),
    ("label_counts", pa.int64()), ("draws", pa.int64()), ("voted_classes", pa.int64()),
)  # fmt: skip
_OPTIONAL = ("labels", "label_counts", "voted_classes")
_FACTS = (
    "model",
    "dataset",
    "requested",
    "max_radius",
    "looks",
    "declared_radii",
    "total_draws",
    "recovered",
)


def write_results(stream: BinaryIO, results: Results) -> None:
    """Write results as Parquet: one row an image, the rest in the file's metadata."""
    given = {name: getattr(results, name) for name, _ in _COLUMNS}
    columns = [(name, kind) for name, kind in _COLUMNS if given[name] is not None]
    schema = pa.schema(columns, metadata={_RESULTS_KEY: json.dumps(_facts(results)).encode()})
    arrays = [pa.array(given[name], kind) for name, kind in columns]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), stream, compression="zstd")


@dataclass(frozen=True, slots=True)
class Stored:
    """What a file holds for the reports.

    Attributes:
        results: The images.
        manifest: That of the run; None for an imported log.
    """

    results: Results
    manifest: Manifest | None


def read_stored(stream: BinaryIO, most_kept_apart: int | None = None) -> Stored:
    """Read the file of a run, or of imported results.

    A run is read batch by batch and concluded anew from its counts.

    Args:
        stream: A Parquet file.
        most_kept_apart: Of a run with more images than this, equal images are kept once, with how many there
            are: enough for a report, not for what names single images. None keeps every image.

    Raises:
        UnreadableInput: If it is neither, or is damaged.
        InvalidParameter: If no image is finished yet.
    """
    with parquet_read():
        file = pq.ParquetFile(stream, pre_buffer=False)
        metadata = file.schema_arrow.metadata or {}
    if _RESULTS_KEY in metadata:
        return Stored(_read_results(file, metadata[_RESULTS_KEY]), None)
    manifest = manifest_of(metadata)
    parts = (results_of(Run(manifest, tuple(conclude_rows(manifest, rows)))) for rows in _batches(file))
    many = most_kept_apart is not None and file.metadata.num_rows > most_kept_apart
    plain = not manifest.certification.confidence
    if not file.metadata.num_rows:
        raise InvalidParameter("A report needs at least one finished image.")
    return Stored(_condensed(parts) if many and plain else joined(list(parts)), manifest)


def _batches(file: pq.ParquetFile) -> Iterator[list[dict[str, Any]]]:
    """Read the rows of a run, a few at a time."""
    columns = recorded(file.schema_arrow.names)
    with parquet_read():
        # A reader's threads can outlive a process that ends at once, and abort it.
        for batch in file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
            if len(batch):
                yield batch.to_pylist()


def _read_results(file: pq.ParquetFile, facts: bytes) -> Results:
    with parquet_read():
        table = file.read(use_threads=False)
        arrays = {name: table[name].to_numpy() for name in table.column_names}
    try:
        return _results(json.loads(facts), arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableInput(
            f"These results are damaged ({error}); import the log again with certd import."
        ) from error


def _condensed(parts: Iterable[Results]) -> Results:
    condenser = Condenser()
    for part in parts:
        condenser.add(part)
    return condenser.result()


def _facts(results: Results) -> dict[str, Any]:
    guarantee = results.guarantee
    return {
        **{name: getattr(results, name) for name in _FACTS},
        "settings": dict(results.settings),
        "guarantee": {
            "noise": guarantee.law.name,
            "sigma": guarantee.law.sigma,
            "norm": guarantee.norm,
            "dimension": guarantee.dimension,
            "slack": guarantee.slack,
        },
    }


def _results(facts: Mapping[str, Any], columns: Mapping[str, Any]) -> Results:
    said = facts["guarantee"]
    law = additive_law(said["noise"], said["sigma"])
    radii = facts["declared_radii"]
    members: dict[str, Any] = {
        **{name: facts[name] for name in _FACTS},
        "declared_radii": None if radii is None else tuple(radii),
        "settings": facts["settings"],
        "guarantee": Guarantee(law, said["norm"], said["dimension"], said["slack"]),
        **dict.fromkeys(_OPTIONAL),
        **{name: np.asarray(column) for name, column in columns.items()},
    }
    return Results(**members)
