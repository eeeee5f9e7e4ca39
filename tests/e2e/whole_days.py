#!/usr/bin/env python3
"""Whole days of a load profile, from the gateway's frame to a block to REST: each value once however often the day is sent, over a kill of the
server; what contradicts the block is a conflict at once."""
import datetime
import pathlib
import sys

from emt import Node, Tenant, agent, operator, say, wait_for, workspace
import vectors

METER = '71000002'
VALUES = 95


def quiet_days(n):
    """Starts of UTC days that are over, without a change of the clock, the latest first."""
    day = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    found = []
    while len(found) < n:
        day -= datetime.timedelta(days=1)
        if vectors.german_offset(day) == vectors.german_offset(day + datetime.timedelta(days=1)):
            found.append(day)
    return found


def send(node, folder, *telegrams):
    (folder / 'days.hex').write_text(''.join(t + '\n' for t in telegrams))
    before = int(node.sql('select count(*) from raw_frame')[0][0])
    gateway = agent(folder, node, '--replay', folder / 'days.hex')
    try:
        wait_for('the frames', lambda: int(node.sql('select count(*) from raw_frame where state = 0')[0][0]) == before + len(telegrams))
    finally:
        gateway.stop()


def stored(node):
    return tuple(int(node.sql(f'select count(*) from {t}')[0][0]) for t in ('reading', 'reading_late', 'reading_block', 'reading_conflict'))


def main():
    with workspace('days') as (dir, nodes):
        node = Node(dir / 'n')
        nodes.append(node)
        node.start()
        t = Tenant(operator(node), 'days')
        folder = t.gateway('gw-1', dir / 'gw', node)
        days = sorted(quiet_days(3))
        profiles = [[1000 * (d + 1) + i for i in range(VALUES)] for d in range(3)]
        frames = [vectors.profile_telegram(METER, day, p, access=i) for i, (day, p) in enumerate(zip(days, profiles))]
        send(node, folder, *frames)
        assert stored(node) == (0, 0, 3, 0), stored(node)
        say('three days came whole and are three blocks, without a row')

        device = t.all('/devices')[0]['id']
        energy = [c for c in t.all(f'/devices/{device}/channels') if c['unit'] == 'Wh']
        assert len(energy) == 1, energy
        channel = energy[0]['id']
        expected = [(d + datetime.timedelta(minutes=15 * i), v) for d, p in zip(days, profiles) for i, v in enumerate(p)]

        def check():
            got = [(datetime.datetime.fromisoformat(r['ts'].rstrip('Z')), int(r['value'])) for r in t.readings(channel)]
            assert got == expected, (len(got), len(expected))
        check()

        # The same days once more, and a server that has forgotten that it knows them.
        send(node, folder, *(vectors.profile_telegram(METER, days[d], profiles[d], access=10 + d) for d in range(3)))
        node.kill()
        node.start()
        send(node, folder, *(vectors.profile_telegram(METER, days[d], profiles[d], access=20 + d) for d in range(3)))
        assert stored(node) == (0, 0, 3, 0), stored(node)
        check()
        say('sent three times, over a kill of the server: each value once')

        wrong = list(profiles[1])
        wrong[40] += 7
        send(node, folder, vectors.profile_telegram(METER, days[1], wrong, access=30))
        assert stored(node) == (0, 0, 3, 1), stored(node)
        kept = node.sql('select kept_mantissa, mantissa from reading_conflict')[0]
        assert kept == [str(profiles[1][40]), str(wrong[40])], kept
        check()
        say('a value that contradicts its block is a conflict at once; the block stands')
        assert node.process.stop() == 0


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    main()
