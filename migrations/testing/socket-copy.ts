import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { type KeyTrust, sourceTls, targetTls } from '../trust/trust.ts';

// What a migration is rated against: as many bytes from one process to another over the same kind of socket, in pieces
// of a frame's size, each copied once at either end. At the target either over and over into the same memory, which is
// what a relay does; or each into memory of its own that was never touched, as that of a machine which arrives.

const PIECE = 1 << 20;
const TRUST: KeyTrust = { kind: 'code', key: new Uint8Array(32).fill(7) };

export interface CopyOptions {
  tls?: boolean;
  /** Into memory that was never touched. */
  fresh?: boolean;
}

/** @returns milliseconds until all bytes have been taken at the other side */
export async function copyThroughSocket(bytes: number, options: CopyOptions = {}): Promise<number> {
  const { tls = false } = options;
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), String(bytes), JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const address = { host: '127.0.0.1', port: Number(line) };
  const socket: Socket = tls ? connectTls({ ...address, ...sourceTls(TRUST, address.host) }) : connect(address);
  await once(socket, tls ? 'secureConnect' : 'connect');
  const memory = new Uint8Array(64 * PIECE).map((_, i) => i * 31);
  const start = performance.now();
  for (let sent = 0; sent < bytes; sent += PIECE) {
    const piece = Buffer.from(
      memory.subarray(sent % memory.length, (sent % memory.length) + Math.min(PIECE, bytes - sent)),
    );
    if (!socket.write(piece)) await once(socket, 'drain');
  }
  await once(socket, 'data');
  const ms = performance.now() - start;
  socket.destroy();
  return ms;
}

/** Is the other side: takes so many bytes, copies them, and says so. */
function receive(bytes: number, { tls = false, fresh = false }: CopyOptions): void {
  // The system gives a page only when it is touched.
  const memory = new Uint8Array((fresh ? bytes : 64 * PIECE) + PIECE);
  const take = (socket: Socket) => {
    let taken = 0;
    socket.on('data', (chunk: Buffer) => {
      memory.set(chunk, taken % (memory.length - PIECE));
      taken += chunk.length;
      if (taken >= bytes) socket.end('taken', () => process.exit(0));
    });
  };
  const server: Server = tls ? createTlsServer(targetTls(TRUST), take) : createServer(take);
  server.listen(0, '127.0.0.1', () => console.log((server.address() as { port: number }).port));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) receive(Number(process.argv[2]), JSON.parse(process.argv[3]));
