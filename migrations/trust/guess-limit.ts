import { isIPv4 } from 'node:net';
import { clock } from '../../formats/world/waiting.ts';

/** Wrong tries of an address that cost no pause. */
const FREE_TRIES = 3;
/**
 * Wrong tries of all addresses after which new addresses have to wait as well, since an attacker may have many
 * addresses.
 */
const FREE_TRIES_IN_ALL = 100;
const FIRST_PAUSE_MS = 500;
/** A source gives a connection up after 10 s. */
const LONGEST_PAUSE_MS = 8000;
const PAUSE_IN_ALL_MS = 1000;
/** Addresses that are remembered. */
const MAX_ADDRESSES = 4096;

/** Queue of tries. */
interface Line {
  wrong: number;
  /** Earliest time of the next try, as `clock()` counts. */
  nextAt: number;
}

/**
 * Slows down guessing of keys: a pause for each address, doubled by each wrong try, and one for all addresses together.
 * An address that has shown the key has no pause.
 */
export class GuessLimit {
  readonly #lines = new Map<string, Line>();
  readonly #all: Line = { wrong: 0, nextAt: 0 };
  readonly #friends = new Set<string>();

  /** @returns ms until a try from the address may begin; undefined if the wait is too long */
  admit(address: string, now = clock()): number | undefined {
    const block = blockOf(address);
    if (this.#friends.has(block)) return 0;
    const own = this.#lines.get(block);
    if (own && own.wrong > FREE_TRIES) return queue(own, this.pauseOf(address), now);
    return this.#all.wrong > FREE_TRIES_IN_ALL ? queue(this.#all, PAUSE_IN_ALL_MS, now) : 0;
  }

  wrong(address: string, now = clock()): void {
    const block = blockOf(address);
    const line = this.#lines.get(block) ?? { wrong: 0, nextAt: now };
    this.#friends.delete(block);
    this.#lines.delete(block);
    this.#lines.set(block, line);
    for (const oldest of this.#lines.keys()) if (this.#lines.size > MAX_ADDRESSES) this.#lines.delete(oldest);
    line.wrong++;
    this.#all.wrong++;
    line.nextAt = Math.max(line.nextAt, now + pauseAfter(line.wrong));
  }

  /** @returns ms between tries from the address */
  pauseOf(address: string): number {
    return pauseAfter(this.#lines.get(blockOf(address))?.wrong ?? 0);
  }

  right(address: string): void {
    const block = blockOf(address);
    this.#lines.delete(block);
    this.#friends.add(block);
  }
}

function queue(line: Line, pause: number, now: number): number | undefined {
  const wait = Math.max(0, line.nextAt - now);
  if (wait > LONGEST_PAUSE_MS) return undefined;
  line.nextAt = now + wait + pause;
  return wait;
}

function pauseAfter(wrong: number): number {
  return wrong <= FREE_TRIES ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (wrong - FREE_TRIES - 1), LONGEST_PAUSE_MS);
}

/** The address; of IPv6 only the first 64 bits, as an owner has 2^64 such addresses. */
export function blockOf(address: string): string {
  const v4 = address.slice(address.lastIndexOf(':') + 1);
  if (isIPv4(v4)) return v4;
  const [head, tail] = address
    .split('%')[0]
    .split('::')
    .map((part) => part.split(':').filter((word) => word !== ''));
  const zeros = tail === undefined ? 0 : 8 - head.length - tail.length;
  return [...head, ...Array<string>(Math.max(0, zeros)).fill('0'), ...(tail ?? [])].slice(0, 4).join(':');
}
