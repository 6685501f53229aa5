import type { Socket } from 'node:net';
import type { SimulatedProcess } from '../world/simulated-process.ts';

/**
 * Carries a command out, and gives its answer; until the promise of an answer is fulfilled, QEMU takes no further
 * commands. @throws Error for a command that QEMU refuses
 */
export type QmpExecution = (command: string, args: Record<string, unknown>) => unknown;

interface Command {
  execute: string;
  arguments?: Record<string, unknown>;
  id?: number;
}

/** Words within this time arrive together. */
const MOMENT_MS = 0.05;

/** The manner in which a QEMU talks. */
interface Manner {
  /** Its version: three numbers. */
  version: readonly number[];
  /** Words of this QEMU within a moment arrive together. */
  joinsAnswers: boolean;
}

/** The QMP of a simulated QEMU: one client at a time, and one command after the other, each answered a little later. */
export class QmpPeer {
  /** Nothing is answered before this time. */
  heldUntil = 0;
  /** Work in which QEMU is deaf: it neither executes commands nor answers. */
  #work: Promise<void> | undefined;
  readonly #process: SimulatedProcess;
  readonly #greeting: object;
  readonly #joinsAnswers: boolean;
  /** Texts that are about to be said, by client. */
  readonly #said = new Map<Socket, string>();
  readonly #answer: QmpExecution;
  readonly #waiting: Socket[] = [];
  #client: Socket | undefined;
  readonly #commands: { command: Command; client: Socket }[] = [];
  #isAtWork = false;

  constructor(process: SimulatedProcess, { version, joinsAnswers }: Manner, answer: QmpExecution) {
    const [major, minor, micro] = version;
    this.#process = process;
    this.#joinsAnswers = joinsAnswers;
    this.#greeting = { QMP: { version: { qemu: { major, minor, micro }, package: '' }, capabilities: ['oob'] } };
    this.#answer = answer;
  }

  /** Takes a client; further clients wait without a greeting. */
  accept(socket: Socket): void {
    socket.on('error', () => {});
    this.#waiting.push(socket);
    this.#serveNext();
  }

  event(name: string, data: object = {}): void {
    this.#write(this.#client, { event: name, data, timestamp: { seconds: 1, microseconds: 5 } });
  }

  /** Makes QEMU deaf until some work is over. */
  isDeafFor(work: Promise<void>): void {
    const all = Promise.all([this.#work, work]).then(() => {
      if (this.#work === all) this.#work = undefined;
    });
    this.#work = all;
  }

  /** Closes the connection. */
  hangUp(): void {
    this.#client?.destroy();
  }

  #serveNext(): void {
    const client = this.#client ? undefined : this.#waiting.shift();
    if (!client) return;
    this.#client = client;
    client.once('close', () => {
      if (this.#client === client) this.#client = undefined;
      this.#serveNext();
    });
    this.#write(client, this.#greeting);
    let text = '';
    client.on('data', (bytes) => {
      const lines = (text + bytes).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) this.#commands.push({ command: JSON.parse(line), client });
      this.#workOn();
    });
  }

  #workOn(): void {
    const next = this.#isAtWork ? undefined : this.#commands.shift();
    if (!next) return;
    this.#isAtWork = true;
    const { timeline, random } = this.#process.host.around;
    const ms = 0.05 + random.below(100) / (random.below(20) === 0 ? 10 : 200);
    timeline.add(ms, this.#process, () => this.#execute(next));
  }

  #execute(next: { command: Command; client: Socket }): void {
    if (this.#work) return void this.#work.then(() => this.#execute(next));
    const { timeline } = this.#process.host.around;
    if (timeline.now < this.heldUntil) {
      timeline.add(this.heldUntil - timeline.now, this.#process, () => this.#execute(next));
      return;
    }
    const { execute, arguments: args = {}, id } = next.command;
    const end = (message: object) => {
      this.#write(next.client, { ...message, id });
      this.#isAtWork = false;
      this.#workOn();
    };
    const refuse = (error: Error) => end({ error: { class: 'GenericError', desc: error.message } });
    try {
      const value = this.#answer(execute, args);
      if (value instanceof Promise) value.then((found) => end({ return: found }), refuse);
      else this.onceHearing(() => end({ return: value }));
    } catch (error) {
      refuse(error as Error);
    }
  }

  /** Does something as soon as QEMU is not deaf. */
  onceHearing(then: () => void): void {
    if (this.#work) void this.#work.then(then);
    else then();
  }

  #write(client: Socket | undefined, message: object): void {
    if (!client || client.destroyed || !client.writable) return;
    const text = `${JSON.stringify(message)}\r\n`;
    const waiting = this.#said.get(client);
    if (!this.#joinsAnswers) client.write(text);
    else this.#said.set(client, (waiting ?? '') + text);
    if (!this.#joinsAnswers || waiting !== undefined) return;
    this.#process.host.around.timeline.add(MOMENT_MS, this.#process, () => {
      const said = this.#said.get(client) ?? '';
      this.#said.delete(client);
      if (!client.destroyed && client.writable) client.write(said);
    });
  }
}
