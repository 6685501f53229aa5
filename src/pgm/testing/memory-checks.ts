import { expect } from 'vitest';
import type { GuestMemory } from '../guest-memory.ts';

/** Expects an action to be refused with VirtualBox's code. */
export function refused(action: () => unknown, vboxCode: string): void {
  expect(action).toThrow(expect.objectContaining({ vboxCode }));
}

export function bytesAt(memory: GuestMemory, gcPhys: number, size: number): number[] {
  const bytes = new Uint8Array(size);
  memory.read(gcPhys, bytes);
  return [...bytes];
}
