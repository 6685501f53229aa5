import { chunksOf, openFile } from '../../formats/files/source.ts';
import { isZero } from '../../formats/kernels/zero.ts';
import { MIB } from '../../formats/sizes.ts';
import { jsonOf } from '../../formats/values/json-text.ts';
import { optional, record, text } from '../../formats/values/shape.ts';
import { world } from '../../formats/world/world.ts';
import { type CommandLine, partsOf } from '../../src/saved-state/qemu-check/command-words.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { processWithFile, told } from './guest-process.ts';

/**
 * Checks that the memory files of a new QEMU are free. QEMU writes its ROMs into them at its start: that would kill a
 * guest that runs there, such as the source's on the same host. Content of an earlier guest is not deleted either, as
 * it may belong to a state that leaves its RAM in this file; and new memory has to be zeros.
 * @throws MigrationError `memory-in-use`, `memory-not-fresh`; EnvironmentError
 */
export async function checkMemoryIsFree(command: CommandLine): Promise<void> {
  for (const path of memoryPaths(command)) {
    const pid = processWithFile(realPath(path));
    if (pid !== undefined)
      throw new MigrationError(
        'memory-in-use',
        `Cannot start a target with memory in ${path}: process ${pid} has it open; name another mem-path`,
      );
    if (await holdsBytes(path))
      throw new MigrationError(
        'memory-not-fresh',
        `Cannot start a target with memory in ${path}: an earlier guest has left its memory there; remove the ` +
          'file if nobody needs it, or name another mem-path',
      );
  }
}

/** Empties files that were new for a QEMU that has ended, so that no content of the guest stays. */
export function emptyMemory(paths: readonly string[]): void {
  for (const path of paths) {
    try {
      if (world.disk.statSync(path).isFile()) world.disk.truncateSync(path, 0);
    } catch {
      // The file is gone with its QEMU, or was never made.
    }
  }
}

/** Whether there is a file with more than zeros in it. */
async function holdsBytes(path: string): Promise<boolean> {
  const stat = told(() => world.disk.statSync(path), undefined);
  if (!stat?.isFile() || stat.blocks === 0) return false;
  const source = await openFile(path);
  try {
    for await (const chunk of chunksOf(source, MIB)) if (!isZero(chunk)) return true;
    return false;
  } finally {
    await source.close();
  }
}

export function memoryPaths({ options }: CommandLine): string[] {
  return options.flatMap(({ name, value = '' }) => {
    if (name === 'mem-path') return [value];
    return name === 'object' ? pathsOf(value) : [];
  });
}

const memoryFile = record({ 'mem-path': optional(text(4096)) });

/** Paths of memory files in an object, which may be JSON as well; QEMU itself reports wrong JSON. */
function pathsOf(object: string): string[] {
  if (!object.startsWith('{'))
    return partsOf(object)
      .filter(({ key }) => key === 'mem-path')
      .map(({ value }) => value);
  const path = jsonOf(object, memoryFile)?.['mem-path'];
  return path === undefined ? [] : [path];
}

/** The path after links are resolved; as given for a file that is not there yet, which no process can have open. */
function realPath(path: string): string {
  return told(() => world.disk.realpathSync(path), path);
}
