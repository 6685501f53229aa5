import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openFileSink } from '../../formats/files/sink.ts';
import { openFile } from '../../formats/files/source.ts';
import { verify } from '../../src/saved-state/verify/verify.ts';
import { runProgram, Score, VirtualBox } from '../../src/testing/virtualbox.ts';
import { compareSpeed, median } from '../testing/compare-speed.ts';
import { RealMachine } from '../testing/real-machine.ts';
import { SavkitProcess } from '../testing/savkit-process.ts';
import { awaitSource } from './await-source.ts';
import type { FrameSource } from './frames.ts';
import { serveSource } from './receiver.ts';

// npm run campaign -- virtualbox-teleporter [MIB…]: receives, sends and relays with real VirtualBox machines, of 16,
// 128 and 1024 MiB unless told otherwise. Filling 1 GiB takes the interpreted guest some minutes. The machines
// (savkit-tele-…) stay for the next time.

const savkit = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const sizes = process.argv.slice(2).map(Number).filter(Boolean);
const virtualBox = await VirtualBox.find();
const score = new Score();
const folder = mkdtempSync(join(tmpdir(), 'savkit-teleporter-'));

/** One size of machine: `a` runs, `b` is its twin. */
class Campaign {
  readonly #mebibytes: number;
  readonly #a: RealMachine;
  readonly #b: RealMachine;

  static async run(mebibytes: number): Promise<void> {
    const make = (twin: string) => RealMachine.make(virtualBox, `savkit-tele-${mebibytes}${twin}`, mebibytes);
    const campaign = new Campaign(mebibytes, await make('a'), await make('b'));
    try {
      await campaign.#steps();
    } finally {
      await campaign.#a.stop();
      await campaign.#b.stop();
    }
  }

  private constructor(mebibytes: number, a: RealMachine, b: RealMachine) {
    this.#mebibytes = mebibytes;
    this.#a = a;
    this.#b = b;
  }

  async #steps(): Promise<void> {
    await this.#a.start();
    await this.#decline();
    await this.#copyPaused();
    await this.#compareSpeed();
    const state = await this.#handOver();
    await this.#sendAll(state);
    const record = await this.#relay(state);
    await this.#compareLiveWithDump();
    await this.#load(record, 'the recording');
  }

  #check(what: string, ok: boolean, details = ''): boolean {
    return score.check(`${this.#mebibytes} MiB: ${what}`, ok, details);
  }

  #path(name: string): string {
    return join(folder, `${this.#mebibytes}-${name}`);
  }

  async #decline(): Promise<void> {
    const path = this.#path('declined.sav');
    const before = (await this.#a.counter()) ?? 0;
    const receiver = new SavkitProcess('receive', '--teleporter', '--listen', '127.0.0.1:0', '-o', path);
    const { output } = await this.#a.teleport(await receiver.port());
    const { exitCode, result, stderr } = await receiver.ended;
    this.#check('receive and decline', exitCode === 0 && result.end === 'declined', stderr);
    this.#check('the source reads why', output.includes('savkit has a complete copy of this machine'), output);
    this.#check('the source runs on', (await this.#a.becomes('running')) && (await this.#a.counts(before)));
    await this.#checkFile(path, 'the declined copy');
    rmSync(path);
  }

  /** Teleports a paused machine, whose memory can be dumped as it was sent. */
  async #copyPaused(): Promise<void> {
    const path = this.#path('paused.sav');
    await this.#a.pause();
    const receiver = new SavkitProcess('receive', '--teleporter', '--listen', '127.0.0.1:0', '-o', path);
    await this.#a.teleport(await receiver.port());
    const { exitCode, stderr } = await receiver.ended;
    this.#check(
      'receive a paused machine, which stays paused',
      exitCode === 0 && (await this.#a.state()) === 'paused',
      stderr,
    );
    await this.#compareWithDump(path);
    await this.#a.resume();
    this.#check('resumed, it runs on', await this.#a.counts());
  }

  async #compareWithDump(path: string): Promise<void> {
    const [dump, extracted] = [this.#path('dump.elf'), this.#path('extracted.elf')];
    await this.#a.dump(dump);
    await this.#checkFile(path, 'the copy');
    await runProgram(process.execPath, [savkit, 'extract', path, '--format', 'vbox-core', '-o', extracted, '--force']);
    const { ok, output } = await virtualBox.run('corecmp.py', [dump, extracted, '--registers']);
    this.#check('its memory and registers are those of the dump', ok, output);
    for (const file of [path, dump, extracted]) rmSync(file, { force: true });
  }

  /**
   * Compares a live copy with a dump. A machine whose hand-over fails at `lock-media` stands still for good, with its
   * memory as of the final pass.
   */
  async #compareLiveWithDump(): Promise<void> {
    const path = this.#path('live.sav');
    const { promise: listening, resolve } = newPromise<number>();
    const source = awaitSource(
      { host: '127.0.0.1', port: 0 },
      { password: 'x', onListening: ({ port }) => resolve(port) },
    );
    const teleporting = this.#a.teleport(await listening);
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
    this.#check(
      'receive a live stream from a machine that is stuck then',
      live && (await this.#a.becomes('gurumeditation')),
    );
    await this.#compareWithDump(path);
  }

  /** Takes the machine over into a file. */
  async #handOver(): Promise<string> {
    const path = this.#path('state.sav');
    const before = (await this.#a.counter()) ?? 0;
    const receiver = new SavkitProcess(
      'receive',
      '--teleporter',
      '--listen',
      '127.0.0.1:0',
      '--then',
      'hand-over',
      '-o',
      path,
    );
    await this.#a.teleport(await receiver.port());
    const { exitCode, result, stderr } = await receiver.ended;
    this.#check('receive and take over', exitCode === 0 && result.end === 'handed-over', stderr);
    this.#check('the source is off', await this.#a.becomes(...OFF));
    await this.#checkFile(path, 'the state');
    const loaded = await virtualBox.run('load-state.sh', [
      path,
      this.#b.name,
      '--run',
      '3',
      '--core',
      this.#path('truth.elf'),
    ]);
    const counter = Number.parseInt(/^([0-9A-F]{8})\s*$/m.exec(loaded.output)?.[1] ?? '0', 16);
    this.#check('VirtualBox loads the file, and its guest counts on', loaded.ok && counter > before, loaded.output);
    return path;
  }

  async #sendAll(state: string): Promise<void> {
    const old = this.#path('old.sav');
    const { output } = await runProgram(process.execPath, [
      savkit,
      'convert',
      state,
      old,
      '--flatten',
      '--container',
      '1.2',
      '--pgm',
      '13',
    ]);
    this.#check('convert the state to V1.2', output.includes('proved equal'), output);
    const plain = this.#path('plain.sav');
    await runProgram(process.execPath, [savkit, 'convert', state, plain, '--flatten']);
    await this.#send('a live state', state);
    await this.#send('a plain state', plain);
    await this.#send('a state flattened on the way', state, '--flatten');
    await this.#send('a state of container V1.2, pgm 13', old);
    await this.#send('a live state as pgm 12', state, '--pgm', '12');
    for (const [what, path, ...options] of [
      ['live', state],
      ['V1.2', old],
    ]) {
      await this.#send(`a ${what} state, paused`, path, '--paused', ...options);
    }
    for (const path of [old, plain]) rmSync(path);
  }

  /** Sends a state to a waiting twin, where it must run, or be what VirtualBox makes of the file. */
  async #send(what: string, path: string, ...options: string[]): Promise<void> {
    await this.#b.awaitMachine(WAITING_PORT);
    const { exitCode, error, stderr } = await new SavkitProcess(
      'send',
      path,
      '--teleporter',
      '--to',
      `127.0.0.1:${WAITING_PORT}`,
      ...options,
    ).ended;
    const paused = options.includes('--paused');
    const arrived = exitCode === 0 && (await this.#b.becomes(paused ? 'paused' : 'running'));
    if (this.#check(`send ${what}`, arrived, error + stderr)) {
      if (paused) await this.#compareCores(what);
      else this.#check(`${what}: the guest runs there`, await this.#b.counts());
    }
    await this.#b.stop();
  }

  async #compareCores(what: string): Promise<void> {
    const dump = this.#path('sent.elf');
    await this.#b.dump(dump);
    const { ok, output } = await virtualBox.run('corecmp.py', [dump, this.#path('truth.elf'), '--registers']);
    this.#check(`${what}: memory and registers are those of the file`, ok, output);
  }

  /** @returns the recording of a relay */
  async #relay(state: string): Promise<string> {
    // The state runs in a; from there it goes through one relay to b, and through two back to a.
    await this.#a.awaitMachine(WAITING_PORT);
    await new SavkitProcess('send', state, '--teleporter', '--to', `127.0.0.1:${WAITING_PORT}`).ended;
    this.#check('the machine runs again', await this.#a.counts());
    const record = this.#path('record.sav');
    await this.#b.awaitMachine(WAITING_PORT);
    const single = new SavkitProcess(
      'relay',
      '--listen',
      '127.0.0.1:0',
      '--to',
      `127.0.0.1:${WAITING_PORT}`,
      '--record',
      record,
    );
    await this.#carry('a relay', this.#a, this.#b, await single.port(), [single]);
    await this.#checkFile(record, 'the recording');
    await this.#a.awaitMachine(WAITING_PORT);
    const key = this.#path('relay.key');
    await runProgram('openssl', ['rand', '-base64', '-out', key, '32']);
    const near = new SavkitProcess(
      'relay',
      '--listen',
      '127.0.0.1:0',
      '--to',
      `127.0.0.1:${WAITING_PORT}`,
      '--encrypt',
      'in',
      '--key-file',
      key,
    );
    const to = `127.0.0.1:${await near.port()}`;
    const far = new SavkitProcess(
      'relay',
      '--listen',
      '127.0.0.1:0',
      '--to',
      to,
      '--encrypt',
      'out',
      '--key-file',
      key,
    );
    await this.#carry('an encrypted pair of relays', this.#b, this.#a, await far.port(), [near, far]);
    return record;
  }

  async #load(path: string, what: string): Promise<void> {
    await this.#a.stop();
    await this.#b.stop();
    // For a while after a machine has ended VirtualBox says that it is busy.
    await sleep(3000);
    const { ok, output } = await virtualBox.run('load-state.sh', [path, this.#a.name]);
    this.#check(`VirtualBox loads ${what}`, ok, output);
    rmSync(path);
  }

  async #carry(what: string, from: RealMachine, to: RealMachine, port: number, relays: SavkitProcess[]): Promise<void> {
    const before = (await from.counter()) ?? 0;
    const wrong = await from.teleport(port, 'wrong');
    this.#check(
      `through ${what}, a wrong password is refused, and the source runs on`,
      wrong.output.includes('Invalid password') && (await from.counts()),
    );
    // Not its exit code: VirtualBox sometimes reports its own end as a failure when everything went well.
    const { output } = await from.teleport(port);
    const ends = await Promise.all(relays.map(({ ended }) => ended));
    const carried = ends.every(({ exitCode, result }) => exitCode === 0 && result.end === 'handed-over');
    const words = `${output} ${JSON.stringify(ends.map(({ exitCode, error, result }) => ({ exitCode, error, end: result.end })))}`;
    this.#check(`teleport through ${what}`, carried, words);
    this.#check(
      `through ${what}, the guest counts on`,
      (await to.becomes('running')) && (await to.counts(before)),
      words,
    );
    this.#check(`through ${what}, the source is off`, await from.becomes(...OFF));
  }

  async #compareSpeed(): Promise<void> {
    const { savkit: own, virtualBox: theirs } = await compareSpeed(
      this.#a,
      this.#b,
      WAITING_PORT,
      join(memoryFolder(), `savkit-speed-${process.pid}.sav`),
    );
    const text = (seconds: number[]) => seconds.map((each) => each.toFixed(1)).join(', ');
    const figures = `savkit ${text(own)} s, VirtualBox ${text(theirs)} s`;
    // A transfer of less than a second measures the start of processes.
    if (median(theirs) < 1) console.log(`${this.#mebibytes} MiB: receiving takes ${figures}`);
    else
      this.#check(
        `receiving takes savkit no longer than VirtualBox (${figures})`,
        median(own) <= median(theirs) * TOLERANCE,
      );
  }

  async #checkFile(path: string, what: string): Promise<void> {
    const source = await openFile(path);
    const { verdict, findings } = await verify(source);
    await source.close();
    this.#check(`${what} is whole`, verdict === 'whole' && findings.length === 0, JSON.stringify(findings[0]));
  }
}

/** Port at which machines of this campaign wait; one at a time. */
const WAITING_PORT = 17_411;
/** States of a machine that has left. */
const OFF = ['poweroff', 'teleported'] as const;
/** Number of the answer to lock-media: those to load and to its stream come before it. */
const LOCK_MEDIA_ANSWER = 3;
/** Ratio by which measurements of equal things differ on a shared host. */
const TOLERANCE = 1.1;

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
  for (const mebibytes of sizes.length > 0 ? sizes : [16, 128, 1024]) await Campaign.run(mebibytes);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
score.close();
