#!/usr/bin/env python3
"""The database's disk is full in the middle of ingest: sessions stay, nothing is acknowledged that is not stored, no frame is blamed for it,
and with room again everything arrives by itself, once. Needs root for a small file system in memory; says skipped elsewhere."""
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import crash
from emt import Node, Tenant, operator, say, wait_for, workspace

SIZE_MB = 700
ROOM_KB = 4000  # left when the ballast lies in it


@contextlib.contextmanager
def small_disk():
    """A folder on a disk of its own, or None."""
    with tempfile.TemporaryDirectory(prefix='emt-small-', dir='/tmp') as dir:
        mount = ['mount', '-t', 'tmpfs', '-o', f'size={SIZE_MB}m,mode=755', 'emt-test', dir]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
            yield None
            return
        try:
            yield pathlib.Path(dir)
        finally:
            subprocess.run(['umount', '-l', dir], check=True)


def free_kb(dir):
    s = os.statvfs(dir)
    return s.f_bavail * s.f_frsize // 1024


def fill(ballast):
    """Leaves little room, however much the server takes or frees meanwhile."""
    with open(ballast, 'ab') as f:
        room = free_kb(ballast.parent) - ROOM_KB
        if room > 0:
            os.posix_fallocate(f.fileno(), f.tell(), room * 1024)


def stored(node):
    """Frames in the database; None while it does not answer."""
    try:
        return int(node.sql('select count(*) from raw_frame')[0][0])
    except (AssertionError, IndexError, subprocess.TimeoutExpired):
        return None


def refused(node, ballast):
    """True once batches fail for want of room, or the server went down for it; the disk is kept full."""
    fill(ballast)
    text = ''.join(p.read_text(errors='replace') for p in node.dir.rglob('*.log'))
    return 'No space left on device' in text or '53100' in text


def main():
    with small_disk() as disk:
        if not disk:
            say('skipped: no small disk without root')
            return 77
        os.chmod(disk, 0o755)
        with workspace('disk') as (dir, nodes):
            fill_up(disk, dir, nodes)
    return 0


def fill_up(disk, dir, nodes):
    node = Node(disk / 'n')
    nodes.append(node)
    node.start()
    tenant = Tenant(operator(node), 'alpha')
    gateways = [crash.Gateway(tenant, f'gw-{i + 1}', dir, node) for i in range(2)]
    ballast = disk / 'ballast'
    try:
        for g in gateways:
            g.start()
        wait_for('frames to flow', lambda: (stored(node) or 0) > 500, 60)
        wait_for('the disk to be full', lambda: refused(node, ballast), 120, 0.5)
        before = stored(node)
        time.sleep(4)
        fill(ballast)
        say(f'full for four seconds: {before} and then {stored(node)} frames stored (None: the database is down)')
        assert node.process.alive(), 'emtd ended'
        assert all(g.process.alive() for g in gateways)
        assert node.metric('emt_field_sessions') >= len(gateways), 'a session was given up'
        ballast.unlink()
        freed = time.monotonic()
        wait_for('emtd to be ready', lambda: node.plain('/readyz')[0] == 200, 90)
        reached = wait_for('the database to answer', lambda: stored(node), 90, 0.5)
        wait_for('frames to flow again', lambda: (stored(node) or 0) > reached + 100, 90, 0.5)
        say(f'stored again {time.monotonic() - freed:.1f} s after there was room')
        for g in gateways:
            g.process.stop()
        for g in gateways:
            g.owes_nothing()
        crash.check(node, [tenant], gateways)
        blamed = node.sql("select count(*) from raw_frame where reason like 'store:%'")
        assert blamed == [['0']], 'frames were blamed for the disk'
    finally:
        ballast.unlink(missing_ok=True)
        for g in gateways:
            if g.process and g.process.alive():
                g.process.kill()
    assert node.process.stop() == 0


if __name__ == '__main__':
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    sys.exit(main())
