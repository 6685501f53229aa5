import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseCommand } from '../../src/saved-state/qemu-check/command-words.ts';
import type { QemuDescription } from '../machine/description.ts';
import { checkMemoryIsFree } from './memory-in-use.ts';
import { QemuHost } from './qemu-host.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-in-use-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const ram = join(realpathSync(folder), 'guest,a.ram');
/** A memory file as savkit or an operator makes it beforehand. */
const FRESH = Buffer.alloc(8192);
writeFileSync(ram, FRESH);

const FORMS = [
  ['-object', `memory-backend-file,id=pc.ram,size=1M,mem-path=${ram.replace(',', ',,')},share=on`],
  ['-object', JSON.stringify({ 'qom-type': 'memory-backend-file', id: 'pc.ram', 'mem-path': ram, share: true })],
  ['-mem-path', ram],
];

describe.skipIf(!existsSync('/proc/self/fd'))('checkMemoryIsFree()', () => {
  it.each(FORMS)('refuses memory that a process has open, and only while it has: %s %s', async (...words) => {
    const check = () => checkMemoryIsFree(parseCommand(['qemu', ...words]));
    const fd = openSync(ram, 'r');
    try {
      await expect(check()).rejects.toMatchObject({ code: 'memory-in-use' });
      await expect(check()).rejects.toThrow(`process ${process.pid} has it open`);
    } finally {
      closeSync(fd);
    }
    await check();
  });

  it.each(FORMS)('refuses memory that an earlier guest has left, and leaves it there: %s %s', async (...words) => {
    const check = () => checkMemoryIsFree(parseCommand(['qemu', ...words]));
    writeFileSync(ram, Buffer.concat([Buffer.alloc(1_500_000), Buffer.from('memory')]));
    try {
      await expect(check()).rejects.toMatchObject({ code: 'memory-not-fresh' });
      expect(readFileSync(ram).subarray(-6).toString()).toBe('memory');
    } finally {
      writeFileSync(ram, FRESH);
    }
  });

  it('does not stay behind where the target came to nothing', async () => {
    const program = join(folder, 'fails');
    writeFileSync(program, `#!/bin/sh\nprintf memory >'${ram}'\nexit 1\n`, { mode: 0o755 });
    const host = new QemuHost({ command: parseCommand([program, ...FORMS[0]]) });
    const description = { hypervisor: 'qemu', regions: [] } as unknown as QemuDescription;
    await expect(host.create(description, new Uint8Array())).rejects.toThrow();
    expect(readFileSync(ram).length).toBe(0);
  });

  it('leaves to QEMU what is missing, is no file, or is no JSON', async () => {
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
    await checkMemoryIsFree(parseCommand(['qemu', ...words]));
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
