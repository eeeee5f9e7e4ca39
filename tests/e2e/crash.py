#!/usr/bin/env python3
"""kill -9 of emtd, of the agent and of PostgreSQL during ingest, at random moments: every acknowledged frame is in the database, none
twice, and the totals agree. 20 crashes; 200 with --full (EMT_FULL)."""
import contextlib
import os
import pathlib
import random
import signal
import sys
import time

from emt import FULL, Node, Tenant, agent, build_dir, operator, run, say, wait_for, workspace
import vectors

CRASHES = 200 if FULL else 20
GATEWAYS = 3
METERS = 40


def postmaster(node):
    """Process id of the private PostgreSQL's postmaster."""
    for path in node.dir.rglob('postmaster.pid'):
        return int(path.read_text().splitlines()[0])
    return None


class Gateway:
    """An agent that replays ever new telegrams; every start of it goes on with a new file."""

    def __init__(self, tenant, name, dir, node):
        self.tenant, self.name, self.node = tenant, name, node
        self.folder = tenant.gateway(name, dir / f'{tenant.key}-{name}', node)
        self.round = 0
        self.process = None
        self.index = int(name.rsplit('-', 1)[1])

    def start(self):
        self.round += 1
        path = self.folder / f'round{self.round}.hex'
        with open(path, 'w') as f:
            for i in range(20000):
                # A telegram is never sent twice: the access number and the register differ.
                wh = self.round * 1000000 + i
                f.write(vectors.energy_telegram(f'{70 + self.index}{i % METERS:06d}', wh, access=i & 255) + '\n')
        self.process = agent(self.folder, self.node, '--replay', path, '--rate', '400')

    def spool(self):
        """next_seq, acknowledged: as the spool on disk says."""
        out = run([build_dir() / 'emt-agent', 'spool', '--dir', self.folder]).stdout
        facts = dict(line.split(': ', 1) for line in out.splitlines() if ': ' in line)
        return int(facts['next']), int(facts['acknowledged'])

    def owes_nothing(self):
        """Sends what is left in the spool."""
        p = agent(self.folder, self.node, '--once', '--timeout', '120', log=self.folder / 'last.log')
        assert p.popen.wait(130) == 0, p.output()[-3000:]


def end_some(node, rng):
    """kill -9 of one node, of the other, or of both at once."""
    for n in rng.choice([[n] for n in node.nodes()] + [node.nodes()]):
        if n.process:
            n.process.kill()


def crash(kind, node, gateways, rng):
    if kind == 'emtd':
        end_some(node, rng)
        time.sleep(rng.uniform(0, 0.5))
        node.start(wait=False)
    elif kind == 'postgres':
        pid = postmaster(node)
        if pid:
            with contextlib.suppress(ProcessLookupError):  # it was down already
                os.kill(pid, signal.SIGKILL)
    else:
        g = rng.choice(gateways)
        g.process.kill()
        time.sleep(rng.uniform(0, 0.3))
        g.start()


def check(node, tenants, gateways):
    for g in gateways:
        nxt, acked = g.spool()
        tenant = g.tenant
        rows = node.sql("select count(*), count(distinct (f.spool_id, f.seq)), coalesce(max(f.seq), 0) from raw_frame f"
                        " join gateway g using (tenant_id, gateway_id) join tenant t on t.id = f.tenant_id"
                        f" where t.key = '{tenant.key}' and g.external_id = '{g.name}'")[0]
        count, distinct, highest = map(int, rows)
        gaps = int(node.sql("select coalesce(sum(to_seq - from_seq + 1), 0) from gateway_gap p join gateway g using (tenant_id, gateway_id)"
                            f" join tenant t on t.id = p.tenant_id where t.key = '{tenant.key}' and g.external_id = '{g.name}'")[0][0])
        cursor = int(node.sql("select sum(c.frames) from gateway_cursor c join gateway g using (tenant_id, gateway_id)"
                              f" join tenant t on t.id = c.tenant_id where t.key = '{tenant.key}' and g.external_id = '{g.name}'")[0][0])
        assert acked == nxt - 1, f'{g.name}: {nxt - 1 - acked} frames still owed'
        assert count == distinct, f'{g.name}: {count - distinct} frames twice'
        assert count + gaps == acked == highest, f'{g.name}: {count} stored, {gaps} lost by the spool, {acked} acknowledged, highest {highest}'
        assert cursor == count, f'{g.name}: the cursor counted {cursor}, stored are {count}'
        say(f'{tenant.key}/{g.name}: {count} frames acknowledged, all there, none twice')
    for t in tenants:
        # One reading per stored frame and channel: each telegram is new and carries two values.
        frames = int(node.sql(f"select count(*) from raw_frame f join tenant t on t.id = f.tenant_id where t.key = '{t.key}' and f.state = 0")[0][0])
        # A process killed in the middle of a decode leaves the note of that frame: it is kept, undecoded, with an alarm.
        caught = int(node.sql(f"select count(*) from raw_frame f join tenant t on t.id = f.tenant_id where t.key = '{t.key}' and f.state = 11")[0][0])
        others = node.sql("select f.state, count(*) from raw_frame f join tenant t on t.id = f.tenant_id"
                          f" where t.key = '{t.key}' and f.state not in (0, 11) group by 1")
        energy = int(node.sql("select count(*) from reading r join tenant t on t.id = r.tenant_id join channel c using (tenant_id, channel_id)"
                              f" where t.key = '{t.key}' and c.quantity = 1")[0][0])
        distinct = int(node.sql("select count(distinct (r.channel_id, r.mantissa)) from reading r join tenant t on t.id = r.tenant_id"
                                f" join channel c using (tenant_id, channel_id) where t.key = '{t.key}' and c.quantity = 1")[0][0])
        conflicts = int(node.sql("select count(*) from reading_conflict r join tenant t on t.id = r.tenant_id join channel c using (tenant_id, channel_id)"
                                 f" where t.key = '{t.key}' and c.quantity = 1")[0][0])
        say(f'{t.key}: {frames} frames decoded, {energy} energy values ({distinct} distinct), {conflicts} conflicts, {caught} quarantined, other states {others}')
        assert not others, others
        assert caught <= CRASHES // 5, f'{caught} frames in quarantine'
        assert energy == distinct, f'{t.key}: a telegram counted twice'
        assert energy + conflicts == frames, f'{t.key}: {frames} telegrams gave {energy} values'


def main():
    seed = int(os.environ.get('EMT_SEED', random.randrange(1 << 30)))
    rng = random.Random(seed)
    say(f'{CRASHES} crashes, seed {seed} (EMT_SEED repeats it)')
    with workspace('crash') as (dir, nodes):
        node = Node(dir / 'n')
        nodes.append(node)
        node.start()
        op = operator(node)
        tenants = [Tenant(op, 'alpha'), Tenant(op, 'beta')]
        gateways = [Gateway(tenants[i % 2], f'gw-{i + 1}', dir, node) for i in range(GATEWAYS)]
        for g in gateways:
            g.start()
        done = {'emtd': 0, 'postgres': 0, 'agent': 0}
        try:
            for i in range(CRASHES):
                time.sleep(rng.uniform(0.2, 2.0))
                kind = rng.choice(list(done))
                crash(kind, node, gateways, rng)
                done[kind] += 1
            say(f'crashed: {done}')
            for g in gateways:
                g.process.stop()
            node.wait_ready(90)
            for g in gateways:
                g.owes_nothing()
            check(node, tenants, gateways)
        finally:
            for g in gateways:
                if g.process and g.process.alive():
                    g.process.kill()
        assert node.process.stop() == 0


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
