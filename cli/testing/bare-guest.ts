import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { PAGE_SIZE } from '../../formats/sizes.ts';

// What QEMU's bare guest keeps in its memory, so that its memory can be judged without its help: a counter, and 64
// pages that it writes in turn: each holds the last counter value that is the page's number modulo 64. All other pages
// stay as they are.

const COUNTER = 0x1000;
const BUSY = 0x300000;
const BUSY_PAGES = 64;
/** The guest counts first and writes the page after that: pages of the last values may still hold the value before. */
const UNDER_WAY = 1n;

/** Memory of a guest that has run for a while. */
export function memoryOf(path: string): Buffer {
  return readFileSync(path);
}

export function counterOf(path: string): bigint {
  const fd = openSync(path, 'r');
  const counter = Buffer.alloc(8);
  readSync(fd, counter, 0, counter.length, COUNTER);
  closeSync(fd);
  return counter.readBigUInt64LE();
}

/**
 * Faults of the memory of a guest that is paused; empty where it is right.
 * @param before its memory at an earlier time
 */
export function whyWrong(memory: Buffer, before: Buffer): string {
  if (memory.length !== before.length) return `it has ${memory.length} bytes, expected ${before.length}`;
  const counter = memory.readBigUInt64LE(COUNTER);
  if (counter < before.readBigUInt64LE(COUNTER)) return 'its counter has gone back';
  const wrong: string[] = [];
  for (let at = 0; at < memory.length; at += PAGE_SIZE) {
    const busy = (at - BUSY) / PAGE_SIZE;
    if (at === COUNTER) continue;
    if (busy >= 0 && busy < BUSY_PAGES) {
      const behind = (counter - BigInt(busy)) & BigInt(BUSY_PAGES - 1);
      const expected = [counter - behind, counter - behind - BigInt(BUSY_PAGES)].slice(0, behind <= UNDER_WAY ? 2 : 1);
      if (!expected.some((value) => Number(value & 0xffff_ffffn) === memory.readUInt32LE(at)))
        wrong.push(at.toString(16));
    } else if (before.compare(memory, at, at + PAGE_SIZE, at, at + PAGE_SIZE) !== 0) wrong.push(at.toString(16));
  }
  return wrong.length === 0 ? '' : `${wrong.length} pages are wrong, first 0x${wrong[0]}`;
}
