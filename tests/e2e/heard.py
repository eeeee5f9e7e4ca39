#!/usr/bin/env python3
"""Heard meters: a gateway hears more than the tenant owns. Who is heard stands in a list with level, count and key; adopting takes the key along;
ignored ones are kept out; an allow-list on the gateway saves the others' volume before the spool, and the gateway says how many it left out."""
import subprocess
import sys

import emt
from emt import Node, Problem, Tenant, agent, operator, say, wait_for, workspace

MINE, NEIGHBOUR, SECRET, OTHER = 'EMT-11111111-01-07', 'EMT-22222222-01-07', 'EMT-33333333-01-07', 'EMT-44444444-01-07'
KEY = '000102030405060708090a0b0c0d0e0f'


def bcd(number):
    return bytes.fromhex(number)[::-1]


def telegram(number, litres, access, encrypted=False):
    """SND-NR with a short header (EN 13757-7) and a volume; mode 5 with KEY where encrypted."""
    head = b'\xb4\x15' + bcd(number) + b'\x01\x07'
    record = b'\x04\x13' + litres.to_bytes(4, 'little')
    if encrypted:
        iv = (head + bytes([access]) * 8).hex()
        plain = b'\x2f\x2f' + record + b'\x2f' * 8
        body = subprocess.run(['openssl', 'enc', '-aes-128-cbc', '-nopad', '-K', KEY, '-iv', iv], input=plain, capture_output=True, check=True).stdout
        cfg = b'\x10\x05'
    else:
        body, cfg = record, b'\x00\x00'
    frame = b'\x44' + head + b'\x7a' + bytes([access, 0]) + cfg + body
    return (bytes([len(frame)]) + frame).hex()


def hear(dir, node, lines, log):
    """The gateway hears these and delivers what it keeps."""
    replay = dir / f'{log}.hex'
    replay.write_text(''.join(f'wmbus {frame} format=no-link-crc rssi={rssi}\n' for frame, rssi in lines))
    emt.run([emt.build_dir() / 'emt-agent', 'run', '--dir', dir, '--address', node.field_address(), '--replay', replay, '--once', '--timeout', 30])


def main():
    with workspace('heard') as (dir, nodes):
        node = Node(dir / 'n')
        nodes.append(node)
        node.start()
        tenant = Tenant(operator(node), 'wohnbau')
        tenant.patch('', {'device_policy': 'allow-list'})
        gw = tenant.gateway('gw-1', dir / 'gw-1', node)
        list_path = '/gateways/gw-1/allow-list'

        say('who is heard stands in the list of the gateway')
        hear(gw, node, [(telegram('11111111', 1000, 1), -60), (telegram('11111111', 1001, 2), -75), (telegram('22222222', 5, 1), -90),
                        (telegram('33333333', 77, 1, True), -50)], 'first')
        heard = {h['device']: h for h in tenant.all('/gateways/gw-1/heard')}
        assert set(heard) == {MINE, NEIGHBOUR, SECRET}, heard
        assert [heard[d]['assignment'] for d in (MINE, NEIGHBOUR, SECRET)] == ['heard'] * 3
        assert heard[MINE]['frames'] == 2 and heard[MINE]['rssi_best_dbm'] == -60, heard[MINE]
        assert [heard[d]['key'] for d in (MINE, SECRET)] == ['not-needed', 'needed'], heard
        assert len(tenant.get('/gateways/gw-1/heard?limit=2')['items']) == 2

        say('adopting decodes what waits, with the key that came along')
        tenant.post('/gateways/gw-1/heard', {'device': MINE, 'decision': 'adopt', 'name': 'Bad'})
        tenant.post('/gateways/gw-1/heard', {'device': SECRET, 'decision': 'adopt', 'key': KEY})
        tenant.post('/gateways/gw-1/heard', {'device': NEIGHBOUR, 'decision': 'ignore'})

        def values(device):
            channels = [c for c in tenant.all(f'/devices/{device}/channels') if c['quantity'] == 'volume']
            return [r['value'] for c in channels for r in tenant.readings(c['id'])]
        wait_for('the waiting telegrams', lambda: len(values(MINE)) == 2 and values(SECRET))
        assert [float(v) for v in values(SECRET)] == [0.077], values(SECRET)
        assert {h['device'] for h in tenant.all('/gateways/gw-1/heard?assignment=ignored')} == {NEIGHBOUR}
        for wrong, status in (({'device': 'nobody', 'decision': 'adopt'}, 400), ({'device': MINE, 'decision': 'adopt', 'key': 'xx'}, 400),
                              ({'device': MINE, 'decision': 'ignore', 'key': KEY}, 400), ({'device': MINE, 'decision': 'sell'}, 400)):
            try:
                tenant.post('/gateways/gw-1/heard', wrong)
                raise AssertionError(f'{wrong} was taken')
            except Problem as e:
                assert e.status == status, e

        say('without a list everything leaves the gateway')
        assert tenant.get(list_path)['mode'] == 'off'
        hear(gw, node, [(telegram('44444444', 9, 1), -80)], 'second')
        assert {h['device'] for h in tenant.all('/gateways/gw-1/heard')} == {MINE, NEIGHBOUR, SECRET, OTHER}

        say('with one, only listed meters do')
        ordered = tenant.rest('PUT', tenant.path + list_path, {'mode': 'adopted'})
        assert ordered['devices'] == [MINE, SECRET] and ordered['state'] == 'waiting', ordered
        a = agent(gw, node)
        wait_for('the gateway to take the list', lambda: tenant.get(list_path)['state'] == 'done')
        assert '2 meters pass' in tenant.get(list_path)['result'], tenant.get(list_path)
        a.stop()
        before = {h['device']: h['frames'] for h in tenant.all('/gateways/gw-1/heard')}
        hear(gw, node, [(telegram('11111111', 1002 + i, 3 + i), -60) for i in range(3)] + [(telegram('44444444', 9 + i, 2 + i), -80) for i in range(5)] +
             [(telegram('22222222', 6, 2), -90), (telegram('33333333', 78, 2, True), -50)], 'third')
        after = {h['device']: h['frames'] for h in tenant.all('/gateways/gw-1/heard')}
        assert after[MINE] == before[MINE] + 3 and after[SECRET] == before[SECRET] + 1, (before, after)
        assert after[OTHER] == before[OTHER] and after.get(NEIGHBOUR) == before.get(NEIGHBOUR), (before, after)

        say('and the gateway says how many it left out')
        replay = gw / 'fourth.hex'
        replay.write_text(''.join(f'wmbus {telegram("44444444", i, i)} format=no-link-crc\n' for i in range(20, 27)))
        a = agent(gw, node, '--replay', replay)

        def filtered():
            tenant.post('/gateways/gw-1/commands', {'name': 'status'})
            return (tenant.get('/gateways/gw-1')['status'] or {}).get('metrics', {}).get('frames_filtered') == 7
        wait_for('the count', filtered, step=1)

        say('a meter that is adopted joins the list at once')
        tenant.post('/gateways/gw-1/heard', {'device': OTHER, 'decision': 'adopt'})
        wait_for('the new list', lambda: tenant.get(list_path)['state'] == 'done')
        assert tenant.get(list_path)['devices'] == [MINE, SECRET, OTHER]
        a.stop()
        hear(gw, node, [(telegram('44444444', 50, 50), -80)], 'fifth')
        wait_for('its telegram', lambda: {h['device']: h['frames'] for h in tenant.all('/gateways/gw-1/heard')}[OTHER] == before[OTHER] + 1)

        say('a list by hand, and none again')
        for wrong in ({'mode': 'listed'}, {'mode': 'adopted', 'devices': []}, {'mode': 'listed', 'devices': ['x']}, {'mode': 'all'}):
            try:
                tenant.rest('PUT', tenant.path + list_path, wrong)
                raise AssertionError(f'{wrong} was taken')
            except Problem as e:
                assert e.status == 400, e
        tenant.rest('PUT', tenant.path + list_path, {'mode': 'listed', 'devices': [NEIGHBOUR]})
        assert tenant.rest('PUT', tenant.path + list_path, {'mode': 'off'})['devices'] == []
        commands = [c for c in tenant.all('/gateways/gw-1/commands') if c['name'] == 'allow-list']
        assert [c['state'] for c in commands[:2]] == ['waiting', 'expired'], commands[:2]
        a = agent(gw, node)
        wait_for('the end of the list', lambda: tenant.get(list_path)['result'] == 'all pass')
        a.stop()
    say('done')


if __name__ == '__main__':
    sys.exit(main())
