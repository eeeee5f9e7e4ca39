#!/usr/bin/env python3
"""emt-bench ingest --gateways: a server with its own PostgreSQL, set up as the end-to-end tests do it, and the load of emt-bench ingest-load
over TLS. The database is the embedded one as it comes, with fsync: an acknowledged frame is on the disk.

Arguments: gateways, tenants, frames per second (0: as fast as it goes, then 70 % of it), seconds."""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'e2e'))
sys.dont_write_bytecode = True
from emt import Node, Tenant, build_dir, operator, run, workspace  # noqa: E402

KEY = '0102030405060708090a0b0c0d0e0f10'
VALUES = 4
TICK = os.sysconf('SC_CLK_TCK')


def stat_of(pid):
    return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()


def cpu_of(pid, children=False):
    """Seconds; with those of the children that are or were."""
    fields = stat_of(pid)
    total = (int(fields[11]) + int(fields[12])) / TICK
    if children:
        total += (int(fields[13]) + int(fields[14])) / TICK
        for child in pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split():
            try:
                total += cpu_of(child)
            except OSError:
                pass
    return total


def enrol(dir, node, gateways, tenants):
    op = operator(node)
    all = [Tenant(op, f'tenant-{i}') for i in range(tenants)]
    with open(dir / 'tokens', 'w') as f:
        for i in range(gateways):
            t = all[i % tenants]
            t.post('/gateways', {'id': f'gw-{i}'})
            f.write(f'{t.key} gw-{i} {t.post(f"/gateways/gw-{i}/enrolment")["token"]}\n')
    run([build_dir() / 'emt-fleet', 'enrol', '--server', f'https://localhost:{node.https}', '--pin', node.login()['pin'], '--dir', dir / 'fleet',
         '--tokens', dir / 'tokens'], timeout=900)
    for t in all:
        assert t.post('/meter-keys', f'manufacturer,key\nEMT,{KEY}\n'.encode(), kind='text/csv')['rejected'] == 0


def show(name, value, unit):
    print(json.dumps({'bench': 'ingest', 'name': name, 'value': round(value, 2), 'unit': unit, 'runs': 1}), flush=True)


def drive(dir, node, rate, seconds):
    """Phases of the load with the CPU that server and database took in each: name, figures."""
    postmaster = int((node.dir / 'pg/data/postmaster.pid').read_text().split()[0])
    load = subprocess.Popen([build_dir() / 'emt-bench', 'ingest-load', dir / 'fleet', str(node.field), str(rate), str(seconds)],
                            stdout=subprocess.PIPE, text=True)
    for line in load.stdout:
        f = json.loads(line)
        now = cpu_of(node.process.pid), cpu_of(postmaster, True)
        if f['state'] == 'begin':
            begin = now
        else:
            yield f['phase'], f, [1e6 * (b - a) / f['frames'] for a, b in zip(begin, now)]
    assert load.wait() == 0, 'the load ended early'


def main():
    gateways, tenants, rate, seconds = map(int, sys.argv[1:5])
    with workspace('bench') as (dir, nodes):
        node = Node(dir / 'n')
        nodes.append(node)
        node.start()
        enrol(dir, node, gateways, tenants)
        for phase, f, (server, database) in drive(dir, node, rate, seconds):
            if phase == 'learning':
                show('fleet-unknown-devices', f['frames'] / f['seconds'], '1/s')
                continue
            show(f'fleet-{phase}-readings', VALUES * f['frames'] / f['seconds'], '1/s')
            show(f'fleet-{phase}-emtd-cpu-per-frame', server, 'us')
            show(f'fleet-{phase}-database-cpu-per-value', database / VALUES, 'us')
            show(f'fleet-{phase}-generator-cpu-per-frame', f['own_us'] / f['frames'], 'us')
            show(f'fleet-{phase}-acknowledgement-p50', f['p50_ms'], 'ms')
            show(f'fleet-{phase}-acknowledgement-p99', f['p99_ms'], 'ms')
        values = int(node.sql('select count(*) from reading')[0][0])
        frames, ok = map(int, node.sql('select count(*), count(*) filter (where state = 0) from raw_frame')[0])
        assert frames == ok and values == VALUES * frames, (frames, ok, values)


if __name__ == '__main__':
    main()
