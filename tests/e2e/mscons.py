#!/usr/bin/env python3
"""Market messages as a whole: every file that the unit tests write is read by an EDIFACT reader that is not ours and by our own checker;
exports of a real server survive kill -9 at any point and a restore from a dump without giving a number twice or losing a message."""
import datetime
import decimal
import json
import os
import pathlib
import random
import subprocess
import sys
import time

from emt import FULL, Node, Problem, Tenant, build_dir, operator, run, say, wait_for, workspace

HERE = pathlib.Path(__file__).parent
PLACES = 60
DAYS = ('2026-03-02', '2026-03-03')
KILLS = 12 if FULL else 4


# ---- files of the unit tests, seen by others ----

def foreign_reader(files):
    p = subprocess.run(['perl', HERE / 'mscons_reader.pl', *files], capture_output=True, text=True, timeout=300)
    assert p.returncode == 0, p.stderr[-2000:]
    return [json.loads(line) for line in p.stdout.splitlines()]


def same(ours, theirs):
    """What emtctl shows of a file, and what the other reader makes of it."""
    assert ours['interchange']['ref'] == theirs['reference']
    assert len(ours['messages']) == len(theirs['messages'])
    for a, b in zip(ours['messages'], theirs['messages']):
        assert a['doc'] == b['doc'] and a['pid'] == b['pid'] and b['type'] == 'MSCONS' and a['version'] == b['version'], (a, b)
        assert a['loc'] == b.get('loc') or not (a['loc'] or b.get('loc')), (a, b)
        assert len(a['lines']) == len(b['lines'])
        for x, y in zip(a['lines'], b['lines']):
            assert (x['obis'], x['n']) == (y['obis'], y['n']) and decimal.Decimal(x['sum']) * 10000 == y['milli'], (x, y)


def judge(files):
    theirs = foreign_reader(files)
    assert len(theirs) == len(files)
    kinds = set()
    for path, other in zip(files, theirs):
        run([build_dir() / 'emtctl', 'mscons', 'check', '--name', path])
        ours = json.loads(run([build_dir() / 'emtctl', 'mscons', 'show', path]).stdout)
        same(ours, other)
        kinds |= {m['pid'] for m in ours['messages']}
    return kinds


def read_by_others(dir):
    folder = dir / 'files'
    folder.mkdir()
    tests = build_dir() / 'tests'
    for name in ('test_export_use_cases', 'test_export_changes', 'test_mscons_export'):
        if not (tests / name).exists():
            say(f'{name} is not built')
            sys.exit(77)
        run([tests / name], env={**os.environ, 'EMT_EXPORT_KEEP': str(folder)}, ok=(0, 77))
    files = sorted(folder.glob('*/*.txt'))
    if not files:
        say('no PostgreSQL for the unit tests')
        sys.exit(77)
    kinds = judge(files)
    assert kinds == {'13002', '13006', '13007', '13008', '13009', '13016', '13017', '13018', '13019', '13025', '13027'}, kinds
    say(f'{len(files)} files of {len(kinds)} use cases read by another reader')


# ---- a server that dies ----

def market(node, tenant):
    """Meters with two days of quarter hours, each bound to a metering location."""
    tid = node.sql(f"select id from tenant where key = '{tenant.key}'")[0][0]
    node.sql(f"""
        select partitions_ensure('2026-03-15', 60);
        update tenant set own_mp_id = '9900999000106' where id = {tid};
        insert into device (tenant_id, ident, manufacturer, number)
          select {tid}, 'M-' || i, 'EMT', i::text from generate_series(1, {PLACES}) i;
        insert into channel (tenant_id, device_id, key, kind, quantity, unit) select tenant_id, device_id, 'k', 0, 1, 'Wh'
          from device where tenant_id = {tid};
        insert into location (tenant_id, kind, code, receiver_mp_id)
          select tenant_id, 1, 'DE00099910115' || lpad(device_id::text, 20, '0'), '9900999000205' from device where tenant_id = {tid};
        insert into location_channel (tenant_id, location_id, channel_id, obis, valid_from)
          select l.tenant_id, l.location_id, c.channel_id, '1-1:1.29.0', '2024-01-01' from location l join channel c
          on c.tenant_id = l.tenant_id and l.code = 'DE00099910115' || lpad(c.device_id::text, 20, '0') where l.tenant_id = {tid};
        insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)
          select tenant_id, channel_id, '2026-03-01T23:00:00Z'::timestamptz + i * interval '15 minutes', 1000000 + i * (100 + channel_id), 0,
          256 from channel, generate_series(0, 192) i where tenant_id = {tid}""")
    ctl = [build_dir() / 'emtctl', 'market']
    run([*ctl, 'partner', '--tenant', tenant.key, '--mp-id', '9900999000205', '--role', 'NB', '--file-messages', 13, '--embedded', node.dir])
    run([*ctl, 'policy', '--tenant', tenant.key, '--gap', 'substitute', '--embedded', node.dir])
    for bad in (('policy', '--gap', 'x'), ('policy', '--gap', 'hold', '--pid', '13020'), ('policy', '--gap', 'hold', '--method', 'Z9'),
                ('partner', '--mp-id', '99'), ('partner', '--mp-id', '9900999000205', '--file-bytes', '5'), ('x',)):
        run([*ctl, bad[0], '--tenant', tenant.key, *bad[1:], '--embedded', node.dir], ok=(2,))
    return tid


def ended(tenant, job):
    def check():
        j = tenant.get(f'/jobs/{job}')
        return j if j['state'] in ('done', 'failed', 'cancelled') else None
    return wait_for(f'job {job}', check, 90, 0.1)


def order(tenant, **more):
    status, _, body = tenant.rest.raw('POST', tenant.path + '/exports', {'pid': '13018', 'from': DAYS[0], 'to': '2026-03-04', **more},
                                      headers={'Prefer': 'respond-async'})
    assert status == 202, body
    return json.loads(body)['id']


def references(tenant):
    return [e['reference'] for e in tenant.all('/exports')]


def whole(node, tid, job):
    """Each place and day of the job's files is there once, and no file of it has a hole in its parts."""
    rows = node.sql(f'select f.part, f.next_place is null, m.location, m.period_from from export_file f join export_message m'
                    f' using (tenant_id, file_id) where tenant_id = {tid} and job_id = {job} order by f.part, m.nth')
    assert len(rows) == PLACES * len(DAYS) == len({(r[2], r[3]) for r in rows}), (job, len(rows))
    parts = sorted({int(r[0]) for r in rows})
    assert parts == list(range(1, len(parts) + 1)) and [r[1] for r in rows if int(r[0]) == parts[-1]][0] == 't', parts


def utc_now():
    return datetime.datetime.now(datetime.timezone.utc)


def end_leases(node, dead):
    """Leases of a server that is dead end at once, not within their minute: nobody else gave one so early."""
    node.sql(f"update job set lease_until = now() where state = 1 and lease_until < '{dead.isoformat()}'::timestamptz + interval '60 s'")


def killed(node, tenant, tid):
    """Exports by jobs; the server is killed while they write, number and keep files."""
    rnd = random.Random(8)
    jobs, seen = [], set()
    for i in range(KILLS):
        # Real ones of the same places would be dated ahead: one minute each.
        jobs.append(order(tenant, test=i > 0))
        time.sleep(rnd.random() * 0.25)
        node.kill()
        dead = utc_now()
        node.start()
        if not FULL:
            end_leases(node, dead)
        # What was handed out before is there still.
        now = set(references(tenant))
        assert seen <= now, seen - now
        seen = now
    for job in jobs:
        assert ended(tenant, job)['state'] == 'done', tenant.get(f'/jobs/{job}')
        whole(node, tid, job)
    all_of_them = references(tenant)
    assert len(all_of_them) == len(set(all_of_them))
    documents = node.sql(f'select count(*), count(distinct number) from export_message where tenant_id = {tid}')[0]
    assert documents[0] == documents[1], documents
    say(f'{KILLS} kills, {len(all_of_them)} files, no number twice')
    return all_of_them


def changes(node, tenant, tid):
    """One register changes: one message goes out again, marked, by the front door."""
    body = {'pid': '13018', 'from': DAYS[0], 'to': '2026-03-04', 'only_changes': True}
    assert tenant.post('/exports', body)['files'] == []
    node.sql(f"update reading set mantissa = mantissa + 1 where tenant_id = {tid} and ts = '2026-03-02T10:00:00Z' and channel_id ="
             f' (select min(channel_id) from channel where tenant_id = {tid})')
    [file] = tenant.post('/exports', body)['files']
    assert file['messages'] == 1, file
    text = tenant.rest.raw('GET', f"{tenant.path}/exports/{file['id']}/content")[2].decode('latin1')
    assert text.count('STS+Z34++ZA7') == 2 and text.count('QTY+') == 96, text[:400]


def exchanged(tenant, tid, node):
    """What people say of a binding goes into the files: the protocol of an exchange, the capacity of a register."""
    channel = int(node.sql(f'select max(channel_id) from channel where tenant_id = {tid}')[0][0])
    melo = 'DE0009991011500000000000000099999'
    tenant.post('/locations', {'code': melo, 'kind': 'melo', 'receiver_mp_id': '9900999000205'})
    b = tenant.post(f'/locations/{melo}/bindings', {'channel': channel, 'obis': '1-1:1.8.0', 'device_number': '1OLD', 'ratio': '40',
                                                   'valid_from': '2024-01-01T00:00:00Z', 'capacity': '100000000', 'decimals': 2})
    assert b['capacity'] == '100000000' and b['decimals'] == 2 and b['use_case'] is None and b['last_reading'] is None, b
    tenant.patch(f"/locations/{melo}/bindings/{b['id']}", {'valid_to': '2026-03-02T10:07:00Z', 'last_reading': '1234567'})
    tenant.post(f'/locations/{melo}/bindings', {'channel': channel, 'obis': '1-1:1.8.0', 'device_number': '1NEW', 'first_reading': '17',
                                               'valid_from': '2026-03-02T10:07:00Z'})
    for bad in ({'capacity': '0'}, {'capacity': 'x'}, {'step_s': 901}, {'last_reading': '1'}, {'use_case': '13020'}, {'decimals': 6}):
        try:
            tenant.post(f'/locations/{melo}/bindings', {'channel': channel, 'obis': '1-1:2.8.0', 'valid_from': '2026-01-01T00:00:00Z', **bad})
        except Problem as e:
            assert e.status == 400 and list(bad)[0] in e.body, e
        else:
            raise AssertionError(bad)
    [file] = tenant.post('/exports', {'pid': '13017', 'from': DAYS[0], 'to': DAYS[1], 'location': melo})['files']
    text = tenant.rest.raw('GET', f"{tenant.path}/exports/{file['id']}/content")[2].decode('latin1')
    assert "RFF+MG:1OLD'LIN+1'PIA+5+1-1?:1.8.0:SRW'QTY+220:1234.57'DTM+7:202603012300?+00:303'DTM+60:202603021007?+00:303'" in text, text
    assert "RFF+MG:1NEW'LIN+1'PIA+5+1-1?:1.8.0:SRW'QTY+220:0.017'DTM+7:202603012300?+00:303'DTM+60:202603021007?+00:303'" in text, text
    assert tenant.post('/exports', {'pid': '13017', 'from': DAYS[0], 'to': DAYS[1], 'location': melo})['files'] == []
    [back] = tenant.post('/exports', {'pid': '13006', 'cancels': '13017', 'from': DAYS[0], 'to': DAYS[1], 'location': melo})['files']
    assert back['messages'] == file['messages'], (back, file)


def restored(node, tenant, dir, given):
    """The database goes back to an older state; the numbers given since are not given again."""
    dump = dir / 'emt.dump'
    run(['pg_dump', f'{node.conninfo()} user=emt_backup', '-Fc', '-f', dump])
    later = [tenant.post('/exports', {'pid': '13018', 'from': DAYS[0], 'to': '2026-03-04'})['files'] for _ in range(2)]
    lost = {f['reference'] for files in later for f in files}
    assert lost and not lost & set(given)
    # Back to the dump, as far as numbers and files go.
    node.process.stop()
    node.start()
    out = run(['pg_restore', '-a', '-t', 'export_number', '-f', '-', dump]).stdout
    last = [line.split('\t') for line in out.splitlines() if line.count('\t') == 2]
    assert last, out
    for tid, sender, number in last:
        node.sql(f"update export_number set last = '{number}' where tenant_id = {tid} and sender = '{sender}'")
    node.sql('delete from export_file where reference in (' + ','.join(f"'{r}'" for r in lost) + ')')
    files = tenant.post('/exports', {'pid': '13018', 'from': DAYS[0], 'to': '2026-03-04'})['files']
    assert files and not {f['reference'] for f in files} & (lost | set(given))
    say('restored: no number twice')
    return files


def judged(tenant, dir, files):
    folder = dir / 'server'
    folder.mkdir()
    for f in files:
        (folder / f['file_name']).write_bytes(tenant.rest.raw('GET', f"{tenant.path}/exports/{f['id']}/content")[2])
    judge(sorted(folder.iterdir()))


def main():
    with workspace('mscons') as (dir, nodes):
        if subprocess.run(['perl', '-MBusiness::Edifact::Interchange', '-e', '1'], capture_output=True).returncode == 0:
            read_by_others(dir)
        else:
            say('libbusiness-edifact-interchange-perl is not installed: files are not read by another reader')
            return 77
        node = Node(dir / 'n')
        nodes.append(node)
        node.start()
        tenant = Tenant(operator(node), 'market')
        tid = market(node, tenant)
        given = killed(node, tenant, tid)
        changes(node, tenant, tid)
        exchanged(tenant, tid, node)
        judged(tenant, dir, restored(node, tenant, dir, given))
    say('done')
    return 0


if __name__ == '__main__':
    sys.exit(main())
