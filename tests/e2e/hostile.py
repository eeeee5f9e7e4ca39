#!/usr/bin/env python3
"""Garbage, plain HTTP, wrong certificates, oversized messages, slow clients, and a telegram that crashes a build made to crash: each ends
in a counted, logged outcome, while a well-behaved gateway keeps its acknowledgements under a second."""
import os
import pathlib
import socket
import ssl
import struct
import sys
import threading
import time

from emt import ROOT, Node, Tenant, agent, build_dir, operator, run, say, wait_for, workspace
import vectors


def tcp(port):
    s = socket.create_connection(('127.0.0.1', port), timeout=10)
    s.settimeout(10)
    return s


def closed(s, seconds):
    """Waits until the peer closes; how long it took, None if it did not."""
    start = time.monotonic()
    s.settimeout(seconds)
    try:
        while s.recv(4096):
            pass
    except (TimeoutError, socket.timeout):
        return None
    except OSError:
        pass
    return time.monotonic() - start


def client_context(folder, cert='gateway.pem', key='gateway.key', alpn=('emt/1',)):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    c.maximum_version = ssl.TLSVersion.TLSv1_2
    if alpn:
        c.set_alpn_protocols(list(alpn))
    if folder:
        c.load_cert_chain(str(folder / cert), str(folder / key))
    return c


def tls(port, context):
    return context.wrap_socket(tcp(port), server_hostname='localhost')


def varint(n):
    out = b''
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, payload):
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def message(number, body):
    envelope = field(number, body)
    return struct.pack('>I', len(envelope)) + envelope


def hello(spool=b'S' * 16):
    return message(1, field(1, 1) + field(2, 1) + field(3, spool) + field(4, 1) + field(5, 1))


def read_message(s):
    def exactly(n):
        data = b''
        while len(data) < n:
            part = s.recv(n - len(data))
            if not part:
                raise EOFError
            data += part
        return data
    return exactly(struct.unpack('>I', exactly(4))[0])


class Attack:
    """Does something to the port and names the counter that must rise."""

    def __init__(self, node, name, counter, act):
        self.node, self.name, self.counter, self.act = node, name, counter, act

    def run(self):
        before = self.node.metric(self.counter)
        log_before = len(self.node.process.output())
        self.act()
        wait_for(f'{self.name}: counter {self.counter} rises', lambda: self.node.metric(self.counter) > before, 15)
        wait_for(f'{self.name}: logged', lambda: len(self.node.process.output()) > log_before, 5)
        say(f'{self.name}: ended and counted in {self.counter}')


def attacks(node, dir, gateway, own_ca):
    port = node.field

    def garbage():
        for i in range(20):
            with tcp(port) as s:
                s.sendall(os.urandom(512) if i % 2 else b'\0' * 512)
                assert closed(s, 15) is not None, 'a garbage connection stays open'

    def http():
        with tcp(port) as s:
            s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
            assert closed(s, 15) is not None

    def no_certificate():
        try:
            with tls(port, client_context(None)) as s:
                s.sendall(hello())
                assert closed(s, 15) is not None
        except (ssl.SSLError, OSError):
            pass

    def wrong_certificate():
        try:
            with tls(port, client_context(own_ca, 'self.pem', 'self.key')) as s:
                s.sendall(hello())
                assert closed(s, 15) is not None
        except (ssl.SSLError, OSError):
            pass

    def no_alpn():
        try:
            with tls(port, client_context(gateway, alpn=None)) as s:
                s.sendall(hello())
                assert closed(s, 15) is not None
        except (ssl.SSLError, OSError):
            pass

    def silent():
        with tcp(port) as s:
            assert closed(s, 15) is not None, 'a silent connection stays open'

    def drip():
        with tcp(port) as s:
            s.settimeout(0.2)
            start = time.monotonic()
            try:
                for byte in b'\x16\x03\x01\x02\x00' + b'\x01' * 100:
                    s.sendall(bytes([byte]))
                    time.sleep(0.25)
                    assert time.monotonic() - start < 20, 'a dripping handshake is never ended'
            except OSError:
                pass

    def no_hello():
        with tls(port, client_context(gateway)) as s:
            assert closed(s, 15) is not None, 'a session without Hello stays open'

    def oversized():
        with tls(port, client_context(gateway)) as s:
            s.sendall(struct.pack('>I', 1 << 31) + b'x' * 100)
            assert closed(s, 15) is not None

    def no_protobuf():
        with tls(port, client_context(gateway)) as s:
            s.sendall(struct.pack('>I', 64) + b'\xff' * 64)
            assert closed(s, 15) is not None

    def frames_first():
        with tls(port, client_context(gateway)) as s:
            s.sendall(message(3, field(1, field(1, 1) + field(5, b'x'))))
            assert closed(s, 15) is not None

    def beyond_credit():
        with tls(port, client_context(gateway)) as s:
            s.sendall(hello(b'C' * 16))
            read_message(s)
            try:
                for first in range(1, 20000, 50):
                    s.sendall(message(3, b''.join(field(1, field(1, first + i) + field(2, 1) + field(3, 1) + field(5, b'x' * 16000)) for i in range(50))))
            except OSError:
                pass
            assert closed(s, 20) is not None

    return [
        Attack(node, 'garbage on the TLS port', 'emt_field_handshakes_total{result="garbage"', garbage),
        Attack(node, 'plain HTTP on the TLS port', 'emt_field_handshakes_total{result="http"', http),
        Attack(node, 'no client certificate', 'emt_field_handshakes_total{result="no-certificate"', no_certificate),
        Attack(node, 'self-signed client certificate', 'emt_field_handshakes_total{result="self-signed"', wrong_certificate),
        Attack(node, 'no ALPN', 'emt_field_handshakes_total{result="no-alpn"', no_alpn),
        Attack(node, 'a connection that says nothing', 'emt_field_handshakes_total{result="timeout"', silent),
        Attack(node, 'a handshake that drips', 'emt_field_handshakes_total{result="', drip),
        Attack(node, 'TLS, but no Hello', 'emt_field_closed_total{', no_hello),
        Attack(node, 'a message of 2 GiB', 'emt_field_closed_total{', oversized),
        Attack(node, 'a message that is no protobuf', 'emt_field_closed_total{', no_protobuf),
        Attack(node, 'frames before Hello', 'emt_field_closed_total{', frames_first),
        Attack(node, 'frames beyond the credit', 'emt_field_closed_total{', beyond_credit),
    ]


class Steady(threading.Thread):
    """A well-behaved gateway that sends one frame after the other and notes how long each acknowledgement takes."""

    def __init__(self, node, folder):
        super().__init__(daemon=True)
        self.node, self.folder = node, folder
        self.times, self.stop_now, self.fault = [], False, None

    def run(self):
        try:
            with tls(self.node.field, client_context(self.folder)) as s:
                s.sendall(hello(b'T' * 16))
                read_message(s)
                seq = 0
                while not self.stop_now:
                    seq += 1
                    data = bytes.fromhex(vectors.energy_telegram('55556666', 1000 + seq, access=seq & 255))
                    start = time.monotonic()
                    s.sendall(message(3, field(1, field(1, seq) + field(2, int(time.time() * 1e6)) + field(3, 1) + field(4, 1) + field(5, data))))
                    while True:
                        m = read_message(s)
                        if m[0] >> 3 == 4:  # Ack; field 1 of it is up_to
                            inner = m[2:] if m[1] < 128 else m[3:]
                            up_to, shift, i = 0, 0, 1
                            while True:
                                up_to |= (inner[i] & 127) << shift
                                shift += 7
                                if inner[i] < 128:
                                    break
                                i += 1
                            if up_to >= seq:
                                break
                        elif m[0] >> 3 == 8:
                            s.sendall(message(9, m[2:]))
                    self.times.append(time.monotonic() - start)
                    time.sleep(0.02)
        except Exception as e:  # looked at by the test
            if not self.stop_now:
                self.fault = e


def self_signed(dir):
    dir.mkdir()
    run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', dir / 'self.key', '-out',
         dir / 'self.pem', '-days', '2', '-subj', '/O=stadtwerke/CN=gw-1'])
    return dir


def under_attack(dir, nodes):
    node = Node(dir / 'n', alone='one node is attacked, and what its gateways feel is measured')
    node.field_extra = ['  hello: 2s', '  handshake: 2s']
    nodes.append(node)
    node.start()
    op = operator(node)
    t = Tenant(op, 'stadtwerke')
    bad = t.gateway('gw-bad', dir / 'gw-bad', node)
    good = t.gateway('gw-good', dir / 'gw-good', node)
    steady = Steady(node, good)
    steady.start()
    wait_for('the steady gateway is acknowledged', lambda: len(steady.times) > 10 or steady.fault, 20)
    for a in attacks(node, dir, bad, self_signed(dir / 'self')):
        a.run()
        assert steady.fault is None, f'{a.name}: the steady gateway lost its session: {steady.fault!r}'
    # A slow flood beside it: many half-open connections at once.
    flood = [tcp(node.field) for _ in range(300)]
    time.sleep(3)
    for s in flood:
        s.close()
    steady.stop_now = True
    steady.join(10)
    assert steady.fault is None, steady.fault
    times = sorted(steady.times)
    say(f'{len(times)} frames acknowledged meanwhile: median {times[len(times) // 2] * 1000:.0f} ms, worst {times[-1] * 1000:.0f} ms')
    assert times[-1] < 1.0, f'an acknowledgement took {times[-1]:.2f} s'
    assert node.process.stop() == 0


def crash_build():
    """emtd whose decoder aborts on telegrams of manufacturer BUM."""
    dir = build_dir() / 'crash-test'
    run(['cmake', '-S', ROOT, '-B', dir, '-DEMT_CRASH_TEST=ON', '-DEMT_TESTS=OFF', '-DCMAKE_BUILD_TYPE=Release'])
    run(['cmake', '--build', dir, '--target', 'emtd', '-j', str(os.cpu_count())], timeout=900)
    return dir / 'emtd'


def crashing_telegram(dir, nodes):
    program = crash_build()
    node = Node(dir / 'c', program=program, alone='the telegram would end each node once')
    nodes.append(node)
    node.start()
    op = operator(node)
    t = Tenant(op, 'stadtwerke')
    folder = t.gateway('gw-1', dir / 'gw-c', node)
    lines = [vectors.energy_telegram('77770001', 1000 + i, access=i) for i in range(20)]
    lines.insert(10, vectors.energy_telegram('66660001', 1, manufacturer='BUM'))
    (dir / 'bum.hex').write_text('\n'.join(lines) + '\n')
    p = agent(folder, node, '--replay', dir / 'bum.hex', '--rate', '20', '--once', '--timeout', '120')
    crashes = 0
    while p.alive():
        if not node.process.alive():
            crashes += 1
            assert crashes <= 1, 'the telegram ended the process a second time'
            node.process.kill()
            node.start(wait=False)
        time.sleep(0.1)
    assert p.popen.wait() == 0, p.output()[-3000:]
    assert crashes >= 1, 'the crash-test build did not crash'
    node.wait_ready()
    frames = t.all('/frames')
    states = sorted(f['state'] for f in frames)
    assert states == ['ok'] * 20 + ['quarantined'], states
    alarms = [e for e in t.all('/events') if e['kind'] == 'quarantined']
    assert alarms and alarms[0]['severity'] == 'alarm', t.all('/events')
    say(f'a telegram that ends the process: {crashes} crash, then quarantined, acknowledged, alarmed; the other 20 are in')
    assert node.process.stop() == 0


def main():
    with workspace('hostile') as (dir, nodes):
        under_attack(dir, nodes)
        crashing_telegram(dir, nodes)


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
