#!/usr/bin/env python3
"""A fleet over several tenants and two nodes, some meters heard by two gateways, IPv4 and IPv6, a node killed in the middle: everything
that was submitted is stored once, and a telegram heard twice counts once, whichever nodes heard it. 40 gateways for 20 s; 400 for 60 s with
--full (EMT_FULL)."""
import json
import pathlib
import sys
import time

from emt import FULL, Node, Process, Tenant, build_dir, has_ipv6, operator, run, say, wait_for, workspace

GATEWAYS, TENANTS, SECONDS = (400, 10, 60) if FULL else (40, 4, 20)


def enrol(dir, op, node):
    tenants = [Tenant(op, f'tenant-{i}') for i in range(TENANTS)]
    tokens = dir / 'tokens'
    with open(tokens, 'w') as f:
        for i in range(GATEWAYS):
            t = tenants[i % TENANTS]
            t.post('/gateways', {'id': f'gw-{i}'})
            e = t.post(f'/gateways/gw-{i}/enrolment')
            f.write(f'{t.key} gw-{i} {e["token"]}\n')
    login = node.login()
    run([build_dir() / 'emt-fleet', 'enrol', '--server', node.api_address(), '--pin', login['pin'], '--dir', dir / 'fleet',
         '--tokens', tokens])
    for t in tenants:
        csv = run([build_dir() / 'emt-fleet', 'meters', '--dir', dir / 'fleet', '--meters', '5', '--tenant', t.key]).stdout
        assert t.post('/meter-keys', csv.encode(), kind='text/csv')['rejected'] == 0
    return tenants


def main():
    with workspace('fleet') as (dir, nodes):
        node = Node(dir / 'n')
        nodes.append(node)
        node.start()
        node2 = node.companion
        tenants = enrol(dir, operator(node), node)
        host = '[::1]' if has_ipv6() else '127.0.0.1'
        say(f'{GATEWAYS} gateways of {TENANTS} tenants enrolled; they dial {host}')
        fleet = Process([build_dir() / 'emt-fleet', '--dir', dir / 'fleet', '--meters', '5', '--overlap', '30', '--interval', '5', '--seconds',
                         str(SECONDS), '--drain', '60', '--sync', '--address', f'{host}:{node.field}', '--address', f'{host}:{node2.field}'],
                        dir / 'fleet.log')
        wait_for('all are connected', lambda: node.metric('emt_field_sessions') >= GATEWAYS, 60)
        share = [n.own_metrics()['emt_field_sessions'] for n in node.nodes()]
        say(f'{share[0]:.0f} with one node, {share[1]:.0f} with the other')
        assert min(share) >= GATEWAYS // 4
        time.sleep(SECONDS / 2)
        node.process.kill()
        wait_for('all are with the node that is left', lambda: node2.metric('emt_field_sessions') >= GATEWAYS, 60)
        node.start()
        assert fleet.popen.wait(SECONDS + 90) == 0, fleet.output()[-3000:]
        last = json.loads(fleet.output().strip().splitlines()[-1])
        say(f'fleet: {last}')
        frames, distinct, second = map(int, node.sql(
            'select count(*), count(distinct (tenant_id, gateway_id, spool_id, seq)), count(*) filter (where state = 5) from raw_frame')[0])
        other = node.sql('select state, count(*) from raw_frame where state not in (0, 5, 11) group by 1')
        cursors = int(node.sql('select sum(frames) from gateway_cursor')[0][0])
        telegrams = int(node.sql('select count(*) from telegram')[0][0])
        assert frames == distinct == cursors == last['submitted'], (frames, distinct, cursors, last)
        assert second > 0, 'no telegram was heard twice: the overlap did not work'
        assert frames - second >= telegrams, (frames, second, telegrams)
        assert not other, other
        say(f'{frames} frames stored once, {second} of them second receptions of {telegrams} telegrams')
        assert node.process.stop() == 0


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
