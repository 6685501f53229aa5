import { world } from './world.ts';

// Host, container and start of the host within which a PID is unique. A record may come from elsewhere, where the PID
// is that of another process; and after a restart of the host no process that wrote a record lives.

/** A process, as its own record has it. */
export interface RecordedProcess {
  pid: number;
  place: string;
  /** Start time; absent if the record does not tell. */
  begunAt?: string | undefined;
}

/** This process, as records have it. */
export function thisProcess(): Required<RecordedProcess> {
  const { pid } = world.process;
  return { pid, place: world.process.place(), begunAt: world.process.begunAt() };
}

/**
 * Whether the process that wrote a record lives. `true` means maybe if the record or the system does not tell when the
 * process began: another process may have its PID.
 * @param isAtHome the record is where it was written, not a copy from another host
 */
export function isAlive({ pid, place, begunAt }: RecordedProcess, isAtHome: boolean): boolean | 'unknown' {
  const here = world.process.place();
  if (place === here) return world.process.isRunning(pid, begunAt);
  const [host, start] = place.split(' ');
  const [ownHost, ownStart] = here.split(' ');
  const wasStartedAnew = host === ownHost && start !== '' && start !== ownStart;
  return isAtHome && wasStartedAnew ? false : 'unknown';
}
