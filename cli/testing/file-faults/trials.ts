import { join } from 'node:path';
import type { Form } from './forms.ts';
import type { Ground } from './ground.ts';
import { type Good, judge, judgeChanged } from './judge.ts';
import { type Call, CHANGES, type Deed, type Shim } from './shim.ts';

/** Place and number of trials. */
export interface Place {
  ground: Ground;
  shim: Shim;
  /** So many calls at most, evenly spread. */
  mostCalls: number;
  /** Every fault at every call; else some of them at each, in turn. */
  isThorough: boolean;
  /** Whether there is time for one more trial. */
  mayGoOn(): boolean;
  /** Called after each trial. */
  tried(what: string, found: readonly string[]): void;
}

/** Faults that a call of each kind can meet. */
const FAULTS: Readonly<Record<string, readonly Deed[]>> = {
  open: ['EIO+', 'ENOSPC+', 'EDQUOT', 'EINTR'],
  write: ['short', 'ENOSPC+', 'EIO+', 'EDQUOT', 'EINTR'],
  sync: ['EIO+', 'ENOSPC+', 'EDQUOT', 'EINTR'],
  truncate: ['EIO+', 'EINTR'],
  allocate: ['ENOSPC+', 'EDQUOT', 'EIO+'],
  close: ['EDQUOT', 'EINTR', 'EIO+'],
  rename: ['EIO+', 'ENOSPC+', 'EDQUOT'],
  link: ['ENOSPC+', 'EIO+', 'EDQUOT'],
  mkdir: ['EIO+', 'ENOSPC+', 'EDQUOT'],
  unlink: ['EIO+'],
};
const READ_FAULTS: readonly Deed[] = ['short', 'EIO', 'EINTR'];

/** Faults of the call with this number: in turn, unless all are wanted; fewer where another file is replaced. */
export function deedsAt(kind: string, at: number, { isThorough }: Place, isThere: boolean): readonly Deed[] {
  const others = FAULTS[kind] ?? [];
  if (isThorough) return ['kill', 'EIO', ...others];
  const all = ['EIO', ...others] as const;
  return ['kill', ...(isThere ? [] : (['EIO'] as const)), isThere ? all[at % all.length] : others[at % others.length]];
}

/** Numbers from 1 to `count`, or so many of them, from a place on that differs from form to form. */
export function spread(count: number, most: number, { name }: { name: string }): number[] {
  const step = Math.max(1, count / most);
  const start = (step * (name.length % 5)) / 5;
  return Array.from({ length: Math.min(count, Math.ceil(most)) }, (_, i) => Math.floor(1 + start + i * step)).filter(
    (each) => each <= count,
  );
}

/** Faults of calls that change files: for a new file, then in place of an older one. */
export async function tryChangingCalls(place: Place, form: Form): Promise<void> {
  for (const isThere of form.inPlaceOf === undefined ? [false, true] : [true]) {
    const words = [...place.ground.wordsOf(form), ...(isThere ? ['--force'] : [])];
    const good = await runWell(place, form, words, isThere);
    expectSeen(form, good.calls);
    for (const at of spread(good.calls.length, place.mostCalls, form))
      for (const deed of deedsAt(good.calls[at - 1].kind, at, place, isThere))
        await tryOnce(place, form, good, { words, isThere, counted: 'changes', at, deed });
  }
}

/** Faults of calls that open inputs and read them. */
export async function tryReadingCalls(place: Place, form: Form): Promise<void> {
  const isThere = form.inPlaceOf !== undefined;
  const words = [...place.ground.wordsOf(form), ...(isThere ? ['--force'] : [])];
  const good = await runWell(place, form, words, isThere, 'reads');
  for (const at of spread(good.calls.length, place.mostCalls / 4, form))
    for (const deed of place.isThorough ? READ_FAULTS : [READ_FAULTS[at % READ_FAULTS.length]])
      await tryOnce(place, form, good, { words, isThere, counted: 'reads', at, deed });
}

interface Fault {
  words: string[];
  isThere: boolean;
  counted: 'changes' | 'reads';
  at: number;
  deed: Deed;
}

async function tryOnce(place: Place, form: Form, good: WellRun, fault: Fault): Promise<void> {
  if (!place.mayGoOn()) return;
  const { ground, shim } = place;
  const { words, isThere, counted, at, deed } = fault;
  const { kind } = good.calls[at - 1];
  const older = ground.fresh(form, isThere);
  const run = await shim.run(words, counted, at, deed);
  const found = judge(ground, good, { form, older, deed, kind }, run);
  if (run.exitCode === null && ground.leftovers().length > 0) found.push(...(await judgeNext(place, form, good)));
  place.tried(`${words.join(' ')}: ${deed} at call ${at} of ${good.calls.length}, ${kind}`, found);
}

/** Faults after the next command, which finds the files of a killed process. */
async function judgeNext({ ground, shim }: Place, form: Form, good: Good): Promise<string[]> {
  const run = await shim.run([...ground.wordsOf(form), '--force'], 'changes');
  const found =
    form.inPlaceOf === undefined
      ? judge(ground, good, { form, older: undefined, deed: 'EIO', kind: 'none' }, run)
      : ground.leftovers().map((name) => `leaves ${name}`);
  return found.map((each) => `the next one ${each}`);
}

/** Inputs that change before a call that reads them, but for the first. */
export async function tryChanges(place: Place, form: Form): Promise<void> {
  const { ground, shim } = place;
  const isThere = form.inPlaceOf !== undefined;
  const words = [...ground.wordsOf(form), ...(isThere ? ['--force'] : [])];
  const good = await runWell(place, form, words, isThere, 'reads');
  // Results that are read back, and temporary files, are nobody else's.
  const isInput = (path: string) => path.startsWith(join(ground.folder, 'in')) || path.endsWith('/out/file');
  const later = good.calls.flatMap(({ kind, path }, i) =>
    kind === 'read' && isInput(path) && good.calls.findIndex((call) => call.kind === 'read' && call.path === path) < i
      ? [i + 1]
      : [],
  );
  for (const [turn, index] of spread(later.length, place.mostCalls / 6, form).entries())
    for (const deed of place.isThorough ? CHANGES : [CHANGES[turn % 4], CHANGES[(turn + 2) % 4]]) {
      if (!place.mayGoOn()) return;
      const at = later[index - 1];
      const { kind, path } = good.calls[at - 1];
      const older = ground.fresh(form, isThere);
      const run = await shim.run(words, 'reads', at, deed);
      const found = judgeChanged(ground, good, { form, older, deed, kind }, run);
      place.tried(`${words.join(' ')}: ${deed} before read ${at} of ${good.calls.length}, ${path}`, found);
    }
}

type WellRun = Good & { calls: Call[] };

async function runWell(
  { ground, shim }: Place,
  form: Form,
  words: string[],
  isThere: boolean,
  counted: 'changes' | 'reads' = 'changes',
): Promise<WellRun> {
  ground.fresh(form, isThere);
  const { exitCode, said, calls } = await shim.run(words, counted);
  if (![0, 1, 3].includes(exitCode ?? -1)) throw new Error(`${form.name} ends with ${exitCode}: ${said}`);
  return { exitCode, outputs: ground.outputs(), calls };
}

/** Expects the layer to have seen how the output came about: one that sees nothing finds nothing. @throws Error */
function expectSeen(form: Form, calls: readonly Call[]): void {
  const kinds = calls.map(({ kind }) => kind);
  for (const kind of ['open', 'write', 'sync', 'close'])
    if (!kinds.includes(kind)) throw new Error(`${form.name}: no ${kind} was seen`);
  if (!kinds.includes('link') && !kinds.includes('rename')) throw new Error(`${form.name}: no name was seen`);
}
