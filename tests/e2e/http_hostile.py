#!/usr/bin/env python3
"""The HTTPS front against those who mean harm: smuggled, malformed, oversized and slow requests, path traversal, too many connections, a
database that does not answer, and readers that do not read. Each has its expected status; others are served all the while."""
import os
import pathlib
import re
import signal
import socket
import ssl
import sys
import threading
import time

from emt import Node, Tenant, operator, say, wait_for, workspace


class Peer:
    """A raw connection over TLS."""

    def __init__(self, node, context):
        s = socket.create_connection(('127.0.0.1', node.https), timeout=20)
        self.s = context.wrap_socket(s, server_hostname='localhost')
        self.s.settimeout(20)
        self.buffer = b''

    def send(self, data):
        try:
            self.s.sendall(data)
        except OSError:
            pass  # the answer says why
        return self

    def more(self):
        try:
            piece = self.s.recv(65536)
        except (ConnectionError, ssl.SSLError):
            piece = b''
        self.buffer += piece
        return bool(piece)

    def answer(self):
        """(status, head, body) of the next answer; status 0: the connection ended."""
        while b'\r\n\r\n' not in self.buffer:
            if not self.more():
                return 0, b'', b''
        head, self.buffer = self.buffer.split(b'\r\n\r\n', 1)
        n = int(re.search(rb'(?i)content-length: (\d+)', head)[1])
        while len(self.buffer) < n:
            if not self.more():
                break
        body, self.buffer = self.buffer[:n], self.buffer[n:]
        return int(head.split(b' ')[1]), head, body

    def ended(self):
        while self.more():
            pass
        return not self.buffer

    def close(self):
        self.s.close()


HOST = b'Host: localhost\r\n'
CHUNKED = b'Transfer-Encoding: chunked\r\n'

# What is sent, and the only status that may answer it. Behind each stands a request that must not be answered: it would have been smuggled.
REFUSED = [
    ('a length and an encoding', b'POST /healthz HTTP/1.1\r\n' + HOST + b'Content-Length: 4\r\n' + CHUNKED + b'\r\n0\r\n\r\n', 400),
    ('two lengths', b'POST /healthz HTTP/1.1\r\n' + HOST + b'Content-Length: 4\r\nContent-Length: 0\r\n\r\nabcd', 400),
    ('the same length twice', b'POST /healthz HTTP/1.1\r\n' + HOST + b'Content-Length: 0\r\nContent-Length: 0\r\n\r\n', 400),
    ('a list of lengths', b'POST /healthz HTTP/1.1\r\n' + HOST + b'Content-Length: 0, 0\r\n\r\n', 400),
    ('a signed length', b'POST /healthz HTTP/1.1\r\n' + HOST + b'Content-Length: +0\r\n\r\n', 400),
    ('an unknown encoding', b'POST /healthz HTTP/1.1\r\n' + HOST + b'Transfer-Encoding: xchunked\r\n\r\n', 501),
    ('an encoding of two', b'POST /healthz HTTP/1.1\r\n' + HOST + b'Transfer-Encoding: gzip, chunked\r\n\r\n', 400),
    ('two encodings', b'POST /healthz HTTP/1.1\r\n' + HOST + CHUNKED + CHUNKED + b'\r\n0\r\n\r\n', 400),
    ('a blank before the colon', b'POST /healthz HTTP/1.1\r\n' + HOST + b'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n', 400),
    ('chunks of HTTP/1.0', b'POST /healthz HTTP/1.0\r\n' + CHUNKED + b'\r\n0\r\n\r\n', 400),
    ('a folded header', b'GET /healthz HTTP/1.1\r\n' + HOST + b'X-A: b\r\n c\r\n\r\n', 400),
    ('a bare LF in the head', b'GET /healthz HTTP/1.1\r\nHost: localhost\nX-A: b\r\n\r\n', 400),
    ('a bare LF at its end', b'GET /healthz HTTP/1.1\r\n' + HOST + b'\n', 400),
    ('a bare CR', b'GET /healthz HTTP/1.1\r\nHost: localhost\rX-A: b\r\n\r\n', 400),
    ('a zero byte', b'GET /healthz HTTP/1.1\r\n' + HOST + b'X-A: b\x00c\r\n\r\n', 400),
    ('no host', b'GET /healthz HTTP/1.1\r\n\r\n', 400),
    ('two hosts', b'GET /healthz HTTP/1.1\r\n' + HOST + HOST + b'\r\n', 400),
    ('a chunk with an extension', b'POST /healthz HTTP/1.1\r\n' + HOST + CHUNKED + b'\r\n1;a=b\r\nx\r\n0\r\n\r\n', 400),
    ('a chunk that is longer than it says', b'POST /healthz HTTP/1.1\r\n' + HOST + CHUNKED + b'\r\n1\r\nxy\r\n0\r\n\r\n', 400),
    ('a chunk of no size', b'POST /healthz HTTP/1.1\r\n' + HOST + CHUNKED + b'\r\n-1\r\nx\r\n0\r\n\r\n', 400),
    ('a chunk of overflowing size', b'POST /healthz HTTP/1.1\r\n' + HOST + CHUNKED + b'\r\n10000000000000000\r\nx\r\n', 400),
    ('trailers', b'POST /healthz HTTP/1.1\r\n' + HOST + CHUNKED + b'\r\n0\r\nHost: evil\r\n\r\n', 400),
    ('HTTP/2 in the clear', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400),
    ('HTTP/3.0', b'GET /healthz HTTP/3.0\r\n' + HOST + b'\r\n', 505),
    ('no version', b'GET /healthz\r\n\r\n', 400),
    ('two blanks', b'GET  /healthz HTTP/1.1\r\n' + HOST + b'\r\n', 400),
    ('an absolute target', b'GET https://localhost/healthz HTTP/1.1\r\n' + HOST + b'\r\n', 400),
    ('a proxy request', b'CONNECT localhost:443 HTTP/1.1\r\n' + HOST + b'\r\n', 400),
    ('an expectation', b'GET /healthz HTTP/1.1\r\n' + HOST + b'Expect: wonders\r\n\r\n', 417),
    ('garbage', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400),
    ('600 query parameters', b'GET /healthz?' + b'&'.join(b'a%d=1' % i for i in range(600)) + b' HTTP/1.1\r\n' + HOST + b'\r\n', 400),
    ('a long target', b'GET /' + b'a' * 20000 + b' HTTP/1.1\r\n' + HOST + b'\r\n', 414),
    ('a long header', b'GET /healthz HTTP/1.1\r\n' + HOST + b'X-A: ' + b'a' * 20000 + b'\r\n\r\n', 431),
    ('many headers', b'GET /healthz HTTP/1.1\r\n' + HOST + b''.join(b'X-%d: 1\r\n' % i for i in range(200)) + b'\r\n', 431),
    ('headers without end', b'GET /healthz HTTP/1.1\r\n' + HOST + b'X-A: 1\r\n' * 20000, 431),
]
for path in (b'/../../etc/passwd', b'/..', b'/a/../healthz', b'/./healthz', b'/%2e%2e/etc/passwd', b'/.%2E/x', b'/%2E/x', b'/a%2fb', b'/a%5Cb', b'/a\\b',
             b'/%00', b'/a?b=%00', b'/%', b'/%4', b'/%zz', b'/a#b', b'/\xc3\xa4', b'/a\tb', b'/assets/..%2f..%2fetc/passwd'):
    REFUSED.append((f'the target {path!r}', b'GET ' + path + b' HTTP/1.1\r\n' + HOST + b'\r\n', 400))

# Odd, but sound.
TAKEN = [
    ('double encoding stays a name', b'GET /%252e%252e/etc/passwd HTTP/1.1\r\n' + HOST + b'\r\n', (200, 404)),
    ('dots in names', b'GET /api/v1/...a..b HTTP/1.1\r\n' + HOST + b'\r\n', (404,)),
    ('dot segments in the query', b'GET /healthz?x=/../.. HTTP/1.1\r\n' + HOST + b'\r\n', (200, 400)),
    ('an empty line before', b'\r\nGET /healthz HTTP/1.1\r\n' + HOST + b'\r\n', (200,)),
    ('an unknown method', b'BREW /healthz HTTP/1.1\r\n' + HOST + b'\r\n', (405,)),
    ('broken UTF-8 in the path', b'GET /api/v1/%c3%28 HTTP/1.1\r\n' + HOST + b'\r\n', (404,)),
    ('broken UTF-8 in the query', b'GET /healthz?a=%ff HTTP/1.1\r\n' + HOST + b'\r\n', (400,)),
]
SMUGGLED = b'GET /api/v1/openapi.yaml HTTP/1.1\r\n' + HOST + b'X-Smuggled: yes\r\n\r\n'


def refused(node, context):
    for what, data, status in REFUSED:
        for piece in (len(data), 7):
            if len(data) // piece > 400:
                continue
            p = Peer(node, context)
            for i in range(0, len(data), piece):
                p.send(data[i:i + piece])
            got, head, body = p.send(SMUGGLED).answer()
            assert got == status, f'{what}: {got} instead of {status}\n{head!r}'
            assert b'application/problem+json' in head and b'"status":%d' % status in body, (what, head, body)
            assert b'onnection: close' in head, (what, head)
            assert p.ended(), f'{what}: something follows'
            p.close()
    say(f'{len(REFUSED)} requests refused as they should be')


def pipelined(node, context):
    """What came before a refused request is answered, what comes behind it is not."""
    p = Peer(node, context)
    good = b'GET /healthz HTTP/1.1\r\n' + HOST + b'\r\n'
    p.send(good + good + b'GET /../x HTTP/1.1\r\n' + HOST + b'\r\n' + SMUGGLED)
    assert [p.answer()[0] for _ in range(3)] == [200, 200, 400]
    assert p.ended()
    p.close()


def taken(node, context):
    p = Peer(node, context)
    for what, data, statuses in TAKEN:
        got = p.send(data).answer()[0]
        assert got in statuses, f'{what}: {got} instead of {statuses}'
    p.close()


def slow(node, context):
    """A head and a body that drip: 408 after the time for a request, however diligently they go on."""
    head = b'GET /healthz HTTP/1.1\r\n' + HOST + b'X-A: ' + b'a' * 200
    body = b'POST /api/v1/login HTTP/1.1\r\n' + HOST + b'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n' + b' ' * 200

    def drip(data, out):
        p = Peer(node, context)
        start = time.monotonic()
        p.send(data[:100])
        for i in range(100, len(data)):
            p.s.settimeout(0.1)
            try:
                if not p.more() or p.buffer:
                    break
            except (TimeoutError, socket.timeout):
                pass
            p.send(data[i:i + 1])
        p.s.settimeout(20)
        out.append((p.answer()[0], time.monotonic() - start))
        p.close()

    out = []
    threads = [threading.Thread(target=drip, args=(d, out)) for d in (head, body) * 4]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [s for s, _ in out] == [408] * 8, out
    assert all(took < 15 for _, took in out), out
    say('slow heads and bodies end with 408')


def crowd(node, context):
    """One address has so many connections and no more; when some go, others may come."""
    before = node.metric('emt_http_refused_total{reason="peer"}')
    peers, failed = [], 0
    for _ in range(60):
        try:
            peers.append(Peer(node, context))
        except OSError:
            failed += 1
    assert failed >= 15, failed
    assert node.metric('emt_http_refused_total{reason="peer"}') >= before + failed
    for p in peers:
        p.close()

    def again():
        try:
            p = Peer(node, context)
        except OSError:
            return False
        ok = p.send(b'GET /healthz HTTP/1.1\r\n' + HOST + b'\r\n').answer()[0] == 200
        p.close()
        return ok
    wait_for('connections are taken again', again)
    say(f'{failed} connections of one address refused')


def deaf(node, context, tenant, op):
    """Streams and answers that nobody reads: others are served, and the memory stays."""
    authorization = f'Authorization: Bearer {tenant.rest.key}\r\n'.encode()
    request = b'GET ' + tenant.path.encode() + b'/stream HTTP/1.1\r\n' + HOST + authorization + b'\r\n'
    peers = [Peer(node, context).send(request) for _ in range(10)]
    many = b'GET /api/v1/openapi.yaml HTTP/1.1\r\n' + HOST + b'\r\n'
    greedy = Peer(node, context)
    greedy.s.settimeout(1)
    try:
        for _ in range(2000):
            greedy.s.sendall(many)
    except OSError:
        pass
    for _ in range(5):
        node.sql(f"insert into event (tenant_id, at, severity, kind, detail) select id, now(), 0, 'noise', repeat('x', 2000)"
                 f" from tenant, generate_series(1, 400) where key = '{tenant.key}'")
        time.sleep(1)
        tenant.get('/gateways')
    assert node.metric('emt_api_streams') == 10
    text = b''
    while b'event: lost\ndata: {"count":' not in text:
        assert peers[0].more(), 'the stream ended'
        text = peers[0].buffer
    for p in [*peers, greedy]:
        p.close()
    wait_for('the streams are gone', lambda: node.metric('emt_api_streams') == 0)
    say('readers that do not read lose events and nothing else')


def children(parent):
    out = []
    for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
        try:
            if int(stat.read_text().rsplit(')', 1)[1].split()[1]) == parent:
                out.append(int(stat.parent.name))
        except OSError:
            pass
    return out


def frozen(node, context, tenant, dir):
    """A database that is stopped, not gone: 503 in time, and all is well when it goes on."""
    postmaster = int(next(dir.rglob('postmaster.pid')).read_text().split()[0])
    stopped = [postmaster, *children(postmaster)]
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        start = time.monotonic()
        p = Peer(node, context)
        p.s.settimeout(70)
        p.send(f'GET {tenant.path}/gateways HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {tenant.rest.key}\r\n\r\n'.encode())
        status, head, _ = p.answer()
        took = time.monotonic() - start
        assert status == 503 and b'retry-after' in head.lower(), (status, head)
        p.close()
        assert took < 60, took
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    wait_for('the API answers again', lambda: tenant.rest.raw('GET', tenant.path + '/gateways')[0] == 200, 90)
    say(f'a stopped database: 503 after {took:.0f} s')


def main():
    with workspace('http') as (dir, nodes):
        node = Node(dir / 'a', alone='one front is attacked, by connections made by hand')
        config = node.config
        node.config = lambda: config().replace('api:\n', 'api:\n  request: 3\n  peer_connections: 40\n', 1)
        nodes.append(node)
        node.start()
        op = operator(node)
        tenant = Tenant(op, 'victim')
        context = ssl.create_default_context(cafile=str(dir / 'a' / 'root.pem'))
        refused(node, context)
        pipelined(node, context)
        taken(node, context)
        slow(node, context)
        deaf(node, context, tenant, op)
        crowd(node, context)
        assert node.metric('emt_http_refused_total{reason="malformed"}') >= len(REFUSED)
        frozen(node, context, tenant, dir / 'a')
        tenant.get('/gateways')
        assert node.process.alive()
    return 0


if __name__ == '__main__':
    sys.exit(main())
