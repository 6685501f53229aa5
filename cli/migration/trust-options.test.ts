import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it, vi } from 'vitest';

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

describe('certificates', () => {
  const pem = (name: string) => fileURLToPath(new URL(`../../test-vectors/tls/${name}`, import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'savkit-certificates-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const files = { cert: pem('target.pem'), key: pem('target.key'), ca: pem('authority.pem') };

  it('are taken from files', async () => {
    for (const trust of [
      sourceTrust({ insecure: false, ...files }),
      (await targetTrust({ insecure: false, ...files })).trust,
    ])
      expect(await trust).toMatchObject({ kind: 'certificates' });
  });

  it('that are not in their files are refused at once, by the option and the file', async () => {
    const empty = join(folder, 'empty.pem');
    writeFileSync(empty, '');
    for (const option of ['cert', 'key', 'ca'] as const)
      for (const file of [empty, option === 'key' ? files.cert : files.key])
        await expect(targetTrust({ insecure: false, ...files, [option]: file })).rejects.toMatchObject({
          code: 'bad-certificate',
          message: expect.stringContaining(`Cannot use --${option} ${file}: it holds no `),
        });
  });

  it('that belong to another key are refused at once', async () => {
    await expect(targetTrust({ insecure: false, ...files, key: pem('source.key') })).rejects.toMatchObject({
      code: 'bad-certificate',
      message: expect.stringContaining('source.key'),
    });
  });
});
