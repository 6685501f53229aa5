import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { oldState } from '../../testing/old-states.ts';
import { judgeSalvage, lostByCut, type Original, originalOf, touchedBy } from '../../testing/salvage-judge.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import type { SalvageOptions } from './salvage-options.ts';

// npm run campaign -- salvage [--damages N] [--old] [FILE…]: cuts good states, and the same as old releases would have
// saved them (--old: only these), at every percent and every unit border, damages each in N ways of every kind (default
// 40), and compares the list of what salvage lost with the original. Default: the bundled states. A state of 2 MiB
// takes some minutes.

/**
 * Cuts at every percent and at every unit border. The list must have exactly the pages that a naive reading of the same
 * bytes lacks.
 */
async function cutEverywhere(name: string, original: Original, options: SalvageOptions = {}): Promise<void> {
  const { bytes, units } = original;
  const percents = Array.from({ length: 99 }, (_, i) => Math.floor((bytes.length * (i + 1)) / 100));
  const borders = units.flatMap(({ start, end }) => [start, end, end - 1]);
  const cuts = [...new Set([...percents, ...borders])].filter((cut) => cut < bytes.length).sort((a, b) => a - b);
  const counts = { cuts: cuts.length, nothingLeft: 0, withoutMemory: 0, untold: 0, exact: 0 };
  for (const cut of cuts) {
    const judged = await judgeSalvage(original, bytes.subarray(0, cut), options);
    const where = `${name} cut at ${cut}`;
    for (const fault of judged.faults) report(where, fault);
    if (judged.wrong.length > 0) report(where, `${judged.wrong.length} pages are wrong, e.g. ${judged.wrong[0]}`);
    if (!judged.report) counts.nothingLeft++;
    else if (!judged.report.kept.some((unit) => unit.name === 'pgm')) counts.withoutMemory++;
    else {
      const truth = lostByCut(original, cut);
      if (judged.report.untold) {
        // Nothing names some ranges after the cut, so the list has to be right only for RAM and for named ranges.
        counts.untold++;
        for (const key of truth.lost) if (!judged.lost.has(key) && !key.startsWith('RAM')) truth.lost.delete(key);
      }
      const differences = [
        ...differing('lost', truth.lost, judged.lost),
        ...differing('old', truth.stale, judged.stale),
      ];
      for (const difference of differences) report(where, difference);
      if (differences.length === 0) counts.exact++;
    }
  }
  console.log(name, 'cut:', JSON.stringify(counts));
}

function differing(what: string, truth: ReadonlySet<string>, said: ReadonlySet<string>): string[] {
  const missing = [...truth].filter((key) => !said.has(key));
  const extra = [...said].filter((key) => !truth.has(key));
  return [
    ...(missing.length > 0 ? [`${missing.length} pages are ${what}, but not said to be, e.g. ${missing[0]}`] : []),
    ...(extra.length > 0 ? [`${extra.length} pages are said to be ${what}, but are not, e.g. ${extra[0]}`] : []),
  ];
}

type Damage = (bytes: Buffer, random: (below: number) => number) => [from: number, to: number];

const DAMAGES: Record<string, Damage> = {
  'one bit flipped': (bytes, random) => {
    const at = random(bytes.length);
    bytes[at] ^= 1 << random(8);
    return [at, at + 1];
  },
  'a sector of 512 bytes zeroed': (bytes, random) => zero(bytes, random, 512),
  'a block of 4 KiB zeroed': (bytes, random) => zero(bytes, random, 4096),
  'a sector of 512 bytes of rubbish': (bytes, random) => {
    const at = random(Math.ceil(bytes.length / 512)) * 512;
    for (let i = at; i < Math.min(bytes.length, at + 512); i++) bytes[i] = random(256);
    return [at, at + 512];
  },
};

/**
 * Removes bytes, or puts some in: nothing kept may be wrong, nothing lost may be unlisted, and units on both sides must
 * be kept.
 */
async function moveAnywhere(name: string, original: Original, options: SalvageOptions = {}): Promise<void> {
  const random = randomNumbers(21);
  for (const [what, pick] of Object.entries(MOVES)) {
    const counts = { runs: 0, nothingLeft: 0, anyPageMayBeWrong: 0, unitsGone: 0, lost: 0, old: 0 };
    for (let i = 0; i < damagesOfAKind; i++) {
      const by = pick(random);
      const at = random(original.bytes.length - Math.max(0, by));
      const between = by > 0 ? [] : [Buffer.from(Array.from({ length: -by }, () => random(256)))];
      const bytes = Buffer.concat([
        original.bytes.subarray(0, at),
        ...between,
        original.bytes.subarray(at + Math.max(0, by)),
      ]);
      const { report: said, faults, wrong, lost, stale } = await judgeSalvage(original, bytes, options, { at, by });
      const where = `${name} ${what} (${by}) at ${at}`;
      counts.runs++;
      for (const fault of faults) report(where, fault);
      if (!said) counts.nothingLeft++;
      else if (said.unproven) counts.anyPageMayBeWrong++;
      else if (wrong.length > 0) report(where, `${wrong.length} pages are wrong, e.g. ${wrong[0]}`);
      counts.unitsGone += said ? original.units.length - said.kept.length : 0;
      counts.lost += lost.size;
      counts.old += stale.size;
    }
    console.log(name, `${what}:`, JSON.stringify(counts));
  }
}

const MOVES: Record<string, (random: (below: number) => number) => number> = {
  'some bytes removed': (random) => 1 + random(64),
  'some bytes put in': (random) => -1 - random(64),
  'a sector of 512 bytes removed': () => 512,
  'blocks of 4 KiB removed': (random) => 4096 * (1 + random(4)),
};

function zero(bytes: Buffer, random: (below: number) => number, size: number): [number, number] {
  const at = random(Math.ceil(bytes.length / size)) * size;
  bytes.fill(0, at, Math.min(bytes.length, at + size));
  return [at, at + size];
}

/**
 * Damages bytes in the middle: no page may be wrong unless the report says that any may be; every page off the list
 * must be as it was.
 */
async function damageAnywhere(name: string, original: Original, options: SalvageOptions = {}): Promise<void> {
  const random = randomNumbers(20);
  for (const [what, damage] of Object.entries(DAMAGES)) {
    const counts = {
      runs: 0,
      repaired: 0,
      nothingLeft: 0,
      anyPageMayBeWrong: 0,
      touched: 0,
      lost: 0,
      exact: 0,
      lostBeyond: 0,
    };
    for (let i = 0; i < damagesOfAKind; i++) {
      const bytes = Buffer.from(original.bytes);
      const [from, to] = damage(bytes, random);
      if (bytes.equals(original.bytes)) continue;
      const judged = await judgeSalvage(original, bytes, options);
      const where = `${name} ${what} at ${from}`;
      counts.runs++;
      for (const fault of judged.faults) report(where, fault);
      if (!judged.report) counts.nothingLeft++;
      else if (judged.report.repaired.length > 0) {
        counts.repaired++;
        if (!judged.report.complete || judged.wrong.length > 0 || judged.lost.size > 0)
          report(where, 'repaired, but not to what it was');
      } else if (judged.report.unproven) counts.anyPageMayBeWrong++;
      else {
        if (judged.wrong.length > 0) report(where, `${judged.wrong.length} pages are wrong, e.g. ${judged.wrong[0]}`);
        const touched = touchedBy(original, from, to);
        const said = new Set([...judged.lost, ...judged.stale]);
        const beyond = [...said].filter((key) => !touched.includes(key)).length;
        counts.touched += touched.length;
        counts.lost += said.size;
        counts.lostBeyond += beyond;
        if (beyond === 0) counts.exact++;
      }
    }
    console.log(name, `${what}:`, JSON.stringify(counts));
  }
}

/** Pseudo-random numbers, the same in every run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * below);
  };
}

const SHOWN = 40;
let failed = 0;

function report(where: string, fault: string): void {
  if (failed++ < SHOWN) console.log(`FAILED: ${where}: ${fault}`);
}

const OLD_VERSIONS = [
  ['1.1', 6],
  ['1.2', 6],
  ['1.2', 7],
  ['1.2', 8],
  ['1.2', 9],
  ['2.0', 9],
] as const;

const { values, positionals: files } = parseArgs({
  allowPositionals: true,
  options: { damages: { type: 'string', default: '40' }, old: { type: 'boolean', default: false } },
});
const damagesOfAKind = Number(values.damages);
const bundled = readdirSync(STATES_FOLDER).filter((file) => file.endsWith('.sav'));
for (const file of files.length > 0 ? files : bundled.map((name) => join(STATES_FOLDER, name))) {
  const original = originalOf(readFileSync(file));
  if (!values.old) {
    await cutEverywhere(basename(file), original);
    await damageAnywhere(basename(file), original);
    await moveAnywhere(basename(file), original);
  }
  for (const [container, pgm] of OLD_VERSIONS) {
    const { name, original: old, layout } = await oldState(original.bytes, container, pgm);
    const what = `${basename(file)} as ${name}`;
    // Version 6 names no ranges, so without a layout there is nothing to compare by.
    if (pgm > 6) await cutEverywhere(`${what}, without layout`, old);
    await cutEverywhere(`${what}, with layout`, old, { layout });
    await damageAnywhere(`${what}, with layout`, old, { layout });
    await moveAnywhere(`${what}, with layout`, old, { layout });
  }
}
console.log(failed === 0 ? 'all as it should be' : `${failed} faults`);
process.exitCode = failed > 0 ? 1 : 0;
