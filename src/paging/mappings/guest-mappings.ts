import { hex } from '../../../formats/errors.ts';
import { FOUR_GIB, GIB } from '../../../formats/sizes.ts';
import { type GuestDirectory, isUsed } from './guest-directory.ts';
import {
  type FixedArea,
  type GuestMapping,
  MAPPING_UNIT,
  MAX_MAPPING,
  type MappingPiece,
  MIN_MAPPING,
  noteConflict,
  type Relocate,
} from './guest-mapping.ts';
import type { AllocateLow } from './hypervisor-pages.ts';
import type { IntermediateContext } from './intermediate-context.ts';
import { mappingError } from './mapping-errors.ts';
import { MappingPlaces } from './mapping-places.ts';
import { MappingTables } from './mapping-tables.ts';

/**
 * The hypervisor's mappings in the guest's address space, as raw mode has them: floating, so that they make room for
 * the guest, or fixed where the guest has agreed to (paging.md 5.3).
 */
export class GuestMappings {
  readonly #context: IntermediateContext;
  readonly #places: MappingPlaces;
  readonly #allocate: AllocateLow;
  /** Pieces with entries in directories; none before raw mode begins. */
  #placed: readonly MappingPiece[] = [];
  #isInUse = false;
  #list: GuestMapping[] = [];
  #state: 'new' | 'floating' | 'fixed' | 'disabled' = 'new';
  /** Area of the mappings that were fixed in the loaded state. */
  restoredFixed: FixedArea | undefined;
  #fixed: FixedArea | undefined;
  /** Called when shadow tables have to be synced. */
  onChange: (() => void) | undefined;

  /** @param context gets the mappings, too @param allocate gives frames for their tables */
  constructor(context: IntermediateContext, allocate: AllocateLow) {
    this.#context = context;
    this.#places = new MappingPlaces(context, () => this.#list);
    this.#allocate = allocate;
  }

  /**
   * Begins raw mode: mappings get page tables, and entries in directories. @throws EnvironmentError VERR_NO_PAGE_MEMORY
   */
  use(): void {
    this.#isInUse = true;
    for (const mapping of this.#list) mapping.tables = this.#tablesFor(mapping);
    this.#context.finalise();
    this.#changed();
  }

  /** Pieces that have entries in directories now, ascending. @internal */
  get placed(): readonly MappingPiece[] {
    return this.#placed;
  }

  /** Ascending. */
  get all(): readonly GuestMapping[] {
    return this.#list;
  }

  /** The mapping at an address. */
  at(address: number): GuestMapping | undefined {
    return this.#list.find(({ start, size }) => address >= start && address < start + size);
  }

  /** The area that the guest has agreed to; undefined while mappings float. */
  get fixed(): FixedArea | undefined {
    return this.#fixed;
  }

  /** Whether there are no mappings, as with hardware virtualisation. */
  get isDisabled(): boolean {
    return this.#state === 'disabled';
  }

  /** @throws UsageError VERR_INVALID_PARAMETER, VERR_PGM_MAPPINGS_FIXED, VERR_PGM_MAPPING_CONFLICT */
  add(start: number, size: number, description: string, relocate: Relocate): GuestMapping {
    const rounded = Math.ceil(size / MAPPING_UNIT) * MAPPING_UNIT;
    if (
      size < MIN_MAPPING ||
      size > MAX_MAPPING ||
      start < 0 ||
      start + rounded > FOUR_GIB ||
      typeof relocate !== 'function'
    )
      throw mappingError(
        'VERR_INVALID_PARAMETER',
        `Cannot map ${description} at ${hex(start)} + ${hex(size)}: expected 2 to 64 MiB below 4 GiB`,
      );
    if (this.#state === 'fixed')
      throw mappingError('VERR_PGM_MAPPINGS_FIXED', `Cannot map ${description}: mappings are fixed`);
    const other = this.#places.overlapping(start, rounded);
    if (other)
      throw mappingError(
        'VERR_PGM_MAPPING_CONFLICT',
        `Cannot map ${description} at ${hex(start)}: ${other.description} is there`,
      );
    const mapping: GuestMapping = {
      start,
      size: rounded,
      description,
      relocate,
      conflicts: 0,
      history: [],
      tables: [],
    };
    if (this.#isInUse) mapping.tables = this.#tablesFor(mapping);
    this.#list.push(mapping);
    this.#sort();
    this.#changed();
    return mapping;
  }

  /**
   * Takes the mappings of a loaded state, with their places; they have no owners yet. An empty list counts as disabled.
   * @param fixed the area that the guest had given them
   */
  load(list: readonly Pick<GuestMapping, 'start' | 'size' | 'description'>[], fixed?: FixedArea): void {
    this.#list = list.map((each) => ({ ...each, relocate: () => true, conflicts: 0, history: [], tables: [] }));
    this.#sort();
    this.#fixed = fixed;
    this.#state = fixed ? 'fixed' : this.#list.length > 0 ? 'floating' : 'disabled';
  }

  /** Whether mappings need places: they have none yet, or those of a loaded state are in the way of world switches. */
  get wantsLayout(): boolean {
    return this.#state === 'new' || this.#list.some(({ start, size }) => this.#places.usesContext(start, size));
  }

  /** The mapping with a description, if a loaded state has it; else it is added. @throws UsageError as `add` */
  own(start: number, size: number, description: string, relocate: Relocate): GuestMapping {
    if (this.#state === 'disabled') this.#state = 'new';
    const found = this.#list.find((mapping) => mapping.description === description);
    if (found) {
      found.relocate = relocate;
      return found;
    }
    const added = this.add(this.#places.overlapping(start, size) ? 0 : start, size, description, relocate);
    if (this.#state === 'floating') added.start = this.#places.first(added, start);
    this.#sort();
    return added;
  }

  /**
   * Gives each mapping its first place, around the addresses that world switches use. @throws UsageError
   * VERR_WRONG_ORDER, VERR_PGM_INTERMEDIATE_PAGE_CONFLICT
   */
  finalise(): void {
    if (!this.wantsLayout) throw mappingError('VERR_WRONG_ORDER', 'Cannot place mappings: that has been done');
    this.#context.finalise();
    let next: number | undefined;
    for (const mapping of this.#list) {
      const from = mapping.start;
      mapping.start =
        next !== undefined && this.#places.isAcceptable(mapping, from, next) ? next : this.#places.first(mapping, from);
      mapping.relocate('relocate', from, mapping.start);
      next = mapping.start + mapping.size;
    }
    this.#sort();
    this.#state = 'floating';
  }

  /**
   * Places all mappings from `base` on, for good. Nothing happens when they are disabled.
   * @throws UsageError VERR_INVALID_PARAMETER, VERR_PGM_MAPPINGS_FIX_CONFLICT, VERR_PGM_MAPPINGS_FIX_REJECTED,
   * VERR_PGM_MAPPINGS_FIX_TOO_SMALL
   */
  fix(base: number, size: number, pae: boolean): void {
    if (this.#state === 'disabled') return;
    if (base % MAPPING_UNIT !== 0 || size % MAPPING_UNIT !== 0 || size <= 0 || base < 0 || base + size > FOUR_GIB)
      throw mappingError(
        'VERR_INVALID_PARAMETER',
        `Cannot fix mappings at ${hex(base)} + ${hex(size)}: expected multiples of 4 MiB`,
      );
    if (this.#places.usesContext(base, size)) throw this.#fixConflict(base, 'world switches need addresses there');
    if (pae && Math.floor(base / GIB) !== Math.floor((base + size - 1) / GIB))
      throw this.#fixConflict(base, 'it would cross 1 GiB');
    const places = this.#placesFrom(base);
    const end = base + this.#list.reduce((sum, mapping) => sum + mapping.size, 0);
    if (end > base + size)
      throw mappingError(
        'VERR_PGM_MAPPINGS_FIX_TOO_SMALL',
        `Cannot fix mappings at ${hex(base)}: ${hex(size)} bytes, they need ${hex(end - base)}`,
      );
    for (const [mapping, place] of places) {
      if (!mapping.relocate('suggest', mapping.start, place))
        throw mappingError(
          'VERR_PGM_MAPPINGS_FIX_REJECTED',
          `Cannot fix mappings at ${hex(base)}: ${mapping.description} refuses ${hex(place)}`,
        );
    }
    for (const [mapping, place] of places) this.#move(mapping, place);
    this.#sort();
    this.#state = 'fixed';
    this.#fixed = { base, size };
    this.restoredFixed = undefined;
    this.#changed();
  }

  /** Lets the mappings float again. */
  unfix(): void {
    this.restoredFixed = undefined;
    if (this.#state !== 'fixed') return;
    this.#state = 'floating';
    this.#fixed = undefined;
    this.#changed();
  }

  /** To be called after a state with fixed mappings was loaded: they float until they are fixed anew. */
  unfixAfterLoad(): void {
    const area = this.#fixed;
    this.unfix();
    this.restoredFixed = area;
    if (this.#list.length === 0) this.#state = 'disabled';
  }

  /** Takes all mappings out of the guest's address space: hardware virtualisation needs none. */
  disable(): void {
    this.#state = 'disabled';
    this.#changed();
  }

  /** Resets the mappings as at power-on. */
  reset(): void {
    this.unfix();
  }

  /** Mappings whose place the guest uses. Fixed ones have no conflicts: the guest has agreed. */
  conflictsWith(directory: GuestDirectory): GuestMapping[] {
    if (this.#state !== 'floating') return [];
    return this.#list.filter((mapping) => isUsed(directory, mapping.start, mapping.size));
  }

  /**
   * Moves every mapping out of the guest's way.
   * @returns mappings that stay at their addresses, as the guest uses all others (VERR_PGM_NO_HYPERVISOR_ADDRESS)
   */
  resolveConflicts(directory: GuestDirectory): GuestMapping[] {
    const stuck = this.conflictsWith(directory).filter((mapping) => {
      noteConflict(mapping);
      const place = this.#places.free(mapping, directory);
      if (place === undefined) return true;
      this.#move(mapping, place);
      this.#sort();
      return false;
    });
    this.#changed();
    return stuck;
  }

  #tablesFor({ size }: GuestMapping): MappingTables[] {
    return Array.from({ length: size / MAPPING_UNIT }, () => new MappingTables(this.#allocate));
  }

  /** Updates `placed` and the intermediate context, and calls `onChange`, by which shadow tables follow. */
  #changed(): void {
    for (const { address } of this.#placed) this.#context.clearMapping(address);
    const isThere = this.#isInUse && this.#state !== 'disabled';
    this.#placed = !isThere
      ? []
      : this.#list.flatMap((mapping) =>
          mapping.tables.map((tables, i) => ({ address: mapping.start + i * MAPPING_UNIT, mapping, tables })),
        );
    for (const { address, tables } of this.#placed) this.#context.setMapping(address, tables);
    this.onChange?.();
  }

  #placesFrom(base: number): [GuestMapping, number][] {
    let next = base;
    return this.#list.map((mapping) => {
      const place = next;
      next += mapping.size;
      return [mapping, place];
    });
  }

  #move(mapping: GuestMapping, place: number): void {
    const from = mapping.start;
    mapping.start = place;
    mapping.relocate('relocate', from, place);
  }

  #sort(): void {
    this.#list.sort((a, b) => a.start - b.start);
  }

  #fixConflict(base: number, why: string): Error {
    return mappingError('VERR_PGM_MAPPINGS_FIX_CONFLICT', `Cannot fix mappings at ${hex(base)}: ${why}`);
  }
}
