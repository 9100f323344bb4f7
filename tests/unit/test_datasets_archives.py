"""Parquet and tar: pictures inside larger files, read one at a time."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from certd.datasets import LazyDataset, open_dataset
from certd.datasets.readers.parquet import RowGroups
from certd.errors import InvalidParameter, NotFound, UnreadableInput

if TYPE_CHECKING:
    from pathlib import Path


def picture(level: int) -> bytes:
    """Return a grey PNG of 2 x 3 pixels."""
    stream = io.BytesIO()
    Image.new("L", (3, 2), level).save(stream, "PNG")
    return stream.getvalue()


def opened(uri: str, folder: Path) -> LazyDataset:
    """Open a lazy set."""
    dataset = open_dataset(uri, folder=folder)
    assert isinstance(dataset, LazyDataset)
    return dataset


def write_parquet(path: Path, levels: range, **columns: list[Any]) -> None:
    """Write a file as the hubs do: structs of bytes, class names in the schema, small row groups."""
    images = [{"bytes": picture(level), "path": None} for level in levels]
    table = pa.table({"image": images, "label": [level % 3 for level in levels], **columns})
    feature = {"label": {"names": ["a", "b", "c"], "_type": "ClassLabel"}}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": feature}})})
    pq.write_table(table, path, row_group_size=2)


def write_tar(path: Path, members: list[tuple[str, bytes]], mode: str = "w") -> None:
    """Write a tar file."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]  # the mode is a parameter here
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def levels_of(dataset: LazyDataset, *positions: int) -> list[int]:
    """Return the grey level of some pictures."""
    levels: list[int] = dataset.images[np.array(positions)][:, 0, 0, 0].tolist()
    return levels


def test_rows_of_parquet_are_pictures_in_any_order(tmp_path: Path) -> None:
    """Across row groups and files, forwards and backwards; class names come from the schema."""
    write_parquet(tmp_path / "test-00001.parquet", range(5, 8))
    write_parquet(tmp_path / "test-00000.parquet", range(5))
    dataset = opened("parquet:.", tmp_path)
    assert (len(dataset), dataset.input_shape, dataset.class_names) == (8, (1, 2, 3), ("a", "b", "c"))
    assert levels_of(dataset, 7, 0, 4, 5, 1) == [7, 0, 4, 5, 1]
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [level % 3 for level in range(8)]


class OneAtATime:
    """A Parquet file in which two readers wait for each other, and are noted if both come."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self.metadata = file.metadata
        self.together = False
        self._file = file
        self._barrier = threading.Barrier(2)

    def read_row_group(self, group: int, columns: list[str]) -> pa.Table:
        """Read, unless nobody else comes for a while."""
        with suppress(threading.BrokenBarrierError):
            self._barrier.wait(0.1)
            self.together = True
        return self._file.read_row_group(group, columns=columns)


def test_rows_are_read_by_one_thread_at_a_time(tmp_path: Path) -> None:
    """Arrow's reader is not made for two at once, and the group that is held belongs to one."""
    write_parquet(tmp_path / "set.parquet", range(6))
    file = OneAtATime(pq.ParquetFile(tmp_path / "set.parquet"))
    rows = RowGroups([file], "image")
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(rows.read, [5, 0])) == [("row 5", picture(5)), ("row 0", picture(0))]
    assert not file.together


def test_columns_of_other_names_can_be_named(tmp_path: Path) -> None:
    """Plain bytes are pictures too, and greys become RGB when that is said."""
    write_parquet(tmp_path / "set.parquet", range(2), scan=[picture(8), picture(9)], kind=[1, 0])
    dataset = opened("parquet:set.parquet?image=scan&label=kind&channels=3", tmp_path)
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [1, 0]
    assert dataset.input_shape == (3, 2, 3)
    assert levels_of(dataset, 0, 1) == [8, 9]
    for options in ("?image=other", "?label=other", "?column=image"):
        with pytest.raises(InvalidParameter):
            opened(f"parquet:set.parquet{options}", tmp_path)


def test_parquet_without_pictures_is_refused(tmp_path: Path) -> None:
    """Missing, damaged, empty, and of other columns."""
    with pytest.raises(NotFound):
        opened("parquet:set.parquet", tmp_path)
    with pytest.raises(NotFound, match=r"no \.parquet file"):
        opened("parquet:.", tmp_path)
    (tmp_path / "set.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UnreadableInput, match=r"set\.parquet"):
        opened("parquet:set.parquet", tmp_path)
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "set.parquet")
    with pytest.raises(InvalidParameter, match="text"):
        opened("parquet:set.parquet", tmp_path)
    pq.write_table(pa.table({"image": ["a"]}), tmp_path / "set.parquet")
    with pytest.raises(UnreadableInput, match="no picture"):
        opened("parquet:set.parquet", tmp_path)
    pq.write_table(pa.table({"image": pa.array([], pa.binary())}), tmp_path / "set.parquet")
    with pytest.raises(NotFound, match="no rows"):
        opened("parquet:set.parquet", tmp_path)


def test_members_of_tar_files_are_pictures_with_labels(tmp_path: Path) -> None:
    """A key's picture and class go together, whichever comes first and whatever lies between."""
    write_tar(tmp_path / "b.tar", [("k/2.cls", b"1\n"), ("k/2.png", picture(2)), ("k/2.json", b"{}")])
    write_tar(
        tmp_path / "a.tar", [("0.png", picture(0)), ("0.cls", b"2"), ("1.PNG", picture(1)), ("1.cls", b"0")]
    )
    dataset = opened("wds:.", tmp_path)
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [2, 0, 1]
    assert levels_of(dataset, 2, 0, 1) == [2, 0, 1]
    assert opened("wds:b.tar?channels=3", tmp_path).input_shape == (3, 2, 3)


def test_a_tar_file_without_labels_is_an_unlabelled_set(tmp_path: Path) -> None:
    """Either all pictures have a class or none."""
    write_tar(tmp_path / "a.tar", [("0.png", picture(0)), ("1.png", picture(1))])
    assert opened("wds:a.tar", tmp_path).labels is None


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ([("0.png", picture(0)), ("0.cls", b"1"), ("1.png", picture(1))], UnreadableInput),
        ([("0.png", picture(0)), ("0.cls", b"cat")], UnreadableInput),
        ([("0.png", picture(0)), ("0.cls", b"9" * 30)], UnreadableInput),
        ([("0.png", b"no picture")], UnreadableInput),
        ([("0.txt", b"text")], NotFound),
    ],
)
def test_tar_members_that_make_no_set_are_refused(
    tmp_path: Path, members: list[tuple[str, bytes]], error: type[Exception]
) -> None:
    """Missing and senseless labels, damaged pictures, none at all."""
    write_tar(tmp_path / "a.tar", members)
    with pytest.raises(error):
        opened("wds:a.tar", tmp_path)


def _header(name: str, size: int) -> bytes:
    """Return the header of a member, of any size."""
    header = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    header[124:136] = size.to_bytes(12, "big", signed=True) if size < 0 else header[124:136]
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("size", [-512, -1024, -(1 << 80)])
def test_a_tar_file_that_leads_back_into_itself_is_refused(size: int, tmp_path: Path) -> None:
    """A member of negative size would be listed again for ever, or sought where no file reaches."""
    (tmp_path / "a.tar").write_bytes(_header("a.png", 0) + _header("b.png", size) + b"\0" * 1024)
    with pytest.raises(UnreadableInput, match=r"a\.tar"):
        opened("wds:a.tar", tmp_path)


def test_headers_upon_headers_are_refused(tmp_path: Path) -> None:
    """A long name that is followed by another, thousands of times, is no member."""
    long_name = tarfile.TarInfo("././@LongLink")
    long_name.type = tarfile.GNUTYPE_LONGNAME
    (tmp_path / "a.tar").write_bytes(long_name.tobuf(tarfile.GNU_FORMAT) * 5000)
    with pytest.raises(UnreadableInput, match=r"a\.tar"):
        opened("wds:a.tar", tmp_path)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    """The label of one would be given to the other."""
    pairs = [("0.png", picture(1)), ("0.cls", b"1"), ("0.png", picture(2)), ("0.cls", b"2")]
    write_tar(tmp_path / "a.tar", pairs)
    with pytest.raises(UnreadableInput, match=r"'0\.png' twice"):
        opened("wds:a.tar", tmp_path)


def test_compressed_damaged_and_missing_tar_files_are_refused(tmp_path: Path) -> None:
    """A compressed file cannot be read picture by picture."""
    write_tar(tmp_path / "a.tar", [("0.png", picture(0))], "w:gz")
    with pytest.raises(UnreadableInput, match="uncompressed"):
        opened("wds:a.tar", tmp_path)
    with pytest.raises(NotFound, match=r"b\.tar"):
        opened("wds:b.tar", tmp_path)
