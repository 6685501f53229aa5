import type { Machine } from '../../machine/machine.ts';
import { addressSpaceOf } from '../../machine/machine-space.ts';
import { sha256, type Truth } from '../../testing/states.ts';
import type { AddressSpace } from '../address-space.ts';
import { findBytes } from '../find-bytes.ts';
import { mappingsOf, type VirtualRun, virtualAddressesOf } from '../mappings-of.ts';
import { checkConsistency } from '../shadow/checks/consistency-check.ts';
import { checkPool } from '../shadow/checks/pool-check.ts';
import { ShadowPaging } from '../shadow/shadow-paging.ts';
import { runsText } from './runs-text.ts';

/** The part of a truth file that is about virtual memory. */
interface PagingTruth extends Truth {
  translation?: { cpu: number; runs: number; sha256: string; list: string[][] }[];
}

export interface Comparison {
  compared: number;
  differences: string[];
}

/**
 * Compares the virtual memory of each CPU with the truth: the whole translation, known patterns, and the same through
 * shadow tables.
 */
export async function compareWithTruth(machine: Machine, truth: Truth): Promise<Comparison> {
  const { translation = [], patterns = [] } = truth as PagingTruth;
  const outcome: Comparison = { compared: 0, differences: [] };
  const check = (what: string, isRight: boolean): void => {
    outcome.compared++;
    if (!isRight) outcome.differences.push(what);
  };
  for (const { cpu, runs, sha256: hash, list } of translation) {
    const space = addressSpaceOf(machine, cpu);
    // Truth files list nothing for CPUs without paging.
    const found = space.walker ? (await mappingsOf(space)).runs : [];
    const lines = runsText(found);
    check(
      `CPU ${cpu}: first runs`,
      lines.slice(0, list.length).join('\n') ===
        list.map((row) => row.map((cell) => cell.replace(/^0x/, '')).join(' ')).join('\n'),
    );
    check(`CPU ${cpu}: ${lines.length} runs, expected ${runs}`, lines.length === runs);
    check(`CPU ${cpu}: all runs`, sha256(Buffer.from(lines.map((line) => `${line}\n`).join(''))) === hash);
    for (const difference of shadowDifferences(machine, cpu, found)) check(`CPU ${cpu}: ${difference}`, false);
  }
  for (const pattern of patterns) {
    if (pattern.space !== 'virtual' || !(pattern.sha256 || pattern.bytes)) continue;
    for (const [what, isRight] of await patternChecks(addressSpaceOf(machine, pattern.cpu ?? 0), pattern))
      check(`${pattern.address}: ${what}`, isRight);
  }
  return outcome;
}

async function patternChecks(
  space: AddressSpace,
  { address, size, sha256: hash, bytes }: NonNullable<PagingTruth['patterns']>[0],
): Promise<[string, boolean][]> {
  const at = BigInt(address);
  const content = new Uint8Array(size);
  space.read(at, content);
  const checks: [string, boolean][] = [];
  if (hash) checks.push(['hash', sha256(content) === hash]);
  if (bytes) checks.push(['bytes', Buffer.from(content).toString('hex') === bytes]);
  const again = await findBytes(space, content.subarray(0, Math.min(size, 64)), { maxHits: 1e5 });
  checks.push(['found again', again.addresses.includes(at)]);
  const found = space.translate(at);
  const back = found.status === 'mapped' && (await virtualAddressesOf(space, found.gcPhys)).addresses.includes(at);
  checks.push(['reverse lookup', back]);
  return checks;
}

/** Reads some of what is mapped through shadow tables, and compares it with physical memory; then checks the tables. */
function shadowDifferences(machine: Machine, id: number, runs: readonly VirtualRun[]): string[] {
  const registers = machine.state.cpum?.cpus[id];
  if (!registers) return ['no registers'];
  const { memory } = machine;
  const paging = new ShadowPaging(memory, { host: 'AMD64+NX', hardware: true });
  const [cpu] = paging.cpus;
  const { cr0, cr3, cr4, efer } = registers;
  const status = cpu.setRegisters({ cr0, cr3, cr4, efer });
  const differences: string[] = status === 'ok' ? [] : [`mode change ${status}`];
  const [seen, there] = [new Uint8Array(64), new Uint8Array(64)];
  for (const { virtual, gcPhys, size, pageSize } of runs) {
    const step = Math.max(pageSize, Math.ceil(size / 16 / pageSize) * pageSize);
    for (let at = 0; at < size; at += step) {
      const code = cpu.read(virtual + BigInt(at), seen);
      memory.read(gcPhys + at, there);
      if (code !== -1 || Buffer.compare(seen, there) !== 0)
        differences.push(`shadow reads other bytes at ${virtual + BigInt(at)}`);
    }
  }
  return [
    ...differences,
    ...checkConsistency(cpu).map(({ message }) => message),
    ...checkPool(paging).map(({ message }) => message),
  ];
}
