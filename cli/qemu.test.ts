import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { qemuSample, qemuTruth } from '../src/testing/qemu-samples.ts';
import { sha256 } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { expectSchema } from './testing/savkit-json.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-qemu-'));
const place = (name: string) => join(folder, name);
const SAMPLES = [
  'long-10.state',
  'live-7.state',
  'smp-7.state',
  'la57-10.state',
  'ignore-shared-10.state',
  'ignore-shared-10.ram',
  'snap-10.qcow2',
  'virsh-gzip-10.save',
];
beforeAll(() => {
  for (const name of SAMPLES) writeFileSync(place(name), qemuSample(name));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The document that a command prints with --json, which the schema describes. */
async function json(exitCode: number, ...words: string[]) {
  const printed = await runHere(...words, '--json');
  const document = JSON.parse(printed.stdout || printed.stderr);
  expectSchema(document);
  expect([words.join(' '), printed.exitCode]).toEqual([words.join(' '), exitCode]);
  return document.files[0];
}

describe('inspect', () => {
  it('describes states of QEMU as the schema says', async () => {
    const { result } = await json(0, 'inspect', place('long-10.state'), '--unit', 'cpu/0');
    expect(result).toMatchObject({
      family: 'qemu',
      machine: 'pc-i440fx-7.2',
      runState: 'paused',
      split: 'description',
    });
    expect(result.cpus[0]).toMatchObject({
      mode: 'amd64-nx',
      a20: true,
      registers: { cr3: '0x10000', rip: '0xf0308' },
    });
    expect(result.section.fields).toContainEqual({
      name: 'env.cr[3]',
      type: 'uint64',
      offset: 472,
      size: 8,
      value: '0x10000',
    });
    const { result: saved } = await json(0, 'inspect', place('virsh-gzip-10.save'));
    expect(saved.container.libvirt).toMatchObject({
      compression: 'gzip',
      domain: { name: 'virsh-gzip-10', memory: 16777216, cpus: 1 },
    });
  });

  it('lists the snapshots of a disk image, and reads the one that is named', async () => {
    const image = place('snap-10.qcow2');
    const { result } = await json(0, 'inspect', image);
    expect(result.snapshots.map(({ name }: { name: string }) => name)).toEqual(['snap1', 'snap2']);
    expect((await json(0, 'inspect', `${image}:snap2`)).result.container.qcow2.snapshot).toBe('snap2');
    await json(2, 'verify', image);
    await json(4, 'inspect', `${image}.not-there:snap2`);
    const odd = await json(2, 'inspect', `${image}:before: the update`);
    expect(odd.error.message).toContain('there is no snapshot "before: the update". It has "snap1", "snap2"');
  });

  it('is readable for people', async () => {
    const { stdout } = await runHere('inspect', place('smp-7.state'));
    for (const words of ['QEMU migration stream', 'pc-i440fx-7.2', 'Sections (35)', 'pc.ram', 'amd64-nx', 'real'])
      expect(stdout).toContain(words);
  });
});

describe('verify', () => {
  it('does not call a state whole that no checksum proves', async () => {
    const { result } = await json(0, 'verify', place('long-10.state'));
    expect(result).toMatchObject({
      verdict: 'no-damage-found',
      levels: { integrity: 'unknown' },
      container: { family: 'qemu' },
    });
    expect((await runHere('verify', place('long-10.state'))).stdout).toContain("QEMU's format has no checksum");
  });

  it('tells by a manifest which page, section and register has changed', async () => {
    const changed = qemuSample('long-10.state');
    changed[5146] ^= 1;
    writeFileSync(place('changed.state'), changed);
    await runHere('manifest', place('long-10.state'), '-o', place('manifest'), '--force', '--quiet');
    const { findings } = await json(1, 'verify', '--manifest', place('manifest'), place('changed.state'));
    expect(findings.map(({ code }: { code: string }) => code)).toEqual(
      expect.arrayContaining(['manifest-page', 'manifest-unit']),
    );
    expect(findings.find(({ code }: { code: string }) => code === 'manifest-page').place.unit).toBe('ram');
    await json(0, 'verify', '--manifest', place('manifest'), place('long-10.state'));
  });
});

describe('extract', () => {
  it('gives RAM, blocks, sections and cores; RAM that lies elsewhere with --ram only', async () => {
    const out = place('out');
    const extract = (...words: string[]) => json(0, 'extract', ...words, '-o', out, '--force');
    await extract(place('virsh-gzip-10.save'));
    expect(sha256(readFileSync(out))).toBe(qemuTruth('virsh-gzip-10.save').ram.sha256);
    await extract(place('long-10.state'), '--mmio2', 'pc.bios');
    expect(sha256(readFileSync(out))).toBe(qemuTruth('long-10.state').blocks[2].sha256);
    await extract(place('long-10.state'), '--unit', 'cpu/0');
    expect(readFileSync(out).readBigUInt64BE(472)).toBe(0x10000n);
    await json(2, 'extract', place('ignore-shared-10.state'), '-o', out, '--force');
    await extract(place('ignore-shared-10.state'), '--ram', place('ignore-shared-10.ram'));
    const twice = ['a', 'b'].flatMap((block) => ['--ram', `${block}=${place('ignore-shared-10.ram')}`]);
    const { stderr } = await runHere('verify', place('ignore-shared-10.state'), ...twice);
    expect(stderr).toContain('--ram names this file twice');
    expect(sha256(readFileSync(out))).toBe(qemuTruth('ignore-shared-10.state').ram.sha256);
    await extract(place('long-10.state'), '--format', 'elf');
    expect(readFileSync(out).subarray(0, 4).toString('latin1')).toBe('\x7fELF');
    await json(5, 'extract', place('long-10.state'), '--format', 'vbox-core', '-o', out, '--force');
  });
});

describe('convert', () => {
  it('writes the other forms, RAM in a file of its own, and says which options are of no use', async () => {
    const { result } = await json(
      0,
      'convert',
      `${place('snap-10.qcow2')}:snap2`,
      place('mapped'),
      '--to',
      'mapped-ram',
    );
    expect(result).toMatchObject({ from: { form: 'qcow2' }, to: { form: 'mapped-ram' }, proof: { equal: true } });
    await json(0, 'convert', place('long-10.state'), place('devices'), '--ram-out', place('devices.ram'));
    expect(sha256(readFileSync(place('devices.ram')))).toBe(qemuTruth('long-10.state').ram.sha256);
    await json(4, 'convert', place('long-10.state'), place('devices'), '--ram-out', place('other.ram'));
    expect(existsSync(place('other.ram'))).toBe(false);
    await json(0, 'convert', place('devices'), place('whole'), '--ram', place('devices.ram'));
    expect((await json(0, 'diff', place('whole'), place('long-10.state'))).result.equal).toBe(true);
    expect((await runHere('convert', place('long-10.state'), place('x'), '--flatten')).stderr).toContain('--flatten');
    expect((await runHere('convert', place('long-10.state'), '--dry-run')).stdout).toContain('Nothing was written');
  });
});

describe('salvage and stats', () => {
  it('and other commands tell of pages that are missing', async () => {
    const bytes = Buffer.from(qemuSample('long-10.state'));
    // Record after record: one for page 0 with the name of its block, then page 1 with its content.
    const second = bytes.indexOf('\x06pc.ram\0', 60, 'latin1') + 8;
    expect(bytes.readBigUInt64BE(second)).toBe(0x1028n);
    bytes.writeBigUInt64BE(0x2028n, second);
    writeFileSync(place('lacks.state'), bytes);
    await json(1, 'verify', place('lacks.state'));
    const { stdout } = await runHere('extract', place('lacks.state'), '-o', place('lacks.raw'));
    expect(stdout).toContain('memory is not whole: 1 page not in the state: zeros stand there');
    const { findings } = await json(0, 'extract', place('lacks.state'), '-o', place('lacks.raw'), '--force');
    expect(findings).toMatchObject([{ severity: 'warning', code: 'pages-missing' }]);
    const written = await runHere('extract', place('lacks.state'), '-o', '-', '--json');
    expect(JSON.parse(written.stderr).files[0].findings).toEqual(findings);
    const shown = await runHere('peek', place('lacks.state'), '--at', '0x1000');
    expect(shown.stderr).toBe('memory is not whole: 1 page not in the state: zeros stand there\n');
    for (const [name, ...options] of [
      ['find', '--text', 'nowhere'],
      ['peek', '--at', '0x1000'],
      ['pagetable', '--runs'],
      ['walk', '0x1000'],
    ])
      expect((await json(0, name, place('lacks.state'), ...options)).findings).toEqual(findings);
    const made = await runHere('manifest', place('lacks.state'), '-o', place('lacks.manifest'));
    expect([made.exitCode, existsSync(place('lacks.manifest'))]).toEqual([1, false]);
    for (const pair of [
      [place('lacks.state'), place('long-10.state')],
      [place('long-10.state'), place('lacks.state')],
    ])
      expect((await json(1, 'diff', ...pair)).error).toMatchObject({ code: 'pages-missing' });
  });

  it('say what is there and what is not, as the schema says', async () => {
    writeFileSync(place('cut.state'), qemuSample('long-10.state').subarray(0, 900_000));
    const { result } = await json(3, 'salvage', place('cut.state'), place('rescued.state'));
    expect(result).toMatchObject({ family: 'qemu', complete: false, cut: true, lostPages: 3054 });
    await json(1, 'verify', place('rescued.state'));
    await json(2, 'salvage', place('cut.state'), place('rescued.state'), '--force', '--trust');
    const { stdout } = await runHere('salvage', place('long-10.state'), place('again.state'));
    for (const words of ['nothing is missing', "QEMU's format has no checksum"]) expect(stdout).toContain(words);
    const shared = await runHere('salvage', place('ignore-shared-10.state'), place('shared.state'));
    expect(shared.stdout).toContain('RAM stays in the file that the machine shares');
    const [ram] = (await json(0, 'stats', place('live-7.state'))).result.blocks;
    expect(ram).toMatchObject({ name: 'pc.ram', totalPages: 4096, pages: 4096 });
    expect(ram.repeats).toBe(ram.rawRecords + ram.zeroRecords - 4096);
    const [outside] = (await json(0, 'stats', place('ignore-shared-10.state'))).result.blocks;
    expect(outside).toMatchObject({ pages: 0, filled: 0, leftOut: true });
    expect((await runHere('stats', place('smp-7.state'))).stdout).toContain('with content');
  });
});

describe('other commands', () => {
  it('take states of QEMU: peek, walk, find, diff', async () => {
    const state = place('long-10.state');
    expect((await json(0, 'peek', state, '--at', '0x10000', '--len', '8')).result.hex).toMatch(/^2310010000000000$/);
    const five = place('la57-10.state');
    const { result: walked } = await json(0, 'walk', five, '0xffffffff80011008');
    expect(walked).toMatchObject({ mode: 'amd64-nx-la57', walks: [{ physical: '0x1008', rights: '-ux' }] });
    expect(walked.walks[0].entries[0]).toMatchObject({ name: 'PML5', address: '0x18ff8', value: '0x10027' });
    expect((await json(0, 'pagetable', five, '--depth', '1')).result.entries).toHaveLength(2);
    const words = Buffer.from((await json(0, 'peek', five, '--virt', '--at', '0xffffffff80011008')).result.hex, 'hex');
    expect(words.toString('latin1')).toMatch(/^SAVKIT QEMU /);
    expect((await json(0, 'walk', state, '0xffffffff80001000')).result.walks[0]).toMatchObject({
      physical: '0x287000',
      rights: '---',
    });
    expect(
      (await json(0, 'find', state, '--text', 'SAVKIT QEMU', '--range', '0+1M')).result.found.length,
    ).toBeGreaterThan(0);
    expect((await json(0, 'diff', state, state)).result).toMatchObject({ equal: true, notes: [] });
    const { result } = await json(1, 'diff', state, place('virsh-gzip-10.save'));
    expect(result.fields.map(({ field }: { field: string }) => field)).toContain('cpus[0].registers.rip');
  });
});

describe('check', () => {
  it('says what QEMU would say, as the schema has it, and takes options of its own family only', async () => {
    writeFileSync(place('args'), 'qemu -nodefaults -machine pc,acpi=off -m 16');
    writeFileSync(place('types'), '{"return":[{"name":"pc-i440fx-7.2","alias":"pc","is-default":true}]}');
    const words = ['check', place('long-10.state'), '--qemu-args', place('args')];
    const { result } = await json(5, ...words, '--query-machines', place('types'));
    expect(result).toMatchObject({
      loads: false,
      forecast: { qemuSays: 'Size mismatch: pc.bios: 0x10000 != 0x40000: Invalid argument' },
    });
    expect((await json(0, 'check', place('long-10.state'), '--against', place('long-10.state'))).result.loads).toBe(
      true,
    );
    expect((await json(2, ...words, '--virtualbox', '7.2')).error.code).toBe('usage');
    expect((await json(1, 'check', place('long-10.state'), '--query-machines', place('args'))).error.code).toBe(
      'bad-json',
    );
  });

  it('beside a file that is no state of QEMU names what the file is', async () => {
    writeFileSync(place('nothing'), '');
    writeFileSync(place('text'), 'no state');
    const against = (file: string) => ['check', place('long-10.state'), '--against', file];
    expect((await json(1, ...against(place('nothing')))).error.message).toContain('empty');
    expect((await json(5, ...against(place('text')))).error.code).toBe('not-a-saved-state');
    expect((await json(5, ...against('test-vectors/states/own-pae.sav'))).error.code).toBe('other-machine');
    const { error } = await json(5, 'check', 'test-vectors/states/own-pae.sav', '--against', place('long-10.state'));
    expect(error.code).toBe('other-machine');
    expect(error.message).toContain('a state of VirtualBox against');
    expect(error.message).toContain('that is one of QEMU');
    expect((await json(2, 'check', place('long-10.state'), '--qemu-args', place('nothing'))).error.code).toBe(
      'bad-command-line',
    );
  });
});
