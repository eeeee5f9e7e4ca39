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


main()
