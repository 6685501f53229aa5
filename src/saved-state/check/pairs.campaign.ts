import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bufferSource } from '../../../formats/files/source.ts';
import { Score, VirtualBox } from '../../testing/virtualbox.ts';
import { check } from './check.ts';
import { readSettings } from './settings.ts';

// npm run test:virtualbox -- pairs [NAME…]: states of each machine are given to the machines beside it, by the real
// VirtualBox; its code and unit must be what check foretells. Needs mkown.sh. Without names all machines are made,
// which takes a quarter of an hour; with names only pairs that have one of them.

const PREFIX = 'savkit-pair-';

/**
 * How a machine differs from one with nothing but a CPU: arguments of VBoxManage, in which @ stands for the machine.
 */
type Change = string[];

const modify = (...options: string[]): Change => ['modifyvm', '@', ...options];
const controller = (...options: string[]): Change => ['storagectl', '@', '--name', 'c', ...options];
const attach = (port: number, device: number, type: string, medium: string): Change => {
  const place = ['--storagectl', 'c', '--port', `${port}`, '--device', `${device}`];
  return ['storageattach', '@', ...place, '--type', type, '--medium', medium];
};
const disk = (port: number, device = 0): Change[] => {
  const file = `/vm/machines/@/d${port}${device}.vdi`;
  return [['createmedium', 'disk', '--filename', file, '--size', '1'], attach(port, device, 'hdd', file)];
};
const drive = (port: number): Change => attach(port, 0, 'dvddrive', 'emptydrive');
const card = (type: string, slot = 1): Change => modify(`--nic${slot}`, 'null', `--nictype${slot}`, type);
const uart = (port: string, irq: string, ...more: string[]): Change =>
  modify('--uart1', port, irq, '--uart-mode1', 'disconnected', ...more);
const ahci = (ports: number): Change =>
  controller('--add', 'sata', '--controller', 'IntelAhci', '--portcount', `${ports}`);
const ide = (chip: string): Change => controller('--add', 'ide', '--controller', chip);
const lsi: Change = controller('--add', 'scsi', '--controller', 'LSILogic');
const bus: Change = controller('--add', 'scsi', '--controller', 'BusLogic');
const sas = (ports: number): Change =>
  controller('--add', 'sas', '--controller', 'LSILogicSAS', '--portcount', `${ports}`);
const nvme = (ports: number): Change => controller('--add', 'pcie', '--controller', 'NVMe', '--portcount', `${ports}`);
const virtioScsi = (ports: number): Change =>
  controller('--add', 'virtio', '--controller', 'VirtIO', '--portcount', `${ports}`);
const graphics = (kind: string, vram: number, ...more: string[]): Change =>
  modify('--graphicscontroller', kind, '--vram', `${vram}`, ...more);
const audio = (kind: string): Change =>
  modify('--audio-enabled', 'on', '--audio-driver', 'none', '--audio-controller', kind);

/** Families: a state of each is tried in all others of its family, in itself, and both ways with `base`. */
const FAMILIES: Record<string, Record<string, Change[]>> = {
  processors: {
    x2apic: [modify('--x2apic', 'on')],
    ioapic: [modify('--ioapic', 'on')],
    cpu2: [modify('--cpus', '2', '--ioapic', 'on')],
  },
  paravirtualisation: Object.fromEntries(
    ['minimal', 'kvm', 'hyperv', 'default', 'legacy'].map((kind) => [
      `pv-${kind}`,
      [modify('--paravirtprovider', kind)],
    ]),
  ),
  serial: {
    uart: [uart('0x3f8', '4')],
    'uart-elsewhere': [uart('0x2f8', '3')],
    'uart-16750': [uart('0x3f8', '4', '--uart-type1', '16750')],
    'uart-two': [uart('0x3f8', '4', '--uart2', '0x2f8', '3', '--uart-mode2', 'disconnected')],
  },
  network: {
    pcnet: [card('Am79C973')],
    'pcnet-old': [card('Am79C970A')],
    'pcnet-isa': [card('Am79C960')],
    e1000: [card('82540EM')],
    'e1000-t': [card('82543GC')],
    'e1000-server': [card('82545EM')],
    virtio: [card('virtio')],
    cards: [1, 2, 3, 4, 5, 6, 7, 8].map((slot) => card('82540EM', slot)),
  },
  ahci: {
    ahci1: [ahci(1)],
    ahci2: [ahci(2)],
    'ahci2-0': [ahci(2), ...disk(0)],
    'ahci2-1': [ahci(2), ...disk(1)],
    'ahci2-dvd': [ahci(2), drive(0)],
  },
  ide: {
    piix4: [ide('PIIX4')],
    piix3: [ide('PIIX3')],
    ich6: [ide('ICH6')],
    'ide-disk': [ide('PIIX4'), ...disk(0)],
    'ide-slave': [ide('PIIX4'), ...disk(0, 1)],
    'ide-dvd': [ide('PIIX4'), drive(0)],
  },
  scsi: {
    lsi: [lsi],
    'lsi-disk': [lsi, ...disk(0)],
    'lsi-disk3': [lsi, ...disk(3)],
    bus: [bus],
    'bus-disk': [bus, ...disk(0)],
    sas1: [sas(1)],
    sas4: [sas(4)],
    'sas4-disk': [sas(4), ...disk(2)],
  },
  'new disks': {
    nvme1: [nvme(1)],
    nvme2: [nvme(2)],
    'nvme1-disk': [nvme(1), ...disk(0)],
    vscsi1: [virtioScsi(1)],
    vscsi4: [virtioScsi(4)],
    'vscsi1-disk': [virtioScsi(1), ...disk(0)],
  },
  // A state with 3D makes a machine without it hang; it is not tried.
  screen: {
    vga8: [graphics('vboxvga', 8)],
    vga16: [graphics('vboxvga', 16)],
    'vga8-two': [graphics('vboxvga', 8, '--monitorcount', '2')],
    svga8: [graphics('vmsvga', 8)],
    svga16: [graphics('vmsvga', 16)],
  },
  usb: {
    ohci: [modify('--usb-ohci', 'on')],
    ehci: [modify('--usb-ohci', 'on', '--usb-ehci', 'on')],
    xhci: [modify('--usb-xhci', 'on')],
  },
  audio: { hda: [audio('hda')], ac97: [audio('ac97')], sb16: [audio('sb16')] },
  chipset: {
    ich9: [modify('--chipset', 'ich9')],
    'ich9-full': [
      modify('--chipset', 'ich9', '--acpi', 'on', '--usb-ohci', 'on', '--usb-ehci', 'on'),
      audio('hda'),
      graphics('vboxvga', 8),
      card('82540EM'),
      card('virtio', 2),
      ahci(1),
    ],
    'iommu-intel': [modify('--chipset', 'ich9', '--iommu', 'intel')],
    'iommu-amd': [modify('--chipset', 'ich9', '--iommu', 'amd')],
    hpet: [modify('--hpet', 'on')],
    acpi: [modify('--acpi', 'on')],
    floppy: [controller('--add', 'floppy')],
  },
};

const virtualBox = await VirtualBox.find();
const score = new Score();
const folder = mkdtempSync(join(tmpdir(), 'savkit-pairs-'));
const wanted = process.argv.slice(2);
const made = new Map<string, string>();

try {
  for (const family of Object.values(FAMILIES)) {
    const machines: Record<string, Change[]> = { base: [], ...family };
    const names = Object.keys(machines);
    const isWanted = (...pair: string[]) => wanted.length === 0 || pair.some((name) => wanted.includes(name));
    for (const from of names) {
      for (const into of names) {
        if (!isWanted(from, into) || (from === 'base' && into === 'base')) continue;
        for (const name of [from, into]) if (!made.has(name)) made.set(name, await makeMachine(name, machines[name]));
        await compare(from, into);
      }
    }
  }
} finally {
  for (const name of made.keys()) await virtualBox.run('mkvm.sh', ['--delete', PREFIX + name]);
  rmSync(folder, { recursive: true, force: true });
}
score.close();

/** @returns the settings; the state is in the folder then */
async function makeMachine(name: string, changes: Change[]): Promise<string> {
  const machine = PREFIX + name;
  await virtualBox.run('mkvm.sh', ['--delete', machine]);
  await expectOk(virtualBox.run('mkown.sh', [machine, '3']));
  for (const change of changes)
    await expectOk(virtualBox.run('vb', ['VBoxManage', ...change.map((word) => word.replaceAll('@', machine))]));
  const { output } = await virtualBox.bash('cat "$MACHINES/$1/$1.vbox"', [machine]);
  await expectOk(virtualBox.run('start.sh', [machine, '1']));
  await expectOk(virtualBox.run('save.sh', [machine, join(folder, name)]));
  await virtualBox.bash('manage discardstate "$1"', [machine]);
  return output;
}

async function expectOk(run: Promise<{ ok: boolean; output: string }>): Promise<void> {
  const { ok, output } = await run;
  if (!ok) throw new Error(`Cannot make a machine: ${output}`);
}

async function compare(from: string, into: string): Promise<void> {
  const path = join(folder, `${from}.sav`);
  const { forecast } = await check(bufferSource(readFileSync(path)), {
    machine: readSettings(made.get(into) ?? '', `${into}.vbox`),
  });
  const { ok, output } = await virtualBox.run('load-state.sh', [path, PREFIX + into]);
  const answer = ok ? 'loads' : (/\((VERR_\w+)\)/.exec(output)?.[1] ?? /VERR_\w+/.exec(output)?.[0] ?? output);
  const unit =
    /^FAIL ([\w-]+)#(\d+):/.exec(output) ??
    /unit '([^']+)' instance #(\d+)/.exec(output) ??
    /load unit '([^']+)'/.exec(output);
  const foretold = forecast?.vboxCode ?? 'loads';
  const isSameUnit = !unit || (forecast?.unit ?? '').startsWith(`${unit[1]}/${unit[2] ?? ''}`);
  score.check(
    `${from} in ${into}: ${answer}${unit ? ` at ${unit[1]}` : ''}`,
    foretold === answer && isSameUnit,
    `foretold ${foretold} at ${forecast?.unit ?? 'no unit'}`,
  );
}
