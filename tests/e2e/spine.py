#!/usr/bin/env python3
"""One telegram from a gateway over TLS into PostgreSQL, out as MSCONS and REST: two tenants, two nodes on one database, two gateways that
hear the same meters, real telegrams where the corpora are, a missing key, commands, revocation."""
import datetime
import json
import pathlib
import subprocess
import sys
from collections import Counter
from decimal import Decimal

from emt import Node, Problem, Tenant, agent, build_dir, corpora, operator, run, say, wait_for, workspace
import vectors

MIRROR_KEYS = ('obis', 'quantity', 'function', 'storage', 'tariff', 'subunit', 'qualifier', 'nth')


def decode(lines):
    """Answers of emtctl decode, the same decoder by another way in."""
    p = subprocess.run([str(build_dir() / 'emtctl'), 'decode'], input=''.join(json.dumps(x) + '\n' for x in lines),
                       capture_output=True, text=True, timeout=120)
    assert p.returncode == 0, p.stderr
    return [json.loads(x) for x in p.stdout.splitlines()]


def telegrams(limit=40):
    """Telegrams with expected values, one per meter: (id, hex, key or None, [expected numbers with unit])."""
    folder = corpora()
    if folder is None:
        say('corpora: skipped (no folder); own vectors instead')
        return own_telegrams()
    out, seen = [], set()
    for line in open(folder / 'wmbus.jsonl'):
        r = json.loads(line)
        meter = r.get('tpl_address') or r['meter_id']
        if (not r.get('standard') or r.get('already_decrypted') or r.get('length_note') or r.get('key_missing') or r.get('mac_ok') is False
                or r.get('key_ok') is False or r['format'] != 'no-link-crc' or json.dumps(meter) in seen or (r.get('key') and len(r['key']) != 32)
                or r.get('encrypted') and not r.get('key') or r.get('synthetic')):
            continue
        seen.add(json.dumps(meter))
        out.append((r['id'], r['telegram'], r.get('key') if r.get('encrypted') else None, r))
        if len(out) == limit:
            break
    return out


def own_telegrams():
    return [(f'own-{i}', vectors.energy_telegram(f'900000{i:02d}', 1000000 + 7919 * i), None,
             {'expected': {'total_wh': 1000000 + 7919 * i, 'power_w': 1500}}) for i in range(20)]


UNIT = {'kwh': ('Wh', 1000), 'wh': ('Wh', 1), 'm3': ('m3', 1), 'l': ('m3', Decimal('0.001')), 'c': ('°C', 1), 'kw': ('W', 1000), 'w': ('W', 1),
        'v': ('V', 1), 'a': ('A', 1), 'm3h': ('m3/h', 1), 'lh': ('m3/h', Decimal('0.001')), 'hca': ('HCA', 1), 'rh': ('%', 1)}


def check_values(t, row_id, device, answer, source):
    """Every decoded number stands once in the channel's readings, exactly; and what the telegram's publisher states is among them."""
    channels = t.all(f'/devices/{device}/channels')
    stored = {}
    for c in channels:
        values = t.readings(c['id'])
        stamps = [v['ts'] for v in values]
        assert len(stamps) == len(set(stamps)), f'{row_id}: {c}: a time twice'
        stored[c['id']] = (c, values)
    numbers = Counter()
    for c, values in stored.values():
        if c['kind'] in ('number', 'state'):
            for v in values:
                numbers[(c['obis'], c['quantity'], Decimal(v['value']))] += 1
    missing, wanted = 0, set()
    for r in answer['readings']:
        try:
            value = Decimal(r['value'])
        except ArithmeticError:
            continue
        if not r.get('unit'):
            continue
        if r.get('time', '') > (datetime.datetime.now() + datetime.timedelta(days=1)).isoformat():
            continue  # a clock ahead: stays in the frame
        wanted.add(json.dumps({k: v for k, v in r.items() if k not in ('value', 'unit', 'quality')}, sort_keys=True))
        unit_factor = {'kWh': 1000, 'MWh': 10**6, 'MJ': 10**6, 'GJ': 10**9, 'kW': 1000, 'l': Decimal('0.001'), 'min': 60, 'h': 3600, 'd': 86400,
                       'kJ': 1000, 'mbar': Decimal('0.001'), 'year': 12, 'l/h': Decimal('0.001')}.get(r['unit'], 1)
        want = value * unit_factor
        if not any(q == r['quantity'] and v == want for (_, q, v) in numbers):
            missing += 1
            print('   missing', row_id, r, sorted(map(str, numbers)))
    with_unit = sum(len(values) for c, values in stored.values() if c['unit'] and c['kind'] == 'number')
    assert with_unit == len(wanted), f'{row_id}: {len(wanted)} decoded, {with_unit} stored'
    exact = 0
    for name, stated in ((source or {}).get('expected') or {}).items():
        suffix = name.rsplit('_', 1)[-1]
        if suffix not in UNIT or isinstance(stated, (str, bool)) or stated is None:
            continue
        want = Decimal(str(stated)) * UNIT[suffix][1]
        exact += any(v == want for (_, _, v) in numbers)
    return missing, sum(numbers.values()), exact


def real_telegrams(dir, a, b, node1, node2):
    """Two gateways of one tenant on two nodes hear everything; one gateway of the other tenant hears it too."""
    rows = telegrams()
    text = 'address,key\n'
    late = next((r for r in rows if r[2]), None)
    lines = [{'id': r[0], 'protocol': 'wmbus', 'frame': r[1], 'format': 'no-link-crc', 'key': r[2]} for r in rows]
    answers = {x['id']: x for x in decode(lines)}
    keyed = [r for r in rows if r[2] and r is not late]
    for r in keyed:
        text += f"{answers[r[0]]['device']['number']},{r[2]}\n"
    if keyed:
        result = a.post('/meter-keys', text.encode(), kind='text/csv')
        assert result['rejected'] == 0, result
    heard = dir / 'heard.hex'
    heard.write_text(''.join(f'wmbus {r[1]} format=no-link-crc rssi=-70\n' for r in rows))
    agents = [agent(a.folders[0], node1, '--replay', heard, '--once'), agent(a.folders[1], node2, '--replay', heard, '--once'),
              agent(b.folders[0], node2, '--replay', heard, '--once')]
    for p in agents:
        assert p.popen.wait(120) == 0, p.output()
    devices = {d['number']: d for d in a.all('/devices')}
    total, stated = 0, 0
    for r in rows:
        answer = answers[r[0]]
        if r is late or answer['state'] != 'ok':
            continue
        device = next(d['id'] for d in devices.values() if d['number'] == answer['device']['number']
                      and d['manufacturer'] == answer['device']['manufacturer'])
        missing, n, exact = check_values(a, r[0], device, answer, r[3])
        assert missing == 0, r[0]
        total += n
        stated += exact
    assert stated >= len(rows), 'hardly a value equals what the publishers of the telegrams state'
    frames = a.all('/frames')
    states = Counter(f['state'] for f in frames)
    assert len(frames) == 2 * len(rows), (len(frames), len(rows))
    assert states['ok'] == states['duplicate'], states
    say(f'{len(rows)} telegrams heard by two gateways on two nodes: {total} values, each once; {stated} equal what their publisher states; {dict(states)}')
    assert len(b.all('/frames')) == len(rows)
    return late, answers


def missing_key(a, node2, late, answers):
    """The key comes by REST on the other node, and the telegram decodes by itself."""
    if late is None:
        return own_missing_key(a, node2)
    answer = answers[late[0]]
    device = next(d['id'] for d in a.all('/devices') if d['number'] == answer['device']['number'])
    waiting = a.all(f'/frames?device={device}')
    assert {f['state'] for f in waiting} == {'key-needed'} and len(waiting) == 2, waiting
    assert not a.all(f'/devices/{device}/channels')
    other = node2.rest(a.rest.key)
    other('POST', a.path + '/meter-keys', {'number': answer['device']['number'], 'key': late[2]})
    wait_for('the waiting telegram decodes by itself', lambda: {f['state'] for f in a.all(f'/frames?device={device}')} == {'ok', 'duplicate'}, 20)
    missing, n, _ = check_values(a, late[0], device, answer, late[3])
    assert missing == 0 and n > 0
    say(f'key-needed, key added on the other node, {n} values appeared, each once')


def own_missing_key(a, node2):
    meters = run([build_dir() / 'emt-agent', 'meters', '--simulate', '20', '--seed', '99']).stdout.splitlines()
    head = meters[0].split(',')
    with_key = [dict(zip(head, m.split(','))) for m in meters[1:]]
    with_key = [m for m in with_key if m['key']]
    assert with_key, meters[:3]
    p = agent(a.folders[0], node2, '--simulate', '20', '--seed', '99', '--backfill', '1', '--interval', '43200', '--once')
    assert p.popen.wait(60) == 0, p.output()
    meter = with_key[0]
    device = next(d['id'] for d in a.all('/devices') if d['number'] == meter['address'])
    assert {f['state'] for f in a.all(f'/frames?device={device}')} == {'key-needed'}
    node2.rest(a.rest.key)('POST', a.path + '/meter-keys', {'number': meter['address'], 'key': meter['key']})
    wait_for('decoded by itself', lambda: {f['state'] for f in a.all(f'/frames?device={device}')} == {'ok'}, 20)
    say('key-needed, key added on the other node, decoded by itself')


def local_midnight(day):
    """German local midnight as UTC text (no clock change in the days used here: checked)."""
    import zoneinfo
    return datetime.datetime.combine(day, datetime.time(), zoneinfo.ZoneInfo('Europe/Berlin')).astimezone(datetime.timezone.utc)


def nearest(values, at, tolerance):
    best = None
    for v in values:
        d = abs((v[0] - at).total_seconds())
        if d <= tolerance and (best is None or d < best[0]):
            best = (d, v[1])
    return best and best[1]


def market(dir, a, node1):
    """Simulated electricity meters off the quarter-hour grid, two days of history, MSCONS three ways."""
    seed = '7'
    csv = run([build_dir() / 'emt-agent', 'meters', '--simulate', '12', '--seed', seed]).stdout
    keys = 'address,key\n' + ''.join(f"{x.split(',')[0]},{x.split(',')[1]}\n" for x in csv.splitlines()[1:] if x.split(',')[1])
    assert a.post('/meter-keys', keys.encode(), kind='text/csv')['rejected'] == 0
    p = agent(a.folders[0], node1, '--simulate', '12', '--seed', seed, '--interval', '120', '--backfill', '3', '--once')
    assert p.popen.wait(240) == 0, p.output()
    import zoneinfo
    today = datetime.datetime.now(zoneinfo.ZoneInfo('Europe/Berlin')).date()
    day = today - datetime.timedelta(days=2)
    meter = next(d for d in a.all('/devices') if d['medium'] == 'electricity' and
                 any(x.startswith(d['number'] + ',') for x in csv.splitlines()))
    energy = next(c for c in a.all(f"/devices/{meter['id']}/channels")
                  if c['quantity'] == 'energy' and c['storage'] == 0 and c['tariff'] == 0 and 'export' not in c['qualifier'])
    for code, kind in ((vectors.MELO_A, 'melo'), (vectors.MALO_A, 'malo')):
        a.post('/locations', {'code': code, 'kind': kind, 'receiver_mp_id': '9900999000205'})
        for obis in ('1-1:1.29.0', '1-1:1.8.0'):
            a.post(f'/locations/{code}/bindings', {'channel': energy['id'], 'obis': obis, 'ratio': '40', 'device_number': '1EMT0012345678',
                                                   'valid_from': '2020-01-01T00:00:00Z'})
    # The truth, computed here from the values that REST gives.
    begin, end = local_midnight(day), local_midnight(day + datetime.timedelta(days=1))
    margin = datetime.timedelta(minutes=10)
    values = [(datetime.datetime.fromisoformat(v['ts'].replace('Z', '+00:00')), Decimal(v['value']))
              for v in a.readings(energy['id'], (begin - margin).strftime('%Y-%m-%dT%H:%M:%SZ'), (end + margin).strftime('%Y-%m-%dT%H:%M:%SZ'))]
    assert len(values) > 500, len(values)
    off_grid = sum(1 for t, _ in values if t.timestamp() % 900)
    assert off_grid > len(values) * 0.9, 'the simulator must send off the grid'
    bounds = [nearest(values, begin + datetime.timedelta(seconds=900 * i), 120) for i in range(int((end - begin).total_seconds()) // 900 + 1)]
    assert all(b is not None for b in bounds)
    truth = sum(round((y - x) * 40 / 1000, 3) for x, y in zip(bounds, bounds[1:]))
    out = dir / 'out'
    out.mkdir()
    for pid, location in (('13018', vectors.MELO_A), ('13025', vectors.MALO_A), ('13017', vectors.MELO_A)):
        p = run([build_dir() / 'emtctl', 'export', 'mscons', '--tenant', a.key, '--pid', pid, '--from', day.isoformat(), '--to',
                 (day + datetime.timedelta(days=1)).isoformat(), '--location', location, '--out', out, '--embedded', node1.dir])
        path = pathlib.Path(p.stdout.strip().splitlines()[-1])
        run([build_dir() / 'emtctl', 'mscons', 'check', '--name', path])
        shown = json.loads(run([build_dir() / 'emtctl', 'mscons', 'show', path]).stdout)
        m = shown['messages'][0]
        assert m['pid'] == pid, m
        if pid == '13017':
            boundary = bounds[0] / 1000
            assert Decimal(m['lines'][0]['sum']) == round(boundary, 3), (m, boundary)
            assert m['device'] == '1EMT0012345678'
        else:
            line = m['lines'][0]
            assert line['n'] == len(bounds) - 1, line
            assert Decimal(line['sum']) == truth, (line, truth)
        say(f'{path.name}: {pid} checked, sum {m["lines"][0]["sum"]}')
    by_rest = a.post('/exports', {'pid': '13018', 'from': day.isoformat(), 'to': (day + datetime.timedelta(days=1)).isoformat()})
    assert len(by_rest['files']) == 1, by_rest
    files = a.all('/exports')
    assert len({f['reference'] for f in files}) == len(files) == 4
    content = a.get(f"/exports/{by_rest['files'][0]['id']}/content")
    assert content.startswith("UNA:+.? 'UNB+UNOC:3+9900999000106:500+9900999000205:500+"), content[:80]


def commands_and_revocation(a, node1, node2):
    """A command ordered on one node reaches the gateway on the other; a revoked gateway is out at once and stays out."""
    p = agent(a.folders[0], node1)
    try:
        wait_for('connected', lambda: a.get('/gateways/gw-1')['connection']['state'] == 'connected')
        other = node2.rest(a.rest.key)
        order = other('POST', a.path + '/gateways/gw-1/commands', {'name': 'ping'})
        done = wait_for('the command is done', lambda: next((c for c in a.all('/gateways/gw-1/commands')
                                                             if c['id'] == order['id'] and c['state'] == 'done'), None), 20)
        say(f'command by the other node: {done["state"]}')
        other('POST', a.path + '/gateways/gw-1/revoke', {'reason': 'stolen'})
        wait_for('the revoked gateway is thrown out', lambda: a.get('/gateways/gw-1')['connection']['state'] != 'connected', 15)
        epoch = a.get('/gateways/gw-1')['connection']['epoch']
        import time
        time.sleep(3)
        g = a.get('/gateways/gw-1')
        assert g['state'] == 'revoked' and g['connection']['state'] != 'connected' and g['connection']['epoch'] == epoch, g
        say(f'revoked: session ended ({g["connection"]["reason"]}), no way back in')
    finally:
        p.stop()


def ipv6_and_health(node1):
    assert node1.plain('/healthz')[0] == 200
    assert node1.plain('/readyz')[0] == 200
    text = node1.plain('/metrics')[1]
    assert 'emt_field_sessions' in text and 'emt_api_requests_total' in text
    assert json.loads(node1.rest().raw('GET', '/healthz')[2])['status'] == 'ok'


def main():
    with workspace('spine') as (dir, nodes):
        node1 = Node(dir / '1')
        nodes.append(node1)
        node1.start()
        node2 = node1.companion
        op = operator(node1)
        a = Tenant(op, 'stadtwerke', own_mp_id='9900999000106')
        b = Tenant(op, 'nachbar')
        a.folders = [a.gateway('gw-1', dir / 'gw-1', node1), a.gateway('gw-2', dir / 'gw-2', node2)]
        b.folders = [b.gateway('gw-1', dir / 'gw-b', node2)]
        say('two nodes, two tenants, three gateways enrolled')
        late, answers = real_telegrams(dir, a, b, node1, node2)
        missing_key(a, node2, late, answers)
        market(dir, a, node1)
        ipv6_and_health(node1)
        commands_and_revocation(a, node1, node2)
        for n in (node2, node1):
            assert n.process.stop() == 0, n.process.output()[-2000:]
        say('TERM drained both nodes, exit 0')


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
