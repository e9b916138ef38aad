"""A door to a server that can be shut and opened: to its clients, a cluster that goes away and comes back."""

from __future__ import annotations

import contextlib
import socket
import threading
from urllib.parse import urlparse


class Door:
    """``url`` leads to the server behind it while the door is open; it is shut at first."""

    def __init__(self, target: str) -> None:
        address = urlparse(target)
        self._target = (address.hostname, address.port)
        self._sockets: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        if self._listener is not None:
            # Only a shutdown wakes a thread that waits in accept or recv.
            _end(self._listener)
            self._listener = None
        for held in list(self._sockets):
            _end(held)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self._sockets |= {client, server}
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            self._sockets.discard(end)
            _end(end)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
