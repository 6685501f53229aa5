import type { Socket } from 'node:net';
import type { Random } from '../../../formats/testing/random.ts';
import type { SimulatedFile, SimulatedFiles } from '../../../formats/testing/simulated-files.ts';
import type { Sockets } from '../../../formats/world/sockets.ts';
import { errorWithCode } from '../../wire/network-error.ts';
import { type Carrier, SimulatedSocket, type SocketOwner } from './simulated-socket.ts';
import type { Timeline } from './timeline.ts';

/** The host of the sockets. */
interface Host {
  readonly files: SimulatedFiles;
  readonly around: { readonly timeline: Timeline; readonly random: Random };
}

interface Listening {
  path: string;
  process: SocketOwner;
  accept: (socket: Socket) => void;
}

/** Sockets with paths, which connect processes of one host; nothing is lost on the way. */
export class HostSockets implements Carrier {
  readonly timeline: Timeline;
  readonly #host: Host;
  readonly #random: Random;
  /** Listening sockets by their files, which may be gone while the sockets are still open. */
  readonly #listening = new Map<SimulatedFile, Listening>();

  constructor(host: Host) {
    this.#host = host;
    this.timeline = host.around.timeline;
    this.#random = host.around.random;
  }

  /** The sockets as a process sees them. */
  of(process: SocketOwner): Sockets {
    return {
      connect: (path) => this.#connect(process, path),
      listen: async (path, accept) => {
        const { files } = this.#host;
        if (files.names.has(path)) throw errorWithCode('EADDRINUSE', `listen ${path}`);
        const file = files.create(path);
        this.#listening.set(file, { path, process, accept });
        return {
          close: () => {
            this.#listening.delete(file);
            if (files.names.get(path) === file) files.change([path, undefined]);
          },
        };
      },
    };
  }

  /** Sockets on which a process listens. */
  listeningOf(process: SocketOwner): SimulatedFile[] {
    return [...this.#listening].flatMap(([file, { process: each }]) => (each === process ? [file] : []));
  }

  /** Sockets that listen, as Linux tells them in `/proc/net/unix`. */
  table(): string {
    const rows = [...this.#listening].filter(([, { process }]) => !process.isGone);
    return rows.map(([file, { path }]) => `0: 2 0 00010000 0001 01 ${file.number} ${path}`).join('\n');
  }

  carry(bytes: Buffer): { frames: Buffer[]; ms: number } {
    return { frames: [bytes], ms: this.latency() };
  }

  latency(): number {
    return 0.01 + this.#random.below(100) / 1000;
  }

  #connect(from: SocketOwner, path: string): Socket {
    const file = this.#host.files.names.get(path);
    const found = file && this.#listening.get(file);
    const socket = new SimulatedSocket(from, this);
    if (!found || found.process.isGone) {
      [socket.isDeaf, socket.isAlone] = [true, true];
      const code = file ? 'ECONNREFUSED' : 'ENOENT';
      this.timeline.add(this.latency(), from, () => socket.destroy(errorWithCode(code, `connect ${path}`)));
      return socket;
    }
    const end = new SimulatedSocket(found.process, this);
    [socket.other, end.other] = [end, socket];
    end.on('error', () => {});
    this.timeline.add(this.latency(), from, () => {
      socket.emit('connect');
      socket.read(0);
    });
    this.timeline.add(this.latency(), found.process, () => found.accept(end));
    return socket;
  }
}
