import { writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { EnvironmentError } from '../../formats/errors.ts';
import { openFile, withBeside } from '../../formats/files/source.ts';
import { stretchOf } from '../../formats/files/stretch-source.ts';
import { withTemporaryFile } from '../../formats/files/temporary-files.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { convertQemu } from '../../src/saved-state/qemu-convert/convert-qemu.ts';
import { withOutput } from '../io/output.ts';
import { ExitCode } from '../process/exit-codes.ts';

/** Makes an empty file for memory beside the output, where there is room for the output, until `use` has ended. */
export function withPartBeside<T>(output: string, use: (path: string) => Promise<T>): Promise<T> {
  return withTemporaryFile(dirname(output), basename(output), (path) => {
    writingBeside(output, () => writeFileSync(path, '', { flag: 'wx', mode: 0o600 }));
    return use(path);
  });
}

/** Writes a file beside an output. @throws EnvironmentError */
export function writingBeside(output: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw EnvironmentError.from(error, `write beside ${output}`);
  }
}

/** Files with the devices and the memory of a guest at rest. */
export interface TakenGuest {
  /** File with the devices, as QEMU saves them where RAM is in files. */
  statePath: string;
  /** File with the memory, one region after the other. */
  ramPath: string;
  regions: readonly { name: string; pages: number }[];
}

/** Writes devices and memory as one plain stream, and reads it back to compare. */
export function putTogether(
  { statePath, ramPath, regions }: TakenGuest,
  output: string,
  force: boolean,
  signal: AbortSignal,
): Promise<ExitCode> {
  return withOutput(output, { force }, async (sink) => {
    const state = await openFile(statePath);
    const ram = await openFile(ramPath);
    try {
      let start = 0;
      const blocks = regions.map(({ name: block, pages }) => {
        const size = pages * PAGE_SIZE;
        start += size;
        return { block, source: stretchOf(ram, block, start - size, size) };
      });
      const source = withBeside(state, { ram: blocks });
      const { proof } = await convertQemu(source, sink, { to: 'plain', description: true, signal });
      const keep = proof?.equal !== false;
      return { keep, value: keep ? ExitCode.OK : ExitCode.BAD_FILE };
    } finally {
      await ram.close();
      await state.close();
    }
  });
}
