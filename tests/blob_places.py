"""Places that keep blobs, of which several stores can be opened."""

from havengate.blobs import FolderBlobStore
from havengate.bucket_blobs import BucketBlobStore
from havengate.buckets import open_bucket
from havengate.endpoints import read_endpoint

BUCKET = "pictures"


class FolderPlace:
    def __init__(self, root):
        self._root = root

    def open(self):
        return FolderBlobStore(self._root)

    def keys(self):
        """TABLE/HASH of all that is there."""
        return {f"{path.parts[-3]}/{path.name}" for path in self._root.rglob("*") if path.is_file()}


class BucketPlace:
    """``grace_s`` 0: what nobody holds goes at once, as in a folder."""

    def __init__(self, store, prefix="some/where"):
        self.store = store
        self._prefix = prefix
        self._opened = []
        store.fill(BUCKET, {})

    def open(self, grace_s=0.0):
        bucket = open_bucket(read_endpoint(self.store.endpoint), BUCKET, ("the-id", "the-secret"), 5)
        self._opened.append(BucketBlobStore(bucket, self._prefix, grace_s))
        return self._opened[-1]

    def close(self):
        for each in self._opened:
            each.close()

    def uploads(self):
        """The keys of all objects in the bucket."""
        return sorted(self._objects())

    def keys(self):
        return {key.removeprefix(f"{self._prefix}/").rpartition("/")[0] for key in self.uploads()}

    def age(self, seconds):
        """Everything that is there was uploaded so long ago."""
        from datetime import timedelta

        for each in self._objects().values():
            each.last_modified -= timedelta(seconds=seconds)

    def spoil(self, key, data):
        self.store.fill(BUCKET, {key: data})

    def _objects(self):
        from moto.s3.models import s3_backends
        from store_double import ACCOUNT

        return s3_backends[ACCOUNT]["aws"].buckets[BUCKET].keys
