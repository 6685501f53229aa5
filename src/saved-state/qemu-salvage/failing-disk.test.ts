import { describe, expect, it } from 'vitest';

import { SavkitError } from '../../../formats/errors.ts';
import { withBeside } from '../../../formats/files/source.ts';
import { failingDisk } from '../../../formats/testing/failing-disk.ts';
import { Random } from '../../../formats/testing/random.ts';
import { qemuSample, qemuTruth, sampleSource } from '../../testing/qemu-samples.ts';
import { MemorySink } from '../../testing/states.ts';
import { type QemuSalvageOptions, salvageQemu } from './salvage-qemu.ts';

const BLOCK = 4096;

/** A record of a page, by a plain reading that knows nothing of ours. */
interface Naive {
  block: string;
  page: number;
  start: number;
  end: number;
  content: Buffer;
}

/** All records of memory of a plain stream, up to its devices. */
function recordsOf(bytes: Buffer): Naive[] {
  const records: Naive[] = [];
  let at = bytes.indexOf('\x01\0\0\0', 8, 'latin1');
  at += 1 + 4 + 1 + 3 + 8;
  let block = '';
  // Then each block has an address, too.
  const entry = bytes.includes('x-ignore-shared') ? 16 : 8;
  for (;;) {
    const start = at;
    const word = bytes.readBigUInt64BE(at);
    const flags = Number(word & 0xfffn);
    at += 8;
    if (flags === 4) {
      for (let left = Number(word) - 4; left > 0; ) {
        at += 1 + bytes[at];
        left -= Number(bytes.readBigUInt64BE(at));
        at += entry;
      }
    } else if (flags === 0x10) {
      at += 5;
      if (bytes[at] !== 2 && bytes[at] !== 3) return records;
      at += 5;
    } else {
      if (!(flags & 0x20)) {
        block = bytes.toString('latin1', at + 1, at + 1 + bytes[at]);
        at += 1 + bytes[at];
      }
      const isPage = (flags & 8) !== 0;
      const content = isPage ? bytes.subarray(at, at + 4096) : Buffer.alloc(4096, bytes[at]);
      at += isPage ? 4096 : 1;
      records.push({ block, page: Number(word >> 12n), start, end: at, content });
    }
  }
}

const memoryOf = (records: readonly Naive[]) =>
  new Map(records.map(({ block, page, content }) => [`${block} ${page}`, content]));

/** Pages that are not as in the whole state. */
function differing(kept: ReadonlyMap<string, Buffer>, whole: ReadonlyMap<string, Buffer>): string[] {
  return [...kept].filter(([key, content]) => whole.get(key)?.equals(content) !== true).map(([key]) => key);
}

async function salvaged(bytes: Uint8Array, blocks: readonly number[], options: QemuSalvageOptions = {}) {
  const lost = blocks.map((block) => ({ start: block * BLOCK, end: Math.min((block + 1) * BLOCK, bytes.length) }));
  const sink = new MemorySink();
  const report = await salvageQemu(failingDisk(bytes, lost).source, sink, options);
  const listed = report.lost.flatMap(({ block, first, last }) =>
    Array.from({ length: last - first + 1 }, (_, i) => `${block} ${first + i}`),
  );
  return { report, listed, lost, bytes: sink.content() };
}

const isHit = (lost: readonly { start: number; end: number }[], start: number, end: number) =>
  lost.some((each) => each.start < end && each.end > start);

const original = qemuSample('long-10.state');
const truth = qemuTruth('long-10.state');
const records = recordsOf(original);
const [, , , firstDevice] = truth.sections;
const BLOCKS = Math.ceil(original.length / BLOCK);
const MEMORY = Math.floor(firstDevice.offset / BLOCK);

describe('salvage of a state of QEMU on a failing disk', () => {
  it.each([
    ['a block', Array.from({ length: 5 }, (_, i) => [1 + Math.floor((i * (MEMORY - 2)) / 5)])],
    ['blocks side by side', [[7, 8], [100, 101, 102, 103], Array.from({ length: 90 }, (_, i) => 200 + i)]],
    ['blocks here and there', [[3, 9, 10, 60, 64, 68, 200, 300, 301, 420]]],
  ])(
    'loses with %s exactly the pages that have bytes there',
    async (_, cases) => {
      expect(records).toHaveLength(4144);
      const whole = memoryOf(records);
      for (const blocks of cases) {
        const { report, listed, lost, bytes } = await salvaged(original, blocks);
        const gone = records
          .filter(({ start, end }) => isHit(lost, start, end))
          .map(({ block, page }) => `${block} ${page}`);
        expect([blocks, listed.sort()]).toEqual([blocks, gone.sort()]);
        expect(report).toMatchObject({ complete: false, loadable: false, dropped: [], cut: false, mayBeOld: false });
        expect(report.kept).toHaveLength(28);
        const kept = memoryOf(recordsOf(bytes));
        expect(gone.filter((key) => kept.has(key))).toEqual([]);
        expect(differing(kept, whole)).toEqual([]);
        expect(kept.size).toBe(whole.size - gone.length);
      }
    },
    120_000,
  );

  it('drops the devices that have bytes there, and keeps all others as they are', async () => {
    // Bodies of devices are longer, or lie side by side in a block.
    for (let block = MEMORY + 1; block < BLOCKS; block += 3) {
      const { report, listed, lost, bytes } = await salvaged(original, [block]);
      const devices = truth.sections.slice(3);
      const bodyOf = ({ offset, name }: { offset: number; name: string }) => offset + 6 + name.length + 8;
      const isGone = (each: (typeof devices)[number]) =>
        isHit(lost, bodyOf(each), bodyOf(each) + (each.bodySize as number));
      const gone = devices.filter(isGone).map(({ name }) => name);
      const kept = report.kept.map(({ name }) => name);
      expect([block, listed, report.complete, kept.filter((name) => gone.includes(name))]).toEqual([
        block,
        [],
        false,
        [],
      ]);
      // The marks around a section may be lost, and with them a section whose bytes are all there.
      expect(kept.length + 2, `${block}`).toBeGreaterThanOrEqual(devices.length - gone.length);
      if (report.hasDescription) expect(kept.length + report.dropped.length, `${block}`).toBe(devices.length);
      if (gone.length > 0) expect(report.loadable, `${block}`).toBe(false);
      for (const { name, bodySize, ...at } of devices) {
        if (!kept.includes(name)) continue;
        const body = original.subarray(bodyOf({ name, ...at }), bodyOf({ name, ...at }) + (bodySize as number));
        expect(bytes.includes(body), `${block} ${name}`).toBe(true);
      }
      expect(memoryOf(recordsOf(bytes)).size).toBe(4144);
    }
  }, 120_000);
});

/** All pages of a good state of any form. */
async function allPagesOf(name: string): Promise<Map<string, Buffer>> {
  const sink = new MemorySink();
  await salvageQemu(sampleSource(name), sink);
  return memoryOf(recordsOf(sink.content()));
}

describe.each([
  ['mapped-10.state', 5],
  ['virsh-raw-10.save', 4],
  ['virsh-gzip-10.save', 3],
  ['snap-10.qcow2', 3],
  ['live-7.state', 6],
  ['ignore-shared-10.state', 4],
])('salvage of %s on a failing disk', (name, count) => {
  it('keeps right pages only, and lists all others', async () => {
    const whole = await allPagesOf(name);
    const { size = 0, part, ram } = sampleSource(name);
    const random = new Random(7);
    let ended = 0;
    for (let i = 0; i < count; i++) {
      // The first blocks hold what nothing can be read without.
      const block = 1 + random.below(Math.ceil(size / BLOCK) - 1);
      const sink = new MemorySink();
      const lost = [{ start: block * BLOCK, end: (block + 1) * BLOCK }];
      const { source } = failingDisk(qemuSample(name), lost);
      const report = await salvageQemu(withBeside(source, { part, ram }), sink).catch((error) => {
        expect(error).toBeInstanceOf(SavkitError);
        ended++;
      });
      if (!report) continue;
      const kept = memoryOf(recordsOf(sink.content()));
      const untold = report.gaps.some(({ isTold }) => !isTold);
      // Without a list of all pages that are lost, older copies may be kept, and that is said.
      if (untold) expect(report, `${block}`).toMatchObject({ mayBeOld: true, loadable: false });
      if (!report.mayBeOld) expect([block, differing(kept, whole)]).toEqual([block, []]);
      const listed = report.lost.flatMap(({ block: own, first, last }) =>
        Array.from({ length: last - first + 1 }, (_, page) => `${own} ${first + page}`),
      );
      expect([block, listed.sort()]).toEqual([block, [...whole.keys()].filter((key) => !kept.has(key)).sort()]);
      const isTouched = report.unreadable.length > 0;
      if (listed.length > 0 || report.dropped.length > 0 || untold) expect(report.complete).toBe(false);
      // Blocks between the parts of a state are never read.
      if (!isTouched) expect([report.complete, listed]).toEqual([true, []]);
    }
    expect(ended).toBe(0);
  }, 120_000);
});

it('takes RAM of a file of its own, but for the bytes that the disk does not give, also after lost records', async () => {
  const name = 'ignore-shared-10.state';
  const whole = await allPagesOf(name);
  const [{ source: ramSource }] = sampleSource(name).ram ?? [];
  const ram = Buffer.alloc(ramSource.size ?? 0);
  await ramSource.read(ram, 0);
  const state = failingDisk(qemuSample(name), [{ start: 15 * BLOCK, end: 17 * BLOCK }]).source;
  const memory = failingDisk(ram, [{ start: 100 * BLOCK, end: 102 * BLOCK }]).source;
  const sink = new MemorySink();
  const report = await salvageQemu(withBeside(state, { ram: [{ source: memory }] }), sink);
  expect(report).toMatchObject({ complete: false, loadable: false });
  expect(report.lost).toContainEqual(expect.objectContaining({ block: 'pc.ram', first: 100, last: 101 }));
  const kept = memoryOf(recordsOf(sink.content()));
  expect(
    [...whole].filter(([key, content]) => key.startsWith('pc.ram') && !kept.get(key)?.equals(content)),
  ).toHaveLength(2);
});
