import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { settleNow } from './settle-now.ts';

/** The answer of `check`, called by the event loop itself. */
function outside<T>(check: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(check());
      } catch (error) {
        reject(error);
      }
    });
  });
}

describe('settleNow', () => {
  it('has called all that a promise waits for when it returns', async () => {
    const read: unknown[] = [];
    await outside(() => {
      settleNow(async () => {
        await undefined;
        for await (const chunk of Readable.from(['a', 'b'])) read.push(chunk);
      });
      read.push('back');
    });
    expect(read).toEqual(['a', 'b', 'back']);
  });

  it('throws as the work does, at once or later', async () => {
    const now = () => {
      throw new Error('now');
    };
    await expect(outside(() => settleNow(now))).rejects.toThrow('now');
    await expect(outside(() => settleNow(async () => now()))).rejects.toThrow('now');
  });

  it('does not wait for the event loop', async () => {
    const never = () => new Promise((resolve) => setImmediate(resolve));
    await expect(outside(() => settleNow(never))).rejects.toThrow('waits for the event loop');
  });
});
