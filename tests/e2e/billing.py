#!/usr/bin/env python3
"""What billing gets, as a whole: random fleets of power and gas through a real server, judged register by register; the mapping out and in
again; kill -9 while files are written, numbered and delivered; a restore of the whole database, after which no number comes twice."""
import collections
import datetime
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time
import zoneinfo
from decimal import Decimal

import emt
from emt import FULL, Node, Tenant, operator, run, say, wait_for, workspace
from mscons import end_leases, ended, utc_now

SEEDS = range(12) if FULL else range(2)
KILLS = 12 if FULL else 3
DAYS = 3
CAPACITY = 10_000_000
BERLIN = zoneinfo.ZoneInfo('Europe/Berlin')
UTC = datetime.timezone.utc
PARTIES = {False: ('9900999000106', '9900999000205'), True: ('9800999000207', '9800999000306')}
# Registers that one meter has in the place.
Kind = collections.namedtuple('Kind', 'gas malo unit by registers')
KINDS = (Kind(False, False, 'Wh', 1, {'13018': '1-1:1.29.0', '13017': '1-1:1.8.0'}),
         Kind(False, True, 'Wh', 1, {'13025': '1-1:1.29.0', '13019': '1-1:1.9.0', '13016': '1-1:1.9.0'}),
         Kind(True, True, 'Wh', 1000, {'13008': '7-20:99.33.17', '13009': '7-0:33.86.0'}),
         Kind(True, False, 'm3', 1, {'13002': '7-1:3.0.0'}))
PROFILES, ENERGIES, READINGS = ('13018', '13025', '13008'), ('13019', '13009', '13016'), ('13017', '13002')


def local(day, gas):
    """Where a day begins."""
    return datetime.datetime(day.year, day.month, day.day, 6 if gas else 0, tzinfo=BERLIN).astimezone(UTC)


def change_of_clock(month, today):
    """The last Saturday before the last change of the clock in that month, three days ago at least."""
    for year in (today.year, today.year - 1):
        sunday = max(d for d in (datetime.date(year, month, n) for n in range(25, 32)) if d.weekday() == 6)
        if sunday < today - datetime.timedelta(days=3):
            return sunday - datetime.timedelta(days=1)


def text(t):
    return t.strftime('%Y-%m-%dT%H:%M:%SZ')


def malo(gas, n):
    code = f'{1 if gas else 5}{n:09d}'
    total = sum(int(c) * (1 + i % 2) for i, c in enumerate(code))
    return code + str(-total % 10)


# ---- fleets ----

class Meter:
    def __init__(self, number, start, end, ratio, first):
        self.number, self.start, self.end, self.ratio, self.first = number, start, end, ratio, first
        self.last, self.channel = first, None


class Place:
    def __init__(self, kind, code):
        self.kind, self.code, self.meters, self.moved = kind, code, [], 0


class Fleet:
    """Places with meters that are exchanged and roll over; every register's way is known."""

    def __init__(self, node, tenants, seed):
        self.rnd = random.Random(seed)
        self.node, self.tenants, self.seed = node, tenants, seed
        today = datetime.date.today()
        self.first = (change_of_clock(3, today), change_of_clock(10, today), today - datetime.timedelta(days=45))[seed % 3]
        self.rows, self.places = [], []
        for i, kind in enumerate(k for k in KINDS for _ in range(2)):
            n = seed * 100 + i
            self.places.append(self.place(Place(kind, malo(kind.gas, n) if kind.malo else f'DE00099910115{n:020d}'), n))
        self.store()
        self.bind()

    def span(self, gas):
        return local(self.first, gas), local(self.first + datetime.timedelta(days=DAYS), gas)

    def month(self, gas):
        first = self.first.replace(day=1)
        return local(first, gas), local((first + datetime.timedelta(days=32)).replace(day=1), gas)

    def place(self, p, n):
        start, end = self.span(p.kind.gas)
        step = datetime.timedelta(hours=1) if p.kind.gas else datetime.timedelta(minutes=15)
        since = self.month(p.kind.gas)[0] - datetime.timedelta(days=1)
        count = self.rnd.randint(1, 3)
        for i in range(count):
            until = None
            if i + 1 < count:
                until = start + (end - start) / 3 * (i + 1) - datetime.timedelta(minutes=self.rnd.randint(1, 700))
                until = until.replace(second=0, microsecond=0)
            m = Meter(f'B{n}-{i}', since, until, 1 if p.kind.gas else self.rnd.choice((1, 40, 2000)),
                      self.rnd.randrange(CAPACITY // p.kind.by) * p.kind.by)
            self.count(p, m, start, end, step)
            p.meters.append(m)
            since = until
        return p

    def count(self, p, m, start, end, step):
        """Readings some seconds off the grid; what the protocol of an exchange has is not read besides."""
        shown, t = m.first, start
        before, behind = self.month(p.kind.gas)
        if m.start < before:
            self.rows.append((m, before, shown))
        while t <= end and (m.end is None or t <= m.end):
            if t >= m.start:
                if t > max(m.start, start):
                    shown = self.move(p, m, shown)
                if t not in (m.start, m.end):
                    self.rows.append((m, t + datetime.timedelta(seconds=self.rnd.randint(-50, 50)) if m.start < t - step else t, shown))
            t += step
        if m.end is None:
            self.rows.append((m, behind, shown))
        elif (m.end - start) % step:
            shown = self.move(p, m, shown)
        m.last = shown

    def move(self, p, m, shown):
        by = self.rnd.randrange(700 if p.kind.by == 1 else 7) * p.kind.by
        p.moved += by * m.ratio
        return (shown + by) % CAPACITY

    def store(self):
        sql = self.node.sql
        for p in self.places:
            tid = self.tenants[p.kind.gas].id
            for m in p.meters:
                m.channel = int(sql(f"with d as (insert into device (tenant_id, ident, manufacturer, number) values ({tid}, '{m.number}', 'EMT',"
                                    f" '{m.number}') returning device_id) insert into channel (tenant_id, device_id, key, kind, obis, quantity, unit)"
                                    f" select {tid}, device_id, 'k', 0, '1-0:1.8.0*255', 1, '{p.kind.unit}' from d returning channel_id")[0][0])
                m.tenant = tid
        rows = {(m.channel, t): f"({m.tenant},{m.channel},'{text(t)}',{v},0,256)" for m, t, v in self.rows}
        sql("select partitions_ensure(now(), 430); insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality) values "
            + ','.join(rows.values()))

    def bind(self):
        """By the import, with every column that a binding may have."""
        for gas, tenant in self.tenants.items():
            lines = ['code;receiver_mp_id;channel;obis;ratio;device_number;valid_from;valid_to;capacity;first_reading;last_reading']
            for p in (p for p in self.places if p.kind.gas == gas):
                for m in p.meters:
                    for obis in sorted(set(p.kind.registers.values())):
                        lines.append(';'.join(map(str, (p.code, PARTIES[gas][1], m.channel, obis, m.ratio, m.number, text(m.start),
                                                        text(m.end) if m.end else '', CAPACITY, m.first, m.last if m.end else ''))))
            result = tenant.post('/locations/import', '\n'.join(lines).encode(), kind='text/csv')
            assert result['rejected'] == 0, result

    def window(self):
        start, end = self.span(True)[0], self.span(False)[1]  # the first and last instants of both stay
        a = start + datetime.timedelta(minutes=self.rnd.randint(20, 1600))
        return text(a), text(min(a + datetime.timedelta(minutes=self.rnd.randint(20, 300)), end - datetime.timedelta(hours=3)))

    def channels(self):
        return ','.join(str(m.channel) for p in self.places for m in p.meters)

    def lose(self):
        a, b = self.window()
        self.node.sql(f"create table if not exists lost (like reading); with gone as (delete from reading where channel_id in ({self.channels()})"
                      f" and ts between '{a}' and '{b}' returning *) insert into lost select * from gone", role='emt_owner')

    def find(self):
        self.node.sql('with back as (delete from lost returning *) insert into reading select * from back', role='emt_owner')

    def correct(self):
        """One unit at some instants: the sum stays."""
        self.node.sql(f'update reading r set mantissa = r.mantissa - 1, quality = 261 from (select channel_id, ts, mantissa - lag(mantissa) over w'
                      f' as up, lead(mantissa) over w - mantissa as down from reading where channel_id in ({self.channels()}) window w as'
                      f' (partition by channel_id order by ts)) n where r.channel_id = n.channel_id and r.ts = n.ts and n.up > 1 and n.down > 1'
                      f' and extract(epoch from r.ts)::int8 / 900 % 7 = {self.rnd.randrange(7)}', role='emt_owner')


# ---- what the receiver has ----

Value = collections.namedtuple('Value', 'document device place use begin end value')


def segments(data):
    return [re.sub(r'\?(.)', r'\1', s) for s in re.findall(r"((?:\?.|[^?'])*)'", data)]


def moment(s):
    return datetime.datetime.strptime(s.split(':')[1][:12], '%Y%m%d%H%M').replace(tzinfo=UTC)


class Receiver:
    def __init__(self):
        self.numbers, self.values = set(), []
        self.profiles = {}

    def number(self, n):
        assert n not in self.numbers, f'{n} comes twice'
        self.numbers.add(n)

    def take(self, data):
        values, place, document, device, pid, cancels = [], None, None, None, None, None
        for s in segments(data):
            tag = s[:3]
            if tag == 'UNB':
                self.number('UNB ' + s.split('+')[5])
            elif tag == 'BGM':
                document, device, cancels = s.split('+')[2], None, None
                self.number('BGM ' + document)
            elif s.startswith('RFF+ACW:'):
                cancels = s[8:]
            elif s.startswith('RFF+Z13:'):
                pid = s[8:]
            elif s.startswith('RFF+MG:'):
                device = s[7:]
            elif tag == 'LOC':
                place = s.split('+')[2]
                if pid == '13006':
                    assert any(v.document == cancels for v in self.values), cancels
                    self.values = [v for v in self.values if v.document != cancels]
            elif tag == 'QTY':
                values.append([pid, document, device, place, None, None, None, Decimal(s.split(':')[1])])
            elif values and tag == 'DTM' and values[-1][1] == document:
                at = {'163': 4, '60': 4, '164': 5, '7': 5, '306': 6}[s[4:].split(':')[0]]
                values[-1][at] = s if at == 6 else moment(s)
        for pid, document, device, place, begin, end, month, value in values:
            if pid in PROFILES:
                self.profiles[pid, place, begin] = (end, value)
            elif not month:
                self.values.append(Value(document, device, place, pid, begin, end, value))


def judge(fleet, receiver):
    for p in fleet.places:
        factor = 1000 if p.kind.unit == 'Wh' else 1
        start, end = fleet.span(p.kind.gas)
        for pid in p.kind.registers:
            if pid in PROFILES:
                t, total = start, Decimal(0)
                while t < end:
                    t, value = receiver.profiles[pid, p.code, t]
                    total += value
                assert t == end
            elif pid in ENERGIES:
                [v] = [v for v in receiver.values if v.place == p.code and v.use == pid]
                assert (v.begin, v.end) == (fleet.month(p.kind.gas) if pid == '13016' else (start, end)), v
                total = v.value
            else:
                total = Decimal(0)
                for m in p.meters:
                    shown = sorted(((v.begin or v.end), v.value) for v in receiver.values if (v.place, v.use, v.device) == (p.code, pid, m.number))
                    assert shown and len({t for t, _ in shown}) == len(shown), (p.code, m.number, shown)
                    capacity = Decimal(CAPACITY) / factor
                    total += sum((b[1] - a[1] + capacity) % capacity for a, b in zip(shown, shown[1:])) * m.ratio
            assert total * factor == p.moved, (fleet.seed, pid, p.code, total, p.moved)


def export(fleet, receiver):
    end = fleet.first + datetime.timedelta(days=DAYS)
    for kind in KINDS:
        for pid in kind.registers:
            body = {'pid': pid, 'from': str(fleet.first), 'to': str(end + datetime.timedelta(days=pid in READINGS)), 'only_changes': True}
            if pid == '13016':
                body.update({'from': str(fleet.first.replace(day=1)), 'to': str((end.replace(day=28) + datetime.timedelta(days=4)).replace(day=1))})
            tenant = fleet.tenants[kind.gas]
            for place in (p for p in fleet.places if p.kind == kind):
                for file in tenant.post('/exports', {**body, 'location': place.code})['files']:
                    receiver.take(content(tenant, file))


def content(tenant, file):
    return tenant.rest.raw('GET', f"{tenant.path}/exports/{file['id']}/content")[2].decode('latin1')


def fleets(node, tenants):
    receiver, made = Receiver(), []
    for seed in SEEDS:
        fleet = Fleet(node, tenants, seed)
        fleet.lose()
        for change in (lambda: None, fleet.find, fleet.correct):
            change()
            export(fleet, receiver)
            judge(fleet, receiver)
        made.append(fleet)
    say(f'{len(SEEDS)} fleets: sums of {sum(len(k.registers) for k in KINDS)} use cases are the registers\', {len(receiver.numbers)} numbers')
    return made, receiver


def delivery_notes(fleet):
    """Other documents beside the energies, by a request and by a job."""
    tenant = fleet.tenants[False]
    for n, p in enumerate(p for p in fleet.places if p.kind == KINDS[1]):
        body = {'pid': '13019', 'document': 'Z41', 'from': str(fleet.first), 'to': str(fleet.first + datetime.timedelta(days=DAYS)), 'location': p.code}
        if n:
            status, _, job = tenant.rest.raw('POST', tenant.path + '/exports', body, headers={'Prefer': 'respond-async'})
            assert status == 202, job
            [file] = ended(tenant, json.loads(job)['id'])['result']['files']
        else:
            [file] = tenant.post('/exports', body)['files']
        data = content(tenant, file)
        [value] = re.findall(r'QTY\+Z31:([0-9.]+)', data)
        assert Decimal(value) * 1000 == p.moved and '+Z41+' in data and 'STS+' not in data, data
        assert tenant.post('/exports', body)['files'] == []
        del body['document']
        assert tenant.post('/exports', body)['files'] == []  # the energy stands as it was sent
    for bad in ({'pid': '13018'}, {'pid': '13016'}, {'document': 'Z99'}):
        try:
            tenant.post('/exports', {'pid': '13019', 'document': 'Z41', 'from': str(fleet.first), 'to': str(fleet.first + datetime.timedelta(1)), **bad})
        except emt.Problem as e:
            assert e.status == 400 and 'document' in e.body, e
        else:
            raise AssertionError(bad)


def scheduled_note(fleet):
    """The same by a schedule."""
    tenant = fleet.tenants[False]
    place = next(p for p in fleet.places if p.kind == KINDS[1])
    schedule = tenant.post('/schedules', {'name': 'notes', 'cron': '0 3 1 1 *', 'pid': '13019', 'document': 'Z41', 'location': place.code})
    path = f"/schedules/{schedule['id']}"
    days = {'from': str(fleet.first), 'to': str(fleet.first + datetime.timedelta(days=DAYS))}
    [file] = ended(tenant, tenant.post(f'{path}/run', days)['id'])['result']['files']
    data = content(tenant, file)
    [value] = re.findall(r'QTY\+Z31:([0-9.]+)', data)
    assert Decimal(value) * 1000 == place.moved and '+Z41+' in data, data
    tenant.delete(path)


# ---- the mapping, out and in again ----

def mapping(node, tenant):
    def pages(limit):
        out, cursor = [], None
        while True:
            _, headers, data = tenant.rest.raw('GET', f'{tenant.path}/locations/export?limit={limit}' + (f'&cursor={cursor}' if cursor else ''))
            lines = data.decode().splitlines()
            out += lines if not out else lines[1:]
            cursor = headers.get('X-Next-Cursor')
            if not cursor:
                return out

    tenant.post('/locations', {'code': malo(tenant.gas, 999999), 'kind': 'malo', 'name': ' Lager, "Süd"; Tor 3 '.strip()})
    tenant.post('/locations', {'code': malo(tenant.gas, 999998), 'kind': 'tranche', 'name': 'Tor 4\r\nEast'})
    before = pages(1000)
    assert before == pages(3)
    printed = run([emt.build_dir() / 'emtctl', 'location', 'export', '--tenant', tenant.key, '--embedded', node.dir]).stdout
    assert printed.splitlines() == before, printed[:500]
    for place in tenant.all('/locations'):
        for b in tenant.all(f"/locations/{place['code']}/bindings"):
            tenant.delete(f"/locations/{place['code']}/bindings/{b['id']}")
        tenant.delete(f"/locations/{place['code']}")
    assert len(pages(1000)) == 1
    result = tenant.post('/locations/import', ('\n'.join(before) + '\n').encode(), kind='text/csv')
    assert result['rejected'] == 0 and result['accepted'] == len(before) - 1, [r for r in result['lines'] if r['result'] != 'accepted']
    assert pages(1000) == before
    say(f'mapping of {len(before) - 1} lines: out, in again, the same')


# ---- a server that dies while files go out ----

def sent(folder):
    return {f.name: f.read_bytes() for f in folder.glob('*.txt')}


def told(tenant):
    """Names of what the server believes to have delivered; each once."""
    rows = [d for d in tenant.all('/deliveries') if d['state'] == 'delivered']
    assert len({d['file'] for d in rows}) == len(rows), rows
    return rows


def killed(node, tenant, fleet, folder):
    rnd = random.Random(7)
    target = tenant.post('/targets', {'name': 'folder', 'kind': 'local', 'path': 'edi'})
    schedules = [tenant.post('/schedules', {'name': f'all {pid}', 'cron': '0 3 1 1 *', 'pid': pid, 'target': target['id'], 'days': 10})
                 for pid in ('13018', '13025')]
    period = {'from': str(fleet.first), 'to': str(fleet.first + datetime.timedelta(days=DAYS))}
    for i in range(KILLS):
        fleet.correct()
        jobs = [tenant.post(f"/schedules/{s['id']}/run", period)['id'] for s in schedules]
        time.sleep(rnd.random() * 0.4)
        node.kill()
        dead = utc_now()
        node.start()
        end_leases(node, dead)
        for job in jobs:
            assert ended(tenant, job)['state'] == 'done', tenant.get(f'/jobs/{job}')
    wait_for('all is delivered', lambda: all(d['state'] == 'delivered' for d in tenant.all('/deliveries')), 90, 0.3)
    files = sent(folder)
    assert sorted(files) == sorted(d['file_name'] for d in told(tenant)), (sorted(files), told(tenant))
    say(f'{KILLS} kills: {len(files)} files written, numbered and delivered once')
    return schedules, period


# ---- the database goes back as a whole ----

def restore(node, dump):
    """As docs/operations.md says for an embedded cluster."""
    data = min(node.dir.rglob('PG_VERSION'), key=lambda p: len(p.parts)).parent
    owner = data.owner()
    bin = pathlib.Path(run(['pg_config', '--bindir']).stdout.strip())
    as_owner = {'user': owner, 'group': data.group(), 'extra_groups': []} if os.geteuid() == 0 else {}

    def pg_ctl(*args):
        p = subprocess.run([bin / 'pg_ctl', '-D', data, '-w', *args], cwd='/', stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=60, **as_owner)
        assert p.returncode == 0, args

    pg_ctl('-o', f'-c config_file={data.parent}/postgresql.conf -c unix_socket_directories={data}', 'start')
    where = f'host={data} user=postgres'
    run(['psql', '-q', f'{where} dbname=postgres', '-c', 'drop database emt'])
    run(['psql', '-q', f'{where} dbname=postgres', '-c', 'create database emt owner emt_owner'])
    run(['pg_restore', '--exit-on-error', '-d', f'{where} dbname=emt', dump])
    pg_ctl('stop')


def restored(node, dir, tenant, fleet, folder, schedules, period):
    def round():
        fleet.correct()
        jobs = [tenant.post(f"/schedules/{s['id']}/run", period)['id'] for s in schedules]
        assert all(ended(tenant, job)['state'] == 'done' for job in jobs)
        wait_for('all is delivered', lambda: all(d['state'] == 'delivered' for d in tenant.all('/deliveries')), 90, 0.3)

    dump = dir / 'emt.dump'
    run(['pg_dump', f'{node.conninfo()} user=emt_backup', '-Fc', '-f', dump])
    known = len(told(tenant))
    round()
    lost = len(sent(folder))
    assert lost > known
    assert node.process.stop() == 0
    restore(node, dump)
    node.start()
    assert len(told(tenant)) == known
    round()
    files = sent(folder)
    assert len(files) > lost
    receiver = Receiver()
    for name in sorted(files):
        receiver.take(files[name].decode('latin1'))  # a number that comes twice is a fault
    assert [j for j in tenant.all('/jobs') if j['state'] == 'failed'] == []
    say(f'restored: {lost - known} files that the database forgot, {len(files) - lost} after it, {len(receiver.numbers)} numbers, none twice')


def main():
    with workspace('billing') as (dir, nodes):
        node = Node(dir / 'n')
        nodes.append(node)
        node.start()
        op = operator(node)
        tenants = {}
        for gas in (False, True):
            t = tenants[gas] = Tenant(op, 'gas' if gas else 'power')
            t.gas, t.id = gas, int(node.sql(f"select id from tenant where key = '{t.key}'")[0][0])
            node.sql(f"update tenant set own_mp_id = '{PARTIES[gas][0]}' where id = {t.id}")
            run([emt.build_dir() / 'emtctl', 'market', 'policy', '--tenant', t.key, '--gap', 'substitute', '--embedded', node.dir])
        made, _ = fleets(node, tenants)
        delivery_notes(made[0])
        scheduled_note(made[1])
        mapping(node, tenants[True])
        folder = node.dir / 'outbox' / str(tenants[False].id) / 'edi'
        schedules, period = killed(node, tenants[False], made[0], folder)
        restored(node, dir, tenants[False], made[0], folder, schedules, period)
    say('done')
    return 0


if __name__ == '__main__':
    sys.exit(main())
