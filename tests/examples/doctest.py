#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# doctest.py - what the documentation shows is what happens. Prints TAP.
#
#     doctest.py [--dir DIR] [--cc COMPILER-AND-FLAGS] [--libs LIBRARIES] FILE.md...
#
# Where these are several words, each stands in a line: there may be spaces in a path.
#
# Fenced blocks of the files, in order:
#
#     ```c            a whole program: compiled without a warning, and run
#     ```output       right after one: what that program printed, exactly
#     ```c part       declarations and functions: compiled after the usual includes, not run
#     ```c fragment   statements out of their context: not looked at
#     ```console      "$ command", run by sh in DIR, each followed by all that it prints
#     ```console leaky  the same, where a leak is the point: a sanitizer is not asked for leaks
#
# In what is expected, "..." within a line stands for any text, and alone on a line for any lines.
# A test is named by the heading and by the last sentence before its block.

import argparse
import os
import re
import subprocess
import sys
import tempfile

INCLUDES = '#include <belay.h>\n#include <errno.h>\n#include <stdio.h>\n#include <stdlib.h>\n'
SECONDS = 120  # far more than anything here takes; a hang must not hang the suite


class Block:
    def __init__(self, kind, name, file, line):
        self.kind, self.name, self.file, self.line, self.text = kind, name, file, line, ''

    def __str__(self):
        return f'{self.file}:{self.line}'


def last_sentence(paragraph):
    return re.split(r'(?<=\.) ', ' '.join(paragraph))[-1].rstrip(':.')


def blocks_of(path):
    """The fenced blocks of a file, each with the place it stands in."""
    found, block, heading, paragraph, ended = [], None, '', [], True
    with open(path, encoding='utf-8') as lines:
        for number, line in enumerate(lines, 1):
            if block:
                if line.rstrip() == '```':
                    found.append(block)
                    block = None
                else:
                    block.text += line
            elif line.startswith('```'):
                name = ': '.join(filter(None, [heading, last_sentence(paragraph)]))
                block = Block(line[3:].strip(), name, os.path.basename(path), number + 1)
            elif line.startswith('#'):
                heading, paragraph = line.strip('# \n'), []
            elif line.strip():
                paragraph = ([] if ended else paragraph) + [line.strip()]
            ended = not line.strip()
    if block:
        raise SystemExit(f'{path}:{block.line - 1}: a block that does not end')
    return found


def pattern(expected):
    """A regular expression for what is expected, "..." being anything."""
    parts = []
    for line in expected.splitlines():
        if line.strip() == '...':
            parts.append(r'(?:.*\n)*')
        else:
            parts.append('.*'.join(map(re.escape, line.split('...'))) + r'\n')
    return re.compile(''.join(parts))


def run(command, **more):
    """Exit status and everything printed; a command that hangs is a failure with a name."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=SECONDS, text=True, **more)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as hang:
        return None, f'still running after {hang.timeout} s\n'


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def report(self, ok, block, detail='', command='', skip=''):
        self.count += 1
        self.failed += not ok
        name = ': '.join(filter(None, [block.name, command])).replace('#', '')
        print(f'{"ok" if ok else "not ok"} {self.count} - {name} ({block}){skip}')
        for line in [] if ok else detail.splitlines():
            print('# ' + line)
        sys.stdout.flush()


def difference(expected, got):
    return f'expected:\n{expected}got:\n{got}'


def compile_block(block, options, folder):
    """Path of the program, or None, and what the compiler said."""
    source, program = os.path.join(folder, 'doc.c'), os.path.join(folder, 'doc')
    part = block.kind == 'c part'
    with open(source, 'w', encoding='utf-8') as file:
        file.write((INCLUDES if part else '') + f'#line {block.line} "{block.file}"\n')
        file.write(block.text)
    flags = ['-Wall', '-Wextra', '-Werror', '-Wno-unused-parameter']
    if part:
        flags += ['-Wno-unused-function', '-c', source, '-o', '/dev/null']
    else:
        flags += [source, '-o', program] + options.libs
    status, said = run(options.cc + flags)
    return program if status == 0 else None, said


def check_program(tap, block, expected, options):
    with tempfile.TemporaryDirectory() as folder:
        program, said = compile_block(block, options, folder)
        if not program or block.kind == 'c part':
            tap.report(program is not None, block, said)
            return
        status, got = run([program])
        ok = status == 0 and (expected is None or pattern(expected).fullmatch(got))
        tap.report(ok, block, f'exit status {status}\n' + difference(expected or '', got))


def built(command, folder):
    """Some examples need a library that is not there everywhere, and are not built without it."""
    return all(os.path.exists(os.path.join(folder, program))
               for program in re.findall(r'\./[a-z_]+', command))


def environment(block):
    """For a block's commands; None: as it is."""
    if block.kind != 'console leaky':
        return None
    return {**os.environ, 'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'}


def check_console(tap, block, options):
    for session in re.split(r'^\$ ', block.text, flags=re.MULTILINE)[1:]:
        command, _, expected = session.partition('\n')
        if not built(command, options.dir):
            tap.report(True, block, command=command, skip=' # SKIP not built')
            continue
        status, got = run(['sh', '-c', command], cwd=options.dir, env=environment(block))
        ok = status is not None and pattern(expected).fullmatch(got)
        tap.report(ok, block, difference(expected, got), command)


def check_file(tap, path, options):
    blocks = blocks_of(path)
    for block, after in zip(blocks, blocks[1:] + [None]):
        if block.kind in ('c', 'c part'):
            expected = after.text if after and after.kind == 'output' else None
            check_program(tap, block, expected, options)
        elif block.kind in ('console', 'console leaky'):
            check_console(tap, block, options)
        elif block.kind not in ('c fragment', 'output', 'text', 'sh'):
            tap.report(False, block, f'a block of an unknown kind "{block.kind}"')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--dir', default='.')
    parser.add_argument('--cc', type=str.splitlines, default=['cc'])
    parser.add_argument('--libs', type=str.splitlines, default=['-lbelay'])
    parser.add_argument('files', nargs='+')
    options = parser.parse_args()
    tap = Tap()
    for path in options.files:
        check_file(tap, path, options)
    print(f'1..{tap.count}')
    return 1 if tap.failed else 0


if __name__ == '__main__':
    sys.exit(main())
