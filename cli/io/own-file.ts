import { access, constants, open, stat } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { EnvironmentError } from '../../formats/errors.ts';

const MOST_BYTES = 80;

/**
 * Whether writing to a path loses nothing: there is no file, an empty one, or one that savkit has written, known by its
 * beginning. Pipes and devices are not read. @throws EnvironmentError also where a new file cannot be made
 */
export async function isFreeOr(path: string, beginning: RegExp): Promise<boolean> {
  const there = await stat(path).catch(() => undefined);
  if (!there) {
    await access(`${dirname(path)}${sep}`, constants.W_OK).catch((error: unknown) => {
      throw EnvironmentError.from(error, `write ${path}`);
    });
    return true;
  }
  if (!there.isFile() || there.size === 0) return true;
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0);
      return beginning.test(buffer.toString('latin1', 0, bytesRead));
    } finally {
      await file.close();
    }
  } catch (error) {
    throw EnvironmentError.from(error, `read ${path}`);
  }
}
