"""Image sets: named ones, selections of them, and arrays that are made into images or refused.

Files from outside are read by :mod:`certd.datasets.decoding`, which needs Pillow.
"""

from certd.datasets.dataset import Dataset
from certd.datasets.labels import to_labels
from certd.datasets.lazy import ImageSource, LazyDataset
from certd.datasets.opening import open_dataset
from certd.datasets.pixels import Layout, to_images
from certd.datasets.registry import (
    DatasetSpecification,
    dataset_names,
    describe_datasets,
    load_dataset,
)
from certd.datasets.selection import Selection, selection_digest

__all__ = [
    "Dataset",
    "DatasetSpecification",
    "ImageSource",
    "Layout",
    "LazyDataset",
    "Selection",
    "dataset_names",
    "describe_datasets",
    "load_dataset",
    "open_dataset",
    "selection_digest",
    "to_images",
    "to_labels",
]
