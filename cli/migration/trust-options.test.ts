import { describe, expect, it, vi } from 'vitest';
import { isPairingCode } from '../../migrations/trust/code-form.ts';
import { newPairingCode } from '../../migrations/trust/pairing-code.ts';
import { sourceTrust, targetTrust } from './trust-options.ts';

describe('a pairing code', () => {
  it('that is set to nothing counts as missing: the target makes one, the source has to be told one', async () => {
    vi.stubEnv('SAVKIT_PAIRING_CODE', '');
    const { trust, shownCode } = await targetTrust({ insecure: false });
    expect(trust.kind).toBe('code');
    expect(isPairingCode(shownCode ?? '')).toBe(true);
    await expect(sourceTrust({ insecure: false })).rejects.toMatchObject({ code: 'no-password' });
  });

  it('on the command line is refused, and not repeated', async () => {
    const code = newPairingCode();
    for (const codeFile of [code, code.replaceAll('-', ''), code.toUpperCase()]) {
      const error = await targetTrust({ insecure: false, codeFile }).catch((error: Error) => error);
      expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining('--code-file') });
      expect((error as Error).message).not.toContain(code.slice(0, 5));
    }
  });

  it('that is malformed is not repeated either', async () => {
    vi.stubEnv('SAVKIT_PAIRING_CODE', 'secret-but-wrong');
    for (const trust of [targetTrust, sourceTrust]) {
      const error = await trust({ insecure: false }).then(
        () => undefined,
        (error: Error) => error,
      );
      expect(error?.message).toMatch(/expected the 27/);
      expect(error?.message).not.toContain('secret');
    }
  });
});
