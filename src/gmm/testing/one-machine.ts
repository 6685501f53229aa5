import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { HostAccount } from '../host-account.ts';
import { HostMemory, type HostMemoryOptions } from '../host-memory.ts';
import type { AccountPages } from '../host-reservation.ts';
import { CHUNK_ID_SHIFT, offsetInChunk } from '../page-id.ts';

/** Reservation of a small machine. */
export const PAGES: AccountPages = { base: 4096, shadow: 16, fixed: 16 };

export function machineOn(host: HostMemory, pages = PAGES): HostAccount {
  const account = host.openAccount();
  account.reserve(pages, 'no-over-commitment', 'normal');
  return account;
}

export function allocate(account: HostAccount, count: number): Uint32Array {
  const pageIds = new Uint32Array(count);
  account.allocatePages('base', pageIds);
  return pageIds;
}

export function oneMachine(options: HostMemoryOptions = {}): { host: HostMemory; account: HostAccount } {
  const host = new HostMemory(options);
  return { host, account: machineOn(host) };
}

export const chunksOf = (pageIds: Iterable<number>) => [...new Set([...pageIds].map((id) => id >>> CHUNK_ID_SHIFT))];
export const page = (host: HostMemory, id: number) =>
  host.chunkBytes(id).subarray(offsetInChunk(id), offsetInChunk(id) + PAGE_SIZE);
