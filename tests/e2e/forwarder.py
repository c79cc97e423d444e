"""A door in front of a service: closed at first, so that the service seems to be away."""

import selectors
import socket
import threading


class Forwarder:
    """A port of 127.0.0.1 that refuses connections until `open()`, and again after `close()`."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.connections = set()
        self.lock = threading.Lock()
        self.listener = None
        # It never listens: while the door is closed, nobody else gets the port.
        self.place = socket.socket()
        self.place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.place.bind(("127.0.0.1", 0))
        self.port = self.place.getsockname()[1]

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def close(self):
        """Refuses new connections and cuts those that are open."""
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        with self.lock:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pump, args=(client,), daemon=True).start()

    def _pump(self, client):
        try:
            service = socket.create_connection(self.target)
        except OSError:
            client.close()
            return
        with client, service:
            with self.lock:
                self.connections |= {client, service}
            with selectors.DefaultSelector() as ready:
                ready.register(client, selectors.EVENT_READ, service)
                ready.register(service, selectors.EVENT_READ, client)
                try:
                    while self._pass_on(ready):
                        pass
                except OSError:
                    pass
            with self.lock:
                self.connections -= {client, service}

    @staticmethod
    def _pass_on(ready):
        for key, _ in ready.select():
            data = key.fileobj.recv(65536)
            if not data:
                return False
            key.data.sendall(data)
        return True
