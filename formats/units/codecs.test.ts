import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../errors.ts';
import { bufferSource } from '../files/source.ts';
import { openContainer } from '../ssm/open.ts';
import { PayloadReader } from '../ssm/payload.ts';
import { codecFor, decodeUnit } from './table.ts';

const folder = new URL('../../test-vectors/states/', import.meta.url);

interface Found {
  state: string;
  name: string;
  version: number;
  payload: Uint8Array;
}

async function unitsOf(state: string): Promise<Found[]> {
  const found: Found[] = [];
  const container = await openContainer(bufferSource(readFileSync(new URL(state, folder))));
  for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
    if (unit.name === 'pgm' || unit.pass !== 'final') continue;
    found.push({ state, ...unit, payload: await new PayloadReader(container).rest(2 ** 20) });
  }
  return found;
}

const states = readdirSync(folder).filter((file) => file.endsWith('.sav'));
const units = (await Promise.all(states.map(unitsOf))).flat();
const fieldsOf = (found: Found) => decodeUnit({ ...found, pass: 'final' }, found.payload)?.fields;

/** Units of which nothing is known, not even in part. */
const NOT_DECODED = ['SSMLiveControl'];

describe('codecs', () => {
  it('decode every unit of the real states and write it back as it was, but for those that are named', () => {
    const without = new Set(units.filter(({ name, version }) => !codecFor({ name, version })).map(({ name }) => name));
    expect([...without].sort()).toEqual(NOT_DECODED);
    for (const { state, name, version, payload } of units) {
      const codec = codecFor({ name, version });
      if (!codec) continue;
      const written = codec.encode(codec.decode(payload, version), version);
      expect(Buffer.compare(written, payload), `${name} of ${state}`).toBe(0);
    }
  });

  it('tell fields that follow each other without a gap, over the whole payload but for its marks', () => {
    for (const found of units) {
      const fields = fieldsOf(found);
      if (!fields) continue;
      let at = 0;
      for (const { offset, size, path } of fields) {
        expect(offset, `${found.name} ${path}`).toBeGreaterThanOrEqual(at);
        // Marks of four bytes stand between fields, two of them where one structure follows another.
        expect(offset - at, `${found.name} ${path}`).toBeLessThanOrEqual(8);
        at = offset + size;
      }
      expect(found.payload.length - at, found.name).toBeLessThanOrEqual(8);
    }
  });

  it('tell the bytes that stand at the place of each field', () => {
    for (const found of units) {
      const view = new DataView(found.payload.buffer, found.payload.byteOffset, found.payload.byteLength);
      for (const { offset, size, value, path } of fieldsOf(found) ?? []) {
        if (typeof value !== 'number' || ![1, 2, 4].includes(size)) continue;
        const stored =
          size === 1 ? view.getUint8(offset) : size === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true);
        expect(value >>> 0, `${found.name} ${path}`).toBe(stored);
      }
    }
  });

  it('say of bytes that are laid out otherwise that they are', () => {
    const samples = new Map(units.map((found) => [`${found.name} ${found.version}`, found]));
    for (const { name, version, payload } of samples.values()) {
      const codec = codecFor({ name, version });
      if (!codec || payload.length === 0) continue;
      fc.assert(
        fc.property(fc.nat(payload.length - 1), fc.nat(255), fc.nat(payload.length), (at, byte, length) => {
          const changed = payload.slice(0, length);
          if (at < length) changed[at] = byte;
          try {
            expect(Buffer.compare(codec.encode(codec.decode(changed, version), version), changed)).toBe(0);
          } catch (error) {
            if (!(error instanceof FormatError)) throw error;
            expect(error.code).toBe('not-as-laid-out');
          }
        }),
        { numRuns: 20 },
      );
    }
  });
});
