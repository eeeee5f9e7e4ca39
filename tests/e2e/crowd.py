"""Many gateways for the end-to-end tests: announced and enrolled quickly, driven by emt-fleet."""
import http.client
import json
import resource
import subprocess
import threading
import time

import document
import emt


def raise_descriptors():
    """As many as the system allows, for what is started from here; how many that is."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def tokens(tenant, names, file):
    """Announces the gateways by CSV and orders a token for each, a connection per thread: urllib opens one per request."""
    for i in range(0, len(names), 5000):
        text = 'id\n' + '\n'.join(names[i:i + 5000]) + '\n'
        answer = tenant.post('/gateways/import', text.encode(), kind='text/csv')
        assert answer.get('rejected', 0) == 0, answer
    host, port = tenant.rest.base.removeprefix('https://').rsplit(':', 1)
    lock, faults = threading.Lock(), []

    def order(mine):
        c = http.client.HTTPSConnection(host, int(port), timeout=60, context=tenant.rest.context)
        try:
            for name in mine:
                path = f'{tenant.path}/gateways/{name}/enrolment'
                for _ in range(100):
                    c.request('POST', path, b'{}', {'Authorization': f'Bearer {tenant.rest.key}', 'Content-Type': 'application/json'})
                    r = c.getresponse()
                    body = r.read()
                    if r.status != 429:  # the tenant's share of workers is taken
                        break
                    time.sleep(0.02)
                document.judge('POST', path, r.status, r.headers, body)
                assert r.status == 201, (r.status, body)
                with lock:
                    file.write(f'{tenant.key} {name} {json.loads(body)["token"]}\n')
        except Exception as e:  # looked at below
            faults.append(e)
        finally:
            c.close()
    threads = [threading.Thread(target=order, args=(names[i::2],)) for i in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if faults:
        raise faults[0]


def enrol(node, dir, tenants, per_tenant, key='P-256', first=0):
    """Enrols per_tenant gateways gw-<n> of each tenant into dir; seconds it took."""
    began = time.monotonic()
    dir.mkdir(parents=True, exist_ok=True)
    path = dir.parent / f'{dir.name}.tokens'
    with open(path, 'w') as f:
        for t in tenants:
            tokens(t, [f'gw-{first + i}' for i in range(per_tenant)], f)
    ordered = time.monotonic()
    emt.run([emt.build_dir() / 'emt-fleet', 'enrol', '--server', node.api_address(), '--pin', node.login()['pin'], '--dir', dir,
             '--tokens', path, '--parallel', '4', '--key', key], timeout=1200)
    n = per_tenant * len(tenants)
    emt.say(f'{n} gateways ({key}): {ordered - began:.1f} s for tokens, {time.monotonic() - ordered:.1f} s to enrol')
    return time.monotonic() - began


class Fleet:
    """An emt-fleet that takes orders."""

    def __init__(self, dir, log, *args):
        self.log = log
        self.file = open(log, 'ab')
        self.popen = subprocess.Popen([str(a) for a in (emt.build_dir() / 'emt-fleet', '--dir', dir, '--orders', *args)], stdin=subprocess.PIPE,
                                      stdout=self.file, stderr=subprocess.STDOUT)

    def order(self, text):
        self.popen.stdin.write(text.encode() + b'\n')
        self.popen.stdin.flush()

    def figures(self):
        """What it printed, one dictionary per second."""
        out = []
        for line in self.log.read_text(errors='replace').splitlines():
            if line.startswith('{') and line.endswith('}'):
                out.append(json.loads(line))
        return out

    def last(self):
        got = self.figures()
        return got[-1] if got else {}

    def connected(self):
        return self.last().get('connected', 0)

    def alive(self):
        return self.popen.poll() is None

    def finish(self, seconds=120):
        """TERM, then what is owed is acknowledged: the last figures."""
        if self.alive():
            self.popen.terminate()
        code = self.popen.wait(seconds)
        self.file.close()
        assert code == 0, f'emt-fleet: exit {code}\n{self.log.read_text(errors="replace")[-3000:]}'
        return self.last()

    def kill(self):
        if self.alive():
            self.popen.kill()
            self.popen.wait()
        self.file.close()
