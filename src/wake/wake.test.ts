import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../formats/files/source.ts';
import type { Tm } from '../../formats/units/cpu/tm.ts';
import { extract } from '../saved-state/extract/extract.ts';
import { verifyQemu } from '../saved-state/qemu-verify/verify-qemu.ts';
import { MemoryTarget, STATES_FOLDER, sha256, type Truth } from '../testing/states.ts';
import { prepareWake } from './prepare.ts';
import { SectionImage } from './template/section-image.ts';
import { Template } from './template/template.ts';
import { folderOf, ICH9_MACHINES, ICH9_STATE, MACHINES, template, templateBytes, woken } from './testing/woken.ts';
import { NO_OPTIONS } from './wake-options.ts';

const STATES = ['own-prot32', 'own-pae', 'own-long', 'own-long-live'];

const PAIRS = [
  ...MACHINES.flatMap((machine) => STATES.map((name) => [name, machine] as const)),
  ...ICH9_MACHINES.map((machine) => [ICH9_STATE, machine] as const),
];

it.each(PAIRS)('%s in the form of %s has the registers and the memory of its truth', async (name, machine) => {
  const truth = JSON.parse(readFileSync(join(folderOf(name), `${name}.json`), 'utf8')) as Truth;
  const { stream } = await woken(name, machine);
  const { verdict, findings, state } = await verifyQemu(stream);
  expect([verdict, findings, state?.configuration.machine]).toEqual(['no-damage-found', [], machine]);
  const cpu = state?.devices.find((device) => device.name === 'cpu');
  if (!cpu) throw new Error('no CPU');
  const fields = new SectionImage(cpu);
  for (const [register, path] of [
    ['cr0', 'env.cr[0]'],
    ['cr3', 'env.cr[3]'],
    ['cr4', 'env.cr[4]'],
    ['efer', 'env.efer'],
  ] as const)
    expect([register, `0x${fields.number(path).toString(16)}`]).toEqual([register, truth.vcpus[0][register]]);
  expect(fields.number('env.xstate_bv') & 3n).toBe(3n);
  const ram = new MemoryTarget();
  await extract(stream, ram);
  // In place of RAM, the guest sees ROMs there.
  ram.bytes.fill(0, 0xa0000, 0x100000);
  expect(sha256(ram.bytes)).toBe(truth.ram.low.sha256);
});

describe.each(MACHINES)('a state in the form of %s', (machine) => {
  it('lets the guest see ROMs where they were, and ones where there was nothing', async () => {
    const { stream } = await woken('own-long', machine);
    const ram = new MemoryTarget();
    await extract(stream, ram);
    const seen = new MemoryTarget();
    const range = { start: 0xf0000, end: 0x100000 };
    await extract(bufferSource(readFileSync(join(STATES_FOLDER, 'own-long.sav'))), seen, { asSeen: true, range });
    expect(sha256(ram.bytes.subarray(0xf0000, 0x100000))).toBe(sha256(seen.bytes));
    expect(ram.bytes.subarray(0xc0000, 0xc1000).every((byte) => byte === 0xff)).toBe(true);
    expect(ram.bytes.subarray(0xa0000, 0xc0000).every((byte) => byte === 0)).toBe(true);
  });
});

it('has KVM keep the rate of the time stamp counter that the guest has measured', async () => {
  const source = () => bufferSource(readFileSync(join(STATES_FOLDER, 'own-long.sav')));
  const processor = async (accelerator: 'kvm' | 'tcg') => {
    const prepared = await prepareWake(source(), { ...NO_OPTIONS, accelerator }, new Map());
    const words = prepared.arguments({ use: 'disks' });
    const notices = prepared.notices.map(({ message }) => message).join('\n');
    return { words: words.slice(words.indexOf('-accel'), words.indexOf('-smp')), notices };
  };
  expect((await processor('tcg')).words).toEqual(['-accel', 'tcg', '-cpu', 'max']);
  const { words, notices } = await processor('kvm');
  const [, rate] = /^max,tsc-frequency=(\d+)$/.exec(words[3]) ?? [];
  expect(words[1]).toBe('kvm');
  expect(notices).toContain(`${(Number(rate) / 1e6).toFixed(2)} MHz, if the processor of the host can scale`);
});

it('tells by how much the guest’s clock goes wrong, once the rate of the host is known', async () => {
  const source = bufferSource(readFileSync(join(STATES_FOLDER, 'own-long.sav')));
  const prepared = await prepareWake(source, NO_OPTIONS, new Map());
  const { tscHz } = prepared.units.need<Tm>('tm/1');
  const text = (notices: readonly { code: string; message: string }[]) =>
    notices.find(({ code }) => code === 'tsc')?.message;
  expect(text(prepared.notices)).not.toMatch(/times/);
  expect(text(prepared.noticesAt(1.5 * tscHz))).toContain('1.5000 times as fast');
});

describe('Template', () => {
  it('finds the fields of both releases under the same names', async () => {
    const [old, young] = await Promise.all(MACHINES.map(template));
    for (const each of [old, young]) {
      const ide = each.section('0000:00:01.1/ide');
      expect(ide.has('bus[1].ifs[1].status')).toBe(true);
      expect(each.section('i8254').has('channels[0].next_transition_time#2')).toBe(true);
      expect(each.section('apic').number('apicbase')).toBe(0xfee00900n);
    }
  });

  it('does not guess: a field, a device, a size that this QEMU lacks is refused', async () => {
    const target = await template(MACHINES[0]);
    const timer = target.section('timer');
    expect(() => timer.set('no_such_field', 1n)).toThrow(/no_such_field of its device timer 0 is not there/);
    expect(() => target.section('cpu', 1)).toThrow(/it has no device cpu 1/);
    expect(() => target.section('port92').set('outport', 256n)).toThrow(/too few for 0x100/);
    expect(() => target.section('globalstate').set('runstate', new Uint8Array(3))).toThrow(/has 100 bytes, expected 3/);
    expect(() => target.section('globalstate').set('runstate', 3n)).toThrow(/expected a number/);
  });

  it('is refused without a description, or with one that does not fit', async () => {
    const bytes = templateBytes(MACHINES[0]);
    const described = bytes.indexOf('{"page_size"') - 5;
    await expect(Template.read(bufferSource(bytes.subarray(0, described)))).rejects.toMatchObject({
      code: 'other-qemu',
    });
    const text = bytes.toString('latin1');
    const wrong = Buffer.from(
      text.replace('"name": "halted", "type": "uint32", "size": 4', '"name": "halted", "type": "uint32", "size": 5'),
      'latin1',
    );
    expect(wrong.equals(bytes)).toBe(false);
    await expect(Template.read(bufferSource(wrong))).rejects.toThrow();
  });
});

describe('the command line', () => {
  it('names every device of the machine', async () => {
    const { prepared } = await woken('own-long', MACHINES[0]);
    expect(prepared.refusals).toEqual([]);
    const words = prepared.arguments({ machine: MACHINES[0], use: 'disks' }).join(' ');
    expect(words).toContain('-smp 1,maxcpus=1 -m 4096k');
    expect(words).toContain('-machine pc-i440fx-7.2,hpet=off,vmport=off');
    expect(words).not.toContain('-device');
  });
});
