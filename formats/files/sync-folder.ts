import { world } from '../world/world.ts';

/**
 * Makes names in a folder durable: without this a new one may be lost in a crash of the host. Not all file systems can
 * do it, and Windows can't; that is no failure, since others can read the file by its new name already.
 */
export async function syncFolder(path: string): Promise<void> {
  const folder = await world.disk.open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}
