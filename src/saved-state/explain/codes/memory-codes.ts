import type { CodeRow } from './kinds.ts';

// Source: docs/spec/pgm-unit.md section 9, docs/spec/guest-memory.md.

/** Guest memory: its pages, their handlers, the unit that holds them. */
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
    'the page belongs to device registers and cannot be written as memory',
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
    'the state has a page of zeros where the machine has a page that cannot become one',
  ],
  [
    'VERR_PGM_SAVED_MMIO2_RANGE_NOT_FOUND',
    -1657,
    'unit-contradicts',
    'a page belongs to a range of device memory that the state does not list; in a live save: its first pass ' +
      'is missing',
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
  ['VERR_PGM_SAVED_ROM_PAGE_PROT', -1661, 'bytes-changed', 'the protection of a ROM page is impossible'],
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
    'ballooned pages cannot be had under Hyper-V, or another hypervisor of the host, nor without the driver vboxdrv',
  ],
];

/** Raw mode, up to 6.0: where the hypervisor lived in the guest's address space. */
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
    'the hypervisor cannot live at the addresses to which it was to be fixed',
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

/** The memory of the host. */
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

/** Guest memory, and the memory of the host under it. */
export const MEMORY_CODES: readonly CodeRow[] = [...PGM, ...MAPPINGS, ...GMM];
