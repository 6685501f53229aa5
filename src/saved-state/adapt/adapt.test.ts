import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openFileSink } from '../../../formats/files/sink.ts';
import { bufferSource } from '../../../formats/files/source.ts';
import { openContainer } from '../../../formats/ssm/open.ts';
import { PayloadReader } from '../../../formats/ssm/payload.ts';
import { buildV2, type UnitSpec } from '../../../formats/testing/container-builder.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { adapt, planReport } from './adapt.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-adapt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = readFileSync(join(STATES_FOLDER, 'own-long.sav'));

/** The units of a file, to be changed byte by byte and put together again by other code than that under test. */
async function unitsOf(bytes: Uint8Array): Promise<Required<Omit<UnitSpec, 'records'>>[]> {
  const container = await openContainer(bufferSource(bytes));
  const units = [];
  for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
    const { name, instance, version, pass } = unit;
    units.push({ name, instance, version, pass, payload: await new PayloadReader(container).rest(64 * 2 ** 20) });
  }
  return units;
}

const units = await unitsOf(file);
type Units = typeof units;

/** A state with some units changed. */
function variant(change: (units: Units) => Units): ReturnType<typeof bufferSource> {
  return bufferSource(
    buildV2(change(units.map((unit) => ({ ...unit, payload: unit.payload.slice() })))),
    'variant.sav',
  );
}

function bytesOf(list: Units, name: string): Buffer {
  const found = list.find((unit) => unit.name === name);
  if (!found) throw new Error(`no unit ${name}`);
  return Buffer.from(found.payload.buffer, found.payload.byteOffset, found.payload.byteLength);
}

/** Header and payload of each unit, in a form that is compared in no time. */
function digestsOf(list: Units): string[] {
  return list.map(
    ({ payload, ...head }) => `${JSON.stringify(head)} ${createHash('sha256').update(payload).digest('hex')}`,
  );
}

/** A machine with a serial port besides: its unit, and its entry in the list of devices. */
function withSerial(list: Units, port = 0x3f8, irq = 4): Units {
  const payload = Buffer.alloc(31);
  payload[0] = irq;
  payload.writeUInt16LE(port, 1);
  payload.writeUInt32LE(2, 3);
  payload.writeUInt16LE(12, 7);
  payload.set([4, 4], 25);
  payload.writeUInt32LE(0xffffffff, 27);
  const pdm = bytesOf(list, 'pdm');
  const entry = Buffer.alloc(4 + 4 + 6 + 4);
  entry.writeUInt32LE(countOf(pdm), 0);
  entry.writeUInt32LE(6, 4);
  entry.write('serial', 8);
  const longer = Buffer.concat([pdm.subarray(0, -4), entry, pdm.subarray(-4)]);
  return list.flatMap((unit) => {
    if (unit.name === 'pdm') return [{ ...unit, payload: longer }];
    const serial = { name: 'serial', instance: 0, version: 7, pass: 'final' as const, payload };
    return unit.name === 'pcbios' ? [unit, serial] : [unit];
  });
}

/** Devices in the list, whose numbers ascend. */
function countOf(pdm: Buffer): number {
  let count = 0;
  for (let at = 20; pdm.readUInt32LE(at) !== 0xffffffff; count++) at += 12 + pdm.readUInt32LE(at + 4);
  return count;
}

async function adapted(
  source: ReturnType<typeof bufferSource>,
  donor: ReturnType<typeof bufferSource>,
  accept: ('risk' | 'loss')[] = [],
) {
  const path = join(folder, `${Math.random()}.sav`);
  const sink = await openFileSink(path, {});
  const report = await adapt(source, { donor }, sink, { accept })
    .then((done) => sink.commit().then(() => done))
    .finally(() => sink.abort());
  return { report, units: await unitsOf(readFileSync(path)) };
}

describe('adapt()', () => {
  it('changes nothing for the machine that the state was saved from', async () => {
    const result = await adapted(bufferSource(file), bufferSource(file));
    expect(result.report.changes).toEqual([]);
    expect(result.report.proof).toMatchObject({ holds: true, unitsChanged: 0, differences: [] });
    expect(digestsOf(result.units)).toEqual(digestsOf(units));
  });

  it('takes out a device that the machine lacks, and nothing else', async () => {
    const { report, units: after } = await adapted(variant(withSerial), bufferSource(file));
    expect(report.changes).toMatchObject([{ class: 'seen', unit: 'serial/0' }]);
    expect(report.proof).toMatchObject({ holds: true });
    expect(digestsOf(after)).toEqual(digestsOf(units));
  });

  it('takes the unit of a device that is new', async () => {
    const { report, units: after } = await adapted(bufferSource(file), variant(withSerial));
    expect(report.changes).toMatchObject([{ class: 'seen', unit: 'serial/0' }]);
    expect(digestsOf(after)).toEqual(digestsOf(withSerial(units)));
  });

  it('moves a serial port, and keeps its other registers', async () => {
    const elsewhere = variant((list) => withSerial(list, 0x2f8, 3));
    const { report, units: after } = await adapted(variant(withSerial), elsewhere);
    expect(report.changes).toMatchObject([{ class: 'seen', unit: 'serial/0' }]);
    expect(digestsOf(after)).toEqual(digestsOf(withSerial(units, 0x2f8, 3)));
  });

  it('makes XCR0 valid again where the loader refuses it', async () => {
    const XCR0 = 2 + 8 + 532 + 504;
    const broken = variant((list) => {
      bytesOf(list, 'cpum').writeBigUInt64LE(0n, XCR0);
      return list;
    });
    const { report, units: after } = await adapted(broken, bufferSource(file));
    expect(report.changes).toMatchObject([{ class: 'kept', unit: 'cpum/1' }]);
    expect(bytesOf(after, 'cpum').readBigUInt64LE(XCR0)).toBe(1n);
  });

  it('clears features that the host lacks only where they are accepted', async () => {
    const withoutSse = variant((list) => {
      const cpum = bytesOf(list, 'cpum');
      // The host's leaf 1, after the guest's leaves: EDX bit 25.
      const guest = cpum.indexOf(Buffer.from([32, 0, 0, 0]), 2 + 8 + 532 + 532 + 428);
      const leaf1 = guest + 8 + 32 * cpum.readUInt32LE(guest + 4) + 16 + 4 + 16;
      cpum.writeUInt32LE(cpum.readUInt32LE(leaf1 + 12) & ~(1 << 6) & 0x7fffffff, leaf1 + 12);
      return list;
    });
    const plan = await planReport(bufferSource(file), { donor: withoutSse });
    expect(plan.toAccept).toEqual(['risk']);
    await expect(adapted(bufferSource(file), withoutSse)).rejects.toMatchObject({ code: 'not-accepted' });
    expect((await adapted(bufferSource(file), withoutSse, ['risk'])).report.proof).toMatchObject({ holds: true });
  });

  it('gives more RAM, and takes away RAM in which no page lies', async () => {
    const mib = 2 ** 20;
    const sized = (list: Units, size: number) => {
      const before = Number(bytesOf(list, 'mm').readBigUInt64LE(8));
      bytesOf(list, 'mm').writeBigUInt64LE(BigInt(size), 8);
      const pgm = bytesOf(list, 'pgm');
      const at = pgm.indexOf(Buffer.from(new BigUint64Array([BigInt(before)]).buffer));
      pgm.writeBigUInt64LE(BigInt(size), at);
      return list;
    };
    const before = Number(bytesOf(units, 'mm').readBigUInt64LE(8));
    const larger = variant((list) => sized(list, before + 4 * mib));
    const { report, units: after } = await adapted(bufferSource(file), larger);
    expect(report.changes).toMatchObject([{ class: 'kept', unit: 'pgm/1' }]);
    expect(Number(bytesOf(after, 'mm').readBigUInt64LE(8))).toBe(before + 4 * mib);
    const back = await adapted(larger, bufferSource(file));
    expect(back.report.changes).toMatchObject([{ class: 'kept', unit: 'pgm/1' }]);
    expect(digestsOf(back.units)).toEqual(digestsOf(units));
  });

  it('refuses another chipset, nested virtualisation and live saves, and names the way', async () => {
    const ich9 = variant((list) => list.map((unit) => (unit.name === 'pci' ? { ...unit, name: 'ich9pci' } : unit)));
    await expect(planReport(bufferSource(file), { donor: ich9 })).rejects.toMatchObject({
      code: 'not-adaptable',
      message: expect.stringContaining('--chipset=piix3'),
    });
    const nested = variant((list) => {
      bytesOf(list, 'cpum')[0] = 1;
      return list;
    });
    await expect(planReport(bufferSource(file), { donor: nested })).rejects.toMatchObject({ code: 'not-adaptable' });
    const live = bufferSource(readFileSync(join(STATES_FOLDER, 'own-long-live.sav')));
    await expect(planReport(live, { donor: bufferSource(file) })).rejects.toMatchObject({
      message: expect.stringContaining('--flatten'),
    });
  });
});
