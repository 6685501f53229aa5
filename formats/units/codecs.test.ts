import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../errors.ts';
import { bufferSource } from '../files/source.ts';
import { openContainer } from '../ssm/open.ts';
import { PayloadReader } from '../ssm/payload.ts';
import { machineUnits } from '../testing/machine-units.ts';
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
const units: Found[] = [...(await Promise.all(states.map(unitsOf))).flat(), ...machineUnits()];
/** One unit of each kind and size: listing the fields of all units takes long. */
const kinds = [
  ...new Map(units.map((found) => [`${found.name} ${found.version} ${found.payload.length}`, found])).values(),
];
const fieldsOf = (found: Found) => decodeUnit({ ...found, pass: 'final' }, found.payload)?.fields;

/** Units of which nothing is known, not even in part. */
const NOT_DECODED = ['iommu-intel', 'smc', 'tpm-ppi'];

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
    for (const found of kinds) {
      const fields = fieldsOf(found);
      if (!fields) continue;
      // Marks of four bytes stand between fields, two of them where one structure follows another.
      const starts = [...fields.map(({ offset }) => offset), found.payload.length];
      const gaps = starts.map((start, i) => start - (i === 0 ? 0 : fields[i - 1].offset + fields[i - 1].size));
      expect(Math.min(...gaps), found.name).toBeGreaterThanOrEqual(0);
      expect(Math.max(...gaps), found.name).toBeLessThanOrEqual(8);
    }
  });

  it('give units the sizes that docs/spec/device-units.md tells, timers apart', () => {
    const spec = readFileSync(new URL('../../docs/spec/device-units.md', import.meta.url), 'utf8');
    const SIZE = /^## \S+.* — (\d+)( \+ 8 × CPUs)? bytes( per CPU)?|\bX: (\d+) bytes\)/;
    const told = spec.split(/^(?=## )/m).flatMap((section) => {
      const [, name, version] = /^## (\S+) (\d+)/.exec(section) ?? [];
      const [, heading, more, each, inText] = SIZE.exec(section) ?? [];
      const size = Number(heading ?? inText);
      return Number.isNaN(size) ? [] : [{ name, version: Number(version), size, step: more ? 8 : each ? size : 0 }];
    });
    expect(told.length).toBeGreaterThan(10);
    const wrong = told.map(({ name, version, size, step }) => {
      const found = kinds.filter((each) => each.name === name && each.version === version);
      const sizes = found.map((each) => {
        const timers = (fieldsOf(each) ?? []).filter(({ text }) => /^(stopped|expires at .*)$/.test(text));
        return each.payload.length - timers.reduce((sum, timer) => sum + timer.size, 0);
      });
      const odd = sizes.filter((each) => (step > 0 ? (each - size) % step !== 0 : each !== size));
      return { name, found: found.length > 0, size, odd };
    });
    expect(wrong.filter(({ odd, found }) => odd.length > 0 || !found)).toEqual([]);
  });

  it('tell the bytes that stand at the place of each field', () => {
    for (const found of kinds) {
      const view = new DataView(found.payload.buffer, found.payload.byteOffset, found.payload.byteLength);
      const wrong = (fieldsOf(found) ?? []).filter(({ offset, size, value }) => {
        if (typeof value !== 'number' || ![1, 2, 4].includes(size)) return false;
        const stored =
          size === 1 ? view.getUint8(offset) : size === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true);
        return value >>> 0 !== stored;
      });
      expect(wrong, found.name).toEqual([]);
    }
  });

  it('refuse bytes that are laid out otherwise, or write them back as they were', () => {
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
