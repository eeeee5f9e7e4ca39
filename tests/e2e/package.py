#!/usr/bin/env python3
"""The Debian packages: what is in them, and that what is in them runs.

Ordinarily the packages of this build are looked into and unpacked, and emtd and an agent are started from there. With EMT_FULL, or where
EMT_FRESH_BASE names the folder of a minimal Debian 12, they are installed in a system of their own (root, debootstrap), configured as
docs/operations.md says, started as the units would start them, upgraded, and purged.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from emt import FULL, ROOT, Node, Tenant, build_dir, operator, run, say, wait_for, workspace

SKIPPED = 77
UNIT_EXPOSURE = 1.5  # systemd-analyze security: 0 is closed, 10 is open
PLATFORM = {'/etc/emt/emtd.yaml', '/lib/systemd/system/emtd.service', '/usr/bin/emtd', '/usr/bin/emtctl', '/usr/share/emt/openapi.yaml',
            '/usr/share/emt/migrations/roles.sql', '/usr/share/emt/migrations/0001_generic_schema.sql', '/usr/share/emt/portal/index.html',
            '/usr/share/doc/emt-platform/copyright', '/usr/share/doc/emt-platform/operations.md'}
AGENT = {'/lib/systemd/system/emt-agent@.service', '/usr/bin/emt-agent', '/usr/share/doc/emt-agent/copyright'}


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            say(f'skipped: there is no {p}')
            sys.exit(SKIPPED)


def build():
    """Both packages of this build folder."""
    if not (ROOT / 'admin-ui/dist/index.html').exists():
        say('skipped: the portal is not built (cmake --build --preset release --target portal)')
        sys.exit(SKIPPED)
    if not re.search(r'^EMT_PACKAGE:\w+=ON$', (build_dir() / 'CMakeCache.txt').read_text(), re.M):
        say('skipped: this build folder makes no packages (EMT_PACKAGE)')
        sys.exit(SKIPPED)
    for old in build_dir().glob('*.deb'):
        old.unlink()
    run(['cpack', '--config', build_dir() / 'CPackConfig.cmake'])
    found = {p.name.split('_')[0]: p for p in build_dir().glob('*.deb')}
    assert set(found) == {'emt-platform', 'emt-agent'}, found
    return found


def check_contents(name, deb, expected):
    files = set()
    for line in run(['dpkg-deb', '--contents', deb]).stdout.splitlines():
        mode, owner, _, _, _, path = line.split(None, 5)
        assert owner == 'root/root', line
        assert mode in ('drwxr-xr-x', '-rw-r--r--', '-rwxr-xr-x'), line
        assert (mode == '-rwxr-xr-x') == path.startswith('./usr/bin/') or mode[0] == 'd', line
        if mode[0] == '-':
            files.add(path[1:])
    assert expected <= files, expected - files
    others = {f for f in files if not f.startswith(('/usr/share/emt/', '/usr/share/doc/')) and f not in expected}
    assert not others, others
    fields = dict(line.split(': ', 1) for line in run(['dpkg-deb', '--field', deb]).stdout.splitlines() if re.match(r'[A-Z][\w-]*: ', line))
    assert fields['Package'] == name
    for library in ('libc6', 'libssl3', 'libevent', 'libyaml-0-2', 'adduser'):
        assert library in fields['Depends'], fields['Depends']
    assert all(x not in fields['Depends'] for x in ('-dev', 'libasan', 'check')), fields['Depends']
    say(f'{deb.name}: {len(files)} files, {deb.stat().st_size // 1024} KiB packed, {fields["Installed-Size"]} KiB installed')


def check_scripts(deb, folder):
    control = folder / 'control' / deb.name
    control.mkdir(parents=True)
    run(['dpkg-deb', '--control', deb, control])
    for script in ('postinst', 'prerm', 'postrm'):
        run(['sh', '-n', control / script])
        assert (control / script).stat().st_mode & 0o777 == 0o755, script
    return control


def check_programs(root):
    """Nothing in them tells where they were built, and they are stripped."""
    for program in (root / 'usr/bin').iterdir():
        content = program.read_bytes()
        assert str(ROOT).encode() + b'/' not in content, program
        assert b'.debug_info' not in content, program


def check_units(root):
    if not shutil.which('systemd-analyze'):
        say('units: not analysed, there is no systemd-analyze')
        return
    for unit in ('emtd.service', 'emt-agent@.service'):
        path = root / 'lib/systemd/system' / unit
        p = subprocess.run(['systemd-analyze', 'security', '--offline=yes', '--no-pager', str(path)], capture_output=True, text=True, check=False)
        found = re.search(r'Overall exposure level for \S+: ([\d.]+)', p.stdout)
        assert found, p.stdout + p.stderr
        say(f'{unit}: exposure {found[1]} of 10')
        assert float(found[1]) <= UNIT_EXPOSURE, p.stdout
        p = subprocess.run(['systemd-analyze', 'verify', '--man=no', str(path)], capture_output=True, text=True, check=False)
        bad = [x for x in p.stderr.splitlines() if unit.split('.')[0].rstrip('@') in x and 'is not executable' not in x]
        assert not bad, bad


def check_unpacked(root, folder):
    """emtd and an agent straight from the unpacked packages: migrations and portal are found beside the program."""
    node = Node(folder / 'node', program=root / 'usr/bin/emtd', alone='the first start of an unpacked package')
    node.start()
    try:
        op = operator(node)
        status, head, body = node_page(node, '/')
        assert status == 200 and b'<!doctype html>' in body.lower(), (status, body[:200])
        assert "'nonce-" in head['Content-Security-Policy'], head
        status, _, body = node_page(node, '/t/demo/devices')
        assert status == 200 and b'<!doctype html>' in body.lower()
        assert node_page(node, '/../etc/passwd')[0] in (400, 404)
        t = Tenant(op, 'packed')
        t.gateway('gw-1', folder / 'gw-1', node)
        p = run([root / 'usr/bin/emt-agent', 'run', '--dir', folder / 'gw-1', '--address', f'127.0.0.1:{node.field}', '--simulate', '10',
                 '--backfill', '1', '--once', '--timeout', '60'])
        say('agent: ' + p.stdout.strip())
        wait_for('devices of the simulated meters', lambda: len(t.all('/devices')) == 10)
    finally:
        node.process.stop()


def node_page(node, path):
    import http.client
    import ssl
    c = http.client.HTTPSConnection('localhost', node.https, timeout=10, context=ssl.create_default_context(cafile=node.dir / 'root.pem'))
    c.request('GET', path)
    answer = c.getresponse()
    body = answer.read()
    c.close()
    return answer.status, answer.headers, body


# --- a system of its own ---

def base_system(folder):
    """A minimal Debian 12: a copy of the one that is named, else a new one."""
    fresh = folder / 'system'
    named = os.environ.get('EMT_FRESH_BASE')
    if named and pathlib.Path(named, 'etc/debian_version').exists():
        run(['cp', '-a', named, fresh])
    else:
        say('debootstrap …')
        run(['debootstrap', '--variant=minbase', 'bookworm', fresh])
    return fresh


def in_system(fresh, command, network):
    """In namespaces of its own: what is mounted and started there ends with it."""
    inside = f'mount -t proc proc {fresh}/proc && mount --rbind /dev {fresh}/dev && mount --make-rslave {fresh}/dev && exec chroot {fresh} {command}'
    if not network:
        inside = f'ip link set lo up && {inside}'
    args = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--uts'] + ([] if network else ['--net']) + ['sh', '-c', inside]
    env = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8', 'DEBIAN_FRONTEND': 'noninteractive', 'HOME': '/root'}
    p = subprocess.run(args, env=env, capture_output=True, text=True, check=False)
    if p.returncode:
        print(p.stdout[-4000:], p.stderr[-4000:], sep='\n', file=sys.stderr)
        raise SystemExit(f'failed in the fresh system: {command}')
    return p.stdout


def check_fresh(packages):
    if os.geteuid() != 0 or not shutil.which('unshare') or not (os.environ.get('EMT_FRESH_BASE') or shutil.which('debootstrap')):
        say('fresh system: skipped, it needs root, unshare and debootstrap')
        return
    # Not in /tmp, which may be small or mounted nodev.
    folder = pathlib.Path(tempfile.mkdtemp(prefix='emt-package-', dir='/var/tmp'))
    try:
        fresh = base_system(folder)
        for deb in packages.values():
            shutil.copy(deb, fresh / 'root')
        shutil.copy(ROOT / 'tests/e2e/package_inside.sh', fresh / 'root')
        say('installing in the fresh system …')
        in_system(fresh, "sh -c 'apt-get -q update && apt-get -q install -y --no-install-recommends postgresql curl /root/*.deb'", True)
        say('running in the fresh system …')
        for line in in_system(fresh, 'sh /root/package_inside.sh', False).splitlines():
            if line.startswith('== '):
                say(line[3:])
    finally:
        shutil.rmtree(folder)


def main():
    need('dpkg-deb', 'dpkg-shlibdeps', 'cpack')
    packages = build()
    with workspace('package') as (folder, _):
        root = folder / 'unpacked'
        for name, deb in packages.items():
            check_contents(name, deb, PLATFORM if name == 'emt-platform' else AGENT)
            control = check_scripts(deb, folder)
            if name == 'emt-platform':
                assert (control / 'conffiles').read_text() == '/etc/emt/emtd.yaml\n'
            run(['dpkg-deb', '--extract', deb, root])
        check_programs(root)
        check_units(root)
        check_unpacked(root, folder)
    if FULL or os.environ.get('EMT_FRESH_BASE'):
        check_fresh(packages)
    say('packages are good')


main()
