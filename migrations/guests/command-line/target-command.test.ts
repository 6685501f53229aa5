import { describe, expect, it } from 'vitest';
import { parseCommand, wordsOf, wordsOfOptions } from '../../../src/saved-state/qemu-check/command-words.ts';
import type { QemuDescription } from '../../machine/description.ts';
import { targetOptions } from './target-command.ts';

describe('targetOptions()', () => {
  const ram = { kind: 'ram' as const, id: 0, firstFrame: 0, pages: 4096, fileOffset: 0 };
  const description = { regions: [{ ...ram, name: 'pc.ram' }] } as QemuDescription;
  const target = (line: string) =>
    wordsOfOptions(targetOptions(parseCommand(wordsOf(line)), description, '/q')).join(' ');
  const WAITS = '-qmp unix:/q,server=on,wait=off -incoming defer -S';

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
