import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openFileSink } from '../../../formats/files/sink.ts';
import { bufferSource } from '../../../formats/files/source.ts';
import { readElfCore } from '../../testing/naive-core.ts';
import { naiveMemory, naivePages } from '../../testing/naive-pages.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { Score, VirtualBox } from '../../testing/virtualbox.ts';
import { MachinePark } from '../check/testing/machine-park.ts';
import { PAIR_MACHINES } from '../check/testing/pair-machines.ts';
import { parseRelease, type ReleaseNumbers } from '../check/unit-versions.ts';
import { readSettings } from '../machine-facts/settings.ts';
import { adapt } from './adapt.ts';
import { buildRom, type Course, runCourse } from './testing/course.ts';
import { pciIds, registersOfCore, registersOfState } from './testing/naive-machine-parts.ts';

// npm run campaign -- virtualbox-adapt [samples | table | settings | releases] [NAME…]: states that a machine of the
// real VirtualBox refuses are adapted to it, loaded, run, saved, loaded again and run on. Memory and registers must be
// those of the state, the guest's counter must go on, and its PCI probe must see what the machine and the plan tell.
// `samples`: the cases of SAVKIT_ADAPT_SAMPLES, else ../shared/samples/adapt, which also has the guest; `table`: all
// pairs of test-vectors/machines/forecasts.tsv that are refused; `settings`: the same by the machines' settings,
// without donor, where settings suffice; `releases`: units of a state in versions of older releases, which 7.2 reads,
// too. With names, only cases that have one of them. An hour and a half; SAVKIT_JOURNAL=FILE lets it go on where it was
// stopped.

const COUNTER = 0x1000;
const PROBE = 0x2400;
const SCANS = 0x2f14;
const NOTHING = 0xffffffff;
/** Time for which a guest runs, each time. */
const SECONDS = 2;
const SECONDS_ON_A_BUSY_HOST = 15;
/** Machines whose units can all be written in older versions. */
const FOR_RELEASES = ['base', 'uart1', 'cpu2'];
const RELEASES = ['7.1', '7.0', '6.1'];

const virtualBox = await VirtualBox.find();
const samples = resolve(process.env.SAVKIT_ADAPT_SAMPLES ?? join(virtualBox.folder, '../samples/adapt'));
const guest = join(samples, 'guest/adaptrom.asm');
if (!existsSync(guest)) {
  console.error(`The guest is not there, so nothing was tried: ${guest}`);
  process.exit(2);
}
const score = new Score();
const rom = await buildRom(new MachinePark(virtualBox), guest);
const park = new MachinePark(virtualBox, { prefix: 'savkit-adapt-', rom });
const [kind, ...names] = process.argv.slice(2);
const isKind = ['samples', 'table', 'settings', 'releases'].includes(kind);
const wanted = isKind || kind === undefined ? names : [kind, ...names];
const isWanted = (...own: string[]) => wanted.length === 0 || own.some((name) => wanted.includes(name));

try {
  if (!isKind || kind === 'samples') await trySamples();
  if (!isKind || kind === 'table') await tryTable(true);
  if (!isKind || kind === 'settings') await tryTable(false);
  if (!isKind || kind === 'releases') await tryReleases();
} finally {
  await park.close();
}
score.close();

async function trySamples(): Promise<void> {
  for (const name of readdirSync(samples)) {
    if (!existsSync(join(samples, name, 'expected.json')) || !isWanted(name)) continue;
    const unpacked = (file: string) => execFileSync('xz', ['-dc', join(samples, name, file)], { maxBuffer: 2 ** 30 });
    const into = name.includes('-to-') ? name.split('-to-')[1] : 'base';
    await judged(name, into, async () => ({ state: unpacked('state.sav.xz'), donor: unpacked('donor.sav.xz') }));
  }
}

/** Tries the pairs of the table, but for states that were constructed, which have a campaign of their own. */
async function tryTable(hasDonor: boolean): Promise<void> {
  const [, ...rows] = readFileSync(join(STATES_FOLDER, '../machines/forecasts.tsv'), 'utf8').trim().split('\n');
  for (const [from, into, code] of rows.map((row) => row.split('\t'))) {
    if (code === 'loads' || !(from in PAIR_MACHINES) || !isWanted(from, into)) continue;
    const get = async () => ({
      state: await park.state(from, PAIR_MACHINES[from], '2'),
      donor: await park.state(into, PAIR_MACHINES[into], '0'),
    });
    await judged(`${from} in ${into}${hasDonor ? '' : ', by settings'}`, into, get, hasDonor);
  }
}

async function tryReleases(): Promise<void> {
  for (const machine of FOR_RELEASES)
    for (const release of RELEASES) {
      if (!isWanted(machine, release)) continue;
      const state = async () => await park.state(machine, PAIR_MACHINES[machine], '2');
      const get = async () => ({ state: await state(), donor: await state() });
      await judged(`${machine} for ${release}`, machine, get, true, parseRelease(release));
    }
}

function judged(...args: Parameters<typeof judgedNow>): Promise<void> {
  return score.part(args[0], () => judgedNow(...args));
}

async function judgedNow(
  what: string,
  into: string,
  get: () => Promise<{ state: Buffer; donor: Buffer }>,
  hasDonor = true,
  release?: ReleaseNumbers,
): Promise<void> {
  try {
    const settings = await park.settings(into, PAIR_MACHINES[into]);
    const { state, donor } = await get();
    const path = park.place('adapted.sav');
    rmSync(path, { force: true });
    const sink = await openFileSink(path, {});
    const { changes, proof } = await adapt(
      bufferSource(state),
      release ? 'unchanged' : hasDonor ? { donor: bufferSource(donor) } : { machine: readSettings(settings, into) },
      sink,
      { accept: ['risk', 'loss'], release },
    )
      .then(async (report) => {
        await sink.commit();
        return report;
      })
      .finally(() => sink.abort());
    if (!proof?.holds) {
      score.check(what, false, `not proved: ${proof?.refusal ?? proof?.differences.join(', ')}`);
      return;
    }
    let course = await runCourse(park, path, into, SECONDS);
    if (!('code' in course) && isTooSlow(course)) course = await runCourse(park, path, into, SECONDS_ON_A_BUSY_HOST);
    const faults = 'code' in course ? [`${course.code}: ${course.output}`] : faultsOf(course, state, donor);
    const told = changes.map((change) => change.class).join(' ');
    score.check(`${what}: ${told}`, faults.length === 0, faults.join('; '));
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === 'not-adaptable' && !hasDonor && message.includes('--donor')) console.log(`needs a donor: ${what}`);
    else if (code === 'not-adaptable') score.check(`${what}: refused: ${message}`, /change|give|allow/.test(message));
    else score.check(what, false, message);
  }
}

function faultsOf({ loaded, ran, reloaded, ranOn }: Course, state: Buffer, donor: Buffer): string[] {
  const u64 = (core: Buffer, at: number) => readElfCore(core)(at & ~0xfff)?.readBigUInt64LE(at & 0xfff) ?? -1n;
  const faults = [...memoryFaults(loaded, state), ...registerFaults(loaded, registersOfState(state))];
  if (u64(ran, COUNTER) <= u64(loaded, COUNTER)) faults.push(`the guest stands still at ${u64(loaded, COUNTER)}`);
  if (u64(reloaded, COUNTER) !== u64(ran, COUNTER)) faults.push('saved and loaded again, the counter is another one');
  if (u64(ranOn, COUNTER) <= u64(reloaded, COUNTER)) faults.push('saved and loaded again, the guest stands still');
  faults.push(...registerFaults(reloaded, registersOfCore(ran)).map((fault) => `again: ${fault}`));
  if (isTooSlow({ loaded, ranOn })) faults.push(`only ${scansOf(ranOn) - scansOf(loaded)} scans of the bus`);
  else faults.push(...probeFaults(ranOn, pciIds(state), pciIds(donor)));
  return faults;
}

function scansOf(core: Buffer): number {
  return readElfCore(core)(SCANS & ~0xfff)?.readUInt32LE(SCANS & 0xfff) ?? 0;
}

/** Tells whether a guest has not yet looked at the whole bus since it was loaded. */
function isTooSlow({ loaded, ranOn }: Pick<Course, 'loaded' | 'ranOn'>): boolean {
  return scansOf(ranOn) < scansOf(loaded) + 2;
}

/** Lists pages of RAM that differ, of those that the machine has. */
function memoryFaults(core: Buffer, state: Buffer): string[] {
  const memory = readElfCore(core);
  const wrong: string[] = [];
  let compared = 0;
  for (const [key, { content }] of naiveMemory(naivePages(state))) {
    const page = key.startsWith('RAM ') ? memory(Number(key.slice(4))) : undefined;
    if (!page) continue;
    compared++;
    if (!page.equals(content)) wrong.push(key);
  }
  if (compared < 256) return [`only ${compared} pages were compared`];
  return wrong.length === 0 ? [] : [`${wrong.length} pages of RAM differ, e.g. ${wrong[0]}`];
}

/** Lists wrong registers of the CPUs that both have. */
function registerFaults(core: Buffer, expected: ReturnType<typeof registersOfState>): string[] {
  const found = registersOfCore(core);
  if (found.length === 0) return ['the core dump has no registers'];
  return expected.slice(0, found.length).flatMap((registers, cpu) =>
    Object.entries(registers).flatMap(([name, value]) => {
      const own = found[cpu][name];
      return own === value ? [] : [`CPU ${cpu}: ${name} is 0x${own.toString(16)}, not 0x${value.toString(16)}`];
    }),
  );
}

/**
 * Lists devices that the guest does not see as they are in the machine; of one whose model alone has changed it may see
 * the old ids.
 */
function probeFaults(core: Buffer, own: Map<number, number>, donor: Map<number, number>): string[] {
  const page = readElfCore(core)(PROBE & ~0xfff);
  const faults: string[] = [];
  for (let devfn = 0; devfn < 256; devfn++) {
    const seen = page?.readUInt32LE((PROBE & 0xfff) + 4 * devfn) ?? 0;
    const machine = donor.get(devfn) ?? NOTHING;
    const before = own.get(devfn) ?? NOTHING;
    const isSameVendor = (machine & 0xffff) === (before & 0xffff);
    if (seen !== machine && !(isSameVendor && seen === before))
      faults.push(`PCI ${devfn.toString(16)}: the guest sees 0x${seen.toString(16)}, not 0x${machine.toString(16)}`);
  }
  return faults;
}
