#!/usr/bin/env python3
"""What people decide about values, against the real server: corrections in rows and in blocks and their withdrawal, decoding again with
the difference shown first, channels that are computed from others."""
import pathlib
import sys

from emt import Node, Problem, Tenant, agent, operator, say, wait_for, workspace
import vectors

METER = '71000001'
FRAMES = 40
FIRST = 1000


def job_done(tenant, job):
    def ended():
        state = tenant.get(f"/jobs/{job['id']}")
        assert state['state'] not in ('failed', 'cancelled'), state
        return state if state['state'] == 'done' else None
    return wait_for(f"job {job['id']} {job['kind']}", ended, 60, 0.2)


def replay(tenant, **order):
    job = tenant.post('/replays', order)
    done = job_done(tenant, job)
    found = tenant.get(f"/replays/{job['id']}")
    assert {k: v for k, v in found.items() if k in done['result']} == done['result'], done['result']
    return found


def refused(status, call, *args):
    try:
        call(*args)
    except Problem as e:
        assert e.status == status, f'{e.status} instead of {status}: {e.body}'
        return e.body
    raise AssertionError(f'not refused: {args}')


def counts(found):
    return {k: found[k] for k in ('added', 'changed', 'gone', 'failed')}


def ingest(node, tenant, dir):
    folder = tenant.gateway('gw-1', dir / 'gw', node)
    (folder / 'now.hex').write_text(''.join(vectors.energy_telegram(METER, FIRST + i, access=i) + '\n' for i in range(FRAMES)))
    gateway = agent(folder, node, '--replay', folder / 'now.hex', '--rate', '40')
    try:
        device = wait_for('the meter', lambda: tenant.all('/devices'))[0]['id']
        channels = wait_for('its channels', lambda: tenant.all(f'/devices/{device}/channels'))
        energy = next(c for c in channels if c['unit'] == 'Wh')['id']
        power = next(c for c in channels if c['unit'] == 'W')['id']
        wait_for('its values', lambda: len(tenant.readings(energy)) == FRAMES)
    finally:
        gateway.stop()
    return device, energy, power


def check_replays(node, tenant, number, device, energy):
    nothing = {'added': 0, 'changed': 0, 'gone': 0, 'failed': 0}
    found = replay(tenant, device=device, dry_run=True)
    assert counts(found) == nothing and found['frames'] == FRAMES and found['same'] == 2 * FRAMES, found
    # As an older profile would have left it: one value wrong, one missing, one too many.
    at = [r['ts'] for r in tenant.readings(energy)]
    key = f'tenant_id = {number} and channel_id = {energy}'
    node.sql(f"update reading set mantissa = 77 where {key} and ts = '{at[3]}'; delete from reading where {key} and ts = '{at[5]}';"
             f"insert into reading (tenant_id, channel_id, ts, mantissa, exponent, quality)"
             f" values ({number}, {energy}, timestamptz '{at[8]}' + interval '1 ms', 5, 0, 768)")
    before = tenant.readings(energy)
    found = replay(tenant, device=device, dry_run=True)
    assert counts(found) == {'added': 1, 'changed': 1, 'gone': 1, 'failed': 0}, found
    rows = {r['change']: r for r in found['rows']}
    assert (rows['changed']['before'], rows['changed']['after']) == ('77', str(FIRST + 3)), rows
    assert rows['added']['ts'] == at[5] and rows['added']['before'] is None and rows['gone']['after'] is None, rows
    assert tenant.readings(energy) == before, 'a dry run changed something'
    # Outside of the period nothing is compared.
    assert counts(replay(tenant, device=device, dry_run=True, to=at[2])) == nothing
    applied = replay(tenant, device=device, dry_run=False)
    assert applied['applied'] == 3, applied
    assert [r['value'] for r in tenant.readings(energy)] == [str(FIRST + i) for i in range(FRAMES)]
    again = replay(tenant, dry_run=False)
    assert counts(again) == nothing and again['applied'] == 0, again
    history = tenant.all(f'/channels/{energy}/history')
    assert sorted(h['value'] for h in history) == ['5', '77'] and history[0]['reason'] == 'decoded again', history
    # A frame that cannot be read any more takes no value with it.
    whole = f'tenant_id = {number} and seq = (select max(seq) - 1 from raw_frame where tenant_id = {number})'
    data = node.sql(f"select encode(data, 'hex') from raw_frame where {whole}")[0][0]
    node.sql(f"update raw_frame set data = '\\x{data[:24]}' where {whole}")
    found = replay(tenant, device=device, dry_run=False)
    assert counts(found) == {**nothing, 'failed': 1} and found['applied'] == 0, found
    assert len(tenant.readings(energy)) == FRAMES
    node.sql(f"update raw_frame set data = '\\x{data}' where {whole}")
    refused(400, tenant.post, '/replays', {'device': device, 'from': at[0]})
    refused(404, tenant.post, '/replays', {'device': 'EMT-00000000-01-02', 'dry_run': True})
    refused(404, tenant.get, '/replays/999999')


def compact(node, tenant, number):
    """The values are made old, so that they are closed."""
    node.sql(f"insert into job (tenant_id, kind, dedupe) values ({number}, 'compaction', 'test') on conflict do nothing")
    wait_for('the compaction', lambda: node.sql(f"select count(*) from job where tenant_id = {number} and kind = 'compaction'"
                                                " and dedupe = 'test' and state in (0, 1)") == [['0']], 60, 0.2)


def correct(tenant, channel, ts, value, quality='corrected', **more):
    return tenant.post(f'/channels/{channel}/corrections',
                       {'values': [{'ts': ts, 'value': value, 'quality': quality, 'reason': 'seal broken', **more}]})['items'][0]


def withdraw(tenant, channel, made):
    return tenant.post(f"/channels/{channel}/corrections/{made['correction']}/withdraw", {'reason': 'it was right'})


def check_corrections(node, tenant, number, device, energy):
    at = [r['ts'] for r in tenant.readings(energy)]
    value = lambda ts: next((r['value'] for r in tenant.readings(energy) if r['ts'] == ts), None)
    first = correct(tenant, energy, at[1], '4711.5')
    assert first['before'] == str(FIRST + 1) and value(at[1]) == '4711.5'
    assert correct(tenant, energy, at[2], '1', 'substitute')['outcome'] == 'outranked'
    second = correct(tenant, energy, at[2], '1', 'substitute', over_measured=True, method='day before')
    # Decoding again leaves a person's value alone.
    assert counts(replay(tenant, device=device, dry_run=False)) == {'added': 0, 'changed': 0, 'gone': 0, 'failed': 0}
    # 60 days back: closed. Then again, in the block.
    node.sql(f"update reading set ts = ts - interval '60 days' where tenant_id = {number} and channel_id = {energy};"
             f"update reading_correction set ts = ts - interval '60 days' where tenant_id = {number}")
    old = tenant.readings(energy)
    compact(node, tenant, number)
    assert node.sql(f'select count(*) from reading where channel_id = {energy}') == [['0']], 'nothing was packed'
    assert tenant.readings(energy) == old and old[1]['value'] == '4711.5' and old[2]['quality'] == 'substitute', old[:4]
    at = [r['ts'] for r in old]
    third = correct(tenant, energy, at[1], '4712')
    assert third['before'] == '4711.5' and value(at[1]) == '4712'
    gap = at[0][:19] + '.000001Z'
    filled = correct(tenant, energy, gap, '3', 'estimated')
    assert filled['before'] is None and value(gap) == '3'
    compact(node, tenant, number)
    assert value(at[1]) == '4712' and value(gap) == '3'
    refused(409, withdraw, tenant, energy, first)
    for made in (third, first, second, filled):
        withdraw(tenant, energy, made)
    compact(node, tenant, number)
    assert [r['value'] for r in tenant.readings(energy)] == [str(FIRST + i) for i in range(FRAMES)]
    assert all(c['withdrawn_at'] for c in tenant.all(f'/channels/{energy}/corrections')), 'withdrawn'
    assert node.sql(f'select count(*) from reading_conflict where tenant_id = {number}') == [['0']]


def check_calculated(node, tenant, energy, power):
    made = tenant.post('/calculated-channels', {'name': 'sum', 'formula': f'2 * c{energy} + c{power} / 7', 'unit': 'Wh', 'step_s': 0, 'decimals': 3})
    channel = made['channel']
    at = [r['ts'] for r in tenant.readings(energy)]
    third = '214.286'  # 1500 / 7, rounded
    value = lambda i: f'{2 * (FIRST + i) + float(third):.3f}'
    readings = wait_for('the calculation', lambda: tenant.readings(channel), 30, 0.2)
    assert [r['value'] for r in readings] == [value(i) for i in range(FRAMES)], readings[:3]
    assert {r['quality'] for r in readings} == {'measured'} and [r['ts'] for r in readings] == at
    assert tenant.get(f'/channels/{channel}')['unit'] == 'Wh', 'it is a channel as any other'
    # An input is corrected, and the correction withdrawn.
    correction = correct(tenant, energy, at[4], '1', 'substitute', over_measured=True)
    now = lambda: next(r for r in tenant.readings(channel) if r['ts'] == at[4])
    wait_for('the corrected result', lambda: now()['value'] == '216.286', 30, 0.2)
    assert now()['quality'] == 'substitute', 'the quality of the worst input'
    withdraw(tenant, energy, correction)
    wait_for('the result as before', lambda: now()['value'] == value(4), 30, 0.2)
    assert [h['value'] for h in tenant.all(f'/channels/{channel}/history')] == [value(4), '216.286']
    # A person's value stands against the formula; a gap in the inputs is one here.
    mine = correct(tenant, channel, at[6], '5')
    tenant.post(f'/calculated-channels/{channel}/versions', {'formula': f'c{energy} / (c{power} - 1500)', 'valid_from': at[10]})
    wait_for('gaps', lambda: len(tenant.readings(channel)) == 10, 30, 0.2)
    assert tenant.readings(channel)[6]['value'] == '5'
    withdraw(tenant, channel, mine)
    shown = tenant.get(f'/calculated-channels/{channel}')
    assert [v['version'] for v in shown['versions']] == [1, 2] and tenant.all('/calculated-channels') == [shown]
    for formula, field in ((f'c{channel}', 'formula'), ('c999999', 'formula'), ('1 +', 'formula'), (f'c{energy} + c{power}', 'unit')):
        assert f'"field":"{field}"' in refused(400, tenant.post, '/calculated-channels', {'name': 'x', 'formula': formula})
    refused(409, tenant.post, '/calculated-channels', {'name': 'sum', 'formula': f'c{energy}'})
    refused(404, tenant.post, f'/calculated-channels/{energy}/versions', {'formula': f'c{energy}', 'valid_from': at[0]})


def main():
    with workspace('corrections') as (dir, nodes):
        node = Node(dir / 'n')
        nodes.append(node)
        node.start()
        op = operator(node)
        tenant, other = Tenant(op, 'alpha'), Tenant(op, 'beta')
        number = int(node.sql("select id from tenant where key = 'alpha'")[0][0])
        device, energy, power = ingest(node, tenant, dir)
        say('replays')
        check_replays(node, tenant, number, device, energy)
        say('calculated channels')
        check_calculated(node, tenant, energy, power)
        say('corrections')
        check_corrections(node, tenant, number, device, energy)
        refused(404, correct, other, energy, '2026-01-01T00:00:00Z', '1')
        assert node.process.stop() == 0


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
