import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { errorWithCode } from '../wire/network-error.ts';
import { NO_PROOF } from './distrust.ts';

// TLS has used the key already, but this proof does not rely on that. Each side shows, before anything else is said,
// that it has the key, and that it is at the other end of this very channel (RFC 5705, RFC 9266 in spirit): a proof
// that was seen on one channel is worth nothing on another.

type Side = 'source' | 'target';

const PROOF_SIZE = 32;
const LABEL = 'EXPORTER-savkit-key-proof';

/**
 * The target proves first: a stranger in its place learns nothing from the source. @throws Error `NO_PROOF_OF_KEY`, or
 * what broke the connection
 */
export async function proveToTarget(socket: TLSSocket, key: Uint8Array): Promise<void> {
  await checkProof(socket, key, 'target');
  socket.write(proofOf(socket, key, 'source'));
}

/** The same at the other side. */
export async function proveToSource(socket: TLSSocket, key: Uint8Array): Promise<void> {
  socket.write(proofOf(socket, key, 'target'));
  await checkProof(socket, key, 'source');
}

function proofOf(socket: TLSSocket, key: Uint8Array, side: Side): Buffer {
  return createHmac('sha256', key)
    .update(side)
    .update(socket.exportKeyingMaterial(PROOF_SIZE, LABEL, Buffer.alloc(0)))
    .digest();
}

async function checkProof(socket: TLSSocket, key: Uint8Array, side: Side): Promise<void> {
  const expected = proofOf(socket, key, side);
  const shown = await readExactly(socket, PROOF_SIZE);
  if (!timingSafeEqual(shown, expected))
    throw errorWithCode(NO_PROOF, 'the other side does not prove that it has the key');
}

/** The next bytes of a socket that nobody reads yet; what follows them stays for whoever does. */
async function readExactly(socket: Socket, count: number): Promise<Buffer> {
  let take: () => void = () => {};
  let fail: (error?: Error) => void = () => {};
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      fail = (error) => reject(error ?? new Error('it closed the connection'));
      take = () => {
        const bytes: Buffer | null = socket.read(count);
        if (bytes?.length === count) resolve(bytes);
        else if (bytes) fail();
      };
      socket.on('readable', take).on('end', fail).on('close', fail).on('error', fail);
      take();
    });
  } finally {
    socket.off('readable', take).off('end', fail).off('close', fail).off('error', fail);
    // The stream notes only then that nobody waits for `readable` any more.
    await new Promise(process.nextTick);
  }
}
