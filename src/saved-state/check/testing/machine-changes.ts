/** Arguments of VBoxManage, in which @ stands for the machine. */
export type Change = string[];

export const modify = (...options: string[]): Change => ['modifyvm', '@', ...options];

/** @param name by which later changes attach to it; `VBoxManage` wants one for each controller of a machine */
export function controller(bus: string, model: string, name = bus, ports?: number): Change {
  return [
    'storagectl',
    '@',
    '--name',
    name,
    '--add',
    bus,
    '--controller',
    model,
    ...(ports === undefined ? [] : ['--portcount', `${ports}`]),
  ];
}

/** @param at port, or 2 × channel + device of IDE written as `channel:device` */
export function attach(to: string, at: string, type: 'hdd' | 'dvddrive' | 'fdd', medium: string): Change {
  const [port, device = '0'] = at.split(':');
  return [
    'storageattach',
    '@',
    '--storagectl',
    to,
    '--port',
    port,
    '--device',
    device,
    '--type',
    type,
    '--medium',
    medium,
  ];
}

/** A disk of its own, 1 MiB. */
export function disk(to: string, at: string): Change[] {
  const file = `/vm/machines/@/${to}-${at.replace(':', '-')}.vdi`;
  return [['createmedium', 'disk', '--filename', file, '--size', '1'], attach(to, at, 'hdd', file)];
}

export const drive = (to: string, at: string): Change => attach(to, at, 'dvddrive', 'emptydrive');

export const card = (type: string, slot = 1, kind = 'null'): Change =>
  modify(`--nic${slot}`, kind, `--nictype${slot}`, type);

export const uart = (slot: number, port: string, irq: string, ...more: string[]): Change =>
  modify(`--uart${slot}`, port, irq, `--uart-mode${slot}`, 'disconnected', ...more);

export const graphics = (kind: string, vram: number, ...more: string[]): Change =>
  modify('--graphicscontroller', kind, '--vram', `${vram}`, ...more);

export const audio = (kind: string): Change =>
  modify('--audio-enabled', 'on', '--audio-driver', 'none', '--audio-controller', kind);

export const ahci = (ports: number, name = 'sata'): Change => controller('sata', 'IntelAhci', name, ports);
export const ide = (chip: string): Change => controller('ide', chip);
export const lsi: Change = controller('scsi', 'LSILogic', 'lsi');
export const buslogic: Change = controller('scsi', 'BusLogic', 'bus');
export const sas = (ports: number): Change => controller('sas', 'LSILogicSAS', 'sas', ports);
export const nvme = (ports: number): Change => controller('pcie', 'NVMe', 'nvme', ports);
export const virtioScsi = (ports: number): Change => controller('virtio', 'VirtIO', 'virtio', ports);
export const floppy: Change = controller('floppy', 'I82078', 'floppy');
