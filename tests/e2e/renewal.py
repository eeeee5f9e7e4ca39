#!/usr/bin/env python3
"""Certificates of gateways are renewed over the channel: lives of a minute and less, agents killed meanwhile, the old one ends after the new one's first use."""
import itertools
import random
import sys
import time

import emt
from emt import Node, Tenant, operator, say, wait_for, workspace

ENROLLED_LIFE_S = 54  # long enough to be refused while it would still be good
LIFE_S = 30
GRACE_S = 2
GATEWAYS = ('gw-1', 'gw-2', 'gw-3')


def certificates(node, gateway):
    """Of one gateway: (serial, used, revoked), oldest first."""
    return node.sql("select c.serial, c.first_used_at is not null, coalesce(c.revoke_reason, '') from gateway_certificate c"
                    f" join gateway g using (tenant_id, gateway_id) where g.external_id = '{gateway}' order by c.issued_at")


def issued(node):
    """How many certificates each gateway has had."""
    return {name: int(n) for name, n in node.sql('select g.external_id, count(*) from gateway_certificate c'
                                                 ' join gateway g using (tenant_id, gateway_id) group by 1')}


def serial_of(dir):
    out = emt.run(['openssl', 'x509', '-in', dir / 'gateway.pem', '-noout', '-serial']).stdout
    return out.strip().split('=')[1].lower()


def pair_matches(dir):
    """Key and certificate on disk belong together."""
    key = emt.run(['openssl', 'pkey', '-in', dir / 'gateway.key', '-pubout']).stdout
    cert = emt.run(['openssl', 'x509', '-in', dir / 'gateway.pem', '-noout', '-pubkey']).stdout
    return key == cert


def killed_while_renewing(node, agents, start):
    """Each agent is killed within moments of its next certificate, and started again."""
    before = issued(node)
    waiting = set(agents)
    end = time.monotonic() + LIFE_S
    while waiting and time.monotonic() < end:
        now = issued(node)
        for name in [n for n in waiting if now[n] > before[n]]:
            waiting.remove(name)
            time.sleep(random.random() * 0.05)
            folder = agents[name].folder
            agents[name].kill()
            if not (folder / 'gateway.pem.renewed').exists():
                assert pair_matches(folder)
            agents[name] = start(name)
        time.sleep(0.02)
    assert not waiting, f'not renewed: {waiting}'


def main():
    with workspace('renewal') as (dir, nodes):
        node = Node(dir / 'n')
        node.field_extra = [f'  leaf_lifetime: {ENROLLED_LIFE_S}s', f'  certificate_grace: {GRACE_S}s']
        nodes.append(node)
        node.start()
        # Enrolled at one node, renewed at the other.
        field = Node(dir / 'n2', first=node)
        field.field_extra = [f'  leaf_lifetime: {LIFE_S}s', f'  certificate_grace: {GRACE_S}s']
        nodes.append(field)
        field.start()
        op = operator(node)
        tenant = Tenant(op, 'alpha')
        folders = {}
        starts = itertools.count()

        def start(name):
            a = emt.agent(folders[name], field, '--simulate', '20', '--interval', '5', log=dir / f'{name}.{next(starts)}.log')
            a.folder = folders[name]
            return a

        agents = {}
        for name in GATEWAYS:
            folders[name] = tenant.gateway(name, dir / name, node)
            if name == GATEWAYS[0]:
                old = {file: (folders[name] / file).read_bytes() for file in ('gateway.key', 'gateway.pem', 'ca.pem', 'agent.yaml')}
            agents[name] = start(name)
        first = {name: certificates(node, name)[0][0] for name in GATEWAYS}

        say('agents renew by themselves, and go on in a session of the new certificate')
        for name in GATEWAYS:
            wait_for(f'{name} uses a second certificate', lambda: [c[1] for c in certificates(node, name)].count('t') >= 2, ENROLLED_LIFE_S)
            assert serial_of(folders[name]) != first[name] and pair_matches(folders[name])
        assert sum(n.metric('emt_field_certificates_total{result="issued"}') for n in (node, field)) >= len(GATEWAYS)

        say('the one before it ends after the grace time: its session is refused, also a resumed one')
        wait_for('the first is revoked', lambda: certificates(node, GATEWAYS[0])[0][2] == 'replaced', 30)
        past = dir / 'past'
        past.mkdir()
        for file, data in old.items():
            (past / file).write_bytes(data)
        (past / 'gateway.key').chmod(0o600)
        time.sleep(6)  # every node has heard of it
        refused = emt.run([emt.build_dir() / 'emt-agent', 'run', '--dir', past, '--address', f'127.0.0.1:{field.field}', '--once',
                           '--timeout', '4'], ok=(1,))
        assert 'refused by peer' in refused.stderr, refused.stderr[-1000:]
        wait_for('counted', lambda: field.metric('emt_field_handshakes_total{result="revoked"}') >= 1, 10)

        say('killed at any moment of it, the pair on disk is one that serves')
        for _ in range(6 if emt.FULL else 1):
            killed_while_renewing(node, agents, start)
            wait_for('they are connected again', lambda: field.metric('emt_field_sessions') == len(GATEWAYS), 30)
            for name in GATEWAYS:
                assert pair_matches(folders[name])

        say('nobody is left behind: no end of a certificate interrupts a gateway for good')
        newest = {name: serial_of(folders[name]) for name in GATEWAYS}
        for name in GATEWAYS:
            wait_for(f'{name} renewed again', lambda: serial_of(folders[name]) != newest[name], LIFE_S)
        log = node.sql("select count(*) from audit where action = 'gateway.renew'")
        assert int(log[0][0]) >= 3 * len(GATEWAYS)
        for a in agents.values():
            assert a.stop() == 0
    say('done')


if __name__ == '__main__':
    sys.exit(main())
