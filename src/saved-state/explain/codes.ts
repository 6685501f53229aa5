import type { CodeRow, Trouble } from './kinds.ts';
import { MACHINE_CODES } from './machine-codes.ts';

/** A status code of VirtualBox, as far as saved states and guest memory are concerned. */
export interface CodeFacts {
  name: string;
  /** Absent where no source tells. */
  number?: number;
  /** VirtualBox 3.0 and older numbered some differently. */
  numberIn30?: number;
  kind: Trouble;
  means: string;
}

// Source: VBox/err.h and IPRT's err.h as noted in the format notes (ssm-container.md 6, pgm-unit.md 9,
// guest-memory.md).
const SSM: readonly CodeRow[] = [
  ['VERR_SSM_UNIT_EXISTS', -1800, 'program-error', 'a unit of this name and instance is registered already', -1800],
  [
    'VERR_SSM_UNIT_NOT_FOUND',
    -1801,
    'machine-differs',
    'no unit of this name and instance is registered, or in the file',
    -1801,
  ],
  ['VERR_SSM_UNIT_NOT_OWNER', -1802, 'program-error', 'the unit belongs to somebody else', -1802],
  [
    'VERR_SSM_INTEGRITY',
    -1810,
    'bytes-changed',
    'a header holds values that can not be: reserved byte, flags, largest block; or a unit has no name',
    -1810,
  ],
  ['VERR_SSM_INTEGRITY_MAGIC', -1811, 'not-this-format', 'the file does not start like a saved state', -1811],
  [
    'VERR_SSM_INTEGRITY_VERSION',
    -1812,
    'not-this-format',
    'the container has a version that this release does not know',
    -1812,
  ],
  ['VERR_SSM_INTEGRITY_SIZE', -1813, 'file-cut', 'the file is not as long as its header says (V1.x)', -1813],
  [
    'VERR_SSM_INTEGRITY_CRC',
    -1814,
    'bytes-changed',
    'a checksum is wrong: of a header, the directory, the footer, or all bytes',
    -1814,
  ],
  ['VERR_SMM_INTEGRITY_MACHINE', -1815, 'bytes-changed', 'the machine UUID in a V1.x header is not zero', -1815],
  ['VERR_SSM_INTEGRITY_HEADER', -1816, 'bytes-changed', 'host bits or address widths in the header can not be'],
  ['VERR_SSM_INTEGRITY_SIZES', undefined, 'bytes-changed', 'the same, as 3.0 called it', -1818],
  [
    'VERR_SSM_INTEGRITY_UNIT',
    -1817,
    'bytes-changed',
    'a unit header contradicts itself: offset, checksum of what stands before, flags, name',
  ],
  ['VERR_SSM_INTEGRITY_UNIT_MAGIC', -1818, 'bytes-changed', 'no unit starts where one should', -1816],
  [
    'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND',
    -1819,
    'machine-differs',
    'the state has a unit for which this machine has no device',
    -1817,
  ],
  ['VERR_SSM_INTEGRITY_VBOX_VERSION', -1820, 'bytes-changed', 'the VirtualBox version in the header can not be', -1819],
  [
    'VERR_SSM_INTEGRITY_FOOTER',
    -1821,
    'file-cut',
    'the file does not end in a good footer: it was cut, or bytes follow',
  ],
  ['VERR_SSM_INTEGRITY_REC_HDR', -1822, 'bytes-changed', 'a record within a unit starts with bytes that can not be'],
  ['VERR_SSM_INTEGRITY_REC_TERM', -1823, 'bytes-changed', 'the record that ends a unit is wrong: size, flags'],
  [
    'VERR_SSM_INTEGRITY_REC_TERM_CRC',
    -1824,
    'bytes-changed',
    "the unit's bytes do not have the checksum that its end claims",
  ],
  ['VERR_SSM_INTEGRITY_DECOMPRESSION', -1825, 'bytes-changed', 'a compressed block can not be expanded'],
  ['VERR_SSM_INTEGRITY_DIR', -1826, 'bytes-changed', 'the directory after the units points where no unit can be'],
  ['VERR_SSM_INTEGRITY_DIR_MAGIC', -1827, 'bytes-changed', 'there is no directory where one should be'],
  ['VERR_SSM_NO_LOAD_EXEC', -1830, 'machine-differs', 'the unit is known but nothing can load it', -1820],
  ['VERR_SSM_LOADED_TOO_MUCH', -1831, 'unit-contradicts', 'the loader wants more than the unit holds', -1821],
  ['VERR_SSM_INVALID_STATE', -1832, 'program-error', 'the saved-state handle is used in the wrong order', -1822],
  ['VERR_SSM_LOADED_TOO_LITTLE', -1833, 'unit-contradicts', 'the unit holds more than the loader wants'],
  [
    'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION',
    -1840,
    'release-differs',
    'this release can not read the version of a unit; before the start also: directory or footer are damaged',
    -1823,
  ],
  [
    'VERR_SSM_DATA_UNIT_FORMAT_CHANGED',
    -1841,
    'unit-contradicts',
    'a unit is not laid out as its version demands',
    -1824,
  ],
  [
    'VERR_SSM_LOAD_CPUID_MISMATCH',
    -1842,
    'machine-differs',
    'this host or machine has a CPU without features that the guest has been using',
    -1825,
  ],
  ['VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH', -1843, 'machine-differs', 'the machine has another RAM size', -1826],
  [
    'VERR_SSM_LOAD_CONFIG_MISMATCH',
    -1844,
    'machine-differs',
    'the machine is configured differently: chipset, RAM hole, ROMs, device memory, devices, paravirtualisation',
    -1827,
  ],
  [
    'VERR_SSM_VIRTUAL_CLOCK_HZ',
    -1845,
    'unit-contradicts',
    "the virtual clock of the state does not count in the loader's units (unit tm)",
  ],
  [
    'VERR_SSM_IDE_ASYNC_TIMEOUT',
    -1846,
    'host-trouble',
    'a disk or CD drive at the IDE controller did not finish its work in time to be saved',
  ],
  [
    'VERR_SSM_STRUCTURE_MAGIC',
    -1847,
    'unit-contradicts',
    'a structure in a unit has no start or end mark; in pgm also: another number of CPUs',
    -1830,
  ],
  [
    'VERR_SSM_UNEXPECTED_DATA',
    -1848,
    'unit-contradicts',
    'a value in a unit is not what the loader expects; in cpum: another number of CPUs; in pgm 6 to 9: since VirtualBox 4.3 always',
    -1831,
  ],
  [
    'VERR_SSM_GCPHYS_OVERFLOW',
    -1849,
    'unit-contradicts',
    'a guest-physical address does not fit the width of this build',
    -1832,
  ],
  ['VERR_SSM_GCPTR_OVERFLOW', -1850, 'unit-contradicts', 'a guest pointer does not fit the width of this build', -1833],
  ['VINF_SSM_VOTE_FOR_ANOTHER_PASS', 1851, 'information', 'live save: a unit wants another pass'],
  ['VINF_SSM_VOTE_DONE_DONT_CALL_AGAIN', 1852, 'information', 'live save: a unit is done with its passes'],
  ['VERR_SSM_VOTE_FOR_GIVING_UP', -1853, 'live-save', 'a unit wants the live save ended'],
  ['VINF_SSM_DONT_CALL_AGAIN', 1854, 'information', 'live save: a unit has nothing for further passes'],
  [
    'VERR_SSM_TOO_MANY_PASSES',
    -1855,
    'live-save',
    'the guest changes its memory faster than it is saved, for too many passes',
  ],
  ['VERR_SSM_STATE_GREW_TOO_BIG', -1856, 'live-save', 'the state has grown larger than allowed'],
  ['VERR_SSM_LOW_ON_DISK_SPACE', -1857, 'host-trouble', 'the disk has too little room for the state'],
  ['VERR_SSM_CANCELLED', -1858, 'live-save', 'somebody cancelled it, or the other host said no'],
  ['VERR_SSM_NO_PENDING_OPERATION', -1859, 'program-error', 'there is nothing to cancel'],
  ['VERR_SSM_ALREADY_CANCELLED', -1860, 'information', 'it has been cancelled already'],
  ['VERR_SSM_LIVE_POWERED_OFF', -1861, 'live-save', 'the machine was powered off while it was saved'],
  ['VERR_SSM_LIVE_GURU_MEDITATION', -1862, 'live-save', 'the machine crashed while it was saved'],
  ['VERR_SSM_LIVE_FATAL_ERROR', -1863, 'live-save', 'the machine met a fatal error while it was saved'],
  [
    'VINF_SSM_LIVE_SUSPENDED',
    1864,
    'information',
    'the machine was suspended while it was saved; the last pass follows',
  ],
  [
    'VERR_SSM_FIELD_COMPLEX',
    -1864,
    'program-error',
    'a field of a structure needs a description that its reader or writer does not take',
  ],
  [
    'VERR_SSM_FIELD_INVALID_SIZE',
    -1865,
    'program-error',
    'a field of a structure is described with a size that can not be',
  ],
  ['VERR_SSM_FIELD_OUT_OF_BOUNDS', -1866, 'program-error', 'a field is described outside of its structure'],
  [
    'VERR_SSM_FIELD_NOT_CONSECUTIVE',
    -1867,
    'program-error',
    'the fields of a structure are described with gaps or overlaps',
  ],
  [
    'VERR_SSM_FIELD_INVALID_CALLBACK',
    -1868,
    'program-error',
    'a field of a structure is described with a way of saving that does not exist',
  ],
  [
    'VERR_SSM_FIELD_INVALID_PADDING_SIZE',
    -1869,
    'program-error',
    'the padding of a structure is described with a size that can not be',
  ],
  [
    'VERR_SSM_FIELD_INVALID_VALUE',
    -1870,
    'unit-contradicts',
    'a field of a structure holds a value that it can not have',
  ],
  ['VERR_SSM_STREAM_ERROR', -1871, 'host-trouble', 'reading or writing the stream failed'],
  ['VERR_SSM_UNEXPECTED_PASS', -1872, 'unit-contradicts', 'a unit came in a pass in which it has nothing to say'],
  ['VERR_SSM_SKIP_BACKWARDS', -1873, 'program-error', 'a loader wanted to go backwards in a unit'],
  ['VERR_SSM_MEM_TOO_BIG', -1874, 'unit-contradicts', 'an item is larger than a loader takes at once'],
  ['VERR_SSM_BAD_REC_TYPE', -1875, 'bytes-changed', 'a record is of a kind that holds no data'],
  ['VERR_SSM_IPE_1', -1876, 'program-error', 'the code that reads and writes states contradicts itself (1)'],
  ['VERR_SSM_IPE_2', -1877, 'program-error', 'the code that reads and writes states contradicts itself (2)'],
  ['VERR_SSM_IPE_3', -1878, 'program-error', 'the code that reads and writes states contradicts itself (3)'],
  [
    'VERR_SSM_FIELD_LOAD_ONLY_TRANSFORMATION',
    -1879,
    'program-error',
    'a field that is only for loading old states was to be saved',
  ],
];

const PGM: readonly CodeRow[] = [
  [
    'VERR_PGM_HANDLER_PHYSICAL_NO_RAM_RANGE',
    -1601,
    'program-error',
    'an access handler was asked for where there is no RAM range',
  ],
  [
    'VERR_PGM_HANDLER_VIRTUAL_CONFLICT',
    -1602,
    'program-error',
    'two access handlers want the same guest-virtual memory',
  ],
  [
    'VERR_PGM_HANDLER_PHYSICAL_CONFLICT',
    -1603,
    'program-error',
    'two access handlers want the same guest-physical memory',
  ],
  [
    'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS',
    -1605,
    'unit-contradicts',
    'there is no memory at a guest-physical address that the state names',
  ],
  ['VERR_PGM_HANDLER_NOT_FOUND', -1607, 'program-error', 'there is no access handler at that address'],
  [
    'VERR_PGM_UNSUPPORTED_HOST_PAGING_MODE',
    undefined,
    'program-error',
    "the host's paging mode has no shadow tables for the guest's",
  ],
  ['VERR_PGM_RAM_CONFLICT', -1608, 'machine-differs', 'two memory ranges of the machine overlap'],
  ['VINF_PGM_SYNC_CR3', 1613, 'information', 'page tables have to be looked at anew'],
  ['VINF_PGM_HANDLER_DO_DEFAULT', 1616, 'information', 'an access handler leaves the access to the page manager'],
  [
    'VERR_PGM_PHYS_PAGE_RESERVED',
    -1618,
    'program-error',
    'the page belongs to device registers and can not be written as memory',
  ],
  [
    'VINF_PGM_GCPHYS_ALIASED',
    1623,
    'information',
    'a page is mapped more than once, so all page tables are looked at anew',
  ],
  ['VERR_PGM_PHYS_INVALID_PAGE_ID', -1637, 'program-error', 'a host page has no number'],
  ['VERR_PGM_PHYS_WR_HIT_HANDLER', -1638, 'program-error', 'a write met an access handler where none can be called'],
  ['VERR_PGM_PHYS_NOT_RAM', -1639, 'program-error', 'the page is not RAM'],
  ['VERR_PGM_PHYS_NOT_MMIO2', -1642, 'program-error', 'the page is not device memory'],
  ['VINF_PGM_HANDLER_ALREADY_ALIASED', 1643, 'information', 'the page stands for the same device page already'],
  ['VERR_PGM_INVALID_LARGE_PAGE_RANGE', -1645, 'information', 'no large page fits there; small ones are used'],
  [
    'VERR_PGM_PHYS_PAGE_BALLOONED',
    -1646,
    'program-error',
    'the guest has given the page back by ballooning, and writes to it',
  ],
  [
    'VERR_PGM_INVALID_SAVED_PAGE_STATE',
    -1654,
    'bytes-changed',
    'a page in a state of 2.2 or 3.0 is neither zero nor there',
  ],
  ['VERR_PGM_LOAD_UNEXPECTED_PAGE_TYPE', -1655, 'unit-contradicts', 'a ballooned page is within a large page'],
  [
    'VERR_PGM_UNEXPECTED_PAGE_STATE',
    -1656,
    'unit-contradicts',
    'a zero page comes where the machine has something that can not become one',
  ],
  [
    'VERR_PGM_SAVED_MMIO2_RANGE_NOT_FOUND',
    -1657,
    'unit-contradicts',
    'a page belongs to a range of device memory that the state does not list; in a live save: its first pass is missing',
  ],
  [
    'VERR_PGM_SAVED_MMIO2_PAGE_NOT_FOUND',
    -1658,
    'machine-differs',
    'a page lies after the end of its range of device memory',
  ],
  [
    'VERR_PGM_SAVED_ROM_RANGE_NOT_FOUND',
    -1659,
    'unit-contradicts',
    'a page belongs to a ROM that the state does not list',
  ],
  ['VERR_PGM_SAVED_ROM_PAGE_NOT_FOUND', -1660, 'machine-differs', 'a page lies after the end of its ROM'],
  ['VERR_PGM_SAVED_ROM_PAGE_PROT', -1661, 'bytes-changed', 'the protection of a ROM page can not be'],
  ['VERR_PGM_SAVED_REC_TYPE', -1662, 'bytes-changed', 'a page record is of no known type'],
  [
    'VERR_PGM_WRITE_MONITOR_ENGAGED',
    -1679,
    'live-save',
    'something else watches the writes to guest memory: two saves at a time',
  ],
  [
    'VERR_PGM_NOT_SUPPORTED_FOR_NEM_MODE',
    undefined,
    'host-trouble',
    'ballooned pages can not be had under Hyper-V, or another hypervisor of the host, nor without the driver vboxdrv',
  ],
];

// Raw mode, up to 6.0: where the hypervisor lived in the guest's address space.
const MAPPINGS: readonly CodeRow[] = [
  [
    'VERR_PGM_MAPPING_CONFLICT',
    undefined,
    'program-error',
    'two mappings of the hypervisor overlap, or the guest uses its addresses',
  ],
  [
    'VERR_PGM_MAPPINGS_FIXED',
    -1609,
    'program-error',
    'the mappings of the hypervisor have been fixed, so none can be added',
  ],
  [
    'VERR_PGM_MAPPINGS_FIX_CONFLICT',
    -1610,
    'program-error',
    'the guest uses the addresses to which the hypervisor was to be fixed',
  ],
  [
    'VERR_PGM_MAPPINGS_FIX_REJECTED',
    -1611,
    'program-error',
    'the hypervisor can not live at the addresses to which it was to be fixed',
  ],
  [
    'VERR_PGM_MAPPINGS_FIX_TOO_SMALL',
    -1612,
    'program-error',
    'the area to which the hypervisor was to be fixed is too small',
  ],
  ['VERR_PGM_NO_HYPERVISOR_ADDRESS', -1619, 'host-trouble', 'the guest leaves the hypervisor no addresses to live at'],
  [
    'VERR_PGM_INTERMEDIATE_PAGE_CONFLICT',
    undefined,
    'program-error',
    'a page for switching between host and guest lies where another one is',
  ],
  [
    'VERR_PGM_POOL_FLUSHED',
    undefined,
    'information',
    'the shadow page tables were thrown away to make room; they are built anew',
  ],
];

const CPUM: readonly CodeRow[] = [
  [
    'VERR_CPUM_INCOMPATIBLE_CONFIG',
    -1751,
    'cpu-differs',
    'the CPU that the machine is configured with can not take the state',
  ],
  ['VERR_CPUM_INVALID_CONFIG_VALUE', -1761, 'cpu-differs', "a setting of the machine's CPU can not be"],
  [
    'VERR_CPUM_INCOMPATIBLE_XSAVE_COMP_MASK',
    -1762,
    'cpu-differs',
    'the guest has more extended CPU state (AVX, AVX-512, …) than this host and machine offer',
  ],
  [
    'VERR_CPUM_INVALID_XSAVE_COMP_MASK',
    -1763,
    'cpu-differs',
    'the set of extended CPU state in the file can not be: parts that belong together are not all there',
  ],
  [
    'VERR_CPUM_INVALID_XSAVE_HDR',
    -1764,
    'cpu-differs',
    'a CPU holds extended state that the file says it does not have',
  ],
  [
    'VERR_CPUM_INVALID_XCR0',
    -1765,
    'cpu-differs',
    'the register XCR0 of a CPU is 0, or names more extended state than the CPU has; seen where a release or a hypervisor of the host saved it wrongly (7.1.12)',
  ],
  [
    'VERR_CPUM_INVALID_HWVIRT_CONFIG',
    -1767,
    'cpu-differs',
    'nested virtualisation is set up in a way that this host or engine can not do',
  ],
  [
    'VERR_CPUM_INVALID_HWVIRT_FEAT_COMBO',
    -1768,
    'cpu-differs',
    'features of nested virtualisation are set up that do not go together',
  ],
];

/** Codes of which logs are full, whatever happens: failures only where a line says that loading or saving failed. */
const OTHERS: readonly CodeRow[] = [
  ['VERR_FILE_NOT_FOUND', -102, 'file-missing', 'there is no file of that name'],
  ['VERR_PATH_NOT_FOUND', -103, 'file-missing', 'a folder on the way to the file is missing'],
  ['VERR_ACCESS_DENIED', -38, 'host-trouble', 'the user who runs VirtualBox may not read or write the file'],
  ['VERR_DISK_FULL', -152, 'host-trouble', 'the disk is full'],
  ['VERR_VM_INVALID_VM_STATE', -1907, 'program-error', 'the machine is in a state in which that can not be done'],
  [
    'VERR_VM_SAVE_STATE_NOT_ALLOWED',
    -1913,
    'host-trouble',
    'the machine can not be saved just now; a little later it can',
  ],
  ['VERR_TM_LOAD_STATE', undefined, 'unit-contradicts', 'a timer in a unit is in a state that it can not be in'],

  [
    'VERR_GENERAL_FAILURE',
    undefined,
    'bytes-changed',
    'a compressed block of a V1.x file does not start as it should; elsewhere anything',
  ],
  ['VERR_EOF', undefined, 'file-cut', 'the file ends too early'],
  ['VERR_WRONG_ORDER', -22, 'unit-contradicts', 'guest memory comes before the CPUs (unit cpum), or there is no cpum'],
  ['VERR_TOO_MUCH_DATA', -42, 'unit-contradicts', 'a text in a unit is longer than any that VirtualBox writes'],
  ['VERR_SUP_DRIVERLESS', undefined, 'host-trouble', 'that needs the driver vboxdrv'],
];

const GMM: readonly CodeRow[] = [
  ['VERR_GMM_SEED_ME', -3800, 'information', 'the host wants another 2 MiB for guest memory'],
  [
    'VERR_GMM_HIT_GLOBAL_LIMIT',
    -3802,
    'host-trouble',
    'all machines together have as much memory as the host lets them',
  ],
  ['VERR_GMM_HIT_VM_ACCOUNT_LIMIT', -3803, 'host-trouble', 'the machine wants more memory than it has reserved'],
  ['VERR_GMM_ATTEMPT_TO_FREE_TOO_MUCH', -3804, 'program-error', 'more memory is given back than there was'],
  ['VERR_GMM_ATTEMPT_TO_DEFLATE_TOO_MUCH', -3805, 'program-error', 'the balloon gives back more than it holds'],
  ['VERR_GMM_PAGE_ALREADY_FREE', -3809, 'program-error', 'a page is given back twice'],
];

/** Codes that tell of a failure wherever they stand; see `OTHERS`. */
export const TELLING_CODES: ReadonlySet<string> = new Set(
  [...SSM, ...PGM, ...MAPPINGS, ...CPUM, ...GMM].map(([name]) => name),
);

export const CODES: readonly CodeFacts[] = [
  ...SSM,
  ...PGM,
  ...MAPPINGS,
  ...CPUM,
  ...MACHINE_CODES,
  ...OTHERS,
  ...GMM,
].map(([name, number, kind, means, numberIn30]) => ({
  name,
  kind,
  means,
  number,
  numberIn30,
}));

/** Failures that a log tells of without a code; the names are savkit's. */
export const WITHOUT_CODE: readonly CodeFacts[] = [
  {
    name: 'save-never-ended',
    kind: 'never-ended',
    means: 'saving began, and the log ends before it ended: the file of the state is not complete',
  },
  { name: 'load-never-ended', kind: 'load-never-ended', means: 'loading began, and the log ends before it ended' },
  { name: 'load-failed', kind: 'not-known', means: 'the state could not be loaded, and no code tells why' },
  {
    name: 'guru-meditation',
    kind: 'crashed',
    means: 'the state was loaded, and the machine crashed afterwards: VirtualBox could not go on with the guest',
  },
  {
    name: 'guru-meditation-alone',
    kind: 'crashed',
    means:
      'the machine crashed: VirtualBox could not go on with the guest. The log tells of no state that was loaded before',
  },
];
