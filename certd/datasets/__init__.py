"""Image sets: named ones, selections of them, and arrays that are made into images or refused.

Files from outside are read by :mod:`certd.datasets.decoding`, which needs Pillow.
"""

from certd.datasets.dataset import Dataset
from certd.datasets.labels import to_labels
from certd.datasets.pixels import Layout, to_images
from certd.datasets.registry import dataset_names, load_dataset
from certd.datasets.selection import Selection

__all__ = ["Dataset", "Layout", "Selection", "dataset_names", "load_dataset", "to_images", "to_labels"]
