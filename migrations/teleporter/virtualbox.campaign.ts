import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openFileSink } from '../../formats/binary/sink.ts';
import { openFile } from '../../formats/binary/source.ts';
import { verify } from '../../src/saved-state/verify.ts';
import { runProgram, Score, VirtualBox } from '../../src/testing/virtualbox.ts';
import { RealMachine } from '../testing/real-machine.ts';
import { SavkitProcess } from '../testing/savkit-process.ts';
import { awaitSource } from './await-source.ts';
import { receiveState } from './receive.ts';

// npm run test:virtualbox -- teleporter [MIB…]: receives, sends and relays with real VirtualBox machines, of 16, 128 and 1024 MiB unless told
// otherwise. Filling 1 GiB takes the interpreted guest some minutes. The machines (savkit-tele-…) stay for the next time.

const savkit = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const sizes = process.argv.slice(2).map(Number).filter(Boolean);
const virtualBox = await VirtualBox.find();
const score = new Score();
const folder = mkdtempSync(join(tmpdir(), 'savkit-teleporter-'));
/** Rounds of the comparison of speed. */
const ROUNDS = 3;

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
    if (this.#mebibytes >= SLOW_MEBIBYTES) await this.#pauseOnTheWay();
    await this.#compareSpeed();
    const state = await this.#handOver();
    await this.#sendAll(state);
    await this.#relay(state);
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

  /** A paused machine is one whose memory can be dumped as it was sent. */
  async #copyPaused(): Promise<void> {
    const path = this.#path('paused.sav');
    await this.#a.pause();
    const receiver = new SavkitProcess('receive', '--teleporter', '--listen', '127.0.0.1:0', '-o', path);
    await this.#a.teleport(await receiver.port());
    const { exitCode, stderr } = await receiver.ended;
    this.#check('receive a paused machine', exitCode === 0, stderr);
    await this.#compareWithDump(path);
  }

  /** Pauses the machine during the live passes: memory as of the final pass, but sent in passes. */
  async #pauseOnTheWay(): Promise<void> {
    const path = this.#path('paused.sav');
    const sink = await openFileSink(path);
    const { promise, resolve } = newPromise<number>();
    const source = awaitSource({ host: '127.0.0.1', port: 0 }, { password: 'x', onListening: ({ port }) => resolve(port) });
    const teleporting = this.#a.teleport(await promise);
    const peer = await source;
    let paused: Promise<unknown> | undefined;
    const write = sink.write.bind(sink);
    sink.write = async (piece) => {
      await write(piece);
      // Within the first live passes the source waits for us, while its guest is being paused.
      paused ??= this.#a.pause();
      await paused;
    };
    const report = await receiveState(peer, sink, { ending: 'decline' });
    await peer.close();
    await teleporting;
    this.#check('receive a machine that is paused on the way', report.state.header.live);
    await this.#compareWithDump(path);
  }

  async #compareWithDump(path: string): Promise<void> {
    this.#check('it stays paused', (await this.#a.state()) === 'paused');
    const [dump, extracted] = [this.#path('dump.elf'), this.#path('extracted.elf')];
    await this.#a.dump(dump);
    await this.#checkFile(path, 'the copy of the paused machine');
    await runProgram(process.execPath, [savkit, 'extract', path, '--format', 'elf', '-o', extracted, '--force']);
    const { ok, output } = await virtualBox.run('corecmp.py', [dump, extracted]);
    this.#check('its memory is that of the dump', ok, output);
    await this.#a.resume();
    this.#check('resumed, it runs on', await this.#a.counts());
    for (const file of [path, dump, extracted]) rmSync(file, { force: true });
  }

  /** Takes the machine over into a file. */
  async #handOver(): Promise<string> {
    const path = this.#path('state.sav');
    const before = (await this.#a.counter()) ?? 0;
    const receiver = new SavkitProcess('receive', '--teleporter', '--listen', '127.0.0.1:0', '--then', 'hand-over', '-o', path);
    await this.#a.teleport(await receiver.port());
    const { exitCode, result, stderr } = await receiver.ended;
    this.#check('receive and take over', exitCode === 0 && result.end === 'handed-over', stderr);
    this.#check('the source is off', await this.#a.becomes(...OFF));
    await this.#checkFile(path, 'the state');
    const loaded = await virtualBox.run('load-state.sh', [path, this.#b.name, '--run', '3', '--core', this.#path('truth.elf')]);
    const counter = Number.parseInt(/^([0-9A-F]{8})\s*$/m.exec(loaded.output)?.[1] ?? '0', 16);
    this.#check('VirtualBox loads the file, and its guest counts on', loaded.ok && counter > before, loaded.output);
    return path;
  }

  async #sendAll(state: string): Promise<void> {
    const old = this.#path('old.sav');
    const { output } = await runProgram(process.execPath, [savkit, 'convert', state, old, '--flatten', '--container', '1.2', '--pgm', '13']);
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
    const { exitCode, error, stderr } = await new SavkitProcess('send', path, '--teleporter', '--to', `127.0.0.1:${WAITING_PORT}`, ...options).ended;
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

  async #relay(state: string): Promise<void> {
    // The state runs in a; from there it goes through one relay to b, and through two back to a.
    await this.#a.awaitMachine(WAITING_PORT);
    await new SavkitProcess('send', state, '--teleporter', '--to', `127.0.0.1:${WAITING_PORT}`).ended;
    this.#check('the machine runs again', await this.#a.counts());
    const record = this.#path('record.sav');
    await this.#b.awaitMachine(WAITING_PORT);
    const single = new SavkitProcess('relay', '--listen', '127.0.0.1:0', '--to', `127.0.0.1:${WAITING_PORT}`, '--record', record);
    await this.#carry('a relay', this.#a, this.#b, await single.port(), [single]);
    await this.#checkFile(record, 'the recording');
    // Of a machine that has just ended VirtualBox says for a while that it is busy.
    await sleep(3000);
    const loaded = await virtualBox.run('load-state.sh', [record, this.#a.name]);
    this.#check('VirtualBox loads the recording', loaded.ok, loaded.output);
    await this.#a.awaitMachine(WAITING_PORT);
    const key = this.#path('relay.key');
    await runProgram('openssl', ['rand', '-base64', '-out', key, '32']);
    const near = new SavkitProcess('relay', '--listen', '127.0.0.1:0', '--to', `127.0.0.1:${WAITING_PORT}`, '--encrypt', 'in', '--key-file', key);
    const to = `127.0.0.1:${await near.port()}`;
    const far = new SavkitProcess('relay', '--listen', '127.0.0.1:0', '--to', to, '--encrypt', 'out', '--key-file', key);
    await this.#carry('an encrypted pair of relays', this.#b, this.#a, await far.port(), [near, far]);
    rmSync(record);
  }

  async #carry(what: string, from: RealMachine, to: RealMachine, port: number, relays: SavkitProcess[]): Promise<void> {
    const before = (await from.counter()) ?? 0;
    const wrong = await from.teleport(port, 'wrong');
    this.#check(`through ${what}, a wrong password is refused, and the source runs on`, wrong.output.includes('Invalid password') && (await from.counts()));
    const { ok, output } = await from.teleport(port);
    const ends = await Promise.all(relays.map(({ ended }) => ended));
    this.#check(`teleport through ${what}`, ok && ends.every(({ exitCode }) => exitCode === 0), output + ends.map(({ stderr, error }) => stderr + error));
    this.#check(`through ${what}, the guest counts on`, (await to.becomes('running')) && (await to.counts(before)));
    if (!(await from.becomes('poweroff'))) this.#check('the source is off', (await from.state()) === 'teleported');
  }

  /** VirtualBox to VirtualBox, there and back, against VirtualBox to savkit, in turns. */
  async #compareSpeed(): Promise<void> {
    const own: number[] = [];
    const theirs: number[] = [];
    let [at, twin] = [this.#a, this.#b];
    for (let round = 0; round < ROUNDS; round++) {
      const path = this.#path('speed.sav');
      const receiver = new SavkitProcess('receive', '--teleporter', '--listen', '127.0.0.1:0', '-o', path);
      own.push((await at.teleport(await receiver.port())).seconds);
      await receiver.ended;
      rmSync(path, { force: true });
      await twin.awaitMachine(WAITING_PORT);
      theirs.push((await at.teleport(WAITING_PORT)).seconds);
      if (!(await twin.becomes('running'))) throw new Error(`${twin.name} did not get the machine from ${at.name}`);
      await at.stop();
      [at, twin] = [twin, at];
    }
    // Back to where the next steps want it.
    if (at !== this.#a) {
      await this.#a.awaitMachine(WAITING_PORT);
      await at.teleport(WAITING_PORT);
      await at.stop();
    }
    const [ownMedian, theirMedian] = [own, theirs].map((seconds) => seconds.sort((x, y) => x - y)[Math.floor(ROUNDS / 2)]);
    const figures = `savkit ${own.map(text).join(', ')} s, VirtualBox ${theirs.map(text).join(', ')} s`;
    // What is over within a second says more about starting processes.
    if (theirMedian < 1) console.log(`${this.#mebibytes} MiB: receiving takes ${figures}`);
    else this.#check(`receiving takes savkit no longer than VirtualBox (${figures})`, ownMedian <= theirMedian * TOLERANCE);
  }

  async #checkFile(path: string, what: string): Promise<void> {
    const source = await openFile(path);
    const { verdict, findings } = await verify(source);
    await source.close();
    this.#check(`${what} is whole`, verdict === 'whole' && findings.length === 0, JSON.stringify(findings[0]));
  }
}

/** Where machines of this campaign wait; one at a time. */
const WAITING_PORT = 17_411;
/** States of a machine that has left. */
const OFF = ['poweroff', 'teleported'] as const;
/** From here on the live passes take long enough for the user to do something. */
const SLOW_MEBIBYTES = 64;
/** What single measurements of equal things differ by on a shared host. */
const TOLERANCE = 1.1;

function newPromise<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}

function text(seconds: number): string {
  return seconds.toFixed(1);
}

/** A state that does not fit must be refused in VirtualBox's words. */
async function refuseMisfit(): Promise<void> {
  const machine = await RealMachine.make(virtualBox, 'savkit-tele-128b', 128);
  await machine.awaitMachine(WAITING_PORT);
  const state = fileURLToPath(new URL('../../../test-vectors/states/own-long.sav', import.meta.url));
  const { exitCode, error } = await new SavkitProcess('send', state, '--teleporter', '--to', `127.0.0.1:${WAITING_PORT}`).ended;
  score.check(`a state that does not fit is refused: ${error}`, exitCode === 5 && /VERR_SSM_\w+/.test(error), `exit code ${exitCode}`);
  await machine.stop();
}

try {
  await refuseMisfit();
  for (const mebibytes of sizes.length > 0 ? sizes : [16, 128, 1024]) await Campaign.run(mebibytes);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
score.close();
