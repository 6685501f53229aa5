import { realpathSync } from 'node:fs';
import { MigrationError } from '../wire/migration-error.ts';
import { partsOf, type QemuCommand } from './command-words.ts';
import { processWithFile } from './guest-process.ts';

/**
 * A QEMU that starts writes its ROMs into its memory. In a file that another guest runs in, such as the source's on the
 * same host, that would be the end of this guest.
 * @throws MigrationError `memory-in-use`
 */
export function checkMemoryIsFree(command: QemuCommand): void {
  for (const path of memoryPaths(command)) {
    const pid = processWithFile(realPath(path));
    if (pid !== undefined)
      throw new MigrationError(
        'memory-in-use',
        `Cannot start a target with memory in ${path}: process ${pid} has it open; name another mem-path`,
      );
  }
}

function memoryPaths({ options }: QemuCommand): string[] {
  return options.flatMap(({ name, value = '' }) => {
    if (name === 'mem-path') return [value];
    return name === 'object' ? pathsOf(value) : [];
  });
}

/** QEMU takes an object also in the form of JSON, and says itself where that is wrong. */
function pathsOf(object: string): string[] {
  if (!object.startsWith('{'))
    return partsOf(object)
      .filter(({ key }) => key === 'mem-path')
      .map(({ value }) => value);
  try {
    const path: unknown = JSON.parse(object)['mem-path'];
    return typeof path === 'string' ? [path] : [];
  } catch {
    return [];
  }
}

/** A file that is not there yet is nobody's. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
