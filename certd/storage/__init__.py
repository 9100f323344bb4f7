"""Storage: where named bytes are kept, on a local folder or in a bucket."""

from certd.storage.folder import FolderStore
from certd.storage.opening import open_store
from certd.storage.store import Store

__all__ = ["FolderStore", "Store", "open_store"]
