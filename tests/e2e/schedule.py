#!/usr/bin/env python3
"""Exports that run by themselves: schedules on two nodes, deliveries with retries and a second target, kill -9 in between."""
import datetime
import http.server
import random
import ssl
import subprocess
import threading
import time
import zoneinfo

import emt
import vectors

BERLIN = zoneinfo.ZoneInfo('Europe/Berlin')


def market(a, node):
    """One meter with three days of load, bound to a MeLo."""
    csv = emt.run([emt.build_dir() / 'emt-agent', 'meters', '--simulate', '12', '--seed', '7']).stdout
    a.post('/meter-keys', csv.encode(), kind='text/csv')
    p = emt.agent(a.folders[0], node, '--simulate', '12', '--seed', '7', '--interval', '300', '--backfill', '3', '--once')
    assert p.popen.wait(240) == 0, p.output()
    meter = next(d for d in a.all('/devices') if d['medium'] == 'electricity')
    energy = next(c for c in a.all(f"/devices/{meter['id']}/channels")
                  if c['quantity'] == 'energy' and c['storage'] == 0 and c['tariff'] == 0 and 'export' not in c['qualifier'])
    a.post('/locations', {'code': vectors.MELO_A, 'kind': 'melo', 'receiver_mp_id': '9900999000205'})
    a.post(f'/locations/{vectors.MELO_A}/bindings', {'channel': energy['id'], 'obis': '1-1:1.29.0', 'device_number': '1', 'valid_from': '2020-01-01T00:00:00Z'})


def job_done(a, job, seconds=60):
    def ended():
        j = a.get(f"/jobs/{job['id']}")
        return j if j['state'] in ('done', 'failed', 'cancelled') else None
    return emt.wait_for(f'job {job["id"]} to end', ended, seconds)


def problem(call, status, *says):
    try:
        call()
    except emt.Problem as e:
        assert e.status == status and all(s in str(e) for s in says), (e.status, str(e), says)
        return
    raise AssertionError(f'no problem {status} {says}')


def refused(a, b):
    """What is incomplete is refused by name; what belongs to another tenant does not exist."""
    new = {'name': 'x', 'kind': 'sftp', 'host': 'h', 'user': 'u', 'password': 'p'}
    problem(lambda: a.post('/targets', new), 400, 'host_key')
    problem(lambda: a.post('/targets', {**new, 'kind': 'pigeon'}), 400, 'kind')
    problem(lambda: a.post('/targets', {'kind': 'local', 'path': 'edi'}), 400, 'name')
    problem(lambda: a.post('/targets', {'name': 'x', 'kind': 'local', 'path': '../b'}), 400, 'path')
    problem(lambda: a.post('/targets', {'name': 'x', 'kind': 'mail', 'host': 'h', 'mail_from': 'a@b', 'mail_to': ['no']}), 400, 'to')
    problem(lambda: a.post('/targets', {'name': 'x', 'kind': 'mail', 'host': 'h', 'mail_from': 'a@b', 'mail_to': [1]}), 400, 'mail_to')
    for change, says in (({'cron': '* * * * 9'}, 'day of the week'), ({'cron': '0 0 30 2 *'}, 'no month'), ({'pid': '13999'}, 'pid'),
                         ({'days': 181}, 'days'), ({'location': vectors.MALO_A}, 'location'), ({'document': 'Z41'}, 'document'), ({'second_target': 1}, 'second_target')):
        problem(lambda c=change: a.post('/schedules', {'name': 'x', 'cron': '0 3 * * *', 'pid': '13018', **c}), 400, says)
    problem(lambda: a.post('/schedules', {'cron': '0 3 * * *', 'pid': '13018'}), 400, 'name')
    t = b.post('/targets', {'name': 'theirs', 'kind': 'local', 'path': 'edi'})
    problem(lambda: a.get(f"/targets/{t['id']}"), 404)
    problem(lambda: a.post('/schedules', {'name': 'x', 'cron': '0 3 * * *', 'pid': '13018', 'target': t['id']}), 409)
    problem(lambda: a.post(f"/targets/{t['id']}/test", {}), 404)
    emt.say('refusals name field and reason')


def secrets(a, node):
    t = a.post('/targets', {'name': 'partner', 'kind': 'ftps', 'host': 'ftp.example', 'path': '/in', 'user': 'u', 'password': 'hunter2-hunter2'})
    assert t['secrets'] == ['password'] and 'hunter2' not in str(a.get(f"/targets/{t['id']}")) + str(a.get('/targets'))
    assert node.sql("select count(*) from delivery_secret where position('hunter2'::bytea in blob) > 0") == [['0']]
    t = a.patch(f"/targets/{t['id']}", {'password': None, 'host': 'other.example'})
    assert t['secrets'] == [] and t['host'] == 'other.example' and t['user'] == 'u' and t['revision'] == 2, t
    assert not [e for e in a.all('/audit') if 'hunter2' in str(e)]
    a.delete(f"/targets/{t['id']}")
    problem(lambda: a.get(f"/targets/{t['id']}"), 404)
    emt.say('secrets go in and never come out')


def by_hand(a, node, outbox):
    target = a.post('/targets', {'name': 'folder', 'kind': 'local', 'path': 'edi'})
    job = job_done(a, a.post(f"/targets/{target['id']}/test", {}))
    assert job['result']['outcome'] == 'delivered', job
    sample = list((outbox / 'edi').iterdir())
    assert len(sample) == 1 and b'test' in sample[0].read_bytes()
    sample[0].unlink()
    s = a.post('/schedules', {'name': 'nightly', 'cron': '?10-40 3 * * *', 'pid': '13018', 'target': target['id']})
    next_run = datetime.datetime.fromisoformat(s['next_run_at'].replace('Z', '+00:00')).astimezone(BERLIN)
    assert next_run.hour == 3 and 10 <= next_run.minute <= 40, s
    job = job_done(a, a.post(f"/schedules/{s['id']}/run", {}))
    assert job['state'] == 'done' and len(job['result']['files']) == 1, job
    file = job['result']['files'][0]
    d = emt.wait_for('the delivery', lambda: [x for x in a.all(f"/deliveries?file={file['id']}") if x['state'] == 'delivered'])[0]
    assert d['tries'] == 1 and d['outcome'] == 'delivered' and 'outbox' not in d['detail'], d
    path = outbox / 'edi' / file['file_name']
    emt.run([emt.build_dir() / 'emtctl', 'mscons', 'check', '--name', path])
    today = datetime.datetime.now(BERLIN).date().isoformat()
    assert a.get(f"/schedules/{s['id']}")['exported_to'] == today
    again = job_done(a, a.post(f"/schedules/{s['id']}/run", {}))
    assert again['state'] == 'done' and again['result']['files'] == [], again
    # Four days ago is what the next run begins with, once it is not delivered.
    node.sql(f"update export_schedule set exported_to = current_date - 3 where schedule_id = {s['id']}", tenant=1)
    more = job_done(a, a.post(f"/schedules/{s['id']}/run", {}))
    assert more['result']['files'] and more['result']['files'][0]['from'] < file['from'], more
    problem(lambda: a.delete(f"/targets/{target['id']}"), 409, 'names this target')
    emt.say('a file by hand: written, checked, delivered; nothing twice')
    return target, s


def by_the_clock(a, nodes, target):
    """Every minute, two nodes: once each."""
    s = a.post('/schedules', {'name': 'each minute', 'cron': '* * * * *', 'pid': '13018', 'target': target['id']})
    most = 4 if emt.FULL else 1
    emt.wait_for('runs', lambda: len([j for j in a.all('/jobs?kind=schedule&state=done') if j['created_at'] > s['created_at']]) >= most, 300, 1)
    time.sleep(2)
    a.patch(f"/schedules/{s['id']}", {'enabled': False})
    runs = [j for j in a.all('/jobs?kind=schedule') if j['created_at'] > s['created_at']]
    minutes = [j['created_at'][:16] for j in runs]
    assert len(set(minutes)) == len(minutes), minutes
    assert a.get(f"/schedules/{s['id']}")['next_run_at'] is None
    emt.say('by the clock: each minute once, on two nodes')


def missed(a, node, target):
    def fell(run_missed):
        s = a.post('/schedules', {'name': f'missed {run_missed}', 'cron': '0 3 * * *', 'pid': '13018', 'target': target['id'], 'run_missed': run_missed})
        node.sql(f"update export_schedule set next_run_at = now() - interval '3 hours' where schedule_id = {s['id']}")
        emt.wait_for('a new time', lambda: a.get(f"/schedules/{s['id']}")['next_run_at'] > datetime.datetime.utcnow().isoformat())
        return a.get(f"/schedules/{s['id']}")
    assert fell(True)['last_run_at'] is not None
    assert fell(False)['last_run_at'] is None
    emt.say('a run that was missed is made up for, or not, as asked')


class Receiver(http.server.BaseHTTPRequestHandler):
    status = 503
    got = []

    def do_POST(self):
        Receiver.got.append(self.rfile.read(int(self.headers['Content-Length'])))
        self.send_response(self.status)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *args):
        pass


def failures(a, node, dir, schedule, folder):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext',
                    'subjectAltName=DNS:localhost', '-keyout', dir / 'r.key', '-out', dir / 'r.pem'], check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Receiver)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(dir / 'r.pem', dir / 'r.key')
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    t = a.post('/targets', {'name': 'partner api', 'kind': 'https', 'host': 'localhost', 'port': server.server_port, 'path': '/in',
                            'ca': (dir / 'r.pem').read_text(), 'bearer': 'secret-token'})
    a.patch(f"/schedules/{schedule['id']}", {'target': t['id'], 'second_target': folder['id'], 'days': 1})
    file = job_done(a, a.post(f"/schedules/{schedule['id']}/run", {}))['result']['files'][0]

    def of(target, state):
        return [d for d in a.all(f"/deliveries?file={file['id']}&state={state}") if d['target'] == target['id']]
    d = emt.wait_for('a first try', lambda: [x for x in of(t, 'waiting') if x['tries'] == 1])[0]
    assert d['outcome'] == 'retry' and '503' in d['detail'], d
    # Daily ones are tried six more times, an hour apart: here at once.
    hurry = f"update job set run_at = now() where kind = 'delivery' and state = 0 and payload->>'id' = '{d['id']}'"

    def failed():
        node.sql(hurry)
        return of(t, 'failed')
    d = emt.wait_for('the end of the tries', failed, 90, 0.3)[0]
    assert d['tries'] == 7 and len(Receiver.got) == 7, (d, len(Receiver.got))
    emt.wait_for('the second target', lambda: of(folder, 'delivered'))
    assert [e for e in a.all('/events') if e['kind'] == 'delivery-failed' and '503' in e['detail'] and e['severity'] == 'alarm']
    Receiver.status = 422
    a.post(f"/exports/{file['id']}/deliveries", {'target': t['id']})
    emt.wait_for('a refusal', lambda: [x for x in of(t, 'failed') if x['tries'] == 1 and '422' in x['detail']])
    Receiver.status = 201
    a.post(f"/exports/{file['id']}/deliveries", {'target': t['id']})
    emt.wait_for('the delivery', lambda: of(t, 'delivered'))
    before = len(Receiver.got)
    assert a.post(f"/exports/{file['id']}/deliveries", {'target': t['id']})['state'] == 'delivered'
    time.sleep(1.5)
    assert len(Receiver.got) == before, 'delivered once more'
    problem(lambda: a.post('/exports/999999/deliveries', {'target': t['id']}), 404)
    a.patch(f"/schedules/{schedule['id']}", {'target': folder['id'], 'second_target': None})
    server.shutdown()
    emt.say('a partner that fails: tries, second target, alarm, once more by hand')


def retries(a, node):
    """How often a file is tried again, by how often its schedule runs, and as a schedule says itself: counted to the last try."""
    nobody = a.post('/targets', {'name': 'nobody there', 'kind': 'https', 'host': 'localhost', 'port': 1, 'path': '/edi', 'user': 'u', 'password': 'p'})['id']
    template = a.post('/report-templates', {'name': 'few', 'ready': 'meters'})['id']
    plans = [({'cron': c}, n, s) for c, n, s in (('* * * * *', 1, 60), ('*/15 * * * *', 1, 60), ('*/20 * * * *', 2, 300), ('5 * * * *', 2, 300),
                                                 ('0 */2 * * *', 3, 500), ('0 3,15 * * *', 3, 500), ('0 6 * * *', 6, 3600), ('0 6 * * mon', 6, 3600))]
    plans += [({'on_event': ['never']}, 6, 3600), ({'cron': '0 6 * * *', 'retries': 0, 'retry_s': 10}, 0, 10), ({'cron': '* * * * *', 'retries': 4, 'retry_s': 77}, 4, 77)]
    made = {}
    for i, (plan, n, wait) in enumerate(plans):
        # Off, so that only this run is; its pattern counts all the same.
        schedule = a.post('/schedules', {'name': f'retries {i}', 'template': template, 'target': nobody, 'enabled': False, **plan})
        file = job_done(a, a.post(f"/schedules/{schedule['id']}/run", {}))['result']['files'][0]['id']
        made[file] = (plan, n, wait)
    assert node.sql(f"select file_id, retries, retry_s from delivery where target_id = {nobody} order by 1") == [[str(f), str(n), str(w)] for f, (_, n, w) in sorted(made.items())]

    def tried():
        """All deliveries, once none of them is to be tried before its time."""
        busy = node.sql("select count(*) from job where kind = 'delivery' and (state = 1 or state = 0 and run_at <= now())")[0][0]
        now = {d['file']: d for d in a.all('/deliveries') if d['file'] in made}
        return now if busy == '0' and all(d['tries'] and d['state'] != 'sending' for d in now.values()) else None
    for round in range(1, 8):
        for file, d in emt.wait_for(f'try {round}', tried, 60, 0.3).items():
            plan, n, wait = made[file]
            assert (d['state'], d['tries']) == (('waiting', round) if round <= n else ('failed', n + 1)), (plan, round, d)
            if d['state'] == 'waiting':
                due = node.sql(f"select round(extract(epoch from j.run_at - d.tried_at)) from job j join delivery d on d.delivery_id = (j.payload->>'id')::int8"
                               f" where j.kind = 'delivery' and j.state = 0 and d.delivery_id = {d['id']}")
                assert len(due) == 1 and abs(int(due[0][0]) - wait) <= 10, (plan, due)
        node.sql("update job set run_at = now() where kind = 'delivery' and state = 0")
    assert {e['detail'].split(' to ')[1].split(':')[0] for e in a.all('/events') if e['kind'] == 'delivery-failed'} >= {'nobody there'}
    emt.say('tries of files by how often they are made, and as the schedule says')


def crashes(a, nodes, schedule, outbox, rounds):
    """kill -9 between writing, numbering and delivering: each file once, each number once."""
    rng = random.Random(1)
    node = nodes[0]
    before = {f['id'] for f in a.all('/exports')}
    for _ in range(rounds):
        a.post(f"/schedules/{schedule['id']}/run", {})
        time.sleep(rng.uniform(0, 0.25))
        node.process.kill()
        node.start()
    emt.wait_for('all jobs to end', lambda: not [j for j in a.all('/jobs') if j['kind'] in ('schedule', 'delivery') and j['state'] in ('waiting', 'running')], 240, 1)
    files = [f for f in a.all('/exports') if f['id'] not in before]
    assert files and len({f['reference'] for f in files}) == len(files)
    for f in files:
        d = a.all(f"/deliveries?file={f['id']}")
        assert [x['state'] for x in d] == ['delivered'], (f, d)
        assert (outbox / 'edi' / f['file_name']).read_text(encoding='latin-1') == a.get(f"/exports/{f['id']}/content")
    assert not [p for p in (outbox / 'edi').iterdir() if p.name.startswith('.')], 'a part was left'
    emt.say(f'{rounds} crashes: {len(files)} files, each delivered once')


def main():
    with emt.workspace('schedule') as (dir, nodes):
        node1 = emt.Node(dir / 'n1')
        nodes.append(node1)
        node1.start()
        op = emt.operator(node1)
        a = emt.Tenant(op, 'alpha', own_mp_id='9900999000106')
        b = emt.Tenant(op, 'beta', own_mp_id='9900999000304')
        a.folders = [a.gateway('g1', dir / 'g1', node1)]
        number = node1.sql("select id from tenant where key = 'alpha'")[0][0]
        outbox = dir / 'n1' / 'outbox' / number
        market(a, node1)
        refused(a, b)
        secrets(a, node1)
        target, schedule = by_hand(a, node1, outbox)
        missed(a, node1, target)
        by_the_clock(a, node1.nodes(), target)
        failures(a, node1, dir, schedule, target)
        retries(a, node1)
        crashes(a, [node1.companion], schedule, outbox, 60 if emt.FULL else 8)
    emt.say('done')


main()
