import { connect, createServer, type Server, type Socket } from 'node:net';
import { FRAME_HEADER_SIZE } from '../../migrations/wire/frames.ts';
import { readFrameHeader } from '../../migrations/wire/payload.ts';

/**
 * A frame by its sender, its name, and its number among those: `target ready 1`. The course of a migration may vary,
 * these don't.
 */
export type FrameLabel = string;

/**
 * An event at a frame. With `before`, the frame is lost, and its connection with it; with `after`, it has left for
 * the other side.
 */
export interface Strike {
  at: FrameLabel;
  where: 'before' | 'after';
  act: () => Promise<void> | void;
}

/** Stands between source and target of a migration. Of an unencrypted one it sees the frames, both ways. */
export class FrameProxy {
  readonly port: number;
  /** Frames so far, in the order in which they came; signs of life left out. */
  readonly labels: FrameLabel[] = [];
  strike: Strike | undefined;
  /** Bytes from the source so far. */
  forth = 0;
  /** Events when so many bytes have come from the source, once each, in ascending order. */
  atBytes: { bytes: number; act: () => void }[] = [];
  #isCut = false;
  readonly #seesFrames: boolean;
  readonly #counts = new Map<string, number>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number, seesFrames: boolean) {
    this.#server = server;
    this.#seesFrames = seesFrames;
    this.port = port;
  }

  /** @param seesFrames else it passes bytes on as they come, which is faster */
  static async open(targetPort: number, seesFrames: boolean): Promise<FrameProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new FrameProxy(server, (server.address() as { port: number }).port, seesFrames);
    server.on('connection', (source) => proxy.#join(source, connect(targetPort, '127.0.0.1')));
    return proxy;
  }

  /** Ends all connections; with `forever`, lets no more through. */
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
    for (const [from, to, sender] of [
      [source, target, 'source'],
      [target, source, 'target'],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => from.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroySoon();
      });
      if (sender === 'source') from.on('data', (chunk: Buffer) => this.#count(chunk.length));
      if (this.#seesFrames) this.#carry(from, to, sender);
      else from.pipe(to);
    }
  }

  #count(bytes: number): void {
    this.forth += bytes;
    while (this.atBytes.length > 0 && this.forth >= this.atBytes[0].bytes) this.atBytes.shift()?.act();
  }

  #carry(from: Socket, to: Socket, sender: 'source' | 'target'): void {
    let held = Buffer.alloc(0);
    from.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= FRAME_HEADER_SIZE && !from.destroyed) {
        const { name, length } = readFrameHeader(held);
        const size = FRAME_HEADER_SIZE + length;
        if (held.length < size) return;
        const frame = held.subarray(0, size);
        held = held.subarray(size);
        const strike = name === 'beat' ? undefined : this.#strikeAt(`${sender} ${name}`);
        if (strike?.where === 'before') {
          from.destroy();
          to.destroy();
          void strike.act();
        } else if (strike) to.write(frame, () => void strike.act());
        else to.write(frame);
      }
    });
  }

  #strikeAt(kind: string): Strike | undefined {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const label = `${kind} ${count}`;
    this.labels.push(label);
    return this.strike?.at === label ? this.strike : undefined;
  }
}
