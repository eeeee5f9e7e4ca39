#!/usr/bin/env python3
"""Can one tenant reach another? Attempts generated over every route of the REST document and every table of the database, with the
roles that serve requests. Every one must fail; what may be read over the boundary stands in migrations/platform_tables.txt."""
import re
import subprocess
import sys
import pathlib

import yaml

from emt import ROOT, Node, Problem, Tenant, agent, operator, say, wait_for, workspace
import pki
import vectors

ROLES = ['emt_app', 'emt_ingest', 'emt_report']


def sql_attempts(node, role, attempts):
    """Runs (tenant, statement) one by one as the role, each rolled back: ('ok', value) or (SQLSTATE, message), in order."""
    lines = []
    for i, (tenant, statement) in enumerate(attempts):
        lines.append(f"""begin
  perform set_config('app.tenant', '{tenant if tenant is not None else ''}', true);
  execute $s${statement}$s$ into v;
  raise exception using errcode = 'ZZ001', message = coalesce(v, '');
exception
  when sqlstate 'ZZ001' then raise notice '@{i}@ok@%', sqlerrm;
  when others then raise notice '@{i}@%@%', sqlstate, sqlerrm;
end;""")
    script = 'do $do$ declare v text; begin\n' + '\n'.join(lines) + '\nend $do$;'
    p = subprocess.run(['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', f'{node.conninfo()} user={role}'], input=script, capture_output=True,
                       text=True, timeout=300)
    assert p.returncode == 0, p.stderr[-2000:]
    found = dict((int(i), (state, text)) for i, state, text in re.findall(r'@(\d+)@(\w+)@(.*)', p.stderr))
    assert len(found) == len(attempts), f'{len(found)} answers for {len(attempts)} attempts'
    return [found[i] for i in range(len(attempts))]


def tables(node):
    """(name, is partition, columns) of every table."""
    rows = node.sql("select c.relname, c.relispartition, string_agg(a.attname, ',' order by a.attnum) from pg_class c"
                    " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
                    " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') group by 1, 2 order by 1", role='emt_owner')
    return [(name, part == 't', cols.split(',')) for name, part, cols in rows]


def allowed():
    out = set()
    for line in (ROOT / 'migrations' / 'platform_tables.txt').read_text().splitlines():
        if line and not line.startswith('#'):
            table, role, right = line.split()[:3]
            out.add((table, role, right))
    return out


def attempts_on(name, is_partition, cols, mine, other):
    """(tenant, statement, what is good: 'denied', or the value) for one table."""
    key = 'tenant_id' if 'tenant_id' in cols else 'id' if name == 'tenant' else None
    if is_partition or key is None:
        return [(mine, f'select count(*) from {name}', 'denied'),
                (mine, f'with d as (delete from {name} returning 1) select count(*) from d', 'denied')]
    extra = {'ts': 'now()', 'span_start': 'now()', 'stored_at': 'now()'}
    names = [key] + [c for c in cols if c in extra]
    values = [str(other)] + [extra[c] for c in cols if c in extra]
    return [
        (mine, f'select count(*) from {name} where {key} = {other}', '0'),
        (mine, f'select count(*) from {name} where {key} <> {mine}', '0'),
        (None, f'select count(*) from {name}', '0'),
        (mine, f'with d as (delete from {name} where {key} = {other} returning 1) select count(*) from d', '0'),
        (mine, f'with u as (update {name} set {key} = {key} where {key} = {other} returning 1) select count(*) from u', '0'),
        # A row of one's own must not be given away, nor one be made for the other.
        (mine, f'with u as (update {name} set {key} = {other} returning 1) select count(*) from u', '0'),
        (mine, f'insert into {name} ({", ".join(names)}) values ({", ".join(values)})', 'denied'),
    ]


def by_sql(node, a, b):
    """Every table, every role that serves requests."""
    failures, n = [], 0
    may = allowed()
    ids = dict(node.sql('select key, id from tenant'))
    mine, other = ids[b.key], ids[a.key]
    listed = {line.split()[0] for line in (ROOT / 'migrations' / 'platform_tables.txt').read_text().splitlines()
              if line and not line.startswith('#')}
    all_tables = tables(node)
    for name, is_partition, cols in all_tables:
        if 'tenant_id' not in cols and name not in listed and name != 'tenant' and not is_partition:
            failures.append(f"{name}: neither a tenant's nor listed in migrations/platform_tables.txt")
    # The functions that reach over the boundary: another tenant's identity can be neither removed nor taken.
    foreign = node.sql("select d.kind, encode(d.key, 'hex') from directory d join tenant t on t.id = d.tenant_id"
                       f" where t.key = '{a.key}'", role='emt_owner')
    assert foreign
    for role in ROLES:
        attempts = []
        for name, is_partition, cols in all_tables:
            if (name, role, 'select') not in may:
                attempts += attempts_on(name, is_partition, cols, mine, other)
        for kind, key in foreign:
            attempts.append((mine, f"select directory_remove({kind}::int2, '\\x{key}')::text", 'false'))
            attempts.append((mine, f"select directory_add({kind}::int2, '\\x{key}', 1)::text", 'false'))
        for (tenant, statement, good), (state, text) in zip(attempts, sql_attempts(node, role, [x[:2] for x in attempts])):
            n += 1
            if state == 'ok' and text != good:
                failures.append(f'{role}, tenant {tenant}: {statement}: gave {text!r}')
            elif state not in ('ok', '42501', '25006'):
                failures.append(f'{role}, tenant {tenant}: {statement}: refused for another reason than rights: {state} {text}')
    return failures, n


def own_names(t, gateway, key_id, file_id, device, channel, location, binding, api_key_id, **more):
    return {**more, 'tenant': t.key, 'gateway': gateway, 'device': device, 'channel': channel, 'location': location, 'binding_id': binding,
            'file_id': file_id, 'key_id': key_id, 'api_key_id': api_key_id}


def fill(path, names):
    names = dict(names)
    if '/api-keys/' in path:
        names['key_id'] = names['api_key_id']
    # What the tenant has none of is asked for by the number of nothing.
    return re.sub(r'\{(\w+)\}', lambda m: str(names.get(m[1], 0)), path)


def by_rest(a_names, b, node):
    """Key of B on A's paths, and on B's own path with A's names."""
    doc = yaml.safe_load((ROOT / 'schema' / 'api' / 'openapi.yaml').read_text())
    failures, n = [], 0
    bodies = {'createExport': {'pid': '13018', 'from': '2026-01-01', 'to': '2026-01-02', 'location': a_names['location']},
              'createBinding': {'channel': a_names['channel'], 'obis': '1-1:1.29.0', 'valid_from': '2026-01-01T00:00:00Z'},
              'updateBinding': {'valid_to': '2026-02-01T00:00:00Z'}, 'createMeterKey': {'key': '00' * 16},
              'createLocation': {'code': a_names['location'], 'kind': 'melo'}, 'createApiKey': {'name': 'x', 'role': 'reader'},
              'createGateway': {'id': 'intruder'}, 'createCommand': {'name': 'ping'}, 'createReplay': {'device': a_names['device']},
              'createDelivery': {'target': a_names['target_id']}, 'withdrawCorrection': {'reason': 'x'}, 'uploadCrl': {'crl': 'AAAA'},
              'createCorrections': {'values': [{'ts': '2026-01-01T00:00:00Z', 'value': '1', 'quality': 'corrected', 'reason': 'x'}]},
              'decideHeard': {'device': a_names['device'], 'decision': 'adopt'}, 'uploadCrl': {'crl': '-----BEGIN X509 CRL-----'},
              'addCalculatedVersion': {'formula': f"c{a_names['channel']}", 'valid_from': '2026-01-01T00:00:00Z'}}
    for path, item in doc['paths'].items():
        if '{tenant}' not in path:
            continue
        for method, op in item.items():
            if method not in ('get', 'post', 'patch', 'delete'):
                continue
            body = bodies.get(op['operationId'], {}) if method in ('post', 'patch') else None
            attempts = [('foreign tenant', fill(path, a_names), b.rest, (404,))]
            attempts.append(('no key', fill(path, a_names), b.rest.with_key(None), (401,)))
            attempts.append(('made-up key', fill(path, a_names), b.rest.with_key('emt_1_' + 'A' * 43), (401,)))
            if op['operationId'] == 'traceValue':
                attempts = [(w, url + '?at=2026-01-01T00:00:00Z', r, s) for w, url, r, s in attempts]
                path += '?at=2026-01-01T00:00:00Z'
            own_named = re.findall(r'\{(\w+)\}', path)
            if len(own_named) > 1:
                mixed = {**a_names, 'tenant': b.key}
                attempts.append(('own tenant, foreign names', fill(path, mixed), b.rest, (404,)))
            for what, url, rest, want in attempts:
                status, _, data = rest.raw(method.upper(), url, body)
                n += 1
                if status not in want:
                    failures.append(f'{what}: {method.upper()} {url}: {status}, expected {want}: {data[:200]!r}')
    # Foreign names in bodies and queries.
    for what, call in {
        'binding of a foreign channel': lambda: b.post(f'/locations/{vectors.MELO_B}/bindings', {
            'channel': a_names['channel'], 'obis': '1-1:1.29.0', 'valid_from': '2026-01-01T00:00:00Z'}),
        'export of a foreign location': lambda: b.post('/exports', {
            'pid': '13018', 'from': '2026-01-01', 'to': '2026-01-02', 'location': a_names['location']}),
        'replay of a foreign device': lambda: b.post('/replays', {'device': a_names['device']}),
        'mandate of a foreign location': lambda: b.post('/mandates', {
            'location': a_names['location'], 'recipient': 'x', 'purpose': 'x', 'from': '2026-01-01T00:00:00Z'}),
        'formula over a foreign channel': lambda: b.post('/calculated-channels', {'name': 'x', 'formula': f"c{a_names['channel']}"}),
        'decision about a foreign conflict': lambda: b.post('/conflicts/decisions', {
            'channel': a_names['channel'], 'ts': '2026-01-01T00:00:00Z', 'value': '1', 'decision': 'take', 'reason': 'x'}),
        'another tenant made by a tenant': lambda: b.rest('POST', '/api/v1/tenants', {'key': 'evil', 'name': 'Evil'}),
    }.items():
        n += 1
        try:
            call()
            failures.append(f'{what}: accepted')
        except Problem as p:
            if p.status not in (400, 403, 404):
                failures.append(f'{what}: {p}')
    n += 1
    status, _, data = b.rest.raw('GET', f'{b.path}/frames?device={a_names["device"]}')
    if status == 200 and b'"seq"' in data:
        failures.append('frames of a foreign device are shown')
    tenants = [t['key'] for t in b.rest.all('/api/v1/tenants')]
    if tenants != [b.key]:
        failures.append(f'the list of tenants shows {tenants}')
    return failures, n


def populate(op, node, dir, key, gateway, melo):
    t = Tenant(op, key, own_mp_id='9900999000106')
    folder = t.gateway(gateway, dir / key, node)
    hexes = dir / f'{key}.hex'
    hexes.write_text(vectors.PLAIN_ELECTRICITY[key] + '\n')
    p = agent(folder, node, '--replay', hexes, '--once')
    assert p.popen.wait(60) == 0, p.output()
    device = wait_for('device', lambda: t.all('/devices'))[0]['id']
    channels = t.all(f'/devices/{device}/channels')
    energy = next(c for c in channels if c['unit'] == 'Wh')
    t.post('/locations', {'code': melo, 'kind': 'melo', 'receiver_mp_id': '9900999000205'})
    binding = t.post(f'/locations/{melo}/bindings', {'channel': energy['id'], 'obis': '1-1:1.29.0', 'device_number': '1EMT0000000001',
                                                     'valid_from': '2020-01-01T00:00:00Z'})
    meter_key = t.post('/meter-keys', {'number': '12345678', 'key': '00112233445566778899aabbccddeeff'})
    api_key = t.post('/api-keys', {'name': 'second', 'role': 'reader'})
    t.post(f'/gateways/{gateway}/commands', {'name': 'ping'})
    user = t.post('/users', {'name': f'reader-of-{key}', 'role': 'reader'})
    frame = t.all('/frames')[0]
    job = node.sql(f"insert into job (tenant_id, kind, state) select id, 'replay', 2 from tenant where key = '{key}' returning id")[0][0]
    day = t.readings(energy['id'])[0]['ts'][:10]
    node.sql("insert into export_file (tenant_id, kind, pid, sender, receiver, reference, file_name, period_from, period_to, created_at,"
             f" messages, content) select id, 'mscons', '13018', 's', 'r', 'REF{key}', 'f', now(), now(), now(), 1, 'x' from tenant where key = '{key}'")
    file_id = t.all('/exports')[0]['id']
    assert day
    target = t.post('/targets', {'name': 'folder', 'kind': 'local', 'path': 'edi'})
    schedule = t.post('/schedules', {'name': 'nightly', 'cron': '0 3 * * *', 'pid': '13018', 'target': target['id']})
    ts = t.readings(energy['id'])[0]['ts']
    correction = t.post(f"/channels/{energy['id']}/corrections", {'values': [{'ts': ts, 'value': '7', 'quality': 'corrected', 'reason': 'x'}]})
    t.post('/units', {'name': f'crate-{key}', 'base': f'crate-{key}', 'factor': '1'})
    t.post('/quantities', {'name': f'joy-{key}'})
    certificate = t.post('/certificates', {'purpose': 'gateway', 'name': 'vendor', 'certificate': pki.Identity('Vendor CA', ca=True).pem})
    triple = t.post('/emt-certificates', pki.triple('one', 700))
    # Generations are counted for each tenant: only the first of the two has this one.
    generation = t.post('/authorities')['generation'] if key == 'alpha' else 1
    mandate = t.post('/mandates', {'location': melo, 'recipient': '9900999000205', 'purpose': 'billing', 'from': '2026-01-01T00:00:00Z'})
    answer = t.post('/acknowledgements', ("UNB+UNOC:3+9900999000205:500+9900999000106:500+261121:0320+C1'UNH+1+CONTRL:D:3:UN:2.0b'"
                                          f"UCI+REF{key}+9900999000106:500+9900999000205:500+7'UNT+3+1'UNZ+1+C1'").encode(), 'application/edifact')
    partner = f'99009990002{len(key):02}'
    t.rest('PUT', f'{t.path}/acknowledgement-rules/{partner}', {'within_s': 60})
    t.rest('PUT', f'{t.path}/market-partners/{partner}', {'name': '', 'role': 'NB', 'file_bytes_max': None, 'file_messages_max': None})
    t.rest('PUT', f'{t.path}/export-policies/13018', {'gap': 'hold'})
    return t, own_names(t, gateway, meter_key['id'], file_id, device, energy['id'], melo, binding['id'], api_key['key']['id'],
                        user_id=user['user']['id'], unit=f'crate-{key}', quantity=f'joy-{key}', spool=frame['spool'], seq=frame['seq'], job_id=job, target_id=target['id'], schedule_id=schedule['id'],
                        certificate_id=certificate['id'], triple_id=triple['id'], generation=generation,
                        correction_id=correction['items'][0]['correction'], mandate_id=mandate['id'],
                        acknowledgement_id=answer['id'], partner=partner)


def main():
    with workspace('iso') as (dir, nodes):
        node = Node(dir / 'n')
        nodes.append(node)
        node.start()
        op = operator(node)
        a, a_names = populate(op, node, dir, 'alpha', 'gw-alpha', vectors.MELO_A)
        b, _ = populate(op, node, dir, 'beta', 'gw-beta', vectors.MELO_B)
        failures, n = by_sql(node, a, b)
        say(f'SQL: {n} attempts, {len(failures)} got through')
        more, m = by_rest(a_names, b, node)
        say(f'REST: {m} attempts, {len(more)} got through')
        for f in failures + more:
            print('  ', f)
        assert not failures and not more
        # The attempts left nothing behind, and the victim still works.
        assert not [g for g in a.all('/gateways') if g['id'] == 'intruder']
        assert a.get('/gateways/gw-alpha')['state'] == 'enrolled'
        assert len(a.readings(a_names['channel'])) == 1
        say('isolation holds')


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
