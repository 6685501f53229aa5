import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { MIB } from '../../../formats/sizes.ts';
import { qemuSample, qemuTruth } from '../../testing/qemu-samples.ts';
import { MemorySink, MemoryTarget, sha256 } from '../../testing/states.ts';
import { extract } from '../extract/extract.ts';
import { checkQemu } from '../qemu-check/check-qemu.ts';
import { convertQemu } from '../qemu-convert/convert-qemu.ts';
import { salvageQemu } from '../qemu-salvage/salvage-qemu.ts';
import { verifyQemu } from '../qemu-verify/verify-qemu.ts';
import { readQemuState } from './read-qemu-state.ts';

// Machine types before 2.4 write neither a configuration nor marks after sections, those before 2.3 no description.

const SAMPLE = 'long-7.state';
const truth = qemuTruth(SAMPLE);
const MARK = 5;

function oldState({ description }: { description: boolean }): Buffer {
  const bytes = qemuSample(SAMPLE);
  const { sections } = truth;
  const end = bytes.lastIndexOf(Buffer.from([0, 6]), bytes.indexOf('{"page_size"'));
  const ends = [...sections.slice(1).map(({ offset }) => offset), end];
  const bodies = sections.map(({ offset }, i) => bytes.subarray(offset, ends[i] - MARK));
  return Buffer.concat([bytes.subarray(0, 8), ...bodies, bytes.subarray(end, description ? bytes.length : end + 1)]);
}

describe.each([{ description: true }, { description: false }])('a stream without marks (%o)', ({ description }) => {
  const bytes = oldState({ description });

  it('is split into its devices, with their registers and memory', async () => {
    const { verdict, findings, state } = await verifyQemu(bufferSource(bytes));
    expect(verdict).toBe(description ? 'no-damage-found' : 'unsupported');
    expect(findings.map(({ code }) => code)).toEqual(description ? [] : ['no-description', 'no-description']);
    const devices = truth.sections.filter(({ type }) => type === 'full');
    expect(state?.devices.map(({ name, body }) => [name, sha256(body)])).toEqual(
      devices.map(({ name, sha256: sum }) => [name, sum]),
    );
    const { rip, cr3, efer } = state?.cpus[0].registers ?? {};
    const expected = truth.vcpus[0].registers;
    expect([rip, cr3, efer].map((value) => `0x${value?.toString(16)}`)).toEqual([
      expected.RIP,
      expected.CR3,
      expected.EFER,
    ]);
    expect(state?.layout).toMatchObject({ known: true, stretches: [{ gcPhys: 0, size: 16 * MIB }] });
    const ram = new MemoryTarget();
    await extract(bufferSource(bytes), ram);
    expect(sha256(ram.bytes)).toBe(truth.ram.sha256);
  });

  it('is not refused by a forecast, which leaves open what nothing tells', async () => {
    const { loads, damaged, notJudged } = await checkQemu(bufferSource(bytes), {});
    expect([loads, damaged]).toEqual([true, false]);
    expect(notJudged).toEqual(description ? [] : ['whether the stream is cut off']);
  });

  it('stays one when it is converted or salvaged', async () => {
    const plain = new MemorySink();
    const { proof } = await convertQemu(bufferSource(bytes), plain, { to: 'plain' });
    expect(proof).toMatchObject({ equal: true });
    expect(Buffer.compare(plain.content(), bytes)).toBe(0);
    const saved = new MemorySink();
    const { kept, dropped, written } = await salvageQemu(bufferSource(bytes), saved);
    expect([kept.length, dropped.length, written.verdict]).toEqual([
      truth.sections.filter(({ type }) => type === 'full').length,
      0,
      description ? 'no-damage-found' : 'unsupported',
    ]);
    expect((await readQemuState(bufferSource(saved.content()))).devices.some(({ footer }) => footer)).toBe(false);
  });

  it('that is cut is told, and what comes after damage is salvaged', async () => {
    const cut = bytes.subarray(0, bytes.indexOf('port92') + 6);
    expect((await verifyQemu(bufferSource(cut))).verdict).toBe('damaged');
    // A last byte that is zero looks like the end mark: then nobody can tell.
    const unclear = await verifyQemu(bufferSource(bytes.subarray(0, bytes.indexOf('port92') + 7)));
    expect([unclear.verdict, unclear.levels.completeness]).toEqual(['unsupported', 'unknown']);
    const at = bytes.indexOf('i8254') + 40;
    const damaged = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 7)]);
    const { kept } = await salvageQemu(bufferSource(damaged), new MemorySink());
    expect(kept.some(({ name }) => name === 'globalstate' || name === 'port92')).toBe(true);
  });
});
