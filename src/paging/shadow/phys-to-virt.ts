import { type GuestPhys, type GuestVirt, PAGE_SIZE } from '../../../formats/sizes.ts';

/** A page, or a part of one, that a virtual handler watches. */
export interface PhysToVirtNode {
  /** First virtual address. */
  readonly address: GuestVirt;
  /** Bytes, within one page. */
  readonly size: number;
  /** Guest-physical address of the first byte; undefined while nothing is mapped there. */
  gcPhys: GuestPhys | undefined;
}

/** The first of the nodes that watch the same bytes at other addresses, and the others after it. */
export interface AliasChain {
  start: GuestPhys;
  /** Exclusive. */
  end: GuestPhys;
  nodes: PhysToVirtNode[];
}

/** Maps physical bytes to virtual handlers (PGMPHYS2VIRTHANDLER). */
export class PhysToVirt {
  readonly #chains = new Map<number, AliasChain[]>();
  /**
   * Nodes that overlap another one only in part: VirtualBox's tree has no place for such nodes. By frame of their page.
   */
  readonly #leftOut = new Map<number, PhysToVirtNode[]>();

  /** Chains by frame of their page. */
  get pages(): ReadonlyMap<number, readonly AliasChain[]> {
    return this.#chains;
  }

  /** Adds a node, unless it is there already: after the others with the same bytes, if there are some. */
  insert(node: PhysToVirtNode): void {
    if (node.gcPhys === undefined) return;
    const [start, end] = [node.gcPhys, node.gcPhys + node.size];
    const chains = listOn(this.#chains, start);
    const other = chains.find((chain) => chain.start < end && start < chain.end);
    if (other?.nodes.includes(node)) return;
    const leftOut = listOn(this.#leftOut, start);
    if (leftOut.includes(node)) leftOut.splice(leftOut.indexOf(node), 1);
    if (!other) chains.push({ start, end, nodes: [node] });
    else if (other.start === start && other.end === end) other.nodes.splice(1, 0, node);
    else leftOut.push(node);
  }

  /** Removes a node; if it was the first of a chain, the next one takes its place. */
  remove(node: PhysToVirtNode): void {
    if (node.gcPhys === undefined) return;
    const leftOut = listOn(this.#leftOut, node.gcPhys);
    if (leftOut.includes(node)) leftOut.splice(leftOut.indexOf(node), 1);
    const chains = listOn(this.#chains, node.gcPhys);
    const chain = chains.find(({ nodes }) => nodes.includes(node));
    if (!chain) return;
    chain.nodes.splice(chain.nodes.indexOf(node), 1);
    if (chain.nodes.length === 0) chains.splice(chains.indexOf(chain), 1);
  }

  /**
   * The accepted node that watches a byte: preferably the one with virtual address `through`; else the first of the
   * chain; else one that found no place in a chain, so that no write to a watched byte is missed.
   */
  find(
    gcPhys: GuestPhys,
    through: GuestVirt | undefined,
    accepts: (node: PhysToVirtNode) => boolean,
  ): PhysToVirtNode | undefined {
    const frame = Math.floor(gcPhys / PAGE_SIZE);
    const chain = this.#chains.get(frame)?.find(({ start, end }) => gcPhys >= start && gcPhys < end);
    const leftOut = this.#leftOut.get(frame)?.filter((node) => covers(node, gcPhys));
    const nodes = [...(chain?.nodes ?? []), ...(leftOut ?? [])].filter(accepts);
    return nodes.find((node) => through === node.address + BigInt(gcPhys - startOf(node))) ?? nodes[0];
  }

  /** The first address after `gcPhys` at which a node of its page begins or ends; Infinity where there is none. */
  borderAfter(gcPhys: GuestPhys): number {
    const frame = Math.floor(gcPhys / PAGE_SIZE);
    let border = Number.POSITIVE_INFINITY;
    const note = (address: number) => {
      if (address > gcPhys) border = Math.min(border, address);
    };
    for (const { start, end } of this.#chains.get(frame) ?? []) {
      note(start);
      note(end);
    }
    for (const node of this.#leftOut.get(frame) ?? []) {
      note(startOf(node));
      note(startOf(node) + node.size);
    }
    return border;
  }
}

function listOn<T>(lists: Map<number, T[]>, gcPhys: GuestPhys): T[] {
  const frame = Math.floor(gcPhys / PAGE_SIZE);
  const list = lists.get(frame) ?? [];
  lists.set(frame, list);
  return list;
}

function startOf(node: PhysToVirtNode): GuestPhys {
  return node.gcPhys ?? 0;
}

function covers(node: PhysToVirtNode, gcPhys: GuestPhys): boolean {
  return gcPhys >= startOf(node) && gcPhys < startOf(node) + node.size;
}
