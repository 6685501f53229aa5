import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { WakingQemu } from '../../migrations/wake/waking-qemu.ts';
import { WokenCharge } from './woken-charge.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-woken-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const asked = join(folder, 'asked');

/** A program that talks as QEMU does; its guest's state is the word `state`. */
const FAKE = `
const { appendFileSync } = require('node:fs');
const { connect, createServer } = require('node:net');
const [, , refused, , qmp] = process.argv;
let status = 'running';
createServer((socket) => {
  socket.write(JSON.stringify({ QMP: { version: { qemu: { major: 10, minor: 0, micro: 2 } }, capabilities: [] } }) + '\\n');
  socket.on('data', (data) => {
    for (const line of String(data).trim().split('\\n')) {
      const { execute, arguments: args, id } = JSON.parse(line);
      appendFileSync(${JSON.stringify(asked)}, execute + ' ');
      const say = (answer) => socket.write(JSON.stringify({ ...answer, id }) + '\\n');
      if (execute === refused) say({ error: { class: 'GenericError', desc: 'the vdi format does not support it' } });
      else if (execute === 'query-status') say({ return: { status } });
      else if (execute === 'query-migrate') say({ return: { status: 'completed' } });
      else if (execute === 'quit') process.exit(0);
      else {
        if (execute === 'stop') status = 'paused';
        if (execute === 'migrate') connect(args.uri.slice(5)).end('state');
        say({ return: {} });
      }
    }
  });
}).listen(qmp.slice(5).split(',')[0]);
`;
const script = join(folder, 'fake.js');
writeFileSync(script, FAKE);

async function woken(file: string, refused = 'nothing', isShown = true) {
  writeFileSync(asked, '');
  const qemu = await WakingQemu.start({ program: process.execPath, arguments: [script, refused], isShown });
  const path = join(folder, file);
  return { qemu, path, charge: new WokenCharge(qemu, { path, force: false }, ['qemu', '-m', '16']) };
}

describe('a machine that was woken and runs', () => {
  it('is saved while it stands still, for its owner only, and told how it goes on', async () => {
    const { qemu, path, charge } = await woken('a b.qemu');
    expect(charge.isHeld()).toBe(true);
    expect(charge.ways().toString()).toContain(`process ${qemu.pid}`);
    const told = (await charge.save()).toString();
    expect(readFileSync(asked, 'utf8')).toMatch(/ stop migrate query-migrate $/);
    expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['state', 0o600]);
    expect(told).toContain(`qemu -m 16 -incoming 'exec:cat '\\''${path}'\\''' -monitor stdio`);
    await qemu.quit();
    expect([charge.isHeld(), qemu.fault]).toEqual([false, undefined]);
  });

  it('goes on, and stays in custody, where its QEMU cannot save it', async () => {
    const { qemu, path, charge } = await woken('none.qemu', 'migrate');
    await expect(charge.save()).rejects.toMatchObject({ message: expect.stringContaining('vdi format') });
    expect(readFileSync(asked, 'utf8')).toMatch(/ stop migrate cont $/);
    expect([charge.isHeld(), existsSync(path)]).toEqual([true, false]);
    await qemu.quit();
  });

  it.skipIf(process.platform !== 'linux')(
    'is out of reach of signals that end the process which has woken it',
    async () => {
      const groupOf = (pid: number) => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[2]);
      for (const isShown of [true, false]) {
        const { qemu } = await woken('group.qemu', 'nothing', isShown);
        expect(groupOf(qemu.pid) === qemu.pid).toBe(isShown);
        await qemu.quit();
      }
    },
  );

  it('is told to have ended by a fault where its QEMU was killed', async () => {
    const { qemu, charge } = await woken('killed.qemu');
    process.kill(qemu.pid, 'SIGKILL');
    await qemu.ended;
    expect([charge.isHeld(), qemu.fault]).toMatchObject([false, { code: 'qemu-ended' }]);
  });
});
