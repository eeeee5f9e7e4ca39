#!/usr/bin/env python3
"""Gateways and two nodes in network namespaces, joined by veth pairs through a router that really loses packets: in both directions, in one,
with the node's whole cable, with its way to the database only; and a node freezes. The gateways go to the other node while the old one
believes to have them, and what it had under way comes late. Nothing is lost, nothing stored twice, no command executed twice. One round of
all kinds; ten and a cut beyond the lease with --full (EMT_FULL), EMT_SEED repeats a run. Skipped (77) where no namespace or veth can be
made."""
import contextlib
import ctypes
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import crowd
import moves
from crowd import Fleet
from emt import FULL, Node, Tenant, build_dir, operator, run, say, wait_for, workspace
from moves import GATEWAYS, Orders

CLONE_NEWNET = 0x40000000
# Seconds of silence after which either end gives a session up: the least that agents take.
IDLE_S = 3
DATABASE_PORT = 5432
libc = ctypes.CDLL(None, use_errno=True)


def enter(file):
    """The calling thread, and what it starts, live in that network from now on."""
    if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), 'setns')


class Space:
    """A network namespace. It lasts as long as its holder, and that one as long as this process: nothing is left behind by a kill."""

    def __init__(self):
        self.holder = subprocess.Popen(['unshare', '-n', 'sh', '-c', 'echo && exec cat'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
        if self.holder.stdout.readline() != b'\n':
            raise OSError(self.holder.stderr.read().decode().strip())
        self.file = open(f'/proc/{self.holder.pid}/ns/net')
        self.ip('link', 'set', 'lo', 'up')

    @contextlib.contextmanager
    def inside(self):
        with open('/proc/thread-self/ns/net') as home:
            enter(self.file)
            try:
                yield
            finally:
                enter(home)

    def ip(self, *args):
        with self.inside():
            run(['ip', *args])

    def close(self):
        self.holder.stdin.close()
        self.holder.wait()
        self.file.close()


class Network:
    """A router with a cable to each of the others. The router of the n-th has the address 10.9.n.1, the n-th itself 10.9.n.2."""

    def __init__(self, names):
        self.spaces, self.addresses, self.undo = {}, {}, []
        try:
            self.router = self.spaces['router'] = Space()
            # What it has no way to it says so, as routers do.
            self.router.ip('route', 'add', 'unreachable', 'default')
            with self.router.inside():
                for name, value in (('ip_forward', '1'), ('icmp_ratelimit', '0')):
                    pathlib.Path('/proc/sys/net/ipv4', name).write_text(value)
            for n, name in enumerate(names, 1):
                self.join(n, name)
        except BaseException:
            self.close()
            raise

    def join(self, n, name):
        s = self.spaces[name] = Space()
        self.router.ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', str(s.holder.pid))
        self.router.ip('address', 'add', f'10.9.{n}.1/24', 'dev', name)
        self.router.ip('link', 'set', name, 'up')
        s.ip('address', 'add', f'10.9.{n}.2/24', 'dev', 'eth0')
        s.ip('link', 'set', 'eth0', 'up')
        s.ip('route', 'add', 'default', 'via', f'10.9.{n}.1')
        self.addresses[name] = f'10.9.{n}.2'

    def lose(self, start, end):
        """Packets from one to the other vanish."""
        rule = ('from', self.addresses[start], 'to', self.addresses[end], 'blackhole', 'pref', '10')
        self.router.ip('rule', 'add', *rule)
        self.undo.append(lambda: self.router.ip('rule', 'del', *rule))

    def pull(self, name):
        """The cable."""
        self.router.ip('link', 'set', name, 'down')
        self.undo.append(lambda: self.router.ip('link', 'set', name, 'up'))

    def heal(self):
        while self.undo:
            self.undo.pop()()

    def close(self):
        for s in self.spaces.values():
            s.close()


class Away(Node):
    """A node that gateways and database reach by cable only."""

    def __init__(self, dir, first, network, name):
        super().__init__(dir, first=first, extra='roles: [field]\n')
        self.network, self.name, self.space = network, name, network.spaces[name]
        self.field_extra = [f'  idle: {IDLE_S}s']

    def config(self):
        here = self.network.addresses[self.name]
        text = super().config().replace(f'listen12: ["127.0.0.1:{self.field}"', f'listen12: ["{here}:{self.field}"')
        text = text.replace('names: [', f'names: [{here}, ')
        return text.replace(self.first.conninfo(), f'host={self.network.addresses["db"]} port={DATABASE_PORT} dbname=emt')

    def launch(self):
        with self.space.inside():
            super().launch()

    def plain(self, path):
        with self.space.inside():
            return super().plain(path)

    def sessions(self):
        return self.metric('emt_field_sessions')


def set_up(dir, nodes, network):
    first = Node(dir / 'n', extra='roles: [api, worker]\n', alone='the nodes of the gateways are made below')
    nodes.append(first)
    pg = first.dir / 'pg'
    pg.mkdir()
    (pg / 'hba.conf').write_text('local all all peer map=emt\nhost all all 10.9.0.0/16 trust\n')
    (pg / 'local.conf').write_text(f"listen_addresses = '{network.addresses['db']}'\nhba_file = '{pg}/hba.conf'\n")
    first.start()
    field = [Away(dir / name, first, network, name) for name in ('left', 'right')]
    for n in field:
        nodes.append(n)
        n.launch()
    for n in field:
        n.wait_ready()
    tenant = Tenant(operator(first), 'alpha')
    crowd.enrol(first, dir / 'fleet', [tenant], GATEWAYS)
    csv = run([build_dir() / 'emt-fleet', 'meters', '--dir', dir / 'fleet', '--meters', '10', '--tenant', 'alpha']).stdout
    assert tenant.post('/meter-keys', csv.encode(), kind='text/csv')['rejected'] == 0
    for path in (dir / 'fleet').glob('*/agent.yaml'):
        with open(path, 'a') as f:
            f.write('backoff_first: 100ms\nbackoff_most: 1s\n')
    return first, field, tenant


def both(network, old):
    network.lose('gateways', old.name)
    network.lose(old.name, 'gateways')


def database(network, old):
    network.lose('db', old.name)
    network.lose(old.name, 'db')


def freeze(network, old):
    """Not the network, but seen from outside the same: what lay in its sockets is read when it wakes up, and does not know what happened."""
    os.kill(old.process.pid, signal.SIGSTOP)
    network.undo.append(lambda: os.kill(old.process.pid, signal.SIGCONT))


# What is cut, and whether the gateways leave at once or find out for themselves.
KINDS = {
    'both directions': (both, True),
    'to the node': (lambda network, old: network.lose('gateways', old.name), True),
    'to the gateways': (lambda network, old: network.lose(old.name, 'gateways'), True),
    'the database': (database, True),
    'from the database': (lambda network, old: network.lose('db', old.name), True),
    'the cable': (lambda network, old: network.pull(old.name), True),
    'the cable, found out': (lambda network, old: network.pull(old.name), False),
    'frozen': (freeze, True),
}


def move(kind, network, fleet, old, new, rng, stay=0.0):
    """Cut, settled elsewhere, mended. How many gateways the old node believed to have while the other one had them."""
    cut, flee = KINDS[kind]
    began = time.monotonic()
    cut(network, old)
    if flee:
        time.sleep(rng.uniform(0.1, 1.5))
        fleet.order('flee')
    wait_for(f'after "{kind}": all are with the other node', lambda: new.sessions() >= GATEWAYS, 60, 0.05)
    took, believed = time.monotonic() - began, old.sessions() if cut is not freeze else 0
    time.sleep(stay + rng.uniform(0, 0.5))
    network.heal()
    say(f'{kind}: with the other node after {took:.1f} s, the old one believes to have {believed:.0f}')
    return believed


def waits(network, fleet, node):
    """Without the database a node keeps its gateways and acknowledges nothing; what came meanwhile is stored when it is back."""
    wait_for('figures of all', lambda: fleet.last().get('connected') == GATEWAYS, 10)
    before = fleet.last()['sessions']
    database(network, node)
    time.sleep(3)
    assert node.sessions() == GATEWAYS, node.sessions()
    acknowledged = fleet.last()['acknowledged']
    network.heal()
    began = time.monotonic()
    wait_for('acknowledged again', lambda: fleet.last()['acknowledged'] > acknowledged + 10 * GATEWAYS, 30)
    assert fleet.last()['sessions'] == before, 'a gateway lost its session'
    say(f'three seconds without the database: all stay, and are acknowledged again after {time.monotonic() - began:.1f} s')


def fenced(field):
    """Gateways whose frames came to the database when they were another node's."""
    return sum(n.metric('emt_ingest_fenced_total') for n in field)


def rounds(network, fleet, field, rng, orders):
    believed, at = 0, 0
    plan = [kind for _ in range(10 if FULL else 1) for kind in rng.sample(list(KINDS), len(KINDS))]
    for i, kind in enumerate(plan):
        time.sleep(rng.uniform(0.1, 0.4))
        # Once the lease ends meanwhile: the others call the node's sessions lost.
        stay = 20 if FULL and i == len(plan) // 2 else 0
        believed += move(kind, network, fleet, field[at], field[1 - at], rng, stay)
        wait_for('the old node has the database', lambda: field[at].plain('/readyz')[0] == 200, 30)
        at = 1 - at
        assert orders.fault is None, orders.fault
        assert fleet.alive(), 'emt-fleet ended'
    assert believed > 0, 'an old node always knew that it had lost its gateways: nothing was cut'
    return len(plan)


def under_load(dir, nodes, network, rng):
    first, field, tenant = set_up(dir, nodes, network)
    orders = Orders(tenant)
    addresses = [a for n in field for a in ('--address', f'{network.addresses[n.name]}:{n.field}')]
    network.pull('right')  # all begin with the left one
    with network.spaces['gateways'].inside():
        fleet = Fleet(dir / 'fleet', dir / 'fleet.log', '--meters', '10', '--overlap', '0', '--interval', '1', '--drain', '60', *addresses)
    try:
        wait_for('all are connected', lambda: field[0].sessions() >= GATEWAYS, 30)
        network.heal()
        orders.start()
        waits(network, fleet, field[0])
        n = rounds(network, fleet, field, rng, orders)
        orders.stop_now = True
        orders.join(10)
        fleet.order('hush')
        wait_for('every command is answered', lambda: first.sql('select count(*) from command where state < 2') == [['0']], 60, 0.5)
        moves.check(first, tenant, fleet.finish(), orders)
        say(f'{n} cuts; {fenced(field):.0f} sessions learned from a late batch that they were fenced')
    finally:
        orders.stop_now = True
        fleet.kill()
    for n in reversed(nodes):
        assert n.process.stop() == 0


def main():
    seed = int(os.environ.get('EMT_SEED', random.randrange(1 << 30)))
    try:
        network = Network(['gateways', 'left', 'right', 'db'])
    except (OSError, AssertionError) as e:
        say(f'skipped: no network namespaces here ({str(e).strip().splitlines()[-1]})')
        return 77
    say(f'seed {seed} (EMT_SEED repeats it)')
    try:
        # Database, API and this test live beyond the cable that the two nodes have to them.
        with network.spaces['db'].inside(), workspace('netns') as (dir, nodes):
            under_load(dir, nodes, network, random.Random(seed))
    finally:
        network.close()
    return 0


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    sys.exit(main())
