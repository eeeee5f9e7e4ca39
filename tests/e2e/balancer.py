#!/usr/bin/env python3
"""deploy/haproxy/haproxy.cfg with a real HAProxy and two nodes: gateways get through, the node sees their own addresses, a node that ends
sends its gateways to the other one over the time of its drain, those of a killed node are back at once. Skipped (77) without haproxy."""
import pathlib
import re
import shutil
import socket
import sys
import time

import crowd
import hostile
from crowd import Fleet
from emt import FULL, ROOT, Node, Process, Tenant, free_ports, operator, run, say, wait_for, workspace

GATEWAYS = 200 if FULL else 60
DRAIN_S = 10


def configure(dir, field, ports):
    """The example, with the addresses of here."""
    text = (ROOT / 'deploy' / 'haproxy' / 'haproxy.cfg').read_text()
    for name, port in zip(('7443', '7444', '8443'), ports):
        text, n = re.subn(rf'bind :{name}\b', f'bind 127.0.0.1:{port}', text)
        assert n == 1, name
    for i, node in enumerate(field):
        for name, port in (('7443', node.field), ('7444', node.field13), ('8443', node.https)):
            text, n = re.subn(rf'10\.0\.0\.1{i + 1}:{name} port 9443', f'127.0.0.1:{port} port {node.metrics_port}', text)
            assert n == 1, (i, name)
    text = re.sub(r'^    (user|group) haproxy\n', '', text, flags=re.M)
    text = text.replace('/run/haproxy/admin.sock', str(dir / 'admin.sock')).replace('log /dev/log local0 notice', 'log stderr local0 notice')
    # As /bin/sh of that user has it: two for each connection.
    text = text.replace('maxconn 50000', 'maxconn 5000')
    path = dir / 'haproxy.cfg'
    path.write_text(text)
    run(['haproxy', '-c', '-f', path])
    return path


def ask(dir, order):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(dir / 'admin.sock'))
        s.sendall(order.encode() + b'\n')
        answer = b''
        while part := s.recv(65536):
            answer += part
    return answer.decode()


def up(dir, backend='field12'):
    """Names of the servers that HAProxy would send somebody to."""
    rows = [line.split(',') for line in ask(dir, 'show stat').splitlines() if line.startswith(backend + ',')]
    return {r[1] for r in rows if r[17].startswith('UP')} - {'BACKEND', 'FRONTEND'}


def sessions(node):
    return node.metric('emt_field_sessions')


def addresses(tenant, folder, port):
    """From an address that is not HAProxy's: the node tells it, not the balancer's."""
    s = socket.create_connection(('127.0.0.1', port), timeout=10, source_address=('127.0.0.77', 0))
    with hostile.client_context(folder).wrap_socket(s, server_hostname='localhost') as c:
        c.sendall(hostile.hello(b'B' * 16))
        hostile.read_message(c)
        peer = wait_for('the gateway is shown as connected', lambda: (tenant.get('/gateways/gw-x')['connection'] or {}).get('peer'), 10)
    assert peer == '127.0.0.77', peer
    say(f'a gateway from {peer} is shown with that address')


def set_up(dir, nodes):
    first = Node(dir / 'n', extra='roles: [api, worker]\n', alone='the nodes behind the balancer are made below')
    nodes.append(first)
    first.start()
    field = [Node(dir / f'n{i}', first=first, extra='') for i in (1, 2)]
    for n in field:
        n.field_extra = ['  proxy_from: ["127.0.0.0/8"]', f'  drain: {DRAIN_S}s']
        nodes.append(n)
        n.start()
    return first, field


def drained(old, new, fleet):
    """One after the other, no storm: in the middle of it some are with the other node, and others still here."""
    before, there = sessions(old), sessions(new)
    assert before > GATEWAYS / 4, before
    tried = fleet.last()
    began = time.monotonic()
    old.process.popen.terminate()
    time.sleep(DRAIN_S * 0.6)
    moved = sessions(new) - there
    say(f'{before:.0f} sessions: after {DRAIN_S * 0.6:.0f} s of the drain {moved:.0f} are with the other node')
    assert before * 0.1 < moved < before * 0.9, (before, moved)
    wait_for('all are with the other node', lambda: sessions(new) >= GATEWAYS, 30, 0.1)
    took = time.monotonic() - began
    assert old.process.popen.wait(30) == 0
    time.sleep(1.1)
    now = fleet.last()
    extra = now['failures'] - tried['failures'] - before
    say(f'all are there after {took:.1f} s; beyond their Byes {extra:.0f} attempts failed')
    assert extra <= GATEWAYS / 20, 'gateways were sent to the node that ends'


def main():
    if not shutil.which('haproxy'):
        say('skipped: no haproxy here')
        return 77
    with workspace('balancer') as (dir, nodes):
        first, field = set_up(dir, nodes)
        ports = free_ports(3)
        proxy = Process(['haproxy', '-f', configure(dir, field, ports)], dir / 'haproxy.log')
        fleet = None
        try:
            wait_for('HAProxy runs', (dir / 'admin.sock').exists, 20)
            wait_for('HAProxy finds both nodes', lambda: up(dir) == {'node1', 'node2'}, 20)
            tenant = Tenant(operator(first), 'alpha')
            addresses(tenant, tenant.gateway('gw-x', dir / 'gw-x', first), ports[0])
            health = run(['curl', '-sS', '--cacert', dir / 'n' / 'root.pem', f'https://localhost:{ports[2]}/healthz'])
            assert 'alive' in health.stdout or 'ok' in health.stdout, (health.stdout, health.stderr)
            crowd.enrol(first, dir / 'fleet', [tenant], GATEWAYS)
            for path in (dir / 'fleet').glob('*/agent.yaml'):
                path.write_text(path.read_text() + 'backoff_first: 500ms\nbackoff_most: 4s\n')
            fleet = Fleet(dir / 'fleet', dir / 'fleet.log', '--meters', '2', '--overlap', '0', '--interval', '2', '--drain', '60', '--address',
                          f'127.0.0.1:{ports[0]}')
            wait_for('all are connected', lambda: sum(map(sessions, field)) >= GATEWAYS, 30)
            share = [int(sessions(n)) for n in field]
            say(f'{GATEWAYS} gateways through HAProxy, {share[0]} and {share[1]}')
            assert min(share) > GATEWAYS / 4, share
            wait_for('its figures', lambda: fleet.last().get('connected') == GATEWAYS, 10)
            drained(field[0], field[1], fleet)
            wait_for('HAProxy knows', lambda: up(dir) == {'node2'}, 10)

            field[0].start()
            wait_for('HAProxy finds it again', lambda: up(dir) == {'node1', 'node2'}, 20)
            began = time.monotonic()
            field[1].process.kill()
            wait_for('all are with the node that is left', lambda: sessions(field[0]) >= GATEWAYS, 60, 0.1)
            say(f'a killed node: its {GATEWAYS} gateways are with the other one after {time.monotonic() - began:.1f} s')

            last = fleet.finish()
            frames, distinct = map(int, first.sql('select count(*), count(distinct (gateway_id, spool_id, seq)) from raw_frame')[0])
            assert frames == distinct == last['submitted'], (frames, distinct, last)
            say(f'{frames} frames submitted and stored, none twice')
        finally:
            if fleet:
                fleet.kill()
            proxy.kill()
        for n in (field[0], first):
            assert n.process.stop() == 0
    return 0


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    sys.exit(main())
