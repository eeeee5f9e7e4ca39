#!/usr/bin/env python3
"""The demo behind deploy/run.sh: starts emtd and three simulated gateways, fills a tenant through REST, and ends all of it with Ctrl-C.

Everything goes the way it would in earnest: gateways are enrolled with one-time tokens and speak mutual TLS, history comes through the field
channel, the market file is asked for through REST. What was done once stands in DIR and is not done again. Python's standard library only.
"""
import argparse
import datetime
import json
import os
import pathlib
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

TENANT = 'demo'
GATEWAYS = {'gateway-1': 'Lindenstraße 1–19', 'gateway-2': 'Am Anger 2–20', 'gateway-3': 'Gartenweg 5'}
METERS = 20           # each; twenty are a street with every kind of meter
HISTORY_INTERVAL = 840 # seconds; so that none is farther from a quarter of an hour than the tolerance
LIVE_INTERVAL = 60    # so that something moves on the screen
TOLERANCE_S = 450     # the most that a profile allows
OWN_MP_ID, RECEIVER_MP_ID = '9900999000106', '9900999000205'
BEGAN = time.monotonic() - int(os.environ.get('EMT_ELAPSED', 0))  # what building has taken


class Failed(Exception):
    """Said in one line; nothing of ours is wrong."""


class Refused(Exception):
    def __init__(self, status, body):
        self.status, self.body = status, body
        super().__init__(f'{status} {body[:300]}')


def say(text):
    print(f'[{int(time.monotonic() - BEGAN):3d} s] {text}', flush=True)


def store(path, text):
    """Readable by this user alone, and there as a whole or not at all."""
    new = path.with_name(path.name + '.new')
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w') as f:
        f.write(text)
    new.rename(path)


def tail(path, n=15):
    try:
        return '\n'.join(path.read_text(errors='replace').splitlines()[-n:])
    except OSError:
        return ''


def check(folder, port):
    """What can be known before anything is started."""
    for p, what in ((port, 'HTTPS'), (port - 1000, 'gateways'), (port - 999, 'gateways'), (port + 1000, 'metrics')):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(('0.0.0.0', p))
            except OSError as e:
                raise Failed(f'port {p} ({what}) cannot be used: {e.strerror}. Does a demo run already? Otherwise: deploy/run.sh --port N') from e
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise Failed(f'{folder}: {e.strerror}; deploy/run.sh --dir DIR puts the demo elsewhere') from e
    if not os.access(folder, os.W_OK):
        raise Failed(f'{folder} cannot be written to; deploy/run.sh --dir DIR puts the demo elsewhere')


class Child:
    """A process of ours, with its output in a file. Not in the terminal's process group: Ctrl-C reaches us, and we end it in order."""

    def __init__(self, name, args, log):
        self.name, self.log = name, log
        with open(log, 'ab') as out:
            self.p = subprocess.Popen([str(a) for a in args], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)

    def ended(self):
        return self.p.poll() is not None

    def ask_to_end(self):
        if not self.ended():
            self.p.send_signal(signal.SIGTERM)

    def wait(self, seconds):
        try:
            self.p.wait(seconds)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()

    def fail(self):
        return Failed(f'{self.name} ended by itself (status {self.p.returncode}); the end of {self.log}:\n{tail(self.log)}')


class Rest:
    def __init__(self, port, root):
        self.base, self.tls, self.key = f'https://localhost:{port}', ssl.create_default_context(cafile=root), None

    def __call__(self, method, path, body=None, kind='application/json'):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data if method != 'GET' else None, method=method)
        if data is not None:
            request.add_header('Content-Type', kind)
        if self.key:
            request.add_header('Authorization', f'Bearer {self.key}')
        for attempt in range(20):
            try:
                with urllib.request.urlopen(request, timeout=120, context=self.tls) as answer:
                    text = answer.read()
                    return json.loads(text) if 'json' in answer.headers.get('Content-Type', '') else text
            except urllib.error.HTTPError as e:
                if e.code not in (429, 503) or attempt == 19:
                    raise Refused(e.code, e.read().decode(errors='replace')) from None
                time.sleep(int(e.headers.get('Retry-After', 1)))

    def tenant(self, method, path='', body=None, kind='application/json'):
        return self(method, f'/api/v1/tenants/{TENANT}{path}', body, kind)

    def all(self, path):
        items, cursor = [], ''
        while True:
            page = self.tenant('GET', f'{path}{"&" if "?" in path else "?"}limit=100{cursor}')
            items += page['items']
            if not page.get('next'):
                return items
            cursor = '&cursor=' + page['next']


def malo(number):
    """A market location: ten digits and their check digit."""
    digits = f'5{number:09d}'
    total = sum(int(d) * (2 if i % 2 else 1) for i, d in enumerate(digits))
    return digits + str(-total % 10)


class Demo:
    def __init__(self, o):
        self.o, self.dir, self.own = o, o.dir, o.dir / 'demo'
        self.children = []
        self.rest = None
        self.ending = False

    # --- processes ---

    def child(self, name, args, log):
        c = Child(name, args, log)
        self.children.append(c)
        return c

    def end(self):
        """Gateways first, so that what they sent is committed; then the server with its database."""
        self.ending = True
        gateways, server = [c for c in self.children if c.name != 'emtd'], [c for c in self.children if c.name == 'emtd']
        for group in (gateways, server):
            for c in group:
                c.ask_to_end()
            for c in group:
                c.wait(30)
        if (self.own / 'last-run').exists():
            (self.own / 'last-run').touch()

    def watch(self):
        for c in self.children:
            if c.ended():
                raise c.fail()

    def plain(self, path):
        try:
            with urllib.request.urlopen(f'http://127.0.0.1:{self.o.port + 1000}{path}', timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError:
            return 0, ''

    def metric(self, name):
        """The sum of a metric over its labels."""
        return sum(float(line.rsplit(' ', 1)[1]) for line in self.plain('/metrics')[1].splitlines() if line.split('{')[0].split(' ')[0] == name)

    # --- steps ---

    def start_server(self):
        say('starting emtd and its private PostgreSQL …')
        # Its password for the first login is printed there as well.
        log = self.dir / 'emtd.log'
        os.close(os.open(log, os.O_WRONLY | os.O_CREAT, 0o600))
        server = self.child('emtd', [self.o.bin / 'emtd', '--embedded', self.dir, '--port', self.o.port], log)
        told = time.monotonic()
        while not (self.plain('/readyz')[0] == 200 and (self.dir / 'root.pem').exists()):
            if server.ended():
                raise server.fail()
            if time.monotonic() - told > 10:
                told = time.monotonic()
                say(f'… still starting: {self.plain("/readyz")[1].strip() or "the database is being made"}')
            time.sleep(0.1)
        self.rest = Rest(self.o.port, self.dir / 'root.pem')

    def log_in(self):
        """The one-time password becomes one of ours, which stays the same from then on."""
        password, key = self.own / 'password', self.own / 'operator-key'
        if not password.exists():
            store(password, secrets.token_urlsafe(15))
        if key.exists():
            self.rest.key = key.read_text()
            try:
                self.rest('GET', '/api/v1/tenants')
                return
            except Refused as e:
                if e.status != 401:
                    raise
                self.rest.key = None
        login = {'user': 'admin', 'password': password.read_text()}
        try:
            answer = self.rest('POST', '/api/v1/login', login)
        except Refused:
            lines = dict(x.split(': ', 1) for x in (self.dir / 'first-login').read_text().splitlines() if ': ' in x)
            answer = self.rest('POST', '/api/v1/login', {**login, 'password': lines['password'], 'new_password': login['password']})
        store(key, answer['api_key'])
        self.rest.key = answer['api_key']

    def make_tenant(self):
        try:
            self.rest.tenant('GET')
        except Refused as e:
            if e.status != 404:
                raise
            say('making the tenant "Demo Stadtwerke" …')
            self.rest('POST', '/api/v1/tenants', {'key': TENANT, 'name': 'Demo Stadtwerke', 'own_mp_id': OWN_MP_ID})
        self.rest.tenant('PATCH', '', {'profile_tolerance_s': TOLERANCE_S})

    def enrol(self, number, name):
        folder = self.own / name
        if (folder / 'agent.yaml').exists():
            return
        say(f'enrolling {name} …')
        try:
            self.rest.tenant('GET', f'/gateways/{name}')
        except Refused as e:
            if e.status != 404:
                raise
            self.rest.tenant('POST', '/gateways', {'id': name, 'name': GATEWAYS[name]})
        keys = subprocess.run([self.o.bin / 'emt-agent', 'meters', '--simulate', str(METERS), '--seed', str(number)], check=True, capture_output=True)
        self.rest.tenant('POST', '/meter-keys', keys.stdout, 'text/csv')
        token = self.rest.tenant('POST', f'/gateways/{name}/enrolment')
        p = subprocess.run([self.o.bin / 'emt-agent', 'enrol', '--server', self.rest.base, '--token', token['token'], '--pin', token['pin'],
                            '--dir', folder], capture_output=True, text=True, check=False)
        if p.returncode:
            raise Failed(f'{name} was not enrolled: {p.stderr.strip()}')

    def agent(self, number, name, *args):
        return self.child(name, [self.o.bin / 'emt-agent', 'run', '--dir', self.own / name, '--address', f'127.0.0.1:{self.o.port - 1000}',
                                 '--simulate', METERS, '--seed', number, *args], self.own / f'{name}.log')

    def catch_up(self):
        """What was sent while nobody listened: all of the history with the first start, later the days since the last one."""
        mark = self.own / 'last-run'
        days = self.o.days
        if mark.exists():
            away = time.time() - mark.stat().st_mtime
            if away < HISTORY_INTERVAL:
                return
            days = min(days, int(away // 86400) + 1)
        total = len(GATEWAYS) * METERS * days * 86400 // HISTORY_INTERVAL
        say(f'{days} days of history, about {total:,} telegrams through the field channel …')
        before = self.metric('emt_ingest_frames_total')
        runs = [self.agent(n, name, '--backfill', days, '--interval', HISTORY_INTERVAL, '--once') for n, name in enumerate(GATEWAYS, 1)]
        told = time.monotonic()
        while not all(r.ended() for r in runs):
            time.sleep(0.2)
            if self.children[0].ended():
                raise self.children[0].fail()
            if time.monotonic() - told >= 5:
                told = time.monotonic()
                done = int(self.metric('emt_ingest_frames_total') - before)
                say(f'… {done:,} stored, {min(99, 100 * done // total)} %')
        for r in runs:
            if r.p.returncode:
                raise r.fail()
            self.children.remove(r)
        mark.touch()

    def go_live(self):
        for n, name in enumerate(GATEWAYS, 1):
            self.agent(n, name, '--interval', LIVE_INTERVAL)

    def bind(self):
        """A metering location and a market location for every electricity meter; a roof has one more, for what it feeds in."""
        if (self.own / 'bound').exists():
            return
        say('market locations for the electricity meters …')
        since = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=self.o.days + 1)).strftime('%Y-%m-%dT00:00:00Z')
        devices = sorted((d for d in self.rest.all('/devices') if d['type'] == 2), key=lambda d: d['id'])
        known, n = {x['code'] for x in self.rest.all('/locations')}, 0
        for d in devices:
            n += 1
            codes = [('melo', f'DE0009991011500000000000{n:09d}')]
            channels = [c for c in self.rest.all(f'/devices/{d["id"]}/channels') if c['storage'] == 0 and c['kind'] == 'number']
            energy = {obis: c for c in channels for obis in ('1-0:1.8.0', '1-0:2.8.0') if (c['obis'] or '').startswith(obis + '*')}
            codes += [('malo', malo(10 * n + i)) for i in range(len(energy))]
            for i, (kind, code) in enumerate(codes):
                if code in known:
                    continue
                self.rest.tenant('POST', '/locations', {'code': code, 'kind': kind, 'name': f'Zählpunkt {n}', 'receiver_mp_id': RECEIVER_MP_ID})
                for at, obis in enumerate(sorted(energy)):
                    if kind == 'melo' or at == i - 1:
                        self.rest.tenant('POST', f'/locations/{code}/bindings', {
                            'channel': energy[obis]['id'], 'obis': '1-1:1.29.0' if obis == '1-0:1.8.0' else '1-1:2.29.0',
                            'device_number': f'1EMT00{d["number"]}', 'valid_from': since})
        if not devices:
            raise Failed('no electricity meter was heard: see the logs in ' + str(self.own))
        (self.own / 'bound').touch()

    def export(self):
        """Yesterday's load profiles, once for each day."""
        today = datetime.date.today()
        mark = self.own / f'exported-{today}'
        if mark.exists():
            return
        say('writing the MSCONS file of yesterday …')
        done = self.rest.tenant('POST', '/exports', {'pid': '13018', 'from': str(today - datetime.timedelta(days=1)), 'to': str(today)})
        for f in done.get('files', []):
            say(f'  {f["file_name"]}: {f["messages"]} messages')
        if not done.get('files'):
            say(f'  no file: {"; ".join(map(str, done.get("notes", [])[:3]))}')
        mark.touch()

    def show(self):
        url, password = self.rest.base, (self.own / 'password').read_text()
        portal = self.portal()
        print(f'''
  portal    {url}{'' if portal else '   (not built: REST only)'}
  user      admin
  password  {password}   (also in {self.own / 'password'})
  CA        {self.dir / 'root.pem'}   (your browser does not know it and asks)

  curl --cacert {self.dir / 'root.pem'} -H "Authorization: Bearer $(cat {self.own / 'operator-key'})" {url}/api/v1/tenants/{TENANT}/devices

{int(time.monotonic() - BEGAN)} s. Ctrl-C ends the demo; the next start goes on with it.''', flush=True)

    def portal(self):
        try:
            return b'<' in self.rest('GET', '/')[:20]
        except Refused:
            return False

    def run(self):
        self.own.mkdir(mode=0o700, exist_ok=True)
        self.start_server()
        self.log_in()
        self.make_tenant()
        for n, name in enumerate(GATEWAYS, 1):
            self.enrol(n, name)
        self.catch_up()
        self.go_live()
        self.bind()
        self.export()
        self.show()
        while True:
            time.sleep(1)
            self.watch()
            if (self.own / 'last-run').exists() and int(time.monotonic()) % 60 == 0:
                (self.own / 'last-run').touch()


def stop(number, frame):
    raise KeyboardInterrupt


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--dir', type=lambda x: pathlib.Path(x).absolute(), required=True)
    p.add_argument('--port', type=int, default=8443)
    p.add_argument('--days', type=int, default=30)
    p.add_argument('--bin', type=pathlib.Path)
    p.add_argument('--check', action='store_true', help='only say whether it could start')
    o = p.parse_args()
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, stop)
    demo, code = Demo(o), 0
    try:
        check(o.dir, o.port)
        if o.check:
            return 0
        # PostgreSQL runs as a user of its own below this folder.
        os.umask(0o077)
        o.dir.chmod(0o755)
        demo.run()
    except KeyboardInterrupt:
        print('\nstopping …', flush=True)
    except (Failed, Refused, OSError, subprocess.SubprocessError) as e:
        print(f'error: {e}', file=sys.stderr)
        code = 1
    # From here on a second Ctrl-C must not leave half of it running.
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, signal.SIG_IGN)
    demo.end()
    if not o.check and demo.children:
        say('ended')
    return code


sys.exit(main())
