import { isVbeOn, type Vga } from '../../formats/units/display/codecs.ts';

/** Bit of register 4 of the sequencer: addresses do not alternate between planes, as they do in text modes. */
const SEQUENTIAL = 4;
const MEMORY_MODE = 4;
const PLANES = 4;
/** Character cells that a text mode can reach. */
const CELLS = 0x10000;

/** Whether video memory holds text. */
export function isText(vga: Vga): boolean {
  return (vga.sequencer[MEMORY_MODE] & SEQUENTIAL) === 0 && !isVbeOn(vga);
}

/**
 * Moves characters to their places in QEMU. Even and odd addresses of a text mode go to planes 0 and 1. VirtualBox
 * leaves a gap between neighbours: character k is at 8k there, at 4k in QEMU. Fonts, in planes 2 and 3, are at the same
 * places in both.
 * @param memory all of the video memory, changed in place
 */
export function textToQemu(memory: Uint8Array): void {
  const before = memory.slice(0, 2 * PLANES * CELLS);
  const cells = Math.min(CELLS, Math.floor(before.length / (2 * PLANES)));
  for (let k = 0; k < cells; k++)
    for (const plane of [0, 1]) memory[PLANES * k + plane] = before[2 * PLANES * k + plane];
}

/** Undoes `textToQemu`. */
export function textToVirtualBox(memory: Uint8Array): void {
  const before = memory.slice(0, PLANES * CELLS);
  const cells = Math.min(CELLS, Math.floor(memory.length / (2 * PLANES)));
  for (let k = 0; k < cells; k++)
    for (const plane of [0, 1]) memory[2 * PLANES * k + plane] = before[PLANES * k + plane];
}
