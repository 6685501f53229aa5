import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { naiveUnits } from '../../testing/naive-units.ts';
import { joinUnits, splitUnits } from '../../testing/state-surgery.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { check } from '../check/check.ts';
import { realState } from '../check/testing/real-machines.ts';
import { parseRelease, type ReleaseNumbers } from '../check/unit-versions.ts';
import { adapt } from './adapt.ts';
import type { AdaptTarget } from './plan.ts';

const plain = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const releaseOf = (text: string) => parseRelease(text) as ReleaseNumbers;

async function fitted(state: Buffer, release: string, target: AdaptTarget = 'unchanged') {
  const sink = new MemorySink();
  const report = await adapt(bufferSource(state), target, sink, { release: releaseOf(release) });
  return { ...report, state: Buffer.from(sink.view()) };
}

/** The whole payload of a unit, or undefined. */
const payloadOf = (state: Buffer, wanted: string) => naiveUnits(state).find(({ name }) => name === wanted)?.payload;
const versionsOf = (state: Buffer) => Object.fromEntries(naiveUnits(state).map(({ name, version }) => [name, version]));

/** The state as if another release had written units. */
function withVersions(state: Buffer, versions: Record<string, number>): Buffer {
  return joinUnits(
    splitUnits(state).map((unit) => ({ ...unit, version: versions[unit.name] ?? unit.version })),
    state,
  );
}

describe('adapt() to an older release', () => {
  it.each([
    ['7.1', { cpum: 23, trpm: 11, VMMDev: 20 }],
    ['7.0', { cpum: 22, trpm: 10, VMMDev: 19 }],
    ['6.1', { cpum: 19, trpm: 10, VMMDev: 17, GCM: undefined }],
  ])('writes the versions that VirtualBox %s reads, and no other unit changes', async (release, expected) => {
    const { proof, state } = await fitted(plain, release);
    expect(proof).toMatchObject({ holds: true, differences: [] });
    const after = versionsOf(state);
    for (const [unit, version] of Object.entries(expected)) expect(after[unit], unit).toBe(version);
    for (const [unit, version] of Object.entries(versionsOf(plain)))
      if (!(unit in expected)) expect([unit, after[unit]]).toEqual([unit, version]);
    expect((await check(bufferSource(state), { release: releaseOf(release) })).loads).toBe(true);
    expect((await check(bufferSource(plain), { release: releaseOf(release) })).loads).toBe(false);
  });

  it('leaves out just the fields that older versions have not', async () => {
    const [before, at71] = [payloadOf(plain, 'cpum'), payloadOf((await fitted(plain, '7.1')).state, 'cpum')];
    const at61 = (await fitted(plain, '6.1')).state;
    // Two flags stand in front of 24; 21 and later have four PAE pointers, 32 bytes, for the one CPU.
    expect(at71?.equals(before?.subarray(2) as Buffer)).toBe(true);
    expect(payloadOf(at61, 'cpum')?.length).toBe((at71?.length ?? 0) - 32);
    // One flag; wheel and buttons; 64 monitors with two requests each, a flag and a number, between marks.
    const mouse = 5 + 16;
    const own = payloadOf(plain, 'VMMDev') as Buffer;
    const displays = own.indexOf(Buffer.from('02012019', 'hex'));
    const expected = [own.subarray(0, 4), own.subarray(5, mouse), own.subarray(mouse + 12, displays)];
    expect(payloadOf(at61, 'VMMDev')?.equals(Buffer.concat(expected))).toBe(true);
  });

  it('refuses a release that nobody has seen', async () => {
    await expect(fitted(plain, '8.0')).rejects.toMatchObject({
      code: 'not-adaptable',
      message: expect.stringContaining('newer than all'),
    });
  });

  it('refuses a device whose older layout is not known, and takes the donor’s where there is one', async () => {
    const card = realState('e1000');
    await expect(fitted(card, '7.1')).rejects.toMatchObject({
      code: 'not-adaptable',
      message: expect.stringMatching(/unit e1000\/0 has version 6.*up to 4.*--donor/),
    });
    const donor = withVersions(card, { e1000: 4 });
    const sink = new MemorySink();
    const plan = await adapt(bufferSource(card), { donor: bufferSource(donor) }, sink, { release: releaseOf('7.1') });
    expect(plan.changes).toContainEqual(expect.objectContaining({ class: 'reset', unit: 'e1000/0' }));
  });

  it('does not take the card of 7.0 and later for the old one with the same number', async () => {
    const card = realState('virtio');
    await expect(fitted(card, '6.1')).rejects.toMatchObject({ message: expect.stringContaining('unit virtio-net/0') });
    const { notJudged } = await check(bufferSource(card), { release: releaseOf('6.1') });
    expect(notJudged.join()).toContain('virtio-net');
  });
});
