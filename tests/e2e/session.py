#!/usr/bin/env python3
"""People at the portal: login, cookie, CSRF, throttling, the end of sessions and keys. Every attack has its expected status."""
import hashlib
import json
import sys

from emt import Browser, Node, Problem, build_dir, run, say, workspace

FLAGS = {'Path=/', 'Secure', 'HttpOnly', 'SameSite=Strict'}
COOKIE = '__Host-emt-session'
secrets = set()


def refused(status, kind, call, *args, **more):
    """The problem; its status and type are as expected."""
    try:
        call(*args, **more)
    except Problem as e:
        body = json.loads(e.body)
        assert (e.status, body['type']) == (status, f'urn:emt:problem:{kind}'), f'expected {status} {kind}: {e}'
        assert body['status'] == status
        return body
    raise AssertionError(f'{args}: not refused; {status} {kind} was expected')


def alive(browser):
    return browser.raw('GET', '/api/v1/session')[0] == 200


def kept(browser):
    """Remembers its secrets: at the end nobody may have told them."""
    secrets.update((browser.cookie.split('=', 1)[1], browser.csrf))
    return browser


def person(node, admin, tenant, name, role, password='a password of my own'):
    """A user of a tenant who has exchanged the one-time password: (id, browser)."""
    made = admin('POST', f'/api/v1/tenants/{tenant}/users', {'name': name, 'role': role})
    secrets.update((made['password'], password))
    return made['user']['id'], kept(Browser(node.rest()).login(name, made['password'], password))


def first_login(node):
    login = node.login()
    browser = Browser(node.rest())
    why = refused(403, 'password-change-required', browser.login, 'admin', login['password'])
    assert why['field'] == 'new_password'
    for bad, says in (('short', '12 characters'), ('all about ADMIN here', 'user name'), ('aaaaaaaaaaaaaaaa', 'different'),
                      (login['password'], 'another')):
        why = refused(400, 'invalid', browser.login, 'admin', login['password'], bad)
        assert why['field'] == 'new_password' and says in why['detail'], why
    status, headers, data = browser.raw('POST', '/api/v1/sessions', {'name': 'admin', 'password': login['password'],
                                                                     'new_password': 'correct horse battery staple'})
    assert status == 201, data
    # One cookie, for this host alone, out of reach of scripts, never sent along from elsewhere, gone with the browser.
    assert len(headers.get_all('Set-Cookie')) == 1
    pair, *flags = headers['Set-Cookie'].split('; ')
    name, value = pair.split('=', 1)
    assert name == COOKIE and set(flags) == FLAGS and len(value) == 43, headers['Set-Cookie']
    assert headers['Cache-Control'] == 'no-store' and value not in data.decode()
    # The database knows its hash alone.
    rows = node.sql("select encode(hash, 'hex') from user_session")
    assert rows == [[hashlib.sha256(value.encode()).hexdigest()]], rows
    browser.cookie, browser.session = pair, json.loads(data)
    browser.csrf = browser.session['csrf_token']
    assert browser.session['user']['platform_role'] == 'operator' and not browser.session['user']['one_time']
    refused(401, 'unauthorized', Browser(node.rest()).login, 'admin', login['password'], 'yet another password')
    secrets.add('correct horse battery staple')
    return kept(browser)


def forged_requests(node, op, key):
    path, body = '/api/v1/tenants/alpha', {'name': 'Alpha'}
    other = kept(Browser(node.rest()).login('admin', 'correct horse battery staple'))
    # The node that was asked, and no other one: a browser knows each by its own name.
    op.rest = node.rest(here=True)
    own = f'https://localhost:{node.https}'
    for token in (None, '', 'x', other.csrf, op.csrf[:-1], op.csrf + 'A', op.csrf.swapcase(), op.cookie.split('=', 1)[1]):
        for method, where, what in (('PATCH', path, body), ('POST', f'{path}/users', {}), ('DELETE', '/api/v1/session', None),
                                    ('POST', '/api/v1/session/password', {}), ('PUT', path, None)):
            expected = 405 if method == 'PUT' else 403
            status, _, data = op.raw(method, where, what, headers={'X-CSRF-Token': token})
            assert status == expected, (method, where, token, status, data)
            assert status == 405 or json.loads(data)['type'] == 'urn:emt:problem:csrf', data
    for origin in ('https://evil.example', 'null', '', f'http://localhost:{node.https}', 'https://localhost', own + '.evil.example',
                   f'https://localhost:{node.field}', 'https://evil.example/' + own, f'https://localhost:{node.companion.https}'):
        assert op.raw('PATCH', path, body, headers={'Origin': origin})[0] == 403, origin
        assert Browser(node.rest()).raw('POST', '/api/v1/sessions', {'name': 'admin', 'password': 'x'},
                                        headers={'Origin': origin})[0] == 403, origin
    assert op.raw('PATCH', path, body, headers={'Origin': own})[0] == 200
    assert op.raw('PATCH', path, body, headers={'Origin': own.upper().replace('HTTPS', 'https')})[0] == 200
    assert op.raw('GET', path, headers={'Origin': 'https://evil.example'})[0] == 200, 'reading needs no token; its answer has no CORS header'
    assert 'Access-Control-Allow-Origin' not in op.raw('GET', path, headers={'Origin': own})[1]
    # A key is no cookie: it needs no token, decides alone, and does not fall back on the cookie.
    assert op.raw('PATCH', path, body, headers={'Authorization': f'Bearer {key}', 'X-CSRF-Token': None, 'Cookie': None})[0] == 200
    for header in ('Bearer emt_1_' + 'A' * 43, 'Basic YTpi', 'Bearer', ''):
        assert op.raw('GET', path, headers={'Authorization': header})[0] == 401, header
    op.rest = node.rest()
    assert alive(op) and alive(other)


def fixation(node):
    password = 'correct horse battery staple'
    planted = f'{COOKIE}={"A" * 43}'
    victim = Browser(node.rest()).login('admin', password, headers={'Cookie': planted})
    assert victim.cookie != planted
    assert Browser(node.rest()).raw('GET', '/api/v1/session', headers={'Cookie': planted})[0] == 401
    # An attacker's own session in the victim's browser: not taken over, and over.
    attacker = kept(Browser(node.rest()).login('admin', password))
    again = Browser(node.rest()).login('admin', password, headers={'Cookie': attacker.cookie})
    assert again.cookie != attacker.cookie and again.csrf != attacker.csrf
    assert not alive(attacker) and alive(again) and alive(victim)
    # A wrong password ends nothing.
    refused(401, 'unauthorized', Browser(node.rest()).login, 'admin', 'a wrong password', headers={'Cookie': again.cookie})
    assert alive(again)
    for bad in ('', 'x', 'A' * 43, again.cookie.split('=', 1)[1] + 'A', again.cookie.split('=', 1)[1][:-1], "' or 1=1 --", 'A' * 8000):
        assert node_status(node, bad) in (401, 431), bad


def node_status(node, value):
    return Browser(node.rest()).raw('GET', '/api/v1/session', headers={'Cookie': f'{COOKIE}={value}'})[0]


def expiry(node, tenant_admin):
    def age(minutes):
        node.sql(f"update user_session set seen_at = now() - interval '{minutes} minutes' where user_id ="
                 " (select id from platform_user where name = 'tina')")

    age(29)
    assert alive(tenant_admin)
    seen = node.sql("select count(*) from user_session where seen_at > now() - interval '1 minute'")
    assert int(seen[0][0]) >= 1, 'a use counts against the idle time'
    age(31)
    assert not alive(tenant_admin)
    assert tenant_admin.raw('GET', '/api/v1/tenants/alpha')[0] == 401
    tenant_admin.login('tina', 'a password of my own')
    kept(tenant_admin)
    node.sql("update user_session set expires_at = now() - interval '1 second' where user_id ="
             " (select id from platform_user where name = 'tina')")
    assert not alive(tenant_admin), 'twelve hours end a session that is in use'
    tenant_admin.login('tina', 'a password of my own')
    kept(tenant_admin)


def rights_end_at_once(node, op, tina):
    people = '/api/v1/tenants/alpha/users'
    rita, reader = person(node, tina, 'alpha', 'rita', 'reader')
    assert reader.raw('POST', '/api/v1/tenants/alpha/gateways', {'id': 'g1'})[0] == 403
    tina('PATCH', f'{people}/{rita}', {'role': 'field-technician'})
    assert not alive(reader), 'another role begins with another login'
    reader.login('rita', 'a password of my own')
    assert reader.raw('POST', '/api/v1/tenants/alpha/gateways', {'id': 'g1'})[0] == 201
    tina('PATCH', f'{people}/{rita}', {'display_name': 'Rita'})
    assert alive(reader), 'another name is no other right'
    tina('PATCH', f'{people}/{rita}', {'disabled': True})
    assert not alive(reader)
    refused(401, 'unauthorized', Browser(node.rest()).login, 'rita', 'a password of my own')
    tina('PATCH', f'{people}/{rita}', {'disabled': False})
    reader.login('rita', 'a password of my own')
    # A reset ends what was, and the new password has to be exchanged.
    once = tina('POST', f'{people}/{rita}/one-time-password', {})['password']
    secrets.add(once)
    assert not alive(reader)
    refused(401, 'unauthorized', Browser(node.rest()).login, 'rita', 'a password of my own')
    reader.login('rita', once, 'a second one of my own')
    # Out of the tenant: nothing is left.
    tina('DELETE', f'{people}/{rita}')
    assert not alive(reader)
    refused(401, 'unauthorized', Browser(node.rest()).login, 'rita', 'a second one of my own')
    refused(404, 'not-found', tina, 'GET', f'{people}/{rita}')
    refused(409, 'conflict', tina, 'POST', people, {'name': 'rita', 'role': 'reader'})

    # A user of two tenants belongs to neither administrator alone.
    both = op('POST', '/api/v1/users', {'name': 'both', 'memberships': [{'tenant': 'alpha', 'role': 'reader'},
                                                                        {'tenant': 'beta', 'role': 'tenant-admin'}]})
    secrets.add(both['password'])
    user = f"{people}/{both['user']['id']}"
    boris = kept(Browser(node.rest()).login('both', both['password'], 'a password of us two'))
    assert {t['key']: t['role'] for t in boris.session['tenants']} == {'alpha': 'reader', 'beta': 'tenant-admin'}
    assert boris.raw('GET', '/api/v1/tenants/alpha')[0] == 200 and boris.raw('GET', '/api/v1/tenants/alpha/users')[0] == 403
    assert boris.raw('GET', '/api/v1/tenants/beta/users')[0] == 200
    assert [t['key'] for t in boris('GET', '/api/v1/tenants')['items']] == ['alpha', 'beta']
    refused(409, 'conflict', tina, 'PATCH', user, {'disabled': True})
    refused(409, 'conflict', tina, 'POST', f'{user}/one-time-password', {})
    tina('DELETE', user)
    assert not alive(boris)
    boris.login('both', 'a password of us two')
    assert boris.raw('GET', '/api/v1/tenants/alpha')[0] == 404 and boris.raw('GET', '/api/v1/tenants/beta')[0] == 200
    refused(404, 'not-found', tina, 'PATCH', user, {'role': 'reader'})
    op('PATCH', f"/api/v1/users/{both['user']['id']}", {'memberships': []})
    assert not alive(boris)
    # Oneself, and the last operator.
    me = tina.session['user']['id']
    for change in ({'role': 'reader'}, {'disabled': True}):
        refused(409, 'conflict', tina, 'PATCH', f'{people}/{me}', change)
    refused(409, 'conflict', tina, 'DELETE', f'{people}/{me}')
    for change in ({'disabled': True}, {'platform_role': 'auditor'}, {'platform_role': 'none'}):
        refused(409, 'conflict', op, 'PATCH', f"/api/v1/users/{op.session['user']['id']}", change)
    # An operator who is one no more: neither by session nor by key.
    olga = op('POST', '/api/v1/users', {'name': 'olga', 'platform_role': 'operator'})
    secrets.add(olga['password'])
    other = kept(Browser(node.rest()).login('olga', olga['password'], 'a password of hers'))
    key = other('POST', '/api/v1/login', {'user': 'olga', 'password': 'a password of hers'})['api_key']
    secrets.add(key)
    assert node.rest(key).raw('GET', '/api/v1/users')[0] == 200
    op('PATCH', f"/api/v1/users/{olga['user']['id']}", {'platform_role': 'none'})
    assert not alive(other) and node.rest(key).raw('GET', '/api/v1/users')[0] == 401
    refused(403, 'forbidden', node.rest(), 'POST', '/api/v1/login', {'user': 'olga', 'password': 'a password of hers'})


def passwords(node, tina):
    change = '/api/v1/session/password'
    elsewhere = kept(Browser(node.rest()).login('tina', 'a password of my own'))
    why = refused(400, 'invalid', tina, 'POST', change, {'password': 'a wrong password', 'new_password': 'another one of mine'})
    assert why['field'] == 'password'
    why = refused(400, 'invalid', tina, 'POST', change, {'password': 'a password of my own', 'new_password': 'with tina in it'})
    assert why['field'] == 'new_password'
    assert alive(elsewhere)
    tina('POST', change, {'password': 'a password of my own', 'new_password': 'another one of mine'})
    secrets.add('another one of mine')
    assert alive(tina) and not alive(elsewhere), 'the others end, this one stays'
    refused(401, 'unauthorized', Browser(node.rest()).login, 'tina', 'a password of my own')
    Browser(node.rest()).login('tina', 'another one of mine')
    # Logout: the cookie is taken back and worth nothing any more.
    gone = kept(Browser(node.rest()).login('tina', 'another one of mine'))
    status, headers, _ = gone.raw('DELETE', '/api/v1/session')
    assert status == 204
    pair, *flags = headers['Set-Cookie'].split('; ')
    assert pair == f'{COOKIE}=' and set(flags) == FLAGS | {'Max-Age=0'}
    assert not alive(gone) and gone.raw('DELETE', '/api/v1/session')[0] == 401


def rescue(node):
    """The only operator's password is lost, and the user disabled besides."""
    lost = kept(Browser(node.rest()).login('admin', 'correct horse battery staple'))
    node.sql("update platform_user set disabled_at = now() where name = 'admin'", role='emt_owner')
    command = [build_dir() / 'emtctl', 'user', 'reset']
    assert 'there is no user "adm"' in run([*command, 'adm', '--embedded', node.dir], ok=(1,)).stderr
    assert 'A name is missing' in run([*command, '--embedded', node.dir], ok=(2,)).stderr
    once = run([*command, 'admin', '--embedded', node.dir]).stdout.strip()
    secrets.add(once)
    assert not alive(lost)
    refused(401, 'unauthorized', Browser(node.rest()).login, 'admin', 'correct horse battery staple')
    assert alive(kept(Browser(node.rest()).login('admin', once, 'correct horse battery saddle')))
    who, detail = node.sql("select actor, detail from audit where action = 'user.reset' order by entry_id desc limit 1")[0]
    assert who.startswith('emtctl:') and detail == 'one-time password; enabled again', (who, detail)


def keys(node, tina):
    path = '/api/v1/tenants/alpha/api-keys'
    made = tina('POST', path, {'name': 'meters only', 'role': 'tenant-admin', 'scopes': ['devices:read', 'users:write']})
    secrets.add(made['api_key'])
    assert made['key']['scopes'] == ['devices:read', 'users:write'] and made['key']['created_by'] == 'user:tina'
    key = node.rest(made['api_key'])
    assert key.raw('GET', '/api/v1/tenants/alpha/devices')[0] == 200
    why = refused(403, 'scope', key, 'GET', '/api/v1/tenants/alpha/gateways')
    assert 'gateways:read' in why['detail'], why
    refused(403, 'scope', key, 'GET', path)  # write is not read
    # What a key does not have, it does not give.
    for more in ([], ['devices:read', 'gateways:read'], ['devices:write']):
        refused(403, 'scope', key, 'POST', path, {'name': 'more', 'role': 'reader', 'scopes': more})
    less = key('POST', path, {'name': 'less', 'role': 'reader', 'scopes': ['devices:read']})
    secrets.add(less['api_key'])
    for bad in (['devices'], ['devices:delete'], ['all:read'], [1], 'devices:read', ['devices:read'] * 23):
        refused(400, 'invalid', tina, 'POST', path, {'name': 'bad', 'role': 'reader', 'scopes': bad})
    rows = {k['id']: k for k in tina('GET', path)['items']}
    noted = rows[made['key']['id']]['last_used_at']
    assert noted and rows[less['key']['id']]['last_used_at'] is None
    key.raw('GET', '/api/v1/tenants/alpha/devices')
    assert {k['id']: k for k in tina('GET', path)['items']}[made['key']['id']]['last_used_at'] == noted, 'noted once a minute'
    tina('DELETE', f"{path}/{made['key']['id']}")
    assert key.raw('GET', '/api/v1/tenants/alpha/devices')[0] == 401
    assert node.rest(made['api_key']).raw('GET', '/api/v1/session')[0] == 401


def throttle(node, second):
    """Per address and per name, on every node, over a restart; nobody is locked out."""
    def attempt(who, source, password='a guess of mine'):
        try:
            Browser(who.rest(), source).login('tina', password)
            return 201, 0
        except Problem as e:
            return e.status, 0

    def retry_after(who, source, name='tina'):
        status, headers, _ = Browser(who.rest(), source).raw('POST', '/api/v1/sessions', {'name': name, 'password': 'a guess of mine'})
        return status, int(headers.get('Retry-After', 0))

    # localhost may be ::1 as well: this is where the user is at home.
    assert attempt(node, '127.0.0.1', 'another one of mine')[0] == 201
    node.sql('delete from login_throttle')
    got = [attempt(node, '127.0.0.2')[0] for _ in range(5)]
    assert got == [401] * 5, got
    # The name waits, whichever address asks, also on the other node.
    for who, source in ((node, '127.0.0.2'), (second, '127.0.0.3')):
        status, wait = retry_after(who, source)
        assert status == 429 and 1 <= wait <= 30, (status, wait)
    # Where the user has logged in before, nobody else's guessing matters.
    assert attempt(node, '127.0.0.1', 'another one of mine')[0] == 201
    node.sql("update login_throttle set attempts = 1000, blocked_until = now() where kind = 1")
    node.sql("update login_throttle set attempts = 0, blocked_until = now() where kind = 0")
    assert retry_after(node, '127.0.0.4')[0] == 401
    status, wait = retry_after(node, '127.0.0.4')
    assert status == 429 and 25 <= wait <= 30, f'the ceiling of a name: {status} {wait}'
    # An address waits for every name, known or not; the wait grows to its ceiling.
    node.sql('delete from login_throttle')
    got = [retry_after(node, '127.0.0.5', f'nobody{i}')[0] for i in range(10)]
    assert got == [401] * 10, got
    assert retry_after(second, '127.0.0.5', 'nobody10')[0] == 429
    node.sql("update login_throttle set attempts = 1000, blocked_until = now() where kind = 0")
    assert retry_after(node, '127.0.0.5', 'nobody11')[0] == 401
    assert second.process.stop() == 0
    second.start()
    status, wait = retry_after(second, '127.0.0.5', 'nobody12')
    assert status == 429 and 50 <= wait <= 60, f'the ceiling of an address, after a restart: {status} {wait}'
    assert retry_after(node, '127.0.0.6', 'nobody13')[0] == 401, 'others are not slowed down'
    node.sql('delete from login_throttle')


class Impatient(Node):
    """A node whose sessions idle for five minutes at most."""

    def config(self):
        return super().config().replace('api:\n', 'api:\n  session_idle_minutes: 5\n  session_hours: 1\n')


def settings(second):
    browser = Browser(second.rest()).login('tina', 'another one of mine')
    for minutes, good in ((4, True), (6, False)):
        second.sql(f"update user_session set seen_at = now() - interval '{minutes} minutes'")
        assert alive(browser) == good, minutes
    browser.login('tina', 'another one of mine')
    left = second.sql("select max(expires_at) <= now() + interval '1 hour' from user_session where created_at > now() - interval '5 s'")
    assert left == [['t']], left


def told_nowhere(nodes):
    """No secret in a log or in what the database keeps as text."""
    texts = [n.process.output() for first in nodes for n in first.nodes()]
    for table in ('audit', 'user_session', 'login_throttle', 'platform_user', 'membership', 'api_key', 'platform_api_key'):
        texts.append('\n'.join('\t'.join(row) for row in nodes[0].sql(f'select * from {table}', role='emt_owner')))
    for secret in secrets:
        for text in texts:
            assert secret not in text, f'told: {secret[:4]}…'


def audited(node):
    done = {row[0] for row in node.sql('select distinct action from audit')}
    for action in ('session.create', 'session.refuse', 'session.end', 'user.create', 'user.update', 'user.remove', 'user.reset',
                   'user.password', 'api-key.create', 'api-key.revoke'):
        assert action in done, f'{action} is not audited: {sorted(done)}'
    # Guessing does not fill the audit, and what was typed as a name is not in it.
    assert int(node.sql("select count(*) from audit where action = 'session.refuse'")[0][0]) < 60
    assert node.sql("select count(*) from audit where object like '%nobody1%'") == [['0']]


def main():
    with workspace('session') as (dir, nodes):
        node = Node(dir / 'one')
        nodes.append(node)
        node.start()
        op = first_login(node)
        for key in ('alpha', 'beta'):
            secrets.add(op('POST', '/api/v1/tenants', {'key': key, 'name': key})['api_key'])
        key = op('POST', '/api/v1/tenants/alpha/api-keys', {'name': 'k', 'role': 'tenant-admin'})['api_key']
        secrets.add(key)
        say('forged requests')
        forged_requests(node, op, key)
        say('fixation')
        fixation(node)
        _, tina = person(node, op, 'alpha', 'tina', 'tenant-admin')
        say('expiry')
        expiry(node, tina)
        say('rights')
        rights_end_at_once(node, op, tina)
        say('passwords')
        passwords(node, tina)
        say('keys')
        keys(node, tina)
        second = Impatient(dir / 'two', first=node)
        nodes.append(second)
        second.start()
        say('throttle')
        throttle(node, second)
        settings(second)
        rescue(node)
        audited(node)
        told_nowhere(nodes)
        say('sessions hold')


if __name__ == '__main__':
    sys.exit(main())
