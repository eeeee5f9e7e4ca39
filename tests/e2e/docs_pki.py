#!/usr/bin/env python3
"""The commands of docs/gateways.md and docs/pki.md as they stand there, typed one after the other against a fresh emtd --embedded: every block
marked sh in one shell, those marked sh token before a start with the configuration that stands beside them."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import emt
import pkcs11
from emt import ROOT, Node, operator, say, wait_for, workspace

SHELL = 'set -eu -o pipefail\n'
SECONDS = 120


def blocks(page, kind):
    return re.findall(rf'^```{kind}\n(.*?)^```$', (ROOT / 'docs' / page).read_text(), re.M | re.S)


def replaced(text, names):
    for name, here in names.items():
        text = text.replace(name, str(here))
    return text


def typed(script, dir, env=None):
    """What a shell prints of it, each command before what it answers; what it started in the background ends with it."""
    path = dir / 'typed.sh'
    path.write_text(SHELL + script)
    log = dir / 'typed.log'
    with open(log, 'wb') as out:
        p = subprocess.Popen(['bash', '-x', path], cwd=dir, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                             env={**os.environ, **(env or {}), 'PATH': f"{emt.build_dir()}:{os.environ['PATH']}"})
        try:
            code = p.wait(SECONDS)
        except subprocess.TimeoutExpired:
            code = 'no end'
        finally:
            try:
                os.killpg(p.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
            p.wait()
    text = log.read_text(errors='replace')
    assert code == 0, f'{code}\n{text[-3000:]}'
    return text


def pages(dir, node):
    names = {'https://localhost:8443': f'https://localhost:{node.https}', '/var/tmp/emt': node.dir, '/var/lib/emt-agent': dir / 'agent'}
    count = 0
    script = ''
    for page in ('gateways.md', 'pki.md'):
        for block in blocks(page, 'sh'):
            script += f'# {page}\n' + block
            count += 1
    text = typed(replaced(script, names), dir, {'KEY': operator(node).key})
    say(f'{count} blocks, {len(re.findall("(?m)^[+] ", text))} commands')
    # What the pages promise to be seen.
    for word in ('"state": "connected"', '"first_used_at": "20', '"generation":2', '"proven_at": "20', '"crl_policy": "alarm"', 'Certificate Revocation List',
                 '"current": true'):
        assert word in text, word
    assert node.sql('select count(*) from tenant') == [['2']]


def token(dir):
    """The keys in a token, and the configuration of the page in an emtd of its own."""
    if not pkcs11.there():
        say('token skipped: softhsm2 and libengine-pkcs11-openssl are not installed')
        return
    store, etc = dir / 'token', dir / 'etc'
    store.mkdir()
    conf = store / 'softhsm2.conf'
    conf.write_text(f'directories.tokendir = {store}\nlog.level = ERROR\n')
    names = {'/etc/emt': etc}
    script, = blocks('pki.md', 'sh token')
    typed(replaced(script, names), store, {'SOFTHSM2_CONF': str(conf)})
    os.environ['SOFTHSM2_CONF'] = str(conf)
    node = Node(dir / 't', extra=replaced('\n'.join(b for b in blocks('pki.md', 'yaml') if b.startswith('pki:')), names), **ALONE)
    try:
        node.start()
        wait_for('the token signs lists', lambda: node.sql('select count(*) from platform_crl') == [['2']], 15)
    finally:
        assert node.process.stop() == 0
    say('an emtd with its keys in a token')


def main():
    if shutil.which('jq') is None:
        print('skipped: jq is not installed')
        return 77
    with workspace('docs') as (dir, nodes):
        node = Node(dir / 'n', **ALONE)
        nodes.append(node)
        node.start()
        pages(dir, node)
        assert node.process.stop() == 0
        token(dir)
    say('done')
    return 0


# As a newcomer has it: one server.
ALONE = {'alone': 'the pages begin with one server'} if 'alone' in Node.__init__.__code__.co_varnames else {}

if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    sys.exit(main())
