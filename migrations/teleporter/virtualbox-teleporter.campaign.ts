import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openFileSink } from '../../formats/files/sink.ts';
import { verify } from '../../src/saved-state/verify/verify.ts';
import { Score, VirtualBox } from '../../src/testing/virtualbox.ts';
import { compareSpeed, median } from '../testing/compare-speed.ts';
import { RealMachine } from '../testing/real-machine.ts';
import { SavkitProcess } from '../testing/savkit-process.ts';
import { awaitSource } from './await-source.ts';
import type { FrameSource } from './frames.ts';
import { serveSource } from './receiver.ts';
import { MachineTwins, OFF, WAITING_PORT } from './testing/machine-twins.ts';
import { relayTwins } from './testing/relay-twins.ts';
import { sendStates } from './testing/send-states.ts';

// npm run campaign -- virtualbox-teleporter [MIB…]: receives, sends and relays with real VirtualBox machines, of 16,
// 128 and 1024 MiB unless told otherwise. Filling 1 GiB takes the interpreted guest some minutes. The machines
// (savkit-tele-…) stay for the next time.

const sizes = process.argv.slice(2).map(Number).filter(Boolean);
const virtualBox = await VirtualBox.find();
const score = new Score();
const folder = mkdtempSync(join(tmpdir(), 'savkit-teleporter-'));

/** Number of the answer to lock-media: those to load and to its stream come before it. */
const LOCK_MEDIA_ANSWER = 3;
/** Ratio by which measurements of equal things differ on a shared host. */
const TOLERANCE = 1.1;

/** Takes all steps with machines of one size. */
async function runSize(mebibytes: number): Promise<void> {
  const twins = await MachineTwins.make({ virtualBox, score, folder }, mebibytes);
  try {
    await twins.a.start();
    await decline(twins);
    await copyPaused(twins);
    await compareReceiving(twins);
    const { state, truth } = await handOver(twins);
    await sendStates(twins, state, truth);
    const record = await relayTwins(twins, state);
    await compareLiveWithDump(twins);
    await loadRecording(twins, record);
  } finally {
    await twins.stop();
  }
}

/** Receives a copy and declines the machine, which runs on in VirtualBox. */
async function decline(twins: MachineTwins): Promise<void> {
  const path = twins.path('declined.sav');
  const before = (await twins.a.counter()) ?? 0;
  const receiver = new SavkitProcess('receive', '--teleporter', '--listen', '127.0.0.1:0', '-o', path);
  const { output } = await twins.a.teleport(await receiver.port());
  const { exitCode, result, stderr } = await receiver.ended;
  twins.check('receive and decline', exitCode === 0 && result.end === 'declined', stderr);
  twins.check('the source reads why', output.includes('savkit has a complete copy of this machine'), output);
  twins.check('the source runs on', (await twins.a.becomes('running')) && (await twins.a.counts(before)));
  await twins.checkFile(path, 'the declined copy');
  rmSync(path);
}

/** Teleports a paused machine, whose memory can be dumped as it was sent. */
async function copyPaused(twins: MachineTwins): Promise<void> {
  const path = twins.path('paused.sav');
  await twins.a.pause();
  const receiver = new SavkitProcess('receive', '--teleporter', '--listen', '127.0.0.1:0', '-o', path);
  await twins.a.teleport(await receiver.port());
  const { exitCode, stderr } = await receiver.ended;
  twins.check(
    'receive a paused machine, which stays paused',
    exitCode === 0 && (await twins.a.state()) === 'paused',
    stderr,
  );
  await twins.compareWithDump(path);
  await twins.a.resume();
  twins.check('resumed, it runs on', await twins.a.counts());
}

/**
 * Compares a live copy with a dump. A machine whose hand-over fails at `lock-media` stands still for good, with its
 * memory as of the final pass.
 */
async function compareLiveWithDump(twins: MachineTwins): Promise<void> {
  const path = twins.path('live.sav');
  const { promise: listening, resolve } = newPromise<number>();
  const source = awaitSource(
    { host: '127.0.0.1', port: 0 },
    { password: 'x', onListening: ({ port }) => resolve(port) },
  );
  const teleporting = twins.a.teleport(await listening);
  const peer = await source;
  const write = peer.write.bind(peer);
  let answers = 0;
  peer.write = (...parts) => (++answers === LOCK_MEDIA_ANSWER ? write(Buffer.from('NACK=-115\n')) : write(...parts));
  const sink = await openFileSink(path);
  const copy = { write: (bytes: Uint8Array) => sink.write(bytes) };
  let live = false;
  const load = async (stream: FrameSource) => {
    live = (await verify(stream)).state?.header.live === true;
    await sink.commit();
    return undefined;
  };
  await serveSource(peer, { copy, load, takeOver: async () => {} }).catch(() => {});
  await peer.close();
  await teleporting;
  twins.check(
    'receive a live stream from a machine that is stuck then',
    live && (await twins.a.becomes('gurumeditation')),
  );
  await twins.compareWithDump(path);
}

/** Takes the machine over into a file. @returns the file, and a dump of the machine that VirtualBox makes of it */
async function handOver(twins: MachineTwins): Promise<{ state: string; truth: string }> {
  const [state, truth] = [twins.path('state.sav'), twins.path('truth.elf')];
  const before = (await twins.a.counter()) ?? 0;
  const here = ['--listen', '127.0.0.1:0', '-o', state];
  const receiver = new SavkitProcess('receive', '--teleporter', '--then', 'hand-over', ...here);
  await twins.a.teleport(await receiver.port());
  const { exitCode, result, stderr } = await receiver.ended;
  twins.check('receive and take over', exitCode === 0 && result.end === 'handed-over', stderr);
  twins.check('the source is off', await twins.a.becomes(...OFF));
  await twins.checkFile(state, 'the state');
  const loaded = await virtualBox.run('load-state.sh', [state, twins.b.name, '--run', '3', '--core', truth]);
  const counter = Number.parseInt(/^([0-9A-F]{8})\s*$/m.exec(loaded.output)?.[1] ?? '0', 16);
  twins.check('VirtualBox loads the file, and its guest counts on', loaded.ok && counter > before, loaded.output);
  return { state, truth };
}

/** Has VirtualBox load the recording of a relay. */
async function loadRecording(twins: MachineTwins, path: string): Promise<void> {
  await twins.stop();
  // For a while after a machine has ended VirtualBox says that it is busy.
  await sleep(3000);
  const { ok, output } = await virtualBox.run('load-state.sh', [path, twins.a.name]);
  twins.check('VirtualBox loads the recording', ok, output);
  rmSync(path);
}

/** Compares the times that savkit and VirtualBox take to receive a machine. */
async function compareReceiving(twins: MachineTwins): Promise<void> {
  const { savkit: own, virtualBox: theirs } = await compareSpeed(
    twins.a,
    twins.b,
    WAITING_PORT,
    join(memoryFolder(), `savkit-speed-${process.pid}.sav`),
  );
  const text = (seconds: number[]) => seconds.map((each) => each.toFixed(1)).join(', ');
  const figures = `savkit ${text(own)} s, VirtualBox ${text(theirs)} s`;
  // A transfer of less than a second measures the start of processes.
  if (median(theirs) < 1) console.log(`${twins.mebibytes} MiB: receiving takes ${figures}`);
  else
    twins.check(
      `receiving takes savkit no longer than VirtualBox (${figures})`,
      median(own) <= median(theirs) * TOLERANCE,
    );
}

function newPromise<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

/** VirtualBox receives into memory, so our file should be there, too; else the disk is compared. */
function memoryFolder(): string {
  return existsSync('/dev/shm') ? '/dev/shm' : folder;
}

/** Sends a state that does not fit, which must be refused in VirtualBox's words. */
async function refuseMisfit(): Promise<void> {
  const machine = await RealMachine.make(virtualBox, 'savkit-tele-128b', 128);
  await machine.awaitMachine(WAITING_PORT);
  const state = fileURLToPath(new URL('../../../test-vectors/states/own-long.sav', import.meta.url));
  const { exitCode, error } = await new SavkitProcess(
    'send',
    state,
    '--teleporter',
    '--to',
    `127.0.0.1:${WAITING_PORT}`,
  ).ended;
  score.check(
    `a state that does not fit is refused: ${error}`,
    exitCode === 5 && /VERR_SSM_\w+/.test(error),
    `exit code ${exitCode}`,
  );
  await machine.stop();
}

try {
  await refuseMisfit();
  for (const mebibytes of sizes.length > 0 ? sizes : [16, 128, 1024]) await runSize(mebibytes);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
score.close();
