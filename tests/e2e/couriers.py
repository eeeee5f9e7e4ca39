#!/usr/bin/env python3
"""Partners who take a connection and say nothing hold up their own files and those of their like, nobody else's."""
import contextlib
import socket
import threading
import time

import emt

SILENT = 6 if not emt.FULL else 12


class Silent:
    """A server that accepts and never says a word; counts who waits."""

    def __init__(self):
        self.sock = socket.create_server(('127.0.0.1', 0))
        self.port = self.sock.getsockname()[1]
        self.waiting = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.waiting.append(self.sock.accept()[0])


def file_of(node, number, name):
    """A file as an export would have kept it."""
    node.sql("insert into export_file (tenant_id, kind, pid, sender, receiver, reference, file_name, period_from, period_to, created_at, messages, content)"
             f" values ({number}, 'mscons', '13018', '9900999000106', '9900999000205', '{name}', '{name}.txt', now() - interval '1 day', now(), now(), 1, 'x')",
             tenant=number)
    return node.sql(f"select file_id from export_file where reference = '{name}' and tenant_id = {number}", tenant=number)[0][0]


def tenant(op, node, key):
    t = emt.Tenant(op, key)
    t.number = node.sql(f"select id from tenant where key = '{key}'")[0][0]
    return t


def send(node, t, target, name):
    file = file_of(node, t.number, name)
    t.post(f'/exports/{file}/deliveries', {'target': target['id']})
    return file


def state(t, file):
    return t.all(f'/deliveries?file={file}')[0]


def main():
    with emt.workspace('couriers') as (dir, nodes):
        node = emt.Node(dir / 'n1', alone='counts the couriers of one node')
        nodes.append(node)
        node.start()
        op = emt.operator(node)
        silent = Silent()
        healthy = tenant(op, node, 'healthy')
        folder = healthy.post('/targets', {'name': 'folder', 'kind': 'local', 'path': 'edi'})

        def partner(t):
            return t.post('/targets', {'name': 'silent', 'kind': 'https', 'host': '127.0.0.1', 'port': silent.port, 'path': '/in', 'bearer': 'x'})

        # Two partners that nobody knows yet: the others' files go on.
        fresh = [tenant(op, node, f'fresh-{i}') for i in range(2)]
        waiting = [(t, send(node, t, partner(t), 'F1')) for t in fresh]
        emt.wait_for('both to be waited for', lambda: all(state(t, f)['state'] == 'sending' for t, f in waiting) and len(silent.waiting) >= 2)
        first = send(node, healthy, folder, 'H1')
        emt.wait_for('a file of another tenant', lambda: state(healthy, first)['state'] == 'delivered')
        assert [state(t, f)['tries'] for t, f in waiting] == [1, 1], 'they were still being waited for'
        emt.say('two silent partners hold up nobody else')

        # Many that are known to be slow: couriers of their own wait for them, as few as there are; their tenants' other targets are served.
        slow = [tenant(op, node, f'slow-{i}') for i in range(SILENT)]
        targets = [partner(t) for t in slow]
        node.sql("update delivery_target set slow = true where name = 'silent'", role='emt_owner')
        seen = len(silent.waiting)
        late = [(t, send(node, t, target, 'S1')) for t, target in zip(slow, targets)]
        emt.wait_for('two of them to be waited for', lambda: len(silent.waiting) >= seen + 2)
        other = slow[0].post('/targets', {'name': 'folder', 'kind': 'local', 'path': 'edi'})
        for t, target, name in ((healthy, folder, 'H2'), (slow[0], other, 'S2')):
            file = send(node, t, target, name)
            emt.wait_for(f'{name}', lambda t=t, f=file: state(t, f)['state'] == 'delivered')
        busy = [state(t, f)['state'] for t, f in late]
        assert busy.count('sending') <= 2 and 'delivered' not in busy, busy
        emt.say(f'{SILENT} slow partners have {busy.count("sending")} couriers of their own')

        # Back again: the next try tells, and it is quick from then on.
        for s in silent.waiting:
            s.close()
        node.sql(f"update delivery_target set host = '', kind = 'local', path = 'back' where tenant_id = {slow[1].number} and name = 'silent'", role='emt_owner')
        back = send(node, slow[1], targets[1], 'S3')
        end = time.monotonic() + 100
        while state(slow[1], back)['state'] != 'delivered' and time.monotonic() < end:
            for s in silent.waiting:  # nobody is to wait out the minute
                s.close()
            time.sleep(0.5)
        assert state(slow[1], back)['state'] == 'delivered'
        assert node.sql(f"select slow from delivery_target where tenant_id = {slow[1].number} and name = 'silent'", role='emt_owner') == [['f']]
        emt.say('a partner that answers again is quick again')


main()
