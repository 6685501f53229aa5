import { UnsupportedError } from '../../../formats/errors.ts';
import { MAX_RAM } from '../../../formats/pgm/ranges.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { CHUNK, NumberSet } from './number-set.ts';

/** A set of page numbers: 64 MiB of memory at the most, a bit for each page of the largest guest. */
export class FrameSet extends NumberSet {
  constructor() {
    super(tooFarApart, MAX_RAM / PAGE_SIZE / CHUNK);
  }
}

function tooFarApart(): UnsupportedError {
  return new UnsupportedError('too-much-memory', 'Cannot track guest memory: pages are spread over more than 2 TiB');
}
