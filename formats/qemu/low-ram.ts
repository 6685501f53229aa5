import type { ByteSource } from '../files/source.ts';
import { KIB, MIB } from '../sizes.ts';
import { AFTER_NAME, BEFORE_NAME, PartType, USUAL_TAIL } from './constants.ts';

/** The clock of PCs, whose first field is its CMOS memory. */
const CLOCK = 'mc146818rtc';
const CMOS_SIZE = 128;
/** Registers of the CMOS memory: RAM from 16 MiB up to 4 GiB, and RAM above 4 GiB, in units of 64 KiB. */
const BELOW = 0x34;
const ABOVE = 0x5b;
const UNIT = 64 * KIB;
const MOST_UNITS = 0xffff;

/**
 * Bytes of RAM below 4 GiB, as QEMU tells the firmware in the CMOS memory of the clock; they depend on
 * `max-ram-below-4g` as well. Undefined where the numbers contradict `ramSize`. Source: qemu-stream.md 3.
 * @param body of the section of the clock @param ramSize without DIMMs
 */
function lowRamOfClock(body: Uint8Array, ramSize: number): number | undefined {
  if (body.length < CMOS_SIZE) return undefined;
  const above = UNIT * (body[ABOVE] + 2 ** 8 * body[ABOVE + 1] + 2 ** 16 * body[ABOVE + 2]);
  const low = ramSize - above;
  const told = body[BELOW] + 2 ** 8 * body[BELOW + 1];
  const expected = Math.min(Math.max(0, Math.floor((low - 16 * MIB) / UNIT)), MOST_UNITS);
  return low > 0 && told === expected ? low : undefined;
}

/** Bytes of RAM below 4 GiB, from all sections of a state. */
export function lowRamOf(devices: readonly { name: string; body: Uint8Array }[], ramSize: number): number | undefined {
  const clock = devices.find(({ name }) => name === CLOCK);
  return clock && lowRamOfClock(clock.body, ramSize);
}

/**
 * Bytes of RAM below 4 GiB, from a file whose pages have not been read yet: the clock is near the end of the stream.
 * Undefined where the end of the source cannot be read first, and where another file follows the stream.
 */
export async function findLowRam(source: ByteSource, ramSize: number): Promise<number | undefined> {
  const { size, seekable } = source;
  if (!seekable || size === undefined) return undefined;
  const tail = Buffer.alloc(Math.min(USUAL_TAIL, size));
  const bytes = tail.subarray(0, await source.read(tail, size - tail.length));
  for (let at = bytes.lastIndexOf(CLOCK); at >= BEFORE_NAME; at = bytes.lastIndexOf(CLOCK, at - 1)) {
    const isHead = bytes[at - BEFORE_NAME] === PartType.FULL && bytes[at - 1] === CLOCK.length;
    const low = isHead ? lowRamOfClock(bytes.subarray(at + CLOCK.length + AFTER_NAME), ramSize) : undefined;
    if (low !== undefined) return low;
  }
  return undefined;
}
