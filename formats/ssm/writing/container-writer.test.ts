import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UnsupportedError } from '../../errors.ts';
import { bufferSource } from '../../files/source.ts';
import { MemorySink } from '../../testing/memory-sink.ts';
import type { ContainerFormat } from '../container.ts';
import { openContainer } from '../open.ts';
import { PayloadReader } from '../payload.ts';
import type { ContainerWriter, NewContainer } from './container-writer.ts';
import { createContainer } from './create-container.ts';

const header: NewContainer = {
  release: { major: 7, minor: 0, build: 10, revision: 158379 },
  hostBits: 64,
  widths: { gcPhys: 8, gcPtr: 8 },
  live: false,
  registeredUnits: 2,
};

/** Runs `write`. @returns the file that it leaves */
async function written(
  format: ContainerFormat,
  write: (writer: ContainerWriter) => Promise<void>,
  own: Partial<NewContainer> = {},
): Promise<Uint8Array> {
  const sink = new MemorySink();
  const writer = createContainer(sink, format, { ...header, ...own });
  await write(writer);
  await writer.finish();
  return sink.view();
}

/** Names and payloads, read strictly: any damage throws. */
async function readBack(bytes: Uint8Array): Promise<{ name: string; payload: string }[]> {
  const container = await openContainer(bufferSource(bytes));
  const units = [];
  for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
    units.push({ name: unit.name, payload: textOf(await new PayloadReader(container).rest(1 << 26)) });
  }
  return units;
}

/** Text of one character a byte: the test runner compares it much faster than arrays. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function pseudoRandom(): Uint8Array {
  const bytes = new Uint8Array(4096);
  let x = 1;
  for (let i = 0; i < bytes.length; i++) {
    x = Number((BigInt(x) * 1103515245n + 12345n) % 2147483648n);
    bytes[i] = (x >> 16) & 255;
  }
  return bytes;
}

/** The unit `demo` of the worked examples: small and large items of every kind. */
const DEMO = [
  Uint8Array.of(0x44, 0x33, 0x22, 0x11),
  new Uint8Array(4096),
  Uint8Array.from({ length: 4096 }, (_, i) => 1 + (i % 4)),
  pseudoRandom(),
  Buffer.from('tail!'),
];

for (const [format, size] of [
  ['1.1', 4522],
  ['1.2', 4522 + 16],
  ['2.0', 4571 - 49 - 91 - 16],
] as const) {
  describe(`a V${format} container`, () => {
    it('of no units has the bytes of the worked example', async () => {
      const release =
        format === '2.0' ? { ...header.release, revision: 158379 } : { major: 3, minor: 0, build: 14, revision: 58977 };
      const bytes = await written(format, async () => {}, {
        release: release as NonNullable<NewContainer['release']>,
        registeredUnits: 0,
      });
      const lengths = { '1.1': 92, '1.2': 108, '2.0': 156 };
      expect(bytes.length).toBe(lengths[format]);
      const crcs = { '1.1': [40, '09334d9c'], '1.2': [40, '390720ee'], '2.0': [0x98, '0729e401'] } as const;
      const [at, crc] = crcs[format];
      expect(Buffer.from(bytes.subarray(at, at + 4)).toString('hex')).toBe(crc);
    });

    it('has the size of the worked example with items of every kind', async () => {
      const bytes = await written(format, async (writer) => {
        writer.beginUnit({ name: 'demo', instance: 0, version: 1, pass: 'final' });
        for (const item of DEMO) writer.put(item);
        writer.endUnit();
      });
      // LZF of another compressor may take some bytes more or less.
      expect(Math.abs(bytes.length - size)).toBeLessThan(24);
      expect(await readBack(bytes)).toEqual([{ name: 'demo', payload: textOf(Buffer.concat(DEMO)) }]);
    });

    it('gives back any items of any units', async () => {
      const item = fc.oneof(
        fc.uint8Array({ maxLength: 700 }),
        fc.nat({ max: 20000 }).map((n) => new Uint8Array(n)),
        fc.nat({ max: 255 }).map((byte) => new Uint8Array(4096).fill(byte)),
        fc.constant(pseudoRandom()),
      );
      const unit = fc.record({ name: fc.stringMatching(/^[a-z0-9]{1,40}$/), items: fc.array(item, { maxLength: 12 }) });
      await fc.assert(
        fc.asyncProperty(fc.array(unit, { maxLength: 6 }), async (units) => {
          const bytes = await written(format, async (writer) => {
            for (const { name, items } of units) {
              writer.beginUnit({ name, instance: 0, version: 1, pass: 'final' });
              for (const bytes of items) {
                writer.put(bytes);
                if (writer.isFull) await writer.flush();
              }
              writer.endUnit();
            }
          });
          expect(await readBack(bytes)).toEqual(
            units.map(({ name, items }) => ({ name, payload: textOf(Buffer.concat(items)) })),
          );
        }),
        { numRuns: 40 },
      );
    });

    it('may be larger than any buffer, and a unit header may have left when the unit ends', async () => {
      const page = pseudoRandom();
      const bytes = await written(format, async (writer) => {
        for (const count of [1, 700, 3, 130, 0]) {
          writer.beginUnit({ name: `unit${count}`, instance: 1, version: 1, pass: 'final' });
          for (let i = 0; i < count; i++) {
            writer.put(page);
            if (writer.isFull) await writer.flush();
          }
          writer.endUnit();
        }
      });
      expect((await readBack(bytes)).map(({ payload }) => payload.length / 4096)).toEqual([1, 700, 3, 130, 0]);
    });
  });
}

describe('createContainer()', () => {
  it('refuses V1.x on a stream, whose header cannot be written last', () => {
    const stream = { write: async () => {} };
    expect(() => createContainer(stream, '1.2', header)).toThrow(UnsupportedError);
    expect(() => createContainer(stream, '2.0', header)).not.toThrow();
  });
});
