#!/usr/bin/env python3
"""What operators rely on between a request and its end: jobs that outlive kill -9 and run once, an audit that shows what was changed,
answers that are repeated and not done twice."""
import subprocess
import sys
import threading

import vectors
from emt import FULL, Node, Problem, Tenant, build_dir, operator, run, say, wait_for, workspace


def verify(node, *args):
    p = subprocess.run([build_dir() / 'emtctl', 'audit', 'verify', '--embedded', node.dir, *args], capture_output=True, text=True, timeout=120)
    return p.returncode, p.stdout


def audit(op, node):
    t = Tenant(op, 'audited')
    for i in range(20):
        t.post('/gateways', {'id': f'g{i}'})
    wait_for('all entries are linked', lambda: all(e['chain_no'] for e in t.all('/audit')))
    found = t.get('/audit/verification')
    assert found['ok'] and found['chained'] == found['entries'] == 20, found
    code, text = verify(node)
    assert code == 0 and 'audited: ok' in text and '-: ok' in text, text
    assert verify(node, '--tenant', 'audited')[0] == 0
    assert verify(node, '--tenant', 'nobody')[0] == 1
    assert verify(node, '--tenant')[0] == 2
    # Who has the database may change it; he cannot change it unseen.
    entry = node.sql("SELECT entry_id FROM audit WHERE object = 'g7'")[0][0]
    try:
        node.sql(f"UPDATE audit SET actor = 'nobody' WHERE entry_id = {entry}")
        raise AssertionError('emt_admin changes audit entries')
    except AssertionError as e:
        assert 'permission denied' in str(e), e
    node.sql(f"UPDATE audit SET actor = 'nobody' WHERE entry_id = {entry}", role='emt_owner')
    code, text = verify(node, '--tenant', 'audited')
    assert code == 1 and f'entry {entry}:' in text, text
    found = t.get('/audit/verification')
    assert not found['ok'] and found['first_bad']['entry_id'] == int(entry), found
    code, text = verify(node)
    assert code == 1 and '-: ok' in text, text
    say(f'a changed entry is named: {entry}')


def repeated(op):
    """Twenty clients that all lost the answer and ask again at once."""
    t = Tenant(op, 'repeated')
    answers, mutex = [], threading.Lock()

    def ask():
        answer = t.rest.raw('POST', t.path + '/gateways', {'id': 'once'}, headers={'Idempotency-Key': 'the-same'})
        with mutex:
            answers.append((answer[0], answer[1].get('Idempotency-Replayed'), answer[2]))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    made = [a for a in answers if a[0] == 201]
    assert len(answers) == 20 and {a[0] for a in answers} <= {201, 409, 429}, answers
    assert sum(a[1] is None for a in made) == 1 and len({a[2] for a in made}) == 1, made
    assert len(t.all('/audit?action=gateway.create')) == 1
    say(f'20 times the same request: done once, {len(made)} times the same answer')


def jobs(op, node):
    """An export as a job; its server is killed again and again until it is done."""
    t = Tenant(op, 'jobs', own_mp_id='9900999000106')
    n = 40
    for i in range(n):
        node.sql(f"INSERT INTO location (tenant_id, kind, code, receiver_mp_id) SELECT id, 1, 'DE00099910115000000000000000{i:05d}',"
                 f" '99009990{i:03d}' || '00' FROM tenant WHERE key = 'jobs'")
    job = t.post('/replays', {'state': 'key-needed'})
    ended = wait_for('the replay ends', lambda: (j := t.get(f'/jobs/{job["id"]}'))['state'] == 'done' and j)
    assert ended['result'] == {'frames': 0, 'changed': 0, 'ok': 0} and ended['progress'] == {'done': 0, 'total': 0}, ended
    try:
        t.rest('DELETE', t.path + f'/jobs/{job["id"]}')
        raise AssertionError('an ended job is cancelled')
    except Problem as p:
        assert p.status == 409
    orders = []
    for i in range(10):
        status, headers, data = t.rest.raw('POST', t.path + '/exports', {'pid': '13018', 'from': '2026-01-01', 'to': '2026-01-02'},
                                           headers={'Prefer': 'respond-async', 'Idempotency-Key': f'export-{i}'})
        assert status == 202 and headers['Location'].startswith(t.path + '/jobs/'), (status, data)
        orders.append(headers['Location'])
    node.kill()
    if not FULL:
        node.sql('update job set lease_until = now() where state = 1')  # of the dead: nobody else has any
    node.start()
    for where in orders:
        wait_for('the export ends', lambda where=where: op('GET', where)['state'] in ('done', 'failed'), seconds=90)
    states = [op('GET', where) for where in orders]
    assert all(s['state'] == 'done' and set(s['result']) == {'files', 'notes'} for s in states), states
    assert len(t.all('/jobs?kind=export')) == 10
    # The answer of before the crash is still known.
    status, headers, _ = t.rest.raw('POST', t.path + '/exports', {'pid': '13018', 'from': '2026-01-01', 'to': '2026-01-02'},
                                    headers={'Prefer': 'respond-async', 'Idempotency-Key': 'export-3'})
    assert status == 202 and headers['Location'] == orders[3] and headers['Idempotency-Replayed'] == 'true'
    say(f'{len(orders)} exports ordered, server killed, all done: attempts {[s["attempts"] for s in states]}')


def imports(op):
    t = Tenant(op, 'imports')
    result = t.post('/gateways/import', b'id;name\n' + b''.join(b'g%d;House %d\n' % (i, i) for i in range(500)) + b'-;bad\n', kind='text/csv')
    assert (result['accepted'], result['rejected']) == (500, 1) and len(result['lines']) == 501, result['lines'][-1]
    assert len(t.all('/gateways?q=house%2049&limit=7')) == 11
    result = t.post('/devices/import', b'id,name\nEMT-00000001-01-07,Flat\nEMT-00000001-01-07,Flat 1\nx,y\n', kind='text/csv')
    assert (result['accepted'], result['rejected']) == (2, 1), result
    assert [d['name'] for d in t.all('/devices')] == ['Flat 1']
    result = t.post('/locations/import', f'code;kind\n{vectors.MELO_A};melo\n{vectors.MELO_A};melo\n'.encode(), kind='text/csv')
    assert (result['accepted'], result['rejected']) == (1, 1), result
    assert t.get('/overview')['gateways'] == {'total': 500, 'connected': 0, 'revoked': 0}
    say('imports: each line has its result')


def main():
    with workspace('foundation') as (dir, nodes):
        node = Node(dir / 'node')
        nodes.append(node)
        node.start()
        op = operator(node)
        version = node.rest()('GET', '/api/v1/version')
        assert version['name'] == 'EMT Platform' and version['schema'] >= 3, version
        assert [n['alive'] for n in op('GET', '/api/v1/nodes')['items']] == [True, True]
        imports(op)
        repeated(op)
        audit(op, node)
        jobs(op, node)
        assert node.process.stop() == 0
    return 0


if __name__ == '__main__':
    sys.exit(main())
