import { array, bool, bool32, gcPhys, gcPhysMask, gcPtr, mask64, text, u8, u32, u64 } from '../binary/kinds.ts';
import { begin, end, separator } from '../binary/markers.ts';
import { defineStruct, type StructValue } from '../binary/struct.ts';
import { SINCE_BALLOON_COUNT, SINCE_PAE_PDS } from './versions.ts';

// The fixed parts of the pgm unit (pgm-unit.md 3–6). Offsets and rules: FORMAT.md, whose tables are made from these
// declarations.

/** Ends the lists of ROMs and MMIO2 ranges, and the page records. */
export const END_ID = 0xff;
/** RTGCPHYS with all bits one: no address. */
export const NIL_GC_PHYS = 0xffff_ffff_ffff_ffffn;

/** Version 6: no markers, one VCPU. */
export const basicV6 = defineStruct('Basic part, version 6', 'PGM.cpp of 1.6–2.1, pgmR3Save', {
  mappingsFixed: { kind: bool, doc: 'fMappingsFixed' },
  mappingFixed: { kind: gcPtr, doc: 'GCPtrMappingFixed' },
  mappingFixedSize: { kind: u32, doc: 'cbMappingFixed' },
  ramSize: { kind: u32, doc: 'cbRamSize' },
  a20Mask: { kind: gcPhysMask, doc: 'GCPhysA20Mask; recomputed by loaders' },
  a20Enabled: { kind: bool32, doc: 'fA20Enabled' },
  syncFlags: { kind: u32, doc: 'fSyncFlags; restored, no effect' },
  guestMode: { kind: u32, doc: 'enmGuestMode' },
  separator,
});

/** Versions 7 and 8: one VCPU. */
export const basicV7 = defineStruct('Basic part, versions 7 and 8', 'PGM.cpp of 2.2, s_aPGMFields', {
  begin,
  mappingsFixed: { kind: bool, doc: 'fMappingsFixed' },
  mappingFixed: { kind: gcPtr, doc: 'GCPtrMappingFixed' },
  mappingFixedSize: { kind: u32, doc: 'cbMappingFixed' },
  a20Enabled: { kind: bool, doc: 'fA20Enabled' },
  a20Mask: { kind: gcPhysMask, doc: 'GCPhysA20Mask; recomputed by loaders' },
  guestMode: { kind: u32, doc: 'enmGuestMode' },
  end,
});

export const pgmStruct = defineStruct('PGM structure, versions 9–14', 'PGMSavedState.cpp, s_aPGMFields', {
  begin,
  mappingsFixed: { kind: bool, doc: 'fMappingsFixed; 7.x writes 0' },
  mappingFixed: { kind: gcPtr, doc: 'GCPtrMappingFixed; 7.x writes 0' },
  mappingFixedSize: { kind: u32, doc: 'cbMappingFixed; 7.x writes 0' },
  balloonedPages: { kind: u32, doc: 'cBalloonedPages', since: SINCE_BALLOON_COUNT, absent: 0 },
  end,
});

export const cpuStruct = defineStruct('VCPU structure, versions 9–14', 'PGMSavedState.cpp, s_aPGMCpuFields', {
  begin,
  a20Enabled: { kind: bool, doc: 'fA20Enabled' },
  a20Mask: { kind: gcPhysMask, doc: 'GCPhysA20Mask; recomputed by loaders' },
  guestMode: { kind: u32, doc: 'enmGuestMode' },
  paePds: {
    kind: array(mask64, 4),
    doc: 'aGCPhysGstPaePDs: page directories that the PAE pointers name; all ones where there is none',
    since: SINCE_PAE_PDS,
  },
  end,
});

export const mapping = defineStruct('Mapping, versions 6–13', 'PGM.cpp, pgmR3SaveExec', {
  description: { kind: text(256), doc: 'description' },
  address: { kind: gcPtr, doc: 'guest-virtual address' },
  pageTables: { kind: gcPtr, doc: 'number of page tables (GCUIntPtr)' },
});

export const ramConfig = defineStruct('RAM configuration, versions 11–14', 'PGMSavedState.cpp, pgmR3SaveRamConfig', {
  ramHole: { kind: u32, doc: 'cbRamHole: bytes of the hole below 4 GiB' },
  ramSize: { kind: u64, doc: 'cbRam: bytes of guest RAM' },
});

export const romEntry = defineStruct('ROM list entry, versions 10–14', 'PGMSavedState.cpp, pgmR3SaveRomRanges', {
  device: { kind: text(32), doc: 'device name: empty' },
  instance: { kind: u32, doc: 'device instance: 0' },
  region: { kind: u8, doc: 'region: 0' },
  description: { kind: text(64), doc: 'description, by which loaders match' },
  address: { kind: gcPhys, doc: 'guest-physical address, page aligned' },
  size: { kind: gcPhys, doc: 'bytes, page aligned' },
});

export const mmio2Entry = defineStruct('MMIO2 list entry, versions 10–14', 'PGMSavedState.cpp, pgmR3SaveMmio2Ranges', {
  device: { kind: text(32), doc: 'device name' },
  instance: { kind: u32, doc: 'device instance' },
  region: { kind: u8, doc: 'region; loaders match by device, instance and region' },
  description: { kind: text(64), doc: 'description' },
  size: { kind: gcPhys, doc: 'bytes, page aligned' },
});

export const ramRange = defineStruct('RAM range, versions 6–9', 'PGMSavedState.cpp, pgmR3LoadMemoryOld', {
  first: { kind: gcPhys, doc: 'first address' },
  last: { kind: gcPhys, doc: 'last address, inclusive' },
  size: { kind: gcPhys, doc: 'bytes' },
  ownMemory: { kind: u8, doc: 'fHaveBits: 1 when the range has memory of its own (MMIO2)' },
});

export const rangeDescription = text(256);

/** One mapping of the hypervisor in the guest's address space; the table in FORMAT.md tells the fields. */
export type Mapping = StructValue<typeof mapping>;
/** A ROM, as the unit lists it; the table in FORMAT.md tells the fields. */
export type RomEntry = StructValue<typeof romEntry> & {
  /** Number that page records name the range by. */
  id: number;
};
/** Memory of a device, as the unit lists it; the table in FORMAT.md tells the fields. */
export type Mmio2Entry = StructValue<typeof mmio2Entry> & {
  /** Number that page records name the range by. */
  id: number;
};
