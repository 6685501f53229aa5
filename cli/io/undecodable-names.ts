import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { EnvironmentError } from '../../formats/errors.ts';

/** Node puts this in place of bytes that are not UTF-8, so a file with such bytes in its name is out of reach. */
const REPLACEMENT = '\ufffd';

/** @throws EnvironmentError `bad-name` for a word of the command line that is not valid UTF-8 */
export function expectDecodable(words: readonly unknown[]): void {
  const suspects = words.filter((word) => typeof word === 'string' && word.includes(REPLACEMENT));
  if (suspects.length === 0) return;
  const undecodable = undecodableWords();
  const word = suspects.find((suspect) => undecodable.some((each) => each.includes(suspect as string)));
  if (word !== undefined)
    throw new EnvironmentError(
      'bad-name',
      `Cannot use ${word}: the name is not valid UTF-8, and Node opens no others; rename the file, or feed it ` +
        'to stdin, as -',
    );
}

/** Words that are not UTF-8, from the command line as Linux keeps it: a valid name may hold U+FFFD itself. */
function undecodableWords(): string[] {
  try {
    const words = readFileSync('/proc/self/cmdline').toString('latin1').split('\0');
    return words
      .map((word) => Buffer.from(word, 'latin1'))
      .filter((word) => !isUtf8(word))
      .map(String);
  } catch {
    // Elsewhere names are UTF-8, or UTF-16, by the rules of the file system.
    return [];
  }
}
