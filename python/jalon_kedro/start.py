"""`python start.py REQUEST`: a session for jalon, whose standard input is a socket to it.

All of jalon's modules are imported at once, and its directory taken off `sys.path`: the project finds nothing of it.
"""

import json
import os
import sys


def main():
    above = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if os.path.abspath(place) != here]
    sys.path.insert(0, above)
    from jalon_kedro import serve

    sys.path.remove(above)
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    sys.argv[:] = ["kedro", "run"]
    os.chdir(request["project"])
    sys.exit(serve.main(request))


if __name__ == "__main__":
    main()
