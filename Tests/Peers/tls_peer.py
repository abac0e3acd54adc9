"""A Redis server that is alone in its cluster and speaks TLS, well or badly, by a mode.

Prints its port and serves until it is killed. Python's ssl is not what the client under test is
made of, but for OpenSSL itself.

Modes: well; tls11 (offers nothing newer); client (wants a client certificate); named (wants to be
asked for as localhost); garbage (bytes that are no TLS); plain (answers as a plain Redis does); cut
(ends in the middle of its first flight); torn (sends every byte by itself); cutoff (answers, then ends
without close_notify); bye (answers, then says good-bye as TLS does).
"""

import argparse
import socket
import ssl
import sys
import threading


def context(options):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(options.cert, options.key)
    if options.mode == "tls11":
        made.minimum_version = ssl.TLSVersion.TLSv1_1
        made.maximum_version = ssl.TLSVersion.TLSv1_1
        made.set_ciphers("ALL:@SECLEVEL=0")
    if options.mode == "named":
        made.sni_callback = lambda tls, name, _: (
            None if name == "localhost" else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
    if options.mode == "client":
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(options.ca)
    return made


class Peer:
    """One connection: TLS by memory buffers, so that every byte sent is this program's decision."""

    def __init__(self, connection, options, port):
        self.connection, self.options, self.port = connection, options, port
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context(options).wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.buffer = b""

    def serve(self):
        if self.options.mode == "garbage":
            self.connection.sendall(b"\x00\xffnot TLS at all\r\n" * 8)
            return
        if self.options.mode == "plain":
            self.connection.recv(65536)
            self.connection.sendall(b"-ERR Protocol error: unexpected byte\r\n")
            return
        self.step(self.tls.do_handshake)
        self.flush()
        while True:
            words = self.command()
            self.answer(words)
            if self.options.mode in ("cutoff", "bye") and words[0] == b"CLUSTER":
                if self.options.mode == "bye":
                    try:
                        self.tls.unwrap()
                    except ssl.SSLError:
                        pass  # the peer's own good-bye is not there yet
                    self.flush()
                return

    def step(self, action):
        while True:
            try:
                return action()
            except ssl.SSLWantReadError:
                self.flush()
                data = self.connection.recv(65536)
                if not data:
                    raise OSError("the client went away") from None
                self.incoming.write(data)
            except ssl.SSLError:
                self.flush()  # the alert
                raise

    def flush(self):
        data = self.outgoing.read()
        if self.options.mode == "cut" and data:
            self.connection.sendall(data[:len(data) // 2])
            raise OSError("cut")
        pieces = [data[i:i + 1] for i in range(len(data))] if self.options.mode == "torn" else [data]
        for piece in pieces:
            self.connection.sendall(piece)

    def take(self, end):
        while end(self.buffer) is None:
            self.buffer += self.step(lambda: self.tls.read(65536)) or self.gone()
        size = end(self.buffer)
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    @staticmethod
    def gone():
        raise OSError("the client said good-bye")

    def line(self):
        return self.take(lambda data: data.index(b"\r\n") + 2 if b"\r\n" in data else None)[:-2]

    def command(self):
        words = []
        for _ in range(int(self.line()[1:])):
            size = int(self.line()[1:])
            words.append(self.take(lambda data, size=size: size + 2 if len(data) >= size + 2
                                   else None)[:-2])
        return words

    def answer(self, words):
        if words[0] == b"CLUSTER":
            reply = self.topology()
        elif words[0] == b"PING":
            reply = "+PONG\r\n"
        elif words[0] == b"ECHO":
            reply = "$%d\r\n%s\r\n" % (len(words[1]), words[1].decode())
        else:
            reply = "+OK\r\n"
        self.tls.write(reply.encode())
        self.flush()

    def topology(self):
        def bulk(text):
            return "$%d\r\n%s\r\n" % (len(text), text)

        # The plain port leads nowhere: a client that goes there has forgotten TLS.
        node = {"id": "peer", "port": 1, "tls-port": self.port, "ip": "127.0.0.1",
                "endpoint": self.options.endpoint, "role": "master", "health": "online"}
        fields = "".join(bulk(name) + (":%d\r\n" % value if isinstance(value, int) else bulk(value))
                         for name, value in node.items())
        return ("*1\r\n*4\r\n" + bulk("slots") + "*2\r\n:0\r\n:16383\r\n" + bulk("nodes")
                + "*1\r\n*%d\r\n" % (2 * len(node)) + fields)


def serve(connection, options, port):
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Peer(connection, options, port).serve()
    except (OSError, ValueError) as error:
        print("ended: %s" % error, file=sys.stderr, flush=True)
    finally:
        connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", required=True)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--ca")
    parser.add_argument("--endpoint", default="127.0.0.1")
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    print(port, flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, options, port), daemon=True).start()


main()
