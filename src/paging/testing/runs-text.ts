import type { VirtualRun } from '../mappings-of.ts';

/** Runs as truth files have them: `virtual physical size pagesize flags`, hex without 0x. */
export function runsText(runs: readonly VirtualRun[]): string[] {
  return runs.map(({ virtual, gcPhys, size, pageSize, writable, user, executable }) => {
    const flags = `${writable ? 'w' : '-'}${user ? 'u' : '-'}${executable ? 'x' : '-'}`;
    return `${[virtual, gcPhys, size, pageSize].map((n) => n.toString(16)).join(' ')} ${flags}`;
  });
}
