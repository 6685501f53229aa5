import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Run {
  exitCode: number | null;
  stdout: Buffer;
  stderr: string;
}

/** The built command line. */
export const MAIN = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../bin/savkit.js' : '../../dist/bin/savkit.js', import.meta.url),
);

/** Runs the built command line, as a shell would. */
export function runSavkit(
  args: readonly string[],
  options: { stdin?: Uint8Array; cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Run> {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: options.cwd, env: { ...process.env, ...options.env } });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on('error', () => {});
  child.stdin.end(options.stdin ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, stdout: Buffer.concat(stdout), stderr }));
  });
}
