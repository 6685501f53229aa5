import assert from 'node:assert/strict';
import type { GuestMemory } from '../../pgm/guest-memory.ts';
import { HandlerState } from '../../pgm/pages/page-states.ts';

interface Rights {
  w: boolean;
  u: boolean;
  x: boolean;
}

/**
 * What shadow tables say of an address is right: the host's page, US and NX as the guest has them, and RW only where a
 * write needs no notice.
 */
export function compareFound(
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
