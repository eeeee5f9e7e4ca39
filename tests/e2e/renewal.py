#!/usr/bin/env python3
"""Certificates of gateways are renewed over the channel: lives of minutes, agents killed meanwhile, the old one ends after the new one's first use."""
import os
import random
import signal
import subprocess
import sys
import time

import emt
from emt import Node, Tenant, operator, say, wait_for, workspace

LIFE_S = 75
GRACE_S = 4


def certificates(node):
    """Of the one gateway: (serial, used, revoked), oldest first."""
    return node.sql("select serial, first_used_at is not null, coalesce(revoke_reason, '') from gateway_certificate order by issued_at")


def serial_of(dir):
    out = emt.run(['openssl', 'x509', '-in', dir / 'gateway.pem', '-noout', '-serial']).stdout
    return out.strip().split('=')[1].lower()


def pair_matches(dir):
    """Key and certificate on disk belong together."""
    key = emt.run(['openssl', 'pkey', '-in', dir / 'gateway.key', '-pubout']).stdout
    cert = emt.run(['openssl', 'x509', '-in', dir / 'gateway.pem', '-noout', '-pubkey']).stdout
    return key == cert


def main():
    with workspace('renewal') as (dir, nodes):
        node = Node(dir / 'n')
        node.field_extra = [f'  leaf_lifetime: {LIFE_S}s', f'  certificate_grace: {GRACE_S}s']
        nodes.append(node)
        node.start()
        # Enrolled at one node, renewed at the other.
        field = Node(dir / 'n2', first=node)
        field.field_extra = node.field_extra
        nodes.append(field)
        field.start()
        op = operator(node)
        tenant = Tenant(op, 'alpha')
        folder = tenant.gateway('gw-1', dir / 'gw', node)
        first = serial_of(folder)
        old = {name: (folder / name).read_bytes() for name in ('gateway.key', 'gateway.pem', 'ca.pem', 'agent.yaml')}
        agent = emt.agent(folder, field, '--simulate', '20', '--interval', '5', log=dir / 'agent.log')

        say('the agent renews by itself, and goes on in a session of its new certificate')
        wait_for('a second certificate is used', lambda: len([c for c in certificates(node) if c[1] == 't']) >= 2, LIFE_S)
        second = serial_of(folder)
        assert second != first and pair_matches(folder)
        assert field.metric('emt_field_certificates_total{result="issued"}') >= 1

        say('the one before it ends after the grace time: its session is refused, also a resumed one')
        wait_for('the first is revoked', lambda: certificates(node)[0][2] == 'replaced', 30)
        past = dir / 'past'
        past.mkdir()
        for name, data in old.items():
            (past / name).write_bytes(data)
        (past / 'gateway.key').chmod(0o600)
        time.sleep(6)  # every node has heard of it
        refused = emt.run([emt.build_dir() / 'emt-agent', 'run', '--dir', past, '--address', f'127.0.0.1:{field.field}', '--once',
                           '--timeout', '4'], ok=(1,))
        assert 'refused by peer' in refused.stderr, refused.stderr[-1000:]
        wait_for('counted', lambda: field.metric('emt_field_handshakes_total{result="revoked"}') >= 1, 10)

        say('killed at any moment of it, the pair on disk is one that serves')
        for turn in range(6 if emt.FULL else 2):
            before = len(certificates(node))
            end = time.monotonic() + LIFE_S
            while len(certificates(node)) == before and time.monotonic() < end:
                time.sleep(0.02)
            time.sleep(random.random() * 0.05)
            os.kill(agent.pid, signal.SIGKILL)
            agent.kill()
            if not (folder / 'gateway.pem.renewed').exists():
                assert pair_matches(folder)
            agent = emt.agent(folder, field, '--simulate', '20', '--interval', '5', log=dir / f'agent{turn}.log')
            wait_for('it is connected again', lambda: tenant.get('/gateways/gw-1').get('connected') or
                     field.metric('emt_field_sessions') == 1, 30)
            assert pair_matches(folder)
        newest = serial_of(folder)
        assert newest not in (first,)
        say('nobody is left behind: no end of a certificate interrupts the gateway for good')
        wait_for('renewed again', lambda: serial_of(folder) != newest, LIFE_S)
        log = node.sql("select count(*) from audit where action = 'gateway.renew'")
        assert int(log[0][0]) >= 2
        assert agent.stop() == 0
    say('done')


if __name__ == '__main__':
    sys.exit(main())
