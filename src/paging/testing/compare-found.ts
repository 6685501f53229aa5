import assert from 'node:assert/strict';
import type { GuestMemory } from '../../pgm/guest-memory.ts';
import { HandlerState } from '../../pgm/pages/page-states.ts';
import { NIL_INDEX } from '../pool/pool-pages.ts';
import { shadowSpace } from '../shadow/host-view.ts';
import { lookUp } from '../shadow/lookup.ts';
import type { ShadowCpu } from '../shadow/shadow-cpu.ts';
import type { NaiveCpus } from './naive-cpus.ts';

interface Rights {
  w: boolean;
  u: boolean;
  x: boolean;
}

/**
 * Expects that shadow tables are right about an address: the host's page, US and NX as the guest has them, and RW only
 * where a write needs no notice.
 */
function compareFound(
  memory: GuestMemory,
  address: bigint,
  gcPhys: number,
  host: number,
  guest: Rights,
  shadow: { rights: number; executable: boolean },
): void {
  const what = address.toString(16);
  const range = memory.ranges.get(gcPhys);
  const page = range.pageOf(gcPhys);
  assert.equal(host, range.pageId[page] * 4096 + (gcPhys % 4096), `host page of ${what}`);
  assert.equal((shadow.rights & 4) !== 0, guest.u, `US of ${what}`);
  assert.equal(shadow.executable, guest.x, `NX of ${what}`);
  if ((shadow.rights & 2) === 0) return;
  assert.equal(guest.w, true, `RW of ${what}`);
  assert.equal(range.state[page], 1, `state of ${what}, which is writable`);
  assert.ok(range.handler[page] < HandlerState.WRITE, `handlers of ${what}, which is writable`);
}

/**
 * Expects the shadow tables of a CPU to have nothing at an address, or what the naive walk has. @returns whether the
 * CPU goes by its shadow tables, so that they were compared
 */
export function compareShadow(
  cpu: ShadowCpu,
  naive: NaiveCpus,
  address: bigint,
  random: { below(n: number): number },
): boolean {
  const { plan, root, paging } = cpu;
  // With its gate off a CPU does not go by its tables.
  if (!plan || root === NIL_INDEX || cpu.cr3.isSyncPending || naive.a20Off.has(cpu.id)) return false;
  const nothing = { host: -1, rights: 0, executable: false };
  if (plan.nested) {
    const gcPhys = random.below(naive.bytes.length);
    const { host, rights } = lookUp(paging.pool, plan, root, gcPhys, nothing);
    const everything = { w: true, u: true, x: true };
    if (host >= 0) compareFound(paging.memory, BigInt(gcPhys), gcPhys, host, everything, { rights, executable: true });
    return true;
  }
  const found = lookUp(paging.pool, plan, root, Number(BigInt.asUintN(48, address)), nothing);
  const walked = shadowSpace(cpu)?.translate(address);
  const reached = walked?.status === 'mapped' ? walked.gcPhys : -1;
  assert.equal(reached, found.host, `walk of the shadow tables for ${address.toString(16)}`);
  if (found.host < 0) return true;
  const guest = naive.peek(cpu.id, address);
  if ('fault' in guest) assert.fail(`shadow maps ${address.toString(16)}, the guest's tables don't`);
  compareFound(paging.memory, address, Number(guest.gcPhys), found.host, guest, found);
  return true;
}
