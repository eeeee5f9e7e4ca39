#!/usr/bin/env python3
"""Ingest, compaction, late values, corrections and readers at the same time, with kill -9 of emtd, of a PostgreSQL backend and of the
postmaster at random moments: each value is there once, whatever it lies in, and every reader sees all of it at any time. 8 crashes; 80
with --full (EMT_FULL)."""
import contextlib
import os
import pathlib
import random
import signal
import sys
import threading
import time

from emt import FULL, Node, Tenant, agent, operator, say, wait_for, workspace
from crash import end_some, postmaster
import vectors

CRASHES = 80 if FULL else 8
CHANNELS = 40
DAYS = 20
QUARTERS = 96
STEP = 7


def history(node, tenant):
    """Closed days of many channels, as rows: value = number of the quarter hour times seven."""
    node.sql(f"""
        insert into device (tenant_id, ident, manufacturer, number)
            select {tenant}, 'OLD-' || i, 'EMT', i::text from generate_series(1, {CHANNELS}) i;
        insert into channel (tenant_id, device_id, key, kind, quantity, unit)
            select tenant_id, device_id, 'old', 0, 1, 'Wh' from device where tenant_id = {tenant} and ident like 'OLD-%';
        insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)
            select {tenant}, channel_id, date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - interval '{DAYS + 3} days'
                + i * interval '15 minutes', i * {STEP}, 0, 256
            from channel c, generate_series(0, {DAYS * QUARTERS - 1}) i where c.tenant_id = {tenant} and c.key = 'old'""")


def order(node, tenant):
    with contextlib.suppress(AssertionError):
        node.sql(f"insert into job (tenant_id, kind, dedupe) values ({tenant}, 'compaction', 'test') on conflict do nothing")


class Worker(threading.Thread):
    """Repeats something until told to stop; what it finds wrong ends the test."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.stopping, self.problem, self.rounds = work, threading.Event(), None, 0
        self.start()

    def run(self):
        while not self.stopping.wait(0.05):
            try:
                self.work()
                self.rounds += 1
            except AssertionError as e:  # wrong, unless the database is just gone
                if 'wrong' in str(e):
                    self.problem = e
                    return
            except Exception:  # the server is gone for a moment
                pass

    def end(self):
        self.stopping.set()
        self.join(60)
        if self.problem:
            raise self.problem


def repeat_and_correct(node, tenant, rng, corrected):
    """Values of closed days come again: most are equal, one is corrected by a person, late or in its month."""
    quarter = rng.randrange(DAYS * QUARTERS)
    table, more, value = rng.choice([('reading', '', ''), ('reading_late', ', received_at', ', now()')])
    node.sql(f"""
        with at as (select channel_id, date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - interval '{DAYS + 3} days'
                + {quarter} * interval '15 minutes' as ts from channel where tenant_id = {tenant} and key = 'old')
        insert into {table} (tenant_id, channel_id, ts, mantissa, exponent, quality{more})
            select {tenant}, channel_id, ts, {quarter * STEP}0, -1, 256{value} from at on conflict do nothing""")
    # Where a row was written that came first, it stays; the correction of the same value goes everywhere.
    if quarter % 5 == 0:
        node.sql(f"""
            with at as (select channel_id, date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - interval '{DAYS + 3} days'
                    + {quarter} * interval '15 minutes' as ts from channel where tenant_id = {tenant} and key = 'old')
            insert into reading_late (tenant_id, channel_id, ts, mantissa, exponent, quality, received_at)
                select {tenant}, channel_id, ts, {quarter * STEP + 1}, 0, 261, now() from at
                on conflict (tenant_id, channel_id, ts) do update set mantissa = excluded.mantissa, exponent = 0, quality = 261""")
        corrected.add(quarter)


def read_all(tenant, channel):
    items, cursor = [], ''
    while True:
        page = tenant.get(f'/channels/{channel}/readings?from=2000-01-01T00:00:00Z&limit=700{cursor}')
        items += page['items']
        if 'next' not in page:
            return items
        cursor = f"&cursor={page['next']}"


def look(tenant, channels, rng):
    """All of a channel, while everything moves."""
    items = read_all(tenant, rng.choice(channels))
    assert len(items) == DAYS * QUARTERS, f'wrong: {len(items)} values of {DAYS * QUARTERS}'
    for i, item in enumerate(items):
        value = round(float(item['value']))
        assert value in (i * STEP, i * STEP + 1), f'wrong: {item} is value {i}'


def crash(kind, node, rng):
    if kind == 'emtd':
        end_some(node, rng)
        node.start(wait=False)
        return
    pid = postmaster(node)
    if kind == 'backend':
        with contextlib.suppress(AssertionError):
            rows = node.sql("select pid from pg_stat_activity where usename = 'emt_admin' and pid <> pg_backend_pid() and query like '%reading%'")
            pid = int(rows[0][0]) if rows else None
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def check(node, tenant, key, channels, corrected):
    wait_for('the last compaction', lambda: node.sql(f"select count(*) from job where tenant_id = {tenant} and kind = 'compaction'"
                                                     " and state in (0, 1) and run_at < now() + interval '1 minute'") == [['0']], 120)
    left = int(node.sql(f"select count(*) from reading where tenant_id = {tenant} and channel_id in ({','.join(channels)})")[0][0])
    late = int(node.sql(f"select count(*) from reading_late where tenant_id = {tenant}")[0][0])
    blocks, n = node.sql(f"select count(*), sum(n) from reading_block where tenant_id = {tenant} and channel_id in ({','.join(channels)})")[0]
    conflicts = int(node.sql(f"select count(*) from reading_conflict where tenant_id = {tenant} and channel_id in ({','.join(channels)})")[0][0])
    say(f'{blocks} blocks of {n} values, {left} rows and {late} late rows left, {conflicts} conflicts, {len(corrected)} corrected')
    assert (left, late) == (0, 0), 'closed values were left behind'
    assert int(n) == CHANNELS * DAYS * QUARTERS, f'{n} values in blocks'
    assert conflicts == 0, 'an equal value was taken for another one'
    expected = sum(i * STEP for i in range(DAYS * QUARTERS)) + len(corrected)
    for channel in channels[:10]:
        total = sum(round(float(i['value'])) for i in read_all(key, channel))
        assert total == expected, f'channel {channel}: {total}, expected {expected}'


def main():
    seed = int(os.environ.get('EMT_SEED', random.randrange(1 << 30)))
    rng = random.Random(seed)
    say(f'{CRASHES} crashes, seed {seed} (EMT_SEED repeats it)')
    with workspace('compaction') as (dir, nodes):
        node = Node(dir / 'n')
        nodes.append(node)
        node.start()
        op = operator(node)
        tenant = Tenant(op, 'alpha')
        number = int(node.sql("select id from tenant where key = 'alpha'")[0][0])
        node.sql(f'update tenant set compact_after_days = 2 where id = {number}')
        history(node, number)
        channels = [r[0] for r in node.sql(f"select channel_id from channel where tenant_id = {number} and key = 'old' order by 1")]
        folder = tenant.gateway('gw-1', dir / 'gw', node)
        with open(folder / 'now.hex', 'w') as f:
            for i in range(20000):
                f.write(vectors.energy_telegram(f'71{i % 30:06d}', i, access=i & 255) + '\n')
        gateway = agent(folder, node, '--replay', folder / 'now.hex', '--rate', '150')
        corrected = set()
        workers = [Worker(lambda: order(node, number)), Worker(lambda: repeat_and_correct(node, number, random.Random(rng.random()), corrected)),
                   Worker(lambda: look(tenant, channels, rng))]
        done = {'emtd': 0, 'backend': 0, 'postmaster': 0}
        try:
            for _ in range(CRASHES):
                time.sleep(rng.uniform(0.5, 3))
                kind = rng.choice(list(done))
                crash(kind, node, rng)
                done[kind] += 1
                node.wait_ready(90)
            time.sleep(2)
            say(f'crashed: {done}; rounds: {[w.rounds for w in workers]}')
            for w in workers[1:]:
                w.end()
            workers[0].end()
            assert all(w.rounds > 0 for w in workers), 'somebody never got to work'
            # A write of the worker that was cut off may be there or not: what is there says which.
            order(node, number)
            check(node, number, tenant, channels, corrected_now(node, number, corrected))
        finally:
            for w in workers:
                w.stopping.set()
            if gateway.alive():
                gateway.kill()
        assert node.process.stop() == 0


def corrected_now(node, tenant, corrected):
    """A correction is in the set only after its answer; one without an answer may have been committed all the same."""
    wait_for('late rows to be packed', lambda: node.sql(f'select count(*) from reading_late where tenant_id = {tenant}') == [['0']], 120)
    rows = node.sql(f"""select distinct round(extract(epoch from h.ts - (date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'
        - interval '{DAYS + 3} days')) / 900)::int from reading_history h where tenant_id = {tenant}""")
    return corrected | {int(r[0]) for r in rows}


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
