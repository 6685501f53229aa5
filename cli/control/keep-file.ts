import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { stateFolder } from '../../migrations/hand-over/record-folder.ts';
import { tryFile } from '../io/output.ts';

/** File to which a machine is saved when its process gets a signal to end. */
export interface KeepFile {
  path: string;
  /** Whether an existing file is replaced. */
  force: boolean;
}

export const KEEP_IN_TEXT =
  'File that the machine is saved to when SIGTERM, or a second Ctrl-C, ends this process; default: a new file, ' +
  'whose path is then printed';

export interface KeepFileOptions {
  keepIn?: string;
  force: boolean;
}

/** Checks, before there is a machine, that the file can be written. @throws EnvironmentError if it cannot */
export async function checkKeepFile({ keepIn, force }: KeepFileOptions): Promise<void> {
  if (keepIn === undefined) defaultFolder();
  else await tryFile(keepIn, { force });
}

/** The file that options name; else a new one for each process, in the user's folder for the state of programs. */
export function keepFile(name: string, { keepIn, force }: KeepFileOptions, ending?: string): KeepFile {
  return keepIn === undefined ? newKeepFile(name, defaultFolder(), ending) : { path: resolve(keepIn), force };
}

/** A file with an unused name in a folder. */
export function newKeepFile(name: string, folder: string = defaultFolder(), ending = '.sav'): KeepFile {
  const unique = `${plainName(name)}-${process.pid}-${randomBytes(3).toString('hex')}${ending}`;
  return { path: join(resolve(folder), unique), force: false };
}

/** @param instead folder for a user without a home @throws EnvironmentError `no-home` where none is given */
export function defaultFolder(instead?: string): string {
  try {
    return join(stateFolder(), 'machines');
  } catch (error) {
    if (instead === undefined) throw error;
    return instead;
  }
}

/** A machine's name as part of a file's name; it may come from another host. */
export function plainName(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]+/g, '-').slice(0, 64) || 'machine';
}
