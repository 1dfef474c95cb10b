"""A relay between clients and a node, whose connections a test can cut. Standard library only."""

import socket
import struct
import threading

CHUNK = 1 << 16


class Relay:
    """Listens on a port of its own, and passes on what comes to `to` ("HOST:PORT")."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.to = None
        self.lock = threading.Lock()
        self.sockets = set()
        self.cuts = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
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
        # Not `close` alone, which does not wake who accepts.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()
