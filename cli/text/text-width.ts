import { stripVTControlCharacters } from 'node:util';

/**
 * Width of a line of help in columns. Replaces, in the bundled command line, the package string-width, which yargs
 * uses: string-width also measures emoji and Chinese, which our help does not have, and its loading takes half as long
 * as the start of Node.
 */
export default function textWidth(text: string): number {
  return stripVTControlCharacters(text).length;
}
