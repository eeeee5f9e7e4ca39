#!/usr/bin/env python3
"""Meters on loopback that a gateway reads itself: an SML logger with noise and cuts, an IEC 62056-21 meter behind a serial converter and one on
a serial port, DLMS meters over the wrapper and over HDLC, with a
password, with a wrong one, and with GMAC and everything ciphered. Their values stand in REST to the digit."""
import os
import pathlib
import pty
import random
import socket
import sys
import threading
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from emt import Node, Tenant, agent, has_ipv6, operator, say, wait_for, workspace

PASSWORD = b'Geheim42'


def crc16(data):
    """CRC-16/X.25 of SML and HDLC."""
    crc = 0xFFFF
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return (crc ^ 0xFFFF).to_bytes(2, 'little')


# --- SML: open, list, close (BSI TR-03109-1, annex IV part b) ---

def octets(b):
    return bytes([len(b) + 1]) + b


def unsigned(v, n):
    return bytes([0x61 + n]) + v.to_bytes(n, 'big')


def message(n, tag, body):
    m = b'\x76' + octets(b'T%03d' % n) + b'\x62\x00\x62\x00\x72\x63' + tag.to_bytes(2, 'big') + body
    return m + b'\x63' + crc16(m) + b'\x00'


def sml_entry(code, unit, scaler, value):
    return b'\x77' + octets(bytes(code)) + b'\x01\x01' + b'\x62' + bytes([unit]) + b'\x52' + bytes([scaler & 255]) + unsigned(value, 8) + b'\x01'


def sml_file(number, wh, watt):
    server = b'\x0a\x01EMT\x00' + number.to_bytes(4, 'big')
    entries = sml_entry((1, 0, 1, 8, 0, 255), 30, -1, wh) + sml_entry((1, 0, 16, 7, 0, 255), 27, 0, watt)
    body = message(1, 0x101, b'\x76\x01\x01' + octets(b'F') + octets(server) + b'\x01\x01')
    body += message(2, 0x701, b'\x77\x01' + octets(server) + b'\x01\x01\x72' + entries + b'\x01\x01')
    body += message(3, 0x201, b'\x71\x01')
    pad = -len(body) % 4
    file = b'\x1b\x1b\x1b\x1b\x01\x01\x01\x01' + body + bytes(pad) + b'\x1b\x1b\x1b\x1b\x1a' + bytes([pad])
    return file + crc16(file)


# --- IEC 62056-21 ---

def iec_block(text):
    block = text.encode() + b'\x03'
    bcc = 0
    for b in block:
        bcc ^= b
    return b'\x02' + block + bytes([bcc])


IEC_TCP = iec_block('0.0.0(1EMT0020000001)\r\n1.8.0(0012345.678*kWh)\r\n2.8.0(0000007.001*kWh)\r\n!\r\n')
IEC_TTY = iec_block('0.0.0(1EMT0020000002)\r\n1.8.0(0099887.7*kWh)\r\n!\r\n')


def iec_meter(read, write, block, damaged_first):
    """Mode C; the first block has a wrong check and is repeated on NAK."""
    line = b''
    while not line.endswith(b'!\r\n'):
        line += read(1)
    assert line == b'/?!\r\n', line
    write(b'/EMT5LOOP\r\n')
    line = b''
    while not line.endswith(b'\r\n'):
        line += read(1)
    assert line[:1] == b'\x060'[:1] and line[3:4] == b'0', line
    if damaged_first:
        write(block[:-1] + bytes([block[-1] ^ 0x55]))
        assert read(1) == b'\x15'
    write(block)


# --- DLMS: a server of five objects, over the wrapper or HDLC ---

SCALE_WH = bytes.fromhex('0202 0fff 161e')
CLOCK, IMPORT = bytes([0, 0, 1, 0, 0, 255]), bytes([1, 0, 1, 8, 0, 255])
PROFILE = bytes([1, 0, 99, 1, 0, 255])


def definition(class_id, code, attribute):
    return b'\x02\x04\x12' + class_id.to_bytes(2, 'big') + b'\x09\x06' + code + b'\x0f' + bytes([attribute]) + b'\x12\x00\x00'


def date_time(t):
    """UTC with its deviation."""
    return t.year.to_bytes(2, 'big') + bytes([t.month, t.day, 255, t.hour, t.minute, t.second, 0, 0, 0, 0])


class Dlms:
    def __init__(self, number, value, rows):
        self.rows, self.blocks, self.ranges = rows, [], []
        self.values = {(1, bytes([0, 0, 96, 1, 0, 255]), 2): b'\x09' + bytes([len(number)]) + number.encode(),
                       (3, IMPORT, 2): b'\x06' + value.to_bytes(4, 'big'), (3, IMPORT, 3): SCALE_WH,
                       (7, PROFILE, 3): b'\x01\x02' + definition(8, CLOCK, 2) + definition(3, IMPORT, 2),
                       (7, PROFILE, 4): b'\x06' + (900).to_bytes(4, 'big')}

    def buffer(self, request):
        """Rows of the range; every second clock is left out, as meters do."""
        fields = [request[i + 2:i + 14] for i in range(len(request) - 13) if request[i:i + 2] == b'\x09\x0c']
        low, high = (datetime(int.from_bytes(f[:2], 'big'), f[2], f[3], f[5], f[6], f[7], tzinfo=timezone.utc)
                     + timedelta(minutes=int.from_bytes(f[9:11], 'big', signed=True)) for f in fields)
        self.ranges.append((low, high))
        rows = [(t, v) for t, v in self.rows if low <= t <= high]
        out = b'\x01' + (bytes([len(rows)]) if len(rows) < 128 else b'\x81' + bytes([len(rows)]))
        for i, (t, v) in enumerate(rows):
            out += b'\x02\x02' + (b'\x00' if i % 2 else b'\x09\x0c' + date_time(t)) + b'\x06' + v.to_bytes(4, 'big')
        return out

    def answer(self, apdu):
        if apdu[0] == 0x60:
            good = b'\xac\x0a\x80\x08' + PASSWORD in apdu
            return bytes.fromhex('6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000501f01f40007' if good else
                                 '6117a109060760857405080101a203020101a305a10302010d')
        if apdu[0] == 0x62:
            return bytes.fromhex('6303800100')
        if apdu[:2] == b'\xc0\x02':
            number = int.from_bytes(apdu[3:7], 'big')
            return self.block(number + 1)
        key = (int.from_bytes(apdu[3:5], 'big'), apdu[5:11], apdu[11])
        data = self.buffer(apdu) if key == (7, PROFILE, 2) else self.values.get(key)
        if data is None:
            return b'\xc4\x01\xc1\x01\x04'
        if len(data) < 200:
            return b'\xc4\x01\xc1\x00' + data
        self.blocks = [data[i:i + 180] for i in range(0, len(data), 180)]
        return self.block(1)

    def block(self, n):
        part = self.blocks[n - 1]
        return b'\xc4\x02\xc1' + bytes([n == len(self.blocks)]) + n.to_bytes(4, 'big') + b'\x00\x81' + bytes([len(part)]) + part

    def wrapper(self, read, write):
        while True:
            head = read(8)
            apdu = read(int.from_bytes(head[6:8], 'big'))
            reply = self.answer(apdu)
            write(b'\x00\x01' + head[4:6] + head[2:4] + len(reply).to_bytes(2, 'big') + reply)

    def hdlc(self, read, write):
        """Addresses 1 and 16; answers in segments of at most 60 bytes."""
        pending, ns, nr = [], 0, 0

        def frame(control, info=b'', more=False):
            head = (0xA000 | (0x800 if more else 0) | (len(info) + 2 + 7 if info else 7)).to_bytes(2, 'big')
            head += bytes([16 << 1 | 1, 1 << 1 | 1, control])
            head += crc16(head)
            write(b'\x7e' + head + (info + crc16(head + info) if info else b'') + b'\x7e')

        def segment():
            nonlocal ns
            part = pending.pop(0)
            frame(nr << 5 | 0x10 | ns << 1, part, bool(pending))
            ns = (ns + 1) % 8

        while True:
            assert read(1) == b'\x7e'
            head = read(2)
            rest = read((int.from_bytes(head, 'big') & 0x7FF) - 2)
            assert read(1) == b'\x7e' and crc16(head + rest[:-2]) == rest[-2:]
            control = rest[2]
            if control == 0x93:
                ns = nr = 0
                frame(0x73)
            elif control == 0x53:
                frame(0x73)
            elif control & 1 == 0:
                assert rest[5:8] == b'\xe6\xe6\x00', rest.hex()
                nr = (nr + 1) % 8
                reply = b'\xe6\xe7\x00' + self.answer(rest[8:-2])
                pending = [reply[i:i + 60] for i in range(0, len(reply), 60)]
                segment()
            else:
                assert control & 15 == 1 and control >> 5 == ns, hex(control)
                segment()


KEY, AUTHENTICATION_KEY, TITLE = bytes(range(16)), bytes(range(0xd0, 0xe0)), b'EMTMETER'


class Secured(Dlms):
    """The same meter behind GMAC (mechanism 5): every request and answer ciphered, counters only rise."""
    def seal(self, control, title, counter, plain):
        """Cipher text and tag, of 12 bytes (IEC 62056-5-3, security suite 0)."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        head = bytes([control]) + AUTHENTICATION_KEY
        nonce = title + counter.to_bytes(4, 'big')
        if control == 0x10:
            return AESGCM(KEY).encrypt(nonce, b'', head + plain)[:12]
        return AESGCM(KEY).encrypt(nonce, plain, head)[:-4]

    def protected(self, plain):
        self.counter += 1
        body = b'\x30' + self.counter.to_bytes(4, 'big') + self.seal(0x30, TITLE, self.counter, plain)
        size = bytes([len(body)]) if len(body) < 128 else b'\x82' + len(body).to_bytes(2, 'big')
        return bytes([plain[0] + 8]) + size + body

    def open(self, apdu):
        body = apdu[-int.from_bytes(apdu[2:2 + apdu[1] % 128], 'big'):] if apdu[1] & 128 else apdu[2:]
        counter = int.from_bytes(body[1:5], 'big')
        assert body[0] == 0x30 and counter > self.last, (body[:5].hex(), self.last)
        self.last = counter
        plain = self.seal(0x30, self.client, counter, body[5:-12])[:-12]
        assert self.seal(0x30, self.client, counter, plain) == body[5:]
        assert plain[0] + 8 == apdu[0]
        return plain

    counter, last = 100, 0

    def answer(self, apdu):
        if apdu[0] == 0x60:
            at = apdu.index(b'\xa6\x0a\x04\x08')
            self.client = apdu[at + 4:at + 12]
            at = apdu.index(b'\xac\x12\x80\x10')
            self.theirs, self.ours = apdu[at + 4:at + 20], os.urandom(16)
            body = bytes.fromhex('a109060760857405080103a203020100a305a10302010ea40a0408') + TITLE
            body += bytes.fromhex('88020780890760857405080205aa128010') + self.ours
            return b'\x61' + bytes([len(body)]) + body
        if apdu[0] == 0x62:
            return super().answer(apdu)
        plain = self.open(apdu)
        if plain[0] != 0xC3:
            return self.protected(super().answer(plain))
        counter = int.from_bytes(plain[-16:-12], 'big')
        assert plain[-17] == 0x10 and self.seal(0x10, self.client, counter, self.ours) == plain[-12:], 'the gateway proves its key'
        self.counter += 1
        proof = b'\x10' + self.counter.to_bytes(4, 'big') + self.seal(0x10, TITLE, self.counter, self.theirs)
        return self.protected(bytes.fromhex('c701c1000100') + b'\x09\x11' + proof)


# --- servers ---

class Server:
    """serve(read, write, how many came before) for each connection, in a thread; its failures fail the test."""
    def __init__(self, serve, host='127.0.0.1'):
        self.failed, self.n = [], 0
        self.socket = socket.create_server((host, 0), family=socket.AF_INET6 if ':' in host else socket.AF_INET)
        port = self.socket.getsockname()[1]
        self.address = f'[{host}]:{port}' if ':' in host else f'{host}:{port}'
        self.serve = serve
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            connection = self.socket.accept()[0]
            threading.Thread(target=self.talk, args=(connection, self.n), daemon=True).start()
            self.n += 1

    def talk(self, connection, n):
        def read(count):
            data = b''
            while len(data) < count:
                more = connection.recv(count - len(data))
                if not more:
                    raise EOFError
                data += more
            return data
        try:
            self.serve(read, connection.sendall, n)
        except (EOFError, ConnectionError):
            pass
        except Exception as e:
            self.failed.append(repr(e))
        finally:
            connection.close()


def serial_meter(failed):
    """A pseudo terminal whose other end is a meter; the path of the port."""
    ours, theirs = pty.openpty()
    path = os.ttyname(theirs)

    def serve():
        while True:
            try:
                iec_meter(lambda n: os.read(ours, n), lambda b: os.write(ours, b), IEC_TTY, False)
            except AssertionError as e:
                failed.append(repr(e))
                return
    threading.Thread(target=serve, daemon=True).start()
    return path


def values(t, number, code):
    device = next((d for d in t.all('/devices') if number in (d['number'], d.get('identity'))), None)
    if device is None:
        return None
    channels = [c for c in t.all(f"/devices/{device['id']}/channels") if c['obis'] in (code, code[4:-4]) and c['kind'] == 'number']
    return [(datetime.fromisoformat(v['ts'].replace('Z', '+00:00')), Decimal(v['value']) * (1000 if c['unit'] == 'kWh' else 1))
            for c in channels for v in t.readings(c['id'])]


def expect(t, number, code, want):
    def check():
        got = values(t, number, code)
        return bool(got) and want in [v for _, v in got]
    try:
        wait_for(f'{number} {code}', check, 40, 0.5)
    except AssertionError:
        say('devices:', [(d['number'], d.get('manufacturer')) for d in t.all('/devices')])
        say('frames:', [(f['protocol'], f['state'], f.get('reason')) for f in t.all('/frames')][:20], values(t, number, code))
        raise
    say(f'{number} {code}: {want}')


def configure(folder, servers, port):
    (folder / 'password').write_bytes(PASSWORD + b'\n')
    (folder / 'wrong').write_bytes(b'12345678\n')
    (folder / 'key').write_text(KEY.hex() + '\n')
    (folder / 'authentication-key').write_text(AUTHENTICATION_KEY.hex() + '\n')
    dlms = '    type: dlms-tcp\n    authentication: low\n    interval: 2s\n    timeout: 5s\n'
    text = f"""sources:
  - name: logger
    type: sml-tcp
    connect: "{servers['sml'].address}"
    silence: 500ms
  - name: converter
    type: iec62056-21
    connect: "{servers['iec'].address}"
    interval: 2s
  - name: port
    type: iec62056-21
    device: {port}
    interval: 2s
  - name: wrapper
{dlms}    connect: "{servers['wrapper'].address}"
    password_file: password
    objects: ["3 1-0:1.8.0*255", "3 1-0:2.8.0*255"]
    profiles: ["1-0:99.1.0*255"]
    range: 30h
  - name: hdlc
{dlms}    connect: "{servers['hdlc'].address}"
    framing: hdlc
    password_file: password
    objects: ["3 1-0:1.8.0*255"]
    profiles: ["1-0:99.1.0*255"]
    range: 2h
  - name: gmac
    type: dlms-tcp
    connect: "{servers['gmac'].address}"
    framing: hdlc
    authentication: gmac
    key_file: key
    authentication_key_file: authentication-key
    system_title: 454d540000000001
    interval: 2s
    objects: ["3 1-0:1.8.0*255"]
    profiles: ["1-0:99.1.0*255"]
    range: 30h
  - name: wrong
{dlms}    connect: "{servers['wrong'].address}"
    password_file: wrong
    objects: ["3 1-0:1.8.0*255"]
"""
    with open(folder / 'agent.yaml', 'a') as f:
        f.write(text)


def main():
    now = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    rows = [(now - timedelta(minutes=15 * i), 5000000 - 1000 * i) for i in range(96, -1, -1)]
    meters = {'wrapper': Dlms('1EMT0030000001', 51234567, rows), 'hdlc': Dlms('1EMT0030000002', 987654, rows), 'wrong': Dlms('1EMT0030000003', 1, rows),
              'gmac': Secured('1EMT0030000004', 4711, rows)}
    host = '::1' if has_ipv6() else '127.0.0.1'
    noise = random.Random(1)

    def sml(read, write, n):
        file = sml_file(10000001, 123456789 + n, 1500)
        write(noise.randbytes(37) + file[:90] + sml_file(10000002, 42, 7) + b'\x1b\x1b' + file)
        if n == 0:
            return  # the line breaks; it is dialled again
        read(1)

    servers = {'sml': Server(sml, host), 'iec': Server(lambda r, w, n: iec_meter(r, w, IEC_TCP, n == 0)),
               'wrapper': Server(lambda r, w, n: meters['wrapper'].wrapper(r, w), host),
               'gmac': Server(lambda r, w, n: meters['gmac'].hdlc(r, w)),
               'hdlc': Server(lambda r, w, n: meters['hdlc'].hdlc(r, w)), 'wrong': Server(lambda r, w, n: meters['wrong'].wrapper(r, w))}
    failed = []
    with workspace('sources') as (dir, nodes):
        node = Node(dir / '1')
        nodes.append(node)
        node.start()
        t = Tenant(operator(node), 'stadtwerke')
        folder = t.gateway('gw-1', dir / 'gw-1', node)
        configure(folder, servers, serial_meter(failed))
        p = agent(folder, node)
        try:
            expect(t, '1EMT0010000002', '1-0:1.8.0*255', Decimal('4.2'))
            expect(t, '1EMT0010000001', '1-0:1.8.0*255', Decimal('12345678.9'))
            expect(t, '1EMT0010000001', '1-0:1.8.0*255', Decimal('12345679.0'))
            expect(t, '1EMT0020000001', '1-0:1.8.0*255', Decimal('12345678'))
            expect(t, '1EMT0020000001', '1-0:2.8.0*255', Decimal('7001'))
            expect(t, '1EMT0020000002', '1-0:1.8.0*255', Decimal('99887700'))
            expect(t, '1EMT0030000001', '1-0:1.8.0*255', Decimal('5123456.7'))
            expect(t, '1EMT0030000002', '1-0:1.8.0*255', Decimal('98765.4'))
            expect(t, '1EMT0030000004', '1-0:1.8.0*255', Decimal('471.1'))
            for name, number in (('wrapper', '1EMT0030000001'), ('hdlc', '1EMT0030000002'), ('gmac', '1EMT0030000004')):
                wait_for(f'{name} was asked for ranges', lambda: len(meters[name].ranges) > 1, 30)
                low = meters[name].ranges[0][0]
                want = {(at, Decimal(v) / 10) for at, v in rows if at >= low}

                def all_rows():
                    return want <= set(values(t, number, '1-0:1.8.0*255'))
                wait_for(f'{number}: the profile', all_rows, 30, 0.5)
                say(f'{number}: {len(want)} rows of the profile, every second one without its time')
            assert not any(d['number'] == '1EMT0030000003' for d in t.all('/devices')), 'a wrong password reads nothing'
            assert servers['wrong'].n >= 2, 'it is tried again'
            states = {f['state'] for f in t.all('/frames')}
            assert states == {'ok'}, states
            assert p.alive() and not failed and not any(s.failed for s in servers.values()), (failed, [s.failed for s in servers.values()])
            log = p.output()
            assert 'source-bytes-lost' in log and 'refuses the association' in log, log[-3000:]
            assert PASSWORD.decode() not in log
        finally:
            p.stop()
        assert node.process.stop() == 0


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
