"""Tells jalon which variables of the environment the project asks for.

Every look at `os.environ` goes through one method of one class. What a library asks for is its own affair; what the
project's code asks for, or its configuration while it is loaded, decides what it does. Names that look like secrets are not
told: credentials are no part of a key.
"""

import os
import re
import sys

from . import memory

SECRET = re.compile("SECRET|TOKEN|PASSW|CREDENTIAL|API_?KEY|ACCESS_KEY|PRIVATE_KEY", re.IGNORECASE)
# Where the environment is handed on as a whole, or said what every node sees.
WHOLE = {"copy", "__iter__", "__or__", "__ror__", "__repr__", "items", "values"}
NOT_HASHED = {"PATH", "HOME", "USER", "TMPDIR", "TERM"}

told = set()


def watch():
    real = os._Environ.__getitem__

    def getitem(self, key):
        if key not in told and isinstance(key, str):
            ask(key)
        return real(self, key)

    os._Environ.__getitem__ = getitem


def ask(key):
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename in ("<frozen os>", "<frozen _collections_abc>", os.__file__):
        if frame.f_code.co_name in WHOLE:
            return
        frame = frame.f_back
    if frame is None:
        return
    file = frame.f_code.co_filename
    if (memory.is_project(file) or "omegaconf" in file) and "/.jalon/" not in file:
        told.add(key)
        if not SECRET.search(key) and key not in NOT_HASHED:
            memory.tell("variable/" + key)


def forget():
    """Another page begins: what was told before is to be told again."""
    told.clear()
