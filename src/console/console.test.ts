import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bufferSource } from '../../formats/files/source.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { loadState } from '../machine/load.ts';
import { extract } from '../saved-state/extract/extract.ts';
import { MemoryTarget, STATES_FOLDER, samplesIn } from '../testing/states.ts';
import { CONSOLE_COMMANDS, INFO_ITEMS } from './commands.ts';
import { Console } from './console.ts';

const samples = samplesIn(STATES_FOLDER);
const bytesOf = (name: string) => readFileSync(join(STATES_FOLDER, `${name}.sav`));

async function consoleOf(name: string): Promise<Console> {
  return new Console(await loadState(bufferSource(bytesOf(name))));
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-console-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('info', () => {
  it('mode prints what VirtualBox prints for the machine', async () => {
    const console = await consoleOf('own-pae');
    expect((await console.run('info mode')).text.split('\n')).toEqual([
      'Guest paging mode (VCPU #0):  PAE+NX (changed 0 times), A20 enabled (changed 0 times)',
      'Guest SLAT mode (VCPU #0): Direct',
      'Shadow paging mode (VCPU #0): None',
      'Host paging mode:             AMD64+G+NX',
    ]);
    await console.run('prefetch 0xc0000000');
    console.session.machine.memory.a20.set(0, false);
    expect((await console.run('info mode guest')).text).toContain(
      'PAE+NX (changed 2 times), A20 disabled (changed 1 times)',
    );
    expect((await console.run('stats /PGM/CPU0/cGuestModeChanges')).rows).toMatchObject([{ value: 2 }]);
    expect((await console.run('info mode host')).text).toBe('Host paging mode:             AMD64+G+NX');
    expect((await console.run('info mode nothing')).text).toBe('');
  });

  it.each(samples)('cpumguest has the registers of $name', async ({ name, truth }) => {
    const { rows } = await (await consoleOf(name)).run('info cpumguest');
    const found = (rows as Record<string, string>[]).map(({ cr0, cr2, cr3, cr4, efer }) =>
      [cr0, cr2, cr3, cr4, efer].map(Number),
    );
    expect(found).toEqual(truth.vcpus.map(({ cr0, cr2, cr3, cr4, efer }) => [cr0, cr2, cr3, cr4, efer].map(Number)));
  });

  it.each(samples)('phys has the memory map of $name', async ({ name, truth }) => {
    const { rows } = await (await consoleOf(name)).run('info phys');
    const found = (rows as { start: string; last: string }[]).map(({ start, last }) => [
      Number(start),
      Number(last) + 1,
    ]);
    expect(found).toEqual((truth.memoryMap ?? []).map(([start, end]) => [Number(start), Number(end)]));
  });

  it('mappings of a state that holds none are disabled', async () => {
    expect((await (await consoleOf('own-pae')).run('info mappings')).text).toBe('\nThe mappings are DISABLED.');
  });
});

describe('tables', () => {
  it.each(samples)('guest lists every entry of $name once, within its bound', async ({ name }) => {
    const { text, rows, error } = await (await consoleOf(name)).run('tables guest');
    expect(error).toBeUndefined();
    expect(text.split('\n')).toHaveLength((rows?.length ?? 0) + 15);
  });

  it('shadow shows what accesses have filled, and the check finds nothing', async () => {
    const console = await consoleOf('own-long');
    expect((await console.run('prefetch 0xffffffff80000000 65536')).rows).toEqual([{ pages: 16, faults: 0 }]);
    const { rows } = await console.run('tables shadow');
    expect(rows?.length).toBeGreaterThanOrEqual(16 + 3);
    expect((await console.run('pgmassertcr3')).rows).toEqual([]);
    expect((await console.run('pgmpoolcheck')).text).toBe('The pool is in order.');
  });

  it('a fault that was planted in the shadow is found', async () => {
    const console = await consoleOf('own-long');
    await console.run('prefetch 0xffffffff80000000 65536');
    const { pool } = console.session.shadowCpu().paging;
    const table = [...pool.inUse()].find((index) => pool.kindOf(index)?.holds === 'pages') as number;
    const slot = Array.from({ length: 512 }, (_, i) => i).find(
      (i) => (pool.tables.low(table, i, true) & 1) !== 0,
    ) as number;
    pool.tables.words[table * 1024 + slot * 2] ^= 0x5000;
    expect((await console.run('pgmassertcr3')).rows).toContainEqual(expect.objectContaining({ condition: 'pte-host' }));
    const { text, rows } = await console.run('pgmpoolcheck');
    const key = pool.key[table].toString(16).padStart(16, '0');
    expect(text.split('\n').slice(0, 2)).toEqual([
      `Check pool page ${key}`,
      expect.stringContaining('an entry maps another page of the host than its guest page has'),
    ]);
    expect(rows).toContainEqual(expect.objectContaining({ condition: 'host', table, slot }));
  });

  it('guest says where a page is mapped, with the flags of the shadow', async () => {
    const console = await consoleOf('own-prot32');
    expect((await console.run('tables guest 4 0x11000')).text).toContain(
      'Found 0000000000011000 at 0000000000011000 -> flags=0',
    );
    await console.run('prefetch 0x11000');
    expect((await console.run('tables guest 4 0x11000')).text).toMatch(
      /Found 0000000000011000 at 0000000000011000 -> flags=[13]/,
    );
  });

  it('no levels are no lines', async () => {
    expect((await (await consoleOf('own-long')).run('tables guest 0')).text).toBe('');
  });
});

describe('pgmphystofile', () => {
  it('writes what the guest sees, at its addresses', async () => {
    const file = join(folder, 'phys.bin');
    const console = await consoleOf('own-long');
    expect((await console.run(`pgmphystofile ${file}`)).text).toBe(`Successfully saved physical memory to '${file}'.`);
    const written = readFileSync(file);
    const seen = new MemoryTarget();
    await extract(bufferSource(bytesOf('own-long')), seen, { asSeen: true, range: { start: 0, end: written.length } });
    expect(written.equals(seen.bytes)).toBe(true);
  });

  it('leaves zero pages out with nozero, and never replaces a file', async () => {
    const file = join(folder, 'phys.bin');
    const console = await consoleOf('own-long');
    await console.run(`pgmphystofile ${file} nozero`);
    const { length } = readFileSync(file);
    expect(length % PAGE_SIZE).toBe(0);
    expect(length).toBeLessThan(4 * 1024 * 1024);
    expect((await console.run(`pgmphystofile ${file}`)).text).toBe(
      `error: RTFileOpen(,'${file}',) -> VERR_ALREADY_EXISTS.`,
    );
    expect((await console.run(`pgmphystofile ${file} zero`)).text).toBe(
      "error: Invalid 2nd argument 'zero', must be 'nozero'.",
    );
  });
});

describe('the other commands', () => {
  it('pgmerror lists and switches the places where errors can be injected', async () => {
    const console = await consoleOf('own-long');
    expect((await console.run('.pgmerror')).text).toBe('PGM error inject locations:\n  handy - false');
    expect((await console.run('.pgmerror handy')).text).toBe('done');
    expect((await console.run('pgmerror')).text).toContain('handy - true');
    expect((await console.run('pgmerror xyz')).text).toBe("error: Invalid 'where' value: xyz.");
    await console.run('pgmerroroff handy');
    expect(console.session.machine.memory.pages.backing.handy.injectFailure).toBe(false);
  });

  it('pgmsync and pgmsyncalways ask for a sync', async () => {
    const console = await consoleOf('own-long');
    expect((await console.run('pgmsync')).text).toBe('Forcing page directory sync.');
    expect(console.session.shadowCpu().cr3.isSyncPending).toBe(true);
    expect((await console.run('pgmsyncalways')).text).toBe('Enabled permanent forced page directory syncing.');
    expect((await console.run('pgmsyncalways')).text).toBe('Disabled permanent forced page directory syncing.');
  });

  it('poke changes what peek and find see, and save keeps it', async () => {
    const console = await consoleOf('own-long');
    expect((await console.run('find text "to be found"')).rows).toEqual([]);
    await console.run(`poke %0xffffffff80000100 ${Buffer.from('to be found').toString('hex')}`);
    expect((await console.run('find text "to be found"')).rows).toContainEqual({ virtual: '0xffffffff80000100' });
    expect((await console.run('poke 0x1000 ff')).text).toBe('1 byte written at 0x1000');
    const file = join(folder, 'new.sav');
    expect((await console.run(`save "${file}"`)).error).toBeUndefined();
    const again = new Console(await loadState(bufferSource(readFileSync(file))));
    expect((await again.run('peek %0xffffffff80000100 11')).rows?.[0]).toMatchObject({
      hex: Buffer.from('to be found').toString('hex'),
    });
  });

  it('a line can be completed', async () => {
    const console = await consoleOf('own-long');
    expect(console.complete('pgmph')).toEqual([['pgmphystofile'], 'pgmph']);
    expect(console.complete('info ph')).toEqual([['phys'], 'ph']);
  });

  it('whatever is typed, the answer is words', async () => {
    const console = await consoleOf('own-pae');
    const numbers = fc.constantFrom(
      '0',
      '0x1000',
      '4096',
      '0xffffffffffffffff',
      '0xfffffffffffff000',
      '0xc0000000',
      '-1',
      '0x',
      '99999999999999999999999',
    );
    const others = fc.constantFrom(
      'guest',
      'shadow',
      'handy',
      'text',
      '"',
      '%0xc0000000',
      '%%0x1000',
      '%',
      'zz',
      ...INFO_ITEMS.map(({ name }) => name),
    );
    const safe = CONSOLE_COMMANDS.map(({ name }) => name).filter((name) => !['save', 'pgmphystofile'].includes(name));
    const line = fc
      .tuple(fc.constantFrom(...safe, 'nonsense'), fc.array(fc.oneof(numbers, others), { maxLength: 3 }))
      .map(([name, words]) => [name, ...words].join(' '));
    await fc.assert(
      fc.asyncProperty(line, async (text) => {
        expect(typeof (await console.run(text)).text).toBe('string');
      }),
      { numRuns: 200 },
    );
  });
});
