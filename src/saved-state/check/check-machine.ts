import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { EnvironmentError } from '../../../formats/errors.ts';
import { openFile } from '../../../formats/files/source.ts';
import type { MachineHistory, SavedMoment } from '../machine-facts/snapshots.ts';
import { verify } from '../verify/verify.ts';
import { type CheckOptions, check, type LoadForecast } from './check.ts';

/** `fits-so-far`: no obstacle was found, but not all could be judged; `orphaned`: no snapshot names it. */
export type StateFate = 'none' | 'missing' | 'unreadable' | 'damaged' | 'refused' | 'fits' | 'fits-so-far' | 'orphaned';

/** A snapshot, or the present machine, with the condition of its state. */
export interface CheckedMoment extends Pick<SavedMoment, 'snapshot' | 'depth'> {
  fate: StateFate;
  /** Path of the state. */
  file?: string;
  forecast?: LoadForecast;
  /** For an orphan: whether its bytes are whole. */
  whole?: boolean;
}

/**
 * Checks every state of a machine and its snapshots against the settings of its time, and finds states that no snapshot
 * names. @param settings path of the settings file
 */
export async function checkHistory(
  settings: string,
  { moments, snapshotFolder }: MachineHistory,
  options: Omit<CheckOptions, 'machine'>,
): Promise<CheckedMoment[]> {
  const folder = dirname(resolve(settings));
  const checked: CheckedMoment[] = [];
  const named = new Set<string>();
  for (const moment of moments) {
    const { snapshot, depth, stateFile } = moment;
    const place = { snapshot, depth };
    if (stateFile === undefined) {
      checked.push({ ...place, fate: 'none' });
      continue;
    }
    const file = resolve(folder, stateFile.replaceAll('\\', '/'));
    named.add(file);
    checked.push({ ...place, file, ...(await fateOf(file, moment, options)) });
  }
  return [...checked, ...(await orphansIn(resolve(folder, snapshotFolder), named, options))];
}

async function fateOf(file: string, { machine }: SavedMoment, options: CheckOptions) {
  if (!existsSync(file)) return { fate: 'missing' as const };
  return reading(file, async (source) => {
    const { loads, damaged, notJudged, forecast } = await check(source, { ...options, machine });
    if (loads) return { fate: notJudged.length === 0 ? ('fits' as const) : ('fits-so-far' as const) };
    return { fate: damaged ? ('damaged' as const) : ('refused' as const), forecast };
  });
}

async function orphansIn(folder: string, named: ReadonlySet<string>, options: CheckOptions): Promise<CheckedMoment[]> {
  if (!existsSync(folder)) return [];
  const files = namesIn(folder)
    .filter((name) => name.endsWith('.sav'))
    .sort()
    .map((name) => join(folder, name))
    .filter((file) => !named.has(file));
  const orphans: CheckedMoment[] = [];
  for (const file of files) {
    const found = await reading(file, async (source) => {
      const { verdict } = await verify(source, options);
      return { fate: 'orphaned' as const, whole: verdict === 'whole' };
    });
    orphans.push({ depth: 0, file, ...found });
  }
  return orphans;
}

type Source = Awaited<ReturnType<typeof openFile>>;

async function reading<T extends { fate: StateFate }>(file: string, use: (source: Source) => Promise<T>) {
  // Nobody may ever write to a pipe.
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return { fate: 'unreadable' as const };
  try {
    const source = await openFile(file);
    return await use(source).finally(() => source.close());
  } catch (error) {
    if (error instanceof EnvironmentError) return { fate: 'unreadable' as const };
    throw error;
  }
}

/**
 * The settings file of a machine's folder: the one with the folder's name, or the only one. @throws EnvironmentError
 */
export function settingsIn(folder: string): string {
  const files = namesIn(folder).filter((name) => name.endsWith('.vbox'));
  const own =
    files.find((name) => name === `${basename(resolve(folder))}.vbox`) ?? (files.length === 1 ? files[0] : undefined);
  if (own !== undefined) return join(folder, own);
  const what =
    files.length === 0 ? 'no settings file (NAME.vbox)' : `several settings files: ${files.sort().join(', ')}`;
  throw new EnvironmentError(
    'ENOENT',
    `Cannot choose a machine in ${folder}: there ${files.length > 1 ? 'are' : 'is'} ${what}`,
  );
}

/** @throws EnvironmentError */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw EnvironmentError.from(error, `list the folder ${folder}`);
  }
}
