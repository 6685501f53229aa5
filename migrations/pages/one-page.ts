import type { PageAccess } from '../machine/machine.ts';

const PAGE = new Uint32Array(1);
const HELD = new Uint8Array(1);

/** Copies one page to `target` from `at` on. @returns false if it holds zeros by its state: then nothing was copied */
export function readOnePage(machine: PageAccess, page: number, target: Uint8Array, at: number): boolean {
  PAGE[0] = page;
  return machine.readPages(PAGE, 1, target, at, HELD) === 1;
}
