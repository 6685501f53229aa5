import type { Ahci } from '../../../../formats/units/storage/ata-codecs.ts';
import { type Correspondence, computed, same, sameEach, type UnitPart } from '../../template/correspondence.ts';

/** Ports of QEMU's controller. */
export const QEMU_AHCI_PORTS = 6;

const unitOf = (part: UnitPart) => part as unknown as Ahci;

/** Bit of a port's command: it takes frames from its drive. */
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

/** Unit ahci. What a controller can do is QEMU's, what the guest has set is the state's. */
export const ahci: readonly Correspondence[] = [
  same('ahci.control_regs.ghc', 'control'),
  same('ahci.control_regs.irqstatus', 'interruptStatus'),
  ...Array.from({ length: QEMU_AHCI_PORTS }, (_, port) => portTable(port)).flat(),
];

function portTable(port: number): Correspondence[] {
  const qemu = `ahci.dev[${port}].`;
  const vbox = `port[${port}].`;
  const task = (part: UnitPart) => unitOf(part).port[port].taskFile;
  return [
    ...sameEach(`${qemu}port_regs.`, vbox, PORT_REGISTERS),
    pending(`${qemu}port_regs.cmd_issue`, port, 'commandIssue', 'finished'),
    pending(`${qemu}port_regs.scr_act`, port, 'sataActive', 'finishedQueued'),
    // VirtualBox has told the guest by then which drive there is.
    computed(`${qemu}init_d2h_sent`, (part) => ((unitOf(part).port[port].command & RECEIVES) !== 0 ? 1n : 0n)),
    same(`${qemu}port.ifs[0].mult_sectors`, `${vbox}multiSectors`),
    computed(`${qemu}port.ifs[0].status`, (part) => BigInt(task(part) & 0xff)),
    computed(`${qemu}port.ifs[0].error`, (part) => BigInt((task(part) >>> 8) & 0xff)),
    {
      qemu: `${qemu}port_regs.lst_addr`,
      back: (_, part) => joinAddresses(unitOf(part).port[port]),
    },
  ];
}

/** Commands that are not done: VirtualBox takes those that are done out of its register when the guest looks at it. */
function pending(
  qemu: string,
  port: number,
  register: 'commandIssue' | 'sataActive',
  done: 'finished' | 'finishedQueued',
): Correspondence {
  const of = (part: UnitPart) => unitOf(part).port[port];
  return {
    qemu,
    wake: (part) => BigInt((of(part)[register] & ~of(part)[done]) >>> 0),
    back: (fields, part) => {
      Object.assign(of(part), { [register]: Number(fields.number(qemu)), [done]: 0 });
    },
  };
}

/** VirtualBox keeps addresses also as a whole. */
function joinAddresses(port: Ahci['port'][number]): void {
  const whole = (high: number, low: number) => (BigInt(high) << 32n) | BigInt(low);
  port.commandListAddress = whole(port.commandListHigh, port.commandList);
  port.receivedFisAddress = whole(port.receivedFisHigh, port.receivedFis);
}
