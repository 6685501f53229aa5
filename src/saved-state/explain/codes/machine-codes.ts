import type { CodeRow } from './kinds.ts';

// Codes from building a machine that will take a state, and from loading its CPUs and memory, as far as no other table
// has them. They are failures only in a line of the log about a failure. Numbers: VBox/err.h of VirtualBox 5 to 7.

const PACK = 'the extension pack is missing, or of another release';
const MIXED = 'parts of VirtualBox, or its extension pack, are of different releases';
const INSIDE = 'an internal check of VirtualBox failed';

const GRAPHICS: readonly CodeRow[] = [
  ['VERR_VGA_UNEXPECTED_PCI_REGION_LOAD_CHANGE', -3502, 'machine-differs', 'the machine has another graphics adapter'],
];

const CPUM: readonly CodeRow[] = [
  ['VERR_CPUM_HIDDEN_CS_LOAD_ERROR', -1752, 'unit-contradicts', 'the code segment of a CPU cannot be determined'],
  ['VERR_CPUM_TOO_MANY_CPUID_SUBLEAVES', -1753, 'cpu-differs', 'a leaf of CPUID on this host does not end'],
  ['VERR_CPUM_IPE_1', -1754, 'program-error', INSIDE],
  ['VERR_CPUM_IPE_2', -1755, 'program-error', INSIDE],
  ['VERR_CPUM_DB_CPU_NOT_FOUND', -1756, 'machine-differs', 'this release has no CPU profile of the configured name'],
  ['VERR_CPUM_MSR_BAD_CPUMCPU_OFFSET', -1757, 'program-error', INSIDE],
  ['VERR_TOO_MANY_CPUID_LEAVES', -1760, 'cpu-differs', 'CPUID has more leaves on this host than VirtualBox takes'],
];

const MEMORY: readonly CodeRow[] = [
  ['VERR_MM_RAM_CONFLICT', -1700, 'machine-differs', 'two ranges of memory overlap'],
  ['VERR_MM_HYPER_NO_MEMORY', -1701, 'host-trouble', 'VirtualBox has no memory left for itself'],
  ['VERR_PGM_PHYS_NOT_ROM', -1640, 'program-error', 'the page is no ROM'],
  ['VERR_PGM_PHYS_NOT_MMIO', -1641, 'program-error', 'the page is no device register'],
  ['VERR_PGM_HANDY_PAGE_IPE', -1664, 'program-error', INSIDE],
  [
    'VERR_PGM_UNSUPPORTED_HOST_PAGING_MODE',
    undefined,
    'host-trouble',
    'VirtualBox cannot use the paging mode of the host',
  ],
  ['VERR_PGM_PML4_MAPPING', -1665, 'unit-contradicts', "the guest's page tables lie where there is no memory"],
  ['VERR_PGM_NOT_USED_IN_MODE', -1667, 'program-error', 'the operation does not exist in the paging mode of the guest'],
  ['VERR_PGM_INVALID_CR3_ADDR', -1668, 'unit-contradicts', 'CR3 names an address where there is no memory'],
  ['VERR_PGM_INVALID_PDPE_ADDR', -1669, 'unit-contradicts', 'a page-directory pointer names no memory'],
  ['VERR_PGM_PHYS_HANDLER_IPE', -1670, 'program-error', INSIDE],
  ['VERR_PGM_PHYS_PAGE_GET_IPE', -1680, 'program-error', 'a page that has to be there is not'],
  ['VERR_PGM_PCI_PASSTHRU_MISCONFIG', -1682, 'machine-differs', 'this build passes no PCI devices of the host through'],
  ['VERR_PGM_TOO_MANY_MMIO2_RANGES', -1683, 'machine-differs', 'the devices have more ranges of memory than fit'],
  ['VERR_PGM_PHYS_MMIO_EX_IPE', -1685, 'program-error', INSIDE],
  ['VERR_PGM_MODE_IPE', -1686, 'unit-contradicts', 'the registers of a CPU tell an impossible paging mode'],
];

const DEVICES: readonly CodeRow[] = [
  [
    'VERR_PDM_MISSING_INTERFACE_ABOVE',
    -2802,
    'machine-differs',
    'a driver is attached to a device that does not take it',
  ],
  ['VERR_PDM_MISSING_INTERFACE_BELOW', -2803, 'machine-differs', 'the driver that a driver builds on is missing'],
  ['VERR_PDM_MISSING_INTERFACE', -2804, 'machine-differs', 'a device lacks a driver that fits'],
  [
    'VERR_PDM_DRVINS_UNKNOWN_CFG_VALUES',
    -2805,
    'release-differs',
    'the configuration of a driver has keys that it does not know',
  ],
  ['VERR_PDM_TOO_PCI_MANY_DEVICES', -2806, 'machine-differs', 'the PCI bus has no place left for a device'],
  [
    'VERR_PDM_UNSUPPORTED_BLOCK_TYPE',
    -2819,
    'machine-differs',
    'a medium is attached to a controller that does not take it',
  ],
  ['VERR_PDM_DRIVER_NOT_FOUND', -2823, 'machine-differs', `this VirtualBox has no driver of that name: ${PACK}`],
  ['VERR_PDM_UNKNOWN_DRVREG_VERSION', -2829, 'program-error', MIXED],
  ['VERR_PDM_NO_PCI_BUS', -2833, 'machine-differs', 'there is no PCI bus for a PCI device'],
  ['VERR_PDM_UNKNOWN_DEVREG_VERSION', -2835, 'program-error', MIXED],
  ['VERR_PDM_DEVICE_NOT_FOUND', -2840, 'machine-differs', `this VirtualBox has no device of that name: ${PACK}`],
  ['VERR_PDM_DEVICE_INSTANCE_NOT_FOUND', -2841, 'machine-differs', 'the machine has no such device'],
  ['VERR_PDM_DEVICE_INSTANCE_LUN_NOT_FOUND', -2843, 'machine-differs', 'a device has no such port'],
  ['VERR_PDM_LUN_NOT_FOUND', -2845, 'machine-differs', 'a device has no such port'],
  ['VERR_PDM_NO_DRIVER_ATTACHED_TO_LUN', -2846, 'machine-differs', 'nothing is attached to a port'],
  ['VERR_PDM_NO_APIC_INSTANCE', -2848, 'machine-differs', 'the machine has no APIC'],
  ['VERR_PDM_HIF_SHARING_VIOLATION', -2851, 'host-trouble', 'another program has the network interface of the host'],
  ['VERR_PDM_HIF_OPEN_FAILED', -2852, 'host-trouble', 'the network interface of the host cannot be opened'],
  ['VERR_PDM_HIF_INVALID_VERSION', -2855, 'host-trouble', 'a network driver of VirtualBox is of another release'],
  ['VERR_PDM_UNKNOWN_USBREG_VERSION', -2856, 'program-error', MIXED],
  ['VERR_PDM_NO_USB_HUBS', -2860, 'machine-differs', 'the machine has no USB controller that takes the device'],
  ['VERR_PDM_NO_USB_PORTS', -2861, 'machine-differs', 'no USB port is free'],
  ['VERR_PDM_NO_USBPROXY', -2862, 'machine-differs', `USB devices of the host cannot be passed on: ${PACK}`],
  ['VERR_PDM_DRIVER_INVALID_PROPERTIES', -2866, 'host-trouble', 'a driver cannot work with its medium'],
  ['VERR_PDM_DEVINS_VERSION_MISMATCH', -2870, 'program-error', MIXED],
  ['VERR_PDM_DEVHLPR3_VERSION_MISMATCH', -2871, 'program-error', MIXED],
  ['VERR_PDM_USBINS_VERSION_MISMATCH', -2872, 'program-error', MIXED],
  ['VERR_PDM_USBHLPR3_VERSION_MISMATCH', -2873, 'program-error', MIXED],
  ['VERR_PDM_DRVINS_VERSION_MISMATCH', -2874, 'program-error', MIXED],
  ['VERR_PDM_DRVHLPR3_VERSION_MISMATCH', -2875, 'program-error', MIXED],
  ['VERR_PDM_DEVICE_VERSION_MISMATCH', -2876, 'program-error', MIXED],
  ['VERR_PDM_USBDEV_VERSION_MISMATCH', -2877, 'program-error', MIXED],
  ['VERR_PDM_DRIVER_VERSION_MISMATCH', -2878, 'program-error', MIXED],
  ['VERR_PDM_BAD_PCI_CONFIG', -2887, 'machine-differs', 'a PCI device cannot be set up as configured'],
  ['VERR_HGCM_SERVICE_NOT_FOUND', -2900, 'machine-differs', 'the host lacks a service that guest additions ask for'],
];

/** Codes from building a machine, and from loading its CPUs and memory. */
export const MACHINE_CODES: readonly CodeRow[] = [...CPUM, ...MEMORY, ...GRAPHICS, ...DEVICES];
