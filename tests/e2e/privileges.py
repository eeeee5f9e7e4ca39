#!/usr/bin/env python3
"""Who may do what: every operation of the REST document asked by everybody, each with the status that x-emt-access, x-emt-roles and
x-emt-scope promise. The document is held against the program's table by a unit test; here it is held against the running server."""
import collections
import http.client
import json
import re
import sys

import yaml

import document
from emt import ROOT, Browser, Node, say, workspace

METHODS = ('get', 'post', 'put', 'patch', 'delete')
ROLES = ('reader', 'field-technician', 'data-manager', 'certificate-manager', 'tenant-admin')
AREAS = ('gateways', 'devices', 'readings', 'frames', 'keys', 'market', 'exports', 'jobs', 'users', 'tenant', 'audit')
TOPICS = ('gateways', 'frames', 'jobs', 'tenant')
# What an operation may answer to somebody who may call it with names of nothing and an empty body.
DONE = {200, 201, 202, 204, 400, 404, 409, 410, 412, 415, 422}
PASSWORD = 'a long enough secret'
# What parties outside of a tenant may call at all: x-emt-mandate.
MANDATED = set()


def operations():
    """(method, path, access, roles, area) of the document; nothing is left unsaid."""
    document = yaml.safe_load((ROOT / 'schema' / 'api' / 'openapi.yaml').read_text())
    for path, item in document['paths'].items():
        for method in METHODS:
            op = item.get(method)
            if op is None:
                continue
            access, roles, area = op.get('x-emt-access'), op.get('x-emt-roles', []), op.get('x-emt-scope')
            assert access in ('public', 'any', 'session', 'operator', 'tenant'), f'{method} {path}: x-emt-access: {access}'
            assert set(roles) <= set(ROLES) and bool(roles) == (access == 'tenant'), f'{method} {path}: x-emt-roles: {roles}'
            assert area in AREAS or area == 'none', f'{method} {path}: x-emt-scope: {area}'
            assert (access == 'public') == (op.get('security') == []), f'{method} {path}: security'
            assert ('{tenant}' in path) == (access == 'tenant'), f'{method} {path}: {access}'
            mandate = op.get('x-emt-mandate', False)
            assert not mandate or access == 'tenant', f'{method} {path}: x-emt-mandate'
            if mandate:
                MANDATED.add((method.upper(), path))
            yield method.upper(), path, access, roles, area


class Asker:
    """Somebody, with what is expected of every operation: asks the nodes in turns, and keeps a connection to each."""

    def __init__(self, name, node, expect, headers):
        self.name, self.expect, self.headers = name, expect, headers
        context = node.rest().context
        self.lines = collections.deque(http.client.HTTPSConnection('localhost', n.https, timeout=60, context=context) for n in node.nodes())

    def ask(self, method, path, body):
        """(status, problem type or None)"""
        headers = dict(self.headers)
        if body is not None:
            headers['Content-Type'] = 'application/json'
        self.lines.rotate()
        for again in (True, False):
            try:
                self.lines[0].request(method, path, body, headers)
                r = self.lines[0].getresponse()
                break
            except (http.client.HTTPException, OSError):
                self.lines[0].close()
                if not again:
                    raise
        kind = r.headers.get('Content-Type', '')
        if 'event-stream' in kind:
            self.lines[0].close()
            return r.status, None
        data = r.read()
        document.judge(method, path, r.status, r.headers, data)
        return r.status, json.loads(data)['type'].rsplit(':', 1)[1] if 'problem' in kind else None

    def close(self):
        for line in self.lines:
            line.close()


# --- what is expected: a set of statuses, or (status, problem type) ---

def of_nobody(op):
    return DONE | {401, 403} if op[2] == 'public' else (401, 'unauthorized')


def of_operator(session):
    def expect(op):
        return (401, 'unauthorized') if op[2] == 'session' and not session else DONE | ({401, 403} if op[2] == 'public' else set())
    return expect


def of_auditor(session):
    def expect(op):
        method, _, access, _, _ = op
        if method != 'GET' and access in ('operator', 'tenant'):
            return 403, 'forbidden'
        return of_operator(session)(op)
    return expect


def of_role(role, session, scopes=None):
    """A member of the tenant; scopes(area, write) of a key that has some."""
    def expect(op):
        method, _, access, roles, area = op
        if access == 'operator' or (access == 'tenant' and role not in roles):
            return 403, 'forbidden'
        if scopes is not None and access in ('any', 'tenant'):
            # The event stream opens with a scope of one of its topics.
            if not any(scopes(a, method != 'GET') for a in (TOPICS if area == 'none' else (area,))):
                return 403, 'scope'
        return of_operator(session)(op)
    return expect


def of_stranger(session):
    """The administrator of another tenant: this one does not exist."""
    def expect(op):
        if op[2] == 'tenant':
            return 404, 'not-found'
        return (403, 'forbidden') if op[2] == 'operator' else of_operator(session)(op)
    return expect


def of_party(op):
    """A key of somebody outside of the tenant: values under a mandate, and nothing else."""
    method, path, access, _, _ = op
    if access == 'public':
        return of_nobody(op)
    if access == 'session':
        return 401, 'unauthorized'
    return DONE | {403} if (method, path) in MANDATED else (403, 'mandate')


def askers(node):
    op = Browser(node.rest()).login('admin', node.login()['password'], PASSWORD)
    keys = {}
    for key in ('mine', 'theirs'):
        keys[key] = op('POST', '/api/v1/tenants', {'key': key, 'name': key})['api_key']

    def bearer(key):
        return {'Authorization': f'Bearer {key}'}

    def cookies(browser):
        return {'Cookie': browser.cookie, 'X-CSRF-Token': browser.csrf}

    def person(name, **what):
        once = op('POST', '/api/v1/users', {'name': name, **what})['password']
        return Browser(node.rest()).login(name, once, PASSWORD)

    def api_key(name, **what):
        return op('POST', '/api/v1/tenants/mine/api-keys', {'name': name, **what})['api_key']

    yield Asker('nobody', node, of_nobody, {})
    yield Asker('operator, session', node, of_operator(True), cookies(op))
    yield Asker('operator, key', node, of_operator(False),
                bearer(node.rest()('POST', '/api/v1/login', {'user': 'admin', 'password': PASSWORD})['api_key']))
    auditor = person('auditor', platform_role='auditor')
    yield Asker('auditor, session', node, of_auditor(True), cookies(auditor))
    yield Asker('auditor, key', node, of_auditor(False),
                bearer(node.rest()('POST', '/api/v1/login', {'user': 'auditor', 'password': PASSWORD})['api_key']))
    for role in ROLES:
        browser = person(role, memberships=[{'tenant': 'mine', 'role': role}])
        yield Asker(f'{role}, session', node, of_role(role, True), cookies(browser))
        yield Asker(f'{role}, key', node, of_role(role, False), bearer(api_key(role, role=role)))
    # One scope each: what it opens, and all that it does not.
    for area in AREAS:
        for write in (False, True):
            scope = f"{area}:{'write' if write else 'read'}"
            yield Asker(scope, node, of_role('tenant-admin', False, lambda a, w, area=area, write=write: (a, w) == (area, write)),
                        bearer(api_key(scope, role='tenant-admin', scopes=[scope])))
    yield Asker('reader of gateways', node, of_role('reader', False, lambda a, w: a == 'gateways'),
                bearer(api_key('both', role='reader', scopes=['gateways:read', 'gateways:write'])))
    yield Asker("another tenant's administrator, key", node, of_stranger(False), bearer(keys['theirs']))
    stranger = person('stranger', memberships=[{'tenant': 'theirs', 'role': 'tenant-admin'}])
    yield Asker("another tenant's administrator, session", node, of_stranger(True), cookies(stranger))
    orphan = person('orphan')
    yield Asker('a user of no tenant', node, of_stranger(True), cookies(orphan))
    yield Asker('a party outside', node, of_party, bearer(api_key('party', role='reader', recipient='9900999000205', purpose='billing')))
    # Keys and sessions that were good.
    revoked = api_key('revoked', role='tenant-admin')
    number = op('GET', '/api/v1/tenants/mine/api-keys?limit=1000')['items'][-1]['id']
    op('DELETE', f'/api/v1/tenants/mine/api-keys/{number}')
    yield Asker('a revoked key', node, of_nobody, bearer(revoked))
    gone = person('gone', memberships=[{'tenant': 'mine', 'role': 'tenant-admin'}])
    op('PATCH', f"/api/v1/users/{gone.session['user']['id']}", {'disabled': True})
    yield Asker('a disabled user', node, of_nobody, cookies(gone))


def unforged(op):
    """A session without its token: everything that changes something is refused before anything else is looked at."""
    return (403, 'csrf') if op[0] != 'GET' and op[2] != 'public' else None


def main():
    ops = list(operations())
    failures, n = [], 0
    with workspace('privileges') as (dir, nodes):
        node = Node(dir / 'node')
        nodes.append(node)
        node.start()
        all_of_them = list(askers(node))
        forger = Asker('operator without a token', node, unforged, {'Cookie': all_of_them[1].headers['Cookie']})
        for who in [*all_of_them, forger]:
            for op in ops:
                method, path, access, _, _ = op
                # Logging out is asked at last, by everybody.
                if (method, path) == ('DELETE', '/api/v1/session') and who is not forger:
                    continue
                expected = who.expect(op)
                if expected is None:
                    continue
                target = re.sub(r'\{(\w+)\}', lambda m: 'mine' if m[1] == 'tenant' else '0', path)
                # Public operations share a throttle of addresses and have tests of their own.
                if access == 'public' and method == 'POST':
                    continue
                status, kind = who.ask(method, target, None if method == 'GET' else b'{}')
                n += 1
                good = (status, kind) == expected if isinstance(expected, tuple) else status in expected
                if not good:
                    failures.append(f'{who.name}: {method} {target}: {status} {kind or ""}; expected {expected}')
        for who in all_of_them:
            status, kind = who.ask('DELETE', '/api/v1/session', None)
            n += 1
            expected = 204 if 'X-CSRF-Token' in who.headers and who.expect is not of_nobody else 401
            if status != expected:
                failures.append(f'{who.name}: logout: {status}; expected {expected}')
            who.close()
    for f in failures[:100]:
        say(f)
    assert not failures, f'{len(failures)} of {n} answers'
    say(f'{n} answers of {len(ops)} operations to {len(all_of_them) + 1} askers are as the document says')


if __name__ == '__main__':
    sys.exit(main())
