import type { SectionImage } from '../../template/section-image.ts';
import { type BusDevice, configOf, configView, editConfig } from './pci.ts';

/** Registers of a configuration space that lead to its list of capabilities, and offset of the link in an entry. */
const STATUS = 0x06;
const HAS_CAPABILITIES = 0x10;
const FIRST_CAPABILITY = 0x34;
const NEXT = 1;
/** Capability of message-signalled interrupts (MSI), and offsets of its control and address. */
const MESSAGES = 5;
const CONTROL = 2;
const ADDRESS = 4;
const ADDRESS_HIGH = 8;
/** Bits of the control register. */
const ENABLED = 1;
const SET_BY_GUEST = 0x71;
const WIDE = 0x80;
/** More entries do not fit into the space. */
const MAX_CAPABILITIES = 48;

/** Capability MSI of a device. */
interface Messages {
  at: number;
  isEnabled: boolean;
  /** Addresses have 64 bits. */
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

/** Whether the guest has enabled MSI for a device of VirtualBox, in place of its pin. */
export function interruptsByMessages(device: BusDevice): boolean {
  return messagesOf(configView(device))?.isEnabled === true;
}

/** Sets QEMU's device up for the messages that the guest has set up in VirtualBox's. */
export function wakeMessages(section: SectionImage, device: BusDevice): void {
  editConfig(section, (to) => void copyMessages(configView(device), to));
}

/**
 * Sets VirtualBox's device up for the messages that the guest has set up in QEMU's. @returns whether the device sends
 * messages
 */
export function takeMessagesBack(section: SectionImage, device: BusDevice): boolean {
  return copyMessages(configOf(section), configView(device));
}

/** @returns whether messages are in use, and both devices can send them */
function copyMessages(from: DataView, to: DataView): boolean {
  const own = messagesOf(from);
  const other = messagesOf(to);
  if (!other) return false;
  const control = to.getUint16(other.at + CONTROL, true) & ~SET_BY_GUEST;
  to.setUint16(other.at + CONTROL, own?.isEnabled ? control | ENABLED : control, true);
  if (!own?.isEnabled) return false;
  to.setUint32(other.at + ADDRESS, from.getUint32(own.at + ADDRESS, true), true);
  if (other.isWide)
    to.setUint32(other.at + ADDRESS_HIGH, own.isWide ? from.getUint32(own.at + ADDRESS_HIGH, true) : 0, true);
  to.setUint16(dataOf(other), from.getUint16(dataOf(own), true), true);
  return true;
}
