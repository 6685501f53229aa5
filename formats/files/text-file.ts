import { EnvironmentError } from '../errors.ts';
import { world } from '../world/world.ts';

/**
 * The text of a small file. Undefined for one of more than `limit` bytes, and for pipes and devices: a pipe may never
 * give anything, and a device has no end.
 * @throws EnvironmentError
 */
export async function readTextFile(path: string, limit: number): Promise<string | undefined> {
  try {
    const there = await world.disk.stat(path, { bigint: true });
    return there.isFile() && there.size <= limit ? await world.disk.readFile(path, 'utf8') : undefined;
  } catch (error) {
    throw EnvironmentError.from(error, `read ${path}`);
  }
}
