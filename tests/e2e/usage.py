#!/usr/bin/env python3
"""What programs say of themselves: each command explains itself, takes the options that it lists, and refuses one that it does not know."""
import re
import sys

import emt
from emt import say

WRONG = '--no-such-option'


def call(program, *words):
    return emt.run([emt.build_dir() / program, *words], ok=(0, 1, 2), timeout=20, stdin=emt.subprocess.DEVNULL)


def explains(program, *words):
    """The help of a command: on standard output, and nothing else happens."""
    p = call(program, *words, '--help')
    assert p.returncode == 0 and p.stdout.startswith('usage: ') and not p.stderr, (program, words, p)
    return p.stdout


def refuses(program, *words):
    p = call(program, *words, WRONG)
    assert p.returncode == 2 and not p.stdout, (program, words, p)
    assert 'usage: ' in p.stderr or f'Try {program} --help' in p.stderr or 'see ' in p.stderr or WRONG in p.stderr, (program, words, p)


def takes(program, words, options):
    """What is listed is known: not this one is refused, but the one behind it."""
    for option in sorted(options - {'--help', '--version'}):
        p = call(program, *words, option, '0', WRONG)
        assert p.returncode == 2, (program, words, option, p)
        assert not re.search(rf'(unknown|unrecognized|invalid) option[^\n]*{option}\b', p.stderr), (program, words, option, p.stderr)


def listed(text):
    return set(re.findall(r'(?<![\w-])--[a-z][a-z0-9-]*', text))


def emtctl():
    commands = re.findall(r'^  ([a-z]+) ', explains('emtctl'), re.M)
    assert len(commands) >= 11, commands
    refuses('emtctl')
    for command in commands:
        text = explains('emtctl', command)
        usage = text.split('\n\n')[0]
        parts = sorted(set(re.findall(rf'emtctl {command} ([a-z][a-z-]*)\b', usage)))
        refuses('emtctl', command)
        for words in [(command, part) for part in parts] or [(command,)]:
            explains('emtctl', *words)
            refuses('emtctl', *words)
        # The options of an action are listed in its lines.
        for part in parts or [None]:
            lines = re.findall(rf'emtctl {command} {part}\b(.*?)(?=emtctl {command} |\Z)', usage, re.S) if part else [text]
            takes('emtctl', (command, part) if part else (command,), listed(' '.join(lines)) - {'--explain'})


def with_sections(program):
    """emt-agent, emt-fleet: one text, in which each command has its part."""
    text = explains(program)
    refuses(program)
    parts = re.split(r'^([a-z]+) ', text.split('\n\n', 1)[1], flags=re.M)
    assert len(parts) > 7, parts
    for command, part in zip(parts[1::2], parts[2::2]):
        explains(program, command)
        refuses(program, command)
        takes(program, (command,), listed(part))


def main():
    say('emtd')
    takes('emtd', (), listed(explains('emtd')))
    refuses('emtd')
    say('emtctl')
    emtctl()
    say('emt-agent, emt-fleet')
    with_sections('emt-agent')
    with_sections('emt-fleet')
    say('emt-bench')
    for name in re.findall(r'^  ([a-z-]+) ', explains('emt-bench'), re.M):
        explains('emt-bench', name)
        refuses('emt-bench', name)
    refuses('emt-bench')
    say('done')


if __name__ == '__main__':
    sys.exit(main())
