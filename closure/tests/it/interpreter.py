"""Runs `main:run` of projects: reads a directory a line, writes a line with the result.

Every project runs in a process of its own, forked from this one.
"""

import os
import sys

sys.dont_write_bytecode = True


def result(directory):
    sys.path.insert(0, directory)
    sys.setrecursionlimit(300)
    try:
        import main

        return repr([main.run(x) for x in (1, 2, 5)])
    except Exception as error:
        return "error " + type(error).__name__


def main():
    # A project may import this one's module by accident, never on purpose.
    for line in sys.stdin:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.write(write, result(line.rstrip("\n")).encode())
            os._exit(0)
        os.close(write)
        parts = []
        while part := os.read(read, 65536):
            parts.append(part)
        os.close(read)
        os.waitpid(child, 0)
        print(b"".join(parts).decode(), flush=True)


if __name__ == "__main__":
    del sys.modules["__main__"]
    main()
