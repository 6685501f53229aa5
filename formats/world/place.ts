import { world } from './world.ts';

// Where the number of a process means something. A record may have come from another host, or from a container, where
// another process has the number; and after the host has started again nothing that wrote a record lives.

/** A process, as it writes itself down. */
export interface RecordedProcess {
  pid: number;
  place: string;
  /** When it began; absent where nobody has told. */
  begunAt?: string | undefined;
}

/**
 * Whether the process that wrote a record lives. `true` means maybe where the record does not tell when that began, or
 * the system does not: another one may have got its number.
 * @param isAtHome the record stands where it was written, and is no copy from another host
 */
export function isAlive({ pid, place, begunAt }: RecordedProcess, isAtHome: boolean): boolean | 'unknown' {
  const here = world.process.place();
  if (place === here) return world.process.isRunning(pid, begunAt);
  const [host, start] = place.split(' ');
  const [ownHost, ownStart] = here.split(' ');
  const wasStartedAnew = host === ownHost && start !== '' && start !== ownStart;
  return isAtHome && wasStartedAnew ? false : 'unknown';
}
