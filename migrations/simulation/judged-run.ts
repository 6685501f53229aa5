import { enterWorld, REAL_WORLD } from '../../formats/world/world.ts';

/** Runs in a simulated world, and returns to the real one. Uncaught errors are faults. */
export async function judgedRun<T>(faults: string[], run: () => Promise<T>): Promise<T> {
  const unhandled = (error: unknown) => void faults.push(`nobody takes: ${(error as Error)?.stack ?? error}`);
  process.on('unhandledRejection', unhandled);
  try {
    return await run();
  } finally {
    enterWorld(REAL_WORLD);
    process.off('unhandledRejection', unhandled);
  }
}
