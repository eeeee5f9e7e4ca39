#!/usr/bin/env python3
"""The platform's keys in a token (SoftHSM): root, CA of the servers and server certificate, over a first start, a restart and what is wrong."""
import os
import pathlib
import shutil
import subprocess
import sys

import emt
from emt import Node, Process, Tenant, operator, say, wait_for, workspace

MODULE = pathlib.Path('/usr/lib/softhsm/libsofthsm2.so')
PIN = '471108'


def there():
    return (MODULE.exists() and shutil.which('softhsm2-util') and
            subprocess.run(['openssl', 'engine', 'pkcs11'], capture_output=True).returncode == 0)


def make_token(dir):
    dir.mkdir()
    (dir / 'softhsm2.conf').write_text(f'directories.tokendir = {dir}\nlog.level = ERROR\n')
    os.environ['SOFTHSM2_CONF'] = str(dir / 'softhsm2.conf')
    emt.run(['softhsm2-util', '--init-token', '--free', '--label', 'emt', '--so-pin', '0815', '--pin', PIN])
    for n, (name, curve) in enumerate({'root': 'P-384', 'servers': 'P-256', 'server': 'P-256', 'other': 'P-256'}.items()):
        key = dir / 'key.pem'
        emt.run(['openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', f'ec_paramgen_curve:{curve}', '-out', key])
        emt.run(['softhsm2-util', '--import', key, '--token', 'emt', '--label', name, '--id', f'{n:02x}', '--pin', PIN])
        key.unlink()
    (dir / 'pin').write_text(PIN + '\n')
    (dir / 'pin').chmod(0o600)


def main():
    if not there():
        print('skipped: softhsm2 and libengine-pkcs11-openssl are not installed')
        return 77
    with workspace('token') as (dir, nodes):
        token = dir / 'token'
        make_token(token)
        uri = lambda name, pin='pin': f'"pkcs11:token=emt;object={name};type=private?module-path={MODULE}&pin-source=file:{token}/{pin}"'
        pki = lambda root='root', pin='pin': (f'pki:\n  root_key: {uri(root, pin)}\n  server_ca_key: {uri("servers")}\n'
                                              f'  server_key: {uri("server")}\n')
        node = Node(dir / 'n', extra=pki())
        nodes.append(node)
        say('a first start with three keys in the token')
        node.start()
        op = operator(node)
        tenant = Tenant(op, 'alpha')
        folder = tenant.gateway('gw-1', dir / 'gw', node)
        agent = emt.agent(folder, node, log=dir / 'agent.log')
        wait_for('connected', lambda: node.metric('emt_field_sessions') == 1, 20)
        assert 'secp384r1' in emt.run(['openssl', 'x509', '-in', node.dir / 'root.pem', '-noout', '-text']).stdout
        wait_for('the token signs lists', lambda: node.sql('select count(*) from platform_crl') == [['2']], 15)
        assert agent.stop() == 0

        say('the same token after a restart, through another name of the PIN file')
        assert node.process.stop() == 0
        shutil.copy(token / 'pin', token / 'moved')
        (token / 'moved').chmod(0o600)
        node.extra = pki(pin='moved')
        node.start()
        agent = emt.agent(folder, node, log=dir / 'agent2.log')
        wait_for('connected', lambda: node.metric('emt_field_sessions') == 1, 20)
        assert agent.stop() == 0
        assert node.process.stop() == 0

        say('what is wrong is said, and nothing starts')
        (token / 'open').write_text(PIN)
        (token / 'open').chmod(0o644)
        for n, (extra, words) in enumerate(((pki(root='other'), 'do not belong together'), (pki(root='nobody'), 'no key'), (pki(pin='gone'), '/gone: '),
                             (pki(pin='open'), 'only its owner'), ('pki:\n  root_key: /etc/key.pem\n', 'pkcs11:token='))):
            node.extra = extra
            (node.dir / 'emtd.yaml').write_text(node.config())
            p = Process([node.program, '--embedded', node.dir], dir / f'wrong{n}.log')
            assert p.popen.wait(60) != 0
            out = p.output()
            assert words in out and PIN not in out, out[-2000:]
    say('done')


if __name__ == '__main__':
    sys.exit(main())
