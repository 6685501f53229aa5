import { children, type Element, onlyChild, textOf } from './settings-xml.ts';

// Extra data with such names configure the VMM and the devices directly (`VBoxManage setextradata`), past the settings
// that savkit compares.
const INTERNAL = /^VBoxInternal2?\//;

const ANY = /^/;
const SWITCH = /^[01]$/;

/**
 * Settings on which loading does not depend, with the values that VirtualBox accepts; with other values it does not
 * start. Each row was tried with 7.2.22, in both directions (npm run campaign -- virtualbox-extra-data).
 */
const WITHOUT_EFFECT: readonly (readonly [name: RegExp, value: RegExp])[] = [
  // Content of ROMs: the loader compares only their names.
  [/^VBoxInternal\/Devices\/(?:pcbios|efi)\/0\/Config\/(?:Dmi\w+|BiosRom|LanBootRom)$/, ANY],
  // Identification of disks.
  [/^VBoxInternal\/Devices\/(?:ahci|piix3ide)\/\d\/Config\/\w+\/(?:SerialNumber|ModelNumber|FirmwareRevision)$/, ANY],
  [/^VBoxInternal\/Devices\/VMMDev\/0\/Config\/GetHostTimeDisabled$/, SWITCH],
  [/^VBoxInternal\/Devices\/mc146818\/0\/Config\/UseUTC$/, SWITCH],
  // Judged on its own, below.
  [/^VBoxInternal\/CPUM\/StrictCpuIdChecks$/, SWITCH],
  // The loader compared the guest with the host's own CPU in spite of these.
  [/^VBoxInternal\/CPUM\/HostCPUID\/[0-9a-f]{8}\/e[abcd]x$/i, /^(?:0x[0-9a-f]+|\d+)$/i],
  [/^VBoxInternal\/(?:HM\/(?:FallbackToIEM|Exclusive)|TM\/TSCTiedToExecution)$/, SWITCH],
  // Host side: folders, power, the reset button.
  [/^VBoxInternal2\/(?:SharedFoldersEnableSymlinksCreate\/.+|SavestateOnBatteryLow|TurnResetIntoPowerOff)$/, ANY],
];

/** Whether the loader is set to accept a guest whose CPU has features that the host lacks. */
export function takesMissingFeatures(machine: Element): boolean {
  return children(onlyChild(machine, 'ExtraData'), 'ExtraDataItem').some(
    ({ name, value }) => name === 'VBoxInternal/CPUM/StrictCpuIdChecks' && value === '0',
  );
}

/** Names of the internal settings that may decide about loading. */
export function internalSettings(machine: Element): string[] {
  return children(onlyChild(machine, 'ExtraData'), 'ExtraDataItem')
    .map((item) => ({ name: textOf(item.name, ''), value: textOf(item.value, '') }))
    .filter(({ name }) => INTERNAL.test(name))
    .filter((own) => !WITHOUT_EFFECT.some(([name, value]) => name.test(own.name) && value.test(own.value)))
    .map(({ name }) => name);
}
