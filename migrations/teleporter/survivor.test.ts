import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SavkitError } from '../../formats/errors.ts';
import { openFileSink } from '../../formats/files/sink.ts';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { type Cut, wireBetween } from '../testing/wire-between.ts';
import { authenticate } from './await-source.ts';
import { Peer } from './peer.ts';
import { receiveState } from './receive.ts';
import { sendMachine } from './sender.ts';
import { passwordLine } from './wire.ts';

// Our own source against our own target over a link that breaks at any byte: who has the machine?

const state = readFileSync(join(STATES_FOLDER, 'own-long-live.sav'));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-survivor-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Migrates over a link with a cut. @returns where each side believes the machine to be, and the bytes each way */
async function migrate(cut?: Cut): Promise<{
  source: 'handed-over' | 'stays' | 'unknown';
  target: 'has-it' | 'nothing';
  bytes: { forth: number; back: number };
}> {
  const { left, right, bytes } = wireBetween(cut);
  const path = join(folder, 'vm.sav');
  const receiving = receive(new Peer(right, 'source'), path);
  const source = new Peer(left, 'target');
  const sent = await sendMachine(source, {
    password: passwordLine('x', 'hashed'),
    stream: (sink) => sink.write(state),
    paused: () => false,
  }).then(
    () => 'handed-over' as const,
    (error: SavkitError) => (error.code === 'hand-over-unknown' ? ('unknown' as const) : ('stays' as const)),
  );
  source.destroy();
  await receiving;
  const files = readdirSync(folder);
  if (files.length > 0) expect(readFileSync(path).equals(state)).toBe(true);
  rmSync(path, { force: true });
  expect(readdirSync(folder)).toEqual([]);
  return { source: sent, target: files.length > 0 ? 'has-it' : 'nothing', bytes };
}

async function receive(peer: Peer, path: string): Promise<void> {
  const sink = await openFileSink(path);
  try {
    if ((await authenticate(peer, 'x')) !== undefined) return;
    await receiveState(peer, sink, { ending: 'hand-over' });
  } catch {
    // Its result shows in the files.
  } finally {
    await sink.abort();
    peer.destroy();
  }
}

/** Never two machines, never none; where the source can't know, it says so. */
const ALLOWED = ['handed-over/has-it', 'stays/nothing', 'unknown/has-it', 'unknown/nothing'];

describe('a migration whose link breaks', () => {
  it('ends with exactly one machine, at every byte of what the target says', async () => {
    const { bytes } = await migrate();
    const seen = new Set<string>();
    for (let after = 0; after < bytes.back; after++) {
      const { source, target } = await migrate({ direction: 'back', after });
      expect(ALLOWED, `after ${after} bytes`).toContain(`${source}/${target}`);
      seen.add(`${source}/${target}`);
    }
    expect([...seen]).toEqual(expect.arrayContaining(['stays/nothing', 'unknown/has-it']));
  });

  it('ends with exactly one machine, around every line and frame of what the source says', async () => {
    const { bytes, source, target } = await migrate();
    expect(`${source}/${target}`).toBe('handed-over/has-it');
    const head = passwordLine('x', 'hashed').length + 1 + 'load\n'.length;
    const marks = [0, head - 5, head];
    for (let at = head; at < bytes.forth - 36; at += 65536 + 8) marks.push(at, at + 8);
    marks.push(bytes.forth - 36, bytes.forth - 28, bytes.forth - 17);
    const cuts = new Set(
      marks.flatMap((mark) => [mark - 1, mark, mark + 1]).filter((mark) => mark >= 0 && mark < bytes.forth),
    );
    for (let at = bytes.forth - 36; at < bytes.forth; at++) cuts.add(at);
    const seen = new Set<string>();
    for (const after of cuts) {
      const end = await migrate({ direction: 'forth', after });
      expect(ALLOWED, `after ${after} bytes`).toContain(`${end.source}/${end.target}`);
      seen.add(`${end.source}/${end.target}`);
    }
    expect([...seen]).toEqual(expect.arrayContaining(['stays/nothing', 'unknown/nothing']));
  });
});
