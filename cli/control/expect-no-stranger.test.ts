import { chmodSync, chownSync, lchownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { runHere } from '../testing/run-here.ts';
import { askMachine } from './control-client.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-stranger-'));
const [open, closed] = [join(folder, 'open'), join(folder, 'closed')];
const STRANGER = 12_345;
const isRoot = process.getuid?.() === 0;
const never = new AbortController().signal;

/** Makes a file one of another user, as far as this user can. */
function giveAway(path: string, chown = chownSync): void {
  if (isRoot) chown(path, STRANGER, STRANGER);
  else vi.spyOn(process, 'getuid').mockReturnValue(STRANGER);
}

/** A socket in a folder, and all that it hears. */
async function listener(path: string): Promise<() => string> {
  let heard = '';
  const server = createServer((socket) =>
    socket.on('data', (data) => {
      heard += data;
      socket.end();
    }),
  );
  await new Promise<void>((resolve) => server.listen(path, resolve));
  server.unref();
  return () => heard;
}

const ask = (path: string) => askMachine(path, { command: 'status' }, () => {}, never);

describe.skipIf(process.platform === 'win32')('a control socket where everybody can make files', () => {
  beforeAll(() => {
    mkdirSync(open);
    mkdirSync(closed);
    chmodSync(folder, 0o755);
    chmodSync(open, 0o1777);
  });
  afterEach(() => vi.restoreAllMocks());
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('gets no request if it is another user’s', async () => {
    const path = join(open, 'vm.sock');
    const heard = await listener(path);
    giveAway(path);
    await expect(ask(path)).rejects.toMatchObject({ code: 'other-user', message: expect.stringContaining(path) });
    const to = ['--to', 'localhost:1', '--insecure', '--records', join(folder, 'records')];
    for (const words of [
      ['drain', open, ...to],
      ['migrate', path, ...to],
      ['top', path],
    ])
      expect(JSON.stringify(await runHere(...words)), words[0]).toContain('another user');
    expect(heard()).toBe('');
  });

  it('gets requests if it is one’s own', async () => {
    const path = join(open, 'own.sock');
    const heard = await listener(path);
    await expect(ask(path)).rejects.toMatchObject({ code: 'truncated' });
    expect(heard()).toContain('status');
  });

  it('gets no request by a link or a folder that is another user’s', async () => {
    const path = join(closed, 'far.sock');
    const heard = await listener(path);
    for (const [name, make] of [
      ['link', (to: string) => symlinkSync(path, to)],
      ['folder', (to: string) => symlinkSync(closed, to)],
    ] as const) {
      const link = join(open, name);
      make(link);
      const named = name === 'link' ? link : join(link, 'far.sock');
      await expect(ask(named)).rejects.toMatchObject({ code: 'truncated' });
      giveAway(link, lchownSync);
      await expect(ask(named)).rejects.toMatchObject({ code: 'other-user' });
      vi.restoreAllMocks();
    }
    // A link of one's own that leads by another user's one.
    if (isRoot) {
      symlinkSync('open/folder', join(folder, 'mine'));
      await expect(ask(join(folder, 'mine', 'far.sock'))).rejects.toMatchObject({ code: 'other-user' });
    }
    expect(heard().match(/status/g)).toHaveLength(2);
  });

  it.runIf(isRoot)('is no such socket in a folder of another user that is not open to all', async () => {
    const path = join(closed, 'theirs.sock');
    await listener(path);
    giveAway(path);
    giveAway(closed);
    await expect(ask(path)).rejects.toMatchObject({ code: 'truncated' });
  });
});
