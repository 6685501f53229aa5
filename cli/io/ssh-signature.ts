import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whenAborted } from '../../formats/aborting.ts';
import { EnvironmentError, FormatError, InterruptedError } from '../../formats/errors.ts';
import { spawnOther } from '../../formats/world/programs.ts';
import { stop } from './stop.ts';

// Signatures of OpenSSH (PROTOCOL.sshsig), since people have such keys, in files, agents and on tokens, and know how to
// guard them.

/** Namespace of savkit's signatures: ssh-keygen refuses signatures of other namespaces. */
const NAMESPACE = 'savkit-manifest';
const OUTPUT_LIMIT = 65_536;

/** Path of the signature of a file. */
export function signatureOf(path: string): string {
  return `${path}.sig`;
}

/** Signs bytes with a key, or by the agent where the file holds a public key. @throws EnvironmentError `ssh-keygen` */
export async function signWithSsh(bytes: Uint8Array, key: string): Promise<Uint8Array> {
  const { output, exitCode, said } = await keygen(['-Y', 'sign', '-n', NAMESPACE, '-f', key], bytes);
  if (exitCode === 0 && output.length > 0) return output;
  throw new EnvironmentError('ssh-keygen', `Cannot sign with ${key}: ${said || `ssh-keygen ends with ${exitCode}`}`);
}

/**
 * The signer of bytes, out of a file of allowed signers (see ssh-keygen, ALLOWED SIGNERS).
 * @throws FormatError `bad-signature` if none of them has signed the bytes; EnvironmentError
 */
export async function signerOf(
  bytes: Uint8Array,
  signature: Uint8Array,
  signers: string,
  name: string,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'savkit-signature-'));
  try {
    const file = join(folder, 'signature');
    await writeFile(file, signature);
    const found = await keygen(['-Y', 'find-principals', '-s', file, '-f', signers], new Uint8Array(0));
    const [signer = ''] = found.output.toString().split('\n');
    const verified =
      signer !== '' &&
      (await keygen(['-Y', 'verify', '-n', NAMESPACE, '-s', file, '-f', signers, '-I', signer], bytes));
    if (verified && verified.exitCode === 0) return signer;
    const why = verified ? verified.said || 'it is of other bytes' : 'it is of nobody who may sign';
    throw new FormatError('bad-signature', `Cannot trust ${name}: its signature does not hold: ${why}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Said {
  output: Buffer;
  exitCode: number | null;
  /** The last line that it has written to stderr. */
  said: string;
}

function keygen(words: readonly string[], input: Uint8Array): Promise<Said> {
  return new Promise((resolve, reject) => {
    const child = spawnOther('ssh-keygen', words, { stdio: 'pipe' });
    let [output, said] = [Buffer.alloc(0), ''];
    child.stdout.on('data', (piece: Buffer) => {
      if (output.length < OUTPUT_LIMIT) output = Buffer.concat([output, piece]);
    });
    child.stderr.on('data', (piece: Buffer) => {
      said = `${said}${piece}`.slice(-OUTPUT_LIMIT);
    });
    child.stdin.on('error', () => {});
    // ssh-keygen may wait for an agent, or a token, that does not answer.
    const forget = whenAborted(stop.signal, () => child.kill('SIGKILL'));
    child.on('error', (error) => reject(EnvironmentError.from(error, 'run ssh-keygen')));
    child.on('close', (exitCode) => {
      forget();
      if (stop.signal.aborted) reject(new InterruptedError());
      resolve({ output, exitCode, said: said.trim().split('\n').at(-1) ?? '' });
    });
    child.stdin.end(input);
  });
}
