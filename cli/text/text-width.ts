import { stripVTControlCharacters } from 'node:util';

/**
 * Columns that a line of help takes. Stands in the bundled command line for the package string-width, which yargs lays
 * out help with: that one knows the width of emoji and of Chinese, which no help of ours has, and getting ready to know
 * it takes half as long as a bare Node takes to start.
 */
export default function textWidth(text: string): number {
  return stripVTControlCharacters(text).length;
}
