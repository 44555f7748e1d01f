"""The store: the only room that reads and writes our own files.

`atomic` writes whole or not at all, `tiles` keeps each tile's layers and record, `checkpoints` the detector's states
to resume from, `publish` the lock, the immutable runs and the `latest` link, `products`, `styles` and `stac` the files
that other programs read.
"""

from geomon.store.checkpoints import Checkpoint
from geomon.store.publish import Store
from geomon.store.stac import CollectionInfo, TileItem, write_stac
from geomon.store.tiles import StoredTile

__all__ = ["Checkpoint", "CollectionInfo", "Store", "StoredTile", "TileItem", "write_stac"]
