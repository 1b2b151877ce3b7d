"""Ports for servers that begin to listen later."""

import errno
import random
import socket

# Who listens here at a port has claimed the same one of 127.0.0.1, until its process ends: so do the tests in Rust
# and in JavaScript.
CLAIMS = "127.0.0.77"
claimed = []


def free_port() -> int:
    """A port below those that systems give to whoever asks for any: until a server listens, nobody gets it by chance."""
    while True:
        port = random.randrange(15_000, 30_000)
        if claim(port):
            return port


def claim(port: int) -> bool:
    own = socket.socket()
    try:
        own.bind((CLAIMS, port))
        own.listen()
        claimed.append(own)
    except OSError as error:
        own.close()
        # There are systems that have 127.0.0.1 only.
        if error.errno != errno.EADDRNOTAVAIL:
            return False
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False
