"""One row an image, for spreadsheets, streams and data frames; floats in full, counts as lists."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from certd.reports.results import Results
from certd.smoothing.run import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certd.smoothing.run import Run

Row = dict[str, Any]


def rows_of(source: Run | Results) -> list[Row]:
    """Return the images of a run, with every count, or of an imported log, with what it holds."""
    if isinstance(source, Results):
        return _rows_of_results(source)
    return [certificate.row() for certificate in source.certificates]


def export_csv(rows: Sequence[Row]) -> str:
    """Write rows as CSV, header first; lists as JSON."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, _columns(rows), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: json.dumps(v) if isinstance(v, list) else v for name, v in row.items()})
    return stream.getvalue()


def export_ndjson(rows: Sequence[Row]) -> str:
    """Write rows as JSON, one a line."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def export_arrow(rows: Sequence[Row]) -> bytes:
    """Write rows as an Arrow stream."""
    columns = _columns(rows)
    schema = pa.schema([field for field in SCHEMA if field.name in columns])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(pa.Table.from_pylist(list(rows), schema=schema))
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _columns(rows: Sequence[Row]) -> list[str]:
    return list(rows[0]) if rows else SCHEMA.names


def _rows_of_results(results: Results) -> list[Row]:
    labels = results.labels
    shares, label_shares = results.top_shares, results.label_shares
    rows = []
    for i, certified in enumerate(results.certified.tolist()):
        label = None if labels is None else int(labels[i])
        rows.append(
            {
                "image_id": int(results.image_ids[i]),
                "label": label,
                "prediction": int(results.top_classes[i]) if certified else None,
                "outcome": "certified" if certified else "abstained",
                "correct": None if label is None else bool(results.correct[i]),
                "radius": float(results.radii[i]),
                "p_a_estimate": float(shares[i]) if certified or not results.recovered else None,
                "p_label_estimate": None
                if label_shares is None or (results.recovered and not results.correct[i])
                else float(label_shares[i]),
                "top_class": int(results.top_classes[i]),
                "top_count": int(results.top_counts[i]),
                "draws": int(results.draws[i]),
            }
        )
    return rows
