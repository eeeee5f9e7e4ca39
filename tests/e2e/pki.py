#!/usr/bin/env python3
"""Certificates of others and lists of revoked certificates, as docs/pki.md tells it: a vendor's CA, pinned certificates, the listener for devices
of others, lists fetched and brought, stale ones, proofs of possession, our own lists, a tenant's next CA, sessions past their age.
refusals.py has the other refusals."""
import base64
import contextlib
import datetime
import hashlib
import http.server
import re
import shutil
import socketserver
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import emt
from emt import Node, Problem, Process, Tenant, operator, say, wait_for, workspace

TELEGRAM = 'wmbus 2c44a7320613216802057a2f0000002f2f0b13672400002f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f\n'


def now():
    return datetime.datetime.utcnow()


class Identity:
    """A certificate with its key, as somebody else makes it."""

    def __init__(self, name, issuer=None, key=None, ca=False, days=30, since=None, digest=hashes.SHA256(), usage='sign'):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = issuer or self
        start = since or now() - datetime.timedelta(hours=1)
        sign = usage == 'sign' and not ca
        builder = (x509.CertificateBuilder().subject_name(self.name).issuer_name(issuer.name).public_key(self.key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(start + datetime.timedelta(days=days))
                   .add_extension(x509.BasicConstraints(ca=ca, path_length=None), True)
                   .add_extension(x509.KeyUsage(sign, False, usage == 'agree', False, usage == 'agree', ca, ca, False, False), True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False))
        self.cert = builder.sign(issuer.key, digest)
        self.pem = self.cert.public_bytes(serialization.Encoding.PEM).decode()

    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def crl(self, number, revoked=(), seconds=3600, number_of=None):
        builder = (x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(now() - datetime.timedelta(seconds=5))
                   .next_update(now() + datetime.timedelta(seconds=seconds)).add_extension(x509.CRLNumber(number), False))
        for r in revoked:
            builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(r.cert.serial_number)
                                                      .revocation_date(now() - datetime.timedelta(seconds=5)).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class Lists(http.server.ThreadingHTTPServer):
    """Serves what stands in `body`; a status instead when it is a number."""

    def __init__(self):
        lists = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = lists.body
                lists.asked += 1
                if isinstance(body, int):
                    self.send_response(body)
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):  # too long: who asks hangs up
                    self.wfile.write(body)

            def log_message(self, *args):
                pass
        super().__init__(('127.0.0.1', 0), Handler)
        self.body = 404
        self.asked = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Mailbox(socketserver.ThreadingTCPServer):
    """Takes mails without asking who sends them."""
    allow_reuse_address = True

    def __init__(self):
        self.mails = []
        box = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b'220 box\r\n')
                while line := self.rfile.readline():
                    word = line[:4].upper()
                    if word == b'DATA':
                        self.wfile.write(b'354 go on\r\n')
                        mail = b''
                        while (line := self.rfile.readline()) not in (b'.\r\n', b''):
                            mail += line[1:] if line.startswith(b'..') else line
                        box.mails.append(mail)
                    self.wfile.write(b'221 bye\r\n' if word == b'QUIT' else b'250 ok\r\n')
        super().__init__(('127.0.0.1', 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Field:
    """Gateways' folders and what becomes of them."""

    def __init__(self, dir, node, template):
        self.dir, self.node, self.template = dir, node, template
        self.telegrams = dir / 'one.hex'
        self.telegrams.write_text(TELEGRAM)

    def folder(self, name, identity, chain=''):
        dir = self.dir / name
        dir.mkdir()
        for f in ('ca.pem', 'agent.yaml'):
            shutil.copy(self.template / f, dir / f)
        (dir / 'gateway.pem').write_text(identity.pem + chain)
        (dir / 'gateway.key').write_bytes(identity.key_pem())
        (dir / 'gateway.key').chmod(0o600)
        return dir

    def run(self, dir, good=True, port=None):
        shutil.rmtree(dir / 'spool', ignore_errors=True)
        return emt.run([emt.build_dir() / 'emt-agent', 'run', '--dir', dir, '--address', f'127.0.0.1:{port}' if port else self.node.field_address(), '--replay',
                        self.telegrams, '--once', '--timeout', 20 if good else 1], ok=(0,) if good else (1,))

    def refused(self, dir, metric, port=None):
        before = self.node.metric(metric)
        self.run(dir, False, port)
        wait_for(metric, lambda: self.node.metric(metric) > before, 10)


def refused(status, call, *words):
    try:
        call()
    except Problem as e:
        assert e.status == status, e
        for w in words:
            assert w in str(e), (w, str(e))
        return
    raise AssertionError('it was taken')


def imports(alpha, beta, field, node):
    vendor = Identity('Vendor Device CA', ca=True)
    device = Identity('EXXX0011223344', vendor)
    folder = field.folder('vendor', device)
    HANDSHAKE = 'emt_field_handshakes_total{result="%s"}'

    say('a device of a vendor is nobody before its CA is imported')
    alpha.post('/gateways', {'id': 'EXXX0011223344'})
    field.refused(folder, HANDSHAKE % 'bad-certificate')

    say("another tenant's import makes it nobody's gateway either")
    other = beta.post('/certificates', {'purpose': 'gateway', 'name': 'vendor', 'certificate': vendor.pem})
    wait_for('taken', lambda: node.process.output().count('imports') > 0, 15)
    field.refused(folder, 'emt_field_closed_total{reason="unknown-certificate"}')

    say('its own does')
    mine = alpha.post('/certificates', {'purpose': 'gateway', 'name': 'vendor', 'certificate': vendor.pem})
    assert mine['serial'] and not mine['pinned'] and mine['crl'] is None
    field.run(folder)
    assert alpha.get('/gateways/EXXX0011223344')['state'] == 'enrolled'
    assert node.sql("select count(*) from raw_frame f join gateway g using (tenant_id, gateway_id) where g.external_id = 'EXXX0011223344'") != [['0']]

    say('a gateway that two tenants claim is nobody\'s')
    beta.post('/gateways', {'id': 'EXXX-twice'})
    alpha.post('/gateways', {'id': 'EXXX-twice'})
    field.refused(field.folder('twice', Identity('EXXX-twice', vendor)), 'emt_field_closed_total{reason="unknown-certificate"}')
    beta.delete(f"/certificates/{other['id']}")

    say('a pinned certificate, signed by itself, is one gateway\'s and no other\'s')
    alpha.post('/gateways', {'id': 'gw-pinned'})
    alone = Identity('something else')
    pinned = field.folder('pinned', alone)
    field.refused(pinned, HANDSHAKE % 'self-signed')
    pin = alpha.post('/certificates', {'purpose': 'gateway', 'name': 'pin', 'certificate': alone.pem, 'gateway': 'gw-pinned'})
    refused(409, lambda: beta.post('/gateways', {'id': 'mine'}) and beta.post(
        '/certificates', {'purpose': 'gateway', 'name': 'theft', 'certificate': alone.pem, 'gateway': 'mine'}))
    field.run(pinned)
    assert alpha.get('/gateways/gw-pinned')['state'] == 'enrolled'

    say('removed, it is refused, and a session of it ends')
    agent = emt.agent(pinned, node, log=pinned / 'agent.log')
    wait_for('connected', lambda: alpha.get('/gateways/gw-pinned')['connection']['state'] == 'connected', 20)
    alpha.delete(f"/certificates/{pin['id']}")
    wait_for('it ended', lambda: alpha.get('/gateways/gw-pinned')['connection']['state'] == 'ended', 15)
    agent.stop()
    field.refused(pinned, HANDSHAKE % 'self-signed')

    say('what must not be imported is not')
    new = lambda **more: alpha.post('/certificates', {'purpose': 'gateway', 'name': 'x', **more})
    refused(400, lambda: new(certificate='nothing'), 'certificate')
    refused(400, lambda: new(certificate=device.pem), 'no CA')
    refused(400, lambda: new(certificate=vendor.pem, gateway='gw-pinned'), "CA's certificate")
    refused(400, lambda: new(certificate=vendor.pem + device.pem), 'one certificate')
    refused(400, lambda: new(certificate=Identity('rsa', key=rsa.generate_private_key(65537, 2048)).pem, gateway='gw-pinned'), 'curve')
    refused(400, lambda: new(certificate=Identity('old', ca=True, since=now() - datetime.timedelta(days=9), days=1).pem), 'over')
    refused(400, lambda: new(certificate=vendor.pem, crl_url='ftp://x/'), 'crl_url')
    refused(400, lambda: alpha.post('/certificates', {'purpose': 'logger', 'name': 'x', 'certificate': vendor.pem}), 'gateway')
    refused(409, lambda: new(certificate=vendor.pem))
    return vendor, mine['id'], folder


def lists(alpha, field, node, vendor, id, folder):
    CRL = f'/certificates/{id}/crl'
    server = Lists()

    say('a list that is none, of somebody else, or over is refused, and nothing is kept of it')
    refused(400, lambda: alpha.post(CRL, {'crl': 'AAAA'}))
    refused(400, lambda: alpha.post(CRL, {'crl': base64.b64encode(Identity('Vendor Device CA', ca=True).crl(1)).decode()}), 'signature')
    refused(400, lambda: alpha.post(CRL, {'crl': base64.b64encode(vendor.crl(1, seconds=-1)).decode()}), 'next update')
    assert alpha.get(f'/certificates/{id}')['crl'] is None

    say('a good one is taken; a number does not go back')
    taken = alpha.post(CRL, {'crl': base64.b64encode(vendor.crl(7)).decode()})
    assert taken['crl']['number'].endswith('07') and taken['crl']['source'] == 'uploaded'
    refused(409, lambda: alpha.post(CRL, {'crl': base64.b64encode(vendor.crl(6)).decode()}), 'older')

    say('a listed device loses its session at once, does not resume, is not let in again')
    agent = emt.agent(folder, node, log=folder / 'agent.log')
    state = lambda: alpha.get('/gateways/EXXX0011223344')['connection']['state']
    wait_for('connected', lambda: state() == 'connected', 20)
    other = Identity('EXXX0000000009', vendor)
    alpha.post('/gateways', {'id': 'EXXX0000000009'})
    spare = field.folder('spare', other)
    server.body = vendor.crl(8, [x509_of(folder)])
    alpha.patch(f'/certificates/{id}', {'crl_url': f'http://127.0.0.1:{server.server_port}/vendor.crl', 'crl_policy': 'refuse'})
    wait_for('fetched and followed', lambda: state() == 'ended', 30)
    agent.stop()
    assert alpha.get(f'/certificates/{id}')['crl']['source'] == 'fetched'
    assert node.metric('emt_crl_fetched_total{result="taken"}') >= 1 and node.metric('emt_crl_revoked_total') >= 1
    field.refused(folder, 'emt_field_handshakes_total{result="revoked"}')
    field.run(spare)

    say('a server that fails leaves the list as it was, and says so')
    server.body = 500
    alpha.patch(f'/certificates/{id}', {'crl_url': f'http://127.0.0.1:{server.server_port}/again.crl'})
    wait_for('noted', lambda: 'answered 500' in alpha.get(f'/certificates/{id}')['crl_error'], 20)
    server.body = b'x' * (9 << 20)
    alpha.patch(f'/certificates/{id}', {'crl_url': f'http://127.0.0.1:{server.server_port}/long.crl'})
    wait_for('noted', lambda: 'longer' in alpha.get(f'/certificates/{id}')['crl_error'], 20)
    assert alpha.get(f'/certificates/{id}')['crl']['number'].endswith('08')

    say('a stale one alarms, and refuses new sessions where the tenant wants that')
    server.body = 404
    alpha.post(CRL, {'crl': base64.b64encode(vendor.crl(9, [x509_of(folder)], seconds=3)).decode()})
    wait_for('stale', lambda: node.metric('emt_crl_stale') >= 1, 20)
    wait_for('alarm', lambda: [e for e in alpha.all('/events?kind=crl-stale')], 10)
    field.refused(spare, 'emt_field_closed_total{reason="crl-stale"}')
    alpha.patch(f'/certificates/{id}', {'crl_policy': 'alarm'})
    field.run(spare)
    alpha.patch(f'/certificates/{id}', {'crl_policy': 'refuse'})
    alpha.post(CRL, {'crl': base64.b64encode(vendor.crl(10, [x509_of(folder)])).decode()})
    field.run(spare)
    wait_for('not stale', lambda: node.metric('emt_crl_stale') == 0, 20)
    server.shutdown()  # it listens on and answers nobody: who fetches waits, and the end of the process does not


class x509_of:
    def __init__(self, folder):
        self.cert = x509.load_pem_x509_certificate((folder / 'gateway.pem').read_bytes())


def loggers(alpha, field, node, logger_port):
    say('a device of others with an RSA key delivers on the listener for such, pinned')
    alpha.post('/gateways', {'id': 'logger-1'})
    device = Identity('any name', key=rsa.generate_private_key(65537, 2048))
    folder = field.folder('logger', device)
    field.refused(folder, 'emt_field_handshakes_total{result="not-pinned"}', logger_port)
    alpha.post('/certificates', {'purpose': 'logger', 'name': 'logger', 'certificate': device.pem, 'gateway': 'logger-1'})
    field.run(folder, port=logger_port)
    assert node.sql("select count(*) from raw_frame f join gateway g using (tenant_id, gateway_id) where g.external_id = 'logger-1'") != [['0']]

    say('not on the port of the gateways; a gateway not on that of the loggers')
    field.run(folder, False)
    field.refused(field.template, 'emt_field_handshakes_total{result="not-pinned"}', logger_port)

    say('short keys and old digests are refused before they are imported')
    for kind in (Identity('short', key=rsa.generate_private_key(65537, 1024)),
                 Identity('sha1', key=rsa.generate_private_key(65537, 2048), digest=hashes.SHA1())):
        refused(400, lambda: alpha.post('/certificates', {'purpose': 'logger', 'name': 'x', 'certificate': kind.pem, 'gateway': 'logger-1'}), 'weak')


def request(identity, organisation, name):
    """What the holder of a certificate's key signs to say whose it is."""
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation), x509.NameAttribute(NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(identity.key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def proofs(alpha, beta, field, node):
    logger_port = re.search(r'listen_logger: \["127.0.0.1:(\d+)', node.config())[1]
    say('a pinned certificate is a claim until its device was seen; sessions are counted')
    device = Identity('thing', key=rsa.generate_private_key(65537, 2048))
    folder = field.folder('claimed', device)
    pin = lambda tenant, gateway, **more: tenant.post('/certificates', {'purpose': 'logger', 'name': gateway, 'certificate': device.pem,
                                                                        'gateway': gateway, **more})
    alpha.post('/gateways', {'id': 'claimed-1'})
    claimed = pin(alpha, 'claimed-1')
    assert claimed['seen'] == {'certificates': 1, 'sessions': 0, 'first': None, 'last': None} and claimed['proven_at'] is None, claimed
    for _ in range(2):
        field.run(folder, port=logger_port)
    seen = alpha.get(f"/certificates/{claimed['id']}")['seen']
    assert seen['sessions'] == 2 and seen['first'] < seen['last'], seen
    one, = alpha.get('/gateway-certificates?gateway=claimed-1&state=valid')['items']
    assert one['import'] == claimed['id'] and one['sessions'] == 2, one
    own, = alpha.get('/gateway-certificates?gateway=gw-old')['items']
    assert own['import'] is None and own['sessions'] is None and own['first_used_at'], own
    assert not alpha.get('/gateway-certificates?gateway=gw-old&ends_within=30')['items']

    say('who proves that it holds the key takes a certificate from who did not, and nobody takes it back')
    beta.post('/gateways', {'id': 'mine-1'})
    refused(409, lambda: pin(beta, 'mine-1'))
    refused(400, lambda: pin(beta, 'mine-1', proof=request(device, 'alpha', 'mine-1')), 'organisation')
    refused(400, lambda: pin(beta, 'mine-1', proof=request(device, 'beta', 'claimed-1')), 'common name')
    refused(400, lambda: pin(beta, 'mine-1', proof=request(Identity('other'), 'beta', 'mine-1')), 'another key')
    refused(400, lambda: pin(beta, 'mine-1', proof=device.pem), 'PKCS')
    assert pin(beta, 'mine-1', proof=request(device, 'beta', 'mine-1'))['proven_at']
    refused(404, lambda: alpha.get(f"/certificates/{claimed['id']}"))
    assert 'claimed-1' in alpha.get('/events?kind=certificate-taken')['items'][0]['detail']
    refused(409, lambda: pin(alpha, 'claimed-1', proof=request(device, 'alpha', 'claimed-1')))
    field.run(folder, port=logger_port)
    assert beta.get('/gateways/mine-1')['connection'] and beta.all('/certificates')[-1]['seen']['sessions'] == 1

    say('a purpose that nothing uses is refused, with what to do instead')
    for purpose, word in (('smgw', 'SM-PKI'), ('partner', 'target'), ('x', 'one of')):
        refused(400, lambda: alpha.post('/certificates', {'purpose': purpose, 'name': 'x', 'certificate': device.pem}), 'purpose', word)


def by_hand(beta, dir, field, node):
    say('the same by emtctl')
    def ctl(*args, ok=(0,)):
        return emt.run([emt.build_dir() / 'emtctl', 'certificate', args[0], '--tenant', 'beta', '--embedded', node.dir, *args[1:]], ok=ok)
    ca = Identity('Hand CA', ca=True)
    for name, data in (('ca.pem', ca.pem.encode()), ('list.crl', ca.crl(3)), ('old.crl', ca.crl(2)), ('none', b'nothing')):
        (dir / name).write_bytes(data)
    id = ctl('import', '--name', 'by hand', '--file', dir / 'ca.pem', '--crl-policy', 'alarm').stdout.strip()
    assert 'somebody' in ctl('import', '--name', 'twice', '--file', dir / 'ca.pem', ok=(1,)).stderr
    assert 'certificate' in ctl('import', '--name', 'x', '--file', dir / 'none', ok=(1,)).stderr
    ctl('import', '--name', 'x', '--file', dir / 'ca.pem', '--logger', ok=(2,))
    assert '0 entries' in ctl('crl', '--id', id, '--file', dir / 'list.crl').stdout
    assert 'older' in ctl('crl', '--id', id, '--file', dir / 'old.crl', ok=(1,)).stderr
    line = ctl('list').stdout.splitlines()[-1].split('\t')
    assert line[0] == id and line[3] == 'by hand' and line[6].endswith('3'), line
    beta.post('/gateways', {'id': 'hand-1'})
    thing = Identity('hand thing')
    for name, text in (('thing.pem', thing.pem), ('good.csr', request(thing, 'beta', 'hand-1')), ('bad.csr', request(thing, 'beta', 'hand-2'))):
        (dir / name).write_text(text)
    pin = lambda proof, **more: ctl('import', '--name', 'thing', '--file', dir / 'thing.pem', *proof, **more)
    pin(['--proof', dir / 'good.csr'], ok=(2,))
    assert 'common name' in pin(['--gateway', 'hand-1', '--proof', dir / 'bad.csr'], ok=(1,)).stderr
    proven = pin(['--gateway', 'hand-1', '--proof', dir / 'good.csr']).stdout.strip()
    assert beta.get(f'/certificates/{proven}')['proven_at']
    ctl('remove', '--id', proven)
    folder = field.folder('hand', Identity('hand-1', ca))
    time.sleep(6)  # without the API nobody wakes the channel: it looks every five seconds
    field.run(folder)
    ctl('remove', '--id', id)
    assert id not in [l.split('\t')[0] for l in ctl('list').stdout.splitlines()]
    parts = triple('by hand', 90)
    args = []
    for use in ('sig', 'enc', 'tls'):
        for option, text in ((use, parts[use]), (use + '-key', parts[use + '_key'])):
            (dir / option).write_text(text)
            args += ['--' + option, dir / option]
    ctl('emt-add', '--name', 'by hand', *args)
    assert len([l for l in ctl('emt-list').stdout.splitlines() if l.endswith('current')]) == 3
    actors = node.sql("select distinct actor from audit where action like '%certificate%' and actor like 'emtctl:%'")
    assert actors, 'it is in the audit'


def ends(beta, node):
    say('CAs, imports and EMT certificates that end are told of 90, 30 and 7 days before, each once')
    beta.post('/certificates', {'purpose': 'gateway', 'name': 'short', 'certificate': Identity('Short CA', ca=True, days=400).pem})
    warn = lambda: int(node.sql('select other_certificates_warn()')[0][0])
    told = lambda: [e['detail'] for e in beta.all('/events?kind=certificate-ends')]
    warn()
    before = len(told())
    for table, what in (('tenant_ca', 'CA of the tenant, generation 1'), ('imported_certificate', 'imported certificate short'),
                        ('emt_certificate', 'EMT certificate ')):
        where = "tenant_id = (select id from tenant where key = 'beta')" + (" and name = 'short'" if table == 'imported_certificate' else '')
        for days, step in ((89, 90), (29, 30), (6, 7)):
            more = ", not_before = now() - interval '700 days'" if table != 'tenant_ca' else ''
            node.sql(f"update {table} set not_after = now() + interval '{days} days'{more} where {where}")
            assert warn() >= 1 and warn() == 0, (table, days)
            assert any(what in d and f'within {step} days' in d for d in told()[:4]), (table, days, told()[:4])
    assert len(told()) >= before + 9


def age(alpha, dir, field, node):
    say('a session past its age is not resumed, in TLS 1.2 and 1.3')
    alpha.post('/gateways', {'id': 'gw-13'})
    e = alpha.post('/gateways/gw-13/enrolment')
    modern = dir / 'gw-13'
    emt.run([emt.build_dir() / 'emt-agent', 'enrol', '--server', node.api_address(), '--token', e['token'], '--pin', e['pin'],
             '--dir', modern, '--tls', '1.3'])
    alpha.post('/gateways', {'id': 'gw-bp'})
    e = alpha.post('/gateways/gw-bp/enrolment')
    brainpool = dir / 'gw-bp'
    enrol = [emt.build_dir() / 'emt-agent', 'enrol', '--server', node.api_address(), '--token', e['token'], '--pin', e['pin'],
             '--dir', brainpool]
    emt.run([*enrol, '--key', 'brainpoolP384r1', '--tls', '1.3'], ok=(2,))
    emt.run([*enrol, '--key', 'secp521r1'], ok=(2,))
    emt.run([*enrol, '--key', 'brainpoolP384r1'])
    assert 'brainpoolP384r1' in emt.run(['openssl', 'x509', '-in', brainpool / 'gateway.pem', '-noout', '-text']).stdout
    code = node.process.stop()
    assert code == 0, code
    node.field_extra += ['  session_age: 2s']
    node.start()
    for folder, port in ((brainpool, node.field), (modern, node.field13)):
        # A session that ends for its age comes back with a full handshake. One that is tried a moment too late is counted
        # as session-too-old (unit tests: a moment is hard to meet here).
        before = node.metric('emt_field_resumed_total')
        agent = Process([emt.build_dir() / 'emt-agent', 'run', '--dir', folder, '--address', f'127.0.0.1:{port}'], folder / 'agent.log')
        wait_for('the end for its age', lambda: 'bye: session-age' in agent.output(), 30)
        wait_for('and connected anew', lambda: agent.output().count('"uplink-up"') > 1, 60)
        assert node.metric('emt_field_resumed_total') == before, 'a session past its age was resumed'
        assert agent.stop() == 0


def own_lists(alpha, node):
    say('our own lists are there for everybody, signed by their CA, and follow a revocation')
    def ca():
        return alpha.get('/authorities')['items'][0]
    wait_for('the list of the tenant\'s CA', lambda: ca()['crl_number'], 20)
    at = lambda fp: f'{node.api_address()}/api/v1/crls/{fp}.crl'
    trust = ssl.create_default_context(cafile=node.dir / 'root.pem')

    def get(fp):
        with urllib.request.urlopen(at(fp), context=trust, timeout=10) as r:
            assert r.headers['Content-Type'] == 'application/pkix-crl' and 'max-age' in r.headers['Cache-Control'], r.headers
            return x509.load_der_x509_crl(r.read())
    mine = x509.load_pem_x509_certificate(ca()['certificate'].encode())
    crl = get(ca()['fingerprint'])
    assert crl.is_signature_valid(mine.public_key()) and len(crl) == 0
    assert crl.next_update > now() + datetime.timedelta(days=6)
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    root = x509.load_pem_x509_certificate((node.dir / 'root.pem').read_bytes())
    fp = hashlib.sha256(root.public_bytes(serialization.Encoding.DER)).hexdigest()
    wait_for('the root\'s', lambda: node.sql("select count(*) from platform_crl") == [['2']], 10)
    assert get(fp).is_signature_valid(root.public_key())

    alpha.post('/gateways/gw-old/revoke')
    serial = node.sql("select c.serial from gateway_certificate c join gateway g using (tenant_id, gateway_id) where g.external_id = 'gw-old'")[0][0]
    wait_for('it is on the list', lambda: get(ca()['fingerprint']).get_revoked_certificate_by_serial_number(int(serial, 16)), 20)
    assert get(ca()['fingerprint']).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number > number
    for bad in ('0' * 64, 'zz', fp + '0'):
        try:
            urllib.request.urlopen(at(bad), context=trust, timeout=10)
            raise AssertionError(bad)
        except urllib.error.HTTPError as e:
            assert e.code == 404 and e.headers['Cache-Control'] == 'no-store', e.code


def authorities(tenant, dir, field, node):
    say("a tenant's next CA issues from now on; the one before can be revoked, and what it issued with it")
    old = tenant.gateway('gw-first', dir / 'first', node)
    field.run(old)
    refused(409, lambda: tenant.post('/authorities/1/revoke'))
    assert tenant.post('/authorities', {'key_kind': 'brainpoolP256r1'}) == {'generation': 2}
    new = tenant.gateway('gw-second', dir / 'second', node)
    assert 'SHA256' in emt.run(['openssl', 'x509', '-in', new / 'gateway.pem', '-noout', '-text']).stdout
    field.run(old)
    field.run(new)
    tenant.post('/authorities/1/revoke')
    wait_for('revoked', lambda: field.run(old, False).returncode == 1 and
             node.metric('emt_field_handshakes_total{result="revoked"}') > 0, 15)
    field.run(new)
    wait_for('on the root\'s list', lambda: node.sql("select entries from platform_crl where name = 'pki-root'") == [['1']], 15)


def triple(name, days):
    """A triple of the market participant, as the API takes it."""
    ca = Identity('Sub.CA', ca=True)
    parts = {use: Identity('org.EMT', ca, days=days, usage='agree' if use == 'enc' else 'sign') for use in ('sig', 'enc')}
    key = ec.generate_private_key(ec.BrainpoolP256R1())
    tls = (x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, 'org.EMT')])).issuer_name(ca.name)
           .public_key(key.public_key()).serial_number(x509.random_serial_number()).not_valid_before(now() - datetime.timedelta(hours=1))
           .not_valid_after(now() + datetime.timedelta(days=days))
           .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False), True)
           .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), True)
           .sign(ca.key, hashes.SHA256()))
    pem = lambda k: k.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    body = {'name': name, 'tls': tls.public_bytes(serialization.Encoding.PEM).decode(), 'tls_key': pem(key)}
    for use, i in parts.items():
        body[use], body[use + '_key'] = i.pem + ca.pem, i.key_pem().decode()
    return body


def triples(alpha, node):
    say('certificates of the market participant: old and new beside each other, keys never come out')
    one = triple('2026', 700)
    first = alpha.post('/emt-certificates', one)
    assert first['sig']['current'] and first['enc']['current'] and first['tls']['current']
    refused(400, lambda: alpha.post('/emt-certificates', {**triple('x', 700), 'sig_key': one['tls_key']}), 'sig')
    refused(400, lambda: alpha.post('/emt-certificates', {**one, 'enc': one['sig'], 'enc_key': one['sig_key']}), 'enc')
    assert len(alpha.get('/emt-certificates')['items']) == 1  # nothing of the refused ones is there
    second = alpha.post('/emt-certificates', triple('2028', 800))
    both = alpha.get('/emt-certificates')['items']
    assert [t['sig']['current'] for t in both] == [True, False], both
    assert 'PRIVATE' not in str(both)

    say('mails are signed with the SIG of the triple that counts')
    box = Mailbox()
    target = alpha.post('/targets', {'name': 'mail', 'kind': 'mail', 'host': '127.0.0.1', 'port': box.server_address[1], 'plain_allowed': True,
                                     'mail_from': 'a@example.org', 'mail_to': ['b@example.org'], 'mail_subject': 'x', 'sign_certificate': 'emt'})
    def signer():
        n = len(box.mails)
        alpha.post(f"/targets/{target['id']}/test")
        wait_for('a mail', lambda: len(box.mails) > n, 20)
        (node.dir / 'mail').write_bytes(box.mails[n])
        emt.run(['openssl', 'cms', '-verify', '-in', node.dir / 'mail', '-noverify', '-signer', node.dir / 'signer', '-out', '/dev/null'])
        return x509.load_pem_x509_certificate((node.dir / 'signer').read_bytes()).serial_number
    assert signer() == int(second['sig']['serial'], 16)
    alpha.delete(f"/emt-certificates/{second['id']}")
    assert signer() == int(first['sig']['serial'], 16)
    assert alpha.get(f"/emt-certificates/{first['id']}")['sig']['current']


def main():
    warnings.simplefilter('ignore')  # SHA-1 and short keys are what is tested
    with workspace('pki') as (dir, nodes):
        node = Node(dir / 'n', extra='delivery:\n  private_networks: true\n', logger=True)
        nodes.append(node)
        node.start()
        op = operator(node)
        alpha, beta, gamma = Tenant(op, 'alpha'), Tenant(op, 'beta'), Tenant(op, 'gamma')
        template = alpha.gateway('gw-old', dir / 'gw-old', node)
        field = Field(dir, node, template)
        field.run(template)
        vendor, id, folder = imports(alpha, beta, field, node)
        lists(alpha, field, node, vendor, id, folder)
        loggers(alpha, field, node, node.logger)
        proofs(alpha, beta, field, node)
        own_lists(alpha, node)
        authorities(gamma, dir, field, node)
        triples(alpha, node)
        by_hand(beta, dir, field, node)
        ends(beta, node)
        age(beta, dir, field, node)
    say('done')


if __name__ == '__main__':
    sys.exit(main())
