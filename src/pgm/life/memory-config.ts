import { FOUR_GIB, MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { HostPriority, OverCommitPolicy } from '../../gmm/host-reservation.ts';
import { pgmError } from '../pages/pgm-errors.ts';

/** The configuration of a machine's memory, as values of VirtualBox's configuration tree (guest-memory.md 1). */
export type ConfigValues = Readonly<Record<string, string | number | boolean | undefined>>;

/** The configuration of a machine's memory, checked and with defaults. */
export interface MemoryConfig {
  /** Bytes, whole pages. */
  ramSize: number;
  /** Bytes below 4 GiB that are no RAM. */
  ramHoleSize: number;
  /** All RAM is allocated before the machine runs, and stays allocated. */
  ramPreAlloc: boolean;
  /** Maximum number of chunks of host memory that are mapped at a time. */
  maxRing3Chunks: number;
  /** Whether machines together may reserve more memory than the host has. */
  policy: OverCommitPolicy;
  /** Priority: machines with a high one are the last that the host asks to give memory back. */
  priority: HostPriority;
  /** The pool of shadow tables, as `Machine.usePaging` takes it: tables, and lists of tables that map one page. */
  pool: { poolPages: number; extents: number };
}

/** The largest RAM on 64-bit hosts. */
const MAX_RAM_SIZE = 0x0000_0fff_ffff_0000;
const HOLE = { default: 512 * MIB, above: 16 * MIB, upTo: 4032 * MIB, step: 4 * MIB };
const POOL_PAGES = { default: 1024, from: 16, to: 0x3fff, step: 16 };
/** Maximum number of lists; the next number marks a page that is mapped by too many tables. */
const MAX_EXTENTS = 0x3fff;
const MAX_POOL_USERS = 32768;
const PRIORITIES = ['low', 'normal', 'high'];

/**
 * Reads the configuration of memory; keys that are missing have VirtualBox's defaults.
 * @throws UsageError VERR_OUT_OF_RANGE, VERR_INVALID_PARAMETER
 */
export function readMemoryConfig(values: ConfigValues): MemoryConfig {
  const ramSize = number(values, 'RamSize', 0);
  if (ramSize > MAX_RAM_SIZE) throw outOfRange('RamSize', ramSize, `at most ${MAX_RAM_SIZE}`);
  const ramHoleSize = number(values, 'RamHoleSize', HOLE.default);
  if (!(ramHoleSize > HOLE.above && ramHoleSize <= HOLE.upTo && ramHoleSize % HOLE.step === 0))
    throw outOfRange('RamHoleSize', ramHoleSize, `above ${HOLE.above}, up to ${HOLE.upTo}, a multiple of ${HOLE.step}`);
  return {
    ramSize: ramSize - (ramSize % PAGE_SIZE),
    ramHoleSize,
    ramPreAlloc: bool(values, 'RamPreAlloc', false),
    maxRing3Chunks: number(values, 'PGM/MaxRing3Chunks', 0xffff_ffff),
    policy: readPolicy(values),
    priority: readPriority(values),
    pool: readPool(values),
  };
}

/** The ranges of RAM: `[start, end)` and VirtualBox's description. */
export function ramStretches({
  ramSize,
  ramHoleSize,
}: MemoryConfig): { start: number; end: number; description: string }[] {
  const holeStart = FOUR_GIB - ramHoleSize;
  const stretches = [{ start: 0, end: Math.min(ramSize, holeStart), description: 'Base RAM' }];
  if (ramSize > holeStart)
    stretches.push({ start: FOUR_GIB, end: FOUR_GIB + ramSize - holeStart, description: 'Above 4GB Base RAM' });
  return stretches.filter(({ start, end }) => end > start);
}

/** The key's documented place is below `MM`, but VirtualBox's code reads it at the root; savkit accepts both. */
function readPolicy(values: ConfigValues): OverCommitPolicy {
  const policy = String(values['MM/Policy'] ?? values.Policy ?? 'no_oc').toLowerCase();
  if (policy === 'no_oc' || policy === 'no overcommitment') return 'no-over-commitment';
  throw invalid('MM/Policy', policy, 'no_oc');
}

function readPriority(values: ConfigValues): HostPriority {
  const priority = String(values['MM/Priority'] ?? values.Priority ?? 'normal').toLowerCase();
  if (PRIORITIES.includes(priority)) return priority as HostPriority;
  throw invalid('MM/Priority', priority, PRIORITIES.join(', '));
}

function readPool(values: ConfigValues): MemoryConfig['pool'] {
  const pages = number(values, 'PGM/Pool/MaxPages', POOL_PAGES.default);
  if (pages < POOL_PAGES.from || pages > POOL_PAGES.to)
    throw invalid('PGM/Pool/MaxPages', pages, `${POOL_PAGES.from} to ${POOL_PAGES.to}`);
  const maxPages = Math.ceil(pages / POOL_PAGES.step) * POOL_PAGES.step;
  const maxUsers = number(values, 'PGM/Pool/MaxUsers', maxPages * 2);
  if (maxUsers < maxPages || maxUsers > MAX_POOL_USERS)
    throw invalid('PGM/Pool/MaxUsers', maxUsers, `${maxPages} to ${MAX_POOL_USERS}`);
  const maxPhysExts = number(values, 'PGM/Pool/MaxPhysExts', Math.max(maxPages * 2, 0x3fff));
  if (maxPhysExts < 16) throw invalid('PGM/Pool/MaxPhysExts', maxPhysExts, 'at least 16');
  // The key is only checked: savkit's pool always has its cache, which changes nothing but speed.
  bool(values, 'PGM/Pool/CacheEnabled', true);
  return { poolPages: Math.min(maxPages, POOL_PAGES.to), extents: Math.min(maxPhysExts, MAX_EXTENTS) };
}

function number(values: ConfigValues, key: string, absent: number): number {
  const value = values[key] ?? absent;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(key, value, 'a whole number');
}

function bool(values: ConfigValues, key: string, absent: boolean): boolean {
  const value = values[key] ?? absent;
  if (typeof value === 'boolean') return value;
  throw invalid(key, value, 'true or false');
}

function invalid(key: string, value: unknown, expected: string): Error {
  return pgmError(
    'VERR_INVALID_PARAMETER',
    `Cannot configure memory: ${key} is ${JSON.stringify(value)}, expected ${expected}`,
  );
}

function outOfRange(key: string, value: number, expected: string): Error {
  return pgmError('VERR_OUT_OF_RANGE', `Cannot configure memory: ${key} is ${value}, expected ${expected}`);
}
