import { type Ahci, ahciCodec, ideCodec } from '../../../formats/units/storage/ata-codecs.ts';
import { IDE_CHIPS } from '../../../formats/units/storage/piix3ide.ts';
import { LOST_WITH_DRIVE } from './change.ts';
import type { Merge } from './merge.ts';

/** Port x Interrupt Status: the bits for a changed device and a changed link. */
const CONNECT_CHANGE = 1 << 6;
const LINK_CHANGE = 1 << 22;
/** Serial ATA Error: the bits for the same changes. */
const LINK_CHANGED = 1 << 16;
const EXCHANGED = 1 << 26;

/** @returns false where the layout of either unit is not known */
export function mergeAhci(merge: Merge, unit: string): boolean {
  const own = merge.value(unit, ahciCodec);
  const donor = merge.donorValue(unit, ahciCodec);
  if (!own || !donor) return false;
  if (own.ports !== donor.ports) {
    merge.note('seen', unit, `ports: ${own.ports} become ${donor.ports}; the guest finds out when it looks`);
    Object.assign(own, {
      ports: donor.ports,
      capabilities: donor.capabilities,
      portsImplemented: donor.portsImplemented,
    });
  }
  for (const port of own.devices.keys()) mergePort(merge, unit, own, donor, port);
  return true;
}

function mergePort(merge: Merge, unit: string, own: Ahci, donor: Ahci, port: number): void {
  const here = own.devices[port];
  const there = donor.devices[port];
  const isOtherKind = here.attached && there.attached && own.port[port].atapi !== donor.port[port].atapi;
  if (here.attached === there.attached && !isOtherKind) {
    if (here.hotPluggable === there.hotPluggable) return;
    here.hotPluggable = there.hotPluggable;
    merge.note('kept', unit, `port ${port} is ${there.hotPluggable ? '' : 'not '}hot-pluggable in the machine`);
    return;
  }
  own.devices[port] = there;
  const { taskFile, signature, sataStatus, sataActive, commandIssue } = donor.port[port];
  const { geometry, sectors, multiSectors, transferMode, atapi, sense } = donor.port[port];
  const state = own.port[port];
  Object.assign(state, { taskFile, signature, sataStatus, sataActive, commandIssue });
  Object.assign(state, { geometry, sectors, multiSectors, transferMode, atapi, sense });
  state.interruptStatus = (state.interruptStatus | CONNECT_CHANGE | LINK_CHANGE) >>> 0;
  state.sataError = (state.sataError | LINK_CHANGED | EXCHANGED) >>> 0;
  const what = isOtherKind
    ? 'has a device of another kind'
    : there.attached
      ? 'has a device that is new to the guest'
      : `has lost its device: ${LOST_WITH_DRIVE}`;
  merge.note('seen', unit, `port ${port} ${what}`);
}

const CHANNELS = ['primary', 'secondary'];
const DRIVES = ['master', 'slave'];

/** @returns false where the layout of either unit is not known */
export function mergeIde(merge: Merge, unit: string): boolean {
  const own = merge.value(unit, ideCodec);
  const donor = merge.donorValue(unit, ideCodec);
  if (!own || !donor) return false;
  if (own.chip !== donor.chip) {
    merge.note(
      'kept',
      unit,
      `chip ${IDE_CHIPS[own.chip]} becomes ${IDE_CHIPS[donor.chip]}, which the guest sees only after its reset`,
    );
    own.chip = donor.chip;
  }
  for (const [c, channel] of own.channels.entries()) {
    for (const [d, device] of channel.devices.entries()) {
      const there = donor.channels[c].devices[d];
      const isOtherKind =
        device.attached &&
        there.attached &&
        own.controllers[c].drives[d].atapi !== donor.controllers[c].drives[d].atapi;
      if (device.attached === there.attached && !isOtherKind) continue;
      channel.devices[d] = there;
      own.controllers[c].drives[d] = donor.controllers[c].drives[d];
      const what = isOtherKind
        ? 'is of another kind'
        : there.attached
          ? 'is new to the guest'
          : `is gone: ${LOST_WITH_DRIVE}`;
      merge.note('seen', unit, `${CHANNELS[c]} ${DRIVES[d]} ${what}`);
    }
  }
  return true;
}
