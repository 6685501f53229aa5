import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { qemuSample, qemuTruth } from '../../testing/qemu-samples.ts';
import { MemorySink, MemoryTarget, sha256 } from '../../testing/states.ts';
import { extract } from '../extract/extract.ts';
import { convertQemu } from '../qemu-convert/convert-qemu.ts';
import { salvageQemu } from '../qemu-salvage/salvage-qemu.ts';
import { verifyQemu } from '../qemu-verify/verify-qemu.ts';
import { readQemuState } from './read-qemu-state.ts';

// Sections in parts besides RAM, as a Proxmox whose machines are backed up has them. Bytes by qemu-stream.md 2.

const SAMPLE = 'long-10.state';
const truth = qemuTruth(SAMPLE);
const [, part, end] = truth.sections;

const u32 = (value: number) => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value].map((byte) => byte & 0xff));
const u64 = (value: number) => Buffer.concat([u32(0), u32(value)]);
const name = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')]);
const footer = (id: number) => Buffer.concat([Buffer.from([0x7e]), u32(id)]);
const start = (id: number, called: string, body: Buffer) =>
  Buffer.concat([Buffer.from([1]), u32(id), name(called), u32(0), u32(1), body, footer(id)]);
const goOn = (type: number, id: number, body: Buffer) =>
  Buffer.concat([Buffer.from([type]), u32(id), body, footer(id)]);
const chunk = (flags: number, ...rest: Buffer[]) => Buffer.concat([Buffer.from([flags]), ...rest]);

const BITMAP_ID = 90;
const node = [name('drive-scsi0'), name('pbs-incremental-dirty-bitmap')];
const BITMAP = {
  start: start(
    BITMAP_ID,
    'dirty-bitmap',
    Buffer.concat([chunk(0x1c, ...node, u32(65536), Buffer.from([1])), chunk(1)]),
  ),
  part: goOn(
    2,
    BITMAP_ID,
    Buffer.concat([
      chunk(0x4c, ...node, u64(0), u32(1024), u64(2), Buffer.from([5, 0])),
      chunk(0x42, u64(1024), u32(8)),
      chunk(1),
    ]),
  ),
  end: goOn(3, BITMAP_ID, Buffer.concat([chunk(0x2c, ...node), chunk(1)])),
};
const PBS = start(91, 'pbs-state', Buffer.concat([u64(5), Buffer.from('{"a":')]));

/** The sample as Proxmox would have written it. */
function withSections(parts = BITMAP, pbs: Buffer = PBS): Buffer {
  const bytes = qemuSample(SAMPLE);
  const cuts = [part.offset, end.offset, truth.sections[3].offset];
  return Buffer.concat([
    bytes.subarray(0, cuts[0]),
    parts.start,
    pbs,
    bytes.subarray(cuts[0], cuts[1]),
    parts.part,
    bytes.subarray(cuts[1], cuts[2]),
    parts.end,
    bytes.subarray(cuts[2]),
  ]);
}

describe('sections in parts besides RAM', () => {
  it('are read, and shown by their names', async () => {
    const source = bufferSource(withSections());
    const { verdict, findings, state } = await verifyQemu(source);
    expect([verdict, findings]).toEqual(['no-damage-found', []]);
    const shown = state?.units.slice(0, 8).map(({ name: unit, pass, payloadSize }) => `${unit} ${pass} ${payloadSize}`);
    expect(shown?.filter((unit) => /^(dirty|pbs)/.test(unit))).toEqual([
      `dirty-bitmap 0 ${1 + 12 + 29 + 5 + 1}`,
      'pbs-state 0 13',
      `dirty-bitmap 1 ${1 + 12 + 29 + 22 + 13 + 1}`,
      'dirty-bitmap final 43',
    ]);
    const ram = new MemoryTarget();
    await extract(source, ram);
    expect(sha256(ram.bytes)).toBe(truth.ram.sha256);
  });

  it.each(['plain', 'mapped-ram'] as const)('stay byte for byte when the state is converted to %s', async (to) => {
    const sink = new MemorySink();
    const { proof } = await convertQemu(bufferSource(withSections()), sink, { to });
    expect(proof).toMatchObject({ equal: true });
    const { otherSections } = await readQemuState(bufferSource(sink.content()));
    const was = await readQemuState(bufferSource(withSections()));
    expect(otherSections.map(({ type, id, body }) => [type, id, sha256(body)])).toEqual(
      was.otherSections.map(({ type, id, body }) => [type, id, sha256(body)]),
    );
  });

  it('are salvaged when RAM is whole, and else listed', async () => {
    const bytes = withSections();
    const sink = new MemorySink();
    const at = bytes.length - 30_000;
    const damaged = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 10)]);
    await salvageQemu(bufferSource(damaged), sink);
    expect((await readQemuState(bufferSource(sink.content()), { onDamage: () => {} })).otherSections).toHaveLength(4);
    const cut = await salvageQemu(bufferSource(bytes.subarray(0, 900_000)), new MemorySink());
    expect(cut.dropped.slice(0, 2).map((section) => section.name)).toEqual(['dirty-bitmap', 'pbs-state']);
  });

  it.each<[string, string, Buffer]>([
    ['flags of a chunk', 'bad-section', start(91, 'dirty-bitmap', chunk(0x02))],
    ['a length of gigabytes', 'too-long', start(91, 'pbs-state', u64(0xffff_ffff))],
    ['a version', 'ram-version', Buffer.concat([Buffer.from([1]), u32(91), name('pbs-state'), u32(0), u32(2), u64(0)])],
    ['the mark after it', 'bad-footer', Buffer.concat([PBS.subarray(0, -1), Buffer.from([90])])],
  ])('with %s of another kind are refused', async (_, code, pbs) => {
    const { verdict, findings } = await verifyQemu(bufferSource(withSections(BITMAP, pbs)));
    expect([verdict, findings[0].code]).toEqual([/^bad/.test(code) ? 'damaged' : 'unsupported', code]);
  });
});

describe('a section of a device before the pages of RAM', () => {
  /** As QEMU 10.0.2 saved it, of a block of 256 MiB in units of 2 MiB. */
  const BODY = `000000010000000000000000100000000000000000200000${'00'.repeat(12 + 16)}`;
  const early = (body: string) =>
    Buffer.concat([
      Buffer.from([4]),
      u32(37),
      name('0000:00:01.0/virtio-mem-device-early'),
      u32(0),
      u32(1),
      Buffer.from(body, 'hex'),
      footer(37),
    ]);
  const withEarly = (body = BODY) => {
    const bytes = qemuSample(SAMPLE);
    const listed = described(bytes.subarray(part.offset));
    return Buffer.concat([bytes.subarray(0, part.offset), early(body), listed]);
  };
  /**
   * Lists the section first in the description of a stream. The size given there is too small: the section's own
   * numbers tell it.
   */
  const described = (bytes: Buffer): Buffer => {
    const list = '"devices": [';
    const entry =
      '{"name": "0000:00:01.0/virtio-mem-device-early", "instance_id": 0, "fields": ' +
      '[{"name": "bitmap", "type": "bitmap", "size": 52}]}, ';
    const at = bytes.indexOf(list) + list.length;
    const head = bytes.lastIndexOf(Buffer.from([0, 6]), at) + 2;
    const json = Buffer.concat([bytes.subarray(head + 4, at), Buffer.from(entry), bytes.subarray(at)]);
    return Buffer.concat([bytes.subarray(0, head), u32(json.length), json]);
  };

  it('is read, and stays where it is', async () => {
    const { verdict, findings, state } = await verifyQemu(bufferSource(withEarly()));
    expect([verdict, findings]).toEqual(['no-damage-found', []]);
    expect(state?.otherSections.map((section) => [section.name, section.bodySize])).toEqual([
      ['0000:00:01.0/virtio-mem-device-early', 52],
    ]);
    const sink = new MemorySink();
    const { proof } = await convertQemu(bufferSource(withEarly()), sink, { to: 'plain' });
    expect(proof).toMatchObject({ equal: true });
    expect(Buffer.compare(sink.content(), withEarly())).toBe(0);
    const saved = new MemorySink();
    expect(await salvageQemu(bufferSource(withEarly()), saved)).toMatchObject({ complete: true });
    expect(saved.content().includes('virtio-mem-device-early')).toBe(true);
  });

  it('that the description lists, and that is lost, is told', async () => {
    const whole = withEarly();
    const at = part.offset;
    const lost = Buffer.concat([whole.subarray(0, at), whole.subarray(at + early(BODY).length)]);
    const { verdict, findings } = await verifyQemu(bufferSource(lost));
    expect([verdict, findings[0].code]).toEqual(['damaged', 'missing-section']);
  });

  it('with units that do not fit into its block is damage', async () => {
    const { verdict, findings } = await verifyQemu(bufferSource(withEarly(BODY.replace('200000', '300000'))));
    expect([verdict, findings[0].code]).toEqual(['damaged', 'bad-section']);
  });
});

describe('a stream on a volume', () => {
  /** Old contents of a volume: the end of another state, and other bytes. */
  const BEFORE = Buffer.concat([qemuSample('la57-10.state').subarray(-200_000), Buffer.alloc(3 << 20, 0x5a)]);

  it.each([
    ['zeros', Buffer.alloc(80 << 20)],
    ['the end of an older state', Buffer.concat([BEFORE, Buffer.alloc(70 << 20, 0x7e)])],
    ['little', Buffer.from('x')],
  ])('is read whole, whatever follows it: %s', async (_, rest) => {
    const source = bufferSource(Buffer.concat([qemuSample(SAMPLE), rest]));
    const { verdict, findings, state } = await verifyQemu(source);
    expect(verdict).toBe('no-damage-found');
    expect(findings.map(({ severity, code }) => [severity, code])).toEqual([['warning', 'left-over']]);
    expect([state?.trailing, state?.size]).toEqual([rest.length, source.size]);
    const sink = new MemorySink();
    const { proof } = await convertQemu(source, sink, { to: 'plain' });
    expect(proof).toMatchObject({ equal: true, differences: [] });
    expect(Buffer.compare(sink.content(), qemuSample(SAMPLE))).toBe(0);
  });

  it('is salvaged by its own description, not by what a volume ends with', async () => {
    const bytes = qemuSample(SAMPLE);
    const at = truth.sections[5].offset;
    const damaged = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 7), BEFORE, Buffer.alloc(70 << 20)]);
    const { kept, dropped } = await salvageQemu(bufferSource(damaged), new MemorySink());
    expect(dropped.length).toBeLessThan(3);
    expect(kept.length + dropped.length).toBe(truth.sections.filter(({ type }) => type === 'full').length);
  });
});
