import { DiskRefusals } from '../../formats/testing/disk-refusals.ts';
import type { DiskWork } from '../../formats/testing/simulated-disk.ts';
import type { Receiver } from '../arrival/receiver.ts';
import type { MigrationLimits } from '../policy/limits.ts';
import { IncidentClock } from './incident-clock.ts';
import type { Ground, Operators } from './operators.ts';
import type { Incident, Scenario } from './scenario.ts';
import type { Network } from './world/network.ts';
import type { SimulatedProcess } from './world/simulated-process.ts';
import type { HostName } from './world/simulated-socket.ts';

/** All that troubles befall. */
interface TroubledGround extends Ground {
  readonly scenario: Scenario;
  readonly network: Network;
  readonly operators: Operators;
  /** Limits of the migration under way. */
  readonly limits: Partial<MigrationLimits>;
  readonly source: SimulatedProcess | undefined;
  readonly target: SimulatedProcess | undefined;
  /** The process that migrates the machine. */
  readonly migrating: SimulatedProcess | undefined;
  readonly receiver: Pick<Receiver, 'close'> | undefined;
  /** Causes a trouble: by `Troubles.cause`, if it is of a kind that befalls all plays. */
  cause(trouble: Incident): unknown;
  /** Cancels the migration under way. */
  cancel(): void;
  /** Starts the target's program again as its user does, if it was killed. */
  startTargetAgain(): void;
}

/** Makes the incidents of a scenario happen at their times, until all is calm. */
export class Troubles {
  /** Kinds that have happened. */
  readonly had = new Set<Incident['kind']>();
  /** Troubles that have happened, with their times. */
  readonly log: string[] = [];
  /** Counts events that troubles wait for. */
  readonly clock: IncidentClock;
  /** Nothing goes wrong any more. */
  isCalm = false;
  readonly #ground: TroubledGround;
  readonly #refusals = new DiskRefusals('read', 'unlink');
  /** Host whose disk refuses work. */
  #failing: HostName | undefined;

  constructor(ground: TroubledGround, incidents: readonly Incident[]) {
    this.#ground = ground;
    this.clock = new IncidentClock(incidents, (trouble) => this.#onDue(trouble));
  }

  /** To be called with each operation of a disk. @returns the system's code if the operation fails */
  diskFault(host: HostName, work: DiskWork): string | undefined {
    this.clock.noteDiskWork(host);
    return this.isCalm || this.#failing !== host ? undefined : this.#refusals.refuse(work);
  }

  #onDue(trouble: Incident): void {
    if (this.isCalm) return;
    const { timeline } = this.#ground;
    const ms = 'ms' in trouble.at ? trouble.at.ms : 0;
    timeline.add(ms, undefined, () => {
      if (this.isCalm) return;
      this.had.add(trouble.kind);
      this.log.push(`${timeline.now.toFixed(1)} ms: ${JSON.stringify(trouble)}`);
      this.#ground.cause(trouble);
    });
  }

  /** Causes a trouble that befalls all plays. */
  cause(trouble: Incident): unknown {
    const { network, operators, timeline, hosts, limits, migrating, target } = this.#ground;
    switch (trouble.kind) {
      case 'kill':
      case 'crash':
        return this.#end(trouble);
      case 'stop':
        return this.#ground[trouble.host]?.stop(trouble.ms);
      case 'cut':
        return network.cut(trouble.heardBy);
      case 'part':
        return network.part(trouble.ms);
      case 'disk':
        this.#failing = trouble.host;
        return this.#refusals.begin(trouble);
      case 'clock':
        hosts[trouble.host].clockError += trouble.byMs;
        return undefined;
      case 'lie':
        network.lie = trouble.how;
        return undefined;
      case 'limits':
        return Object.assign(limits, trouble.limits);
      case 'cancel':
        // Only the process that migrates can be cancelled, not a later one in its place.
        if (migrating) timeline.add(0, migrating, () => this.#ground.cancel());
        return undefined;
      case 'close':
        if (target) timeline.add(0, target, () => void this.#ground.receiver?.close());
        return undefined;
      case 'copy':
        return operators.copy(trouble.host);
      case 'resolve':
        return void operators.ask(trouble.host, trouble.withCopy ? 'any' : 'none');
      default:
        return undefined;
    }
  }

  /**
   * Ends a process. A user restarts a target that was waiting for a machine; a source is restarted after somebody has
   * asked which side has the machine.
   */
  #end(trouble: Extract<Incident, { kind: 'kill' | 'crash' }>): void {
    const { hosts, timeline, operators, scenario } = this.#ground;
    const host = hosts[trouble.host];
    if (!host.isUp) return;
    if (trouble.kind === 'crash') host.crash();
    else this.#ground[trouble.host]?.end('killed');
    if (scenario.asksAtOnce)
      timeline.add(trouble.backAfterMs / 2, undefined, () => operators.ask(trouble.host, 'none'));
    timeline.add(trouble.backAfterMs, undefined, () => {
      if (!host.isUp) host.restart();
      if (trouble.host === 'target' && !this.isCalm) this.#ground.startTargetAgain();
    });
  }
}
