import { readState } from '../families/read-state.ts';
import { type Fingerprint, type FingerprintOptions, fingerprint, hashMemory } from '../hashing/fingerprint.ts';
import type { PagesByRange } from '../hashing/hashing-sink.ts';
import { SpanHashes } from '../hashing/span-hashes.ts';
import { FrameSet } from '../reading/frame-set.ts';
import type { StateView } from '../reading/state-view.ts';
import { type Course, stepOf } from '../reading/step.ts';
import type { Side } from './side.ts';

type Print = Fingerprint<StateView>;

/** Options of one reading. */
type Reading = Pick<FingerprintOptions, 'of' | 'like' | 'only' | 'leavesOut'>;

/**
 * Hashes both states. If they have the same encodings, pages are first compared as stored, which is faster; a second
 * reading then compares the contents of pages that differ, since a page may be stored in several ways.
 */
export async function fingerprintsOf(
  { a, b }: { a: Side; b: Side },
  leavesOut: FingerprintOptions['leavesOut'],
  options: Course<'a' | 'b'>,
): Promise<[Print, Print]> {
  const isAlike = a.state.family === b.state.family && a.state.format === b.state.format;
  const reading: Reading = { of: isAlike ? 'encoded' : 'content', leavesOut };
  const own = await fingerprint(readState, a.source, optionsOf(a, 'a', reading, options));
  const other = await fingerprint(readState, b.source, optionsOf(b, 'b', { ...reading, like: own.memory }, options));
  const only = isAlike ? differingPages(own.memory, other.memory) : NO_PAGES;
  if (only.size === 0) return [own, other];
  const again = async (side: Side, which: 'a' | 'b', like?: Print['memory']) => {
    const asked: Reading = { of: 'content', only, like };
    const { memory } = await hashMemory(readState, side.source, optionsOf(side, which, asked, options), CHECKED);
    return memory;
  };
  const contents = await again(a, 'a');
  return [
    { ...own, memory: contents },
    { ...other, memory: await again(b, 'b', contents) },
  ];
}

const NO_PAGES: PagesByRange = new Map();
/** Options of the second reading: the first one has checked the CRCs. */
const CHECKED = { skipCrc: true };

function optionsOf(
  { names }: Side,
  which: 'a' | 'b',
  reading: Reading,
  options: Course<'a' | 'b'>,
): FingerprintOptions {
  return { ...reading, naming: names.naming, ...stepOf(options, which) };
}

function differingPages(a: Print['memory'], b: Print['memory']): PagesByRange {
  const pages = new Map<string, FrameSet>();
  for (const range of new Set([...a.keys(), ...b.keys()])) {
    const differing = new FrameSet();
    for (const { start, end } of (a.get(range) ?? NO_HASHES).differences(b.get(range) ?? NO_HASHES))
      for (let page = start; page < end; page++) differing.add(page);
    if (differing.size > 0) pages.set(range, differing);
  }
  return pages;
}

const NO_HASHES = new SpanHashes();
