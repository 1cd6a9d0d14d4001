"""A Python object in a file: pickled with its large buffers beside it, so that reading maps them and copies nothing.

    offset 0   8 bytes  b"jalonpy" and the version, 1
           8   8 bytes  length of the pickle (protocol 5), little-endian
          16   8 bytes  number of buffers
          24  16 bytes  a buffer: offset and length; then the next one
              the pickle, then each buffer at a multiple of 64 bytes, of 4096 where it is longer than that

What cannot be pickled has a stand-in: 8 bytes b"jalonin" and the version, and JSON that names the node that makes it
and the key of that.

Buffers are in the order in which the pickle wants them. Zeroes fill the gaps. Who reads the file gets a private
copy of each page that it changes (`mmap.ACCESS_COPY`), so that consumers cannot see each other's changes.
"""

import json
import mmap
import os
import pickle
import struct
import sys

MAGIC = b"jalonpy\x01"
# What stands for an object that cannot be kept: this, and JSON that says which node makes it from what.
STAND_IN = b"jalonin\x01"
HEAD = struct.Struct("<8sQQ")
ENTRY = struct.Struct("<QQ")


class Unpicklable(Exception):
    """The object cannot be kept outside the process."""


def dump(value, path):
    buffers = []
    try:
        pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        raw = [buffer.raw() for buffer in buffers]
    except Exception as error:
        raise Unpicklable(f"{type(error).__name__}: {error}") from error
    at = HEAD.size + ENTRY.size * len(raw) + len(pickled)
    entries = []
    for buffer in raw:
        step = 4096 if buffer.nbytes > 4096 else 64
        at = -(-at // step) * step
        entries.append((at, buffer.nbytes))
        at += buffer.nbytes
    with open(path, "wb") as file:
        file.write(HEAD.pack(MAGIC, len(pickled), len(raw)))
        for entry in entries:
            file.write(ENTRY.pack(*entry))
        file.write(pickled)
        for (place, _), buffer in zip(entries, raw):
            file.write(b"\0" * (place - file.tell()))
            file.write(buffer)


def stand_in(path, made_by):
    with open(path, "wb") as file:
        file.write(STAND_IN + json.dumps(made_by, sort_keys=True).encode())


def load(path):
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(len(STAND_IN)) == STAND_IN:
            node = json.loads(file.read())["node"]
            raise ValueError(f"it lives in memory only, where node {node} makes it")
        if size < HEAD.size:
            raise ValueError(f"{path} holds no object of jalon's")
        view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    magic, length, count = HEAD.unpack_from(view)
    if magic != MAGIC:
        raise ValueError(f"{path} holds no object of jalon's")
    buffers = []
    for index in range(count):
        place, nbytes = ENTRY.unpack_from(view, HEAD.size + ENTRY.size * index)
        buffers.append(view[place : place + nbytes])
    start = HEAD.size + ENTRY.size * count
    return Unpickler(view[start : start + length], buffers).load()


class Unpickler:
    """Says which classes of the project were found: they are code that no function's text need name."""

    def __init__(self, pickled, buffers):
        import io

        class Finder(pickle.Unpickler):
            def find_class(self, module, name):
                found = super().find_class(module, name)
                told(module)
                return found

        self.unpickler = Finder(io.BytesIO(pickled), buffers=buffers)

    def load(self):
        return self.unpickler.load()


def told(module):
    file = getattr(sys.modules.get(module), "__file__", None)
    if file and is_project(file):
        tell("dynamic")


def is_project(file):
    file = os.path.abspath(file)
    return file.startswith(os.getcwd() + os.sep) and "site-packages" not in file


def tell(word):
    """A word to whoever watches this process: a path that cannot exist is looked at."""
    try:
        os.stat("/proc/jalon/" + word)
    except OSError:
        pass
