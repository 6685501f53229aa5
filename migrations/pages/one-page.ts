import type { PageAccess } from '../machine/machine.ts';

const PAGE = new Uint32Array(1);
const HELD = new Uint8Array(1);

/**
 * Copies one page to `target` from `at` on. @returns false if the page's state says that it is zero; nothing was copied
 * then
 */
export function readOnePage(machine: PageAccess, page: number, target: Uint8Array, at: number): boolean {
  PAGE[0] = page;
  return machine.readPages(PAGE, 1, target, at, HELD) === 1;
}
