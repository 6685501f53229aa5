import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { isRunning } from '../../formats/files/is-running.ts';

// Where the number of a process means something. A record may have come from another host, or from a container, where
// another process has the number; and after the host has started again nothing that wrote a record lives.

/**
 * This host, its present start, and its present space of process numbers; parts that the system does not tell are
 * empty.
 */
export function placeOfProcesses(): string {
  known ??= [
    createHash('sha256')
      .update(`savkit ${hostname()} ${told(() => readFileSync('/etc/machine-id', 'utf8'))}`)
      .digest('hex')
      .slice(0, 16),
    told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
    told(() => readlinkSync('/proc/self/ns/pid')),
  ].join(' ');
  return known;
}
let known: string | undefined;

function told(ask: () => string): string {
  try {
    return ask().trim();
  } catch {
    return '';
  }
}

/**
 * Whether the process that wrote a record lives. `true` means maybe: another one may have got its number.
 * @param isAtHome the record stands where it was written, and is no copy from another host
 */
export function isAlive({ pid, place }: { pid: number; place: string }, isAtHome: boolean): boolean | 'unknown' {
  const here = placeOfProcesses();
  if (place === here) return isRunning(pid);
  const [host, start] = place.split(' ');
  const [ownHost, ownStart] = here.split(' ');
  const wasStartedAnew = host === ownHost && start !== '' && start !== ownStart;
  return isAtHome && wasStartedAnew ? false : 'unknown';
}
