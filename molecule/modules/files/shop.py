"""Stands in for the application of the examples: its slot green, its proxy, its socket and its database's port."""

from __future__ import annotations

import http.server
import json
import os
import socket
import socketserver
import ssl
import sys
import threading


class Shop(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"status": "healthy", "version": "1.4.3", "checks": {"database": "ok"}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "client"


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def secured(server: http.server.HTTPServer) -> http.server.HTTPServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/etc/shop.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


def announce_ready() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.connect(os.environ["NOTIFY_SOCKET"])
        notifier.sendall(b"READY=1")


def main() -> None:
    port = int(sys.argv[1])
    servers: list[socketserver.BaseServer] = [http.server.ThreadingHTTPServer(("127.0.0.1", port), Shop)]
    if "--alone" not in sys.argv:
        servers += [
            secured(http.server.ThreadingHTTPServer(("127.0.0.1", 443), Shop)),
            UnixServer("/run/shop/web.sock", Shop),
            socketserver.ThreadingTCPServer(("127.0.0.1", 5432), Shop),
        ]
    for server in servers:
        threading.Thread(target=server.serve_forever).start()
    announce_ready()


main()
