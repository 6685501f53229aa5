import { changed } from '../../../formats/files/watched-file.ts';
import type { Form } from './forms.ts';
import type { Ground } from './ground.ts';
import type { Deed, Watched } from './shim.ts';

/** Result of a command where nothing fails. */
export interface Good {
  exitCode: number | null;
  outputs: ReadonlyMap<string, Buffer>;
}

/** A command on which a fault fell. */
export interface Trial {
  form: Form;
  /** The file at the output's place before. */
  older: Buffer | undefined;
  deed: Deed;
  /** The kind of the call on which the fault fell. */
  kind: string;
}

/** Exit codes of errors that are told. */
const TOLD = [1, 2, 3, 4, 5];

/** Broken promises after a fault of the disk, or the death of the process. */
export function judge(ground: Ground, good: Good, trial: Trial, run: Watched): string[] {
  const wrong: string[] = [];
  const { deed, kind, older, form } = trial;
  const isKilled = deed === 'kill' && run.exitCode === null;
  const outputs = ground.outputs();
  const names = [...good.outputs.keys()];
  // Salvage goes on without the bytes that a disk does not give, and says so: its output is another one.
  const isLess = kind === 'read' && /the disk does not give the bytes/.test(run.said);
  const isWhole = (name: string) =>
    (isLess && outputs.has(name)) || good.outputs.get(name)?.equals(outputs.get(name) ?? NOTHING) === true;
  const isAsBefore = (name: string) => {
    const there = outputs.get(name);
    return name === 'file' && older ? there?.equals(older) === true : there === undefined;
  };
  for (const name of names)
    if (!isWhole(name) && !isAsBefore(name)) wrong.push(`${name} is neither whole nor as before`);
  const areWhole = names.every(isWhole);
  const isDone = run.exitCode === good.exitCode;
  if (isDone && !areWhole) wrong.push(`ends with ${run.exitCode}, without its output`);
  if (!isDone && !isKilled && areWhole && !mayStand(deed, names))
    wrong.push(`ends with ${run.exitCode}, and its output stands`);
  if (!isDone && !isKilled) wrong.push(...judgeWords(run));
  wrong.push(...ground.changedInputs(form).map((name) => `input ${name} has changed`));
  // Files that cannot be removed stay, and files of a killed process stay until the next command.
  const mayStay = isKilled || deed === 'EIO+' || kind === 'unlink';
  for (const name of ground.leftovers()) if (!mayStay || !isTemporary(name)) wrong.push(`leaves ${name}`);
  return wrong;
}

const NOTHING = Buffer.from('nothing is there');

/**
 * Whether an output may stay after a failure: names could not be put back, or one of several outputs had its name
 * already.
 */
function mayStand(deed: Deed, names: readonly string[]): boolean {
  return deed.endsWith('+') || names.length > 1;
}

/** Faults in the words and the exit code of a command that has failed. */
function judgeWords({ exitCode, said }: Watched): string[] {
  const last = said.trim().split('\n').at(-1) ?? '';
  if (!TOLD.includes(exitCode ?? -1)) return [`ends with ${exitCode}: ${last}`];
  if (/^ {4}at |Error: E[A-Z]+|internal/m.test(said)) return [`tells a fault of its own: ${last}`];
  return said.trim() === '' ? ['says nothing'] : [];
}

/** Temporary files and folders, as they are named. */
function isTemporary(name: string): boolean {
  return name.endsWith('.part') || name.startsWith('savkit-guest-');
}

/** The message for a changed file begins so. */
const [TOLD_CHANGE] = changed('PATH', '').message.split('PATH');

/** Broken promises after an input has changed while it was read. */
export function judgeChanged(ground: Ground, good: Good, { older, form }: Trial, run: Watched): string[] {
  const wrong: string[] = [];
  const outputs = ground.outputs();
  if (!run.said.includes(TOLD_CHANGE)) {
    const isAsGood = run.exitCode === good.exitCode ? ', as if nothing had been' : '';
    wrong.push(`does not tell it, and ends with ${run.exitCode}${isAsGood}: ${run.said.trim().split('\n').at(-1)}`);
  } else if (run.exitCode !== 4) wrong.push(`tells it, and ends with ${run.exitCode}`);
  for (const [name, bytes] of outputs) {
    const isExpected = form.inPlaceOf === undefined ? older?.equals(bytes) : !good.outputs.get(name)?.equals(bytes);
    if (isExpected !== true) wrong.push(`has written ${name}`);
  }
  for (const name of ground.leftovers()) wrong.push(`leaves ${name}`);
  return wrong;
}
