#!/usr/bin/env python3
"""Reports by template: what they list is what REST lists, as CSV, XML and Excel; by mail to their own recipients; ordered by events and read-outs;
meters read first, and those that did not answer named."""
import base64
import csv
import datetime
import email
import io
import json
import random
import re
import socket
import threading
import time
import xml.etree.ElementTree
import zipfile
import zoneinfo
from decimal import Context, Decimal

import emt
import vectors
from emt import wait_for
from sources import iec_block, iec_meter

BERLIN = zoneinfo.ZoneInfo('Europe/Berlin')
PLAIN = {'time_format': 'YYYY-MM-DDTHH:mm:ssZ', 'time_zone': 'UTC', 'decimal_separator': 'point', 'energy_unit': 'Wh', 'line_end': 'lf'}


def problem(call, status, *says):
    try:
        call()
    except emt.Problem as e:
        assert e.status == status and all(s in str(e) for s in says), (e.status, str(e), says)
        return
    raise AssertionError(f'no problem {status} {says}')


def job_done(a, job, seconds=90):
    def ended():
        j = a.get(f"/jobs/{job['id']}")
        return j if j['state'] in ('done', 'failed', 'cancelled') else None
    return wait_for(f'job {job["id"]} to end', ended, seconds)


def run(a, schedule, **more):
    job = job_done(a, a.post(f"/schedules/{schedule['id']}/run", more))
    assert job['state'] == 'done', job
    return job


def content(a, file):
    return a.rest.raw('GET', f"{a.path}/exports/{file['id']}/content")


def refused(a, b):
    for change, says in (({'shape': 'round'}, 'definition.shape'), ({'columns': ['time', 'nonsense']}, 'definition.columns[1]'),
                         ({'columns': 'time'}, 'definition.columns'), ({'decimals': 'two'}, 'definition.decimals'), ({'file_name': '../x'}, 'definition.file_name'),
                         ({'nothing': 1}, 'definition.nothing'), ({'field_separator': 'comma'}, 'definition.decimal_separator'), ({'step_s': 7200}, 'definition.step_s')):
        problem(lambda c=change: a.post('/report-templates', {'name': 'x', 'definition': c}), 400, says)
    problem(lambda: a.post('/report-templates', {'definition': {}}), 400, 'name')
    problem(lambda: a.post('/report-templates', {'name': 'x', 'ready': 'nothing'}), 400, 'ready')
    problem(lambda: a.post('/report-templates', {'name': 'x', 'quantities': ['love']}), 400, 'quantities')
    theirs = b.post('/report-templates', {'name': 'theirs'})
    problem(lambda: a.get(f"/report-templates/{theirs['id']}"), 404)
    new = {'name': 'x', 'cron': '0 3 * * *'}
    problem(lambda: a.post('/schedules', {**new, 'template': theirs['id']}), 400, 'template')
    problem(lambda: a.post('/schedules', new), 400, 'pid')
    mine = a.post('/report-templates', {'name': 'mine'})
    for change, says in (({'pid': '13018'}, 'template'), ({'cron': ''}, 'cron'), ({'mail_to': ['nobody']}, 'mail_to'), ({'mail_to': ['a@b\r\nBcc: c@d']}, 'mail_to'),
                         ({'mail_cc': ['a@b']}, 'mail_to'), ({'interval_s': 7000}, 'interval_s'), ({'on_event': ['a b']}, 'on_event'), ({'retries': 21}, 'retries')):
        problem(lambda c=change: a.post('/schedules', {**new, 'template': mine['id'], **c}), 400, says)
    problem(lambda: a.post('/schedules', {'name': 'x', 'cron': '0 3 * * *', 'pid': '13018', 'until_now': True}), 400, 'until_now')
    a.delete(f"/report-templates/{mine['id']}")
    emt.say('refusals name field and reason; templates of others do not exist')


def listed_by_rest(a, start, end):
    """(ident, quantity, tariff, time, value, quality) of every number that a report is about."""
    rows = []
    for d in a.all('/devices'):
        for c in a.all(f"/devices/{d['id']}/channels"):
            if c['kind'] != 'number' or c['function'] != 'instantaneous' or c['storage'] != 0:
                continue
            for r in a.readings(c['id'], start, end):
                t = datetime.datetime.fromisoformat(r['ts'].replace('Z', '+00:00'))
                rows.append((d['id'], c['quantity'], str(c['tariff']), t.strftime('%Y-%m-%dT%H:%M:%SZ'), Decimal(r['value']), r['quality']))
    return sorted(rows)


def same_as_rest(a):
    """CSV, XML and Excel of one day: value for value what REST gives."""
    day = datetime.datetime.now(BERLIN).date() - datetime.timedelta(days=1)
    start, end = (datetime.datetime.combine(d, datetime.time(), BERLIN).astimezone(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')
                  for d in (day, day + datetime.timedelta(days=1)))
    expected = listed_by_rest(a, start, end)
    assert len(expected) > 500, len(expected)
    columns = ['ident', 'quantity', 'tariff', 'time', 'value', 'quality']
    got = {}
    for kind in ('csv', 'xml', 'xlsx'):
        t = a.post('/report-templates', {'name': f'all {kind}', 'ready': 'values', 'definition': {**PLAIN, 'format': kind, 'columns': columns, 'language': 'en'}})
        s = a.post('/schedules', {'name': f'all {kind}', 'on_event': ['never'], 'template': t['id']})
        file = run(a, s, **{'from': day.isoformat(), 'to': (day + datetime.timedelta(days=1)).isoformat()})['result']['files'][0]
        status, headers, data = content(a, file)
        assert status == 200 and file['kind'] == 'report' and file['messages'] == len(expected), (status, file, len(expected))
        got[kind] = headers['Content-Type'], data
        assert a.get(f"/schedules/{s['id']}")['exported_to'] is None, 'a run by hand moves nothing'
    kind, data = got['csv']
    assert kind == 'text/csv', kind
    rows = list(csv.reader(io.StringIO(data.decode()), delimiter=';'))
    assert rows[0] == ['Device', 'Quantity', 'Tariff', 'Time', 'Value', 'Quality'], rows[0]
    as_tuple = lambda r: (r[0], r[1], r[2], r[3], Decimal(r[4]), r[5])
    assert sorted(map(as_tuple, rows[1:])) == expected
    kind, data = got['xml']
    root = xml.etree.ElementTree.fromstring(data)
    assert sorted(as_tuple([r.find(c).text for c in columns]) for r in root.findall('row')) == expected
    # Numbers of a worksheet are doubles: 15 digits of them count, and spreadsheets show no more.
    shown = Context(prec=15)
    sheet = sorted((*r[:4], shown.create_decimal(r[4]), r[5]) for r in excel(got['xlsx'][1])[1:])
    assert sheet == expected, (len(sheet), len(expected), [pair for pair in zip(sheet, expected) if pair[0] != pair[1]][:3])
    emt.say(f'{len(expected)} values: CSV, XML and Excel as REST lists them')


def excel(data):
    """Rows of the first sheet as texts."""
    ns = {'x': 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'}
    book = zipfile.ZipFile(io.BytesIO(data))
    assert book.testzip() is None and 'xl/workbook.xml' in book.namelist(), book.namelist()
    shared = []
    if 'xl/sharedStrings.xml' in book.namelist():
        shared = [''.join(t.text or '' for t in si.iter(f"{{{ns['x']}}}t")) for si in xml.etree.ElementTree.fromstring(book.read('xl/sharedStrings.xml')).findall('x:si', ns)]
    rows = []
    for row in xml.etree.ElementTree.fromstring(book.read('xl/worksheets/sheet1.xml')).iter(f"{{{ns['x']}}}row"):
        cells = []
        for c in row.findall('x:c', ns):
            assert c.find('x:f', ns) is None, 'a formula'
            if c.get('t') == 'inlineStr':
                cells.append(''.join(t.text or '' for t in c.iter(f"{{{ns['x']}}}t")))
            else:
                v = c.find('x:v', ns).text
                cells.append(shared[int(v)] if c.get('t') == 's' else v)
        rows.append(cells)
    return rows


def shapes(a, energy):
    """Hostile names, code page 1252, decimal comma, a row per meter, LPEX."""
    meter = next(d for d in a.all('/devices') if d['medium'] == 'electricity')
    a.patch(f"/devices/{meter['id']}", {'name': '=cmd|x', 'place': 'Köln "€"; Łódź'})
    look = a.post('/report-preview', {'ready': 'meters', 'quantities': ['energy'], 'definition': {'columns': ['name', 'place', 'value', 'unit']}})['content']
    assert '"\'=cmd|x";"Köln ""€""; Łódź";' in look and ',' in look.split('Łódź')[1], look
    t = a.post('/report-templates', {'name': 'old', 'ready': 'meters', 'quantities': ['energy'], 'definition': {'encoding': 'cp1252', 'columns': ['place', 'value']}})
    s = a.post('/schedules', {'name': 'old', 'cron': '0 4 * * *', 'template': t['id']})
    data = content(a, run(a, s)['result']['files'][0])[2]
    assert b'"K\xf6ln ""\x80""; ?\xf3d?"' in data, data[:300]
    a.patch(f"/report-templates/{t['id']}", {'definition': {'unrepresentable': 'refuse'}})
    job = job_done(a, a.post(f"/schedules/{s['id']}/run", {'from': '2026-01-01', 'to': '2099-01-01'}))
    assert job['state'] == 'failed' and 'U+0141' in job['error'], job
    assert [e for e in a.all('/events') if e['kind'] == 'export-failed' and 'U+0141' in e['detail']]
    problem(lambda: a.delete(f"/report-templates/{t['id']}"), 409, 'schedule')
    t = a.post('/report-templates', {'name': 'lpex', 'ready': 'lpex'})
    s = a.post('/schedules', {'name': 'lpex', 'cron': '0 4 * * *', 'template': t['id'], 'location': vectors.MELO_A, 'days': 2})
    lines = content(a, run(a, s)['result']['files'][0])[2].decode('cp1252').split('\r\n')
    assert lines[0] == 'LPEX V2.0' and lines[1].startswith('Datum;Zeit;') and lines[1].endswith(';MPDauer;Werte') and len(lines) == 5, lines[:3]
    for line in lines[2:4]:
        fields = line.split(';')
        day = datetime.datetime.strptime(fields[0], '%d.%m.%y').date()
        hours = (datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time(), BERLIN).timestamp()
                 - datetime.datetime.combine(day, datetime.time(), BERLIN).timestamp()) / 3600
        assert fields[10] == vectors.MELO_A and len(fields) == 15 + 2 * 4 * hours, len(fields)
    # The energies of the day are the difference of the register.
    values = [Decimal(v.replace(',', '.')) for v in lines[2].split(';')[15::2] if v]
    day = datetime.datetime.strptime(lines[2][:8], '%d.%m.%y').date()
    at = lambda d: datetime.datetime.combine(d, datetime.time(), BERLIN).astimezone(datetime.timezone.utc)

    def register(t):
        r = a.readings(energy['id'], (t - datetime.timedelta(minutes=2)).strftime('%Y-%m-%dT%H:%M:%SZ'), (t + datetime.timedelta(minutes=2)).strftime('%Y-%m-%dT%H:%M:%SZ'))
        return min(r, key=lambda x: abs(datetime.datetime.fromisoformat(x['ts'].replace('Z', '+00:00')) - t))
    if len(values) == 96:
        first, last = register(at(day)), register(at(day + datetime.timedelta(days=1)))
        assert sum(values) * 1000 == Decimal(last['value']) - Decimal(first['value']), (sum(values), first, last)
    emt.say('hostile texts, code page 1252, LPEX')


class Smtp(threading.Thread):
    """A server of one shape: takes everything, keeps it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        self.mails = []

    def run(self):
        while True:
            c, _ = self.socket.accept()
            f = c.makefile('rwb')
            say = lambda t: (f.write(t.encode() + b'\r\n'), f.flush())
            to, body = [], b''
            say('220 test')
            while line := f.readline():
                word = line[:4].upper()
                if word == b'RCPT':
                    to.append(re.search(rb'<(.*?)>', line)[1].decode())
                if word == b'DATA':
                    say('354 go')
                    while (line := f.readline()) != b'.\r\n':
                        body += line
                    self.mails.append((to, body))
                say('221 bye' if word == b'QUIT' else '250 ok')
                if word == b'QUIT':
                    break
            c.close()


def by_mail(a):
    server = Smtp()
    server.start()
    t = a.post('/report-templates', {'name': 'for people', 'ready': 'xlsx', 'quantities': ['energy'],
                                     'definition': {'title': 'Verbrauch', 'company': 'Stadtwerk', 'logo_text': 'SW', 'contact_name': 'Ann', 'contact_mail': 'ann@works.example'}})
    target = a.post('/targets', {'name': 'mail', 'kind': 'mail', 'host': '127.0.0.1', 'port': server.port, 'plain_allowed': True, 'mail_from': 'emt@works.example',
                                 'mail_to': ['default@works.example'], 'mail_subject': 'Report', 'mail_text': 'Attached.'})
    s = a.post('/schedules', {'name': 'by mail', 'cron': '0 5 * * *', 'template': t['id'], 'target': target['id'], 'mail_to': ['a@x.example', 'b@x.example'],
                              'mail_cc': ['c@x.example'], 'mail_bcc': ['secret@x.example'], 'retries': 0, 'retry_s': 30})
    file = run(a, s)['result']['files'][0]
    d = wait_for('the mail', lambda: [x for x in a.all(f"/deliveries?file={file['id']}") if x['state'] not in ('waiting', 'sending')])[0]
    assert d['state'] == 'delivered', d
    to, body = server.mails[-1]
    assert sorted(to) == ['a@x.example', 'b@x.example', 'c@x.example', 'secret@x.example'], to
    m = email.message_from_bytes(body)
    assert 'secret' not in str(m.items()) and 'default@' not in body.decode('latin-1') and 'a@x.example' in m['To'] and 'c@x.example' in m['Cc'], m.items()
    part = next(p for p in m.walk() if p.get_filename())
    assert part.get_filename() == file['file_name'] and part.get_content_type().endswith('spreadsheetml.sheet'), part.get_content_type()
    rows = excel(part.get_payload(decode=True))
    assert rows[0] == ['Bericht', 'Verbrauch'] and ['Kontakt', 'Ann, ann@works.example'] in rows and base64.b64encode(content(a, file)[2])[:60] in body
    emt.say('by mail to the report\'s own recipients, an Excel file')


def events(a, node, dir):
    t = a.post('/report-templates', {'name': 'short', 'ready': 'meters'})
    s = a.post('/schedules', {'name': 'on events', 'on_event': ['installation-finished', 'alarm', 'tamper-*'], 'gap_s': 0, 'until_now': True, 'template': t['id']})
    quiet = a.post('/schedules', {'name': 'after reading', 'after_readout': True, 'quiet_s': 10, 'gap_s': 0, 'until_now': True, 'template': t['id']})
    assert s['next_run_at'] is None
    runs = lambda x: [j for j in a.all('/jobs?kind=schedule&state=done') if any(f['pid'] == str(t['id']) for f in j['result']['files'])
                      and a.get(f"/schedules/{x['id']}")['last_run_at']]
    number = node.sql("select id from tenant where key = 'alpha'")[0][0]
    node.sql(f"insert into event (tenant_id, at, severity, kind) values ({number}, now(), 1, 'tamper-magnet')")
    wait_for('a run by an event', lambda: a.get(f"/schedules/{s['id']}")['last_run_at'])
    first = wait_for('its file', lambda: runs(s))
    node.sql(f"insert into event (tenant_id, at, severity, kind) values ({number}, now(), 0, 'other')")
    folder = a.gateway('g2', dir / 'g2', node)
    a.folders.append(folder)
    p = emt.agent(folder, node, '--simulate', '2', '--seed', '9', '--interval', '300', '--backfill', '1', '--once')
    assert p.popen.wait(60) == 0, p.output()
    wait_for('a run by an installation', lambda: len(runs(s)) > len(first))
    assert [e for e in a.all('/events') if e['kind'] == 'installation-finished']
    wait_for('a run after the read-out', lambda: a.get(f"/schedules/{quiet['id']}")['last_run_at'], 40, 0.5)
    # Each event once, though two nodes look each second.
    seen = node.sql('select count(*), count(distinct (schedule_id, event_id)) from schedule_trigger')[0]
    assert seen[0] == seen[1] == '2', seen
    before = len(runs(s))
    a.patch(f"/schedules/{s['id']}", {'enabled': False})
    a.patch(f"/schedules/{quiet['id']}", {'enabled': False})
    node.sql(f"insert into event (tenant_id, at, severity, kind) values ({number}, now(), 2, 'tamper-open')")
    wait_for('nothing more', lambda: True)
    until = a.get(f"/schedules/{s['id']}")['exported_until']
    assert until and len(runs(s)) >= before
    emt.say('runs by events and after a read-out, each once')


def read_first(a, node, dir):
    """One meter answers, one is heard by radio and cannot be asked: its name stands in the result."""
    state = {'wh': 1000, 'n': 0}
    server = socket.create_server(('127.0.0.1', 0))

    def serve():
        while True:
            c, _ = server.accept()
            state['wh'] += 1
            state['n'] += 1
            block = iec_block(f"0.0.0(1EMT0030000001)\r\n1.8.0({state['wh'] / 1000:011.3f}*kWh)\r\n!\r\n")
            try:
                iec_meter(c.recv, c.sendall, block, False)
            except (AssertionError, OSError):
                pass
            c.close()
    threading.Thread(target=serve, daemon=True).start()
    folder = a.gateway('g3', dir / 'g3', node)
    with open(folder / 'agent.yaml', 'a') as f:
        f.write(f'sources:\n  - name: cellar\n    type: iec62056-21\n    connect: "127.0.0.1:{server.getsockname()[1]}"\n    interval: 3600s\n')
    p = emt.agent(folder, node)
    meter = wait_for('the meter', lambda: [d for d in a.all('/devices') if '30000001' in d['id']], 40, 0.3)[0]
    energy = wait_for('its register', lambda: [c for c in a.all(f"/devices/{meter['id']}/channels") if c['quantity'] == 'energy'])[0]
    a.post('/locations', {'code': vectors.MELO_B, 'kind': 'melo'})
    a.post(f'/locations/{vectors.MELO_B}/bindings', {'channel': energy['id'], 'obis': '1-1:1.8.0', 'device_number': '3', 'valid_from': '2020-01-01T00:00:00Z'})
    t = a.post('/report-templates', {'name': 'now', 'ready': 'meters', 'quantities': ['energy'], 'definition': {'columns': ['meter', 'value'], 'energy_unit': 'Wh', 'decimal_separator': 'point'}})
    s = a.post('/schedules', {'name': 'now', 'cron': '0 6 1 1 *', 'until_now': True, 'read_first': True, 'deadline_s': 30, 'location': vectors.MELO_B, 'template': t['id']})
    node.sql(f"update reading set ts = ts - interval '10 min' where channel_id = {energy['id']}")
    reads = state['n']
    job = run(a, s)
    assert state['n'] > reads and job['result']['notes'] == [], (state, job)
    assert f"{state['wh']}" in content(a, job['result']['files'][0])[2].decode(), (state, content(a, job['result']['files'][0])[2])
    s = a.patch(f"/schedules/{s['id']}", {'location': None, 'deadline_s': 10})
    node.sql("delete from reading where ts > now() - interval '10 min'")
    job = job_done(a, a.post(f"/schedules/{s['id']}/run", {'deadline_s': 10}))
    assert job['state'] == 'done' and job['attempts'] == 1, job
    named = [n for n in job['result']['notes'] if 'not read' in n]
    assert len(named) > 5 and not [n for n in named if '30000001' in n] and 'its gateway was not connected' in str(named), named
    assert node.sql('select count(*) from readout') == [['0']]
    p.stop()
    emt.say('meters are read first; who did not answer is named')


def as_documented(a):
    """The worked example of docs/connectors/README.md, step by step with its own words."""
    page = (emt.ROOT / 'docs' / 'connectors' / 'README.md').read_text()
    body = json.loads(re.search(r'POST /report-preview` with\n\s*```json\n(.*?)```', page, re.S)[1])
    plan = json.loads(re.search(r'\*\*A schedule\*\*: `(\{.*?\})`', page)[1])
    name = json.loads('{' + re.search(r'`"file_name": "[^`]*"`', page)[0].strip('`') + '}')['file_name']
    shown = a.post('/report-preview', body)
    shown = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
    assert 'Mandant;Zaehler;Art;Stichtag;Vormonat;Einheit' in shown and '4711;' in shown, shown[:300]
    template = a.post('/report-templates', {**body, 'name': 'Ablesung', 'definition': {**body['definition'], 'file_name': name}})
    target = a.post('/targets', {'name': 'billing tool', 'kind': 'local', 'path': 'billing'})
    schedule = a.post('/schedules', {**plan, 'template': template['id'], 'target': target['id'], 'read_first': False})
    file = run(a, schedule)['result']['files'][0]
    assert re.fullmatch(r'ablesung_\d{8}\.csv', file['file_name']), file
    wait_for('its delivery', lambda: [d for d in a.all(f"/deliveries?file={file['id']}") if d['state'] == 'delivered'])
    rows = content(a, file)[2].decode('cp1252').splitlines()
    assert rows[0] == 'Mandant;Zaehler;Art;Stichtag;Vormonat;Einheit' and all(r.startswith('4711;') for r in rows[1:]) and len(rows) > 1, rows[:3]
    noted = a.all(f"/exports/{file['id']}/messages")
    assert noted and all(m['pid'] is None and m['values'] > 0 and len(m['channels']) == 1 for m in noted), noted[:2]
    emt.say('the worked example of the documents')


def crashes(a, node, rounds):
    """kill -9 of a node while reports run on two: a job's report stands once, and what they list tiles."""
    t = a.post('/report-templates', {'name': 'tiles', 'ready': 'values'})
    s = a.post('/schedules', {'name': 'tiles', 'on_event': ['never'], 'until_now': True, 'template': t['id']})
    for _ in range(rounds):
        for _ in range(3):
            a.post(f"/schedules/{s['id']}/run", {})
        time.sleep(random.uniform(0, 0.2))
        random.choice(node.nodes()).process.kill()
        node.start()
    wait_for('all jobs to end', lambda: not [j for j in a.all('/jobs?kind=schedule') if j['state'] in ('waiting', 'running')], 120, 0.5)
    files = sorted((f for f in a.all('/exports') if f['pid'] == str(t['id'])), key=lambda f: f['from'])
    assert files and len({f['reference'] for f in files}) == len(files)
    assert all(x['to'] == y['from'] for x, y in zip(files, files[1:])), [(f['from'], f['to']) for f in files]
    assert a.get(f"/schedules/{s['id']}")['exported_until'] == files[-1]['to'], files[-1]
    emt.say(f'{rounds} crashes: {len(files)} reports without gap or overlap')


def main():
    with emt.workspace('reports') as (dir, nodes):
        node = emt.Node(dir / 'n1', extra='delivery:\n  private_networks: true\n')
        nodes.append(node)
        node.start()
        op = emt.operator(node)
        a = emt.Tenant(op, 'alpha', own_mp_id='9900999000106')
        b = emt.Tenant(op, 'beta')
        a.folders = [a.gateway('g1', dir / 'g1', node)]
        keys = emt.run([emt.build_dir() / 'emt-agent', 'meters', '--simulate', '8', '--seed', '7']).stdout
        a.post('/meter-keys', keys.encode(), kind='text/csv')
        p = emt.agent(a.folders[0], node, '--simulate', '8', '--seed', '7', '--interval', '300', '--backfill', '3', '--once')
        assert p.popen.wait(240) == 0, p.output()
        meter = next(d for d in a.all('/devices') if d['medium'] == 'electricity')
        energy = next(c for c in a.all(f"/devices/{meter['id']}/channels")
                      if c['quantity'] == 'energy' and c['storage'] == 0 and c['tariff'] == 0 and 'export' not in c['qualifier'])
        a.post('/locations', {'code': vectors.MELO_A, 'kind': 'melo', 'receiver_mp_id': '9900999000205'})
        a.post(f'/locations/{vectors.MELO_A}/bindings', {'channel': energy['id'], 'obis': '1-1:1.29.0', 'device_number': '1', 'valid_from': '2020-01-01T00:00:00Z'})
        assert {r['name'] for r in a.get('/ready-reports')['items']} >= {'values', 'meters', 'months', 'matrix', 'lpex', 'xml', 'xlsx'}
        refused(a, b)
        same_as_rest(a)
        shapes(a, energy)
        as_documented(a)
        by_mail(a)
        events(a, node, dir)
        read_first(a, node, dir)
        crashes(a, node, 20 if emt.FULL else 3)
    emt.say('done')


if __name__ == '__main__':
    main()
