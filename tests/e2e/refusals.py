#!/usr/bin/env python3
"""Every refusal of docs/pki.md against a running emtd, on the listener of TLS 1.2, on that of TLS 1.3 and on that for devices of others: who dials is
sent away and counted under its own name. A line for each: name, listener, counter before -> after."""
import datetime
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import time
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

import emt
from emt import Node, Tenant, operator, say, wait_for, workspace
from pki import Identity, now

HANDSHAKE = 'emt_field_handshakes_total{result="%s"}'
AGE_S = 3
DAY = datetime.timedelta(days=1)
VERSIONS = {'tls12': ssl.TLSVersion.TLSv1_2, 'tls13': ssl.TLSVersion.TLSv1_3}


class Client:
    """A client without scruples about its own certificate."""

    def __init__(self, version, port, folder=None, alpn=True):
        self.port = port
        c = self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname = False
        c.verify_mode = ssl.CERT_NONE
        c.set_ciphers('DEFAULT:@SECLEVEL=0')
        c.minimum_version = c.maximum_version = VERSIONS[version]
        if alpn:
            c.set_alpn_protocols(['emt/1'])
        if folder:
            c.load_cert_chain(folder / 'gateway.pem', folder / 'gateway.key')

    def dial(self, session=None):
        """(session to resume, whether this one was resumed); None where the server said no."""
        found, resumed = None, False
        try:
            with socket.create_connection(('127.0.0.1', self.port), timeout=5) as s:
                with self.context.wrap_socket(s, server_hostname='localhost', session=session) as t:
                    resumed = bool(t.session_reused)
                    # In TLS 1.3 refusal and session come after the client's last message.
                    t.settimeout(0.4)
                    try:
                        t.recv(1)
                    except TimeoutError:
                        pass
                    found = t.session
        except OSError:
            pass
        return found, resumed


class Refusals:
    def __init__(self, node, dir):
        self.node, self.dir, self.made = node, dir, 0
        self.ports = {'tls12': node.field, 'tls13': node.field13}

    def folder(self, identity, chain=''):
        self.made += 1
        dir = self.dir / f'client{self.made}'
        dir.mkdir()
        (dir / 'gateway.pem').write_text(identity.pem + chain)
        (dir / 'gateway.key').write_bytes(identity.key_pem())
        return dir

    def counted(self, name, listener, counter, act):
        """act() until the counter moved: what a node has to hear of takes a moment."""
        before = self.node.metric(counter)

        def moved():
            act()
            return self.node.metric(counter) > before
        wait_for(f'{name} {listener}', moved, 20, 0.2)
        say(f'{name} {listener} {counter} {before:.0f}->{self.node.metric(counter):.0f}')

    def everywhere(self, name, folder=None, alpn=True, result=None):
        for listener, port in self.ports.items():
            client = Client(listener, port, folder, alpn)
            self.counted(name, listener, HANDSHAKE % (result or name), client.dial)


def forged_authority(node, organisation):
    """A CA of a tenant's below the platform's root, as only who has the master key and the database can make one."""
    word, form, version, key = (node.dir / 'master.key').read_text().split()
    assert (word, form) == ('emt-master-key', '1')
    blob = bytes.fromhex(node.sql("select encode(blob, 'hex') from platform_secret where name = 'pki-root'")[0][0])
    place = b''.join(len(t).to_bytes(2, 'big') + t.encode() for t in ('platform_secret', 'pki-root', 'secret'))
    pem = AESGCM(bytes.fromhex(key)).decrypt(blob[3:15], blob[15:], blob[:3] + bytes(4) + place)
    root = x509.load_pem_x509_certificate((node.dir / 'root.pem').read_bytes())
    ca = Authority.__new__(Authority)
    ca.sign(f'Forged CA {organisation}', organisation, root, serialization.load_pem_private_key(pem, None), ca=True)
    return ca


class Authority:
    """A CA or gateway with all that our own profile asks for."""

    def __init__(self, name, organisation, issuer):
        self.sign(name, organisation, issuer.cert, issuer.key, ca=False)

    def sign(self, name, organisation, issuer, issuer_key, ca):
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation), x509.NameAttribute(NameOID.COMMON_NAME, name)])
        start = now() - datetime.timedelta(hours=1)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer.subject).public_key(self.key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(start + 30 * DAY)
                   .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), True)
                   .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False), True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False))
        self.cert = builder.sign(issuer_key, hashes.SHA256())
        self.pem = self.cert.public_bytes(serialization.Encoding.PEM).decode()

    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def certificates(r, vendor):
    """What is wrong with a certificate, or with the one that shows none."""
    cases = {
        'expired': Identity('old', vendor, since=now() - 9 * DAY, days=1),
        'not-yet-valid': Identity('young', vendor, since=now() + DAY),
        'self-signed': Identity('itself'),
        'wrong-key-usage': Identity('agrees', vendor, usage='agree'),
        'weak-digest': Identity('sha1', vendor, digest=hashes.SHA1()),
        'weak-curve': Identity('curve', vendor, key=ec.generate_private_key(ec.SECP521R1())),
        'bad-certificate': Identity('stranger', Identity('Nobody CA', ca=True)),
    }
    for name, identity in cases.items():
        r.everywhere(name, r.folder(identity))
    r.everywhere('no-certificate')


def loggers(r, good, port):
    """The port for devices of others speaks both versions and lets in only what was pinned; strength is asked first."""
    cases = {
        'not-pinned': Identity('logger', key=rsa.generate_private_key(65537, 2048)),
        'weak-key': Identity('short', key=rsa.generate_private_key(65537, 1024)),
        'weak-digest': Identity('sha1', key=rsa.generate_private_key(65537, 2048), digest=hashes.SHA1()),
    }
    for version in VERSIONS:
        for name, identity in cases.items():
            r.counted(name, f'logger {version}', HANDSHAKE % name, Client(version, port, r.folder(identity)).dial)
        r.counted('a gateway', f'logger {version}', HANDSHAKE % 'not-pinned', Client(version, port, good).dial)
        r.counted('no-alpn', f'logger {version}', HANDSHAKE % 'no-alpn', Client(version, port, good, alpn=False).dial)


def tenants(r, node):
    """Below a CA of one tenant, with the name of another: only a stolen CA could do this."""
    ca = forged_authority(node, 'alpha')
    r.everywhere('wrong-tenant', r.folder(Authority('gw-1', 'beta', ca), ca.pem))
    r.everywhere('control: right tenant', r.folder(Authority('gw-1', 'alpha', ca), ca.pem), result='ok')


def revoked(r, tenant, node):
    """A new handshake, and a session that is resumed after the revocation."""
    for listener, port in r.ports.items():
        name = f'gw-{listener}'
        client = Client(listener, port, tenant.gateway(name, r.dir / name, node))
        session, _ = client.dial()
        assert session is not None, f'{listener}: a good gateway is not let in'
        again, resumed = client.dial(session)
        assert again is not None and resumed, f'{listener}: a good session is not resumed'
        before = node.metric('emt_field_resumed_total')
        tenant.post(f'/gateways/{name}/revoke', {'reason': 'test'})
        tried = []
        r.counted('resumption after revocation', listener, HANDSHAKE % 'revoked', lambda: tried.append(client.dial(again)))
        assert tried[-1][1], f'{listener}: the last attempt was no resumption'
        say(f'  sessions resumed meanwhile, before the node had heard of it: {node.metric("emt_field_resumed_total") - before:.0f}')
        r.counted('revoked', listener, HANDSHAKE % 'revoked', Client(listener, port, r.dir / name).dial)


def ages(r, tenant, node):
    """AGE_S after the first handshake a session is not resumed any more, also where each resumption gave a new one."""
    for listener, port in r.ports.items():
        name = f'gw-old-{listener}'
        client = Client(listener, port, tenant.gateway(name, r.dir / name, node))
        counter = HANDSHAKE % 'session-too-old'

        def too_old():
            session, _ = client.dial()
            time.sleep(AGE_S / 2)
            session, resumed = client.dial(session)
            assert resumed, f'{listener}: a session of {AGE_S / 2} s is not resumed'
            time.sleep(AGE_S / 2)
            client.dial(session)
        r.counted('session past its age', listener, counter, too_old)


def renegotiation(r, folder, node):
    """TLS 1.2 only: TLS 1.3 has none, and the client's library sends nothing."""
    def ask():
        p = subprocess.Popen(['openssl', 's_client', '-connect', f'127.0.0.1:{node.field}', '-tls1_2', '-alpn', 'emt/1', '-cert',
                              folder / 'gateway.pem', '-key', folder / 'gateway.key', '-cert_chain', folder / 'gateway.pem'],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            os.read(p.stdout.fileno(), 1)
            time.sleep(0.7)
            p.stdin.write(b'R\n')
            p.stdin.flush()
            time.sleep(0.3)
        except OSError:
            pass
        p.kill()
        p.communicate()
    r.counted('renegotiation', 'tls12', 'emt_field_renegotiations_refused', ask)


def brainpool(r, tenant, node):
    """A brainpool gateway below a brainpool CA is served on TLS 1.2."""
    tenant.post('/gateways', {'id': 'gw-bp'})
    e = tenant.post('/gateways/gw-bp/enrolment')
    dir = r.dir / 'gw-bp'
    emt.run([emt.build_dir() / 'emt-agent', 'enrol', '--server', e['server'], '--token', e['token'], '--pin', e['pin'], '--dir', dir,
             '--key', 'brainpoolP256r1'])
    assert b'brainpoolP256r1' in subprocess.run(['openssl', 'x509', '-in', dir / 'gateway.pem', '-noout', '-text'], capture_output=True).stdout
    (dir / 'none.hex').write_text('# nothing\n')
    r.counted('control: brainpool chain', 'tls12', HANDSHAKE % 'ok', lambda: emt.run(
        [emt.build_dir() / 'emt-agent', 'run', '--dir', dir, '--address', f'127.0.0.1:{node.field}', '--replay', dir / 'none.hex', '--once',
         '--timeout', 20]))


def main():
    warnings.simplefilter('ignore')  # SHA-1 and short keys are what is tested
    with workspace('refusals') as (dir, nodes):
        node = Node(dir / 'n', **ALONE)
        nodes.append(node)
        logger = emt.free_ports(1)[0]
        node.field_extra = [f'  session_age: {AGE_S}s', f'  listen_logger: ["127.0.0.1:{logger}"]']
        node.start()
        tenant = Tenant(operator(node), 'alpha', key_kind='brainpoolP256r1')
        vendor = Identity('Vendor Device CA', ca=True)
        tenant.post('/certificates', {'purpose': 'gateway', 'name': 'vendor', 'certificate': vendor.pem})
        wait_for('imported', lambda: 'imports' in node.process.output(), 15)
        r = Refusals(node, dir)
        good = tenant.gateway('gw-good', dir / 'gw-good', node)
        certificates(r, vendor)
        r.everywhere('no-alpn', good, alpn=False)
        for version, listener in (('tls13', 'tls12'), ('tls12', 'tls13')):
            r.counted(f'{version} asked', listener, HANDSHAKE % 'no-common-profile', Client(version, r.ports[listener], good).dial)
        loggers(r, good, logger)
        tenants(r, node)
        revoked(r, tenant, node)
        ages(r, tenant, node)
        renegotiation(r, good, node)
        brainpool(r, tenant, node)
        assert node.process.stop() == 0
    say('done')


# Counters of one node are read before and after.
ALONE = {'alone': 'counters of one node are read'} if 'alone' in Node.__init__.__code__.co_varnames else {}

if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    sys.exit(main())
