import type { Duplex } from 'node:stream';
import type { SavkitError } from '../../formats/errors.ts';
import type { TargetHost, TargetMachine } from '../machine/machine.ts';
import { loadZstd, type Zstd } from '../pages/zstd.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { type Greeting, strayStream, welcome } from './greeting.ts';
import { capabilitiesOf, Receiver, type ReceiverOptions } from './receiver.ts';

/** Host, options and callbacks for one of many machines. */
export interface OneOfMany<M extends TargetMachine> {
  host: TargetHost<M>;
  options: ReceiverOptions;
  /** Called when the machine has arrived, and belongs to this side. */
  onArrived(machine: M): void;
  /** Called when the machine will not arrive. */
  onGone(error: SavkitError): void;
  /** Called when the migration is over: no connection belongs to it any more. */
  onEnd(): void;
}

/** Options of `Receivers`. */
export interface ReceiversOptions<M extends TargetMachine> extends Pick<ReceiverOptions, 'streams' | 'timeOuts'> {
  /** Machines on their way at a time. */
  maxIncoming: number;
  /** Bytes of memory that machines can still get here. */
  freeBytes(): number;
  /** Called for each migration that is let in. */
  receive(migration: string): OneOfMany<M>;
  /** A peer was refused. @param message one line for people */
  onRefused(peer: string, message: string): void;
}

/** A migration that arrives here. */
interface Incoming {
  receiver: Receiver;
  onEnd(): void;
  /** Connections that are open. */
  links: number;
  hasArrived: boolean;
}

/** Receives machine after machine, also several at a time: assigns each connection to its migration. */
export class Receivers<M extends TargetMachine = TargetMachine> {
  readonly #options: ReceiversOptions<M>;
  readonly #zstd: Zstd | undefined;
  readonly #incoming = new Map<string, Incoming>();
  #isClosed = false;

  private constructor(options: ReceiversOptions<M>, zstd: Zstd | undefined) {
    this.#options = options;
    this.#zstd = zstd;
  }

  static async create<M extends TargetMachine>(options: ReceiversOptions<M>): Promise<Receivers<M>> {
    return new Receivers(options, await loadZstd());
  }

  /** Machines whose pages are arriving. */
  get arriving(): number {
    return [...this.#incoming.values()].filter(({ receiver }) => receiver.isBusy).length;
  }

  /** Machines that are here in part, or whole but not handed over yet. */
  get unsettled(): number {
    return [...this.#incoming.values()].filter(({ hasArrived }) => !hasArrived).length;
  }

  /** Whether the machine of a migration is whole here, and only its source can say whether it runs here. */
  hasPromised(migration: string): boolean {
    return this.#incoming.get(migration)?.receiver.hasPromised === true;
  }

  /** Serves a trusted connection until its end; does not reject for faults of the peer. */
  async accept(stream: Duplex, peer: string): Promise<void> {
    await welcome(stream, {
      capabilities: capabilitiesOf(this.#options, this.#zstd),
      room: {
        bytes: this.#options.freeBytes(),
        machines: this.#isClosed ? 0 : Math.max(0, this.#options.maxIncoming - this.arriving),
      },
      timeOuts: this.#options.timeOuts,
      serve: (greeting) => this.#serve(greeting, peer),
      onRefused: (message) => this.#options.onRefused(peer, message),
    });
  }

  /** Takes no more machines, and gives up those under way, as `Receiver.close` says. */
  async close(withinMs?: number): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#incoming.values()].map(({ receiver }) => receiver.close(withinMs)));
  }

  async #serve(greeting: Greeting, peer: string): Promise<void> {
    if (greeting.kind !== 'hello') {
      const found = [...this.#incoming.values()].find(({ receiver }) => receiver.owns(greeting.token));
      if (!found) throw strayStream();
      return found.receiver.serve(greeting, peer);
    }
    const { migration } = greeting.hello;
    const incoming = this.#incoming.get(migration) ?? this.#begin(migration);
    incoming.links++;
    try {
      await incoming.receiver.serve(greeting, peer);
    } finally {
      incoming.links--;
      // No machine has arrived: the connection was a query, or broke before the machine.
      if (incoming.links === 0 && incoming.receiver.isIdle) this.#forget(migration);
    }
  }

  #begin(migration: string): Incoming {
    if (this.#isClosed)
      throw new MigrationError('closed', 'Cannot take this machine: this side takes no more machines');
    const { arriving } = this;
    if (arriving >= this.#options.maxIncoming)
      throw new MigrationError(
        'busy',
        `Cannot take this machine now: this side is busy, as many are arriving as it takes at a time (${arriving})`,
      );
    const one = this.#options.receive(migration);
    const receiver = Receiver.createWith(one.host, one.options, this.#zstd);
    const incoming: Incoming = { receiver, onEnd: one.onEnd, links: 0, hasArrived: false };
    this.#incoming.set(migration, incoming);
    const end = async () => {
      // The source may still ask whether the machine runs here; later on the record answers.
      await receiver.close();
      this.#forget(migration);
    };
    receiver.arrived.then(
      (machine) => {
        incoming.hasArrived = true;
        one.onArrived(machine);
        void end();
      },
      (error: SavkitError) => {
        one.onGone(error);
        void end();
      },
    );
    return incoming;
  }

  #forget(migration: string): void {
    this.#incoming.get(migration)?.onEnd();
    this.#incoming.delete(migration);
  }
}
