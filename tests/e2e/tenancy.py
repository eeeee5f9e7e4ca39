#!/usr/bin/env python3
"""A tenant moves to another installation and back out of it: everything arrives, keys open, gateways connect, nothing is left."""
import datetime
import json
import re
import shutil

import emt
import vectors

SAME_SECRETS = {'tenant_ca', 'device_key', 'delivery_secret'}  # wrapped anew
GROWS = {'audit', 'audit_head', 'audit_anchor'}


def tenant(*args, ok=(0,)):
    return emt.run([emt.build_dir() / 'emtctl', 'tenant', *args], ok=ok)


def refused(says, *args):
    p = tenant(*args, ok=(1,))
    assert says in p.stderr, (says, p.stderr)


def fill(op, node, dir):
    """Meters with and without key, blocks, a location, a file, a user, a secret of a target."""
    a = emt.Tenant(op, 'alpha', own_mp_id='9900999000106')
    csv = emt.run([emt.build_dir() / 'emt-agent', 'meters', '--simulate', '12', '--seed', '7']).stdout.splitlines(keepends=True)
    a.post('/meter-keys', ''.join(csv[:-1]).encode(), kind='text/csv')
    folder = a.gateway('gw', dir / 'gw', node)
    p = emt.agent(folder, node, '--simulate', '12', '--seed', '7', '--interval', '300', '--backfill', '30', '--once')
    assert p.popen.wait(240) == 0, p.output()
    meter = next(d for d in a.all('/devices') if d['medium'] == 'electricity')
    energy = next(c for c in a.all(f"/devices/{meter['id']}/channels")
                  if c['quantity'] == 'energy' and c['storage'] == 0 and c['tariff'] == 0 and 'export' not in c['qualifier'])
    a.post('/locations', {'code': vectors.MELO_A, 'kind': 'melo', 'receiver_mp_id': '9900999000205'})
    a.post(f'/locations/{vectors.MELO_A}/bindings', {'channel': energy['id'], 'obis': '1-1:1.29.0', 'device_number': '1', 'valid_from': '2020-01-01T00:00:00Z'})
    a.post('/targets', {'name': 'partner', 'kind': 'ftps', 'host': 'ftp.example', 'path': '/in', 'user': 'u', 'password': 'hunter2-hunter2'})
    node.sql("insert into platform_user (name, display_name, password_hash, role) values ('erika', 'Erika', 'no-hash', 2);"
             " insert into membership (tenant_id, user_id, role) select t.id, u.id, 4 from tenant t, platform_user u"
             " where t.key = 'alpha' and u.name = 'erika'")
    return a, folder, csv


def manifest(folder):
    return {t['name']: t for t in json.loads((folder / 'manifest.json').read_text())['tables']}


def same(before, after):
    """Rows of every table equal, and the bytes of all that is not wrapped anew."""
    assert before.keys() == after.keys()
    for name, t in before.items():
        if name in GROWS:
            continue
        assert t['rows'] == after[name]['rows'], (name, t, after[name])
        if name not in SAME_SECRETS | {'tenant'}:
            assert t['sha256'] == after[name]['sha256'], (name, t, after[name])


def tampered(archive, dir, to):
    bad = dir / 'bad'
    for path, change, says in (('tables/device.copy', lambda b: b.replace(b'SIM', b'SIN', 1), 'SHA-256'),
                               ('tables/reading.copy', lambda b: b[:b.index(b'\n') + 1], 'SHA-256'),
                               ('tables/audit_anchor.copy', lambda b: b + b'x', 'SHA-256'),
                               ('tables/gateway.copy', lambda b: b[:-9], ''),
                               ('manifest.json', lambda b: b.replace(b'alpha', b'alphb'), 'changed since')):
        shutil.copytree(archive, bad)
        file = bad / path
        file.write_bytes(change(file.read_bytes()))
        refused(says, 'import', '--in', bad, *to)
        shutil.rmtree(bad)
    emt.say('a changed archive is refused')


def connected(node, folder, rest, key):
    """The gateway with its old certificate; its new frames are decoded with keys that came along."""
    (folder / 'ca.pem').write_bytes((node.dir / 'root.pem').read_bytes())
    id = node.sql(f"select id from tenant where key = '{key}'")[0][0]
    before = int(node.sql(f'select count(*) from raw_frame where tenant_id = {id} and state = 0')[0][0])
    p = emt.agent(folder, node, '--simulate', '12', '--seed', '7', '--interval', '2')
    try:
        emt.wait_for('decoded frames', lambda: int(
            node.sql(f'select count(*) from raw_frame where tenant_id = {id} and state = 0')[0][0]) > before + 10, 60, 1)
    finally:
        p.stop()
    assert [g['id'] for g in rest('GET', f'/api/v1/tenants/{key}/gateways')['items']] == ['gw']


def gone(node, key, id):
    for (table,) in node.sql("select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'"
                             " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"):
        assert node.sql(f'select count(*) from {table} where tenant_id = {id}') == [['0']], table
    assert node.sql(f"select count(*) from tenant where key = '{key}'") == [['0']]
    said = node.sql(f"select action, detail from audit where tenant_id = 0 and object = '{key}' and action like 'tenant.delete%' order by entry_id")
    assert said[0][1] == 'begun' and 'keys destroyed' in said[1][1] and 'none left' in said[-1][1], said


def disclosed(a):
    """Everything about a place, and the question itself in the audit."""
    d = a.get(f'/locations/{vectors.MELO_A}/disclosure')
    b = d['bindings'][0]
    assert d['location']['code'] == vectors.MELO_A and b['obis'] == '1-1:1.29.0' and b['valid_to'] is None, d
    assert b['values']['count'] > 0 and b['packed']['count'] > 0 and b['frames']['count'] > 0, b
    assert [f['receiver'] for f in d['files']] == ['9900999000205'] and d['mandates'] == [], d
    assert [e for e in a.all('/audit') if e['action'] == 'location.disclose']
    try:
        a.get(f'/locations/{vectors.MELO_B}/disclosure')
        raise AssertionError('no such place')
    except emt.Problem as e:
        assert e.status == 404, e
    emt.say('disclosed:', b['values']['count'] + b['packed']['count'], 'values of a place')


def limited(t, node, dir):
    """Meters beyond the agreed number are kept and their values stored, but passive, with an event each."""
    tenant('limit', '--tenant', t.key, '--meters', '5', '--embedded', node.dir)
    tenant('limit', '--tenant', t.key, '--meters', '5x', '--embedded', node.dir, ok=(2,))
    csv = emt.run([emt.build_dir() / 'emt-agent', 'meters', '--simulate', '12', '--seed', '8']).stdout
    t.post('/meter-keys', csv.encode(), kind='text/csv')
    p = emt.agent(t.gateway('gw', dir / 'limited', node), node, '--simulate', '12', '--seed', '8', '--interval', '300', '--backfill', '1', '--once')
    assert p.popen.wait(240) == 0, p.output()
    id = node.sql(f"select id from tenant where key = '{t.key}'")[0][0]
    assert node.sql(f'select active, count(*) from device where tenant_id = {id} group by 1 order by 1') == [['f', '7'], ['t', '5']]
    assert node.sql(f"select count(distinct device_id) from event where tenant_id = {id} and kind = 'meters-exceeded'") == [['7']]
    assert node.sql(f'select count(distinct c.device_id) from reading r join channel c using (tenant_id, channel_id)'
                    f' where tenant_id = {id}') == [['12']]
    emt.say('five meters were agreed: seven more are passive, and none is lost')


def main():
    with emt.workspace('tenancy') as (dir, nodes):
        a_node = emt.Node(dir / 'a').start()
        b_node = emt.Node(dir / 'b').start()
        nodes += [a_node, b_node]
        op_a, op_b = emt.operator(a_node), emt.operator(b_node)
        a, folder, csv = fill(op_a, a_node, dir)
        others = [emt.Tenant(op_b, key) for key in ('one', 'two', 'three')]
        theirs = b_node.sql('select count(*) from tenant')
        id = a_node.sql("select id from tenant where key = 'alpha'")[0][0]
        a_node.sql(f"update tenant set compact_after_days = 2 where id = {id};"
                   f" insert into job (tenant_id, kind, dedupe) values ({id}, 'compaction', 'test') on conflict do nothing")
        emt.wait_for('blocks', lambda: a_node.sql('select count(*) from job where state < 2') == [['0']], 120, 1)
        emt.wait_for('the cursor to rest', lambda: a_node.sql('select count(*) from gateway_session where state = 0') == [['0']])

        days = [str(datetime.date.today() - datetime.timedelta(days=n)) for n in (3, 1)]
        emt.run([emt.build_dir() / 'emtctl', 'export', 'mscons', '--tenant', 'alpha', '--pid', '13018', '--from', days[0], '--to', days[1],
                 '--out', dir / 'edi', '--embedded', dir / 'a'])
        disclosed(a)

        key = dir / 'transport.key'
        archive = dir / 'archive'
        at_a, at_b = ('--embedded', dir / 'a'), ('--embedded', dir / 'b', '--transport-key', key)
        tenant('export', '--tenant', 'alpha', '--out', archive, '--transport-key', key, *at_a)
        text = b''.join(p.read_bytes() for p in archive.rglob('*') if p.is_file())
        secret = re.search('[0-9A-Fa-f]{32}', csv[1])[0]
        assert secret.lower().encode() not in text.lower() and bytes.fromhex(secret) not in text
        assert b'hunter2' not in text and b'PRIVATE KEY' not in text
        refused('exists', 'export', '--tenant', 'alpha', '--out', archive, '--transport-key', key, *at_a)
        rows = manifest(archive)
        for t in ('reading', 'reading_block', 'raw_frame', 'device_key', 'gateway_certificate', 'location_channel', 'audit'):
            assert rows[t]['rows'] > 0, (t, rows[t])
        emt.say('exported:', sum(t['rows'] for t in rows.values()), 'rows')

        tampered(archive, dir, at_b)
        tenant('export', '--tenant', 'alpha', '--out', dir / 'second', '--transport-key', dir / 'other.key', *at_a)
        refused('transport key', 'import', '--in', dir / 'second', *at_b)
        refused('', 'import', '--in', archive, '--key', 'one', *at_b)
        assert b_node.sql('select count(*) from tenant') == theirs
        assert b_node.sql('select count(*) from device') == [['0']]

        b_node.sql("insert into platform_user (name, display_name, password_hash, role) values ('max', 'Max', 'x', 2)")
        tenant('import', '--in', archive, *at_b)
        id = b_node.sql("select id from tenant where key = 'alpha'")[0][0]
        assert b_node.sql(f'select u.name from membership m join platform_user u on u.id = m.user_id where m.tenant_id = {id}') == [['erika']]
        tenant('export', '--tenant', 'alpha', '--out', dir / 'back', *at_b)
        same(rows, manifest(dir / 'back'))
        emt.run([emt.build_dir() / 'emtctl', 'audit', 'verify', '--embedded', dir / 'b'])
        emt.say('imported under another number: every table is the same')

        rest = b_node.rest(a.rest.key)
        connected(b_node, folder, rest, 'alpha')
        emt.say('the gateway connects with its old certificate, its meters decode')
        waiting = int(b_node.sql(f'select count(*) from raw_frame where tenant_id = {id} and state = 1')[0][0])
        assert waiting > 0
        rest('POST', '/api/v1/tenants/alpha/meter-keys', ''.join([csv[0], csv[-1]]).encode(), kind='text/csv')
        emt.wait_for('old frames decode with the key that was missing', lambda: int(
            b_node.sql(f'select count(*) from raw_frame where tenant_id = {id} and state = 1')[0][0]) == 0, 60, 1)
        refused('known here', 'import', '--in', archive, '--key', 'beta', *at_b)
        for t in others:
            assert t.all('/gateways') == [] and t.all('/devices') == []

        agent = emt.agent(folder, b_node, '--simulate', '12', '--seed', '7', '--interval', '2')
        emt.wait_for('a session', lambda: b_node.sql(f'select count(*) from gateway_session where tenant_id = {id} and state = 0') == [['1']])
        p = tenant('delete', '--tenant', 'alpha', '--yes-delete', 'alphq', '--embedded', dir / 'b', ok=(2,))
        tenant('delete', '--tenant', 'alpha', '--yes-delete', 'alpha', '--embedded', dir / 'b')
        agent.stop()
        gone(b_node, 'alpha', id)
        try:
            rest('GET', '/api/v1/tenants/alpha/gateways')
            raise AssertionError('the key is alive')
        except emt.Problem as e:
            assert e.status == 401, e
        emt.say('deleted while its gateway was connected: nothing is left')

        tenant('import', '--in', archive, '--key', 'beta', *at_b)
        connected(b_node, folder, b_node.rest(a.rest.key), 'beta')
        emt.say('under another key: the gateway connects, its certificates say the old one')
        assert a_node.sql("select count(*) from tenant where key = 'alpha'") == [['1']]
        limited(others[0], b_node, dir)


if __name__ == '__main__':
    main()
