import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type ByteSource, bufferSource } from '../../../formats/files/source.ts';
import { COMPRESSIONS } from '../../../formats/qemu/containers/libvirt-image.ts';
import { qemuSample, qemuTruth, sampleSource } from '../../testing/qemu-samples.ts';
import { MemorySink, MemoryTarget, sha256 } from '../../testing/states.ts';
import { extract } from '../extract/extract.ts';
import { verifyQemu } from '../qemu-verify/verify-qemu.ts';
import { convertQemu, type QemuConvertRun } from './convert-qemu.ts';
import type { QemuForm } from './forms.ts';

/** Converts into memory. @returns the report and the bytes */
async function converted(source: ByteSource, options: QemuConvertRun, sink = new MemorySink()) {
  const report = await convertQemu(source, sink, options);
  return { report, bytes: sink.content() };
}

/** Expects in the bytes what an independent reader has found in the sample. */
async function expectTruth(name: string, bytes: Uint8Array, ram?: Uint8Array): Promise<void> {
  const truth = qemuTruth(name);
  const source = () => Object.assign(bufferSource(bytes), ram ? { ram: [{ source: bufferSource(ram) }] } : {});
  const { verdict, state, findings } = await verifyQemu(source());
  expect([verdict, findings.filter(({ severity }) => severity === 'error')]).toEqual(['no-damage-found', []]);
  const bodies = truth.sections.filter(({ type }) => type === 'full').map(({ sha256: hash }) => hash);
  expect(state?.devices.map(({ body }) => sha256(body))).toEqual(bodies);
  const target = new MemoryTarget();
  await extract(source(), target);
  expect(sha256(target.bytes)).toBe(truth.ram.sha256);
}

const isThere = (program: string) => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

describe('a state of QEMU that is converted', () => {
  it.each(['long-10.state', 'mapped-10.state'])(
    'to its own form is what QEMU wrote, byte for byte: %s',
    async (name) => {
      const { bytes } = await converted(sampleSource(name), {});
      expect(Buffer.compare(bytes, qemuSample(name))).toBe(0);
    },
  );

  it.each([
    ['live-7.state', 'mapped-ram'],
    ['live-7.state', 'plain'],
    ['smp-7.state', 'mapped-ram'],
    ['mapped-10.state', 'plain'],
    ['snap-10.qcow2', 'plain'],
    ['no-vmdesc-7.state', 'mapped-ram'],
    ['virsh-gzip-10.save', 'libvirt-sparse'],
  ] as [string, QemuForm][])('%s to %s: holds what it held', async (name, to) => {
    const { report, bytes } = await converted(sampleSource(name), { to });
    expect(report.proof).toMatchObject({ equal: true, differences: [] });
    await expectTruth(name, bytes);
  });

  it.each(COMPRESSIONS)(
    'into an image of libvirt, %s: with its settings, and a cookie that stays',
    async (compression) => {
      const name = 'virsh-gzip-10.save';
      const run = converted(sampleSource(name), { to: `libvirt-${compression}` });
      if (!['raw', 'sparse', 'gzip'].includes(compression) && !isThere(compression))
        return expect(run).rejects.toMatchObject({ code: 'no-program' });
      const { bytes } = await run;
      const original = qemuSample(name);
      expect(bytes.readUInt32LE(28)).toBe(COMPRESSIONS.indexOf(compression));
      const dataEnd = 92 + original.readUInt32LE(20);
      expect(Buffer.compare(bytes.subarray(32, dataEnd), original.subarray(32, dataEnd))).toBe(0);
      return expectTruth(name, bytes);
    },
  );

  it('into an image of libvirt needs settings that fit', async () => {
    const to = 'libvirt-raw';
    const xml = (machine: string) => `<domain type='qemu'><os><type machine='${machine}'>hvm</type></os></domain>`;
    await expect(converted(sampleSource('long-10.state'), { to })).rejects.toMatchObject({ code: 'missing-option' });
    await expect(converted(sampleSource('long-10.state'), { to, xml: '<a/>' })).rejects.toThrow('XML of a domain');
    await expect(converted(sampleSource('long-10.state'), { to, xml: xml('pc-q35-9.0') })).rejects.toMatchObject({
      code: 'other-machine',
    });
    const { bytes } = await converted(sampleSource('long-10.state'), { to, xml: xml('pc-i440fx-7.2') });
    await expectTruth('long-10.state', bytes);
  });

  it('leaves RAM out into a file, and takes it in again', async () => {
    const name = 'ignore-shared-10.state';
    const ramSink = new MemorySink();
    const whole = await converted(sampleSource(name), {});
    expect(whole.report.to.capabilities).toEqual([]);
    await expectTruth(name, whole.bytes);
    const parted = await converted(bufferSource(whole.bytes), { leavesRamOut: true, ramSink });
    expect(sha256(ramSink.content())).toBe(qemuTruth(name).ram.sha256);
    expect(Buffer.compare(parted.bytes, qemuSample(name))).toBe(0);
    const source = bufferSource(parted.bytes);
    expect((await converted(source, {})).report.notes).toEqual(['RAM stays in the file that the machine shares']);
    await expect(converted(source, { to: 'mapped-ram' })).rejects.toThrow('--ram FILE');
  });

  it('loses its description on request, and gets none that is made up', async () => {
    const { report, bytes } = await converted(sampleSource('long-10.state'), { description: false });
    expect(report.to.description).toBe(false);
    expect(bytes.at(-1)).toBe(0);
    await expectTruth('long-10.state', bytes);
    expect((await converted(sampleSource('no-vmdesc-7.state'), {})).report.to.description).toBe(false);
  });

  it('that libvirt has not finished is healed when told so, and only when all is there', async () => {
    const unfinished = qemuSample('virsh-gzip-10.save');
    unfinished.write('Part', 12, 'latin1');
    await expect(converted(bufferSource(unfinished), {})).rejects.toMatchObject({ code: 'partial' });
    const { bytes } = await converted(bufferSource(unfinished), { heals: true, to: 'libvirt-raw' });
    await expectTruth('virsh-gzip-10.save', bytes);
    for (const end of [bytes.length - 1, bytes.length - 40_000, 400_000]) {
      const cut = Buffer.from(bytes.subarray(0, end));
      cut.write('Part', 12, 'latin1');
      await expect(converted(bufferSource(cut), { heals: true }), `${end}`).rejects.toMatchObject({ name: /Error$/ });
    }
  });

  it('is refused when it is not whole, and proved by what stands in the file', async () => {
    const cut = bufferSource(qemuSample('long-10.state').subarray(0, 900_000));
    await expect(converted(cut, {})).rejects.toMatchObject({ code: 'truncated' });
    const lying = new (class extends MemorySink {
      override async write(bytes: Uint8Array): Promise<void> {
        const changed = bytes.slice();
        if (bytes.length > 500_000) changed[400_000] ^= 1;
        await super.write(changed);
      }
    })();
    const { report } = await converted(sampleSource('long-10.state'), {}, lying);
    expect(report.proof).toMatchObject({ equal: false, differences: [{ what: expect.stringContaining('RAM') }] });
  });
});
