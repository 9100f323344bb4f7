"""Image sets: named ones, selections of them, and images read from bytes that nobody vouches for."""

from certd.datasets.dataset import Dataset
from certd.datasets.registry import dataset_names, load_dataset
from certd.datasets.selection import Selection

__all__ = ["Dataset", "Selection", "dataset_names", "load_dataset"]
