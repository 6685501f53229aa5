import type { Ahci } from '../../../../formats/units/storage/ata-codecs.ts';
import { type Correspondence, computed, same, sameEach } from '../../template/correspondence.ts';

/** Ports of QEMU's controller. */
export const QEMU_AHCI_PORTS = 6;

/** Bit of a port's command register: FIS receive enable. */
const RECEIVES = 0x10;

const PORT_REGISTERS = [
  ['lst_addr', 'commandList'],
  ['lst_addr_hi', 'commandListHigh'],
  ['fis_addr', 'receivedFis'],
  ['fis_addr_hi', 'receivedFisHigh'],
  ['irq_stat', 'interruptStatus'],
  ['irq_mask', 'interruptEnable'],
  ['cmd', 'command'],
  ['tfdata', 'taskFile'],
  ['sig', 'signature'],
  ['scr_stat', 'sataStatus'],
  ['scr_ctl', 'sataControl'],
  ['scr_err', 'sataError'],
] as const;

/** Unit ahci. Capabilities stay QEMU's; registers that the guest sets are taken from the state. */
export const ahci: readonly Correspondence<Ahci>[] = [
  same('ahci.control_regs.ghc', 'control'),
  same('ahci.control_regs.irqstatus', 'interruptStatus'),
  ...Array.from({ length: QEMU_AHCI_PORTS }, (_, port) => portTable(port)).flat(),
];

function portTable(port: number): Correspondence<Ahci>[] {
  const qemu = `ahci.dev[${port}].`;
  const vbox = `port[${port}].`;
  const task = (part: Ahci) => part.port[port].taskFile;
  return [
    ...sameEach(`${qemu}port_regs.`, vbox, PORT_REGISTERS),
    pending(`${qemu}port_regs.cmd_issue`, port, 'commandIssue', 'finished'),
    pending(`${qemu}port_regs.scr_act`, port, 'sataActive', 'finishedQueued'),
    // Once FIS reception is on, VirtualBox has sent the guest the drive's signature.
    computed(`${qemu}init_d2h_sent`, (part) => ((part.port[port].command & RECEIVES) !== 0 ? 1n : 0n)),
    same(`${qemu}port.ifs[0].mult_sectors`, `${vbox}multiSectors`),
    computed(`${qemu}port.ifs[0].status`, (part) => BigInt(task(part) & 0xff)),
    computed(`${qemu}port.ifs[0].error`, (part) => BigInt((task(part) >>> 8) & 0xff)),
    {
      qemu: `${qemu}port_regs.lst_addr`,
      back: (_, part) => joinAddresses(part.port[port]),
    },
  ];
}

/** Pending commands: VirtualBox clears finished ones in its register only when the guest reads it. */
function pending(
  qemu: string,
  port: number,
  register: 'commandIssue' | 'sataActive',
  done: 'finished' | 'finishedQueued',
): Correspondence<Ahci> {
  const of = (part: Ahci) => part.port[port];
  return {
    qemu,
    wake: (part) => BigInt((of(part)[register] & ~of(part)[done]) >>> 0),
    back: (fields, part) => {
      Object.assign(of(part), { [register]: Number(fields.number(qemu)), [done]: 0 });
    },
  };
}

/** Sets VirtualBox's 64-bit copies of addresses that registers hold in halves. */
function joinAddresses(port: Ahci['port'][number]): void {
  const whole = (high: number, low: number) => (BigInt(high) << 32n) | BigInt(low);
  port.commandListAddress = whole(port.commandListHigh, port.commandList);
  port.receivedFisAddress = whole(port.receivedFisHigh, port.receivedFis);
}
