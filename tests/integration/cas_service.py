"""Runs on the client host: an https server that notes each request as a line of JSON.

Usage: cas_service.py CERTIFICATE_DIRECTORY LOG
"""

import http.server
import json
import ssl
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

DIRECTORY, LOG = map(Path, sys.argv[1:])


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        note = {
            "method": self.command,
            "path": url.path,
            "query": dict(parse_qsl(url.query)),
            "form": dict(parse_qsl(body)),
        }
        with LOG.open("a") as log:
            log.write(json.dumps(note) + "\n")
        self.send_response(500 if url.path == "/broken" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = answer  # noqa: N815


server = http.server.ThreadingHTTPServer(("", 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(DIRECTORY / "fullchain.pem", DIRECTORY / "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
LOG.touch()
server.serve_forever()
