import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bufferSource, openFile } from '../../../formats/files/source.ts';
import { MIB } from '../../../formats/sizes.ts';
import { buildPgm } from '../../../formats/testing/pgm-builder.ts';
import { fullExample } from '../../../formats/testing/pgm-examples.ts';
import { cutRaw, stateV2 } from '../../../formats/testing/pgm-states.ts';
import { MemoryTarget, STATES_FOLDER, samplesIn } from '../../testing/states.ts';
import { type ExtractOptions, type ExtractReport, extract } from './extract.ts';
import { extractToStream } from './extract-stream.ts';

/** Takes bytes as a pipe does. */
class Pipe {
  readonly pieces: Uint8Array[] = [];
  async write(bytes: Uint8Array): Promise<void> {
    this.pieces.push(Uint8Array.from(bytes));
  }
}

const PARTS: ExtractOptions[] = [
  {},
  { format: 'sparse' },
  { format: 'elf' },
  { format: 'vbox-core' },
  { format: 'lime' },
  { range: { start: 0x1008, end: 0x5010 } },
  { range: { start: 0xff0, end: 0x1001 } },
  { asSeen: true, range: { start: 0x8_0001, end: 0x12_0000 } },
  { rom: 'PC BIOS', asSeen: true },
  { mmio2: 'VRam' },
  { unit: 'pgm' },
];

for (const { name, path } of samplesIn(STATES_FOLDER)) {
  describe(`extractToStream() of ${name}`, () => {
    it('gives the bytes and the report of extract()', async () => {
      const source = await openFile(path);
      for (const part of PARTS) {
        const outcome = (work: Promise<ExtractReport | undefined>) => work.catch((error: Error) => error.message);
        const [target, pipe] = [new MemoryTarget(), new Pipe()];
        const [expected, report] = [
          await outcome(extract(source, target, part)),
          await outcome(extractToStream(source, pipe, part)),
        ];
        expect(report, JSON.stringify(part)).toEqual(expected);
        expect(Buffer.concat(pipe.pieces).equals(target.bytes), JSON.stringify(part)).toBe(true);
        expect(Math.max(0, ...pipe.pieces.map(({ length }) => length))).toBeLessThanOrEqual(MIB);
      }
      await source.close();
    });
  });
}

const plain = readFileSync(`${STATES_FOLDER}own-long.sav`);

describe('extractToStream()', () => {
  it('writes nothing of a state that turns out damaged at its end', async () => {
    const bytes = Buffer.from(plain);
    bytes[bytes.length - 20] ^= 1;
    for (const part of [{}, { unit: 'cpum' }]) {
      const pipe = new Pipe();
      await expect(extractToStream(bufferSource(bytes), pipe, part)).rejects.toMatchObject({ name: 'FormatError' });
      expect(pipe.pieces).toEqual([]);
    }
  });

  it('leaves states whose pages have to be put together to extract()', async () => {
    const state = stateV2([{ version: 14, payload: buildPgm(fullExample(14), 14) }], { cut: cutRaw(1000) });
    const pipe = new Pipe();
    expect(await extractToStream(bufferSource(state), pipe)).toBeUndefined();
    expect(pipe.pieces).toEqual([]);
  });

  it('ends when it is told to, also in the midst of a hole', async () => {
    const abort = new AbortController();
    const pipe = {
      pieces: 0,
      async write() {
        if (++this.pieces === 2) abort.abort();
      },
    };
    const work = extractToStream(bufferSource(plain), pipe, {
      range: { start: 0, end: 2 ** 45 },
      signal: abort.signal,
    });
    await expect(work).rejects.toMatchObject({ code: 'interrupted' });
    expect(pipe.pieces).toBe(2);
  });

  it('tells how far it is: what is checked, then what is written', async () => {
    const steps: string[] = [];
    await extractToStream(bufferSource(plain), new Pipe(), {
      onProgress: (done, step, total = plain.length) => {
        expect(done).toBeLessThanOrEqual(total);
        if (steps.at(-1) !== step) steps.push(step);
      },
    });
    expect(steps).toEqual(['checking', 'writing']);
  });
});
