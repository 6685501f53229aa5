import { crc32 } from '../../../formats/binary/crc32.ts';

// Each input has to be read without a crash. Further checks that cost much (a second way to the same result, the way
// back) are made for some inputs only, so that more inputs are tried.

/** One of so many inputs is chosen, besides those that reach code that no input has reached. */
const ONE_OF = 8;

let hasGrown = (): boolean => true;

/** Whether an input, which has been read, gets the checks that cost much. Without a fuzzer each does. */
export function isChosen(bytes: Uint8Array): boolean {
  return crc32(bytes) % ONE_OF === 0 || hasGrown();
}

/** @param reachesNew whether the input that is read just now has reached code that none before it has */
export function setChoice(reachesNew: () => boolean): void {
  hasGrown = reachesNew;
}
