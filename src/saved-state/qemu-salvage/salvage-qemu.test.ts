import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { qemuSample, qemuTruth } from '../../testing/qemu-samples.ts';
import { MemorySink, MemoryTarget, sha256 } from '../../testing/states.ts';
import { extract } from '../extract/extract.ts';
import { type QemuSalvageOptions, salvageQemu } from './salvage-qemu.ts';

const original = qemuSample('long-10.state');
const truth = qemuTruth('long-10.state');
const placeOf = (name: string) => truth.sections.find((each) => each.name === name)?.offset as number;

async function salvaged(bytes: Uint8Array, options: QemuSalvageOptions = {}) {
  const sink = new MemorySink();
  const report = await salvageQemu(bufferSource(bytes), sink, options);
  return { report, bytes: sink.content() };
}

/** Offsets of all pages in the file, by block and page: a plain reading of the records of this sample. */
function recordsOf(bytes: Buffer): { block: string; page: number; end: number }[] {
  const records: { block: string; page: number; end: number }[] = [];
  const [start, end] = [truth.sections[1].offset + 5, truth.sections[2].offset];
  let block = '';
  for (let at = start; at < end; ) {
    const word = bytes.readBigUInt64BE(at);
    const flags = Number(word & 0xfffn);
    at += 8;
    if (flags & 0x10) break;
    if (!(flags & 0x20)) {
      block = bytes.toString('latin1', at + 1, at + 1 + bytes[at]);
      at += 1 + bytes[at];
    }
    at += flags & 8 ? 4096 : 1;
    records.push({ block, page: Number(word >> 12n), end: at });
  }
  return records;
}

const records = recordsOf(original);

describe('salvage of a state of QEMU', () => {
  it('keeps both devices where two have one name and instance, as the disk controllers of ISA machines', async () => {
    const bytes = Buffer.from(original);
    const second = bytes.indexOf('\x05i8259\0\0\0\x01', 0, 'latin1') + 6;
    bytes.writeUInt32BE(0, second);
    const entry = '"name": "i8259", "instance_id": 1';
    bytes.write(entry.replace(/1$/, '0'), bytes.indexOf(entry), 'latin1');
    const { report } = await salvaged(bytes);
    expect(report).toMatchObject({ complete: true, dropped: [] });
    expect(report.kept.filter(({ name }) => name === 'i8259').map(({ repaired }) => repaired)).toEqual([
      undefined,
      undefined,
    ]);
  });

  it.each([400, 5000, 5146, 900_000, 1_700_000, 1_773_600])(
    'cut in memory at %i: lists exactly what is lost',
    async (cut) => {
      const { report, bytes } = await salvaged(original.subarray(0, cut));
      const gone = records.filter(({ end }) => end > cut);
      const listed = report.lost.flatMap(({ block, first, last }) =>
        Array.from({ length: last - first + 1 }, (_, i) => `${block} ${first + i}`),
      );
      expect(listed.sort()).toEqual(gone.map(({ block, page }) => `${block} ${page}`).sort());
      expect(report).toMatchObject({
        complete: false,
        loadable: false,
        cut: true,
        mayBeOld: true,
        lostPages: gone.length,
      });
      expect(bytes.includes('savkit/incomplete')).toBe(true);
    },
  );

  it('keeps every section that the description lists and that can be found, whatever stands between', async () => {
    const bad = Buffer.from(original);
    bad[records[100].end + 6] = 0x04;
    bad[placeOf('fw_cfg')] = 0x0a;
    bad.write('hqet', placeOf('hpet') + 6, 'latin1');
    const { report, bytes } = await salvaged(bad, { fill: 'zero' });
    expect(report).toMatchObject({ complete: false, dropped: [{ name: 'hpet', instance: 0 }], hasDescription: true });
    expect(report.kept).toHaveLength(27);
    expect(report.lostPages).toBe(records.length - 101);
    expect((await salvaged(bytes)).report).toMatchObject({ complete: false, loadable: false });
  });

  it('makes anew what can be made anew', async () => {
    for (const damage of [
      (b: Buffer) => b.writeUInt32BE(0x63, placeOf('cpu') + 1873 - 4),
      (b: Buffer) => b.write('hqet', placeOf('hpet') + 6, 'latin1'),
      (b: Buffer) => b.writeUInt32BE(99, placeOf('cpu') + 13),
      (b: Buffer) => b.writeUInt8(0x0a, placeOf('fw_cfg')),
    ]) {
      const bad = Buffer.from(original);
      damage(bad);
      const { report, bytes } = await salvaged(bad);
      expect(report).toMatchObject({ complete: true, loadable: true, lost: [], dropped: [] });
      const ram = new MemoryTarget();
      await extract(bufferSource(bytes), ram);
      expect(sha256(ram.bytes)).toBe(truth.ram.sha256);
      expect([bytes.length, bytes.findIndex((byte, i) => byte !== original[i])]).toEqual([original.length, -1]);
    }
  });

  it('fills with zeros when told to, and does not call whole what it cannot know', async () => {
    const bad = Buffer.from(original);
    bad[records[2000].end + 6] = 0x04;
    const { report } = await salvaged(bad, { fill: 'zero' });
    expect(report).toMatchObject({ complete: false, loadable: true, written: { verdict: 'no-damage-found' } });
    const blind = await salvaged(qemuSample('no-vmdesc-7.state'));
    expect(blind.report).toMatchObject({ complete: false, hasDescription: false, lostPages: 0 });
    await expect(salvaged(original.subarray(0, 60))).rejects.toMatchObject({ code: 'truncated' });
  });

  it('lists the pages of any claimed size at once, and fills no more than machines have', async () => {
    const bytes = Buffer.from(qemuSample('long-10.state'));
    const block = bytes.indexOf('\x06pc.ram', 0, 'latin1') + 7;
    const total = block - 7 - 8;
    const size = bytes.readBigUInt64BE(block);
    const claimed = 1n << 62n;
    bytes.writeBigUInt64BE(bytes.readBigUInt64BE(total) - size + claimed, total);
    bytes.writeBigUInt64BE(claimed, block);
    const report = await salvageQemu(bufferSource(bytes), new MemorySink());
    expect(report).toMatchObject({ complete: false, lostPages: Number((claimed - size) / 4096n) });
    // Below 4 GiB and above.
    expect(report.lost.length).toBe(2);
    const filled = salvageQemu(bufferSource(bytes), new MemorySink(), { fill: 'zero' });
    await expect(filled).rejects.toMatchObject({ code: 'too-much-memory' });
    // As many pages as machines may have.
    bytes.writeBigUInt64BE(bytes.readBigUInt64BE(total) - claimed + 2n ** 40n, total);
    bytes.writeBigUInt64BE(2n ** 40n, block);
    const end = new AbortController();
    const onProgress = (doing: string) => void (doing === 'writing' && setTimeout(() => end.abort(), 100));
    const long = salvageQemu(bufferSource(bytes), new MemorySink(), { fill: 'zero', signal: end.signal, onProgress });
    await expect(long).rejects.toMatchObject({ code: 'interrupted' });
  });

  it('does not call a live save complete whose later rounds are lost, though no page is missing', async () => {
    const live = qemuSample('live-7.state');
    const end = qemuTruth('live-7.state')
      .sections.filter(({ name }) => name === 'ram')
      .at(-1)?.offset as number;
    // The last record with a content before that.
    let at = end;
    while (!(live.readUInt32BE(at) === 0 && (live.readUInt32BE(at + 4) & 0xfff) === 0x28)) at--;
    live[at + 7] = 0xff;
    const { report, bytes } = await salvaged(live);
    expect(report).toMatchObject({ complete: false, loadable: false, mayBeOld: true, lostPages: 0, dropped: [] });
    expect(bytes.includes('savkit/incomplete')).toBe(true);
    expect((await salvaged(live, { fill: 'zero' })).report).toMatchObject({
      complete: false,
      loadable: true,
      mayBeOld: true,
    });
  });

  it('takes what libvirt has not finished, and mapped memory up to the cut', async () => {
    const image = qemuSample('virsh-gzip-10.save');
    image.write('Part', 12, 'latin1');
    expect((await salvaged(image)).report).toMatchObject({ complete: true, lostPages: 0 });
    const mapped = qemuSample('mapped-10.state').subarray(0, 10_000_000);
    expect((await salvaged(mapped)).report).toMatchObject({ complete: false, untold: true, cut: true });
  });
});
