import assert from 'node:assert/strict';
import { AddressSpace } from '../address-space.ts';
import { PageFault } from '../page-fault.ts';
import { FlatMemory } from './flat-memory.ts';
import { type NaiveMachine, naiveAccess } from './naive-walk.ts';
import { fillTables, Random, randomAddress, randomRegisters, type TableKind, tamePointers } from './random-tables.ts';

const MEMORY_PAGES = 32;

/**
 * Walks random tables for random accesses. Expects of the walker the addresses, rights, fault codes, accessed and dirty
 * bits of the naive walk.
 * @returns mapped accesses and fault codes, so that callers see that both occurred
 */
export function compareWalks(seed: number, kind: TableKind, accesses: number): { mapped: number; faults: Set<number> } {
  const random = new Random(seed);
  const memory = new FlatMemory(new Uint8Array(MEMORY_PAGES * 4096));
  fillTables(random, memory, kind);
  const registers = randomRegisters(random, kind);
  if (kind === 'pae') tamePointers(random, memory, registers.cr3);
  const physicalBits = random.pick([32, 36, 40, 48, 52]);
  const twin = memory.bytes.slice();
  const root = Number(registers.cr3);
  const view = new DataView(twin.buffer);
  const pdptes =
    kind === 'pae' ? Array.from({ length: 4 }, (_, i) => view.getBigUint64((root & ~31) + 8 * i, true)) : undefined;
  const naive: NaiveMachine = { bytes: twin, ...registers, physicalBits, pdptes };
  const space = new AddressSpace(memory, registers, { physicalBits });
  let mapped = 0;
  const faults = new Set<number>();
  for (let i = 0; i < accesses; i++) {
    const address = randomAddress(random, kind);
    const wanted = { write: random.chance(40), user: random.chance(50), fetch: random.chance(20) };
    const access =
      (wanted.write ? PageFault.WRITE : 0) | (wanted.user ? PageFault.USER : 0) | (wanted.fetch ? PageFault.FETCH : 0);
    const truth = naiveAccess(naive, address, wanted);
    const expected = 'fault' in truth ? { fault: truth.fault } : { gcPhys: Number(truth.gcPhys) };
    assert.deepEqual(
      space.access(address, access),
      expected,
      `${kind} seed ${seed} address ${address.toString(16)} access ${access}`,
    );
    if ('fault' in truth) faults.add(truth.fault);
    else mapped++;
    compareTranslation(space, naive, address);
  }
  assert.equal(Buffer.compare(memory.bytes, twin), 0, `accessed and dirty bits, ${kind} seed ${seed}`);
  return { mapped, faults };
}

function compareTranslation(space: AddressSpace, naive: NaiveMachine, address: bigint): void {
  const seen = space.translate(address);
  const truth = naiveAccess(naive, address, { write: false, user: false, fetch: false }, true);
  if (seen.status !== 'mapped' || 'fault' in truth) {
    assert.equal(seen.status !== 'mapped', 'fault' in truth);
    return;
  }
  const { gcPhys, pageSize, writable, user, executable } = seen;
  assert.deepEqual(
    [gcPhys, pageSize, writable, user, executable],
    [Number(truth.gcPhys), Number(truth.pageSize), truth.w, truth.u, truth.x],
  );
}
