import { expect, test } from 'vitest';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { HostMemory } from '../gmm/host-memory.ts';
import { GuestMemory } from './guest-memory.ts';
import { HostBacking } from './pages/host-backing.ts';

test('bookkeeping takes less than 16 bytes a page, in the machine and in the host', () => {
  const size = 256 * MIB;
  const pages = size / PAGE_SIZE;
  const host = new HostMemory();
  const before = process.memoryUsage().arrayBuffers;
  const memory = new GuestMemory(new HostBacking(host));
  memory.registerRam(0, size, 'Base RAM');
  expect((process.memoryUsage().arrayBuffers - before) / pages).toBeLessThan(11);
  const ids = new Uint32Array(pages);
  memory.pages.backing.allocatePages('base', ids);
  const bookkeeping = process.memoryUsage().arrayBuffers - before - host.figures.bytes - ids.byteLength;
  expect(bookkeeping / pages).toBeGreaterThan(8);
  expect(bookkeeping / pages).toBeLessThan(16);
  memory.close();
});
