import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { WakingQemu } from './waking-qemu.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-hanging-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A QEMU that hangs: at a command, or in the midst of its stream. */
const HANGING = `
const { connect, createServer } = require('node:net');
const [, , hangsAt, , qmp] = process.argv;
createServer((socket) => {
  socket.write(JSON.stringify({ QMP: { version: { qemu: { major: 10, minor: 0, micro: 2 } }, capabilities: [] } }) + '\\n');
  socket.on('data', (data) => {
    for (const line of String(data).trim().split('\\n')) {
      const { execute, arguments: args, id } = JSON.parse(line);
      if (execute === hangsAt) continue;
      if (execute === 'migrate') connect(args.uri.slice(5)).write('QEVM');
      socket.write(JSON.stringify({ return: { status: 'active' }, id }) + '\\n');
    }
  });
}).listen(qmp.slice(5).split(',')[0]);
`;
const script = join(folder, 'hanging.js');
writeFileSync(script, HANGING);

it.each(['migrate', 'query-migrate', 'quit'])(
  'a QEMU that hangs, and does not answer %s, ends with the signal',
  async (hangsAt) => {
    const stop = new AbortController();
    const { signal } = stop;
    const qemu = await WakingQemu.start({ program: process.execPath, arguments: [script, hangsAt], signal });
    const saving = qemu.save({ write: async () => stop.abort() });
    // Before its stream begins, nothing else aborts.
    if (hangsAt === 'migrate') stop.abort();
    await expect(saving).rejects.toThrow();
    const start = performance.now();
    await qemu.quit();
    expect(qemu.isOver).toBe(true);
    expect(performance.now() - start).toBeLessThan(5000);
  },
);

it('a QEMU whose guest goes on outlives the signal', async () => {
  const stop = new AbortController();
  const { signal } = stop;
  const qemu = await WakingQemu.start({ program: process.execPath, arguments: [script, 'nothing'], signal });
  await qemu.goOn();
  stop.abort();
  await qemu.qmp.execute('stop');
  expect(qemu.isOver).toBe(false);
  process.kill(qemu.pid, 'SIGKILL');
  await qemu.ended;
});
