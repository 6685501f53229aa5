import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { constructedStates } from '../check/testing/constructed-states.ts';
import { adapt } from './adapt.ts';

// States of which 7.2.22 was seen to refuse the CPUs; the donor is the state that they were made of.

const base = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const states = constructedStates(base);
const REFUSED = [
  'xcr0=0',
  'xcr0=3, mask 0',
  'xcr1=1',
  'leaf d e7, mask e7, xcr0 e7, bm e7',
  'leaf d 1 only x87',
  'leaf d.1 eax=1',
  'XSAVE bit without leaf d',
  'bit 1/d/30 IA64',
].map((name) => `cpum: ${name}`);

async function adapted(state: Buffer) {
  const sink = new MemorySink();
  const report = await adapt(bufferSource(state), { donor: bufferSource(base) }, sink, { accept: ['risk'] });
  return { ...report, state: Buffer.from(sink.view()) };
}

describe('adapt() of constructed CPUs', () => {
  it.each(REFUSED)('mends %s', async (name) => {
    const { changes, proof } = await adapted(states.get(name)?.() ?? Buffer.alloc(0));
    expect(proof).toMatchObject({ holds: true, differences: [], unitsChanged: 1 });
    expect(changes.map(({ unit }) => unit)).toContain('cpum/1');
  });

  it('takes XSAVE away where no leaf tells of it, and says that nobody notices', async () => {
    const { changes } = await adapted(states.get('cpum: XSAVE bit without leaf d')?.() ?? Buffer.alloc(0));
    expect(changes).toMatchObject([{ class: 'kept', message: expect.stringContaining('XSAVE is cleared') }]);
  });
});
