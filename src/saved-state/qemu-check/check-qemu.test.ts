import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { qemuSample } from '../../testing/qemu-samples.ts';
import { readQemuState } from '../qemu/read-qemu-state.ts';
import { checkQemu } from './check-qemu.ts';
import { parseCommand, wordsOf } from './command-words.ts';
import { pciIdOf } from './compare-state.ts';
import { expectedOf } from './expected-machine.ts';
import { apicsOf } from './guest-settings.ts';
import { settingsOfCommand } from './settings-of-command.ts';
import { settingsOfDomain } from './settings-of-domain.ts';

const SAMPLE = qemuSample('long-10.state');
const PC = '-nodefaults -machine pc-i440fx-7.2,acpi=off';
const settings = (line: string) => settingsOfCommand(parseCommand(wordsOf(line)), 'qemu.args');
const check = (line: string, bytes = SAMPLE) =>
  checkQemu(bufferSource(bytes), { settings: settings(line), release: [10, 0] });

describe('a state of QEMU beside a command line', () => {
  // What the real QEMU 10.0.2 answered.
  it.each([
    [`${PC} -m 16 -serial null`, undefined],
    [`-nodefaults -machine pc-i440fx-7.2 -m 16 -serial null`, undefined],
    [`${PC} -m 16 -serial null -smp 2 -device e1000`, undefined],
    [`${PC} -m 32 -serial null`, 'Size mismatch: pc.ram: 0x1000000 != 0x2000000: Invalid argument'],
    [
      '-nodefaults -machine pc-q35-7.2,acpi=off -m 16 -serial null',
      "Machine type received is 'pc-i440fx-7.2' and local is 'pc-q35-7.2'",
    ],
    [`${PC} -m 16`, "Unknown savevm section or instance 'serial' 0"],
    [`${PC},hpet=off -m 16 -serial null`, "Unknown savevm section or instance 'hpet' 0"],
    [`${PC},i8042=off -m 16 -serial null`, "Unknown savevm section or instance 'ps2kbd' 0"],
    [`${PC} -m 16 -serial null -cpu 486`, "Unknown savevm section or instance 'kvm-tpr-opt' 0"],
    [`${PC} -m 16 -serial null -cpu qemu64,-apic`, "Unknown savevm section or instance 'kvm-tpr-opt' 0"],
    [
      `${PC},memory-backend=mem -object memory-backend-ram,id=mem,size=16M -m 16 -serial null`,
      'Unknown ramblock "pc.ram", cannot accept migration',
    ],
  ])('%s', async (line, says) => {
    // The firmware is a file that only the host of the command line has.
    const { loads, forecast, notJudged } = await check(`${line} -bios /no/such/file`);
    expect(forecast?.qemuSays).toBe(says);
    expect(loads).toBe(says === undefined);
    if (loads) expect(notJudged).toEqual(['size of "pc.bios" in qemu.args']);
  });

  it('with firmware of QEMU itself would not load: its size is another', async () => {
    expect((await check(`${PC} -m 16 -serial null`)).forecast?.qemuSays).toBe(
      'Size mismatch: pc.bios: 0x10000 != 0x40000: Invalid argument',
    );
  });

  it('knows vendor and device of a PCI device in the states of each release', async () => {
    for (const name of ['long-7.state', 'long-10.state', 'smp-7.state']) {
      const { devices } = await readQemuState(bufferSource(qemuSample(name)));
      const bridge = devices.find((section) => section.name.endsWith('I440FX'));
      expect(bridge && pciIdOf(bridge), name).toBe(0x1237_8086);
    }
  });

  it('does not judge what -set does, and takes the last word about USB', async () => {
    const { notJudged } = await check(`${PC} -m 16 -serial null -bios x -set device.n.addr=7`);
    expect(notJudged).toContain('the effect of -set device.n.addr=7 on qemu.args');
    expect(settings('-usb -machine usb=off').machine.get('usb')).toBe('off');
    expect(settings('-machine usb=off -usb').machine.get('usb')).toBe('on');
  });

  it('tells of devices that QEMU leaves as after a reset, and of what savkit does not know', async () => {
    const { findings, notJudged, loads } = await check(
      `${PC} -m 16 -serial null -bios x -device e1000 -device strange`,
    );
    expect(findings).toContainEqual(
      expect.objectContaining({ severity: 'warning', place: { unit: '0000:00:02.0/e1000', instance: 0 } }),
    );
    expect(loads).toBe(true);
    expect(notJudged).toContain('the effect of device strange on qemu.args');
  });

  it('is refused at the first fault in the order of its sections: a missing device before a device of another version', async () => {
    const bytes = Buffer.from(SAMPLE);
    const at = bytes.indexOf('ps2kbd', 0, 'latin1') + 6 + 4;
    bytes.writeUInt32BE(9, at);
    const { forecast, damaged } = await check(`${PC} -m 16 -bios x`, bytes);
    expect(damaged).toBe(true);
    expect(forecast?.qemuSays).toBe("Unknown savevm section or instance 'serial' 0");
    expect((await check(`${PC} -m 16 -serial null -bios x`, bytes)).forecast?.qemuSays).toBe(
      "savevm: unsupported version 9 for 'ps2kbd' v3",
    );
  });

  it('takes names without a version for those of the release, or of query-machines', async () => {
    const machineTypes = [{ name: 'pc-i440fx-7.2', alias: 'pc', isDefault: true }];
    const line = settings('-nodefaults -machine acpi=off -m 16 -serial null -bios x');
    const run = (options: object) => checkQemu(bufferSource(SAMPLE), { settings: line, ...options });
    expect((await run({ machineTypes })).loads).toBe(true);
    expect((await run({ release: [7, 2, 22] })).loads).toBe(true);
    expect((await run({ release: [10, 0, 2] })).forecast?.qemuSays).toBe(
      "Machine type received is 'pc-i440fx-7.2' and local is 'pc-i440fx-10.0'",
    );
    expect((await run({})).notJudged).toContain('machine type: qemu.args does not tell');
    const other = [{ name: 'pc-i440fx-11.0', alias: 'pc', isDefault: true }];
    const old = settings(`${PC} -m 16`);
    expect((await checkQemu(bufferSource(SAMPLE), { settings: old, machineTypes: other })).forecast?.qemuSays).toBe(
      'unsupported machine type',
    );
  });
});

describe('a state of QEMU beside', () => {
  it('another one of the same machine loads, and of another machine does not', async () => {
    const stateOf = async (name: string) => ({ name, state: await readQemuState(bufferSource(qemuSample(name))) });
    const same = await checkQemu(bufferSource(SAMPLE), { other: await stateOf('long-10.state') });
    expect(same).toMatchObject({ loads: true, notJudged: [], findings: [] });
    const smp = bufferSource(qemuSample('smp-7.state'));
    expect((await checkQemu(smp, { other: await stateOf('long-10.state') })).forecast?.qemuSays).toBe(
      'Size mismatch: pc.ram: 0x2000000 != 0x1000000: Invalid argument',
    );
  });

  it("a domain of libvirt, its own: nothing but the firmware's size is open", async () => {
    const image = qemuSample('virsh-gzip-10.save');
    const end = image.indexOf('</domain>') + '</domain>'.length;
    const xml = image.toString('latin1', 92, end);
    const own = settingsOfDomain(xml, 'vm.xml');
    const run = (text: string) => checkQemu(bufferSource(image), { settings: settingsOfDomain(text, 'vm.xml') });
    expect(own.machineType).toBe('pc-i440fx-7.2');
    expect(await run(xml)).toMatchObject({ loads: true, notJudged: ['size of "pc.bios" in vm.xml'] });
    expect((await run(xml.replace(/(<memory[^>]*>)\d+/, '$132768'))).forecast?.qemuSays).toMatch(
      /^Size mismatch: pc.ram/,
    );
    expect(() => settingsOfDomain('<x/>', 'x')).toThrow(expect.objectContaining({ code: 'bad-settings' }));
  });

  it('a model of a CPU that lacks what the guest uses: QEMU says nothing', async () => {
    const cpu = { name: 'old', features: new Map([['lm', false]]) };
    const { loads, findings } = await checkQemu(bufferSource(SAMPLE), { cpu });
    expect(loads).toBe(true);
    expect(findings).toContainEqual(expect.objectContaining({ code: 'cpu-feature', severity: 'warning' }));
  });

  it('a model of a CPU that does not name what the guest uses is not judged', async () => {
    const cpu = { name: 'short', features: new Map([['pae', true]]) };
    const { findings, notJudged } = await checkQemu(bufferSource(SAMPLE), { cpu });
    expect(findings).toEqual([]);
    expect(notJudged).toContain('EFER.LME of CPU 0: the model short does not tell whether it has lm');
    expect(notJudged.join()).not.toContain('PAE');
  });
});

describe('what a command line makes', () => {
  const namesOf = (line: string) =>
    expectedOf(settings(line), 'pc-i440fx-7.2').sections.map(({ name, instance }) => `${name} ${instance}`);

  it('has devices in the places that QEMU gives them, as 7.2.22 saved them', () => {
    expect(
      namesOf(
        '-nodefaults -device pci-bridge,id=r,chassis_nr=1 -device pci-bridge,id=s,chassis_nr=2,bus=r,addr=2 -device e1000,bus=s,addr=3',
      ),
    ).toEqual(
      expect.arrayContaining([
        '0000:00:02.0/pci_bridge 0',
        '0000:00:02.0:02.0/pci_bridge 0',
        'PCIBUS 2',
        '0000:00:02.0:02.0:03.0/e1000 0',
      ]),
    );
    expect(
      namesOf('-nodefaults -device virtio-scsi-pci,id=v -device scsi-hd,drive=d,bus=v.0,scsi-id=3,lun=1'),
    ).toContain('0000:00:02.0/0:3:1/scsi-disk 0');
    expect(namesOf('-nodefaults -device piix3-usb-uhci,addr=5 -device usb-hub -device usb-mouse,port=2')).toEqual(
      expect.arrayContaining(['0000:00:05.0/1/usb-hub 0', '0000:00:05.0/2/usb-ptr 0']),
    );
    expect(namesOf('qemu')).toEqual(
      expect.arrayContaining(['slirp 0', '0000:00:02.0/vga 0', '0000:00:03.0/e1000 0', 'serial 0', 'parallel_isa 0']),
    );
  });

  it.each([
    ['pc-i440fx-2.1', ['vga.vram 8388608', '0000:00:02.0/cirrus_vga.rom 65536'], ['PCIHost', 'pcspk'], 'e1000'],
    ['pc-q35-2.11', ['vga.vram 16777216', '0000:00:01.0/vga.rom 65536'], ['PCIHost'], 'e1000'],
    ['pc-q35-4.0.1', ['0000:00:01.0/vga.vram 16777216'], ['PCIHost'], 'e1000e'],
    ['pc-i440fx-5.1', ['0000:00:02.0/vga.vram 16777216'], [], 'e1000'],
  ])('of the machine type %s is what QEMU 7.2.22 saved of it', (type, blocks, missing, card) => {
    const machine = expectedOf(settings(`-machine ${type}`), type);
    expect(machine.blocks.map(({ name, size }) => `${name} ${size}`)).toEqual(expect.arrayContaining(blocks));
    const names = machine.sections.map(({ name }) => name);
    expect(['PCIHost', 'pcspk'].filter((name) => !names.includes(name))).toEqual(missing);
    expect(names.some((name) => name.endsWith(`/${card}`))).toBe(true);
    expect(machine.unknown).toEqual([]);
  });

  it('of a machine type before 2.0 is not known', () => {
    expect(expectedOf(settings('-machine pc-i440fx-1.7'), 'pc-i440fx-1.7').unknown).toEqual([
      'machine type pc-i440fx-1.7',
    ]);
  });

  it('has local APICs numbered by the topology', () => {
    expect(apicsOf({ cpus: 6, sockets: 2, cores: 3, threads: 1 })).toEqual([0, 1, 2, 4, 5, 6]);
    expect(apicsOf({ cpus: 3 })).toEqual([0, 1, 2]);
    expect(() => settings('-smp 99999')).toThrow(expect.objectContaining({ code: 'bad-settings' }));
  });

  it.each(['-m 16X', '-device {"driver":'])('is no command line where it says %s', (line) => {
    expect(() => settings(line)).toThrow(expect.objectContaining({ code: 'bad-command-line' }));
  });
});
