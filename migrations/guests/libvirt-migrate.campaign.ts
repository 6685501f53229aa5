import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseCommand, wordsOf } from '../../src/saved-state/qemu-check/command-words.ts';
import { Score } from '../../src/testing/virtualbox.ts';
import { differingPages, goesOn } from '../testing/compare-memory.ts';
import { Pair } from '../testing/pair.ts';
import { RealQemu } from '../testing/real-qemu.ts';
import { TIME_OUTS } from '../wire/limits.ts';
import { askedCommand } from './command-line/asked-command.ts';
import { learnFacts } from './guest-facts.ts';
import { hindrancesOf } from './hindrances.ts';
import { QemuHost } from './qemu-host.ts';
import { QemuSource } from './qemu-source.ts';
import { reachGuest } from './reach-guest.ts';

// npm run campaign -- libvirt-migrate: moves guests of a real libvirt (setup.sh --libvirt), whose memory is as libvirt
// makes it or prepared, to a QEMU that is started by what the source tells of its command line.

const qemu = RealQemu.find();
const score = new Score();
const folder = mkdtempSync(join(tmpdir(), 'savkit-libvirt-'));
const root = join(qemu.state, 'libvirt');
const NAME = 'savkit-moved';
// virsh is in the chroot only.
writeFileSync(join(folder, 'virsh'), `#!/bin/sh\nexec ${join(qemu.folder, 'libvirt.sh')} virsh "$@"\n`);
chmodSync(join(folder, 'virsh'), 0o755);
process.env.PATH = `${folder}:${process.env.PATH}`;
process.env.SAVKIT_QEMU_DIR = qemu.state;
try {
  for (const memory of ['anon', 'memfd', 'file'])
    for (const notesWrites of [false, true])
      await tryMemory(memory, notesWrites).catch((error) => score.check(memory, false, String(error)));
} finally {
  await qemu.run('libvirt.sh', ['stop']);
  rmSync(folder, { recursive: true, force: true });
}
score.close();

async function tryMemory(memory: string, notesWrites: boolean): Promise<void> {
  const name = `libvirt, memory ${memory}${notesWrites ? ', noted' : ''}`;
  const virsh = (...words: string[]) => qemu.run('libvirt.sh', ['virsh', '-q', ...words]);
  const { output: xml } = await qemu.run('libvirt.sh', ['xml', NAME, 'mini-long', memory]);
  writeFileSync(join(root, 'vm', `${NAME}.xml`), xml);
  const { ok, output } = await virsh('create', `/vm/${NAME}.xml`);
  if (!score.check(`${name}: is started by libvirt`, ok, output)) return;
  await setTimeout(1500);
  const reached = await reachGuest(`libvirt:${NAME}`);
  let pid: number | undefined;
  try {
    const facts = await learnFacts(reached.qmp, reached.process);
    const fatal = hindrancesOf(facts, { areShared: false, areMirrored: false }).filter(({ isFatal }) => isFatal);
    score.check(`${name}: nothing stands in the way`, fatal.length === 0, JSON.stringify(fatal));
    let lost = '';
    const onWatchLost = ({ message }: Error) => {
      lost = message;
    };
    const source = QemuSource.open(reached.qmp, facts, { notesWrites, onWatchLost });
    let differing = -1;
    let ram = '';
    const own = parseCommand(wordsOf(qemu.programOf(10)));
    const host = new QemuHost({
      // The guest's files are in the chroot.
      command: (outline) => {
        const told = Buffer.from(outline).toString('utf8').replaceAll('"/vm/', `"${root}/vm/`);
        return askedCommand(Buffer.from(told), own, join(root, 'vm'));
      },
      onStarted: (target) => {
        pid = target.process.pid;
        [ram] = target.ramPaths;
        const start = target.start.bind(target);
        target.start = async () => {
          const files = { here: join(root, 'vm/here.ram'), there: join(folder, 'there.ram') };
          await reached.qmp.execute('pmemsave', { val: 0, size: facts.backends[0].bytes, filename: '/vm/here.ram' });
          await target.qmp.execute('pmemsave', { val: 0, size: facts.backends[0].bytes, filename: files.there });
          differing = differingPages(files.here, files.there);
          await start();
        };
      },
    });
    const pair = await Pair.create({ host, timeOuts: TIME_OUTS });
    Object.assign(pair.limits, { maxDowntimeMs: 1000, onTimeLimit: 'force', timeLimitMs: 30_000 });
    const { outcome, because, downtimeMs, rounds } = await pair.migrate(source, { timeOuts: TIME_OUTS });
    source.close();
    score.check(`${name}: runs in another QEMU`, outcome === 'handed-over', because);
    score.check(`${name}: memory byte-equal while paused`, differing === 0, `${differing} pages differ`);
    if (notesWrites) score.check(`${name}: the kernel noted all writes`, lost === '', lost);
    if (outcome === 'handed-over') score.check(`${name}: goes on`, await goesOn(ram));
    console.log(`  ${rounds.length} rounds, stood still ${downtimeMs.toFixed(0)} ms`);
    const { output: left } = await virsh('list', '--name');
    score.check(`${name}: libvirt has seen it end`, !left.includes(NAME), left);
  } finally {
    reached.close();
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await virsh('destroy', NAME);
  }
}
