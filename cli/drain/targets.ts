import { askRoom } from '../../migrations/source/target-hello.ts';
import { connectToTarget } from '../../migrations/trust/connect-to-target.ts';
import { parseEndpoint } from '../../migrations/trust/endpoint.ts';
import type { Trust } from '../../migrations/trust/trust.ts';
import type { TargetRoom } from '../../migrations/wire/messages.ts';

/** A host that machines go to. */
export class DrainTarget {
  readonly to: string;
  /** Room for machines, as last told; undefined if the host does not tell. */
  room: TargetRoom | undefined;
  /** Number of machines on their way to this target. */
  running = 0;
  moved = 0;
  /** Reason why the target gets no more machines. */
  stoppedBecause: string | undefined;
  readonly #trust: Trust;

  /** @throws UsageError if `to` is not HOST:PORT */
  constructor(to: string, trust: Trust) {
    parseEndpoint(to);
    this.to = to;
    this.#trust = trust;
  }

  /** Asks the target for its present room. @throws EnvironmentError, MigrationError */
  async ask(): Promise<void> {
    this.room = await askRoom(() => connectToTarget(parseEndpoint(this.to), this.#trust));
  }

  /** Whether a machine of this size fits, as far as the target has told. */
  hasRoomFor(bytes: number): boolean {
    return this.room === undefined || this.room.bytes >= bytes;
  }
}

/** The target with the fewest machines under way to it; of several, the one with the most room. */
export function leastBusy(targets: readonly DrainTarget[]): DrainTarget | undefined {
  const bytesOf = ({ room }: DrainTarget) => room?.bytes ?? 0;
  return [...targets].sort((a, b) => a.running - b.running || bytesOf(b) - bytesOf(a))[0];
}
