#!/usr/bin/env python3
"""What becomes of a file behind its delivery: answers by REST, folder and command line, matched to files and messages of their own partner
only; states, alarms, deadlines; sending rejected ones once more; and from a value to everything that carried it."""
import datetime
import re
import time
import zoneinfo

import emt
import vectors

BERLIN = zoneinfo.ZoneInfo('Europe/Berlin')
OURS, PARTNER, STRANGER = '9900999000106', '9900999000205', '9900999000304'
EDIFACT = 'application/edifact'
_count = 0


def envelope(kind, body, sender=PARTNER, recipient=OURS):
    """Segments with the envelope around them; (reference, bytes)."""
    global _count
    _count += 1
    ref = f'E{_count}'
    segments = [f'UNH+1+{kind}', *body]
    text = f"UNB+UNOC:3+{sender}:500+{recipient}:500+261121:0320+{ref}'" + ''.join(s + "'" for s in segments)
    return ref, (text + f"UNT+{len(segments) + 1}+1'UNZ+1+{ref}'").encode('latin-1')


def contrl(file, action='7', more=(), **parties):
    return envelope('CONTRL:D:3:UN:2.0b', [f"UCI+{file['reference']}+{OURS}:500+{parties.get('sender', PARTNER)}:500+{action}", *more], **parties)


def aperak(file, error, document, text='who is this?'):
    return envelope('APERAK:D:07B:UN:2.2', ['BGM+313+AP', f"RFF+ACE:{file['reference']}", f'ERC+{error}', f'FTX+ABO+++{text.replace("?", "??")}', f'RFF+ACW:{document}'])


def problem(call, status, *says):
    try:
        call()
    except emt.Problem as e:
        assert e.status == status and all(s in str(e) for s in says), (e.status, str(e), says)
        return
    raise AssertionError(f'no problem {status} {says}')


def job_done(a, job, seconds=60):
    def ended():
        j = a.get(f"/jobs/{job['id']}")
        return j if j['state'] in ('done', 'failed', 'cancelled') else None
    return emt.wait_for(f'job {job["id"]} to end', ended, seconds)


def market(a, node):
    """A meter with three days of load, bound to two MeLos of one partner; the channel."""
    csv = emt.run([emt.build_dir() / 'emt-agent', 'meters', '--simulate', '12', '--seed', '7']).stdout
    a.post('/meter-keys', csv.encode(), kind='text/csv')
    p = emt.agent(a.folder, node, '--simulate', '12', '--seed', '7', '--interval', '300', '--backfill', '3', '--once')
    assert p.popen.wait(240) == 0, p.output()
    meter = next(d for d in a.all('/devices') if d['medium'] == 'electricity')
    energy = next(c for c in a.all(f"/devices/{meter['id']}/channels")
                  if c['quantity'] == 'energy' and c['storage'] == 0 and c['tariff'] == 0 and 'export' not in c['qualifier'])
    for melo in (vectors.MELO_A, vectors.MELO_B):
        a.post('/locations', {'code': melo, 'kind': 'melo', 'receiver_mp_id': PARTNER})
        a.post(f'/locations/{melo}/bindings', {'channel': energy['id'], 'obis': '1-1:1.29.0', 'device_number': '1', 'valid_from': '2020-01-01T00:00:00Z'})
    return energy


def export(a, target=None, days_ago=1):
    """The load profile of both places on one day, delivered to the target."""
    day = datetime.datetime.now(BERLIN).date() - datetime.timedelta(days=days_ago)
    files = a.post('/exports', {'pid': '13018', 'from': str(day), 'to': str(day + datetime.timedelta(days=1))})['files']
    assert len(files) == 1 and files[0]['state'] == 'written', files
    if target:
        a.post(f"/exports/{files[0]['id']}/deliveries", {'target': target['id']})
        emt.wait_for('the delivery', lambda: a.get(f"/exports/{files[0]['id']}")['state'] == 'delivered')
    return a.get(f"/exports/{files[0]['id']}")


def messages(a, file):
    return a.all(f"/exports/{file['id']}/messages")


def events(a, kind):
    return [e for e in a.all('/events') if e['kind'] == kind]


def accepted(a, target):
    file = export(a, target)
    assert file['due_at'] > file['delivered_at'] and file['replaces'] is None
    sent = messages(a, file)
    assert {m['location'] for m in sent} == {vectors.MELO_A, vectors.MELO_B} and {m['state'] for m in sent} == {'delivered'}, sent
    ref, data = contrl(file)
    got = a.post('/acknowledgements', data, kind=EDIFACT)
    assert not got['repeated'] and got['reference'] == ref and got['notes'][0]['file'] == file['id'] and got['unmatched'] == 0, got
    file = a.get(f"/exports/{file['id']}")
    assert file['state'] == 'accepted' and file['state_text'] == f'CONTRL {ref}', file
    assert {m['state'] for m in messages(a, file)} == {'accepted'}
    # A duplicate changes nothing, neither the same bytes nor the same said again.
    again = a.post('/acknowledgements', data, kind=EDIFACT)
    assert again['repeated'] and again['id'] == got['id'] and again['repeats'] == 1, again
    assert a.get(f"/exports/{file['id']}") == file
    a.post('/acknowledgements', contrl(file)[1], kind=EDIFACT)
    assert a.get(f"/exports/{file['id']}") == file
    assert len(a.all(f"/acknowledgements?file={file['id']}")) == 2
    assert a.get(f"/acknowledgements/{got['id']}/content") == data.decode('latin-1')
    assert a.get(f"/acknowledgements/{got['id']}")['notes'] == got['notes']
    problem(lambda: a.post(f"/exports/{file['id']}/resend"), 409, 'not rejected')
    emt.say('accepted; a duplicate changes nothing')
    return file


def rejected_and_sent_again(a, target, outbox):
    file = export(a, target, days_ago=2)
    bad = messages(a, file)[1]
    a.post('/acknowledgements', contrl(file, '7', [f"UCM+{bad['nth']}+MSCONS:D:04B:UN:2.5+4", 'UCS+14', 'UCD+12+2:2'])[1], kind=EDIFACT)
    file = a.get(f"/exports/{file['id']}")
    assert file['state'] == 'rejected' and '12, segment 14, element 2.2' in file['state_text'], file
    assert [m['state'] for m in messages(a, file)] == ['accepted', 'rejected']
    alarm = events(a, 'export-rejected')[0]
    assert alarm['severity'] == 'alarm' and file['reference'] in alarm['detail'] and '14' in alarm['detail'], alarm
    job = job_done(a, a.post(f"/exports/{file['id']}/resend"))
    assert job['state'] == 'done' and len(job['result']['files']) == 1, job
    new = emt.wait_for('the new file', lambda: [f for f in a.all('/exports') if f['replaces'] == file['id'] and f['state'] == 'delivered'])[0]
    assert new['reference'] != file['reference'] and new['messages'] == 1, new
    sent = messages(a, new)[0]
    assert sent['location'] == bad['location'] and sent['document'] != bad['document'], (sent, bad)
    assert a.get(f"/exports/{file['id']}")['replaced_by'] == new['id']
    path = outbox / 'edi' / new['file_name']
    emt.run([emt.build_dir() / 'emtctl', 'mscons', 'check', '--name', path])
    problem(lambda: a.post(f"/exports/{file['id']}/resend"), 409, 'taken its place')
    # An application error of the new one, by its document number.
    a.post('/acknowledgements', contrl(new)[1], kind=EDIFACT)
    ref, data = aperak(new, 'Z20', sent['document'])
    a.post('/acknowledgements', data, kind=EDIFACT)
    new = a.get(f"/exports/{new['id']}")
    assert new['state'] == 'application-error' and new['state_text'] == f'APERAK {ref}: Z20, who is this?', new
    assert events(a, 'export-refused')
    third = job_done(a, a.post(f"/exports/{new['id']}/resend"))['result']['files'][0]
    assert a.get(f"/exports/{third['id']}")['replaces'] == new['id']
    assert [x for x in a.all('/audit?action=export.resend')]
    # What the partner holds already, from a file before, is not sent to it again.
    twice = export(a, target)
    a.post('/acknowledgements', contrl(twice, '4+26')[1], kind=EDIFACT)
    job = job_done(a, a.post(f"/exports/{twice['id']}/resend"))
    assert job['result']['files'] == [] and 'holds the same' in job['result']['notes'][0], job
    # In the place of a test file comes a test file.
    day = datetime.datetime.now(BERLIN).date() - datetime.timedelta(days=1)
    test = a.post('/exports', {'pid': '13018', 'from': str(day), 'to': str(day + datetime.timedelta(days=1)), 'test': True})['files'][0]
    a.post('/acknowledgements', contrl(test, '4+26')[1], kind=EDIFACT)
    made = job_done(a, a.post(f"/exports/{test['id']}/resend"))['result']['files'][0]
    assert re.search(r"^(UNA.{6})?UNB[^']*\+1'", a.get(f"/exports/{made['id']}/content")), 'sent in earnest'
    emt.say('rejected and refused, and sent again with new numbers')
    return file, new


def nobody_elses(a, b, target):
    file = export(a, target)
    for data, who in ((contrl(file, '4+28', sender=STRANGER)[1], a), (contrl(file, '4+28')[1], b), (contrl({'reference': 'NOSUCH'}, '4+28')[1], a)):
        got = who.post('/acknowledgements', data, kind=EDIFACT)
        assert got['unmatched'] == 1 and got['notes'][0]['file'] is None, got
    assert a.get(f"/exports/{file['id']}")['state'] == 'delivered'
    assert len(a.all('/acknowledgements?unmatched=true')) == 2 and len(events(a, 'acknowledgement-unmatched')) == 2
    assert len(b.all('/acknowledgements')) == 1
    problem(lambda: b.get(f"/exports/{file['id']}/messages"), 404)
    problem(lambda: b.post(f"/exports/{file['id']}/resend"), 404)
    problem(lambda: b.get(f"/acknowledgements/{a.all('/acknowledgements')[0]['id']}"), 404)
    for data, says in ((b'', 'EDIFACT'), (b'{"json": 1}', 'EDIFACT'), (contrl(file)[1][:-4], 'segment'), (contrl(file)[1].replace(b'UNT+3', b'UNT+4'), 'UNT'),
                       (a.get(f"/exports/{file['id']}/content").encode('latin-1'), 'neither CONTRL nor APERAK')):
        problem(lambda d=data: a.post('/acknowledgements', d, kind=EDIFACT), 400, says)
    problem(lambda: a.post('/acknowledgements', b"UNB+UNOC:3" + b'x' * (1 << 20), kind=EDIFACT), 413)
    assert a.get(f"/exports/{file['id']}")['state'] == 'delivered'
    emt.say('nobody answers for another partner or another tenant; what is damaged is refused')
    return file


def by_folder(a, file, outbox, node):
    folder = outbox / 'acknowledgements'
    folder.mkdir()
    ref, data = contrl(file)
    (folder / '.part-of-it').write_bytes(data[:40])
    (folder / 'CONTRL_1.txt').write_bytes(data)
    (folder / 'words.txt').write_bytes(b'not EDIFACT')
    emt.wait_for('the folder to be looked through', lambda: (folder / 'done' / 'CONTRL_1.txt').exists() and (folder / 'refused' / 'words.txt').exists(), 60, 0.5)
    assert a.get(f"/exports/{file['id']}")['state'] == 'accepted'
    got = next(x for x in a.all('/acknowledgements') if x['reference'] == ref)
    assert got['source'] == 'folder' and got['file_name'] == 'CONTRL_1.txt', got
    assert events(a, 'acknowledgement-refused') and (folder / '.part-of-it').exists()
    emt.say('by folder')


def by_command(a, target, dir, node):
    file = export(a, target)
    ref, data = contrl(file)
    path = dir / 'contrl.edi'
    path.write_bytes(data)
    where = ['--tenant', 'alpha', '--embedded', node.dir]
    out = emt.run([emt.build_dir() / 'emtctl', 'acknowledge', *where, path]).stdout
    assert ref in out and 'matched 1' in out, out
    assert 'came before' in emt.run([emt.build_dir() / 'emtctl', 'acknowledge', *where, path]).stdout
    assert a.get(f"/exports/{file['id']}")['state'] == 'accepted'
    path.write_bytes(b'words')
    assert 'EDIFACT' in emt.run([emt.build_dir() / 'emtctl', 'acknowledge', *where, path], ok=(1,)).stderr
    assert 'usage' in emt.run([emt.build_dir() / 'emtctl', 'acknowledge', path], ok=(2,)).stderr
    emt.say('by command')


def overdue(a, target, node):
    file = export(a, target)
    assert a.rest('PUT', a.path + f'/acknowledgement-rules/{PARTNER}', {'within_s': 3600}) == {'partner': PARTNER, 'within_s': 3600}
    problem(lambda: a.rest('PUT', a.path + '/acknowledgement-rules/nobody', {'within_s': 3600}), 404)
    problem(lambda: a.rest('PUT', a.path + '/acknowledgement-rules/default', {'within_s': -1}), 400, 'within_s')
    node.sql(f"update export_file set delivered_at = now() - interval '2 hours' where file_id = {file['id']}")
    emt.wait_for('it to be overdue', lambda: a.get(f"/exports/{file['id']}")['state'] == 'overdue', 30)
    assert {m['state'] for m in messages(a, file)} == {'overdue'}
    assert [e for e in events(a, 'export-overdue') if file['file_name'] in e['detail'] and e['severity'] == 'alarm']
    a.post('/acknowledgements', contrl(file)[1], kind=EDIFACT)
    assert a.get(f"/exports/{file['id']}")['state'] == 'accepted'
    a.delete(f'/acknowledgement-rules/{PARTNER}')
    assert a.get('/acknowledgement-rules') == {'items': [], 'without_rule_s': 86400}
    emt.say('overdue by the rule of its partner, and accepted late')


def trace(a, b, channel, first, rejected, new):
    """From a value to its frame and gateway, and to each file, delivery and answer; and back."""
    bad = next(m for m in messages(a, rejected) if m['state'] == 'rejected')
    assert bad['channels'] == [channel['id']] and bad['obis'] == ['1-1:1.29.0'], bad
    values = a.readings(channel['id'], bad['from'], bad['to'])
    at = values[len(values) // 2]['ts']
    t = a.get(f"/channels/{channel['id']}/trace?at={at}")
    assert t['value']['ts'] == at and t['value']['value'] == values[len(values) // 2]['value'], t
    assert t['frames'] and t['frames'][0]['gateway'] == 'g1', t['frames']
    frame = t['frames'][0]
    assert [f['holds_value'] for f in t['frames']].count(True) >= 1 and frame['holds_value'], t['frames']
    whole = a.get(f"/frames/{frame['gateway']}/{frame['spool']}/{frame['seq']}")
    assert whole['device'] == t['device'] and whole['explain']['records'], whole
    by_file = {s['file']['id']: s for s in t['sent'] if s['message']['location'] == bad['location']}
    assert {rejected['id'], new['id']} <= set(by_file), by_file.keys()
    assert by_file[rejected['id']]['message']['id'] == bad['id'] and by_file[rejected['id']]['file']['state'] == 'rejected'
    assert by_file[rejected['id']]['deliveries'][0]['state'] == 'delivered'
    notes = by_file[rejected['id']]['acknowledgements']
    assert [n['level'] for n in notes] == ['interchange', 'message', 'element'] and notes[2]['code'] == '12', notes
    assert [n['code'] for n in by_file[new['id']]['acknowledgements']] == ['', 'Z20']
    # Nothing was sent of the day before the first file.
    early = a.get(f"/channels/{channel['id']}/trace?at=2020-01-01T00:00:00Z")
    assert early['value'] is None and early['sent'] == [] and early['frames'] == []
    problem(lambda: a.get(f"/channels/{channel['id']}/trace"), 400, 'at')
    problem(lambda: b.get(f"/channels/{channel['id']}/trace?at={at}"), 404)
    assert [x for x in a.all('/audit?action=reading') if str(channel['id']) in x['object'] or str(channel['id']) in x['detail']]
    emt.say('a value is traced to frame, gateway, files, deliveries and answers')


def asked(a, target, pid='13018', days_ago=1, **more):
    """An export of one day as a job, delivered; the one file of it."""
    day = datetime.datetime.now(BERLIN).date() - datetime.timedelta(days=days_ago)
    job = a.rest('POST', a.path + '/exports', {'pid': pid, 'from': str(day), 'to': str(day + datetime.timedelta(days=1)), **more}, headers={'Prefer': 'respond-async'})
    result = job_done(a, job)['result']
    assert len(result['files']) == 1, result
    a.post(f"/exports/{result['files'][0]['id']}/deliveries", {'target': target['id']})
    return emt.wait_for('the delivery', lambda: (lambda f: f if f['state'] == 'delivered' else None)(a.get(f"/exports/{result['files'][0]['id']}")))


def set_right(a, target, channel):
    """The partner refuses what a wrong mapping says; it is set right, and goes anew: this place and no other."""
    path = f'/locations/{vectors.MELO_A}'
    binding = next(b for b in a.all(path + '/bindings') if b['obis'] == '1-1:1.29.0')
    mine = f"{path}/bindings/{binding['id']}"
    file = asked(a, target, location=vectors.MELO_A)
    a.post('/acknowledgements', aperak(file, 'Z20', messages(a, file)[0]['document'])[1], kind=EDIFACT)
    assert a.get(f"/exports/{file['id']}")['state'] == 'application-error'
    for wrong, field in (({'obis': 'mains'}, 'obis'), ({'ratio': '0'}, 'ratio'), ({'channel': 999999}, 'channel'), ({'valid_to': '2019-01-01T00:00:00Z'}, 'valid_to'),
                         ({'last_reading': '5'}, 'last_reading'), ({'decimals': 9}, 'decimals'), ({'nothing': 1}, 'nothing')):
        problem(lambda w=wrong: a.patch(mine, w), 400, field)
    assert a.all(path + '/bindings')[0] == binding, 'a refused change changed something'
    got = a.patch(mine, {'obis': '1-1:2.29.0', 'device_number': '4711', 'ratio': '40', 'decimals': 2, 'config_id': ''})
    assert got == {**binding, 'obis': '1-1:2.29.0', 'device_number': '4711', 'ratio': '40', 'decimals': 2}, got
    made = job_done(a, a.post(f"/exports/{file['id']}/resend"))['result']['files']
    sent = [m for f in made for m in messages(a, f)]
    assert [(m['location'], m['obis']) for m in sent] == [(vectors.MELO_A, ['1-1:2.29.0'])], sent
    assert made[0]['receiver'] == PARTNER and a.get(f"/exports/{made[0]['id']}")['replaces'] == file['id']
    a.patch(mine, {'obis': '1-1:1.29.0', 'device_number': '1', 'ratio': '1', 'decimals': None})
    assert next(b for b in a.all(path + '/bindings') if b['id'] == binding['id']) == binding
    # One that never should have been.
    extra = a.post(path + '/bindings', {'channel': channel['id'], 'obis': '1-1:3.29.0', 'valid_from': '2020-01-01T00:00:00Z'})
    problem(lambda: a.patch(f"{path}/bindings/{extra['id']}", {'obis': '1-1:1.29.0'}), 409, 'bound')
    a.delete(f"{path}/bindings/{extra['id']}")
    problem(lambda: a.delete(f"{path}/bindings/{extra['id']}"), 404)
    # A wrong receiver.
    problem(lambda: a.patch(path, {'receiver_mp_id': 'no MP-ID 1234'}), 400, 'receiver_mp_id')
    assert a.patch(path, {'receiver_mp_id': STRANGER})['receiver_mp_id'] == STRANGER
    other = export_one(a, vectors.MELO_A)
    assert other['receiver'] == STRANGER
    assert a.patch(path, {'receiver_mp_id': PARTNER, 'name': 'Bahnhof'})['name'] == 'Bahnhof'
    assert len(a.all('/audit?action=location.rebind')) == 2 and len(a.all('/audit?action=location.update')) == 2
    emt.say('a wrong mapping is set right, and its place alone goes anew')
    return other


def export_one(a, location):
    day = datetime.datetime.now(BERLIN).date() - datetime.timedelta(days=1)
    return a.post('/exports', {'pid': '13018', 'from': str(day), 'to': str(day + datetime.timedelta(days=1)), 'location': location})['files'][0]


def taken_back(a, target, channel):
    """A cancellation that was rejected goes anew, and takes back what it was to take back, nothing else."""
    for melo in (vectors.MELO_A, vectors.MELO_B):
        a.post(f'/locations/{melo}/bindings', {'channel': channel['id'], 'obis': '1-1:1.8.0', 'device_number': '1', 'valid_from': '2020-01-01T00:00:00Z'})
    readings = asked(a, target, '13017')
    a.post('/acknowledgements', contrl(readings)[1], kind=EDIFACT)
    sent = {m['id']: m for m in messages(a, readings)}
    assert {m['location'] for m in sent.values()} == {vectors.MELO_A, vectors.MELO_B}, sent
    file = asked(a, target, '13006', cancels='13017', location=vectors.MELO_A)
    takes = {m['cancels'] for m in messages(a, file)}
    assert takes == {i for i, m in sent.items() if m['location'] == vectors.MELO_A}, (takes, sent)
    a.post('/acknowledgements', contrl(file, '4+26')[1], kind=EDIFACT)
    made = job_done(a, a.post(f"/exports/{file['id']}/resend"))
    assert made['state'] == 'done' and len(made['result']['files']) == 1, made
    new = a.get(f"/exports/{made['result']['files'][0]['id']}")
    assert new['pid'] == '13006' and new['replaces'] == file['id'] and new['reference'] != file['reference'], new
    again = messages(a, new)
    assert {m['cancels'] for m in again} == takes and {m['location'] for m in again} == {vectors.MELO_A}, again
    by = {m['id']: m['cancelled_by'] for m in messages(a, readings)}
    assert {by[i] for i in takes} == {m['id'] for m in again} and all(by[i] is None for i in sent if i not in takes), (by, again)
    # Nothing of it stands any more: once more there is nothing to take back.
    a.post('/acknowledgements', contrl(new, '4+26')[1], kind=EDIFACT)
    third = job_done(a, a.post(f"/exports/{new['id']}/resend"))['result']['files'][0]
    a.post('/acknowledgements', contrl(a.get(f"/exports/{third['id']}"))[1], kind=EDIFACT)
    assert a.get(f"/exports/{third['id']}")['state'] == 'accepted'
    problem(lambda: a.post(f"/exports/{third['id']}/resend"), 409, 'not rejected')
    emt.say('a rejected cancellation is resent')


def by_job(a):
    """What an order says is said at once, or done; as a job as well."""
    day = datetime.datetime.now(BERLIN).date()

    def order(wait=False, **body):
        days = {'from': str(day - datetime.timedelta(days=1)), 'to': str(day)}
        return a.rest('POST', a.path + '/exports', {'pid': '13018', **days, **body}, headers={} if wait else {'Prefer': 'respond-async'})
    for wait in (False, True):
        problem(lambda: order(wait, cancels='13018'), 400, 'cancels')
        problem(lambda: order(wait, pid='13006'), 400, 'cancels')
        problem(lambda: order(wait, pid='13006', cancels='13018'), 400, 'later message')
        problem(lambda: order(wait, to='2020-01-01'), 400, 'period')
        problem(lambda: order(wait, location='DE1'), 400)
    order(True)
    job = job_done(a, order(only_changes=True))
    assert job['state'] == 'done' and job['result']['files'] == [] and job['progress'] == {'done': 2, 'total': 2}, job
    assert order(True, only_changes=True)['files'] == []
    emt.say('only what changed, and cancellations, as a job')


def once_more(a, target, node, outbox):
    """A file without an answer goes again with the same bytes; one with an answer does not."""
    file = export(a, target)
    where = outbox / 'edi' / file['file_name']
    data = where.read_bytes()
    path = f"/exports/{file['id']}/deliveries"
    a.post(path, {'target': target['id']})
    assert a.all(f"/deliveries?file={file['id']}")[0]['tries'] == 1, 'what arrived was sent again unasked'
    a.rest('PUT', a.path + f'/acknowledgement-rules/{PARTNER}', {'within_s': 3600})
    node.sql(f"update export_file set delivered_at = now() - interval '2 hours' where file_id = {file['id']}")
    emt.wait_for('it to be overdue', lambda: a.get(f"/exports/{file['id']}")['state'] == 'overdue', 30)
    problem(lambda: a.post(f"/exports/{file['id']}/resend"), 409, 'not rejected')

    def sent_again(tries, outcome):
        a.post(path, {'target': target['id'], 'again': True})
        d = emt.wait_for('the delivery', lambda: (lambda d: d if d['state'] == 'delivered' and d['tries'] == tries else None)(a.all(f"/deliveries?file={file['id']}")[0]))
        assert d['outcome'] == outcome, d
    sent_again(2, 'already-there')
    where.unlink()
    sent_again(3, 'delivered')
    assert where.read_bytes() == data and a.get(f"/exports/{file['id']}")['state'] == 'overdue'
    a.post('/acknowledgements', contrl(file)[1], kind=EDIFACT)
    problem(lambda: a.post(path, {'target': target['id'], 'again': True}), 409, 'answered')
    a.delete(f'/acknowledgement-rules/{PARTNER}')
    emt.say('overdue, and sent once more as it was')


def parties(a, node, outbox):
    """Somebody tries to get a partner's file to another partner's target."""
    theirs = a.post('/targets', {'name': 'strangers only', 'kind': 'local', 'path': 'theirs', 'partner': STRANGER})
    assert theirs['partner'] == STRANGER
    problem(lambda: a.post('/targets', {'name': 'long', 'kind': 'local', 'path': 'x', 'partner': 'x' * 101}), 400, 'partner')
    file = export(a)
    problem(lambda: a.post(f"/exports/{file['id']}/deliveries", {'target': theirs['id']}), 409, 'another partner')
    hours = {'pid': '13018', 'cron': '0 3 1 1 *', 'days': 1}
    problem(lambda: a.post('/schedules', {**hours, 'name': 'wrong', 'location': vectors.MELO_A, 'target': theirs['id']}), 400, 'target', PARTNER, STRANGER)
    problem(lambda: a.post('/schedules', {**hours, 'name': 'wrong', 'location': vectors.MELO_A, 'target': theirs['id'] - 1, 'second_target': theirs['id']}), 400, 'second_target')
    # All places: what is not the target's party's stays here, and somebody hears of it.
    plan = a.post('/schedules', {**hours, 'name': 'all', 'target': theirs['id']})
    made = job_done(a, a.post(f"/schedules/{plan['id']}/run", {}))['result']
    assert made['files'] and any('another party' in n for n in made['notes']), made
    assert a.all(f"/deliveries?file={made['files'][0]['id']}") == [] and events(a, 'delivery-refused')
    # A second target that is not theirs is no way around.
    refusing = a.post('/targets', {'name': 'refuses', 'kind': 'https', 'host': 'localhost', 'port': int(a.rest.base.rsplit(':', 1)[1]), 'path': '/edi', 'user': 'u', 'password': 'p'})
    a.patch(f"/schedules/{plan['id']}", {'target': refusing['id'], 'second_target': theirs['id']})
    made = job_done(a, a.post(f"/schedules/{plan['id']}/run", {}))['result']['files'][0]
    ended = emt.wait_for('the first target to refuse', lambda: [d for d in a.all(f"/deliveries?file={made['id']}") if d['state'] == 'failed'])
    assert len(ended) == 1 and ended[0]['target'] == refusing['id'], ended
    # The target becomes somebody else's while a file waits for it.
    slow = a.post('/targets', {'name': 'later', 'kind': 'https', 'host': 'localhost', 'port': 1, 'path': '/edi', 'user': 'u', 'password': 'p'})
    waiting = a.post(f"/exports/{file['id']}/deliveries", {'target': slow['id']})
    emt.wait_for('a try in vain', lambda: [d for d in a.all(f"/deliveries?file={file['id']}") if d['id'] == waiting['id'] and d['state'] == 'waiting' and d['tries'] == 1])
    a.patch(f"/targets/{slow['id']}", {'kind': 'local', 'host': '', 'port': 0, 'path': 'theirs', 'user': '', 'password': None, 'partner': STRANGER})
    node.sql("update job set run_at = now() where kind = 'delivery' and state = 0")
    said = emt.wait_for('it to be refused', lambda: [d for d in a.all(f"/deliveries?file={file['id']}") if d['id'] == waiting['id'] and d['state'] == 'failed'])
    assert PARTNER in said[0]['detail'] and STRANGER in said[0]['detail'], said
    folder = outbox / 'theirs'
    assert not folder.exists() or not list(folder.iterdir()), 'a file of another partner'
    # What is theirs does go there.
    a.patch(f'/locations/{vectors.MELO_B}', {'receiver_mp_id': STRANGER})
    own = export_one(a, vectors.MELO_B)
    a.post(f"/exports/{own['id']}/deliveries", {'target': theirs['id']})
    emt.wait_for('their own file', lambda: a.get(f"/exports/{own['id']}")['state'] == 'delivered')
    assert [p.name for p in folder.iterdir()] == [own['file_name']]
    a.patch(f'/locations/{vectors.MELO_B}', {'receiver_mp_id': PARTNER})
    emt.say('a file goes to a target of its party, or to nobody\'s')


def lists(a):
    everything = a.all('/exports')

    def same(query, fits):
        got = [f['id'] for f in a.all('/exports?limit=2&' + query)]
        want = [f['id'] for f in everything if fits(f)]
        assert got == want, (query, got, want)
        return len(want)
    shown = sum(same(f'state={s}', lambda f, s=s: f['state'] == s) for s in ('written', 'delivered', 'accepted', 'rejected', 'application-error', 'overdue'))
    assert shown == len(everything)
    assert same('pid=13017', lambda f: f['pid'] == '13017') and same('pid=13006&state=rejected', lambda f: f['pid'] == '13006' and f['state'] == 'rejected')
    assert same(f'receiver={STRANGER}', lambda f: f['receiver'] == STRANGER) and same('kind=mscons', lambda f: True) and not same('kind=report', lambda f: False)
    some = sorted(everything, key=lambda f: f['from'])[0]
    assert same(f"from={some['from']}&to={some['to']}", lambda f: f['to'] > some['from'] and f['from'] < some['to'])
    at = everything[len(everything) // 2]['created_at']
    assert same(f'created_from={at}', lambda f: f['created_at'] >= at) + same(f'created_to={at}', lambda f: f['created_at'] < at) == len(everything)
    for query, field in (('state=lost', 'state'), ('pid=13000', 'pid'), ('from=yesterday', 'from'), ('reciever=1', 'reciever'), ('kind=mail', 'kind')):
        problem(lambda q=query: a.get('/exports?' + q), 400, field)
    emt.say(f'{len(everything)} files by state, use case, partner and time')


def main():
    with emt.workspace('acknowledgements') as (dir, nodes):
        node = emt.Node(dir / 'n1')
        nodes.append(node)
        node.start()
        op = emt.operator(node)
        a = emt.Tenant(op, 'alpha', own_mp_id=OURS)
        b = emt.Tenant(op, 'beta', own_mp_id=OURS)
        a.folder = a.gateway('g1', dir / 'g1', node)
        outbox = dir / 'n1' / 'outbox' / node.sql("select id from tenant where key = 'alpha'")[0][0]
        channel = market(a, node)
        target = a.post('/targets', {'name': 'folder', 'kind': 'local', 'path': 'edi'})
        first = accepted(a, target)
        rejected, new = rejected_and_sent_again(a, target, outbox)
        open_file = nobody_elses(a, b, target)
        by_folder(a, open_file, outbox, node)
        by_command(a, target, dir, node)
        overdue(a, target, node)
        trace(a, b, channel, first, rejected, new)
        set_right(a, target, channel)
        by_job(a)
        taken_back(a, target, channel)
        once_more(a, target, node, outbox)
        parties(a, node, outbox)
        lists(a)


main()
