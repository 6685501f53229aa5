import { world } from '../world/world.ts';

/** Codes of file systems that cannot sync folders; Windows cannot at all. */
const CAN_NOT = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EISDIR', 'EPERM', 'EACCES', 'EBADF', 'EROFS']);

/**
 * Makes names in a folder durable; without this a new name may be lost in a crash of the host. A file system that
 * cannot do so is no failure, since others can read the file by its new name already.
 * @throws Error of the system for a disk that fails
 */
export async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await world.disk.open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close().catch(() => {});
    }
  } catch (error) {
    if (!CAN_NOT.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
