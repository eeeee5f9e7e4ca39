"""What the end-to-end tests share: servers, agents, REST, SQL. Python's standard library, and what judges the answers.

Every process is started here and ended by its own id; every folder is temporary. Ports are free ones of the loopback interface.

A test runs on two nodes unless it says why not (Node, alone): requests and gateways take turns between them, so that what one node forgot to
tell the other shows.
"""
import base64
import collections
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import document

ROOT = pathlib.Path(__file__).resolve().parents[2]
FULL = bool(os.environ.get('EMT_FULL'))


def build_dir():
    return pathlib.Path(os.environ.get('EMT_BUILD', ROOT / 'build' / 'release'))


def corpora():
    """The folder of real telegrams, or None."""
    named = os.environ.get('EMT_CORPORA')
    if named:
        return pathlib.Path(named) if pathlib.Path(named).is_dir() else None
    beside = ROOT.parent / 'shared' / 'corpora'
    return beside if beside.is_dir() else None


def say(*words):
    print(f'[{time.strftime("%H:%M:%S")}]', *words, flush=True)


def free_ports(n):
    """Ascending. Below the ports that the system gives to outgoing connections, so that none of those takes one before its server does."""
    ports = set()
    while len(ports) < n:
        port = random.SystemRandom().randrange(10000, 32000)
        with socket.socket() as s:
            with contextlib.suppress(OSError):
                s.bind(('127.0.0.1', port))
                ports.add(port)
    return sorted(ports)


def wait_for(what, check, seconds=30, step=0.05):
    """Waits until check() gives something true and returns it."""
    end = time.monotonic() + seconds
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f'not within {seconds} s: {what}')
        time.sleep(step)


class Problem(Exception):
    """A REST answer that is not 2xx."""

    def __init__(self, status, body):
        super().__init__(f'{status}: {body}')
        self.status = status
        self.body = body


class Turns:
    """Nodes that run, one after the other."""

    def __init__(self, nodes):
        self.nodes, self.count = nodes, itertools.count()

    def next(self):
        up = [n for n in self.nodes if n.runs()] or self.nodes[:1]
        return up[next(self.count) % len(up)]


class Rest:
    """Each request goes to the node whose turn it is."""

    def __init__(self, nodes, cafile, key=None):
        self.turns = Turns(nodes)
        self.context = ssl.create_default_context(cafile=str(cafile))
        self.key = key

    @property
    def base(self):
        return f'https://localhost:{self.turns.next().https}'

    def with_key(self, key):
        other = object.__new__(Rest)
        other.turns, other.context, other.key = self.turns, self.context, key
        return other

    def raw(self, method, path, body=None, kind='application/json', headers=None):
        """(status, headers, bytes)"""
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        req = urllib.request.Request(self.base + path, data=data, method=method, headers=headers or {})
        if data is not None:
            req.add_header('Content-Type', kind)
        if self.key:
            req.add_header('Authorization', f'Bearer {self.key}')
        try:
            with urllib.request.urlopen(req, context=self.context, timeout=60) as r:
                answer = r.status, r.headers, r.read()
        except urllib.error.HTTPError as e:
            answer = e.code, e.headers, e.read()
        document.judge(method, path, *answer)
        return answer

    def __call__(self, method, path, body=None, kind='application/json', headers=None):
        status, headers, data = self.raw(method, path, body, kind, headers)
        text = data.decode('utf-8', 'replace')
        if status >= 300:
            raise Problem(status, text)
        return json.loads(text) if text and 'json' in headers.get('Content-Type', '') else text

    def all(self, path):
        """Every item of a paged list."""
        items, cursor = [], None
        while True:
            sep = '&' if '?' in path else '?'
            page = self('GET', path + (f'{sep}cursor={urllib.request.quote(cursor)}' if cursor else ''))
            items += page['items']
            cursor = page.get('next')
            if not cursor:
                return items


class Browser:
    """A portal session: cookie and CSRF token, kept as a browser keeps them. Requests may come from another loopback address."""

    def __init__(self, rest, source=None):
        self.rest, self.context, self.source = rest, rest.context, source
        self.cookie = self.csrf = self.session = None

    def raw(self, method, path, body=None, kind='application/json', headers=None):
        """(status, headers, bytes)"""
        given = dict(headers or {})
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            given.setdefault('Content-Type', kind)
        if self.cookie:
            given.setdefault('Cookie', self.cookie)
        if self.csrf and method not in ('GET', 'HEAD'):
            given.setdefault('X-CSRF-Token', self.csrf)
        given = {k: v for k, v in given.items() if v is not None}
        host, port = self.rest.base.removeprefix('https://').rsplit(':', 1)
        c = http.client.HTTPSConnection('127.0.0.1' if self.source else host, int(port), timeout=60, context=self.context,
                                        source_address=(self.source, 0) if self.source else None)
        try:
            c.request(method, path, data, {'Host': f'{host}:{port}', **given})
            r = c.getresponse()
            # An event stream has no end.
            answer = r.status, r.headers, b'' if 'event-stream' in r.headers.get('Content-Type', '') else r.read()
            document.judge(method, path, *answer)
            return answer
        finally:
            c.close()

    def __call__(self, method, path, body=None, kind='application/json', headers=None):
        status, given, data = self.raw(method, path, body, kind, headers)
        text = data.decode('utf-8', 'replace')
        if status >= 300:
            raise Problem(status, text)
        return json.loads(text) if text and 'json' in given.get('Content-Type', '') else text

    def login(self, name, password, new_password=None, headers=None):
        """The session; raises Problem."""
        body = {'name': name, 'password': password, **({'new_password': new_password} if new_password else {})}
        status, given, data = self.raw('POST', '/api/v1/sessions', body, headers=headers)
        if status != 201:
            raise Problem(status, data.decode())
        self.cookie = given['Set-Cookie'].split(';')[0]
        self.session = json.loads(data)
        self.csrf = self.session['csrf_token']
        return self


class Process:
    """A child with its output in a file; ended by its own process id."""

    def __init__(self, args, log, env=None):
        self.args = [str(a) for a in args]
        self.log = pathlib.Path(log)
        self.file = open(self.log, 'ab')
        self.popen = subprocess.Popen(self.args, stdout=self.file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                      env={**os.environ, **(env or {})})
        self.before_stop = None  # what has to end before it

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def kill(self):
        if self.alive():
            self.popen.kill()
        self.popen.wait()
        self.file.close()

    def stop(self, seconds=30):
        """TERM, then wait: the exit code."""
        if self.before_stop:
            self.before_stop()
        if self.alive():
            self.popen.terminate()
        try:
            code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f'{self.args[0]} did not end within {seconds} s of TERM') from None
        finally:
            self.file.close()
        return code

    def output(self):
        return self.log.read_text(errors='replace')


class Node:
    """One emtd: embedded, or a further one on the database of an embedded one.

    An embedded one brings a companion, a second node as it is itself, unless alone says why not: started after it, stopped before it. kill()
    ends both, process.kill() this one only; start() starts what does not run.
    """

    def __init__(self, dir, first=None, program=None, extra='', alone=None, logger=False):
        self.dir = pathlib.Path(dir)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.first = first
        self.program = program or build_dir() / 'emtd'
        self.field, self.field13, self.https, self.metrics_port = free_ports(4)
        self.logger = free_ports(1)[0] if logger else None
        self.extra = extra
        self.field_extra = []
        self.process = None
        self.starts = 0
        self.companion = None
        self.is_companion = False
        if not first and not alone:
            self.companion = type(self)(self.dir.with_name(self.dir.name + '-companion'), first=self, program=program, logger=logger)
            self.companion.is_companion = True
        self.turns = Turns(self.nodes())

    def nodes(self):
        return [self, self.companion] if self.companion else [self]

    def config(self):
        lines = [
            'field:',
            f'  listen12: ["127.0.0.1:{self.field}", "[::1]:{self.field}"]' if has_ipv6() else f'  listen12: ["127.0.0.1:{self.field}"]',
            f'  listen13: ["127.0.0.1:{self.field13}"]',
            *([f'  listen_logger: ["127.0.0.1:{self.logger}"]'] if self.logger else []),
            *self.field_extra,
            'api:',
            f'  listen: ["127.0.0.1:{self.https}", "[::1]:{self.https}"]' if has_ipv6() else f'  listen: ["127.0.0.1:{self.https}"]',
            'metrics:',
            f'  listen: "127.0.0.1:{self.metrics_port}"',
            'names: [localhost, 127.0.0.1, "::1"]',
        ]
        if self.first:
            lines += ['database:', f'  conninfo: "{self.first.conninfo()}"', f'master_key: {self.first.dir}/master.key',
                      f'state_dir: {self.dir}/state']
        return '\n'.join(lines) + '\n' + self.extra

    def mirror(self):
        """As the first one is; what that one has by being embedded is written out."""
        self.field_extra, self.extra = self.first.field_extra, self.first.extra
        own = f'delivery:\n  root: {self.first.dir}/outbox\n'
        if 'private_networks:' not in self.extra:
            own += '  private_networks: true\n'
        self.extra = self.extra.replace('delivery:\n', own) if 'delivery:\n' in self.extra else self.extra + own

    def runs(self):
        return self.process is not None and self.process.alive()

    def launch(self):
        if self.is_companion:
            self.mirror()
        path = self.dir / 'emtd.yaml'
        path.write_text(self.config())
        args = ['--config', path] if self.first else ['--embedded', self.dir]
        self.starts += 1
        self.process = Process([self.program, *args], self.dir / f'emtd.{self.starts}.log')
        if self.companion:
            self.process.before_stop = self.stop_companion

    def start(self, wait=True):
        if not self.runs():
            self.launch()
        # A database that was there before is found without waiting.
        if self.companion and self.starts > 1:
            self.launch_companion()
        if wait:
            self.wait_ready()
        return self

    def launch_companion(self):
        c = self.companion
        if c.process is None or c.process.file.closed:  # never started, or ended by us: its own end is a fault
            c.launch()

    def stop_companion(self):
        c = self.companion
        if c.process and not c.process.file.closed:
            assert c.process.stop() == 0, f'the companion ended badly:\n{c.process.output()[-4000:]}'

    def kill(self):
        """kill -9 of both nodes; the private PostgreSQL lives on."""
        for n in self.nodes():
            if n.process:
                n.process.kill()

    def wait_up(self, seconds):
        def check():
            if not self.process.alive():
                raise AssertionError(f'emtd ended:\n{self.process.output()[-4000:]}')
            return self.plain('/readyz')[0] == 200
        wait_for('emtd is ready', check, seconds)

    def wait_ready(self, seconds=60):
        self.wait_up(seconds)
        if self.companion:
            self.launch_companion()
            self.companion.wait_up(seconds)

    def field_address(self):
        """Of the node whose turn it is."""
        return f'127.0.0.1:{self.turns.next().field}'

    def api_address(self):
        return f'https://localhost:{self.turns.next().https}'

    def plain(self, path):
        try:
            with urllib.request.urlopen(f'http://127.0.0.1:{self.metrics_port}{path}', timeout=5) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError:
            return 0, ''

    def own_metrics(self):
        out = {}
        for line in self.plain('/metrics')[1].splitlines():
            m = re.match(r'([a-z_0-9]+(?:\{[^}]*\})?) (-?[0-9.e+]+)$', line)
            if m:
                out[m[1]] = float(m[2])
        return out

    def metrics(self):
        """Sums over the node and its companion."""
        out = collections.Counter()
        for n in self.nodes():
            out.update(n.own_metrics())
        return out

    def metric(self, prefix):
        """Sum over all labels that contain the prefix, and both nodes."""
        return sum(v for k, v in self.metrics().items() if k.startswith(prefix))

    def conninfo(self):
        return (self.dir / 'conninfo').read_text().strip()

    def login(self):
        """first-login as a dictionary."""
        text = (self.dir / 'first-login').read_text()
        return dict(line.split(': ', 1) for line in text.splitlines() if ': ' in line)

    def rest(self, key=None, here=False):
        """here: this node only."""
        first = self.first or self
        return Rest([self] if here else self.nodes(), first.dir / 'root.pem', key)

    def sql(self, query, role='emt_admin', tenant=None):
        """Rows of text columns, through psql."""
        first = self.first or self
        set_tenant = f"SET app.tenant = '{tenant}';" if tenant is not None else ''
        p = subprocess.run(['psql', '-X', '-q', '-A', '-t', '-F', '\t', '-v', 'ON_ERROR_STOP=1',
                            f'{first.conninfo()} user={role}', '-c', set_tenant + query],
                           capture_output=True, text=True, timeout=120)
        if p.returncode != 0:
            raise AssertionError(f'{query}: {p.stderr.strip()}')
        return [line.split('\t') for line in p.stdout.splitlines() if line]


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(('::1', 0))
        return True
    except OSError:
        return False


def operator(node, password='correct horse battery staple'):
    """REST as operator: the one-time password is exchanged once."""
    login = node.login()
    answer = node.rest()('POST', '/api/v1/login', {'user': login['user'], 'password': login['password'], 'new_password': password})
    return node.rest(answer['api_key'])


class Tenant:
    def __init__(self, op, key, **more):
        answer = op('POST', '/api/v1/tenants', {'key': key, 'name': key.title(), **more})
        self.key = key
        self.rest = op.with_key(answer['api_key'])
        self.path = f'/api/v1/tenants/{key}'

    def get(self, path):
        return self.rest('GET', self.path + path)

    def all(self, path):
        return self.rest.all(self.path + path)

    def post(self, path, body=None, kind='application/json'):
        return self.rest('POST', self.path + path, body if body is not None else {}, kind)

    def patch(self, path, body):
        return self.rest('PATCH', self.path + path, body)

    def delete(self, path):
        return self.rest('DELETE', self.path + path)

    def gateway(self, name, dir, node):
        """Announces and enrols a gateway; its folder."""
        self.post('/gateways', {'id': name})
        e = self.post(f'/gateways/{name}/enrolment')
        dir = pathlib.Path(dir)
        run([build_dir() / 'emt-agent', 'enrol', '--server', node.api_address(), '--token', e['token'], '--pin', e['pin'],
             '--dir', dir])
        return dir

    def readings(self, channel, start='2000-01-01T00:00:00Z', end='2100-01-01T00:00:00Z'):
        return self.all(f'/channels/{channel}/readings?from={start}&to={end}&limit=10000')


def run(args, ok=(0,), **more):
    p = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=more.pop('timeout', 300), **more)
    if p.returncode not in ok:
        raise AssertionError(f'{" ".join(map(str, args))}: exit {p.returncode}\n{p.stdout[-2000:]}\n{p.stderr[-2000:]}')
    return p


def agent(dir, node, *args, log=None):
    """An emt-agent towards the node whose turn it is."""
    return Process([build_dir() / 'emt-agent', 'run', '--dir', dir, '--address', node.field_address(), *args],
                   log or pathlib.Path(dir) / 'agent.log')


@contextlib.contextmanager
def workspace(name):
    """A short temporary folder; kept and named when the test fails."""
    dir = pathlib.Path(tempfile.mkdtemp(prefix=f'emt-{name}-', dir='/tmp'))
    dir.chmod(0o755)
    nodes = []
    try:
        yield dir, nodes
    except BaseException:
        for n in (n for first in nodes for n in first.nodes()):
            if n.process:
                say(f'--- end of {n.process.log}')
                sys.stdout.write(n.process.output()[-6000:])
        say(f'kept: {dir}')
        raise
    else:
        # Removed at the end of stop_all(), after the servers let go of it.
        pass
    finally:
        for n in reversed([n for first in nodes for n in first.nodes()]):
            if n.runs():
                with contextlib.suppress(AssertionError):
                    n.process.stop()
    shutil.rmtree(dir, ignore_errors=True)
