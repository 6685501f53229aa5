import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseCommand, wordsOf } from '../../src/saved-state/qemu-check/command-words.ts';
import { Score } from '../../src/testing/virtualbox.ts';
import { differingPages, goesOn } from '../testing/compare-memory.ts';
import { moveGuest } from '../testing/move-guest.ts';
import { RealQemu } from '../testing/real-qemu.ts';
import { askedCommand } from './command-line/asked-command.ts';
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
    let ram = '';
    const own = parseCommand(wordsOf(qemu.programOf(10)));
    const report = await moveGuest(score, name, reached, {
      notesWrites,
      // The guest's files are in the chroot.
      command: (outline) => {
        const told = Buffer.from(outline).toString('utf8').replaceAll('"/vm/', `"${root}/vm/`);
        return askedCommand(Buffer.from(told), own, join(root, 'vm'));
      },
      onStarted: (target) => {
        pid = target.process.pid;
        [ram] = target.ramPaths;
      },
      compare: async ({ backends: [{ bytes: size }] }, _, target) => {
        const there = join(folder, 'there.ram');
        await reached.qmp.execute('pmemsave', { val: 0, size, filename: '/vm/here.ram' });
        await target.qmp.execute('pmemsave', { val: 0, size, filename: there });
        return differingPages(join(root, 'vm/here.ram'), there);
      },
    });
    if (report?.outcome === 'handed-over') score.check(`${name}: goes on`, await goesOn(ram));
    const { output: left } = await virsh('list', '--name');
    score.check(`${name}: libvirt has seen it end`, !left.includes(NAME), left);
  } finally {
    reached.close();
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await virsh('destroy', NAME);
  }
}
