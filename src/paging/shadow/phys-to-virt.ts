import { type GuestPhys, type GuestVirt, PAGE_SIZE } from '../../../formats/sizes.ts';

/** A page, or a part of one, that a virtual handler watches. */
export interface PhysToVirtNode {
  /** First virtual address. */
  readonly address: GuestVirt;
  /** Bytes, within one page. */
  readonly size: number;
  /** Where the first byte lies; undefined while the guest has nothing there. */
  gcPhys: GuestPhys | undefined;
}

/** A node in the cache, with the others that watch the same bytes at other addresses. */
interface Head {
  start: GuestPhys;
  end: GuestPhys;
  nodes: PhysToVirtNode[];
}

/** From physical bytes to virtual handlers (PGMPHYS2VIRTHANDLER). */
export class PhysToVirt {
  readonly #heads = new Map<number, Head[]>();
  /** Nodes that overlap another one only in part: VirtualBox leaves those out, and logs it. */
  leftOut = 0;

  /** Nodes with the same bytes as another one are chained behind it. Nothing happens for one that is there. */
  insert(node: PhysToVirtNode): void {
    if (node.gcPhys === undefined) return;
    const [start, end] = [node.gcPhys, node.gcPhys + node.size];
    const heads = this.#headsOn(start);
    const other = heads.find((head) => head.start < end && start < head.end);
    if (!other) heads.push({ start, end, nodes: [node] });
    else if (other.nodes.includes(node)) return;
    else if (other.start === start && other.end === end) other.nodes.splice(1, 0, node);
    else this.leftOut++;
  }

  /** When a head goes, the next of its chain takes its place. */
  remove(node: PhysToVirtNode): void {
    if (node.gcPhys === undefined) return;
    const heads = this.#headsOn(node.gcPhys);
    const head = heads.find(({ nodes }) => nodes.includes(node));
    if (!head) return;
    head.nodes.splice(head.nodes.indexOf(node), 1);
    if (head.nodes.length === 0) heads.splice(heads.indexOf(head), 1);
  }

  /** The first node that watches a byte. */
  find(gcPhys: GuestPhys): PhysToVirtNode | undefined {
    return this.#heads.get(Math.floor(gcPhys / PAGE_SIZE))?.find(({ start, end }) => gcPhys >= start && gcPhys < end)
      ?.nodes[0];
  }

  #headsOn(gcPhys: GuestPhys): Head[] {
    const frame = Math.floor(gcPhys / PAGE_SIZE);
    const heads = this.#heads.get(frame) ?? [];
    this.#heads.set(frame, heads);
    return heads;
  }
}
