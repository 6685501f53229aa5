import type { SectionImage } from '../../template/section-image.ts';
import { type BusDevice, configOf, configView, editConfig } from './pci.ts';

/** Registers of a configuration space that lead to capabilities, and of an entry of that list. */
const STATUS = 0x06;
const HAS_CAPABILITIES = 0x10;
const FIRST_CAPABILITY = 0x34;
const NEXT = 1;
/** Of interrupts by messages: control, where messages go, and what they say. */
const MESSAGES = 5;
const CONTROL = 2;
const ADDRESS = 4;
const ADDRESS_HIGH = 8;
/** Bits of the control. */
const ENABLED = 1;
const SET_BY_GUEST = 0x71;
const WIDE = 0x80;
/** More entries than that do not fit. */
const MAX_CAPABILITIES = 48;

/** Interrupts of a device that are messages. */
interface Messages {
  at: number;
  isEnabled: boolean;
  /** Addresses of 64 bits. */
  isWide: boolean;
}

function messagesOf(config: DataView): Messages | undefined {
  if ((config.getUint16(STATUS, true) & HAS_CAPABILITIES) === 0) return undefined;
  let at = config.getUint8(FIRST_CAPABILITY);
  for (let i = 0; i < MAX_CAPABILITIES && at >= 0x40 && at <= 0xf0; i++, at = config.getUint8(at + NEXT)) {
    if (config.getUint8(at) !== MESSAGES) continue;
    const control = config.getUint16(at + CONTROL, true);
    return { at, isEnabled: (control & ENABLED) !== 0, isWide: (control & WIDE) !== 0 };
  }
  return undefined;
}

const dataOf = ({ at, isWide }: Messages) => at + (isWide ? 12 : 8);

/** Whether the guest has a device of VirtualBox interrupt by messages, and not by its pin. */
export function interruptsByMessages(device: BusDevice): boolean {
  return messagesOf(configView(device))?.isEnabled === true;
}

/** Has QEMU's device send the messages that the guest has asked VirtualBox's for. */
export function wakeMessages(section: SectionImage, device: BusDevice): void {
  const from = configView(device);
  const own = messagesOf(from);
  const other = messagesOf(configOf(section));
  if (!own?.isEnabled || !other) return;
  editConfig(section, (to) => {
    const control = to.getUint16(other.at + CONTROL, true) & ~SET_BY_GUEST;
    to.setUint16(other.at + CONTROL, control | ENABLED, true);
    to.setUint32(other.at + ADDRESS, from.getUint32(own.at + ADDRESS, true), true);
    if (other.isWide)
      to.setUint32(other.at + ADDRESS_HIGH, own.isWide ? from.getUint32(own.at + ADDRESS_HIGH, true) : 0, true);
    to.setUint16(dataOf(other), from.getUint16(dataOf(own), true), true);
  });
}
