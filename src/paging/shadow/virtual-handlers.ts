import { hex } from '../../../formats/errors.ts';
import { type GuestPhys, type GuestVirt, PAGE_SIZE } from '../../../formats/sizes.ts';
import { clock } from '../../../formats/world/waiting.ts';
import type { RawCallback } from '../../pgm/access/handler-list.ts';
import { HandlerState } from '../../pgm/pages/page-states.ts';
import { Timing } from '../../pgm/statistics/timing.ts';
import { PhysToVirt, type PhysToVirtNode } from './phys-to-virt.ts';
import type { ShadowedCpu, ShadowedMachine } from './shadow-state.ts';
import { virtualHandlerError } from './virtual-handler-errors.ts';

/** `'hypervisor'`: only searched at faults in the hypervisor's own area. */
export type VirtualHandlerKind = 'write' | 'all' | 'hypervisor';

/** A handler of accesses to a stretch of virtual addresses. */
export interface VirtualHandler {
  /** Accesses that it intercepts. */
  readonly kind: VirtualHandlerKind;
  /** First address, page aligned. */
  readonly start: GuestVirt;
  /** End address, exclusive. */
  readonly end: GuestVirt;
  /** Description for people. */
  readonly description: string;
  /** Called for accesses; `'default'` lets memory carry them out. Absent in hypervisor handlers. */
  readonly callback?: (access: 'read' | 'write', address: GuestVirt, bytes: Uint8Array) => 'done' | 'default';
  /** Raw mode's part of the handler, if it has one. */
  readonly raw?: RawCallback | undefined;
  /** Called when the guest has invalidated one of the handler's pages, or mapped another page there. */
  readonly invalidate?: ((address: GuestVirt) => void) | undefined;
}

/** A handler with its pages. */
export interface Registered {
  handler: VirtualHandler;
  /** A node for each page. */
  nodes: PhysToVirtNode[];
  /** Number and times of its calls. */
  calls: Timing;
}

const PAGE = BigInt(PAGE_SIZE);

/**
 * Handlers of virtual addresses (guest-memory.md 10). They watch the physical pages to which the guest's tables led at
 * the last sync of CR3, so a new handler works from the next sync on.
 */
export class VirtualHandlers {
  /** @internal */
  readonly cache = new PhysToVirt();
  readonly #paging: ShadowedMachine;
  /** The `HandlerState` that handlers need, by frame. */
  readonly #states = new Map<number, number>();
  readonly #owners = new Map<PhysToVirtNode, Registered>();
  #guest: Registered[] = [];
  #hypervisor: VirtualHandler[] = [];

  constructor(paging: ShadowedMachine) {
    this.#paging = paging;
  }

  /** Guest handlers in ascending order. */
  get all(): readonly VirtualHandler[] {
    return this.#guest.map(({ handler }) => handler);
  }

  /** Guest handlers with their pages and calls. @internal */
  get registered(): readonly Readonly<Registered>[] {
    return this.#guest;
  }

  /** The handler of a node. @internal */
  ownerOf(node: PhysToVirtNode): VirtualHandler | undefined {
    return this.#owners.get(node)?.handler;
  }

  /** Frames that are marked as watched. @internal */
  get markedFrames(): Iterable<number> {
    return this.#states.keys();
  }

  /** Hypervisor handlers in ascending order. */
  get hypervisor(): readonly VirtualHandler[] {
    return this.#hypervisor;
  }

  /** @throws UsageError VERR_INVALID_PARAMETER, VERR_NOT_IMPLEMENTED, VERR_PGM_HANDLER_VIRTUAL_CONFLICT */
  register(handler: VirtualHandler): void {
    checkHandler(handler);
    const tree = handler.kind === 'hypervisor' ? this.#hypervisor : this.all;
    const other = tree.find((each) => each.start < handler.end && handler.start < each.end);
    if (other)
      throw virtualHandlerError(
        'VERR_PGM_HANDLER_VIRTUAL_CONFLICT',
        `Cannot register ${handler.description}: ${other.description} is there`,
      );
    if (handler.kind === 'hypervisor') {
      this.#hypervisor = [...this.#hypervisor, handler].sort((a, b) => (a.start < b.start ? -1 : 1));
      return;
    }
    const registered = { handler, nodes: nodesOf(handler), calls: new Timing() };
    for (const node of registered.nodes) this.#owners.set(node, registered);
    this.#guest.push(registered);
    this.#guest.sort((a, b) => (a.handler.start < b.handler.start ? -1 : 1));
    this.#requestUpdate();
  }

  /** @throws UsageError VERR_INVALID_PARAMETER if no handler starts at `start` */
  deregister(start: GuestVirt): void {
    const found = this.#guest.find(({ handler }) => handler.start === start);
    if (found) {
      for (const node of found.nodes) {
        this.#forget(node);
        this.#owners.delete(node);
      }
      this.#guest = this.#guest.filter((each) => each !== found);
      // Another handler may watch the same pages, and must not miss accesses until the next sync.
      this.#raise();
      this.#requestUpdate();
    } else if (this.#hypervisor.some((handler) => handler.start === start)) {
      this.#hypervisor = this.#hypervisor.filter((handler) => handler.start !== start);
    } else
      throw virtualHandlerError('VERR_INVALID_PARAMETER', `Cannot deregister handler: none starts at ${hex(start)}`);
  }

  /** @throws UsageError VERR_INVALID_PARAMETER if no guest handler starts at `start` */
  changeInvalidate(start: GuestVirt, invalidate: VirtualHandler['invalidate']): void {
    const found = this.#guest.find(({ handler }) => handler.start === start);
    if (!found)
      throw virtualHandlerError('VERR_INVALID_PARAMETER', `Cannot change handler: none starts at ${hex(start)}`);
    found.handler = { ...found.handler, invalidate };
  }

  /** The guest handler of an address. */
  find(address: GuestVirt): VirtualHandler | undefined {
    return this.#guest.find(({ handler }) => address >= handler.start && address < handler.end)?.handler;
  }

  /** Whether any page is watched. */
  get isActive(): boolean {
    return this.#states.size > 0;
  }

  /** The `HandlerState` that the handlers of a page need. @internal */
  stateOf(frame: number): number {
    return this.#states.get(frame) ?? HandlerState.NONE;
  }

  /** See `VirtualWatch`. @internal */
  call(
    access: 'read' | 'write',
    gcPhys: GuestPhys,
    bytes: Uint8Array,
    through?: GuestVirt,
  ): 'done' | 'default' | undefined {
    const start = clock();
    const node = this.cache.find(
      gcPhys,
      through,
      (each) => access === 'write' || this.#owners.get(each)?.handler.kind === 'all',
    );
    this.#paging.events.time('R3/VirtHandlerSearchByPhys', start);
    if (!node) return undefined;
    const address = node.address + BigInt(gcPhys - (node.gcPhys ?? 0));
    const { handler, calls } = this.#owners.get(node) as Registered;
    const callStart = clock();
    const answer = handler.callback?.(access, address, bytes);
    calls.add(callStart);
    return answer;
  }

  /** See `VirtualWatch`. @internal */
  borderAfter(gcPhys: GuestPhys): number {
    return this.cache.borderAfter(gcPhys);
  }

  /** The hypervisor handler of an address. */
  findHypervisor(address: GuestVirt): VirtualHandler | undefined {
    return this.#hypervisor.find((handler) => address >= handler.start && address < handler.end);
  }

  /** Tells the handler of a page that the guest has invalidated it. @internal */
  invalidate(address: GuestVirt): void {
    this.find(address)?.invalidate?.(address);
  }

  /**
   * Looks all watched pages up in a CPU's tables at a sync of CR3. After a change, or with `force`, makes page states
   * and cache anew and clears the pool, so that no alias of a watched page stays. @internal
   */
  update(cpu: ShadowedCpu, force: boolean): void {
    let changed = force;
    const { events, pool } = this.#paging;
    const start = clock();
    for (const { handler, nodes } of this.#guest) {
      for (const node of nodes) changed = this.#look(cpu, handler, node) || changed;
    }
    events.time('R3/SyncCR3/Handlers/VirtualUpdate', start);
    if (!changed) return;
    const resetStart = clock();
    this.#raise();
    events.time('R3/SyncCR3/Handlers/VirtualReset', resetStart);
    pool.clearAll();
  }

  #look(cpu: ShadowedCpu, handler: VirtualHandler, node: PhysToVirtNode): boolean {
    const found = cpu.space().translate(node.address);
    const gcPhys = found.status === 'mapped' ? found.gcPhys : undefined;
    if (gcPhys === node.gcPhys) return false;
    const wasKnown = node.gcPhys !== undefined;
    this.#forget(node);
    node.gcPhys = gcPhys;
    if (wasKnown) handler.invalidate?.(node.address);
    return true;
  }

  #forget(node: PhysToVirtNode): void {
    this.cache.remove(node);
    if (node.gcPhys !== undefined) this.#states.delete(Math.floor(node.gcPhys / PAGE_SIZE));
  }

  #raise(): void {
    const states = this.#states;
    states.clear();
    for (const { handler, nodes } of this.#guest) {
      const state = handler.kind === 'all' ? HandlerState.ALL : HandlerState.WRITE;
      for (const node of nodes) {
        if (node.gcPhys === undefined) continue;
        const frame = Math.floor(node.gcPhys / PAGE_SIZE);
        states.set(frame, Math.max(states.get(frame) ?? HandlerState.NONE, state));
        this.cache.insert(node);
      }
    }
  }

  #requestUpdate(): void {
    for (const { cr3 } of this.#paging.cpus) {
      cr3.flags.updateVirtual = true;
      cr3.requestSync();
    }
  }
}

function checkHandler({ kind, start, end, description, callback }: VirtualHandler): void {
  const hasCallback = typeof callback === 'function';
  if (end <= start || start < 0n || end > 1n << 64n || hasCallback === (kind === 'hypervisor'))
    throw virtualHandlerError(
      'VERR_INVALID_PARAMETER',
      `Cannot register ${description} at ${hex(start)}: expected an address range, and a callback only for ` +
        'guest handlers',
    );
  if (kind === 'all' && (start % PAGE !== 0n || end % PAGE !== 0n))
    throw virtualHandlerError(
      'VERR_NOT_IMPLEMENTED',
      `Cannot register ${description} at ${hex(start)}: handlers of all accesses cover whole pages`,
    );
}

/** A node for each page; the first and the last may cover parts of pages. */
function nodesOf({ start, end }: VirtualHandler): PhysToVirtNode[] {
  const nodes: PhysToVirtNode[] = [];
  for (let at = start; at < end; at = (at / PAGE + 1n) * PAGE) {
    const pageEnd = (at / PAGE + 1n) * PAGE;
    nodes.push({ address: at, size: Number((pageEnd < end ? pageEnd : end) - at), gcPhys: undefined });
  }
  return nodes;
}
