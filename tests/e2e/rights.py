#!/usr/bin/env python3
"""Who may see whose values: a party outside of the tenant tries every way around its mandates; what somebody had measured is erased."""
import datetime
import json
import re

import yaml

import emt
import vectors

PARTY = '9900999000205'
DAYS = 20
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
BASE = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0) - DAYS * DAY


def at(day, hour=0):
    return (BASE + day * DAY + hour * HOUR).strftime('%Y-%m-%dT%H:%M:%SZ')


def problem(call, status, kind, *says):
    """The problem's text."""
    try:
        got = call()
    except emt.Problem as e:
        body = json.loads(e.body)
        assert e.status == status and body['type'].endswith(f':{kind}'), e
        assert all(s in e.body for s in says), (says, e.body)
        return e.body
    raise AssertionError(f'not refused: {str(got)[:300]}')


class Meter:
    """A device with one register, quarter hours of 15 days, bound to a location."""

    def __init__(self, node, t, tenant, number, melo):
        self.device = node.sql(f"insert into device (tenant_id, ident, manufacturer, number, version, type) values ({tenant}, 'EMT{number}0102',"
                               f" 'EMT', '{number}', 1, 2) returning device_id")[0][0]
        self.channel = int(node.sql(f"insert into channel (tenant_id, device_id, key, kind, obis, quantity, unit) values ({tenant}, {self.device},"
                                    " 'energy', 0, '1-0:1.8.0', 1, 'Wh') returning channel_id")[0][0])
        node.sql("insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
                 f" select {tenant}, {self.channel}, timestamptz '{at(0)}' + make_interval(mins => 15 * i), 1000 + i, 0, 256"
                 f" from generate_series(0, 15 * 96 - 1) i")
        self.melo = melo
        t.post('/locations', {'code': melo, 'kind': 'melo', 'receiver_mp_id': PARTY})
        self.bind(t, melo)

    def bind(self, t, melo):
        t.post(f'/locations/{melo}/bindings', {'channel': self.channel, 'obis': '1-1:1.29.0', 'device_number': '1', 'valid_from': at(0)})


class Party:
    """A key that the tenant gave to somebody outside."""

    def __init__(self, t, purpose='billing', recipient=PARTY):
        made = t.post('/api-keys', {'name': f'{recipient} {purpose}', 'role': 'reader', 'recipient': recipient, 'purpose': purpose})
        assert made['key']['recipient'] == recipient and made['key']['purpose'] == purpose
        self.rest, self.path = t.rest.with_key(made['api_key']), t.path

    def get(self, path, accept=None):
        return self.rest('GET', self.path + path, headers={'Accept': accept} if accept else None)

    def read(self, channel, start, end, more='', accept=None):
        return self.get(f'/channels/{channel}/readings?from={start}&to={end}&limit=10000{more}', accept)

    def bulk(self, start, end):
        return self.get(f'/readings?from={start}&to={end}').splitlines()[1:]


def mandate(t, melo, start, end=None, purpose='billing', recipient=PARTY):
    return t.post('/mandates', {'location': melo, 'recipient': recipient, 'purpose': purpose, 'from': start, **({'to': end} if end else {})})['id']


def refusals(t):
    return [e for e in t.all('/audit') if e['action'] == 'mandate.refuse']


def check_periods(t, a, b):
    party = Party(t)
    body = problem(lambda: party.read(a.channel, at(3), at(4)), 403, 'mandate', at(3), at(4), PARTY)
    assert a.melo not in body, 'a location is named to somebody who never had a mandate for it'
    assert any(a.melo in e['detail'] and at(3) in e['detail'] for e in refusals(t)), refusals(t)
    assert party.bulk(at(3), at(4)) == [] and party.get('/permissions')['items'] == []
    assert problem(lambda: party.read(999999, at(3), at(4)), 403, 'mandate'), 'what does not exist looks the same'

    id = mandate(t, a.melo, at(3), at(8))
    assert len(party.read(a.channel, at(3), at(8))['items']) == 5 * 96
    problem(lambda: party.read(a.channel, at(2, 23), at(8)), 403, 'mandate', a.melo, at(2, 23), at(3))
    problem(lambda: party.read(a.channel, at(3), at(8, 1)), 403, 'mandate', a.melo, at(8), at(8, 1))
    problem(lambda: party.read(a.channel, at(0), at(15)), 403, 'mandate', at(0), at(3))
    problem(lambda: party.get(f'/channels/{a.channel}/readings'), 403, 'mandate')
    # A cursor is no way around the period.
    problem(lambda: party.read(a.channel, at(3), at(15), f'&cursor={int((BASE + 9 * DAY).timestamp() * 1e6)}'), 403, 'mandate')
    for accept in ('text/csv', 'application/octet-stream'):
        problem(lambda accept=accept: party.read(a.channel, at(3), at(9), accept=accept), 403, 'mandate')
        assert party.read(a.channel, at(3), at(8), accept=accept)
    # All channels: what is not permitted is left out, to the hour.
    rows = [r.split(',') for r in party.bulk(at(2, 12), at(3, 12))]
    assert {r[0] for r in rows} == {str(a.channel)} and len(rows) == 48 and rows[0][1] == at(3), rows
    assert party.get('/permissions')['items'] == [{'channel': a.channel, 'location': a.melo, 'obis': '1-1:1.29.0', 'unit': 'Wh', 'quantity': 'energy',
                                                   'from': at(3), 'to': at(8)}]
    problem(lambda: party.read(b.channel, at(3), at(4)), 403, 'mandate')
    problem(lambda: Party(t, 'research').read(a.channel, at(3), at(4)), 403, 'mandate')
    problem(lambda: Party(t, recipient='somebody').read(a.channel, at(3), at(4)), 403, 'mandate')
    return party, id


def check_aggregates(t, party, a):
    problem(lambda: party.read(a.channel, at(2), at(8), '&aggregate=day'), 403, 'mandate')
    mine = t.get(f'/channels/{a.channel}/readings?from={at(6)}&to={at(8)}&aggregate=hour')['items']
    theirs = party.read(a.channel, at(6), at(8), '&aggregate=hour')['items']
    assert theirs[:-1] == mine[:-1] and mine[-1]['delta'] == '4', mine[-1]
    assert theirs[-1]['delta'] == '3', 'the hour after the mandate shows in the last difference'


def check_calculated(node, t, party, a, b):
    made = t.post('/calculated-channels', {'name': 'both', 'formula': f'c{a.channel} + c{b.channel}', 'step_s': 0})['channel']
    emt.wait_for('the calculation', lambda: t.readings(made), 60, 0.2)
    t.post(f'/locations/{a.melo}/bindings', {'channel': made, 'obis': '1-1:2.29.0', 'device_number': '1', 'valid_from': at(0)})
    problem(lambda: party.read(made, at(3), at(8)), 403, 'mandate')
    assert {r.split(',')[0] for r in party.bulk(at(3), at(4))} == {str(a.channel)}
    id = mandate(t, b.melo, at(4), at(6))
    problem(lambda: party.read(made, at(3), at(8)), 403, 'mandate', at(3), at(4))
    assert len(party.read(made, at(4), at(6))['items']) == 2 * 96
    t.delete(f'/mandates/{id}')
    problem(lambda: party.read(made, at(4), at(6)), 403, 'mandate')


def check_blocks(node, t, tenant, party, a):
    """The same of packed values."""
    node.sql(f"update tenant set compact_after_days = 2 where id = {tenant}; insert into job (tenant_id, kind, dedupe)"
             f" values ({tenant}, 'compaction', 'test') on conflict do nothing")
    emt.wait_for('blocks', lambda: int(node.sql(f'select count(*) from reading_block where tenant_id = {tenant} and channel_id = {a.channel}')[0][0]) > 5, 60, 0.5)
    assert len(party.read(a.channel, at(3), at(8))['items']) == 5 * 96
    assert len(party.read(a.channel, at(3), at(7, 13))['items']) == 4 * 96 + 52
    problem(lambda: party.read(a.channel, at(3), at(8, 1)), 403, 'mandate')
    rows = party.bulk(at(7, 12), at(8, 12))
    assert len(rows) == 48, rows


def check_everything_else(node, t, party, a, b):
    for path in ('/devices', f'/devices/{a.device}', f'/devices/{a.device}/channels', f'/channels/{a.channel}', f'/channels/{a.channel}/history',
                 f'/channels/{a.channel}/corrections', '/conflicts', '/calculated-channels', '/frames', '/events', '/stream', '/mandates', '/locations',
                 f'/locations/{a.melo}', f'/locations/{a.melo}/disclosure', '/exports', '/deliveries', '/jobs', '/audit', '', '/overview'):
        problem(lambda path=path: party.get(path), 403, 'mandate')
    problem(lambda: party.rest('GET', '/api/v1/tenants'), 403, 'mandate')
    problem(lambda: party.rest('POST', party.path + '/mandates', {}), 403, 'mandate')
    for body in ({'recipient': PARTY}, {'purpose': 'billing'}, {'recipient': PARTY, 'purpose': 'x', 'role': 'data-manager'}):
        problem(lambda body=body: t.post('/api-keys', {'name': 'x', 'role': 'reader', **body}), 400, 'invalid')


def check_revoked(t, party, a, id):
    assert party.read(a.channel, at(3), at(4))['items']
    t.patch(f'/mandates/{id}', {'to': at(5)})
    problem(lambda: party.read(a.channel, at(4), at(6)), 403, 'mandate', at(5), at(6))
    t.delete(f'/mandates/{id}')
    problem(lambda: party.read(a.channel, at(3), at(4)), 403, 'mandate')
    assert party.bulk(at(3), at(4)) == []


def check_files(node, t, party, a):
    """A file was written under a mandate; the mandate ends before the file goes."""
    t.patch('', {'mandates_required': True})
    id = mandate(t, a.melo, at(0), at(10))
    day = lambda n: at(n)[:10]
    made = t.post('/exports', {'pid': '13018', 'from': day(2), 'to': day(9), 'location': a.melo})
    file = made['files'][0] if isinstance(made['files'][0], int) else made['files'][0]['id']
    assert b'UNB' in party.rest.raw('GET', f'{party.path}/exports/{file}/content')[2]
    problem(lambda: Party(t, recipient='somebody').get(f'/exports/{file}/content'), 404, 'not-found')
    problem(lambda: Party(t, 'research').get(f'/exports/{file}/content'), 403, 'mandate', a.melo)
    target = t.post('/targets', {'name': 'folder', 'kind': 'local', 'path': 'edi'})['id']

    def delivered(state):
        d = t.post(f'/exports/{file}/deliveries', {'target': target})
        def ended():
            got = next(x for x in t.all(f'/deliveries?file={file}') if x['id'] == d['id'])
            return got if got['state'] == state else None
        return emt.wait_for(f'a delivery {state}', ended, 30, 0.2)

    t.delete(f'/mandates/{id}')
    problem(lambda: party.get(f'/exports/{file}/content'), 403, 'mandate', a.melo)
    assert f'no mandate for {PARTY}' in delivered('failed')['detail']
    assert not list((node.dir / 'outbox').rglob('*.txt')) if (node.dir / 'outbox').exists() else True
    assert any(e['actor'] == 'delivery' and a.melo in e['detail'] for e in refusals(t))
    mandate(t, a.melo, at(0), at(10), 'anything')
    delivered('delivered')


def check_reports(node, t, tenant, b):
    """A meter moves from one place to another, each with a mandate for a part of its time; reports try to tell more."""
    first, second, who = 'DE0009991011500000000000000000071', 'DE0009991011500000000000000000072', 'Abrechner'
    m = Meter(node, t, tenant, '71000071', first)
    binding = t.all(f'/locations/{first}/bindings')[0]['id']
    t.patch(f'/locations/{first}/bindings/{binding}', {'valid_to': at(6)})
    t.post('/locations', {'code': second, 'kind': 'melo'})
    t.post(f'/locations/{second}/bindings', {'channel': m.channel, 'obis': '1-1:1.29.0', 'device_number': '2', 'valid_from': at(6)})
    mandate(t, first, at(2), at(4), recipient=who)
    mandate(t, first, at(6), at(7), recipient=who)  # when the meter hung elsewhere
    later = mandate(t, second, at(8), at(10), 'whatever', who)
    made = t.post('/calculated-channels', {'name': 'with b', 'formula': f'c{m.channel} + c{b.channel}', 'step_s': 0})['channel']
    t.post(f'/locations/{first}/bindings', {'channel': made, 'obis': '1-1:2.29.0', 'device_number': '1', 'valid_from': at(0)})
    folder = t.post('/targets', {'name': 'reports', 'kind': 'local', 'path': 'reports', 'partner': who})['id']
    problem(lambda: t.post(f'/exports/{t.all("/exports?kind=mscons")[0]["id"]}/deliveries', {'target': folder}), 409, 'partner')
    plain = {'time_format': 'YYYY-MM-DDTHH:mm:ssZ', 'time_zone': 'UTC', 'decimal_separator': 'point', 'energy_unit': 'Wh', 'line_end': 'lf', 'heading': False}

    def written(name, schedule, **more):
        template = t.post('/report-templates', {'name': name, 'ready': 'values', 'definition': {**plain, 'columns': ['location', 'register_number', 'time', 'value'], **more}})
        plan = t.post('/schedules', {'name': name, 'on_event': ['never'], 'template': template['id'], **schedule})
        run = t.post(f"/schedules/{plan['id']}/run", {'from': at(0), 'to': at(15)})
        ended = emt.wait_for(name, lambda: (j := t.get(f"/jobs/{run['id']}"))['state'] in ('done', 'failed') and j)
        assert ended['state'] == 'done', ended
        file = ended['result']['files'][0]
        return file, [r.split(';') for r in t.rest.raw('GET', f"{t.path}/exports/{file['id']}/content")[2].decode().splitlines()]

    def delivered(file, target, state):
        d = t.post(f"/exports/{file['id']}/deliveries", {'target': target})
        return emt.wait_for(f'a delivery {state}', lambda: next((x for x in t.all(f"/deliveries?file={file['id']}") if x['id'] == d['id'] and x['state'] == state), None), 30, 0.2)

    bad = {'name': 'x', 'on_event': ['never'], 'template': t.post('/report-templates', {'name': 'x'})['id'], 'target': folder}
    problem(lambda: t.post('/schedules', {**bad, 'recipient': 'somebody else'}), 400, 'invalid', 'somebody else', who)
    problem(lambda: t.post('/schedules', bad), 400, 'invalid', 'recipient')
    file, rows = written('stretches', {'recipient': who, 'target': folder})
    quarter = [(BASE + i * datetime.timedelta(minutes=15)).strftime('%Y-%m-%dT%H:%M:%SZ') for i in range(15 * 96)]
    expected = [[place, number, quarter[i], str(1000 + i)] for place, number, a, z in ((first, '1', 2, 4), (second, '2', 8, 10)) for i in range(a * 96, z * 96)]
    assert rows == expected, [x for x in rows if x not in expected][:3] or len(rows)
    shown = t.all(f"/exports/{file['id']}/messages")
    assert [(s['location'], s['from'], s['to'], s['values'], s['pid'], s['channels']) for s in shown] == [
        (first, at(2), quarter[4 * 96 - 1], 192, None, [m.channel]), (second, at(8), quarter[10 * 96 - 1], 192, None, [m.channel])], shown
    values = [[x['ts'], x['value']] for s in shown for x in t.all(f"/exports/{file['id']}/messages/{s['nth']}/values?limit=50")]
    assert values == [r[2:] for r in expected], (len(values), values[:2])
    problem(lambda: t.get(f"/exports/{file['id']}/messages/1/values?channel={b.channel}"), 400, 'invalid', 'channel')
    problem(lambda: t.get(f"/exports/{file['id']}/messages/99/values"), 404, 'not-found')
    # A file may show less than the values that it was made of: whoever may read files may not read those.
    files = t.rest.with_key(t.post('/api-keys', {'name': 'files', 'role': 'reader', 'scopes': ['exports:read']})['api_key'])
    assert [files.raw('GET', f"{t.path}/exports/{file['id']}/messages{x}")[0] for x in ('', '/1/values')] == [200, 403]
    emt.wait_for('the delivery', lambda: t.get(f"/exports/{file['id']}")['state'] == 'delivered')
    for day, there in ((2, True), (5, False), (6, False), (8, True), (11, False)):
        sent = [s for s in t.get(f'/channels/{m.channel}/trace?at={at(day)}')['sent'] if s['file']['id'] == file['id']]
        assert bool(sent) == there, (day, sent)
    assert t.get(f'/channels/{m.channel}/trace?at={at(8)}')['sent'][0]['deliveries'][0]['target_name'] == 'reports'
    _, rows = written('energies to a target', {'recipient': who, 'target': folder}, measure='energy', step_s=86400, columns=['location', 'begin', 'value'])
    assert rows == [[first, at(2), '96'], [first, at(3), '96'], [second, at(8), '96'], [second, at(9), '96']], rows
    # What is bound to a place is told of the time that it was.
    _, rows = written('one place', {'location': first})
    own = [r[2] for r in rows if r[3] == str(1000 + quarter.index(r[2]))]
    assert {r[0] for r in rows} == {first} and own == quarter[:6 * 96], (own[:1], own[-1:])
    # A mandate that ends before the file leaves, and a file that was made for nobody.
    t.patch(f'/mandates/{later}', {'to': at(9)})
    again = t.post('/targets', {'name': 'reports again', 'kind': 'local', 'path': 'more'})['id']
    said = delivered(file, again, 'failed')['detail']
    assert second in said and at(9) in said and at(10)[:10] not in said, said
    whole, rows = written('everything', {})
    assert len(rows) > 15 * 96 and 'no mandate' in delivered(whole, again, 'failed')['detail']
    problem(lambda: t.post(f"/exports/{whole['id']}/deliveries", {'target': folder}), 409, 'partner')
    outbox = list((node.dir / 'outbox').rglob('more/*')) if (node.dir / 'outbox').exists() else []
    assert outbox == [], outbox


def check_keys_of_people(node, op, t):
    """Keys end with the rights of who made them, also those that their keys made; others go on."""
    def works(key):
        status = t.rest.with_key(key).raw('GET', t.path + '/devices?limit=1')[0]
        assert status in (200, 401), status
        return status == 200

    def person(name):
        made = t.post('/users', {'name': name, 'role': 'tenant-admin'})
        browser = emt.Browser(node.rest()).login(name, made['password'], 'correct horse battery staple')
        own = browser('POST', t.path + '/api-keys', {'name': f'of {name}', 'role': 'tenant-admin'})['api_key']
        of_key = t.rest.with_key(own)('POST', t.path + '/api-keys', {'name': f'by way of {name}', 'role': 'reader'})['api_key']
        assert works(own) and works(of_key)
        return made['user']['id'], own, of_key
    removed, disabled, stays, elsewhere, less, lower = (person(n) for n in ('rita', 'dora', 'susi', 'emma', 'lena', 'lara'))
    t.delete(f'/users/{removed[0]}')
    t.patch(f'/users/{disabled[0]}', {'disabled': True})
    op('PATCH', f'/api/v1/users/{elsewhere[0]}', {'memberships': []})
    # Administrators no more: a key of theirs would make them that again.
    t.patch(f'/users/{less[0]}', {'role': 'data-manager'})
    op('PATCH', f'/api/v1/users/{lower[0]}', {'memberships': [{'tenant': t.key, 'role': 'reader'}]})
    assert [works(k) for x in (removed, disabled, elsewhere, less, lower) for k in x[1:]] == [False] * 10
    assert works(stays[1]) and works(stays[2])
    t.patch(f'/users/{disabled[0]}', {'disabled': False})
    assert not works(disabled[1]), 'a key that was revoked came back'
    said = [e['detail'] for e in t.all('/audit') if e['action'] == 'api-key.revoke']
    assert sum('2 keys' in d for d in said) == 3, said
    assert {k['name']: k['revoked_at'] is not None for k in t.all('/api-keys') if k['name'].split()[-1] in ('rita', 'susi')} == {
        'of rita': True, 'by way of rita': True, 'of susi': False, 'by way of susi': False}


def counted(node, tenant, meter, start, end):
    """What is stored of the meter in that time, table by table; blocks and packs by their rows."""
    of_channel = f"tenant_id = {tenant} and channel_id = {meter.channel} and ts >= '{start}' and ts < '{end}'"
    out = {t: int(node.sql(f'select count(*) from {t} where {of_channel}')[0][0])
           for t in ('reading', 'reading_late', 'reading_history', 'reading_conflict', 'reading_correction', 'reading_text')}
    of_device = f'tenant_id = {tenant} and device_id = {meter.device}'
    out['raw_frame'] = int(node.sql(f"select count(*) from raw_frame where {of_device} and received_at >= '{start}' and received_at < '{end}'")[0][0])
    for table, time in (('event', 'at'), ('read_attempt', 'at'), ('telegram', 'received_at')):
        out[table] = int(node.sql(f"select count(*) from {table} where {of_device} and {time} >= '{start}' and {time} < '{end}'")[0][0])
    return out


def strew(node, tenant, meter):
    """Some of everything that may be stored of a meter, on each of 15 days."""
    key, ts = f'{tenant}, {meter.channel}', f"timestamptz '{at(0, 12)}' + make_interval(days => i)"
    gw = node.sql(f"insert into gateway (tenant_id, external_id) values ({tenant}, 'gw-{meter.device}') returning gateway_id")[0][0]
    spool = "decode(repeat('00', 16), 'hex')"
    for sql in (f"insert into reading_late select {meter.channel}, timestamptz '2020-01-01' + make_interval(days => i), i, now(), {tenant}, 0, 256 from days",
                f"insert into reading_history select {key}, {ts}, now(), i, 0, 256, 'x', 'y' from days",
                f"insert into reading_conflict select {key}, {ts}, i, 0, 256, 1, 0, 256, now() from days",
                f"insert into reading_text select {key}, {ts}, 256, 'x' from days",
                "insert into reading_correction (tenant_id, channel_id, ts, mantissa, exponent, quality, reason, made_at, made_by)"
                f" select {key}, {ts}, i, 0, 256, 'x', now(), 'y' from days",
                f"insert into event (tenant_id, at, severity, kind, device_id) select {tenant}, {ts}, 0, 'x', {meter.device} from days",
                f"insert into read_attempt (tenant_id, device_id, at, result) select {tenant}, {meter.device}, {ts}, 'x' from days",
                f"insert into telegram select {tenant}, {meter.device}, i, {ts}, decode(md5(i::text), 'hex') from days",
                "select raw_partition_ensure(" + ts + ") from days",
                "insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at, stored_at, device_id, state, spool_id, data)"
                f" select {tenant}, 0, 0, {gw}, i, {ts}, {ts}, {meter.device}, 0, {spool}, decode(md5(i::text), 'hex') from days",
                # A neighbour's frame in the same packs.
                "insert into raw_frame (tenant_id, protocol, format, gateway_id, seq, received_at, stored_at, device_id, state, spool_id, data)"
                f" select {tenant}, 0, 0, {gw}, 100 + i, {ts}, {ts}, {meter.device} + 1, 0, {spool}, decode(md5(i::text), 'hex') from days"):
        node.sql(f'with days as (select generate_series(0, 14) i) {sql}')


def job(node, tenant, kind):
    node.sql(f"insert into job (tenant_id, kind, dedupe) values ({tenant}, '{kind}', 'test') on conflict do nothing")
    emt.wait_for(kind, lambda: node.sql(f"select count(*) from job where tenant_id = {tenant} and kind = '{kind}' and state < 2") == [['0']], 60, 0.2)


def check_quality(node, t, dir):
    """What the meter's status byte says of its values arrives as their quality."""
    folder = t.gateway('gw-quality', dir / 'gw', node)
    (folder / 'now.hex').write_text(''.join(vectors.energy_telegram('71000009', 5000 + i, access=i, status=s) + '\n'
                                            for i, s in enumerate((0, 8, 16, 2, 4))))
    gateway = emt.agent(folder, node, '--replay', folder / 'now.hex', '--rate', '20')
    try:
        device = emt.wait_for('the meter', lambda: [d for d in t.all('/devices') if d['number'] == '71000009'])[0]['id']
        energy = emt.wait_for('its channels', lambda: [c for c in t.all(f'/devices/{device}/channels') if c['unit'] == 'Wh'])[0]['id']
        got = emt.wait_for('its values', lambda: (r := t.readings(energy)) and len(r) == 5 and r)
    finally:
        gateway.stop()
    assert [(r['value'], r['quality']) for r in got] == [('5000', 'measured'), ('5001', 'invalid'), ('5002', 'provisional'),
                                                         ('5003', 'invalid'), ('5004', 'measured')], got


def check_meaning(node, t, tenant, b, dir):
    """Own units and quantities, versions of a channel, a register that changes its unit, reads with their result."""
    assert {u['name'] for u in t.get('/units')['items']} >= {'kWh', 'm3/h'} and not any(u['own'] for u in t.get('/units')['items'])
    made = t.post('/units', {'name': 'crate', 'base': 'crate', 'factor': '1'})
    assert made == {'name': 'crate', 'base': 'crate', 'factor': '1', 'own': True}
    assert t.post('/units', {'name': 'pallet', 'base': 'crate', 'factor': '48'})['factor'] == '48'
    for body, status, field in (({'name': 'kWh', 'base': 'Wh', 'factor': '1000'}, 409, 'name'), ({'name': 'crate', 'base': 'crate', 'factor': '1'}, 409, 'name'),
                                ({'name': 'x', 'base': 'pallet', 'factor': '2'}, 400, 'base'), ({'name': 'x', 'base': 'kWh', 'factor': '2'}, 400, 'base'),
                                ({'name': 'x', 'base': 'x', 'factor': '2'}, 400, 'factor'), ({'name': 'x', 'base': 'Wh', 'factor': '0'}, 400, 'factor'),
                                ({'name': 'x', 'base': 'Wh', 'factor': '1e99'}, 400, 'factor'), ({'name': 'a/b', 'base': 'Wh', 'factor': '2'}, 400, 'name')):
        assert json.loads(problem(lambda body=body: t.post('/units', body), status, 'conflict' if status == 409 else 'invalid'))['field'] == field, body
    t.post('/quantities', {'name': 'crates', 'description': 'what the palletiser counts'})
    problem(lambda: t.post('/quantities', {'name': 'energy'}), 409, 'conflict')
    problem(lambda: t.post('/quantities', {'name': 'No Name'}), 400, 'invalid')

    path = f'/channels/{b.channel}/versions'
    assert t.get(path) == {'items': []}
    before = t.readings(b.channel, start=at(0))
    version = {'valid_from': at(10), 'unit': 'crate', 'quantity': 'crates', 'meaning': 'a pulse per crate', 'reason': 'the meter has moved'}
    problem(lambda: t.post(path, {**version, 'unit': 'barrel'}), 400, 'invalid')
    problem(lambda: t.post(path, {**version, 'quantity': 'joy'}), 400, 'invalid')
    items = t.post(path, version)['items']
    assert [(v['version'], v['unit'], v['quantity']) for v in items] == [(1, 'Wh', 'energy'), (2, 'crate', 'crates')], items
    problem(lambda: t.post(path, {**version, 'valid_from': at(9)}), 400, 'invalid')
    assert t.readings(b.channel, start=at(0)) == before, 'values keep their digits'
    page = lambda start, end: [v['version'] for v in t.get(f'/channels/{b.channel}/readings?from={start}&to={end}').get('versions', [])]
    assert (page(at(4), at(5)), page(at(9), at(11)), page(at(10), at(11))) == ([1], [1, 2], [2])
    problem(lambda: t.delete('/units/crate'), 409, 'conflict')
    problem(lambda: t.delete('/quantities/crates'), 409, 'conflict')
    t.delete('/units/pallet')
    problem(lambda: t.delete('/units/pallet'), 404, 'not-found')
    problem(lambda: t.delete('/units/kWh'), 404, 'not-found')
    assert t.post('/calculated-channels', {'name': 'crates', 'formula': f'c{b.channel}', 'unit': 'crate', 'step_s': 0})['unit'] == 'crate'

    # The meter counts in Wh (VIF 03), then in J (VIF 08): a channel of its own that names the one before.
    folder = t.gateway('gw-unit', dir / 'gw-unit', node)
    wh = vectors.energy_telegram('71000010', 1000, access=1)
    j = vectors._telegram('71000010', bytes([0x04, 0x08]) + (3600000).to_bytes(4, 'little'), access=2)
    (folder / 'now.hex').write_text(f'{wh}\n{j}\n')
    gateway = emt.agent(folder, node, '--replay', folder / 'now.hex', '--rate', '1')
    try:
        device = emt.wait_for('the meter', lambda: [d for d in t.all('/devices') if d['number'] == '71000010'])[0]['id']
        channels = emt.wait_for('both units', lambda: (c := {c['unit']: c['id'] for c in t.all(f'/devices/{device}/channels')}) and 'J' in c and c)
    finally:
        gateway.stop()
    first = t.get(f"/channels/{channels['J']}/versions")['items'][0]
    assert first['version'] == 1 and first['reason'] == f"channel {channels['Wh']} before, in Wh", first
    assert any(e['kind'] == 'unit-changed' for e in t.all('/events'))

    path = f'/devices/{device}/read-attempts'
    for result, detail in (('no-answer', 'cellar locked'), ('ok', '')):
        t.post(path, {'method': 'optical head', 'result': result, 'detail': detail, 'gateway': 'gw-unit'})
    problem(lambda: t.post(path, {'method': 'x', 'result': 'fine'}), 400, 'invalid')
    problem(lambda: t.post(path, {'method': 'x', 'result': 'ok', 'gateway': 'none'}), 400, 'invalid')
    problem(lambda: t.post(path, {'method': 'x', 'result': 'ok', 'at': '2100-01-01T00:00:00Z'}), 400, 'invalid')
    got = t.all(path + '?limit=1')
    assert [(a['result'], a['detail'], a['gateway'], a['method']) for a in got] == [
        ('ok', '', 'gw-unit', 'optical head'), ('no-answer', 'cellar locked', 'gw-unit', 'optical head')] and got[0]['by'].startswith('key:'), got


def check_erasure(node, t, tenant, a, b):
    """Somebody moved out on day 6: what was measured before is gone, what comes after is not."""
    for meter in (a, b):
        strew(node, tenant, meter)
    job(node, tenant, 'packing')
    packs = lambda: node.sql(f'select sum(n), count(*) from raw_pack where tenant_id = {tenant}')[0]
    before = {m: t.get(f'/locations/{m.melo}/disclosure') for m in (a, b)}
    of = lambda d: next(x for x in d['bindings'] if x['obis'] == '1-1:1.29.0')
    assert of(before[a])['packed_frames']['count'] > 5 and of(before[a])['events'] == 15 and of(before[a])['read_attempts'] == 15, of(before[a])
    values = len(t.readings(a.channel))
    packed = packs()

    path = f'/locations/{a.melo}/erasures'
    cut = at(6)
    for body, field in (({'confirm': a.melo}, 'reason'), ({'reason': 'x', 'confirm': b.melo}, 'confirm'), ({'reason': 'x'}, 'confirm'),
                        ({'reason': 'x', 'confirm': a.melo, 'until': '2100-01-01T00:00:00Z'}, 'until'),
                        ({'reason': 'x', 'confirm': a.melo, 'until': cut, 'from': cut}, 'from')):
        assert json.loads(problem(lambda body=body: t.post(path, body), 400, 'invalid'))['field'] == field
    problem(lambda: t.post(f'/locations/{vectors.MALO_A}/erasures', {'reason': 'x', 'confirm': vectors.MALO_A}), 404, 'not-found')
    order = t.post(path, {'reason': 'moved out', 'confirm': a.melo, 'until': cut})

    def ended():
        got = t.get(path)['items'][0]
        return got if got['runs'] else None
    done = emt.wait_for('the erasure', ended, 60, 0.2)
    assert done['id'] == order['id'] and done['verified_at'] and t.get(f"/jobs/{order['job']}")['state'] == 'done', done
    emt.say('erased:', {k: v for k, v in done['erased'].items() if v})
    gone = done['erased']
    # 'reading_late' of 2020 is older than the binding.
    assert gone['packed_values'] + gone['values'] >= 6 * 96 and gone['packed_frames'] + gone['frames'] == 6, gone
    assert not any(counted(node, tenant, a, at(0), cut).values()), counted(node, tenant, a, at(0), cut)
    left = t.readings(a.channel, start=at(0))
    assert len(left) == 9 * 96 and left[0]['ts'] == cut, (len(left), left[:1])
    assert {k: v for k, v in counted(node, tenant, a, cut, at(15)).items() if v == 9}.keys() >= {'event', 'read_attempt', 'telegram', 'reading_text'}
    assert int(packs()[0]) == int(packed[0]) - gone['packed_frames'], 'the neighbour stays in the packs'
    assert t.get(f'/locations/{b.melo}/disclosure') == before[b], 'the neighbour stays'
    # What is computed from it is gone, too.
    both = next(c['channel'] for c in t.all('/calculated-channels'))
    assert [r for r in t.readings(both) if r['ts'] < cut] == []
    # It comes again, and goes again.
    node.sql(f"insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality) values ({tenant}, {a.channel}, '{at(2)}', 1, 0, 256)")
    node.sql(f"insert into job (tenant_id, kind, dedupe) values ({tenant}, 'maintenance', 'test') on conflict do nothing")
    emt.wait_for('the second run', lambda: t.get(path)['items'][0]['runs'] == 2, 60, 0.2)
    assert [r for r in t.readings(a.channel, start=at(0)) if r['ts'] < cut] == []
    said = [e for e in t.all('/audit') if e['action'].startswith('location.eras')]
    assert len(said) == 3 and '"values": 1' in said[0]['detail'] and 'moved out' in said[2]['detail'], said
    erase = [emt.build_dir() / 'emtctl', 'location', 'erase', '--tenant', t.key, '--location', b.melo, '--reason', 'asked for', '--embedded', node.dir]
    emt.run([*erase, '--yes-erase', a.melo], ok=(2,))
    emt.run([*erase, '--yes-erase', b.melo, '--until', '2100-01-01T00:00:00Z'], ok=(2,))
    p = emt.run([*erase, '--yes-erase', b.melo, '--from', at(2), '--until', at(3)])
    assert 'packed_values: 96\n' in p.stdout and not any(counted(node, tenant, b, at(2), at(3)).values()), p.stdout
    assert len(t.readings(b.channel, start=at(0))) == 14 * 96
    disclosed = t.get(f'/locations/{a.melo}/disclosure')
    assert disclosed['erasures'][0]['reason'] == 'moved out' and of(disclosed)['packed_frames']['count'] == of(before[a])['packed_frames']['count'] - gone['packed_frames']


def check_audit_cut(node, t, tenant):
    """Old entries go; what is left is still one chain from a signature on."""
    verdict = lambda: t.get('/audit/verification')
    emt.wait_for('the first anchor', lambda: verdict()['anchors'] == 1, 30, 0.3)
    whole = emt.wait_for('all linked', lambda: (v := verdict()) and v['entries'] == v['chained'] and v, 30, 0.3)
    assert whole['ok'] and whole['cut_up_to'] == 0, whole
    # Time is moved: what is signed today was signed 91 days ago, and the number of the day is in the signature.
    problem(lambda: t.patch('', {'audit_retention_days': 89}), 400, 'invalid')
    t.patch('', {'audit_retention_days': 90})
    job(node, tenant, 'maintenance')
    assert verdict()['cut_up_to'] == 0, 'too young to be cut'
    node.sql(f"update audit_anchor set day = day - 91 where tenant_id = {tenant}", role='emt_owner')
    job(node, tenant, 'maintenance')
    cut = emt.wait_for('the cut', lambda: (v := verdict()) and v['cut_up_to'] and v, 30, 0.3)
    assert int(node.sql(f'select min(chain_no) from audit where tenant_id = {tenant}')[0][0]) == cut['cut_up_to'] + 1, cut
    # The anchor says another day than it signed.
    assert not cut['ok'] and 'signature of' in cut['first_bad']['reason'], cut
    node.sql(f"delete from audit_anchor where tenant_id = {tenant} and chain_no > {cut['cut_up_to']};"
             f" update audit_anchor set day = day + 91 where tenant_id = {tenant} and chain_no = {cut['cut_up_to']}", role='emt_owner')
    emt.wait_for('a whole chain', lambda: (v := verdict()) and v['ok'] and v['entries'] == v['chained'], 30, 0.3)
    for sql, says in ((f"delete from audit where tenant_id = {tenant} and chain_no = {cut['cut_up_to'] + 1}", 'missing'),
                      (f"delete from audit_anchor where tenant_id = {tenant} and chain_no = {cut['cut_up_to']}", 'is gone')):
        node.sql(f'create table kept as select * from audit where tenant_id = {tenant}; create table kept_anchor as select * from audit_anchor'
                 f' where tenant_id = {tenant}; {sql}', role='emt_owner')
        assert says in verdict()['first_bad']['reason'], (says, verdict())
        node.sql(f'delete from audit where tenant_id = {tenant}; insert into audit overriding system value select * from kept;'
                 f' delete from audit_anchor where tenant_id = {tenant}; insert into audit_anchor select * from kept_anchor;'
                 ' drop table kept, kept_anchor', role='emt_owner')
    assert verdict()['ok']


def check_modules(node, op):
    """What is not agreed is refused by its name, in every operation that the document calls so; jobs of it do not run."""
    t = emt.Tenant(op, 'gamma')
    tenant = int(node.sql("select id from tenant where key = 'gamma'")[0][0])
    assert t.get('/entitlements') == {'modules': None, 'meters_max': None, 'meters': 0}
    put = lambda **e: op('PUT', '/api/v1/operator/tenants/gamma/entitlements', {'modules': None, 'meters_max': None, **e})
    for e, field in (({'modules': ['teleport']}, 'modules'), ({'modules': [1]}, 'modules'), ({'meters_max': -1}, 'meters_max')):
        assert json.loads(problem(lambda e=e: put(**e), 400, 'invalid'))['field'] == field
    problem(lambda: t.rest('PUT', '/api/v1/operator/tenants/gamma/entitlements', {'modules': None, 'meters_max': None}), 403, 'forbidden')
    doc = yaml.safe_load((emt.ROOT / 'schema' / 'api' / 'openapi.yaml').read_text())
    ops = [(method.upper(), path, o.get('x-emt-module')) for path, item in doc['paths'].items() for method, o in item.items()
           if method in ('get', 'post', 'put', 'patch', 'delete') and '{tenant}' in path and not path.endswith('/stream')]
    modules = sorted({m for *_, m in ops if m})
    assert modules == ['calculation', 'delivery', 'export', 'replay', 'report']

    def answers(agreed):
        for method, path, module in ops:
            url = re.sub(r'\{(\w+)\}', lambda m: 'gamma' if m[1] == 'tenant' else '0', path)
            status, _, data = t.rest.raw(method, url, {} if method in ('POST', 'PUT', 'PATCH') else None)
            refused = status == 403 and b':module"' in data
            assert refused == bool(module and module not in agreed), (method, path, module, status, data[:200])
            assert not refused or f'module {module} ' in data.decode()

    assert put(modules=[])['modules'] == []
    answers([])
    node.sql(f"insert into job (tenant_id, kind, dedupe) values ({tenant}, 'calculation', 'test')")
    failed = emt.wait_for('a job that is refused', lambda: [j for j in t.all('/jobs') if j['kind'] == 'calculation' and j['error']], 30, 0.2)
    assert 'module calculation' in failed[0]['error'], failed
    put(modules=['report', 'delivery'])
    answers(['report', 'delivery'])
    put()
    answers(modules)
    # Meters: what exceeds is passive, with an event, and none is lost.
    node.sql(f"insert into device (tenant_id, ident, manufacturer, number) select {tenant}, 'EMT0000000' || i, 'EMT', i::text from generate_series(1, 5) i")
    assert put(meters_max=3) == {'modules': None, 'meters_max': 3, 'meters': 3}
    devices = t.all('/devices')
    assert len(devices) == 5 and [d['active'] for d in sorted(devices, key=lambda d: d['id'])] == [True] * 3 + [False] * 2, devices
    assert len([e for e in t.all('/events') if e['kind'] == 'meters-exceeded']) == 2
    problem(lambda: t.patch('/devices/EMT00000005', {'active': True}), 403, 'meters')
    t.patch('/devices/EMT00000001', {'active': False})
    assert t.patch('/devices/EMT00000005', {'active': True})['active']
    # However one more would come to count.
    t.patch('/devices/EMT00000001', {'assignment': 'ignored'})
    t.patch('/devices/EMT00000001', {'active': True})
    problem(lambda: t.patch('/devices/EMT00000001', {'assignment': 'adopted'}), 403, 'meters')
    t.post('/gateways', {'id': 'gw'})
    hear = lambda how: t.post('/gateways/gw/heard', {'device': 'EMT-00000009-01-07', 'decision': how})
    problem(lambda: hear('adopt'), 403, 'meters')
    assert hear('ignore')['assignment'] == 'ignored'
    problem(lambda: hear('adopt'), 403, 'meters')
    result = t.post('/devices/import', b'id,active,assignment\nEMT-00000009-01-07,,adopted\nEMT-00000008-01-07,,\n'
                    b'EMT-00000007-01-07,false,\n', kind='text/csv')
    assert (result['accepted'], result['rejected']) == (1, 2), result
    assert t.get('/entitlements')['meters'] == 3
    assert any(e['action'] == 'tenant.entitle' for e in t.all('/audit')) and any(e['action'] == 'tenant.entitle' for e in op.all('/api/v1/audit'))

    # Its end, by REST.
    end = lambda **b: op('POST', '/api/v1/operator/tenants/gamma/removal', b)
    problem(lambda: end(confirm='gamma'), 400, 'invalid')
    problem(lambda: end(confirm='gamna', reason='x'), 400, 'invalid')
    problem(lambda: t.rest('POST', '/api/v1/operator/tenants/gamma/removal', {'confirm': 'gamma', 'reason': 'x'}), 403, 'forbidden')
    end(confirm='gamma', reason='contract ended')
    emt.wait_for('the end', lambda: node.sql("select count(*) from tenant where key = 'gamma'") == [['0']], 60, 0.5)
    assert node.sql(f'select count(*) from device where tenant_id = {tenant}') == [['0']]
    said = [e for e in op.all('/api/v1/audit') if e['object'] == 'gamma' and e['action'].startswith('tenant.delete')]
    assert 'none left' in said[0]['detail'] and any('contract ended' in e['detail'] for e in said), said
    try:
        t.get('')
        raise AssertionError('its key is alive')
    except emt.Problem as e:
        assert e.status == 401, e
    problem(lambda: end(confirm='gamma', reason='x'), 404, 'not-found')


def main():
    with emt.workspace('rights') as (dir, nodes):
        node = emt.Node(dir / 'n').start()
        nodes.append(node)
        op = emt.operator(node)
        t = emt.Tenant(op, 'alpha', own_mp_id='9900999000106')
        tenant = int(node.sql("select id from tenant where key = 'alpha'")[0][0])
        a, b = Meter(node, t, tenant, '71000001', vectors.MELO_A), Meter(node, t, tenant, '71000002', vectors.MELO_B)
        emt.say('periods and places')
        party, id = check_periods(t, a, b)
        check_aggregates(t, party, a)
        emt.say('calculated channels')
        check_calculated(node, t, party, a, b)
        check_everything_else(node, t, party, a, b)
        emt.say('blocks')
        check_blocks(node, t, tenant, party, a)
        check_revoked(t, party, a, id)
        emt.say('files')
        check_files(node, t, party, a)
        emt.say('reports')
        check_reports(node, t, tenant, b)
        emt.say('keys of people who leave')
        check_keys_of_people(node, op, t)
        emt.say('quality')
        check_quality(node, t, dir)
        emt.say('meaning')
        check_meaning(node, t, tenant, b, dir)
        emt.say('erasure')
        check_erasure(node, t, tenant, a, b)
        emt.say('entitlements')
        check_modules(node, op)
        emt.say('audit')
        check_audit_cut(node, t, tenant)
        assert node.process.stop() == 0


if __name__ == '__main__':
    main()
