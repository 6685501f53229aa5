import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseCommand, wordsOf } from '../../src/saved-state/qemu-check/command-words.ts';
import { Score } from '../../src/testing/virtualbox.ts';
import { QemuProcess } from '../qmp/qemu-process.ts';
import { QmpClient } from '../qmp/qmp-client.ts';
import { makeCertificate } from '../testing/certificates.ts';
import { differingPages, goesOn } from '../testing/compare-memory.ts';
import { CASES, type GuestCase } from '../testing/guest-cases.ts';
import { type Link, moveGuest } from '../testing/move-guest.ts';
import type { Pair } from '../testing/pair.ts';
import { RealQemu } from '../testing/real-qemu.ts';
import { connectToTarget } from '../trust/connect-to-target.ts';
import { Gate } from '../trust/gate.ts';
import type { GuestFacts } from './guest-facts.ts';
import type { QemuTarget } from './qemu-target.ts';
import { type ReachedGuest, reachGuest } from './reach-guest.ts';

// npm run campaign -- qemu-migrate [WORDS…]: moves guests between real QEMUs, compares both memories byte for byte
// while the guest is paused at the target, lets it go on, and has it check itself. WORDS choose cases by their names.

/** Linux boots within seconds, on a busy machine within a minute. */
const BOOT_MS = 90_000;

const qemu = RealQemu.find();
const score = new Score();
const words = process.argv.slice(2);
for (const each of CASES)
  if (words.every((word) => each.name.includes(word)))
    await tryCase(each).catch((error) => score.check(each.name, false, String(error)));
score.close();

async function tryCase({
  name,
  options,
  to,
  isLinux,
  isHidden,
  notesWrites,
  streams = 1,
  isSecure = false,
  hasDisk = false,
  rewrite,
}: GuestCase): Promise<void> {
  const [here, there] = ['move-a', 'move-b'];
  await qemu.stop(here, there);
  let arrived: QemuTarget | undefined;
  let reached: ReachedGuest | undefined;
  const disks = [here, there].map((side) => join(qemu.state, `${side}.qcow2`));
  try {
    if (hasDisk) for (const disk of disks) execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '16M']);
    await qemu.start(here, [...options, ...(hasDisk ? ['--disk', disks[0]] : [])]);
    if (rewrite) await startAgain(here, rewrite);
    if (isLinux) await hasTicked(here, 20);
    else await setTimeout(800);
    const line = qemu.commandLineFor(there, here, to).replaceAll(disks[0], disks[1]);
    const command = parseCommand(wordsOf(line));
    reached = await reachGuest(qemu.qmpOf(here));
    let disksAreEqual = false;
    const report = await moveGuest(score, name, reached, {
      ...{ command, notesWrites, streams, copiesDisks: hasDisk, link: isSecure ? securedLink : undefined },
      onStarted: (target) => {
        arrived = target;
        qemu.adopt(there, target.process.pid);
      },
      compare: async (facts, source, target) => {
        const [ones, others] = isHidden
          ? [[await writtenOut(here, facts)], [await writtenOut(there, facts)]]
          : [source.ramPaths, target.ramPaths];
        // Both QEMUs have them open, and neither writes.
        if (hasDisk) disksAreEqual = spawnSync('qemu-img', ['compare', '-U', ...disks]).status === 0;
        return ones.map((one, i) => differingPages(one, others[i])).reduce((sum, pages) => sum + pages, 0);
      },
    });
    if (hasDisk) score.check(`${name}: disks equal while paused`, disksAreEqual);
    if (report?.outcome !== 'handed-over') return;
    if (isLinux) {
      await hasTicked(there, 10);
      const watched = await qemu.run('watch.py', [here, there, '--check']);
      score.check(
        `${name}: no tick lost, all memory right`,
        watched.ok && /"ok": true/.test(watched.output),
        watched.output,
      );
    } else score.check(`${name}: goes on`, await goesOn(arrived?.ramPaths[0] ?? ''));
  } finally {
    reached?.close();
    arrived?.close();
    await qemu.stop(here, there);
    for (const side of [here, there]) rmSync(`/dev/shm/savkit-written-${side}`, { force: true });
    for (const disk of disks) rmSync(disk, { force: true });
    // A second memory, in a file of its own.
    for (const file of readdirSync('/dev/shm'))
      if (/^savkit-qemu-move-[ab]\.ram2$/.test(file)) rmSync(`/dev/shm/${file}`);
  }
}

/** Connections with TLS 1.3, where both sides show certificates. */
async function securedLink({ receiver }: Pair): Promise<Link> {
  const authority = makeCertificate({ subject: 'hosts', isAuthority: true });
  const shown = (subject: string) => {
    const { certificate, key } = makeCertificate({ subject, names: [subject], issuer: authority });
    return { kind: 'certificates' as const, certificate, key, authority: authority.certificate };
  };
  const gate = await Gate.open({ host: '127.0.0.1', port: 0 }, shown('there'), {
    onConnection: (socket, peer) => void receiver.accept(socket, peer),
  });
  const trust = { ...shown('here'), peerName: 'there' };
  return { connect: (signal) => connectToTarget(gate.endpoint, trust, signal), close: () => gate.close() };
}

/** Starts a guest with another command line than the one that start.sh makes. */
async function startAgain(name: string, rewrite: (line: string) => string): Promise<void> {
  const path = join(qemu.state, 'run', name, 'args');
  const line = rewrite(readFileSync(path, 'utf8'));
  await qemu.stop(name);
  writeFileSync(path, line);
  const [program, ...options] = wordsOf(line);
  const logPath = join(qemu.state, 'run', name, 'log');
  const started = QemuProcess.start(program, options, qemu.qmpOf(name), { logPath });
  qemu.adopt(name, started.pid);
  (await started.connect()).close();
}

/** Waits until a guest has told of its work so often. */
async function hasTicked(name: string, times: number): Promise<void> {
  const count = () => readFileSync(qemu.serialLogOf(name), 'utf8').split('"tick"').length;
  for (const end = performance.now() + BOOT_MS; count() <= times && performance.now() < end; ) await setTimeout(200);
}

/** Memory of a guest as its QEMU writes it to a file. */
async function writtenOut(name: string, { backends }: GuestFacts): Promise<string> {
  const qmp = await QmpClient.connect(qemu.secondQmpOf(name));
  const filename = `/dev/shm/savkit-written-${name}`;
  await qmp.execute('pmemsave', { val: 0, size: backends[0].bytes, filename });
  qmp.close();
  return filename;
}
