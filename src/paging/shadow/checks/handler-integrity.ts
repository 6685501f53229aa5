import { hex } from '../../../../formats/errors.ts';
import { PAGE_SIZE } from '../../../../formats/sizes.ts';
import { HandlerState } from '../../../pgm/pages/page-states.ts';
import type { AliasChain, PhysToVirtNode } from '../phys-to-virt.ts';
import type { ShadowPaging } from '../shadow-paging.ts';
import type { VirtualHandler } from '../virtual-handlers.ts';

type Report = (finding: string) => void;

/**
 * Checks handlers of virtual addresses (guest-memory.md 11.1, 11.2): both trees in both directions, the owner of each
 * page, the map from physical bytes to handlers with every alias, and the marks of pages.
 * @returns all findings; empty when all is well
 */
export function checkHandlers({ virtualHandlers }: ShadowPaging): string[] {
  const findings: string[] = [];
  const report = (finding: string) => void findings.push(finding);
  checkTree('virtual handler', virtualHandlers.all, report);
  checkTree('hypervisor handler', virtualHandlers.hypervisor, report);
  const owned = new Set<PhysToVirtNode>();
  for (const { handler, nodes } of virtualHandlers.registered) {
    checkNodes(handler, nodes, report);
    for (const node of nodes) {
      if (virtualHandlers.ownerOf(node) !== handler) report(`page ${hex(node.address)} belongs to another handler`);
      owned.add(node);
    }
  }
  for (const [frame, chains] of virtualHandlers.cache.pages) checkChains(frame, chains, owned, report);
  checkStates({ virtualHandlers }, report);
  return findings;
}

/**
 * Walks the tree up and down, as VirtualBox does, since a tree that is changed meanwhile may look right in one
 * direction.
 */
function checkTree(what: string, list: readonly VirtualHandler[], report: Report): void {
  for (const { start, end } of list) if (start >= end) report(`${what} ${hex(start)} ends before it starts`);
  for (let i = 1; i < list.length; i++)
    if (list[i - 1].end > list[i].start) report(`${what} ${hex(list[i].start)} starts before the end of the one below`);
  for (let i = list.length - 2; i >= 0; i--)
    if (list[i + 1].start < list[i].end) report(`${what} ${hex(list[i].start)} ends after the start of the one above`);
}

/** Checks that a handler has one node for each of its pages, without gaps. */
function checkNodes(
  { start, end, description }: VirtualHandler,
  nodes: readonly PhysToVirtNode[],
  report: Report,
): void {
  let next = start;
  for (const { address, size, gcPhys } of nodes) {
    if (address !== next) report(`a page of ${description} starts at ${hex(address)}, not at ${hex(next)}`);
    if (gcPhys !== undefined && gcPhys % PAGE_SIZE !== Number(address % BigInt(PAGE_SIZE)))
      report(`page ${hex(address)} of ${description} is known at another offset, ${hex(gcPhys)}`);
    next = address + BigInt(size);
  }
  if (next !== end) report(`the pages of ${description} end at ${hex(next)}, not at ${hex(end)}`);
}

/**
 * Checks that chains of one page do not overlap, that head and aliases watch the same bytes, and that no alias occurs
 * twice.
 */
function checkChains(
  frame: number,
  chains: readonly AliasChain[],
  owned: ReadonlySet<PhysToVirtNode>,
  report: Report,
): void {
  const sorted = [...chains].sort((a, b) => a.start - b.start);
  for (const [i, { start, end, nodes }] of sorted.entries()) {
    if (start >= end || Math.floor(start / PAGE_SIZE) !== frame || Math.floor((end - 1) / PAGE_SIZE) !== frame)
      report(`watched bytes ${hex(start)} – ${hex(end - 1)} are not within page ${hex(frame * PAGE_SIZE)}`);
    if (i > 0 && sorted[i - 1].end > start) report(`watched bytes at ${hex(start)} overlap those below`);
    if (nodes.length === 0) report(`watched bytes at ${hex(start)} have no head`);
    if (new Set(nodes).size !== nodes.length) report(`watched bytes at ${hex(start)} have an alias twice`);
    for (const node of nodes) {
      if (!owned.has(node))
        report(`watched bytes at ${hex(start)} have an alias, ${hex(node.address)}, without a handler`);
      if (node.gcPhys !== start || node.size !== end - start)
        report(`alias ${hex(node.address)} of the bytes at ${hex(start)} watches others`);
    }
  }
}

/** Checks that pages are marked as their handlers want, and no others. */
function checkStates({ virtualHandlers }: Pick<ShadowPaging, 'virtualHandlers'>, report: Report): void {
  const wanted = new Map<number, number>();
  for (const { handler, nodes } of virtualHandlers.registered) {
    for (const { gcPhys } of nodes) {
      // The physical address is not known before the next sync.
      if (gcPhys === undefined) continue;
      const frame = Math.floor(gcPhys / PAGE_SIZE);
      const state = handler.kind === 'all' ? HandlerState.ALL : HandlerState.WRITE;
      wanted.set(frame, Math.max(wanted.get(frame) ?? HandlerState.NONE, state));
    }
  }
  for (const frame of new Set([...wanted.keys(), ...virtualHandlers.markedFrames])) {
    const state = virtualHandlers.stateOf(frame);
    const wish = wanted.get(frame) ?? HandlerState.NONE;
    if (state !== wish)
      report(`page ${hex(frame * PAGE_SIZE)} has virtual handler state ${state}, its handlers want ${wish}`);
  }
}
