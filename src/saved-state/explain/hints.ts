import { releaseName, UNIT_VERSIONS } from '../check/unit-versions.ts';
import type { LogPlace } from './log-places.ts';

/** Advice for a message of VirtualBox, more specific than the advice for its code. */
interface Hint {
  words: RegExp;
  advice: string;
}

// Messages of 7.2.22 for differences; older releases use other punctuation.
const HINTS: readonly Hint[] = [
  {
    words: /uApicMode/,
    advice:
      'x2APIC: 3 is on, 2 is off. Either the setting (`VBoxManage modifyvm NAME --x2apic on|off`) or the host ' +
      'has changed: a host without x2APIC, or one that runs machines through Hyper-V, withholds it whatever ' +
      'the settings say.',
  },
  {
    words: /fIoApicPresent/,
    advice: 'The I/O APIC was switched: `VBoxManage modifyvm NAME --ioapic on|off`, as it was when saved.',
  },
  {
    words: /(?:target|source) VM is missing a .*(?:device|port)|Target \d+ config mismatch|missing a block device/i,
    advice:
      'Disks and drives must be at the ports where they were: "target VM is missing" wants a disk or drive ' +
      'attached there, "source VM is missing" one taken off. The medium may be another one.',
  },
  {
    words: /cPortsImpl|Device states|port count/i,
    advice: 'The controller had another number of ports: `VBoxManage storagectl NAME --name CONTROLLER --portcount N`.',
  },
  {
    words: /has been removed!/,
    advice:
      'A device is missing in the machine; vendor and device number tell which (network card, USB controller, ' +
      'disk controller, audio, graphics). USB 2.0, USB 3.0 and NVMe of releases before 7.0 need the extension pack.',
  },
  {
    words: /New device in slot|not found in the saved state/,
    advice: 'The machine has a device that it did not have when it was saved: take it out.',
  },
  {
    words: /Configuration error: |Found no handler for unit '(?:cpum|pgm|mm|tm|em|vmm|trpm|pdm)'/,
    advice:
      'The machine could not be built as it is configured, whatever the state is; the first error in the log tells ' +
      'why. Internal settings are a usual reason: `VBoxManage getextradata NAME enumerate` lists them, `VBoxManage ' +
      'setextradata NAME VBoxInternal/…` without a value takes one away.',
  },
  {
    words: /Found no handler for unit '(?!(?:cpum|pgm|mm|tm|em|vmm|trpm|pdm)')/,
    advice:
      'The machine has no such device: give it back as it was. USB 2.0, USB 3.0 and NVMe of releases before ' +
      '7.0 need the extension pack.',
  },
  {
    words: /USB [23]\.0 controller not found|Extension Pack/i,
    advice:
      'The controller came with the extension pack: install the pack of this release, or switch the controller ' +
      'off (`VBoxManage modifyvm NAME --usb-ehci off --usb-xhci off`) and let `savkit adapt STATE --machine ' +
      'FILE.vbox -o OUT` take it from the state.',
  },
  {
    words: /VGA_UNEXPECTED_PCI_REGION_LOAD_CHANGE/,
    advice:
      'The graphics adapter was changed, for example from VBoxVGA to VBoxSVGA: `VBoxManage modifyvm NAME ' +
      '--graphicscontroller …`, as it was.',
  },
  {
    words: /VRAM size changed|region "VRam" size|failed to respond to region/i,
    advice:
      'Video memory was changed: `VBoxManage modifyvm NAME --vram MIB`. The message has it in bytes, hexadecimal.',
  },
  {
    words: /Monitor count changed|Number of monitors/i,
    advice: 'The number of monitors was changed: `VBoxManage modifyvm NAME --monitorcount N`.',
  },
  {
    words: /Ram config mismatch/i,
    advice: 'RAM size or chipset were changed; the message has both in bytes, hexadecimal.',
  },
  {
    words: /GIM provider/,
    advice:
      'Paravirtualisation was changed: 0 none, 1 minimal, 2 Hyper-V, 3 KVM (`VBoxManage modifyvm NAME ' +
      '--paravirtprovider …`). "Default" depends on the type of guest.',
  },
  {
    words: /PortAddress=|IOBase|saved IRQ/i,
    advice: 'A port has another address, interrupt or type: `VBoxManage modifyvm NAME --uart1 ADDRESS IRQ`.',
  },
  {
    words: /chip type differs|uDevType|enmChipset/i,
    advice: 'The device is of another model: set the type of the network card or IDE controller as it was.',
  },
  {
    words: /vendor id mismatch/i,
    advice: 'Another device sits in that slot: set the type of the network card, graphics or controller as it was.',
  },
  {
    words: /not supported by the host|CPUID|guest SVM|guest VT-x/,
    advice:
      'The CPU that the guest knows has more than this host or machine offers: another CPU, Hyper-V on the ' +
      'host, or nested virtualisation switched.',
  },
  {
    words: /MMIO2 range called|ROM .* was not found/i,
    advice:
      'Memory of a device, or a ROM, is not there: firmware, graphics or paravirtualisation were changed, or ' +
      'the release is another one.',
  },
];

/** Advice for a code at a certain unit, if the message tells no more. */
interface PlaceHint {
  unit: RegExp;
  code: RegExp;
  advice: string;
}

const BY_SETTINGS = '`savkit adapt STATE --machine FILE.vbox -o OUT`';
const BY_DONOR = '`savkit adapt STATE --donor DONOR -o OUT`';

const PLACE_HINTS: readonly PlaceHint[] = [
  {
    unit: /^cpum$/,
    code: /^VERR_SSM_UNEXPECTED_DATA$/,
    advice:
      'The number of CPUs was changed: `VBoxManage modifyvm NAME --cpus N`; `savkit check` tells both numbers. ' +
      `${BY_DONOR} mends it.`,
  },
  {
    unit: /^cpum$/,
    code: /^VERR_CPUM_INCOMPATIBLE_XSAVE_COMP_MASK$/,
    advice:
      'The guest has registers (AVX, AVX-512) that this machine does not offer: another CPU profile, another ' +
      `engine, Hyper-V. ${BY_SETTINGS} with \`--host-cpuid\` takes them from the guest, which programs that use ` +
      'them notice.',
  },
  {
    unit: /^mm$/,
    code: /^VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH$/,
    advice:
      'The size of RAM was changed: `VBoxManage modifyvm NAME --memory MIB`; `savkit check` and `savkit inspect` ' +
      'tell how much the state has.',
  },
  {
    unit: /^HGCM$/,
    code: /^VERR_SSM_UNEXPECTED_DATA$/,
    advice:
      'The guest uses a service of the host that this release does not have: mostly 3D acceleration of 6.0 and ' +
      `older. ${BY_SETTINGS} leaves it out.`,
  },
  {
    unit: /^vga$/,
    code: /^VERR_SSM_DATA_UNIT_FORMAT_CHANGED$/,
    advice:
      'Of VMSVGA, 3D acceleration was switched: `VBoxManage modifyvm NAME --accelerate-3d on|off`, as it was ' +
      'when saved.',
  },
  {
    unit: /^virtio-scsi$/,
    code: /^VERR_SSM_DATA_UNIT_FORMAT_CHANGED$/,
    advice: 'Another number of disks and drives is attached to the controller than when it was saved.',
  },
  {
    unit: /^lsilogic/,
    code: /^VERR_SSM_LOADED_TOO_(?:LITTLE|MUCH)$/,
    advice:
      'Releases of 2019 (5.2, 6.0) laid this unit out differently: use the release that wrote the state, or ' +
      `${BY_DONOR}, after which the controller is as after power-on.`,
  },
];

/** Releases of VirtualBox, such as `7.2.22`. */
export interface Releases {
  /** The release that wrote the state. */
  wrote?: string | undefined;
  /** The release that wrote the log. */
  runs?: string | undefined;
}

/** Advice that follows from a message and the releases, in addition to the advice for its code. */
export function adviceFor(
  messages: readonly string[],
  { unit, version }: LogPlace,
  code: string,
  releases: Releases,
): string[] {
  const { wrote, runs } = releases;
  const advice = HINTS.filter(({ words }) => messages.some((message) => words.test(message))).map(
    (hint) => hint.advice,
  );
  for (const hint of PLACE_HINTS)
    if (unit !== undefined && hint.unit.test(unit) && hint.code.test(code)) advice.push(hint.advice);
  if (code === 'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION' && unit !== undefined && version !== undefined)
    advice.unshift(writersOf(unit, version));
  if (wrote !== undefined && runs !== undefined && wrote !== runs)
    advice.push(
      `The state was written by VirtualBox ${wrote}, this log is of ${runs}: the former loads it, where ` +
        'machine and host are as they were.',
    );
  return advice;
}

function writersOf(unit: string, version: number): string {
  const rows = UNIT_VERSIONS.filter((row) => row.unit === unit);
  const writers = rows
    .filter((row) => row.version === version)
    .map(({ from, to }) => `${releaseName(from)} to ${releaseName(to)}`);
  const known = writers.length > 0 ? `; VirtualBox ${writers.join(' and ')} write it` : '';
  return (
    `Version ${version} of unit ${unit} is newer than the release that was to load it${known}: use the release ` +
    'that wrote the state, or a later one.'
  );
}
