import { connect, createServer, type Server, type Socket } from 'node:net';
import { FRAME_HEADER_SIZE, type FrameName } from '../../migrations/wire/frames.ts';
import { readFrameHeader } from '../../migrations/wire/payload.ts';

/** Stands between source and target of an unencrypted migration, and counts its frames, both ways. */
export class FrameProxy {
  readonly port: number;
  frames = 0;
  /** Called behind each frame that has been passed on. */
  onFrame: (count: number, name: FrameName) => void = () => {};
  /** Lets nobody through any more, and ends what is there. */
  #isCut = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async open(targetPort: number): Promise<FrameProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new FrameProxy(server, (server.address() as { port: number }).port);
    server.on('connection', (source) => proxy.#join(source, connect(targetPort, '127.0.0.1')));
    return proxy;
  }

  cut(forever: boolean): void {
    this.#isCut = forever;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut(true);
    this.#server.close();
  }

  #join(source: Socket, target: Socket): void {
    if (this.#isCut) {
      source.destroy();
      target.destroy();
      return;
    }
    for (const [from, to] of [
      [source, target],
      [target, source],
    ]) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => from.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroySoon();
      });
      this.#carry(from, to);
    }
  }

  #carry(from: Socket, to: Socket): void {
    let held = Buffer.alloc(0);
    from.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= FRAME_HEADER_SIZE) {
        const { name, length } = readFrameHeader(held);
        const size = FRAME_HEADER_SIZE + length;
        if (held.length < size) return;
        const frame = held.subarray(0, size);
        held = held.subarray(size);
        // What is to come after the frame comes when it is on its way.
        to.write(frame, () => {
          if (name !== 'beat') this.onFrame(++this.frames, name);
        });
      }
    });
  }
}
