import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { bufferSource, streamSource, withBeside } from '../../../formats/files/source.ts';
import type { CpuidPart } from '../../../formats/units/cpu/cpuid-leaves.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { walkState } from '../reading/walk.ts';
import { verify } from '../verify/verify.ts';
import { check } from './check.ts';
import { constructedStates } from './testing/constructed-states.ts';
import { realSettings } from './testing/real-machines.ts';

// What 7.2.22 answered to states with one thing changed. Its host had x87, SSE and AVX, no VT-x, no DTES64.

const [, ...rows] = readFileSync(join(STATES_FOLDER, '../machines/forecasts.tsv'), 'utf8').trim().split('\n');
const answers = rows.map((row) => row.split('\t')).filter(([name]) => /^(?:constructed|cpum): /.test(name));

const base = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const states = constructedStates(base);
const machine = realSettings('base');
const host = await hostOfTable();

async function hostOfTable(): Promise<CpuidPart> {
  const { cpum } = await walkState(bufferSource(base));
  if (!cpum?.cpuid) throw new Error('the state tells no CPUID');
  const rawBasic = cpum.cpuid.rawBasic.map((leaf) => ({ ...leaf }));
  Object.assign(rawBasic[0xd], { eax: 7, edx: 0 });
  rawBasic[1].ecx = (rawBasic[1].ecx & ~((1 << 2) | (1 << 5))) >>> 0;
  rawBasic[1].edx = (rawBasic[1].edx & ~(1 << 30)) >>> 0;
  return { ...cpum.cpuid, rawBasic };
}

describe('check() of constructed states', () => {
  it('has a state for each row of the table', () => {
    expect(answers.length).toBe(61);
    expect(answers.map(([name]) => name).filter((name) => !states.has(name))).toEqual([]);
  });

  it.each(answers)('foretells the answer to %s', async (name, _into, code, unit) => {
    const { forecast } = await judge(name);
    expect([forecast?.vboxCode ?? 'loads', forecast?.unit ?? '']).toEqual([code, unit ?? '']);
  });
});

describe('check() of units that fit no machine', () => {
  it.each([
    ['VMMDev: keeps credentials', 'VERR_SSM_LOAD_CONFIG_MISMATCH', 'VMMDev/0'],
    ['mc146818: another interrupt', 'VERR_SSM_LOAD_CONFIG_MISMATCH', 'mc146818/0'],
    ['i8254: another port', 'VERR_SSM_LOAD_CONFIG_MISMATCH', 'i8254/0'],
    ['mm: a page more', 'VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH', 'mm/1'],
    ['pdm: a device twice', 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED', 'pdm/1'],
  ])('foretells the answer to %s', async (name, code, unit) => {
    const { forecast } = await judge(name);
    expect([forecast?.vboxCode, forecast?.unit]).toEqual([code, unit]);
  });

  it.each(['em 4', 'constructed: em3', 'VMMDev 19', 'VMMDev 18', 'VMMDev 17', 'trpm 10'])(
    'finds that %s loads',
    async (name) => {
      const { forecast, notJudged } = await judge(name);
      expect([forecast?.vboxCode ?? 'loads', notJudged]).toEqual(['loads', []]);
    },
  );

  it.each([
    ...['em: a byte more', 'em: a byte less', 'i8259: empty', 'trpm: empty', 'GIM: a byte more', 'HGCM: a byte more'],
    ...['pdm: DMA pending 2', 'HWACCM: a patch'],
  ])('does not judge %s', async (name) => {
    const [unit] = name.split(':');
    expect((await judge(name)).notJudged.join()).toMatch(new RegExp(`the contents of ${unit}/\\d`));
  });

  it('reads a file no more than verify() does, and judges a pipe alike', async () => {
    const bytes = states.get('HWACCM: a patch')?.() ?? Buffer.alloc(0);
    const verified = counting(bytes);
    await verify(verified.source);
    const checked = counting(bytes);
    const { notJudged } = await check(checked.source, { machine, host });
    expect(checked.count()).toBe(verified.count());
    const pipe = streamSource(Readable.from([bytes]), 'a pipe');
    expect((await check(pipe, { machine, host })).notJudged).toEqual(notJudged);
  });
});

function counting(bytes: Buffer) {
  let count = 0;
  const file = bufferSource(bytes);
  const read = async (target: Uint8Array, position: number) => {
    const size = await file.read(target, position);
    count += size;
    return size;
  };
  return { source: { ...withBeside(file, {}), read }, count: () => count };
}

function judge(name: string) {
  return check(bufferSource(states.get(name)?.() ?? Buffer.alloc(0)), { machine, host });
}
