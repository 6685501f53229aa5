import type { ByteSource } from '../../../formats/files/source.ts';
import type { GuestPhys } from '../../../formats/sizes.ts';
import { pagingOptionsOf } from '../../paging/address-space.ts';
import { hasPaging, pagingModeOf } from '../../paging/modes.ts';
import type { StateView } from '../reading/state-view.ts';
import { findNotes, type NoteSearchOptions } from './find-notes.ts';
import { RereadPages } from './reread-pages.ts';
import { type UpperHalf, upperHalfOf, type VirtualStretch } from './upper-half.ts';
import { readVmcoreinfo, type Vmcoreinfo } from './vmcoreinfo.ts';

/** Facts about a guest's kernel from its memory. */
export interface GuestKernel extends UpperHalf {
  /** Description of a Linux kernel that runs in the guest. */
  vmcoreinfo?: Vmcoreinfo;
}

/** Maximum number of notes whose page tables are walked. */
const MAX_TRIES = 4;
/** Address at which x86-64 Linux maps itself: `__START_KERNEL_map`. */
const KERNEL_MAP = 0xffff_ffff_8000_0000n;
/** `struct new_utsname` consists of six texts of 65 bytes; the third is the release. */
const UTS_TEXT = 65;
const RELEASE_OFFSET = 2 * UTS_TEXT;

/**
 * Finds the kernel of a guest and the mappings of its page tables. Reads the file some five times, without
 * decompressing most of it.
 */
export async function findKernel(
  source: ByteSource,
  state: StateView,
  options: NoteSearchOptions,
): Promise<GuestKernel> {
  const cpu = state.cpus.registers.find((registers) => hasPaging(pagingModeOf(registers)));
  if (!cpu) return { stretches: [], complete: true };
  const pages = new RereadPages(source, state.memory?.regions ?? [], options.signal);
  const paging = pagingOptionsOf(state.cpus);
  const mapsOf = (cr3: bigint) => pages.settle(() => upperHalfOf(pages, { ...cpu, cr3 }, paging, options.signal));
  for (const vmcoreinfo of await believableNotes(pages, await findNotes(source, options))) {
    const upper = await mapsOf(rootOf(vmcoreinfo) ?? cpu.cr3);
    if (upper && (await pages.settle(() => isAtHome(pages, vmcoreinfo, upper.stretches))))
      return { ...upper, vmcoreinfo };
  }
  return (await mapsOf(cpu.cr3)) ?? { stretches: [], complete: false };
}

/**
 * Picks the notes that name the address of the kernel's release name; where a note also tells the physical address, the
 * name has to be there.
 */
async function believableNotes(pages: RereadPages, addresses: readonly GuestPhys[]): Promise<Vmcoreinfo[]> {
  const found = await pages.settle(() => {
    const notes = addresses.flatMap((at) => readVmcoreinfo((from, target) => pages.read(from, target), at) ?? []);
    const distinct = [...new Map(notes.map((note) => [String.fromCharCode(...note.text), note])).values()];
    return distinct.filter((note) => {
      const at = releaseAddress(note);
      const gcPhys = at === undefined ? undefined : physicalOf(note, at);
      return at !== undefined && (gcPhys === undefined || bearsRelease(pages, note, gcPhys));
    });
  });
  return (found ?? []).slice(0, MAX_TRIES);
}

/** Whether the page tables map the release name at the address that the note gives. */
function isAtHome(pages: RereadPages, note: Vmcoreinfo, stretches: readonly VirtualStretch[]): boolean {
  const at = releaseAddress(note) ?? 0n;
  const home = stretches.find(({ virtual, size }) => at >= virtual && at + BigInt(UTS_TEXT) <= virtual + BigInt(size));
  return home !== undefined && bearsRelease(pages, note, home.gcPhys + Number(at - home.virtual));
}

/** The virtual address of `init_uts_ns.name.release`. */
function releaseAddress({ symbols, offsets }: Vmcoreinfo): bigint | undefined {
  const start = symbols.get('init_uts_ns');
  return start === undefined ? undefined : start + (offsets.get('uts_namespace.name') ?? 0n) + BigInt(RELEASE_OFFSET);
}

/**
 * Root of the kernel's own page tables, since those of a process may map little of it; undefined if the note does not
 * tell.
 */
function rootOf(note: Vmcoreinfo): bigint | undefined {
  const root = note.symbols.get('swapper_pg_dir') ?? note.symbols.get('init_top_pgt');
  const gcPhys = root === undefined ? undefined : physicalOf(note, root);
  return gcPhys === undefined ? undefined : BigInt(gcPhys);
}

/** Physical address of an address in the image of x86-64 Linux; undefined if the note does not tell. */
function physicalOf({ numbers }: Vmcoreinfo, address: bigint): GuestPhys | undefined {
  const physBase = numbers.get('phys_base');
  const gcPhys = physBase === undefined ? -1n : address - KERNEL_MAP + physBase;
  return address >= KERNEL_MAP && gcPhys >= 0n && gcPhys < 1n << 52n ? Number(gcPhys) : undefined;
}

function bearsRelease(pages: RereadPages, { release }: Vmcoreinfo, gcPhys: GuestPhys): boolean {
  const bytes = new Uint8Array(UTS_TEXT);
  pages.read(gcPhys, bytes);
  return String.fromCharCode(...bytes.subarray(0, release.length + 1)) === `${release}\0`;
}
