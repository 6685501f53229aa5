import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ByteSource, bufferSource } from '../../../formats/files/source.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { compareWithManifest } from '../manifest/compare-manifest.ts';
import { makeManifest } from '../manifest/manifest.ts';
import { salvageQemu } from '../qemu-salvage/salvage-qemu.ts';
import { salvage } from '../salvage/salvage.ts';
import { inspectState } from './inspect-state.ts';
import { readState } from './read-state.ts';
import { verifyState } from './verify-state.ts';

/** More than a window on the file, so that reading needs the wrong count. */
const STATE = Buffer.concat([Buffer.from('\x7fVirtualBox SavedState V1.2\n\0\0\0\0', 'latin1'), Buffer.alloc(2 ** 21)]);
const STREAM = Buffer.concat([Buffer.from('QEVM\0\0\0\x03', 'latin1'), Buffer.alloc(2 ** 21)]);

/** A source of which each read gives `lie(count)`. */
function lying(bytes: Uint8Array, lie: (count: number) => unknown): ByteSource {
  const honest = bufferSource(bytes, 'a.sav');
  return {
    ...{ name: honest.name, size: honest.size, seekable: true, close: async () => {} },
    read: async (target, position) => lie(await honest.read(target, position)) as number,
  };
}

const LIES: [string, (count: number) => unknown][] = [
  ['more than asked', (count) => 2 * count + 1],
  ['no number', () => Number.NaN],
  ['nothing at all', () => undefined],
  ['less than nothing', () => -1],
  ['a fraction', (count) => count - 0.5],
];

describe.each(LIES)('A source that counts %s', (_lie, lie) => {
  it.each([
    ['verifyState', verifyState],
    ['inspectState', inspectState],
    ['readState', readState],
    ['makeManifest', makeManifest],
    ['salvage', (source: ByteSource) => salvage(source, new MemorySink())],
    ['salvageQemu', (source: ByteSource) => salvageQemu(source, new MemorySink())],
  ])('is refused by %s', async (_verb, verb: (source: ByteSource) => Promise<unknown>) => {
    for (const bytes of [STATE, STREAM])
      await expect(verb(lying(bytes, lie))).rejects.toMatchObject({
        code: 'io',
        message: /^Cannot read a\.sav: asked/,
      });
  });
});

it('A manifest of a file in memory without end stops with its signal', async () => {
  const whole = bufferSource(readFileSync(join(STATES_FOLDER, 'own-pae.sav')), 'a.sav');
  const manifest = await makeManifest(whole);
  const read = async (target: Uint8Array, position: number) => {
    await whole.read(target, position);
    return target.length;
  };
  const comparing = compareWithManifest({ ...lying(STATE, Number), read }, manifest, {
    signal: AbortSignal.timeout(50),
  });
  await expect(comparing).rejects.toMatchObject({ code: 'interrupted' });
});
