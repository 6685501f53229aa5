import { resolve } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { recordFolder } from './record-folder.ts';

describe.skipIf(process.platform === 'win32')('recordFolder()', () => {
  it.each([
    ['/state', '/home/me', '/state/savkit/migrations'],
    ['', '/home/me', '/home/me/.local/state/savkit/migrations'],
    ['relative', '/home/me', '/home/me/.local/state/savkit/migrations'],
  ])('goes by XDG_STATE_HOME %j and HOME %j', (state, home, folder) => {
    vi.stubEnv('XDG_STATE_HOME', state);
    vi.stubEnv('HOME', home);
    expect(recordFolder(undefined)).toBe(folder);
  });

  it('says what to do where a user has no home', () => {
    vi.stubEnv('XDG_STATE_HOME', undefined);
    vi.stubEnv('HOME', '');
    expect(() => recordFolder(undefined)).toThrow('set HOME or XDG_STATE_HOME');
    expect(recordFolder('here')).toBe(resolve('here'));
  });
});
