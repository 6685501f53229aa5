import { type OwnEvent, runOwnProcess } from '../process/own-process.ts';

/** Result of `savkit migrate`, run as a process of its own for one machine. */
export interface MoveResult {
  /** null for a process that was killed. */
  exitCode: number | null;
  outcome: 'handed-over' | 'kept' | 'undecided' | undefined;
  code: string | undefined;
  message: string;
  downtimeMs: number | undefined;
}

/**
 * Moves a machine by `savkit migrate`. That process goes on if this process is killed: then records tell its
 * result.
 * @param words words of the command line after `migrate`
 * @param env variables beside those of this process
 * @param onEvent called for each event but the last
 * @param signal cancels the migration
 */
export async function move(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  onEvent: (event: OwnEvent) => void,
  signal: AbortSignal,
): Promise<MoveResult> {
  const { exitCode, result, error } = await runMigrate(words, env, onEvent, signal);
  const silent = `its process has ended without a result (${exitCode === null ? 'killed' : `exit code ${exitCode}`})`;
  return {
    exitCode,
    outcome: result?.outcome as MoveResult['outcome'],
    code: (result?.code ?? error?.code ?? undefined) as string | undefined,
    message: String(result?.because ?? error?.message ?? silent),
    downtimeMs: result?.downtimeMs as number | undefined,
  };
}

/** Forecast of the migration of a machine. */
export interface MoveForecast {
  /** Whether the migration would end. */
  isPossible: boolean;
  /** One line for people. */
  because: string;
  totalMs: number | null;
  downtimeMs: number | null;
}

/** Asks `savkit migrate --dry-run` for a forecast; the machine runs on. */
export async function foretell(machine: string, words: readonly string[], signal: AbortSignal): Promise<MoveForecast> {
  const { exitCode, result, error } = await runMigrate([machine, '--dry-run', ...words], {}, () => {}, signal);
  // A guest of QEMU has the forecast beside the hindrances.
  const told = ((result?.forecast ?? result) as OwnEvent | undefined) ?? {};
  const inTheWay = ((result?.hindrances ?? []) as OwnEvent[]).filter(({ isFatal }) => isFatal);
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
  onEvent: (event: OwnEvent) => void,
  signal: AbortSignal,
): Promise<{ exitCode: number | null; result: OwnEvent | undefined; error: OwnEvent | undefined }> {
  let end: OwnEvent = {};
  const take = (event: OwnEvent) => {
    if (event.event === 'end') end = event;
    else onEvent(event);
  };
  const exitCode = await runOwnProcess(['migrate', ...words], { env, signal, onEvent: take });
  const [file] = (end.files ?? []) as OwnEvent[];
  return {
    exitCode,
    result: (file?.result ?? undefined) as OwnEvent | undefined,
    error: (file?.error ?? end.error ?? undefined) as OwnEvent | undefined,
  };
}
