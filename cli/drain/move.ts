import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { whenAborted } from '../io/stop.ts';
import { SAVKIT } from '../process/own-program.ts';

/** What `savkit migrate`, as a process of its own, has said of one machine. */
export interface MoveResult {
  /** null: it was killed. */
  exitCode: number | null;
  outcome: 'handed-over' | 'kept' | 'undecided' | undefined;
  code: string | undefined;
  message: string;
  downtimeMs: number | undefined;
  bytes: number | undefined;
}

type Loose = Record<string, unknown>;

/**
 * Moves a machine by `savkit migrate`. The process outlives this one, should that be killed: records tell what became
 * of it.
 * @param words of its command line, after `migrate`
 * @param env variables beside those of this process
 * @param onEvent called for each event but the last
 * @param signal cancels the migration
 */
export async function move(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  onEvent: (event: Loose) => void,
  signal: AbortSignal,
): Promise<MoveResult> {
  const { exitCode, result, error } = await runMigrate(words, env, onEvent, signal);
  const silent = `its process has ended without a word (${exitCode === null ? 'killed' : `exit code ${exitCode}`})`;
  return {
    exitCode,
    outcome: result?.outcome as MoveResult['outcome'],
    code: (result?.code ?? error?.code ?? undefined) as string | undefined,
    message: String(result?.because ?? error?.message ?? silent),
    downtimeMs: result?.downtimeMs as number | undefined,
    bytes: result?.bytes as number | undefined,
  };
}

/** How the migration of a machine would go. */
export interface Forecast {
  /** It would come to an end. */
  isPossible: boolean;
  /** One line for people. */
  because: string;
  totalMs: number | null;
  downtimeMs: number | null;
}

/** Has `savkit migrate --dry-run` look at a machine, which runs on. */
export async function foretell(machine: string, words: readonly string[], signal: AbortSignal): Promise<Forecast> {
  const { exitCode, result, error } = await runMigrate([machine, '--dry-run', ...words], {}, () => {}, signal);
  // Of a guest of QEMU the forecast stands beside what is in the way.
  const told = ((result?.forecast ?? result) as Loose | undefined) ?? {};
  const inTheWay = ((result?.hindrances ?? []) as Loose[]).filter(({ isFatal }) => isFatal);
  const because = [...inTheWay.map(({ message }) => message), error?.message ?? told.because ?? ''].join('; ');
  return {
    isPossible: exitCode === 0,
    because: because.replace(/; $/, ''),
    totalMs: (told.totalMs as number | undefined) ?? null,
    downtimeMs: (told.downtimeMs as number | undefined) ?? null,
  };
}

async function runMigrate(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  onEvent: (event: Loose) => void,
  signal: AbortSignal,
): Promise<{ exitCode: number | null; result: Loose | undefined; error: Loose | undefined }> {
  const child = spawn(process.execPath, [fileURLToPath(SAVKIT), 'migrate', ...words, '--ndjson'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
    // Ctrl-C on this process's terminal is for this process to pass on.
    detached: true,
  });
  const forget = whenAborted(signal, () => void child.kill('SIGINT'));
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', resolve);
    child.once('error', () => resolve(null));
  });
  let end: Loose = {};
  for await (const text of createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
    const event = eventOf(text);
    if (event.event === 'end') end = event;
    else onEvent(event);
  }
  const exitCode = await ended;
  forget();
  const [file] = (end.files ?? []) as Loose[];
  return {
    exitCode,
    result: (file?.result ?? undefined) as Loose | undefined,
    error: (file?.error ?? end.error ?? undefined) as Loose | undefined,
  };
}

/** The other process may have been killed in the midst of a line. */
function eventOf(text: string): Loose {
  try {
    return JSON.parse(text) as Loose;
  } catch {
    return {};
  }
}
