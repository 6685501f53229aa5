import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { errorWithCode } from '../wire/network-error.ts';
import { NO_PROOF } from './distrust.ts';

// A proof on top of TLS-PSK, which does not rely on it. Before any other message, each side proves that it has the key
// and is the end of this very TLS channel (channel binding, after RFC 5705 and RFC 9266): a proof recorded on one
// channel is worthless on another.

type Side = 'source' | 'target';

const PROOF_SIZE = 32;
const LABEL = 'EXPORTER-savkit-key-proof';

/**
 * Does the source's part of the proof. The target proves first, so that an impostor gets no proof from the source.
 * @throws Error `NO_PROOF_OF_KEY`, or the error of the connection
 */
export async function proveToTarget(socket: TLSSocket, key: Uint8Array): Promise<void> {
  await checkProof(socket, key, 'target');
  socket.write(proofOf(socket, key, 'source'));
}

/** Does the target's part of the proof. */
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

/** Reads the next bytes of a socket that has no reader yet, and leaves the rest in it. */
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
    // The stream takes until then to notice that the listener for `readable` is gone.
    await new Promise(process.nextTick);
  }
}
