import fc from 'fast-check';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { offsetInChunk } from '../../gmm/page-id.ts';
import { checkIntegrity } from '../memory-integrity.ts';
import { readSimple } from '../simple-access.ts';
import type { MachinePair } from './machine-pair.ts';
import type { Outcome } from './memory-pair.ts';
import { DEVICE_PAGES, ROMS } from './naive-machine.ts';

/** One operation on both machines, and its text. */
export interface Operation {
  text: string;
  run(pair: MachinePair): Outcome[];
}

const frame = fc.oneof(
  fc.nat(30),
  fc.integer({ min: 14, max: 26 }),
  fc.integer({ min: 60, max: 76 }),
  fc.integer({ min: 254, max: 290 }),
);
const address = fc
  .tuple(frame, fc.oneof(fc.constant(0), fc.nat(PAGE_SIZE - 1), fc.integer({ min: PAGE_SIZE - 8, max: PAGE_SIZE - 1 })))
  .map(([f, o]) => f * PAGE_SIZE + o);
const pageAddress = frame.map((f) => f * PAGE_SIZE);
const length = fc.oneof(fc.nat(16), fc.nat(64), fc.nat(3 * PAGE_SIZE));
const byte = fc.nat(255);
const which = fc.nat(63);
const pages = fc.integer({ min: 1, max: 4 });
/** Three CPUs. */
const cpu = fc.nat(2);
const origin = fc.oneof(cpu, fc.constant('device' as const));
const answer = fc.constantFrom('default' as const, 'default' as const, 'done' as const);

function operation<T extends unknown[]>(
  name: string,
  run: (pair: MachinePair, ...args: T) => Outcome[],
  ...args: { [K in keyof T]: fc.Arbitrary<T[K]> }
): fc.Arbitrary<Operation> {
  return fc.tuple(...args).map((values) => ({
    text: `${name}(${values.map((value) => JSON.stringify(value)).join(', ')})`,
    run: (pair) => run(pair, ...(values as T)),
  }));
}

const handlerStretch = fc.oneof(
  fc.tuple(fc.constant('write' as const), address, fc.nat(2 * PAGE_SIZE)),
  fc.tuple(
    fc.constantFrom('all' as const, 'write' as const),
    pageAddress,
    pages.map((count) => count * PAGE_SIZE),
  ),
);

const accesses = [
  operation(
    'write',
    (pair, at: number, size: number, value: number, by: number | 'device') => pair.write(at, size, value, by),
    address,
    length,
    byte,
    origin,
  ),
  operation(
    'read',
    (pair, at: number, size: number, by: number | 'device') => pair.read(at, size, by),
    address,
    length,
    origin,
  ),
];

const rest = [
  operation(
    'registerHandler',
    (pair, [kind, start, size]: ['write' | 'all', number, number], says: 'done' | 'default') =>
      pair.registerHandler(kind, start, start + size, says),
    handlerStretch,
    answer,
  ),
  operation('deregisterHandler', (pair, n: number) => pair.deregisterHandler(n), which),
  operation(
    'modifyHandler',
    (pair, n: number, [, start, size]: ['write' | 'all', number, number]) => pair.modifyHandler(n, start, start + size),
    which,
    handlerStretch,
  ),
  operation(
    'splitHandler',
    (pair, n: number, at: number) => pair.splitHandler(n, at),
    which,
    fc.oneof(
      fc.nat(2 * PAGE_SIZE),
      pages.map((count) => count * PAGE_SIZE),
    ),
  ),
  operation('joinHandlers', (pair, n: number, m: number) => pair.joinHandlers(n, m), which, which),
  operation('switchOff', (pair, n: number, at: number) => pair.switchOff(n, at), which, fc.nat(2 * PAGE_SIZE)),
  operation('resetHandler', (pair, n: number) => pair.resetHandler(n), which),
  operation(
    'alias',
    (pair, n: number, at: number, page: number) => pair.alias(n, at, (pair.naive.deviceAt ?? 0) + page * PAGE_SIZE),
    which,
    fc.nat(2 * PAGE_SIZE),
    fc.nat(DEVICE_PAGES),
  ),
  operation('registerMmio', (pair, at: number, count: number) => pair.registerMmio(at, count), frame, pages),
  operation('deregisterMmio', (pair, n: number, count: number) => pair.deregisterMmio(n, count), which, pages),
  operation('mapDevice', (pair, at: number) => pair.mapDevice(at), fc.oneof(pageAddress, pageAddress, address)),
  operation(
    'unmapDevice',
    (pair, at: number | undefined) => pair.unmapDevice(at),
    fc.option(pageAddress, { nil: undefined, freq: 3 }),
  ),
  operation('moveDevice', (pair, at: number) => pair.moveDevice(at), pageAddress),
  operation(
    'protect',
    (pair, at: number, count: number, protection: number) => pair.protect(at, count, protection),
    fc.integer({ min: 68, max: 73 }),
    pages,
    fc.nat(5),
  ),
  operation(
    'balloon',
    (pair, inflates: boolean, addresses: number[]) => pair.balloon(inflates, addresses),
    fc.boolean(),
    fc.array(fc.oneof(pageAddress, address), { minLength: 1, maxLength: 4 }),
  ),
  operation('engage', (pair) => pair.engage()),
  operation('take', (pair, capacity: number) => pair.take(capacity), fc.integer({ min: 1, max: 20 })),
  operation('release', (pair) => pair.release()),
  operation(
    'lock',
    (pair, at: number, kind: 'writing' | 'reading') => pair.lock(at, kind),
    frame,
    fc.constantFrom('writing' as const, 'reading' as const),
  ),
  operation(
    'writeLocked',
    (pair, n: number, at: number, value: number) => pair.writeLocked(n, at, value),
    which,
    fc.nat(PAGE_SIZE - 1),
    byte,
  ),
  operation('unlock', (pair, n: number) => pair.unlock(n), which),
  operation('share', (pair, at: number) => pair.share(at), frame),
  operation(
    'setA20',
    (pair, which: number, on: boolean) => pair.setA20(which, on),
    cpu,
    fc.constantFrom(true, true, false),
  ),
  operation(
    'setNoMoreWrites',
    (pair, set: boolean) => pair.setNoMoreWrites(set),
    fc.constantFrom(false, false, false, true),
  ),
];

/** Whole machines are not reset often, or nothing would ever grow. */
const seldom = [operation('reset', (pair) => pair.reset())];

export const operations = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.oneof(...accesses) },
    { weight: 24, arbitrary: fc.oneof(...rest) },
    { weight: 12, arbitrary: rest[0] },
    { weight: 1, arbitrary: seldom[0] },
  ),
  { minLength: 1, maxLength: 150, size: 'max' },
);

/** @returns what the two machines differ in; undefined where they are equal */
export function firstDifference(pair: MachinePair, sequence: readonly Operation[]): string | undefined {
  for (const [i, { text, run }] of sequence.entries()) {
    const [real, naive] = run(pair).map((outcome) => JSON.stringify(outcome));
    const at = `operation ${i}, ${text}`;
    if (real !== naive) return `${at}: ${real}, expected ${naive}`;
    const counts = [pair.real.pages.counts, pair.naive.counts()].map((each) => JSON.stringify(each));
    if (counts[0] !== counts[1]) return `${at}: counts ${counts[0]}, expected ${counts[1]}`;
    if (pair.realLog.length !== pair.naive.log.length)
      return `${at}: callbacks saw ${pair.realLog.slice(-3)}, expected ${pair.naive.log.slice(-3)}`;
  }
  if (pair.realLog.join() !== pair.naive.log.join()) return `callbacks saw ${pair.realLog}, expected ${pair.naive.log}`;
  return differenceInContent(pair) ?? checkIntegrity(pair.real)[0] ?? differenceAtEnd(pair);
}

function differenceInContent({ real, naive }: MachinePair): string | undefined {
  const page = new Uint8Array(PAGE_SIZE);
  const differs = (expected: Uint8Array | undefined) =>
    Buffer.compare(page, expected ?? new Uint8Array(PAGE_SIZE)) !== 0;
  for (let at = 0; at < 300; at++) {
    const seen = naive.seen(at);
    if (seen === 'nothing') continue;
    readSimple(real, at * PAGE_SIZE, page);
    if (differs(seen)) return `content of frame ${at}`;
  }
  for (const [i, rom] of real.roms.all.entries()) {
    for (let n = 0; n < ROMS[i].pages; n++) {
      const id = rom.shadowId(n);
      page.fill(0);
      if (rom.isShadowed && id !== 0)
        page.set(real.pages.backing.chunkBytes(id).subarray(offsetInChunk(id), offsetInChunk(id) + PAGE_SIZE));
      if (rom.isShadowed && differs(naive.shadow[i][n])) return `shadow page ${n} of ROM ${i}`;
    }
  }
  return undefined;
}

/** Closes the machine. @returns a difference where the host does not get back all of its memory */
function differenceAtEnd({ real }: MachinePair): string | undefined {
  real.close();
  const { allocatedPages, sharedPages, balloonedPages } = real.pages.backing.host.figures;
  const left = allocatedPages + sharedPages + balloonedPages;
  return left === 0 ? undefined : `${left} pages are left in the host`;
}
