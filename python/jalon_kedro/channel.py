"""Messages between jalon and a session: JSON with its length before it, over a stream socket.

Four bytes, big-endian, say how many bytes of UTF-8 follow; descriptors travel with the first of the four.
"""

import array
import json
import socket
import struct

LONGEST = 1 << 30


class Channel:
    def __init__(self, descriptor):
        self.socket = socket.socket(fileno=descriptor)

    def fileno(self):
        return self.socket.fileno()

    def send(self, message):
        body = json.dumps(message, separators=(",", ":")).encode()
        self.socket.sendall(struct.pack(">I", len(body)) + body)

    def receive(self):
        """The next message and the descriptors that came with it; nothing once the other end is closed."""
        head, descriptors = b"", []
        while len(head) < 4:
            data, ancillary, _, _ = self.socket.recvmsg(4 - len(head), socket.CMSG_SPACE(4 * 8))
            if not data:
                return None, []
            head += data
            for level, kind, payload in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    numbers = array.array("i")
                    numbers.frombytes(payload[: len(payload) - len(payload) % numbers.itemsize])
                    descriptors.extend(numbers)
        (length,) = struct.unpack(">I", head)
        if length > LONGEST:
            raise ValueError(f"a message of {length} bytes")
        body = bytearray()
        while len(body) < length:
            data = self.socket.recv(min(length - len(body), 1 << 20))
            if not data:
                return None, []
            body += data
        return json.loads(body), descriptors

    def close(self):
        self.socket.close()
