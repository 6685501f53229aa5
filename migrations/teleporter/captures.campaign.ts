import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { openFileSink } from '../../formats/files/sink.ts';
import { Score } from '../../src/testing/virtualbox.ts';
import { follow, type Line } from '../testing/scripted-peer.ts';
import { authenticate } from './await-source.ts';
import { Peer } from './peer.ts';
import { receiveState } from './receive.ts';

// npm run campaign -- captures FOLDER: plays recorded teleports of a real VirtualBox back (NAME.c2s and NAME.s2c, what
// source and target said; NAME.ssm, the stream inside; .xz is unpacked). Our target must say what VirtualBox's said,
// byte for byte, and get the stream. The password is x.

const folder = process.argv[2];
if (!folder) {
  console.error('Which folder? npm run campaign -- captures FOLDER');
  process.exit(2);
}
const ACK = 'ACK\n';
const score = new Score();
const temporary = mkdtempSync(join(tmpdir(), 'savkit-captures-'));
try {
  const names = readdirSync(folder).flatMap((file) => /^(.*)\.c2s(\.xz)?$/.exec(file)?.[1] ?? []);
  for (const name of names) await playBack(name);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
score.close();

async function playBack(name: string): Promise<void> {
  const [source, target, stream] = ['c2s', 's2c', 'ssm'].map((kind) => read(`${name}.${kind}`));
  const { opening, frames, closing } = partsOf(source);
  const path = join(temporary, `${name}.sav`);
  const whole = await play([...opening, { say: Buffer.concat(frames) }, { hear: ACK }, ...closing], path);
  score.check(
    `${name}: the machine is handed over`,
    whole.error === undefined && existsSync(path),
    String(whole.error),
  );
  score.check(`${name}: the target says what VirtualBox's said`, whole.heard.equals(target), whole.heard.toString());
  score.check(`${name}: the file is the stream`, readFileSync(path).equals(stream));
  rmSync(path);
  for (let count = 0; count < frames.length; count++) {
    const cut = await play([...opening, { say: Buffer.concat(frames.slice(0, count)) }, { close: true }], path);
    score.check(
      `${name}: cut after frame ${count}, nothing is left`,
      cut.error !== undefined && readdirSync(temporary).length === 0,
    );
  }
}

/** Lets a scripted source send to a file, from the welcome on. */
async function play(script: Line[], path: string): Promise<{ heard: Buffer; error?: unknown }> {
  const [ours, theirs] = duplexPair();
  const heard = follow(theirs, script);
  const peer = new Peer(ours, 'source');
  const sink = await openFileSink(path);
  const attempt = async () => {
    const refused = await authenticate(peer, 'x');
    if (refused !== undefined) throw new Error(refused);
    await receiveState(peer, sink, { ending: 'hand-over' });
  };
  const error = await attempt().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error) await sink.abort();
  await peer.close();
  return { heard: await heard, ...(error ? { error } : {}) };
}

/** Parts of a source's stream: lines, each after an answer; frames, the last one empty; lines. */
function partsOf(source: Buffer): { opening: Line[]; frames: Buffer[]; closing: Line[] } {
  const start = source.indexOf('load\n') + 'load\n'.length;
  const frames: Buffer[] = [];
  let at = start;
  for (let length = -1; length !== 0; at += 8 + length) {
    length = source.readUInt32LE(at + 4);
    frames.push(source.subarray(at, at + 8 + length));
  }
  const sayEach = (lines: Buffer): Line[] =>
    lines
      .toString('latin1')
      .split(/(?<=\n)/)
      .flatMap((line) => [{ say: line }, { hear: ACK }]);
  return {
    opening: [{ hear: 'VirtualBox-Teleporter-1.0\n' }, ...sayEach(source.subarray(0, start))],
    frames,
    closing: sayEach(source.subarray(at)),
  };
}

function read(name: string): Buffer {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path) : execFileSync('xz', ['-dc', `${path}.xz`], { maxBuffer: 2 ** 31 - 1 });
}
