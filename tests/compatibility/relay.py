"""A relay between clients and a node, whose connections a test can cut. Standard library only."""

import socket
import struct
import threading

CHUNK = 1 << 16


class Relay:
    """Listens on a port of its own, if none is given, and passes on what comes to `to`
    ("HOST:PORT")."""

    def __init__(self, port=0):
        self.to = None
        self.lock = threading.Lock()
        self.sockets = set()
        self.cuts = 0
        self.listen(port)

    def listen(self, port):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def refuse(self):
        """Lets nobody connect any more, until it listens again."""
        if self.listener:
            # Not `close` alone, which does not wake who accepts.
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed
            try:
                host, port = self.to.rsplit(":", 1)
                node = socket.create_connection((host, int(port)))
            except OSError:
                client.close()  # as nobody listens there
                continue
            with self.lock:
                self.sockets |= {client, node}
            there, back = self.conversation()
            for way in ((client, node, there), (node, client, back)):
                threading.Thread(target=self.pump, args=way, daemon=True).start()

    def conversation(self):
        """For each way of a new connection, what to pass on when some bytes came."""
        return (lambda data: data,) * 2

    def pump(self, source, sink, passed_on):
        try:
            while data := source.recv(CHUNK):
                sink.sendall(passed_on(data))
        except OSError:
            pass  # cut
        with self.lock:
            self.sockets -= {source, sink}
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other direction ended first

    def cut(self):
        """Ends all connections at once, whatever is under way on them."""
        with self.lock:
            doomed = list(self.sockets)
        for one in doomed:
            try:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
                self.cuts += 1
            except OSError:
                pass  # it ended just now

    def close(self):
        self.refuse()
        self.cut()
