import { type Duplex, duplexPair } from 'node:stream';
import type { ReceiveEvent } from '../arrival/receive-event.ts';
import { Receiver } from '../arrival/receiver.ts';
import { DecisionMemory } from '../hand-over/decision-record.ts';
import type { SourceMachine, TargetHost, TargetMachine } from '../machine/machine.ts';
import { DEFAULT_LIMITS, type MigrationLimits } from '../policy/limits.ts';
import type { MigrationEvent, MigrationReport } from '../report/report.ts';
import { migrate, newMigrationId } from '../source/migration.ts';
import type { MigrateOptions } from '../source/options.ts';
import type { TimeOuts } from '../wire/limits.ts';
import { LinkError } from '../wire/link-error.ts';
import { PlainHost } from './plain-machine.ts';
import { type Tap, tappedPair } from './wire-tap.ts';

export const SHORT: TimeOuts = { frame: 2000, hello: 1000, beat: 200 };

/** Source and target in one process, joined by streams in memory. */
export class Pair {
  readonly host = new PlainHost();
  readonly sourceLog = new DecisionMemory();
  readonly targetLog = new DecisionMemory();
  readonly events: MigrationEvent[] = [];
  readonly targetEvents: ReceiveEvent[] = [];
  readonly limits: MigrationLimits = { ...DEFAULT_LIMITS };
  readonly migration = newMigrationId();
  receiver!: Receiver;
  /** Whether the target lets anybody in. */
  isOpen = true;
  /** Connections made so far. */
  links = 0;
  /** Sees, changes or cuts what goes over links. */
  tap: Tap | undefined;

  static async create({
    host,
    ...options
  }: {
    keepMs?: number;
    host?: TargetHost;
    timeOuts?: TimeOuts;
  } = {}): Promise<Pair> {
    const pair = new Pair();
    pair.receiver = await Receiver.create<TargetMachine>(host ?? pair.host, {
      logFor: () => pair.targetLog,
      timeOuts: SHORT,
      onEvent: (event) => pair.targetEvents.push(event),
      ...options,
    });
    return pair;
  }

  readonly connect = async (): Promise<Duplex> => {
    if (!this.isOpen) throw LinkError.lost();
    const [source, target] = this.tap ? tappedPair(this.tap, this.links) : joinedPair();
    this.links++;
    this.receiver.accept(target, `link ${this.links}`);
    return source;
  };

  migrate(machine: SourceMachine, options: Partial<MigrateOptions> = {}): Promise<MigrationReport> {
    return migrate(machine, {
      connect: this.connect,
      migration: this.migration,
      log: this.sourceLog,
      limits: this.limits,
      timeOuts: SHORT,
      resumeWithinMs: 3000,
      retryAfterMs: [5],
      onEvent: (event) => this.events.push(event),
      stopAsking: options.signal,
      ...options,
    });
  }
}

/** Joins two ends in memory, so that each hears, as a socket does, that the other one is gone. */
function joinedPair(): [Duplex, Duplex] {
  const [source, target] = duplexPair();
  source.on('close', () => target.destroy());
  target.on('close', () => source.destroy());
  return [source, target];
}
