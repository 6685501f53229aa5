import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Argv } from 'yargs';
import { UsageError } from '../../formats/errors.ts';
import { SECRET_VARIABLES } from '../../formats/world/secret-variables.ts';
import { isPairingCode } from '../../migrations/trust/code-form.ts';
import { keyOfCode, newPairingCode } from '../../migrations/trust/pairing-code.ts';
import type { Trust } from '../../migrations/trust/trust.ts';
import { readSmallFile } from '../io/input.ts';
import { readPassword } from '../io/password.ts';
import type { OptionsOf } from '../parsing/options-of.ts';
import { line, NO_TEXT } from '../terminal/terminal-text.ts';

const PEM_LIMIT = 1 << 20;

export function withTrustOptions<T>(argv: Argv<T>) {
  return argv
    .option('code-file', {
      type: 'string',
      requiresArg: true,
      describe:
        `File with the pairing code; else ${SECRET_VARIABLES.pairingCode}, else the target shows a new one, and the ` +
        'source asks for it',
    })
    .option('cert', {
      type: 'string',
      requiresArg: true,
      describe: 'In place of a code: certificate of this side, PEM',
    })
    .option('key', { type: 'string', requiresArg: true, describe: 'Private key of --cert, PEM' })
    .option('ca', {
      type: 'string',
      requiresArg: true,
      describe: "Certificate of the authority that has signed the other side's certificate, PEM",
    })
    .option('insecure', {
      type: 'boolean',
      default: false,
      describe: 'No encryption, and anybody may connect',
    });
}

export type TrustOptions = OptionsOf<typeof withTrustOptions> & {
  /** For sources: name in the target's certificate. */
  peerName?: string;
};

/** Relays have keys of their own. */
type MachineTrust = Exclude<Trust, { kind: 'relay-key' }>;

/** The source's means of authentication. @throws UsageError for options that don't go together */
export async function sourceTrust(options: TrustOptions): Promise<MachineTrust> {
  return (await sourceTrustAndCode(options)).trust;
}

/**
 * The source's means of authentication, and the pairing code, if one is used: from a file, from the environment, or
 * from the user.
 */
export async function sourceTrustAndCode(
  options: TrustOptions,
): Promise<{ trust: MachineTrust; code: string | undefined }> {
  const other = await withoutCode(options);
  if (other) return { trust: other, code: undefined };
  const question = line`Pairing code, as the target shows it: `;
  const code = await readPassword(options.codeFile, SECRET_VARIABLES.pairingCode, question, '--code-file');
  return { trust: { kind: 'code', key: keyOfCode(code) }, code };
}

/** The target's means of authentication; with a new code to show unless one is given. */
export async function targetTrust(
  options: TrustOptions,
): Promise<{ trust: MachineTrust; shownCode: string | undefined }> {
  const other = await withoutCode(options);
  if (other) return { trust: other, shownCode: undefined };
  const isGiven = options.codeFile !== undefined || Boolean(process.env[SECRET_VARIABLES.pairingCode]);
  const code = isGiven ? await readPassword(options.codeFile, SECRET_VARIABLES.pairingCode, NO_TEXT) : newPairingCode();
  return { trust: { kind: 'code', key: keyOfCode(code) }, shownCode: isGiven ? undefined : code };
}

async function withoutCode({
  cert,
  key,
  ca,
  peerName,
  insecure,
  codeFile,
}: TrustOptions): Promise<Exclude<MachineTrust, { kind: 'code' }> | undefined> {
  if (codeFile !== undefined && isPairingCode(codeFile))
    throw new UsageError(
      'usage',
      'Cannot use --code-file: its value is a code itself, and other users can read command lines; put it into a ' +
        `file, or into ${SECRET_VARIABLES.pairingCode}`,
    );
  const files = [cert, key, ca];
  const some = files.some((file) => file !== undefined);
  if (insecure && (some || codeFile !== undefined))
    throw new UsageError('usage', 'Cannot use --insecure together with a code or certificates');
  if (insecure) return { kind: 'insecure' };
  if (!some) return undefined;
  if (cert === undefined || key === undefined || ca === undefined)
    throw new UsageError('usage', 'Cannot use certificates: --cert, --key and --ca go together');
  const [certificate, privateKey, authority] = await Promise.all(
    [cert, key, ca].map(async (file) => Buffer.from(await readSmallFile(file, PEM_LIMIT)).toString()),
  );
  expectPem('--cert', cert, 'certificate', () => new X509Certificate(certificate));
  expectPem('--key', key, 'private key', () => createPrivateKey(privateKey));
  // Node takes an empty authority for none, and then trusts the public ones.
  expectPem('--ca', ca, 'certificate', () => new X509Certificate(authority));
  try {
    createSecureContext({ cert: certificate, key: privateKey, ca: authority });
  } catch (error) {
    throw new UsageError('bad-certificate', `Cannot use ${cert} with ${key} and ${ca}: ${(error as Error).message}`);
  }
  return {
    kind: 'certificates',
    certificate,
    key: privateKey,
    authority,
    peerName,
  };
}

function expectPem(option: string, file: string, content: string, read: () => unknown): void {
  try {
    read();
  } catch (error) {
    const why = `it holds no ${content} that can be read (${(error as Error).message})`;
    throw new UsageError('bad-certificate', `Cannot use ${option} ${file}: ${why}`);
  }
}
