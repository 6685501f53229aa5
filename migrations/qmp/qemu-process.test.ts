import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EnvironmentError } from '../../formats/errors.ts';
import { type QemuOutput, QemuProcess } from './qemu-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-qemu-process-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SAY = `process.stderr.write('qemu-system-x86_64: warning: dull\\nqemu-system-x86_64: no such machine\\nqemu-system-x86_64: -M: bye\\n'); `;
let count = 0;
function start(program: string, script: string, output: QemuOutput): QemuProcess {
  return QemuProcess.start(program, ['-e', script], join(folder, `${count++}.qmp`), output);
}

describe('a QEMU that is started', () => {
  it.each([
    ['heard', {}],
    ['written to a file', { logPath: join(folder, 'log') }],
  ])('and ends at once is told of in its last words, which are %s', async (_, output) => {
    const qemu = start(process.execPath, `${SAY}process.exit(3)`, output);
    await expect(qemu.connect()).rejects.toMatchObject({
      code: 'qemu-ended',
      message: 'QEMU has ended (exit code 3): no such machine; -M: bye',
    });
    expect([qemu.isOver, await qemu.hasEnded()]).toEqual([true, true]);
    expect(await qemu.ended).toMatchObject({ code: 'qemu-ended' });
    qemu.kill();
  });

  it('from a program that is missing is not told as one that has ended', async () => {
    await expect(start(join(folder, 'none'), '', {}).connect()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is not started where its log cannot be made', () => {
    const error = `Cannot make ${join(folder, 'none', 'log')}: no such file or directory`;
    expect(() => start(process.execPath, '', { logPath: join(folder, 'none', 'log') })).toThrow(error);
    expect(() => start(process.execPath, '', { logPath: join(folder, 'none', 'log') })).toThrow(EnvironmentError);
  });

  it('is waited for until its signal is aborted', async () => {
    const heard: string[] = [];
    const abort = new AbortController();
    const qemu = start(process.execPath, `${SAY}setInterval(() => {}, 1000)`, {
      onWords: (words) => {
        heard.push(words);
        abort.abort();
      },
    });
    await expect(qemu.connect(abort.signal)).rejects.toMatchObject({ code: 'interrupted' });
    expect(heard.join('')).toContain('no such machine');
    expect(await qemu.hasEnded(1)).toBe(false);
    qemu.kill();
    expect(await qemu.ended).toMatchObject({ message: expect.stringContaining('SIGKILL') });
  });
});
