#!/usr/bin/env python3
"""Ingest, packing of raw frames and the care of partitions at the same time, with kill -9 of emtd, of a PostgreSQL backend and of the
postmaster at random moments: each frame of a closed day is there once with all its bytes, whatever it lies in; what was acknowledged
meanwhile is stored once; every reader sees all of it at any time. 6 crashes; 60 with --full (EMT_FULL)."""
import hashlib
import os
import pathlib
import random
import sys
import time

import crash
from compaction import Worker
from emt import FULL, Node, Tenant, operator, say, wait_for, workspace

CRASHES = 60 if FULL else 6
DAYS = range(9, 15)  # so many days ago: closed for packing
GATEWAYS = 200 if FULL else 40
FRAMES = 100  # a day and gateway
SPOOL = '00112233445566778899aabbccddeeff'


def frame_bytes(day, i):
    """What frame i of a day holds: SQL below makes the same."""
    return ''.join(hashlib.md5(f'{day}-{i}-{part}'.encode()).hexdigest() for part in range(3))


class Arrivals:
    """Days of frames, one gateway's day after the other, as ingest would have left them: packing always finds something."""

    def __init__(self, node, number, tenant):
        self.node, self.tenant = node, number
        for i in range(GATEWAYS):
            tenant.post('/gateways', {'id': f'old-{i}'})
        self.dates = {day: day_of(node, day) for day in DAYS}
        self.coming = [(f'old-{i}', day) for i in range(GATEWAYS) for day in DAYS]
        self.there = []

    def step(self):
        """One statement: a day is there as a whole or not at all, also when its answer was lost."""
        if not self.coming:
            return
        gateway, day = self.coming[0]
        self.node.sql(f"""
            select raw_partition_ensure(now() - interval '{day} days');
            insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at, stored_at, state, spool_id, data)
                select {self.tenant}, 1, 0, g.gateway_id, {day * 1000} + i, at + i * interval '1 second', at + i * interval '1 second', 0,
                    '\\x{SPOOL}', decode(md5('{day}-' || i || '-0') || md5('{day}-' || i || '-1') || md5('{day}-' || i || '-2'), 'hex')
                from generate_series(0, {FRAMES - 1}) i, (select date_trunc('day', now() at time zone 'UTC' - interval '{day} days') at time zone 'UTC' as at) d,
                    gateway g
                where g.tenant_id = {self.tenant} and g.external_id = '{gateway}'
                    and not exists (select from raw_frame f where f.tenant_id = {self.tenant} and f.gateway_id = g.gateway_id and f.seq = {day * 1000})
                    and not exists (select from raw_pack p where p.tenant_id = {self.tenant} and p.gateway_id = g.gateway_id and p.day = at::date)""")
        self.there.append((gateway, day))
        self.coming.pop(0)


def care(node):
    """What the daily maintenance does with partitions, over and over: empty days and long-gone months come and go."""
    node.sql("select partitions_ensure(now() - interval '300 days', 92); select partitions_ensure(now(), 92)")
    node.sql("select raw_partition_ensure(now() - interval '40 days')")
    node.sql("select raw_frames_drop_empty(now() - interval '2 days')")
    node.sql("select reading_partitions_drop(now(), 92)")


def order(node, tenant):
    node.sql(f"insert into job (tenant_id, kind, dedupe) values ({tenant}, 'packing', 'test') on conflict do nothing")


def day_of(node, day):
    return node.sql(f"select to_char(now() at time zone 'UTC' - interval '{day} days', 'YYYY-MM-DD')")[0][0]


def look(tenant, gateway, day, date):
    """A day's frames by REST, while they move."""
    frames = [f for f in tenant.all(f'/frames?gateway={gateway}&from={date}T00:00:00Z&to={date}T23:59:59Z&limit=1000') if f['spool'] == SPOOL]
    assert len(frames) == FRAMES, f'wrong: {len(frames)} frames of {FRAMES} of {gateway}, {day} days ago'
    for f in frames:
        want = frame_bytes(day, f['seq'] - day * 1000)
        assert f['data'].lower() == want, f'wrong: frame {f["seq"]} has other bytes'
    assert len({f['seq'] for f in frames}) == FRAMES, 'wrong: a frame twice'


def look_somewhere(tenant, arrivals, rng):
    gateway, day = rng.choice(arrivals.there)
    look(tenant, gateway, day, arrivals.dates[day])


def kill(kind, node, rng):
    if kind == 'emtd':
        crash.end_some(node, rng)
        node.start(wait=False)
        return
    rows = []
    if kind == 'backend':
        rows = node.sql("select pid from pg_stat_activity where usename = 'emt_admin' and pid <> pg_backend_pid() and backend_type = 'client backend'"
                        " order by (query ~ 'raw_|partition') desc limit 1")
    pid = int(rows[0][0]) if rows else crash.postmaster(node)
    if pid:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:  # it was down already
            pass


def check(node, tenant, key, arrivals):
    order(node, tenant)
    wait_for('the last packing', lambda: node.sql(f"select count(*) from job where tenant_id = {tenant} and kind = 'packing'"
                                                  " and state in (0, 1) and run_at < now() + interval '1 minute'") == [['0']], 120)
    left = int(node.sql(f"select count(*) from raw_frame where tenant_id = {tenant} and spool_id = '\\x{SPOOL}'")[0][0])
    packs, packed = node.sql(f"select count(*), coalesce(sum(n), 0) from raw_pack where tenant_id = {tenant}")[0]
    say(f'{packs} packs of {packed} frames, {left} rows left')
    assert left == 0, 'frames of closed days were left as rows'
    assert int(packed) == FRAMES * len(arrivals.there), f'{packed} frames in packs, {FRAMES * len(arrivals.there)} were there'
    for gateway, day in arrivals.there:
        look(key, gateway, day, arrivals.dates[day])
    node.sql("select raw_frames_drop_empty(now() - interval '2 days')")
    old = node.sql("select count(*) from pg_inherits where inhparent = 'raw_frame'::regclass and"
                   " to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD') < current_date - 5")
    assert old == [['0']], f'{old} empty days were left'
    stray = node.sql("select count(*) from pg_class c where relkind = 'r' and relname ~ '^(reading|raw_frame)_[0-9]+$'"
                     " and not exists (select from pg_inherits i where i.inhrelid = c.oid)")
    assert stray == [['0']], 'a partition lost its table'


def main():
    seed = int(os.environ.get('EMT_SEED', random.randrange(1 << 30)))
    rng = random.Random(seed)
    say(f'{CRASHES} crashes, seed {seed} (EMT_SEED repeats it)')
    with workspace('upkeep') as (dir, nodes):
        node = Node(dir / 'n')
        nodes.append(node)
        node.start()
        tenant = Tenant(operator(node), 'alpha')
        number = int(node.sql("select id from tenant where key = 'alpha'")[0][0])
        arrivals = Arrivals(node, number, tenant)
        arrivals.step()
        gateways = [crash.Gateway(tenant, f'gw-{i + 1}', dir, node) for i in range(2)]
        for g in gateways:
            g.start()
        workers = [Worker(lambda: order(node, number)), Worker(lambda: care(node)),
                   Worker(lambda: look_somewhere(tenant, arrivals, rng)), Worker(arrivals.step)]
        done = {'emtd': 0, 'backend': 0, 'postmaster': 0}
        try:
            for i in range(CRASHES):
                time.sleep(rng.uniform(0.3, 2))
                kind = list(done)[i % 3]
                kill(kind, node, rng)
                done[kind] += 1
                node.wait_ready(90)
            say(f'crashed: {done}; rounds: {[w.rounds for w in workers]}')
            wait_for('each of them at work', lambda: all(w.rounds > 0 or w.problem for w in workers), 60)
            for w in workers:
                w.end()
            for g in gateways:
                g.process.stop()
            for g in gateways:
                g.owes_nothing()
            arrivals.step()  # the day whose answer was lost
            check(node, number, tenant, arrivals)
            # What is left as rows is what the gateways sent.
            crash.check(node, [tenant], gateways)
        finally:
            for w in workers:
                w.stopping.set()
            for g in gateways:
                if g.process and g.process.alive():
                    g.process.kill()
        assert node.process.stop() == 0


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
