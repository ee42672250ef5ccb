"""Files as joblib writes them, without joblib: arrays' bytes follow the objects that stand for them in the pickle."""

import io
import pickle
import zlib

import numpy as np


class NumpyArrayWrapper:
    """As joblib.numpy_pickle.NumpyArrayWrapper, under whose name it is pickled."""


NumpyArrayWrapper.__module__ = "joblib.numpy_pickle"
_ALIGNMENT = 16  # bytes


class _Pickler(pickle._Pickler):
    def save(self, obj, save_persistent_id=True):
        if type(obj) is not np.ndarray or obj.dtype.hasobject:
            return super().save(obj, save_persistent_id)
        wrapper = NumpyArrayWrapper()
        wrapper.__dict__.update(
            subclass=np.ndarray, shape=obj.shape, order="C", dtype=obj.dtype, allow_mmap=True, numpy_array_alignment_bytes=_ALIGNMENT
        )
        super().save(wrapper, save_persistent_id)
        self.framer.commit_frame(force=True)
        position = self.stream.tell() + 1
        padding = _ALIGNMENT - position % _ALIGNMENT
        self.stream.write(padding.to_bytes(1, "little") + b"\xff" * padding + np.ascontiguousarray(obj).tobytes())


def write_joblib(path, content, compress):
    """Write a content as `joblib.dump` does, with `compress` by zlib."""
    stream = io.BytesIO()
    pickler = _Pickler(stream, protocol=4)
    pickler.stream = stream
    # pickle looks the class up in its module, which does not exist here.
    pickler.save_global = lambda obj, name=None: (
        stream_write_global(pickler) if obj is NumpyArrayWrapper else pickle._Pickler.save_global(pickler, obj, name)
    )
    pickler.dispatch_table = {}
    pickler.dump(content)
    plain = stream.getvalue()
    path.write_bytes(zlib.compress(plain, 3) if compress else plain)


def stream_write_global(pickler):
    """The instructions that name joblib's class."""
    pickler.save("joblib.numpy_pickle")
    pickler.save("NumpyArrayWrapper")
    pickler.write(pickle.STACK_GLOBAL)
    pickler.memoize(NumpyArrayWrapper)
