#!/usr/bin/env python3
"""emt-fleet attack in each of its ways, more connections than there are places for handshakes: each is ended and counted, gateways that
stand do not notice, and one that comes new gets in. 3 s each; with --full (EMT_FULL) 30 s."""
import pathlib
import sys
import time

import crowd
from crowd import Fleet
from emt import FULL, Node, Process, Tenant, agent, build_dir, operator, say, wait_for, workspace

SECONDS = 30 if FULL else 3
CONNECTIONS = 300
# What must be counted at least once: handshakes by result, or ends of sessions by reason.
MODES = {
    'half-open': ('handshakes_total{result="timeout"', 'handshakes_total{result="queue-full"'),
    'slow-hello': ('handshakes_total{result="timeout"', 'handshakes_total{result="queue-full"'),
    'garbage': ('handshakes_total{result="garbage"',),
    'no-hello': ('closed_total{reason="no-hello"',),
    'junk': ('closed_total{reason="',),
    'oversized': ('closed_total{reason="message-too-long"',),
    'slow-message': ('closed_total{reason="no-hello"',),
    'storm': ('closed_total{reason="',),
}


def metric(node, names):
    return sum(node.metric('emt_field_' + n) for n in names)


def comes_new(dir, node, n):
    """A gateway that was not there yet; how long until it is connected."""
    (dir / 'none.hex').write_text('# nothing\n')
    p = agent(dir / 'new', node, '--replay', dir / 'none.hex', '--once', '--timeout', '60', log=dir / f'new{n}.log')
    began = time.monotonic()
    code = p.popen.wait(70)
    assert code == 0, p.output()[-2000:]
    return time.monotonic() - began


def main():
    with workspace('attacks') as (dir, nodes):
        node = Node(dir / 'n', alone='one node is attacked, and what its gateways feel is measured')
        node.field_extra = ['  hello: 2s', '  handshake: 2s', '  handshake_queue: 128']
        nodes.append(node)
        node.start()
        tenant = Tenant(operator(node), 'alpha')
        crowd.enrol(node, dir / 'fleet', [tenant], 20)
        tenant.gateway('bad', dir / 'bad' / 'alpha.bad', node)
        tenant.gateway('new', dir / 'new', node)
        fleet = Fleet(dir / 'fleet', dir / 'fleet.log', '--meters', '2', '--overlap', '0', '--interval', '1', '--drain', '60', '--address',
                      f'127.0.0.1:{node.field}')
        try:
            wait_for('the good ones are connected', lambda: node.metric('emt_field_sessions') >= 20, 20)
            for n, (mode, names) in enumerate(MODES.items()):
                before, lines = metric(node, names), len(fleet.figures())
                p = Process([build_dir() / 'emt-fleet', 'attack', '--mode', mode, '--connections', str(CONNECTIONS), '--seconds', str(SECONDS),
                             '--dir', dir / 'bad', '--address', f'127.0.0.1:{node.field}'], dir / f'{mode}.log')
                time.sleep(1.5)
                took = comes_new(dir, node, n)
                assert p.popen.wait(SECONDS + 30) == 0, p.output()[-2000:]
                counted = metric(node, names) - before
                assert counted > 0, f'{mode} is not counted: {[k for k, v in node.metrics().items() if "_field_" in k and v]}'
                late = max([line['p99_ms'] for line in fleet.figures()[lines:]] or [0])
                say(f'{mode}: {p.output().strip().splitlines()[-1]}; {counted:.0f} counted; a new gateway is done after {took:.1f} s,'
                    f' acknowledgements of the others at most {late} ms')
                assert node.metric('emt_field_sessions') >= 20, 'a good gateway lost its session'
            last = fleet.finish()
            assert last['failures'] == 0 and last['sessions'] == 20, last
            frames = int(node.sql('select count(*) from raw_frame')[0][0])
            assert frames == last['submitted'], (frames, last)
        finally:
            fleet.kill()
        assert node.process.stop() == 0


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
