import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { SavkitError } from '../../../formats/errors.ts';
import { bufferSource, withBeside } from '../../../formats/files/source.ts';
import { Random } from '../../../formats/testing/random.ts';
import { qemuSample } from '../../testing/qemu-samples.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import { readQemuState } from '../qemu/read-qemu-state.ts';
import { imagePlaces, savePlaces } from './testing/image-places.ts';
import { type Place, streamPlaces } from './testing/qemu-places.ts';
import { verifyState } from './verify-state.ts';

// npm run campaign -- qemu-damage [--of 40] [--seed 1] [--only WORDS] [--all] [STATE…]: flips single bits of states
// of QEMU in every kind of field, loses and doubles sections, cuts at every border, and lists the damage that `verify`
// does not see. Damage that no reader can tell from another state stands in `UNTELLABLE`.

const { values, positionals } = parseArgs({
  options: {
    of: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    all: { type: 'boolean' },
  },
  allowPositionals: true,
});
const SAMPLES = ['long-10.state', 'smp-7.state', 'mapped-10.state', 'snap-10.qcow2', 'virsh-gzip-10.save'];
const random = new Random(Number(values.seed));

/** Nothing tells changed contents from others. */
const CONTENTS = /^(contents|changes) of a page$/;
/**
 * Kinds of places where some changes make another good state: values of devices, words that occur once, facts about the
 * disk and not about the state, times of snapshots, a record of a page that has another record as well.
 */
const UNTELLABLE: readonly RegExp[] = [
  /^field of type /,
  /^(machine type|name of a block|head of a page that comes again)$/,
  /^description: (key|text of |number of "version")/,
  /^libvirt: (settings|cookie|was running)$/,
  /^qcow2: ((entries|place) of the L1 table|size of the disk|length of the header)$/,
  /^snapshot: (clock of the guest|date|entries of the L1 table|icount|id|size of the disk)$/,
  /^reference count$/,
];
/**
 * Single bits that another good state has: a hint of the number of uses of a cluster, which in tables of snapshots may
 * be out of date; features of lazy reference counts.
 */
const HINT = /^(entry of (an?|the) L[12] table byte 0 bit 7|qcow2: (in)?compatible features byte 7 bit 0) /;

const unseen = new Map<string, Map<string, number>>();
let tried = 0;

function sourceOf(name: string, bytes: Uint8Array) {
  return withBeside(bufferSource(bytes, name), { part: name.endsWith('.qcow2') ? 'snap2' : undefined });
}

/** Whether damage is told: by an error, or by a warning that the whole state does not have. */
async function isSeen(name: string, bytes: Uint8Array, known: ReadonlySet<string>): Promise<boolean> {
  try {
    const { verdict, findings } = await verifyState(sourceOf(name, bytes));
    return verdict !== 'no-damage-found' || findings.some(({ code }) => !known.has(code));
  } catch (error) {
    if (error instanceof SavkitError) return true;
    throw error;
  }
}

function placesOf(bytes: Buffer, state: QemuState): Place[] {
  const { container } = state;
  if (container.kind === 'stream') return streamPlaces(bytes, 0, state);
  if (container.kind === 'qcow2') return imagePlaces(bytes, container.image, container.snapshot);
  const isPacked = !['raw', 'sparse'].includes(container.image.compression);
  const head = savePlaces(container.image, bytes.length, isPacked);
  return isPacked ? head : [...head, ...streamPlaces(bytes, container.image.streamStart, state)];
}

function note(kind: string, about: string): void {
  const found = unseen.get(kind) ?? new Map<string, number>();
  found.set(about, (found.get(about) ?? 0) + 1);
  unseen.set(kind, found);
}

async function judge(name: string, damaged: Uint8Array, known: ReadonlySet<string>, kind: string, about: string) {
  if (!kind.includes(values.only)) return;
  tried++;
  if (!(await isSeen(name, damaged, known)) && !HINT.test(`${kind}${about}`)) note(kind, `${name}${about}`);
}

async function flipBits(name: string, bytes: Buffer, places: Place[], known: ReadonlySet<string>): Promise<void> {
  const kinds = new Map<string, Place[]>();
  for (const place of places) {
    const all = kinds.get(place.kind);
    if (all) all.push(place);
    else kinds.set(place.kind, [place]);
  }
  for (const [kind, all] of kinds) {
    if (CONTENTS.test(kind)) continue;
    const size = all.reduce((sum, { start, end }) => sum + end - start, 0);
    const bits = size * 8 <= Number(values.of) ? [...Array(size * 8).keys()] : undefined;
    for (let i = 0; i < (bits?.length ?? Number(values.of)); i++) {
      const { place, bit } = bits ? bitOf(all, bits[i]) : drawBit(all);
      const at = place.start + (bit >> 3);
      bytes[at] ^= 1 << (bit & 7);
      await judge(
        name,
        bytes,
        known,
        kind,
        `${place.about === undefined ? '' : ` ${place.about}`} byte ${at - place.start} bit ${bit & 7} at ${at}`,
      );
      bytes[at] ^= 1 << (bit & 7);
    }
  }
}

function bitOf(places: Place[], bit: number): { place: Place; bit: number } {
  let left = bit;
  for (const place of places) {
    const bits = 8 * (place.end - place.start);
    if (left < bits) return { place, bit: left };
    left -= bits;
  }
  throw new RangeError(`no bit ${bit}`);
}

/** Draws a bit: each place has the same chance, be it long or short. */
function drawBit(places: Place[]): { place: Place; bit: number } {
  const place = random.pick(places);
  return { place, bit: random.below(8 * (place.end - place.start)) };
}

async function loseSections(name: string, bytes: Buffer, state: QemuState, known: ReadonlySet<string>): Promise<void> {
  const starts = state.devices.map(({ offset }) => offset);
  const ends = state.devices.map(({ bodyOffset, bodySize, footer }) => bodyOffset + bodySize + (footer ? 5 : 0));
  for (const [i, device] of state.devices.entries()) {
    const about = ` ${device.name}/${device.instance}`;
    const [before, own, after] = [
      bytes.subarray(0, starts[i]),
      bytes.subarray(starts[i], ends[i]),
      bytes.subarray(ends[i]),
    ];
    await judge(name, Buffer.concat([before, after]), known, 'lost section', about);
    await judge(name, Buffer.concat([before, own, own, after]), known, 'doubled section', about);
    await judge(name, bytes.subarray(0, starts[i]), known, 'cut before a section', about);
    await judge(name, bytes.subarray(0, ends[i]), known, 'cut after a section', about);
  }
  for (const { offset } of state.ramSections)
    await judge(name, bytes.subarray(0, offset), known, 'cut before a section', ` ram ${offset}`);
  const end = state.descriptionOffset ?? bytes.length;
  await judge(name, bytes.subarray(0, end), known, 'cut before the description', '');
  await judge(name, Buffer.concat([bytes, Buffer.alloc(1)]), known, 'a byte more', '');
}

async function judgeSample(name: string, bytes: Buffer): Promise<void> {
  const state = await readQemuState(sourceOf(name, bytes));
  const { findings } = await verifyState(sourceOf(name, bytes));
  const known = new Set(findings.map(({ code }) => code));
  await flipBits(name, bytes, placesOf(bytes, state), known);
  if (state.container.kind === 'stream') await loseSections(name, bytes, state, known);
}

if (positionals.length > 0) for (const path of positionals) await judgeSample(basename(path), readFileSync(path));
else for (const name of SAMPLES) await judgeSample(name, qemuSample(name));
let failed = 0;
for (const [kind, found] of [...unseen].sort()) {
  const count = [...found.values()].reduce((sum, each) => sum + each, 0);
  const isKnown = UNTELLABLE.some((pattern) => pattern.test(kind));
  if (!isKnown) failed += count;
  console.log(`${isKnown ? 'cannot be told' : 'NOT SEEN'} ${kind}: ${count}`);
  const examples = [...found.keys()];
  for (const about of values.all ? examples : isKnown ? [] : examples.slice(0, 6)) console.log(`    ${about}`);
}
console.log(`${tried} damages, ${failed} not seen that can be told`);
process.exitCode = failed > 0 || tried === 0 ? 1 : 0;
