import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startListening } from '../../formats/world/start-listening.ts';

const GREETING = {
  QMP: { version: { qemu: { major: 10, minor: 0, micro: 2 }, package: 'Debian' }, capabilities: ['oob'] },
};

/** Answers a command; throws an Error for what QEMU would refuse. */
export type FakeAnswer = (command: string, args: Record<string, unknown>) => unknown;

/** A QMP socket without a QEMU: says what a test wants it to say. */
export class FakeQmp {
  /** The commands that were asked, in order. */
  readonly asked: string[] = [];
  readonly path: string;
  greeting: unknown = GREETING;
  /** Called with each command once it was answered. */
  onAsked: ((command: string) => void) | undefined;
  onClose: (() => void) | undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), 'savkit-qmp-'));
  readonly #answer: FakeAnswer;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(answer: FakeAnswer) {
    this.#answer = answer;
    this.path = join(this.#folder, 'qmp');
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async open(answer: FakeAnswer = () => ({})): Promise<FakeQmp> {
    const fake = new FakeQmp(answer);
    await startListening(fake.#server, { path: fake.path });
    return fake;
  }

  /** Number of connected clients. */
  get clients(): number {
    return this.#sockets.size;
  }

  /** Sends bytes, JSON or not, to all connected clients. */
  say(text: string): void {
    for (const socket of this.#sockets) socket.write(text);
  }

  event(name: string, data: object = {}): void {
    this.say(`${JSON.stringify({ event: name, data, timestamp: { seconds: 1, microseconds: 5 } })}\r\n`);
  }

  /** Ends all connections, as a QEMU that ends. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.hangUp();
    this.#server.close();
    this.onClose?.();
    this.onClose = undefined;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    if (this.greeting !== undefined) socket.write(`${JSON.stringify(this.greeting)}\r\n`);
    let text = '';
    socket.on('data', async (bytes) => {
      text += bytes;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const { execute, arguments: args = {}, id } = JSON.parse(text.slice(0, end));
        text = text.slice(end + 1);
        this.asked.push(execute);
        try {
          const value = execute === 'qmp_capabilities' ? {} : await this.#answer(execute, args);
          if (value !== undefined) socket.write(`${JSON.stringify({ return: value, id })}\r\n`);
        } catch (error) {
          const desc = (error as Error).message;
          socket.write(`${JSON.stringify({ error: { class: 'GenericError', desc }, id })}\r\n`);
        }
        this.onAsked?.(execute);
      }
    });
  }
}
