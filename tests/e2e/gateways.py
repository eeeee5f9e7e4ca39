#!/usr/bin/env python3
"""The life of a gateway as docs/gateways.md tells it, in a tenant with a brainpool CA: enrol, revoke, enrol again, replace the device."""
import pathlib
import sys
import time

import emt
from emt import Node, Problem, Tenant, operator, say, wait_for, workspace


def enrol(tenant, node, dir):
    e = tenant.post('/gateways/gw-1/enrolment')
    emt.run([emt.build_dir() / 'emt-agent', 'enrol', '--server', node.api_address(), '--token', e['token'], '--pin', e['pin'],
             '--dir', dir])
    return pathlib.Path(dir)


def run_once(dir, node, ok=(0,), timeout=20):
    telegrams = pathlib.Path(dir) / 'none.hex'
    telegrams.write_text('# nothing\n')
    return emt.run([emt.build_dir() / 'emt-agent', 'run', '--dir', dir, '--address', node.field_address(), '--replay', telegrams, '--once',
                    '--timeout', timeout], ok=ok)


def curve(pem):
    return [line.split(':')[1].strip() for line in emt.run(['openssl', 'x509', '-in', pem, '-noout', '-text']).stdout.splitlines()
            if 'Signature Algorithm' in line][0]


def main():
    with workspace('gateways') as (dir, nodes):
        node = Node(dir / 'n')
        node.field_extra = ['  certificate_grace: 2s', '  drain: 2s']
        nodes.append(node)
        node.start()
        op = operator(node)
        for bad in ('secp224r1', 'RSA', ''):
            try:
                op('POST', '/api/v1/tenants', {'key': 'bad', 'name': 'Bad', 'key_kind': bad})
                raise AssertionError(f'{bad!r} was taken')
            except Problem as e:
                assert e.status == 400, e
        tenant = Tenant(op, 'netz', key_kind='brainpoolP384r1')
        tenant.post('/gateways', {'id': 'gw-1'})

        say('a gateway below a brainpool CA works')
        first = enrol(tenant, node, dir / 'first')
        assert curve(first / 'gateway.pem') == 'ecdsa-with-SHA384'
        run_once(first, node)

        say('a revoked one does not, with its old certificate; enrolled again it does')
        tenant.post('/gateways/gw-1/revoke', {'reason': 'stolen'})
        run_once(first, node, ok=(1,), timeout=3)
        again = enrol(tenant, node, dir / 'again')
        run_once(again, node)
        run_once(first, node, ok=(1,), timeout=3)

        say('a new device takes the place of an old one, whose certificate ends by itself')
        new = enrol(tenant, node, dir / 'new')
        run_once(again, node)
        run_once(new, node)
        wait_for('the old one is replaced', lambda: node.sql(
            "select count(*) from gateway_certificate where revoke_reason = 'replaced'") == [['1']], 20)
        time.sleep(6)
        run_once(again, node, ok=(1,), timeout=3)
        run_once(new, node)

        say('a node that ends lets its sessions go over the time of the drain')
        field = node.companion
        agent = emt.agent(new, field, log=dir / 'agent.log')
        wait_for('connected', lambda: field.metric('emt_field_sessions') == 1, 20)
        began = time.monotonic()
        assert field.process.stop() == 0
        assert time.monotonic() - began >= 1.9
        wait_for('it had its Bye', lambda: 'bye: shutdown' in agent.output(), 10)
        agent.stop()
    say('done')


if __name__ == '__main__':
    sys.exit(main())
