import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SavkitError } from '../../formats/errors.ts';
import { openFileSink } from '../../formats/files/sink.ts';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { END_MARKER, framesOf } from '../testing/frames.ts';
import { scriptedPeer } from '../testing/scripted-peer.ts';
import { receiveState } from './receive.ts';
import { sendMachine } from './sender.ts';

const state = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const conversation = Buffer.concat([
  Buffer.from('load\n'),
  ...framesOf(state, 61553),
  END_MARKER,
  Buffer.from('lock-media\nhand-over-resume\n'),
]);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-hostile-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Lets a source say anything; it then closes. @returns what our target threw */
async function receiveFrom(bytes: Uint8Array): Promise<unknown> {
  const { peer } = scriptedPeer([{ say: bytes }, { close: true }]);
  const sink = await openFileSink(join(folder, 'vm.sav'));
  const error = await receiveState(peer, sink, { ending: 'hand-over' }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error) await sink.abort();
  peer.destroy();
  return error;
}

/** Lets a target say anything; it then closes. */
async function sendTo(bytes: Uint8Array): Promise<unknown> {
  const { peer } = scriptedPeer([{ say: bytes }, { close: true }]);
  const error = await sendMachine(peer, {
    password: '',
    stream: (sink) => sink.write(state),
    paused: () => false,
  }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  peer.destroy();
  return error;
}

describe('a peer that says anything', () => {
  it('as a source gets no machine taken, and leaves nothing', async () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.concat([Buffer.from('load\n'), bytes])),
      fc
        .array(fc.constantFrom('load\n', 'cancel\n', 'lock-media\n', 'hand-over-resume\n', 'x\n'), { maxLength: 6 })
        .map((lines) => Buffer.from(lines.join(''))),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (bytes) => {
        expect(await receiveFrom(bytes)).toBeInstanceOf(SavkitError);
        expect(readdirSync(folder)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('as a source with one wrong byte gets the right machine taken, or none', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(conversation.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const bytes = Buffer.from(conversation);
        bytes[at] ^= flip;
        const error = await receiveFrom(bytes);
        if (error === undefined) {
          // `hand-over-resume` may have become another command only by more than one byte.
          expect(readFileSync(join(folder, 'vm.sav')).equals(state)).toBe(true);
          rmSync(join(folder, 'vm.sav'));
        } else expect(error).toBeInstanceOf(SavkitError);
        expect(readdirSync(folder)).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it('as a target gets no machine handed over unless it acknowledges everything', async () => {
    const lines = fc.constantFrom(
      'VirtualBox-Teleporter-1.0\n',
      'ACK\n',
      'NACK=-12\n',
      'NACK=-1844;no\n',
      'ACK',
      '\n',
      '\0',
      'x'.repeat(300),
    );
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.array(lines, { maxLength: 8 }).map((said) => Buffer.from(said.join(''))),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (bytes) => {
        expect(await sendTo(bytes)).toBeInstanceOf(SavkitError);
      }),
      { numRuns: 60 },
    );
  });
});
