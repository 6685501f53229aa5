import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type ByteSource, bufferSource, withBeside } from '../../../formats/files/source.ts';
import { QEMU_FOLDER, qemuSample } from '../../testing/qemu-samples.ts';
import { compareWithManifest } from '../manifest/compare-manifest.ts';
import { makeManifest } from '../manifest/manifest.ts';
import { checkQemu } from '../qemu-check/check-qemu.ts';
import { parseCommand, wordsOf } from '../qemu-check/command-words.ts';
import { settingsOfCommand } from '../qemu-check/settings-of-command.ts';
import { verifyState } from './verify-state.ts';

/** A state as the real QEMU met it, and its answer: `loads` where it took the damage without a word. */
interface DamagedSample {
  damage: string;
  from: string;
  /** Bytes are removed there, and others put in. */
  at: number;
  removed: number;
  bytes: string;
  /** Hash of the damaged state. */
  sha256: string;
  qemuSays: string;
  loads: boolean;
}

const SAMPLES = JSON.parse(readFileSync(join(QEMU_FOLDER, 'broken.json'), 'utf8')) as DamagedSample[];

/** The answer of `verify` to each: code and text of its first error, and the beginning of QEMU's words. */
const FOUND: Readonly<Record<string, [code: string, text: RegExp, qemuSays?: string]>> = {
  footer: [
    'bad-footer',
    /section "cpu": the mark at 0x1b1851 .* section 99, expected 5/,
    'Mismatched section id in footer for cpu - read 0x63 expected 0x5',
  ],
  'device-name': [
    'bad-section',
    /"hqet" 0 at 0x1b1ecf .*"hpet" 0/,
    "Unknown savevm section or instance 'hqet' 0. Make sure that your current VM setup matches your saved VM setup, " +
      'including any hotplugged devices',
  ],
  'cpu-missing': ['missing-section', /"cpu" 0 is missing/],
  'cut-device': [
    'truncated',
    /section "cpu" at .* ends within it/,
    "error while loading state for instance 0x0 of device 'cpu'",
  ],
  'block-size': ['bad-block', /"pc.ram": 0x2000000 bytes/, 'Size mismatch'],
  'page-range': ['bad-page', /0x7f000000 of block "pc.ram", which has 0x1000000 bytes/, 'Illegal RAM offset 7f000000'],
  'mapped-page-size': ['bad-mapped-ram', /block "pc.ram": page size 8192, expected 4096/],
  'mapped-bit': ['unnamed-pages', /block "pc.ram", the first at 0x100000, .* no bit/],
  'qcow2-size': ['bad-qcow2', /two sizes of the state, 1859365 and 929682/],
  'qcow2-l1': ['bad-qcow2', /L1 table of "snap2" is said to be at 0x0/, 'Failed to load snapshot'],
  'libvirt-partial': ['partial', /not finished/, 'save image is incomplete'],
  'libvirt-format': ['libvirt-format', /format 42/, 'operation failed: unsupported save image format: 42'],
};
/** No reader sees these in the file alone. */
const UNSEEN = ['page-bit', 'machine'];

function damaged(name: string): ByteSource & { sample: DamagedSample } {
  const sample = SAMPLES.find(({ damage }) => damage === name);
  if (!sample) throw new Error(`no sample ${name}`);
  const whole = qemuSample(sample.from);
  const { at, removed, bytes, sha256 } = sample;
  const state = Buffer.concat([whole.subarray(0, at), Buffer.from(bytes, 'hex'), whole.subarray(at + removed)]);
  expect(createHash('sha256').update(state).digest('hex')).toBe(sha256);
  const part = sample.from.endsWith('.qcow2') ? 'snap2' : undefined;
  return Object.assign(withBeside(bufferSource(state), { part }), { sample });
}

it('all damaged states that the real QEMU and virsh were given are here', () => {
  expect(SAMPLES.map(({ damage }) => damage).sort()).toEqual([...Object.keys(FOUND), ...UNSEEN].sort());
});

it.each(Object.entries(FOUND))('%s: is named at least as well as by QEMU', async (name, [code, text, says]) => {
  const { sample, ...source } = damaged(name);
  const { verdict, findings, qemuSays } = await verifyState(source);
  expect(verdict).toBe(name === 'libvirt-format' ? 'unsupported' : 'damaged');
  expect(findings[0]).toMatchObject({ code, message: expect.stringMatching(text) });
  // `verify` gives words of QEMU only where QEMU refuses the state.
  expect(qemuSays === undefined).toBe(sample.loads);
  if (says !== undefined) expect([qemuSays?.startsWith(says), sample.qemuSays.includes(says)]).toEqual([true, true]);
});

it('qcow2-size: QEMU looks at neither size, and all that it loads is read', async () => {
  const { sample, ...source } = damaged('qcow2-size');
  const whole = withBeside(bufferSource(qemuSample(sample.from)), { part: 'snap2' });
  expect((await makeManifest(source)).memory).toEqual((await makeManifest(whole)).memory);
});

it('page-bit: a manifest that was made before names the page', async () => {
  const { sample, ...source } = damaged('page-bit');
  expect((await verifyState(source)).verdict).toBe('no-damage-found');
  const manifest = await makeManifest(bufferSource(qemuSample(sample.from)));
  const { findings } = await compareWithManifest(source, manifest);
  const pages = findings.filter(({ code }) => code === 'manifest-page');
  expect(pages.map(({ place }) => place)).toEqual([{ unit: 'ram', instance: 0, gcPhys: 0x10000 }]);
});

it('machine: the machine that is to load it tells it, in the words of QEMU', async () => {
  const { sample, ...source } = damaged('machine');
  expect((await verifyState(source)).verdict).toBe('no-damage-found');
  const line = '-nodefaults -machine pc-i440fx-7.2,acpi=off -m 16 -serial null';
  const settings = settingsOfCommand(parseCommand(wordsOf(line)), 'qemu.args');
  const { forecast } = await checkQemu(source, { settings, release: [10, 0] });
  expect(sample.qemuSays).toContain(forecast?.qemuSays);
});
