import { randomFillSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PAGE_SIZE } from '../../formats/sizes.ts';

/** Pages of a state. */
export interface PageGenerator {
  /** Borrowed until the next call; `undefined` is a page of zeros. */
  next(): Uint8Array | undefined;
}

/**
 * Deals out pages as guests have them: 30 % zero, 40 % bytes of the system's files, 30 % random, in an order that looks
 * random but is always the same.
 */
export class MixedPages implements PageGenerator {
  readonly #page = new Uint8Array(PAGE_SIZE);
  readonly #files = systemBytes();
  #state = 1;

  next(): Uint8Array | undefined {
    this.#state = (Math.imul(this.#state, 1103515245) + 12345) & 0x7fffffff;
    const share = (this.#state >>> 8) % 10;
    if (share < 3) return undefined;
    if (share < 7) return this.#files.next().value ?? undefined;
    return randomFillSync(this.#page);
  }
}

/** Pages that nothing compresses. */
export class RandomPages implements PageGenerator {
  readonly #page = new Uint8Array(PAGE_SIZE);

  next(): Uint8Array {
    return randomFillSync(this.#page);
  }
}

/** The bytes of the system's programs and libraries, page by page, again from the start at their end. */
function* systemBytes(): Generator<Uint8Array, undefined> {
  for (;;) {
    for (const folder of ['/usr/lib', '/usr/bin', '/usr/share']) {
      for (const file of filesBelow(folder)) {
        const bytes = readFileSync(file);
        for (let at = 0; at + PAGE_SIZE <= bytes.length; at += PAGE_SIZE) yield bytes.subarray(at, at + PAGE_SIZE);
      }
    }
  }
}

function* filesBelow(folder: string): Generator<string> {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}
