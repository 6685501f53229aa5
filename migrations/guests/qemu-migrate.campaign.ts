import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseCommand, wordsOf } from '../../src/saved-state/qemu-check/command-words.ts';
import { Score } from '../../src/testing/virtualbox.ts';
import { QmpClient } from '../qmp/qmp-client.ts';
import { Pair } from '../testing/pair.ts';
import { RealQemu } from '../testing/real-qemu.ts';
import { TIME_OUTS } from '../wire/limits.ts';
import { learnFacts } from './guest-facts.ts';
import { hindrancesOf } from './hindrances.ts';
import { QemuHost } from './qemu-host.ts';
import { QemuSource } from './qemu-source.ts';
import type { QemuTarget } from './qemu-target.ts';

// npm run campaign -- qemu-migrate [WORDS…]: moves guests between real QEMUs, compares both memories byte for byte
// while the guest is paused at the target, lets it go on, and has it check itself. WORDS choose cases by their names.

interface Case {
  name: string;
  /** For start.sh. */
  options: string[];
  /** Version of the target's QEMU, where it is another one. */
  to?: 10;
  /** The guest checks its own memory, and tells so. */
  isLinux?: boolean;
  streams?: number;
  /** It writes to a qcow2 disk, which is copied along. */
  hasDisk?: boolean;
}

const BARE = ['mini-real', 'mini-prot', 'mini-pae', 'mini-long', 'mini-la57', 'mini-smp'];
const linux = (ram: number, rate: number, ...more: string[]) => [
  ...['--ram', String(ram), '--rate', String(rate), '--words', '500'],
  ...more,
];

const CASES: Case[] = [
  ...BARE.flatMap((guest) => {
    const cpus = guest === 'mini-smp' ? ['--cpus', '2'] : [];
    return [
      { name: `${guest} 7`, options: ['--qemu', '7', '--guest', guest, ...cpus] },
      { name: `${guest} 10`, options: ['--qemu', '10', '--guest', guest, ...cpus] },
      { name: `${guest} 7 to 10`, options: ['--qemu', '7', '--guest', guest, ...cpus], to: 10 as const },
    ];
  }),
  { name: 'mini-long q35 7', options: ['--guest', 'mini-long', '--machine', 'pc-q35-7.2'] },
  { name: 'mini-long q35 10', options: ['--qemu', '10', '--guest', 'mini-long', '--machine', 'pc-q35-7.2'] },
  { name: 'mini-long memfd 7', options: ['--qemu', '7', '--guest', 'mini-long', '--ram-kind', 'memfd'] },
  { name: 'linux 128 idle 7', options: linux(128, 0), isLinux: true },
  { name: 'linux 128 idle 10', options: linux(128, 0, '--qemu', '10'), isLinux: true },
  { name: 'linux 128 20 MB/s 7', options: linux(128, 20), isLinux: true },
  { name: 'linux 128 20 MB/s 10', options: linux(128, 20, '--qemu', '10'), isLinux: true },
  { name: 'linux 128 20 MB/s 7 to 10', options: linux(128, 20), to: 10, isLinux: true },
  {
    name: 'linux 128 20 MB/s q35 10',
    options: linux(128, 20, '--qemu', '10', '--machine', 'pc-q35-7.2'),
    isLinux: true,
  },
  { name: 'linux 256 20 MB/s 2 CPUs 10', options: linux(256, 20, '--qemu', '10', '--cpus', '2'), isLinux: true },
  {
    name: 'linux 256 100 MB/s 10',
    options: linux(256, 100, '--qemu', '10'),
    isLinux: true,
  },
  { name: 'linux 1024 20 MB/s 10', options: linux(1024, 20, '--qemu', '10'), isLinux: true },
  { name: 'linux 128 20 MB/s 4 streams 10', options: linux(128, 20, '--qemu', '10'), isLinux: true, streams: 4 },
  ...([7, 10] as const).flatMap((qemu) => [
    // RAM in two pieces, as with more than 3 GiB.
    {
      name: `mini-long split ${qemu}`,
      options: `--qemu ${qemu} --guest mini-long --ram 256 -- -machine max-ram-below-4g=128M`.split(' '),
    },
    {
      name: `linux 128 5 MB/s disk ${qemu}`,
      options: linux(128, 5, '--qemu', String(qemu), '--disk-rate', '300'),
      isLinux: true,
      hasDisk: true,
    },
  ]),
];

const qemu = RealQemu.find();
const score = new Score();
const words = process.argv.slice(2);
for (const each of CASES)
  if (words.every((word) => each.name.includes(word)))
    await tryCase(each).catch((error) => score.check(each.name, false, String(error)));
score.close();

async function tryCase({ name, options, to, isLinux, streams = 1, hasDisk = false }: Case): Promise<void> {
  const [here, there] = ['move-a', 'move-b'];
  await qemu.stop(here, there);
  let arrived: QemuTarget | undefined;
  const disks = [here, there].map((side) => join(qemu.state, `${side}.qcow2`));
  try {
    if (hasDisk) for (const disk of disks) execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', disk, '16M']);
    await qemu.start(here, [...options, ...(hasDisk ? ['--disk', disks[0]] : [])]);
    await setTimeout(isLinux ? 8000 : 800);
    const line = qemu.commandLineFor(there, here, to).replaceAll(disks[0], disks[1]);
    const command = parseCommand(wordsOf(line));
    const qmp = await QmpClient.connect(qemu.qmpOf(here));
    const facts = await learnFacts(qmp);
    const hindrances = hindrancesOf(facts, { areShared: false, areMirrored: hasDisk });
    if (!score.check(`${name}: nothing stands in the way`, hindrances.length === 0, JSON.stringify(hindrances))) return;
    const source = QemuSource.open(qmp, facts, hasDisk);
    let disksAreEqual = true;
    let differing = -1;
    const host = new QemuHost({
      command,
      onStarted: (target) => {
        arrived = target;
        qemu.adopt(there, target.process.pid);
        const start = target.start.bind(target);
        target.start = async () => {
          differing = differingPages(source.ramPaths[0], target.ramPaths[0]);
          // Both QEMUs have them open, and neither writes.
          if (hasDisk) disksAreEqual = spawnSync('qemu-img', ['compare', '-U', ...disks]).status === 0;
          await start();
        };
      },
    });
    const pair = await Pair.create({ host, timeOuts: TIME_OUTS });
    pair.limits.maxDowntimeMs = 1000;
    pair.limits.onTimeLimit = 'force';
    pair.limits.timeLimitMs = 30_000;
    const report = await pair.migrate(source, { timeOuts: TIME_OUTS, streams });
    source.close();
    const { outcome, because, rounds, downtimeMs, totalMs, bytes, downtime } = report;
    const phases = Object.entries(downtime)
      .map(([phase, ms]) => `${phase} ${ms.toFixed(0)}`)
      .join(' ');
    score.check(`${name}: runs at the target`, outcome === 'handed-over', because);
    score.check(`${name}: memory byte-equal while paused`, differing === 0, `${differing} pages differ`);
    if (hasDisk) score.check(`${name}: disks equal while paused`, disksAreEqual);
    console.log(
      `  ${rounds.length} rounds, stood still ${downtimeMs.toFixed(0)} ms (${phases}) of ${totalMs.toFixed(0)} ms, ${(bytes / 1e6).toFixed(1)} MB`,
    );
    if (outcome !== 'handed-over') return;
    if (isLinux) {
      await setTimeout(1500);
      const watched = await qemu.run('watch.py', [here, there, '--check']);
      score.check(
        `${name}: no tick lost, all memory right`,
        watched.ok && /"ok": true/.test(watched.output),
        watched.output,
      );
    } else score.check(`${name}: goes on`, await goesOn(arrived?.ramPaths[0] ?? ''));
  } finally {
    arrived?.close();
    await qemu.stop(here, there);
    for (const disk of disks) rmSync(disk, { force: true });
  }
}

/** Pages that differ between two files. */
function differingPages(here: string, there: string): number {
  const [one, other] = [openSync(here, 'r'), openSync(there, 'r')];
  const [a, b] = [Buffer.alloc(1 << 20), Buffer.alloc(1 << 20)];
  let differing = 0;
  for (let at = 0; ; at += a.length) {
    const size = readSync(one, a, 0, a.length, at);
    if (readSync(other, b, 0, b.length, at) !== size) differing++;
    if (size === 0) break;
    for (let page = 0; page < size; page += 4096)
      if (a.compare(b, page, page + 4096, page, page + 4096) !== 0) differing++;
  }
  closeSync(one);
  closeSync(other);
  return differing;
}

/** The counter of a bare guest stands at 0x1000. */
async function goesOn(ram: string): Promise<boolean> {
  const fd = openSync(ram, 'r');
  const counter = Buffer.alloc(8);
  const read = () => {
    readSync(fd, counter, 0, 8, 0x1000);
    return counter.readBigUInt64LE();
  };
  const before = read();
  await setTimeout(500);
  const after = read();
  closeSync(fd);
  return after > before;
}
