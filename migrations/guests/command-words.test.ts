import { describe, expect, it } from 'vitest';
import type { QemuDescription } from '../machine/description.ts';
import { joinParts, parseCommand, partsOf, wordsOf, wordsOfOptions } from './command-words.ts';
import { targetOptions } from './target-command.ts';

describe('wordsOf()', () => {
  it.each([
    ['/proc/PID/cmdline', 'qemu\0-name\0a b\0', ['qemu', '-name', 'a b']],
    ['lines with a comment', 'qemu -m 16 # small\n  -name x#1 \\\n -S', ['qemu', '-m', '16', '-name', 'x#1', '-S']],
    ['what printf %q writes', 'qemu -machine pc\\,acpi=off a\\ b', ['qemu', '-machine', 'pc,acpi=off', 'a b']],
    ['quotes', `-a 'it is' -b "say \\"x\\" \\$5 \\n" -c ''`, ['-a', 'it is', '-b', 'say "x" $5 \\n', '-c', '']],
    ['pieces of one word', `-x a"b c"'d e'f`, ['-x', 'ab cd ef']],
    ['nothing', ' \n', []],
  ])('takes %s', (_what, text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });

  it.each(["-name 'no end", '-name "no end', '-name $HOME', '-name `id`', '-name "$(id)"', '-name end\\'])(
    'does not guess what %s means',
    (text) => {
      expect(() => wordsOf(text)).toThrow(expect.objectContaining({ code: 'bad-command-line' }));
    },
  );
});

describe('parseCommand()', () => {
  it('tells options that stand alone from those with a value, which may begin with a dash', () => {
    const words = ['/usr/bin/qemu', '-S', '--name', '-odd', '-append', 'quiet -- x', '-nodefaults'];
    const command = parseCommand(words);
    expect(command.program).toBe('/usr/bin/qemu');
    expect(wordsOfOptions(command.options)).toEqual(['-S', '-name', '-odd', '-append', 'quiet -- x', '-nodefaults']);
  });

  it.each([[['qemu', 'disk.img']], [['qemu', '-m']], [['qemu', '']]])('refuses %j', (words) => {
    expect(() => parseCommand(words)).toThrow(expect.objectContaining({ code: 'bad-command-line' }));
  });
});

describe('partsOf()', () => {
  it('gives back what was written, with commas doubled', () => {
    const value = 'socket,id=x,path=/a,,b=c,server';
    expect(partsOf(value)).toEqual([
      { key: '', value: 'socket' },
      { key: 'id', value: 'x' },
      { key: 'path', value: '/a,b=c' },
      { key: '', value: 'server' },
    ]);
    expect(joinParts(partsOf(value))).toBe(value);
  });
});

describe('targetOptions()', () => {
  const ram = { kind: 'ram' as const, id: 0, firstFrame: 0, pages: 4096, fileOffset: 0 };
  const description = { regions: [{ ...ram, name: 'pc.ram' }] } as QemuDescription;
  const target = (line: string) =>
    wordsOfOptions(targetOptions(parseCommand(wordsOf(line)), description, '/q')).join(' ');
  const WAITS = '-qmp unix:/q,server=on,wait=off -incoming defer';

  it('waits, has a socket of its own, and keeps all that makes the machine, in its order', () => {
    const memory = '-object memory-backend-file,id=pc.ram,size=16M,mem-path=/r,share=on';
    const machine = `-machine pc,memory-backend=pc.ram ${memory} -m 16 -device e1000 -device rtl8139`;
    expect(target(`qemu ${machine} -daemonize -pidfile /p -incoming tcp:0:1 -S`)).toBe(`${machine} ${WAITS}`);
  });

  it('has memory that it can fill, whatever the source had', () => {
    const shared = '-object memory-backend-memfd,id=pc.ram,size=16M,share=on';
    expect(target('-object memory-backend-ram,id=pc.ram,size=16M')).toBe(`${shared} ${WAITS}`);
    expect(target('-object memory-backend-ram,id=pc.ram,size=16M,share=off')).toBe(`${shared} ${WAITS}`);
    expect(target('-m 16')).toBe(
      `-m 16 -object memory-backend-memfd,id=pc.ram,size=16777216,share=on -machine memory-backend=pc.ram ${WAITS}`,
    );
  });

  it('refuses -snapshot: the target would lack what was written', () => {
    expect(() => target('qemu -snapshot')).toThrow(expect.objectContaining({ code: 'snapshot' }));
  });
});
