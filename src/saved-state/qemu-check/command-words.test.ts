import { describe, expect, it } from 'vitest';
import { joinParts, parseCommand, partsOf, wordsOf, wordsOfOptions } from './command-words.ts';

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

  it.each([[[]], [['qemu', 'disk.img']], [['qemu', '-m']], [['qemu', '']]])('refuses %j', (words) => {
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
