#!/usr/bin/env python3
"""Delivery by every way to real servers of this machine: OpenSSH, proftpd with TLS, an SMTP server, an HTTPS server, a local folder.

For each: the file arrives whole and once, a second try finds it, and what goes wrong is refused or tried again as it should be: wrong host
key, wrong certificate, refused login, a server that is gone, stalls or cuts the connection, a full disk, a taken name.
"""
import base64
import contextlib
import email
import email.policy
import hashlib
import http.server
import os
import pathlib
import socket
import ssl
import subprocess
import threading
import time

import emt

CTL = emt.build_dir() / 'emtctl'
NAME = 'MSCONS_TL_9900999000106_9900999000205_20261118_A1.txt'
passed = 0


def check(what, good, *more):
    global passed
    if not good:
        raise AssertionError(f'{what}: ' + ' '.join(str(m) for m in more))
    passed += 1


def openssl(*args):
    subprocess.run(['openssl', *args], check=True, capture_output=True)


class Work:
    """Certificates, keys and files of this run."""

    def __init__(self, dir):
        self.dir = dir
        self.ca('ca')
        self.ca('other')
        self.leaf('server', 'ca', 'subjectAltName=DNS:localhost,IP:127.0.0.1')
        self.leaf('client', 'ca', 'extendedKeyUsage=clientAuth')
        self.file = dir / NAME
        self.file.write_bytes(os.urandom(300_000))
        self.password('secret')
        self.password('wrong')

    def __truediv__(self, name):
        return self.dir / name

    def password(self, text):
        path = self / f'password-{text}'
        path.write_text(text + '\n')
        return path

    def ca(self, name):
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', f'/CN={name}',
                '-keyout', self / f'{name}.key', '-out', self / f'{name}.pem')

    def leaf(self, name, ca, ext, key=('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256')):
        (self / f'{name}.ext').write_text(ext + '\n')
        openssl('req', *key, '-nodes', '-subj', f'/CN={name}', '-keyout', self / f'{name}.key', '-out', self / f'{name}.csr')
        openssl('x509', '-req', '-in', self / f'{name}.csr', '-CA', self / f'{ca}.pem', '-CAkey', self / f'{ca}.key', '-CAcreateserial',
                '-days', '2', '-extfile', self / f'{name}.ext', '-out', self / f'{name}.pem')

    def target(self, name, **keys):
        path = self / f'{name}.yaml'
        mail = keys.pop('mail', None)
        lines = [f'{k}: {"true" if v is True else v}' for k, v in keys.items() if v is not None]
        if mail:
            lines.append('mail:')
            lines += [f'  {k}: [{", ".join(v)}]' if isinstance(v, list) else f'  {k}: {v}' for k, v in mail.items()]
        path.write_text('\n'.join(lines) + '\n')
        return path

    def send(self, target, *more, file=None):
        r = subprocess.run([CTL, 'deliver', '--to', target, *more, file or self.file], capture_output=True, text=True, timeout=120)
        check('exit code and outcome agree', (r.returncode == 0) == r.stdout.startswith(('delivered', 'already-there')), r.stdout, r.stderr)
        return r.stdout.strip() or r.stderr.strip()


@contextlib.contextmanager
def program(args, port, log):
    with open(log, 'wb') as out:
        p = subprocess.Popen([str(a) for a in args], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        def up():
            if p.poll() is not None:
                raise SystemExit(f'FAILED: {args[0]} ended: ' + pathlib.Path(log).read_text())
            with socket.socket() as s:
                return s.connect_ex(('127.0.0.1', port)) == 0
        emt.wait_for(f'{args[0]} to listen', up)
        yield p
    finally:
        p.terminate()
        p.wait()


class Cutter:
    """A TCP relay that passes `after` bytes of the client and then cuts, or stalls, the connection."""

    def __init__(self, port, after, stall=False):
        self.to, self.after, self.stall = port, after, stall
        self.sock = socket.create_server(('127.0.0.1', 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.sock.accept()
                server = socket.create_connection(('127.0.0.1', self.to))
                threading.Thread(target=self.back, args=(server, client), daemon=True).start()
                threading.Thread(target=self.forth, args=(client, server), daemon=True).start()

    @staticmethod
    def back(server, client):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)

    def forth(self, client, server):
        seen = 0
        with contextlib.suppress(OSError):
            while seen < self.after and (data := client.recv(min(65536, self.after - seen))):
                server.sendall(data)
                seen += len(data)
            if self.stall and seen >= self.after:
                time.sleep(60)
        for s in (client, server):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()


def folder_rules(w, target, folder, out):
    """What holds for every kind of folder."""
    out.mkdir(exist_ok=True)
    first = w.send(target)
    check('arrives', first.startswith('delivered'), first)
    check('is whole', (out / NAME).read_bytes() == w.file.read_bytes())
    check('leaves nothing else', [p.name for p in out.iterdir()] == [NAME], list(out.iterdir()))
    again = w.send(target, '--again')
    check('a second try finds it', again.startswith('already-there'), again)
    taken = w.send(target)
    check('a taken name is never replaced', taken.startswith('refused'), taken)
    (out / NAME).unlink()
    (out / f'.{NAME}.part').write_bytes(b'left by a try that was cut off')
    (out / f'.{NAME}.part').chmod(0o666)  # the server has another user
    check('goes over what a cut try left', w.send(target, '--again').startswith('delivered'))
    check('is whole', (out / NAME).read_bytes() == w.file.read_bytes())
    empty = w / 'empty.txt'
    empty.write_bytes(b'')
    check('an empty file, too', w.send(target, file=empty).startswith('delivered'))
    check('it is empty', (out / 'empty.txt').read_bytes() == b'')
    bad = w.send(target, '--name', '../x')
    check('a name is no path', bad.startswith('refused'), bad)
    for p in out.iterdir():
        p.unlink()


@contextlib.contextmanager
def small_disk(w, name):
    """A folder with 64 KiB of room, or None where this user may mount nothing."""
    folder = w / name
    folder.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k,mode=0777', 'tmpfs', folder], capture_output=True).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(['umount', '-l', folder], check=True)


def children(pid):
    """Processes that this one started, and theirs."""
    found = []
    for stat in pathlib.Path('/proc').glob('[0-9]*/stat'):
        with contextlib.suppress(OSError, ValueError):
            fields = stat.read_text().rsplit(')', 1)[1].split()
            if int(fields[1]) == pid:
                found += [int(stat.parent.name), *children(int(stat.parent.name))]
    return found


def begun(part):
    """Waits until a file is on its way in."""
    emt.wait_for(f'{part.name} to begin', lambda: part.exists() and part.stat().st_size > 0, 60, 0.02)


def interrupted(w, target, file, part, act):
    """A try during which `act` happens, once bytes have arrived; its outcome."""
    part.unlink(missing_ok=True)
    p = subprocess.Popen([CTL, 'deliver', '--to', target, file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    begun(part)
    act(p)
    out, err = p.communicate(timeout=120)
    return (out or err).strip()


def local(w):
    out = w / 'local-out'
    target = w.target('local', kind='local', path=out)
    folder_rules(w, target, out, out)
    check('a folder that is not there', w.send(w.target('none', kind='local', path=w / 'none')).startswith('refused'))
    with small_disk(w, 'small') as small:
        if small:
            full = w.send(w.target('full', kind='local', path=small))
            check('a full disk is for later', full.startswith('retry') and 'No space' in full, full)
            check('and leaves nothing', not list(small.iterdir()), list(small.iterdir()))
    # Killed while it writes: nothing under the name, and the next try brings it whole.
    large = w / NAME.replace('_A1', '_L1')
    large.write_bytes(os.urandom(64 << 20))
    part = out / f'.{large.name}.part'
    p = subprocess.Popen([CTL, 'deliver', '--to', target, large], stdout=subprocess.DEVNULL)
    while p.poll() is None and not part.exists():
        pass
    p.kill()
    p.wait()
    there = out / large.name
    check('a killed courier leaves a whole file or none', not there.exists() or there.read_bytes() == large.read_bytes())
    r = w.send(target, '--again', file=large)
    check('the next one brings it', r.startswith(('delivered', 'already-there')) and there.read_bytes() == large.read_bytes(), r)
    check('nothing else stays', [p.name for p in out.iterdir()] == [large.name], list(out.iterdir()))
    there.unlink()


def sftp(w):
    for k in ('host', 'user', 'stranger'):
        subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', w / f'ssh-{k}'], check=True)
    subprocess.run(['ssh-keygen', '-q', '-t', 'ecdsa', '-N', 'phrase', '-f', w / 'ssh-ecdsa'], check=True)
    (w / 'authorized').write_text((w / 'ssh-user.pub').read_text() + (w / 'ssh-ecdsa.pub').read_text())
    out = w / 'sftp-out'
    port = emt.free_ports(1)[0]
    (w / 'sshd_config').write_text(f'''
Port {port}
ListenAddress 127.0.0.1
HostKey {w / 'ssh-host'}
AuthorizedKeysFile {w / 'authorized'}
PermitRootLogin yes
PasswordAuthentication no
StrictModes no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
''')
    if os.geteuid() == 0:
        os.makedirs('/run/sshd', exist_ok=True)
    pin = subprocess.run(['ssh-keygen', '-lf', w / 'ssh-host.pub'], capture_output=True, text=True, check=True).stdout.split()[1]
    wrong_pin = 'SHA256:' + base64.b64encode(hashlib.sha256(b'another').digest()).decode().rstrip('=')
    user = subprocess.run(['id', '-un'], capture_output=True, text=True, check=True).stdout.strip()
    base = dict(kind='sftp', host='127.0.0.1', port=port, user=user, path=out, host_key=pin, private_key_file=w / 'ssh-user')
    with program(['/usr/sbin/sshd', '-D', '-e', '-f', w / 'sshd_config'], port, w / 'sshd.log'):
        out.mkdir()
        folder_rules(w, w.target('sftp', **base), out, out)
        (w / 'phrase').write_text('phrase\n')
        r = w.send(w.target('sftp-phrase', **{**base, 'private_key_file': w / 'ssh-ecdsa', 'private_key_password_file': w / 'phrase'}))
        check('a key with a password', r.startswith('delivered'), r)
        (out / NAME).unlink()
        r = w.send(w.target('sftp-pin', **{**base, 'host_key': wrong_pin}))
        check('a wrong host key is refused', r.startswith('refused'), r)
        r = w.send(w.target('sftp-login', **{**base, 'private_key_file': w / 'ssh-stranger'}))
        check('a refused login is refused', r.startswith('refused'), r)
        check('nothing arrived by them', not list(out.iterdir()))
        r = w.send(w.target('sftp-none', **{**base, 'path': w / 'not-there'}))
        check('a folder that is not there', r.startswith('refused'), r)
        cut = Cutter(port, 150_000)
        r = w.send(w.target('sftp-cut', **{**base, 'port': cut.port}))
        check('a cut connection is for later', r.startswith('retry'), r)
        check('half a file has no name', NAME not in [p.name for p in out.iterdir()])
        check('the next try brings it', w.send(w.target('sftp', **base), '--again').startswith('delivered'))
        check('whole', (out / NAME).read_bytes() == w.file.read_bytes())
        (out / NAME).unlink()
        slow = Cutter(port, 150_000, stall=True)
        r = w.send(w.target('sftp-slow', **{**base, 'port': slow.port, 'stalled': '2s'}))
        check('a stalled server is for later', r.startswith('retry'), r)
        check('and nothing has the name', NAME not in [p.name for p in out.iterdir()])
        with small_disk(w, 'sftp-small') as small:
            if small:
                r = w.send(w.target('sftp-full', **{**base, 'path': small}))
                check('a full disk is for later', r.startswith('retry'), r)
                check('nothing under the name', not [p for p in small.iterdir() if p.name == NAME])
                subprocess.run(['mount', '-o', 'remount,size=4m', small], check=True)
                check('with room it arrives', w.send(w.target('sftp-full', **{**base, 'path': small}), '--again').startswith('delivered'))
                check('whole', (small / NAME).read_bytes() == w.file.read_bytes())
    r = w.send(w.target('sftp', **base))
    check('a server that is gone is for later', r.startswith('retry'), r)


def ftp(w):
    out = w / 'ftp-out'
    out.mkdir()
    plain, tls, implicit, slow = emt.free_ports(4)
    user = subprocess.run(['id', '-un'], capture_output=True, text=True, check=True).stdout.strip()
    uid, gid = os.geteuid() or 65534, os.getegid() or 65534
    if os.geteuid() == 0:
        os.chown(out, uid, gid)
        for p in (w.dir, w / 'ftp-out'):
            os.chmod(p, 0o755)
    hashed = subprocess.run(['openssl', 'passwd', '-5', 'secret'], capture_output=True, text=True, check=True).stdout.strip()
    (w / 'ftp.passwd').write_text(f'meter:{hashed}:{uid}:{gid}::{w.dir}:/bin/sh\n')
    os.chmod(w / 'ftp.passwd', 0o600)

    def config(name, port, *more):
        (w / f'{name}.conf').write_text('\n'.join([
            'LoadModule mod_tls.c', 'ServerName test', 'ServerType standalone', 'DefaultServer on', f'Port {port}', 'DefaultAddress 127.0.0.1',
            'SocketBindTight on', 'UseIPv6 off', 'RequireValidShell off', 'WtmpLog off', 'AuthPAM off', f'AuthUserFile {w / "ftp.passwd"}',
            'AuthOrder mod_auth_file.c', f'PidFile {w / name}.pid', f'ScoreboardFile {w / name}.score', f'User {user if os.geteuid() else "nobody"}',
            f'Group {"nogroup" if os.geteuid() == 0 else gid}', 'TransferLog none', f'SystemLog {w / name}.log', 'AllowOverwrite on', *more]) + '\n')
        return w / f'{name}.conf'
    secure = ['TLSEngine on', f'TLSRSACertificateFile {w / "server.pem"}', f'TLSRSACertificateKeyFile {w / "server.key"}', 'TLSRequired on',
              f'TLSECCertificateFile {w / "server.pem"}', f'TLSECCertificateKeyFile {w / "server.key"}', 'TLSOptions NoSessionReuseRequired']
    secure = [line for line in secure if 'RSA' not in line]
    confs = [(config('ftp-plain', plain), plain), (config('ftp-tls', tls, *secure), tls),
             (config('ftp-implicit', implicit, *secure, 'TLSOptions UseImplicitSSL NoSessionReuseRequired'), implicit),
             (config('ftp-slow', slow, *secure, 'TransferRate STOR 20'), slow)]
    base = dict(host='localhost', user='meter', password_file=w / 'password-secret', path=out, ca_file=w / 'ca.pem')
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(program(['/usr/sbin/proftpd', '-n', '-c', conf], port, f'{conf}.out')) for conf, port in confs]
        explicit = dict(base, kind='ftps', port=tls)
        folder_rules(w, w.target('ftps', **explicit), out, out)
        folder_rules(w, w.target('ftps-implicit', **dict(base, kind='ftps-implicit', port=implicit)), out, out)
        r = w.send(w.target('ftp-no', **dict(base, kind='ftp', port=plain)))
        check('plain FTP has to be allowed', 'plain_allowed' in r, r)
        folder_rules(w, w.target('ftp', **dict(base, kind='ftp', port=plain, plain_allowed=True)), out, out)
        relative = w.target('ftp-relative', **dict(explicit, path='ftp-out'))
        check('below the home', w.send(relative).startswith('delivered') and (out / NAME).exists())
        (out / NAME).unlink()
        r = w.send(w.target('ftps-ca', **dict(explicit, ca_file=w / 'other.pem')))
        check('a stranger\'s certificate is refused', r.startswith('refused'), r)
        r = w.send(w.target('ftps-name', **dict(explicit, host='ip6-localhost'))) if emt.has_ipv6() else 'refused'
        check('another name is not reached', r.startswith(('refused', 'retry')), r)
        r = w.send(w.target('ftps-login', **dict(explicit, password_file=w / 'password-wrong')))
        check('a refused login is refused', r.startswith('refused'), r)
        r = w.send(w.target('ftps-plain', **dict(explicit, port=plain)))
        check('no TLS, no file', r.startswith('refused'), r)
        check('nothing arrived by them', not list(out.iterdir()), list(out.iterdir()))
        ftp_faults(w, out, explicit, dict(base, kind='ftps', port=slow, stalled='2s'), servers[3], uid)
    r = w.send(w.target('ftps', **explicit))
    check('a server that is gone is for later', r.startswith('retry'), r)


def ftp_faults(w, out, explicit, slowly, server, uid):
    """The server's own process for the connection dies, or stops, in the middle of the file; its disk is full."""
    part = out / f'.{NAME}.part'
    target = w.target('ftps-slowly', **slowly)

    def session(signal):
        found = children(server.pid)
        check('the server works on it', found)
        for pid in found:
            os.kill(pid, signal)
        return found
    r = interrupted(w, target, w.file, part, lambda _: session(9))
    check('cut in the middle is for later', r.startswith('retry'), r)
    check('half a file has no name', [p.name for p in out.iterdir() if p.name == NAME] == [])
    stopped = []
    r = interrupted(w, target, w.file, part, lambda _: stopped.extend(session(19)))
    check('a server that stops is for later', r.startswith('retry'), r)
    for pid in stopped:
        os.kill(pid, 9)
    check('nor has it now', [p.name for p in out.iterdir() if p.name == NAME] == [])
    check('the next try brings it', w.send(w.target('ftps', **explicit), '--again').startswith('delivered'))
    check('whole, and alone', (out / NAME).read_bytes() == w.file.read_bytes() and [p.name for p in out.iterdir()] == [NAME], list(out.iterdir()))
    (out / NAME).unlink()
    with small_disk(w, 'ftps-small') as small:
        if small:
            os.chown(small, uid, -1)
            r = w.send(w.target('ftps-full', **dict(explicit, path=small)))
            check('a full disk is for later', r.startswith('retry'), r)
            check('nothing under the name', not [p for p in small.iterdir() if p.name == NAME])


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    got = []
    mode = 'good'
    seen = 0
    gate = threading.Event()

    def do_POST(self):
        if self.mode in ('cut-early', 'slow'):
            Receiver.seen = len(self.rfile.read(100_000))
            if self.mode == 'slow':
                Receiver.gate.wait(60)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers['Content-Length']))
        if self.mode == 'silent':
            Receiver.got.append((self.path, dict(self.headers), body))
            Receiver.gate.wait(60)
            self.close_connection = True
            return
        if self.mode == 'cut':
            Receiver.got.append((self.path, dict(self.headers), body))
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        status = {'good': 201, 'busy': 503, 'bad': 422, 'moved': 302, 'full': 507}[self.mode]
        if self.mode == 'good':
            Receiver.got.append((self.path, dict(self.headers), body))
        self.send_response(status)
        self.send_header('Content-Length', '5')
        if status == 302:
            self.send_header('Location', 'https://example.invalid/')
        self.end_headers()
        self.wfile.write(b'words')

    def log_message(self, *args):
        pass


def https(w):
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Receiver)
    server.handle_error = lambda *a: None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(w / 'server.pem', w / 'server.key')
    tls.load_verify_locations(w / 'ca.pem')
    tls.verify_mode = ssl.CERT_OPTIONAL
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (w / 'token').write_text('a.b.c\n')
    base = dict(kind='https', host='localhost', port=server.server_port, path='/in?x=1', ca_file=w / 'ca.pem')
    for name, more, says in [('bearer', dict(bearer_file=w / 'token'), 'Bearer a.b.c'),
                             ('basic', dict(user='meter', password_file=w / 'password-secret'),
                              'Basic ' + base64.b64encode(b'meter:secret').decode())]:
        r = w.send(w.target('https-' + name, **base, **more), '--type', 'application/edifact')
        path, headers, body = Receiver.got.pop()
        check(name, r.startswith('delivered') and headers['Authorization'] == says and path == '/in?x=1', r, headers)
        check('whole', body == w.file.read_bytes() and headers['Content-Type'] == 'application/edifact' and NAME in headers['Content-Disposition'])
        check('tells a repetition', headers['Idempotency-Key'] == NAME)
    tls.verify_mode = ssl.CERT_REQUIRED
    r = w.send(w.target('https-mutual', **base, client_cert_file=w / 'client.pem', client_key_file=w / 'client.key'))
    check('mutual TLS', r.startswith('delivered') and len(Receiver.got) == 1, r)
    Receiver.got.clear()
    r = w.send(w.target('https-nobody', **base))
    check('without a certificate nothing arrives', not r.startswith('delivered') and not Receiver.got, r)
    tls.verify_mode = ssl.CERT_OPTIONAL
    for mode, outcome in [('busy', 'retry'), ('full', 'retry'), ('bad', 'refused'), ('moved', 'refused'), ('cut', 'unknown')]:
        Receiver.mode = mode
        r = w.send(w.target('https', **base))
        check(mode, r.startswith(outcome), r)
        check('the server\'s words are told', mode not in ('busy', 'bad') or 'words' in r, r)
    check('what was cut arrived once', len(Receiver.got) == 1)
    Receiver.got.clear()
    # Larger than what the system keeps of it on the way: the server has seen a part, so it is no doubt that it did not take it.
    large = w / NAME.replace('_A1', '_L2')
    large.write_bytes(os.urandom(16 << 20))
    for mode, more in (('cut-early', {}), ('slow', {'stalled': '2s'})):
        Receiver.mode = mode
        r = w.send(w.target('https-' + mode, **base, **more), file=large)
        check(f'{mode} in the middle is for later', r.startswith('retry') and Receiver.seen == 100_000 and not Receiver.got, r)
    Receiver.mode = 'silent'
    r = w.send(w.target('https-silent', **base, stalled='2s'))
    check('taken whole and never answered: nobody knows', r.startswith('unknown') and len(Receiver.got) == 1, r)
    Receiver.gate.set()
    Receiver.got.clear()
    Receiver.mode = 'good'
    r = w.send(w.target('https-ca', **{**base, 'ca_file': w / 'other.pem'}))
    check('a stranger\'s certificate is refused', r.startswith('refused') and not Receiver.got, r)
    server.shutdown()


def mail(w):
    w.leaf('signer', 'ca', 'keyUsage=digitalSignature\nextendedKeyUsage=emailProtection', ('-newkey', 'rsa:2048'))
    w.leaf('partner', 'ca', 'keyUsage=keyEncipherment\nextendedKeyUsage=emailProtection', ('-newkey', 'rsa:2048'))
    port = emt.free_ports(1)[0]
    box = w / 'mails'
    box.mkdir()
    (w / 'smtpd.py').write_text(f'''
import pathlib, ssl, time
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
box = pathlib.Path({str(box)!r})
class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('nobody@'):
            return '550 no such user'
        envelope.rcpt_tos.append(address)
        return '250 ok'
    async def handle_DATA(self, server, session, envelope):
        n = len(list(box.iterdir()))
        (box / f'{{n}}.eml').write_bytes(b'X-To: ' + ','.join(envelope.rcpt_tos).encode() + b'\\r\\n' + envelope.content)
        return '250 taken'
def login(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b'meter', b'secret')
    return AuthResult(success=good, handled=False)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain({str(w / 'server.pem')!r}, {str(w / 'server.key')!r})
class C(Controller):
    def factory(self):
        return SMTP(Handler(), tls_context=tls, require_starttls=True, auth_required=True, authenticator=login, data_size_limit=0, hostname='localhost')
C(Handler(), hostname='127.0.0.1', port={port}).start()
while True:
    time.sleep(3600)
''')
    base = dict(kind='mail', host='localhost', port=port, user='meter', password_file=w / 'password-secret', ca_file=w / 'ca.pem')
    letter = {'from': 'head-end@example.org', 'to': ['billing@example.com', 'second@example.com'], 'cc': ['copy@example.com'], 'bcc': ['hidden@example.com'],
              'subject': 'Lastgänge vom 17.11. für die Abrechnung, mit einem längeren Betreff als eine Zeile trägt', 'text': 'Guten Tag'}

    def last():
        files = sorted(box.iterdir(), key=lambda p: int(p.stem))
        return files[-1] if files else None

    def attachment(raw):
        m = email.message_from_bytes(raw, policy=email.policy.default)
        part = next(p for p in m.walk() if p.get_filename())
        return m, part.get_filename(), part.get_payload(decode=True)
    with program(['/usr/bin/python3', w / 'smtpd.py'], port, w / 'smtpd.log'):
        r = w.send(w.target('mail', **base, mail=letter), '--type', 'application/edifact')
        check('a mail', r.startswith('delivered'), r)
        m, name, content = attachment(last().read_bytes())
        check('its attachment', (name, content) == (NAME, w.file.read_bytes()))
        check('its subject', m['Subject'] == letter['subject'], m['Subject'])
        check('its recipients', m['X-To'].split(',') == ['billing@example.com', 'second@example.com', 'copy@example.com', 'hidden@example.com'])
        check('bcc is hidden', b'hidden' not in last().read_bytes().split(b'\r\n', 1)[1])
        text = next(p for p in m.walk() if p.get_content_type() == 'text/plain').get_content()
        check('its text', text.strip() == 'Guten Tag', text)
        sealed = dict(letter, sign_cert_file=w / 'signer.pem', sign_key_file=w / 'signer.key', encrypt_cert_file=w / 'partner.pem')
        r = w.send(w.target('mail-sealed', **base, mail=sealed))
        check('a sealed mail', r.startswith('delivered'), r)
        (w / 'sealed.eml').write_bytes(last().read_bytes().split(b'\r\n', 1)[1])
        check('nothing to read in it', b'Guten' not in (w / 'sealed.eml').read_bytes() and b'multipart' not in (w / 'sealed.eml').read_bytes())
        openssl('cms', '-decrypt', '-in', w / 'sealed.eml', '-recip', w / 'partner.pem', '-inkey', w / 'partner.key', '-out', w / 'signed.eml')
        openssl('cms', '-verify', '-in', w / 'signed.eml', '-CAfile', w / 'ca.pem', '-out', w / 'opened.eml')
        _, name, content = attachment((w / 'opened.eml').read_bytes())
        check('opened and verified by the partner', (name, content) == (NAME, w.file.read_bytes()))
        shown = subprocess.run(['openssl', 'cms', '-cmsout', '-print', '-in', w / 'signed.eml'], capture_output=True, text=True).stdout
        check('signed by RSASSA-PSS', 'rsassaPss' in shown)
        before = len(list(box.iterdir()))
        r = w.send(w.target('mail-login', **{**base, 'password_file': w / 'password-wrong'}, mail=letter))
        check('a refused login is refused', r.startswith('refused'), r)
        r = w.send(w.target('mail-nobody', **base, mail=dict(letter, to=['nobody@example.com'])))
        check('an unknown recipient is refused', r.startswith('refused'), r)
        r = w.send(w.target('mail-ca', **{**base, 'ca_file': w / 'other.pem'}, mail=letter))
        check('a stranger\'s certificate is refused', r.startswith('refused'), r)
        r = w.send(w.target('mail-two', **base, mail=dict(letter, subject='"a\\nBcc: x@example.org"')))
        check('a subject is one line', 'subject' in r, r)
        big = w / 'big.txt'
        big.write_bytes(b'x' * ((25 << 20) + 1))
        r = w.send(w.target('mail', **base, mail=letter), file=big)
        check('a file too large for a mail is refused', r.startswith('refused') and '25 MiB' in r, r)
        check('nothing arrived by them', len(list(box.iterdir())) == before)
    r = w.send(w.target('mail', **base, mail=letter))
    check('a server that is gone is for later', r.startswith('retry'), r)


class Postman:
    """An SMTP server that fails where it is told to: in the middle of a mail, behind it, or for want of room."""

    def __init__(self):
        self.sock = socket.create_server(('127.0.0.1', 0))
        self.port = self.sock.getsockname()[1]
        self.mode, self.mails, self.gate = 'good', [], threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.sock.accept()[0],), daemon=True).start()

    def serve(self, s):
        with contextlib.suppress(OSError, ValueError), s, s.makefile('rb') as lines:
            def say(text):
                s.sendall(text.encode() + b'\r\n')
            say('220 here')
            for line in lines:
                word = line[:4].upper()
                if word == b'DATA':
                    say('354 go on')
                    mail = bytearray()
                    while not mail.endswith(b'\r\n.\r\n'):
                        mail += lines.readline()
                        if len(mail) > 100_000 and self.mode in ('cut', 'slow'):
                            if self.mode == 'slow':
                                self.gate.wait(60)
                            s.shutdown(socket.SHUT_RDWR)
                            return
                    if self.mode == 'full':
                        say('452 insufficient system storage')
                        continue
                    self.mails.append(mail)
                    if self.mode == 'silent':
                        self.gate.wait(60)
                    if self.mode in ('cut-behind', 'silent'):
                        s.shutdown(socket.SHUT_RDWR)
                        return
                    say('250 taken')
                elif word == b'QUIT':
                    say('221 bye')
                    return
                else:
                    say('250 ok')


def mail_faults(w):
    postman = Postman()
    large = w / NAME.replace('_A1', '_L3')
    large.write_bytes(os.urandom(8 << 20))
    letter = {'from': 'head-end@example.org', 'to': ['billing@example.com'], 'subject': 's', 'text': 't'}
    base = dict(kind='mail', host='127.0.0.1', port=postman.port, plain_allowed=True, stalled='2s')

    def sent(mode, file):
        postman.mode = mode
        return w.send(w.target('mail-' + mode, **base, mail=letter), file=file)
    for mode, outcome, file, arrived in (('cut', 'retry', large, 0), ('slow', 'retry', large, 0), ('full', 'retry', w.file, 0),
                                         ('cut-behind', 'unknown', w.file, 1), ('silent', 'unknown', w.file, 1), ('good', 'delivered', large, 1)):
        postman.mails.clear()
        r = sent(mode, file)
        check(f'mail, {mode}', r.startswith(outcome) and len(postman.mails) == arrived, r, len(postman.mails))
        check('the operator sees why', len(r) > len(outcome) + 5, r)
    postman.gate.set()
    postman.sock.close()


def usage(w):
    for args, says in [([], '--to and a file'), (['--to', w / 'none.yaml', w.file], 'none.yaml'), (['--what'], 'unknown option')]:
        r = subprocess.run([CTL, 'deliver', *args], capture_output=True, text=True)
        check('usage', r.returncode == 2 and says in r.stderr, r.stderr)
    for keys, says in [(dict(kind='pigeon'), 'kind must be'), (dict(kind='sftp', host='h', user='u', password_file=w / 'password-secret'), 'host_key'),
                       (dict(kind='https', host='h o', path='/'), 'host'), (dict(kind='local', path='relative'), 'path'),
                       (dict(kind='local', path='/tmp', colour='red'), 'colour'), (dict(kind='ftps', host='h', path='a"b'), 'path'),
                       (dict(kind='mail', host='h'), 'from'), (dict(kind='ftps', host='-oProxy', path='x'), 'host'),
                       (dict(kind='local', path='/tmp', password_file=w / 'nothing'), 'password_file')]:
        r = subprocess.run([CTL, 'deliver', '--to', w.target('bad', **keys), w.file], capture_output=True, text=True)
        check(f'{keys}', r.returncode == 2 and says in r.stderr, r.stderr)


def main():
    missing = [p for p in ('/usr/sbin/sshd', '/usr/sbin/proftpd', '/usr/bin/openssl') if not os.path.exists(p)]
    if missing or subprocess.run(['/usr/bin/python3', '-c', 'import aiosmtpd'], capture_output=True).returncode:
        print('skipped: needs openssh-server, proftpd-core, python3-aiosmtpd', missing)
        raise SystemExit(77)
    with emt.workspace('delivery') as (dir, _):
        w = Work(dir)
        for part in (usage, local, sftp, ftp, https, mail, mail_faults):
            part(w)
            emt.say(part.__name__, 'done,', passed, 'checks')


main()
