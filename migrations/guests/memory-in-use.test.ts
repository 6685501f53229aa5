import { closeSync, existsSync, mkdtempSync, openSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { QemuDescription } from '../machine/description.ts';
import { parseCommand } from './command-words.ts';
import { checkMemoryIsFree } from './memory-in-use.ts';
import { QemuHost } from './qemu-host.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-in-use-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const ram = join(realpathSync(folder), 'guest,a.ram');
writeFileSync(ram, 'memory');

const FORMS = [
  ['-object', `memory-backend-file,id=pc.ram,size=1M,mem-path=${ram.replace(',', ',,')},share=on`],
  ['-object', JSON.stringify({ 'qom-type': 'memory-backend-file', id: 'pc.ram', 'mem-path': ram, share: true })],
  ['-mem-path', ram],
];

describe.skipIf(!existsSync('/proc/self/fd'))('checkMemoryIsFree()', () => {
  it.each(FORMS)('refuses memory that a process has open, and only while it has: %s %s', (...words) => {
    const check = () => checkMemoryIsFree(parseCommand(['qemu', ...words]));
    const fd = openSync(ram, 'r');
    try {
      expect(check).toThrow(expect.objectContaining({ code: 'memory-in-use' }));
      expect(check).toThrow(`process ${process.pid} has it open`);
    } finally {
      closeSync(fd);
    }
    expect(check).not.toThrow();
  });

  it('lets QEMU judge what is not there, no file, or no JSON', () => {
    const words = [
      '-mem-path',
      join(folder, 'none'),
      '-mem-path',
      folder,
      '-object',
      '{',
      '-object',
      'rng-random,id=r',
    ];
    expect(() => checkMemoryIsFree(parseCommand(['qemu', ...words]))).not.toThrow();
  });

  it('is asked before a QEMU is started', async () => {
    const started = join(folder, 'started');
    const program = join(folder, 'qemu');
    writeFileSync(program, `#!/bin/sh\n: >'${started}'\n`, { mode: 0o755 });
    const host = new QemuHost({ command: parseCommand([program, ...FORMS[0]]) });
    const description = { hypervisor: 'qemu', regions: [] } as unknown as QemuDescription;
    const fd = openSync(ram, 'r');
    try {
      await expect(host.create(description, new Uint8Array())).rejects.toMatchObject({ code: 'memory-in-use' });
    } finally {
      closeSync(fd);
    }
    expect(existsSync(started)).toBe(false);
  });
});
