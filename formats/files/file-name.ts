import { dirname } from 'node:path';
import { world } from '../world/world.ts';
import { alreadyThere } from './output-place.ts';
import { syncFolder } from './sync-folder.ts';
import { forgetTemporaryFile, nameTemporaryFile } from './temporary-files.ts';

/** Puts names back as they were. */
type Undo = () => Promise<void>;

/** The final name of a file, which is given durably or not at all. */
export class FileName {
  /** The file has its name. */
  isGiven = false;
  readonly #path: string;
  readonly #place: string;

  /** @param path as the user calls it @param place absolute path */
  constructor(path: string, place: string) {
    this.#path = path;
    this.#place = place;
  }

  /**
   * Gives the name to a file, and makes the name durable. On failure all names are put back as before. If that fails as
   * well, the file keeps the name (`isGiven`), and may be gone after a crash of the host.
   * @param mayReplace another file may have the name
   * @throws EnvironmentError `EEXIST`; Error of the system
   */
  async give(temporary: string, mayReplace: boolean): Promise<void> {
    const older = mayReplace ? await this.#keepOlder() : undefined;
    try {
      const undo = mayReplace ? await this.#replace(temporary, older) : await this.#link(temporary);
      this.isGiven = true;
      await syncFolder(dirname(this.#place)).catch(async (error) => {
        await this.#undone(undo);
        throw error;
      });
    } finally {
      if (older !== undefined) await removed(older);
    }
  }

  async #undone(undo: Undo): Promise<void> {
    try {
      await undo();
      this.isGiven = false;
      await syncFolder(dirname(this.#place));
    } catch {
      // The error that led here tells of the disk.
    }
  }

  /**
   * A second name for the file that is to be replaced; undefined if there is no such file, or no second name is
   * possible.
   */
  async #keepOlder(): Promise<string | undefined> {
    const older = nameTemporaryFile(dirname(this.#place), 'older');
    try {
      await world.disk.link(this.#place, older);
      return older;
    } catch {
      forgetTemporaryFile(older);
      return undefined;
    }
  }

  async #replace(temporary: string, older: string | undefined): Promise<Undo> {
    const wasThere = older !== undefined || (await exists(this.#place));
    await world.disk.rename(temporary, this.#place);
    forgetTemporaryFile(temporary);
    return async () => {
      if (older !== undefined) await world.disk.rename(older, this.#place);
      else if (!wasThere) await world.disk.unlink(this.#place);
      else throw new Error('The older file is gone');
    };
  }

  /**
   * Gives the name by a link, which, unlike a rename, never replaces a file that has appeared meanwhile. Not all file
   * systems have links.
   */
  async #link(temporary: string): Promise<Undo> {
    try {
      await world.disk.link(temporary, this.#place);
      await removed(temporary);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST' || (await exists(this.#place)))
        throw alreadyThere(this.#path);
      await world.disk.rename(temporary, this.#place);
      forgetTemporaryFile(temporary);
    }
    return () => world.disk.unlink(this.#place);
  }
}

/** Removes a temporary file, now or, if that fails, at the end of the process. */
async function removed(temporary: string): Promise<void> {
  await world.disk.unlink(temporary).then(
    () => forgetTemporaryFile(temporary),
    () => {},
  );
}

async function exists(path: string): Promise<boolean> {
  return world.disk.stat(path, { bigint: true }).then(
    () => true,
    () => false,
  );
}
