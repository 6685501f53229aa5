import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import type { UnitSpec } from '../../../formats/testing/container-builder.ts';
import { buildCpum } from '../../../formats/testing/pgm-cpum-builder.ts';
import { Console } from '../../console/console.ts';
import { loadState } from '../../machine/load.ts';
import { joinUnits, splitUnits } from '../../testing/state-surgery.ts';
import { MemoryTarget, STATES_FOLDER } from '../../testing/states.ts';
import { describeState } from '../describe/describe.ts';
import { inspect } from '../describe/inspect.ts';
import { extract } from '../extract/extract.ts';

const plain = readFileSync(join(STATES_FOLDER, 'own-long.sav'));

/** The plain state with another unit of registers, or without one. */
function withCpum(cpum: Partial<UnitSpec> | undefined): Buffer {
  const units = splitUnits(plain).flatMap((unit) =>
    unit.name !== 'cpum' ? [unit] : cpum ? [{ ...unit, ...cpum }] : [],
  );
  return joinUnits(units, plain);
}

const MISSING: [string, Buffer, RegExp][] = [
  ['of a version that is not known', withCpum({ version: 25 }), /^registers of cpum 25 are not decoded$/],
  ['of an older one', withCpum({ version: 7 }), /^registers of cpum 7 are not decoded$/],
  ['that is not there', withCpum(undefined), /no unit cpum/],
];

describe('registers', () => {
  it.each(MISSING)('%s are said to be missing by all that would show them', async (_what, state, note) => {
    const source = bufferSource(state);
    expect(describeState((await inspect(source)).state).registersMissing).toMatch(note);
    for (const format of ['elf', 'vbox-core'] as const)
      expect((await extract(source, new MemoryTarget(), { format })).registersMissing, format).toMatch(note);
    const console = new Console(await loadState(source));
    const unanchored = new RegExp(note.source.replace(/[\^$]/g, ''));
    for (const command of ['regs', 'info cpumguest']) expect((await console.run(command)).text).toMatch(unanchored);
  });

  it('are not said to be missing where they are there, or where nobody wants them', async () => {
    const source = bufferSource(plain);
    expect(describeState((await inspect(source)).state)).not.toHaveProperty('registersMissing');
    expect(await extract(source, new MemoryTarget(), { format: 'vbox-core' })).not.toHaveProperty('registersMissing');
    expect(await extract(bufferSource(MISSING[0][1]), new MemoryTarget(), { format: 'lime' })).not.toHaveProperty(
      'registersMissing',
    );
  });

  it.each([8, 12, 14, 16])('of version %i are shown by the console and inspect', async (version) => {
    const cpus = [{ cr0: 0x10n, cr2: 0n, cr3: 0n, cr4: 0n, efer: 0n }];
    const payload = buildCpum({ version, cpus, edx: { basic: 0, extended: 0 } });
    const { records: _, ...unit } = splitUnits(plain).find(({ name }) => name === 'cpum') as UnitSpec;
    const state = joinUnits(
      splitUnits(plain).map((own) => (own.name === 'cpum' ? { ...unit, version, payload } : own)),
      plain,
    );
    const { cpus: shown } = describeState((await inspect(bufferSource(state))).state);
    expect(shown[0].registers).toMatchObject({
      rip: '0x3333333333333333',
      rsp: '0x3333333333333333',
      rax: '0x3333333333333333',
      cs: '0x3333',
    });
    expect((await new Console(await loadState(bufferSource(state))).run('regs')).text).toContain('eip=33333333');
  });
});
