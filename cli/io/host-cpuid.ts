import { FormatError } from '../../formats/errors.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { MIB } from '../../formats/sizes.ts';
import type { CpuidPart } from '../../formats/units/cpu/cpuid-leaves.ts';
import { inspect } from '../../src/saved-state/describe/inspect.ts';
import { readHostCpuid } from '../../src/saved-state/host/host-cpuid.ts';
import { readSmallText, withInput } from './input.ts';

/** Logs of machines that run for weeks have some MiB. */
const LOG_LIMIT = 64 * MIB;
const MAGIC = '\x7fVirtualBox SavedState';

export const HOST_CPUID_OPTION = {
  type: 'string',
  requiresArg: true,
  describe: "The host's CPU: its /proc/cpuinfo, a VBox.log of it, or a state that VirtualBox saved there",
} as const;

/** @throws FormatError `no-cpuid` for a file without CPUID of a host */
export async function readHost(path: string, signal: AbortSignal): Promise<CpuidPart> {
  // The file may be the log of a running machine.
  const log = { mayGrow: true };
  const hasMagic = async (source: ByteSource) => {
    const head = new Uint8Array(MAGIC.length);
    return (await source.read(head, 0)) === head.length && Buffer.from(head).toString('latin1') === MAGIC;
  };
  if (!(await withInput(path, hasMagic, log))) return readHostCpuid(await readSmallText(path, LOG_LIMIT, log), path);
  const { state } = await withInput(path, (source) => inspect(source, { signal }));
  const { cpuid } = state.cpum ?? {};
  if (cpuid) return cpuid;
  throw new FormatError(
    'no-cpuid',
    `Cannot tell the host's CPU from ${path}: unit cpum does not tell, or was not read`,
  );
}
