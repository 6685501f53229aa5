/**
 * Differences between a good state and the machine, CPU, release or manifest that it is compared with, by code:
 * findings of `check` and `verify --manifest` have these codes beside those of errors.
 */
export const DIFFERENCE_CODES = {
  '3d': 'the state was saved with 3D acceleration that the machine does not have, or the other way round',
  'container-too-new': 'the release does not read containers of this version',
  'cpu-count': 'state and machine have different numbers of CPUs',
  'cpu-feature': 'the guest may use a feature of the CPU that the machine does not have',
  cpuid: 'the CPU of the host or machine lacks features that the guest has seen',
  'device-added': 'the machine has a device that the state does not have',
  'device-config': 'a device is set up in another way than the state expects',
  'device-differs': 'another device stands at a place of the PCI bus',
  'device-missing': 'the machine lacks a device that the state has',
  'device-reset': 'the machine has a device or memory without a part in the state: it starts as after a reset',
  'extended-state': 'the guest has extended CPU state (AVX, AVX-512, …) that the host or machine does not offer',
  'live-pgm-10': 'a live save of this version of the memory unit cannot be loaded by this release',
  'manifest-bytes': 'bytes outside of units are not as they were when the manifest was made',
  'manifest-field': 'a fact about the machine is not as it was when the manifest was made',
  'manifest-page': 'pages of guest memory are not as they were when the manifest was made',
  'manifest-size': 'the file has another size than when the manifest was made',
  'manifest-unit': 'a unit is not as it was when the manifest was made',
  'mmio2-missing': 'the machine lacks a range of device memory that the state has',
  'mmio2-size': 'a range of device memory has another size',
  'nested-virtualisation': 'nested virtualisation is on in one of state and machine, and off in the other',
  'no-console-data': 'the state lacks the unit ConsoleData, without which VirtualBox does not start to load',
  'no-cpum': 'guest memory comes before the CPUs, or there are no CPUs',
  'other-devices': 'a device of the state does not exist in the machine, or at another place',
  'other-machine': 'the state is of another machine type',
  'other-memory': 'a block of memory does not exist in the machine, or has another size',
  'other-version': 'the machine does not read this version of a section',
  'page-types': 'the release does not know types of pages that the state has',
  paravirtualisation: 'the machine offers the guest another paravirtualisation interface',
  'ram-hole': 'the hole below 4 GiB has another size',
  'ram-size': 'state and machine have different sizes of RAM',
  'rom-missing': 'the machine lacks a ROM that the state has, or it has another size',
  'service-missing': 'the machine lacks a service of the host that the guest uses',
  'unit-too-new': 'the release reads only older versions of a unit',
  'unit-too-old': 'the release reads only newer versions of a unit',
  'unit-unknown': 'the release does not know a unit',
  'vram-size': 'the machine has another amount of graphics memory',
} as const satisfies Record<string, string>;

/** Code of a difference; `savkit explain CODE` tells more. */
export type DifferenceCode = keyof typeof DIFFERENCE_CODES;
