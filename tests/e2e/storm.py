#!/usr/bin/env python3
"""Reconnect storms: all gateways of a node at once, after a kill of emtd (full handshakes, nothing is cached) and after a cut of the
network (resumed, and again without session cache); half of them while the other half stays. Prints what each cost, loses nothing.
500 gateways with --full (EMT_FULL) 10,000, P-256 and brainpool. EMT_STORM=N for another number."""
import os
import pathlib
import sys
import threading
import time

import crowd
from crowd import Fleet
from emt import FULL, Node, Tenant, build_dir, operator, run, say, wait_for, workspace

GATEWAYS = int(os.environ.get('EMT_STORM', 10000 if FULL else 500))
KINDS = os.environ.get('EMT_STORM_KEYS', 'P-256 brainpoolP256r1' if FULL else 'P-256').split()
TENANTS = 4
WITNESSES = 16  # gateways of a process of their own, whose figures are not those of a busy generator
GATEWAYS -= GATEWAYS % (2 * TENANTS)
SETTLE_S = 20 if FULL else 3
LIMIT_S = 900  # of one storm, on a machine that has much else to do


def resident(process):
    for line in pathlib.Path(f'/proc/{process.pid}/status').read_text().splitlines():
        if line.startswith('VmRSS:'):
            return int(line.split()[1]) * 1024
    raise AssertionError('no VmRSS')


def cpu(process):
    """Seconds of user and system time."""
    fields = pathlib.Path(f'/proc/{process.pid}/stat').read_text().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class Storm:
    """From here until everybody is back: how long, what it cost, and how late acknowledgements were."""

    def __init__(self, node, fleets, name):
        self.node, self.fleets, self.name = node, fleets, name
        self.lines = {f: len(f.figures()) for f in fleets}
        self.cpu, self.resumed, self.began = cpu(node.process), node.metric('emt_field_resumed_total'), time.monotonic()
        self.shakes = node.metric('emt_field_handshakes_total{result="ok"')
        self.refused = node.metric('emt_field_handshakes_total{result="queue-full"')

    def over(self, all_of_them, coming_back, limit):
        """all_of_them sessions stand again; coming_back of them were away."""
        time.sleep(0.5)  # those who were cut are off the books
        wait_for(f'{self.name}: all are back', lambda: self.node.metric('emt_field_sessions') >= all_of_them, limit, 0.2)
        took = time.monotonic() - self.began
        spent = cpu(self.node.process) - self.cpu
        shakes = self.node.metric('emt_field_handshakes_total{result="ok"') - self.shakes
        time.sleep(2)  # the figures of the last second
        late = {f: max([line['p99_ms'] for line in f.figures()[self.lines[f]:]] or [0]) for f in self.fleets}
        say(f'{self.name}: {coming_back} back in {took:.1f} s, {shakes / took:.0f} handshakes/s'
            f' ({self.node.metric("emt_field_resumed_total") - self.resumed:.0f} resumed), emtd {spent:.1f} s CPU'
            f' ({spent / coming_back * 1000:.2f} ms each), sent away because of the queue'
            f' {self.node.metric("emt_field_handshakes_total{result=" + chr(34) + "queue-full") - self.refused:.0f},'
            f' worst p99 of a second {" ".join(str(v) for v in late.values())} ms (the last: who has nothing else to do)')
        return took, [late[f] for f in self.fleets]


def start_fleets(dir, node, more=()):
    return [Fleet(dir / f'fleet{i}', dir / f'fleet{i}.{time.monotonic_ns()}.log', '--meters', '1', '--overlap', '0', '--seed', str(i + 1),
                  '--interval', '30' if i < 2 else '1', '--drain', '120', '--connect-rate', '250', '--spool-size', '65536', '--address',
                  f'127.0.0.1:{node.field}', *more) for i in range(3)]


def connect(node, fleets):
    began = time.monotonic()
    wait_for('all are connected', lambda: node.metric('emt_field_sessions') >= GATEWAYS + WITNESSES, LIMIT_S, 0.2)
    return time.monotonic() - began


def one_kind(dir, nodes, key):
    node = Node(dir / 'n', alone='figures of one node')
    nodes.append(node)
    node.start()
    op = operator(node)
    tenants = [Tenant(op, f'tenant-{i}', key_kind=key) for i in range(TENANTS)]
    half = GATEWAYS // 2 // TENANTS
    for i, each in enumerate((half, half, WITNESSES // TENANTS)):
        crowd.enrol(node, dir / f'fleet{i}', tenants, each, key, i * half)
        for t in tenants:
            csv = run([build_dir() / 'emt-fleet', 'meters', '--dir', dir / f'fleet{i}', '--meters', '1', '--seed', str(i + 1), '--tenant',
                       t.key]).stdout
            assert t.post('/meter-keys', csv.encode(), kind='text/csv')['rejected'] == 0
    time.sleep(SETTLE_S)
    empty = resident(node.process)
    fleets = start_fleets(dir, node)
    try:
        say(f'{GATEWAYS} connected in {connect(node, fleets):.1f} s at 500 a second')
        time.sleep(SETTLE_S)
        full = resident(node.process)
        say(f'emtd: {full / 1e6:.0f} MB, {(full - empty) / GATEWAYS / 1024:.1f} KiB for each session')

        cut = Storm(node, fleets, f'{key}, network cut, session cache')
        for f in fleets[:2]:
            f.order('cut')
        cut.over(GATEWAYS + WITNESSES, GATEWAYS, LIMIT_S)

        half_cut = Storm(node, fleets, f'{key}, half of them cut')
        fleets[0].order('cut')
        stayed = half_cut.over(GATEWAYS + WITNESSES, GATEWAYS // 2, LIMIT_S)[1][1]
        say(f'{key}: those who stayed: p99 at most {stayed} ms')
        assert stayed < 1000 or not FULL, stayed
        time.sleep(SETTLE_S)
        after = resident(node.process)
        say(f'emtd after two storms: {after / 1e6:.0f} MB, {(after - empty) / GATEWAYS / 1024:.1f} KiB for each session')

        # What one fleet cannot tell by itself: how a gateway fares that is back while others are still coming.
        lines = {f: len(f.figures()) for f in fleets}
        node.process.kill()
        node.start()
        kill = Storm(node, fleets, f'{key}, emtd killed and started')
        kill.lines = lines
        kill.cpu = kill.shakes = kill.resumed = kill.refused = 0
        kill.over(GATEWAYS + WITNESSES, GATEWAYS + WITNESSES, LIMIT_S)
        submitted = sum(f.finish(180)['submitted'] for f in fleets)

        fleets = start_fleets(dir, node, ('--no-resume',))
        connect(node, fleets)
        bare = Storm(node, fleets, f'{key}, network cut, no session cache')
        for f in fleets[:2]:
            f.order('cut')
        bare.over(GATEWAYS + WITNESSES, GATEWAYS, LIMIT_S)
        submitted += sum(f.finish(180)['submitted'] for f in fleets)
        frames, distinct = map(int, node.sql(
            'select count(*), count(distinct (tenant_id, gateway_id, spool_id, seq)) from raw_frame')[0])
        assert frames == distinct == submitted, (frames, distinct, submitted)
        say(f'{key}: {frames} frames acknowledged, all stored, none twice')
    finally:
        for f in fleets:
            f.kill()
    assert node.process.stop() == 0


def main():
    say(f'descriptors: {crowd.raise_descriptors()}')
    for key in KINDS:
        with workspace('storm') as (dir, nodes):
            one_kind(dir, nodes, key)


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
