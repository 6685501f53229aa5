import { child, children, type Element, textOf } from './settings-xml.ts';

// Extra data of a machine whose names begin so reach the parts of the VMM and the devices past all other settings
// (`VBoxManage setextradata`). What they change is no part of the settings that savkit compares.
const INTERNAL = /^VBoxInternal2?\//;

/**
 * Those on which loading does not depend. Each row was tried with 7.2.22, in both directions
 * (npm run campaign -- virtualbox-extra-data).
 */
const WITHOUT_EFFECT: readonly RegExp[] = [
  // Content of ROMs, of which the loader compares the names.
  /^VBoxInternal\/Devices\/(?:pcbios|efi)\/0\/Config\/(?:Dmi\w+|BiosRom|LanBootRom)$/,
  // What disks say of themselves when they are asked.
  /^VBoxInternal\/Devices\/(?:ahci|piix3ide)\/\d\/Config\/\w+\/(?:SerialNumber|ModelNumber|FirmwareRevision)$/,
  /^VBoxInternal\/Devices\/VMMDev\/0\/Config\/GetHostTimeDisabled$/,
  /^VBoxInternal\/Devices\/mc146818\/0\/Config\/UseUTC$/,
  // With these the loader compared the guest with the host's own CPU all the same.
  /^VBoxInternal\/CPUM\/HostCPUID\/[0-9a-f]{8}\/e[abcd]x$/i,
  // Whoever executes the guest, and how fast its clock goes.
  /^VBoxInternal\/(?:HM|NEM)\/\w+$/,
  /^VBoxInternal\/TM\/\w+$/,
  // Host side: folders, power, the reset button.
  /^VBoxInternal2\/(?:SharedFoldersEnableSymlinksCreate\/.+|SavestateOnBatteryLow|TurnResetIntoPowerOff)$/,
];

/** Names of the internal settings that may decide about loading. */
export function internalSettings(machine: Element): string[] {
  return children(child(machine, 'ExtraData'), 'ExtraDataItem')
    .map(({ name }) => textOf(name, ''))
    .filter((name) => INTERNAL.test(name) && !WITHOUT_EFFECT.some((row) => row.test(name)));
}
