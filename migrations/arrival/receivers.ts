import type { Duplex } from 'node:stream';
import type { SavkitError } from '../../formats/errors.ts';
import type { TargetHost, TargetMachine } from '../machine/machine.ts';
import { loadZstd, type Zstd } from '../pages/zstd.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { type Greeting, strayStream, welcome } from './greeting.ts';
import { capabilitiesOf, Receiver, type ReceiverOptions } from './receiver.ts';

/** How one of many machines is received. */
export interface OneOfMany<M extends TargetMachine> {
  host: TargetHost<M>;
  options: ReceiverOptions;
  /** The machine is this side's. */
  onArrived(machine: M): void;
  /** It will not come. */
  onGone(error: SavkitError): void;
  /** Nobody is heard of it any more. */
  onEnd(): void;
}

/** How machine after machine is received. */
export interface ReceiversOptions<M extends TargetMachine> extends Pick<ReceiverOptions, 'streams' | 'timeOuts'> {
  /** Machines on their way at a time. */
  maxIncoming: number;
  /** Memory that machines could still take here. */
  freeBytes(): number;
  /** Called for each migration that is let in. */
  receive(migration: string): OneOfMany<M>;
  /** Somebody was refused. @param message one line for people */
  onRefused(peer: string, message: string): void;
}

/** A migration to here. */
interface Incoming {
  receiver: Receiver;
  onEnd(): void;
  /** Connections that are open. */
  links: number;
  hasArrived: boolean;
}

/** Receives machine after machine, some of them at the same time: finds out whose each connection is. */
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

  /** Machines of which pages come. */
  get arriving(): number {
    return [...this.#incoming.values()].filter(({ receiver }) => receiver.isBusy).length;
  }

  /** Machines that are here in part, or whole without their source's word. */
  get unsettled(): number {
    return [...this.#incoming.values()].filter(({ hasArrived }) => !hasArrived).length;
  }

  /** Whether the machine of a migration is whole here, and only its source can say whether it runs here. */
  hasPromised(migration: string): boolean {
    return this.#incoming.get(migration)?.receiver.hasPromised === true;
  }

  /** Takes a connection, which has shown that it is trusted, until its end; never rejects for what the peer does. */
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

  /** Takes no machine any more; those that are under way are given up, as `Receiver.close` says. */
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
      // Nothing has come: it was a question, or it ended before it began.
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
      // Its source may still ask whether it runs here; later on its record answers.
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
