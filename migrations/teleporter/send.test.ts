import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../formats/files/source.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { type ConvertRun, convert } from '../../src/saved-state/convert/convert.ts';
import { extract } from '../../src/saved-state/extract/extract.ts';
import { verify } from '../../src/saved-state/verify/verify.ts';
import { MemoryTarget, STATES_FOLDER, sha256, type Truth } from '../../src/testing/states.ts';
import { prepareShipment, type ShipmentOptions } from './send.ts';

const live = readFileSync(join(STATES_FOLDER, 'own-long-live.sav'));
const plain = readFileSync(join(STATES_FOLDER, 'own-long.sav'));

function truthOf(name: string): Truth {
  return JSON.parse(readFileSync(join(STATES_FOLDER, `${name}.json`), 'utf8')) as Truth;
}

/** The stream that a state is sent as. */
async function streamOf(state: Uint8Array, options: ShipmentOptions = {}): Promise<Uint8Array> {
  const sink = new MemorySink();
  const shipment = await prepareShipment(bufferSource(state), options);
  // A sink that can't go back, like a connection.
  await shipment.write({ write: (bytes) => sink.write(bytes) });
  return sink.view();
}

async function converted(state: Uint8Array, run: ConvertRun): Promise<Uint8Array> {
  const sink = new MemorySink();
  await convert(bufferSource(state), sink, { ...run, allowLoss: true });
  return sink.view().slice();
}

async function expectStream(stream: Uint8Array, truth: Truth, expected: { live: boolean; pgm: number }): Promise<void> {
  const { verdict, state } = await verify(bufferSource(stream));
  expect(verdict).toBe('whole');
  expect(state?.header).toMatchObject({ format: '2.0', live: expected.live });
  expect(state?.pgm?.version).toBe(expected.pgm);
  const memory = new MemoryTarget();
  await extract(bufferSource(stream), memory, { format: 'raw' });
  expect(sha256(memory.bytes)).toBe(truth.ram.low.sha256);
}

describe('prepareShipment()', () => {
  it('sends V2.0 states as they are, live and plain', async () => {
    expect(Buffer.from(await streamOf(live)).equals(live)).toBe(true);
    expect(Buffer.from(await streamOf(plain)).equals(plain)).toBe(true);
  });

  it('flattens on the way', async () => {
    await expectStream(await streamOf(live, { flatten: true }), truthOf('own-long-live'), { live: false, pgm: 14 });
  });

  it('sends containers V1.2 and V1.1 as V2.0', async () => {
    for (const container of ['1.2', '1.1'] as const) {
      await expectStream(await streamOf(await converted(plain, { container })), truthOf('own-long'), {
        live: false,
        pgm: 14,
      });
    }
  });

  it('sends another pgm version on request', async () => {
    await expectStream(await streamOf(live, { pgm: 12 }), truthOf('own-long-live'), { live: true, pgm: 12 });
  });

  it('sends no damaged state', async () => {
    const damaged = Buffer.from(plain);
    damaged[100_000] ^= 4;
    await expect(prepareShipment(bufferSource(damaged))).rejects.toMatchObject({
      name: 'FormatError',
      message: expect.stringContaining('it was not sent'),
    });
    await expect(prepareShipment(bufferSource(plain.subarray(0, 5000)))).rejects.toMatchObject({ name: 'FormatError' });
    await expect(prepareShipment(bufferSource(Buffer.from('no state')))).rejects.toMatchObject({
      code: 'not-a-saved-state',
    });
  });

  it('sends nothing that can be read only once', async () => {
    await expect(prepareShipment({ ...bufferSource(plain), seekable: false })).rejects.toMatchObject({
      code: 'not-seekable',
    });
  });
});
