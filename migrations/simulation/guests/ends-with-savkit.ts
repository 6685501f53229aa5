import type { ProgramInput } from '../world/host-programs.ts';
import type { SimulatedProcess } from '../world/simulated-process.ts';

/** Time after which the shell has noticed that its input is over. */
const NOTICES_MS = 20;

/**
 * Runs the shell that `endWithUs` starts: unless it was told `end` or `keep`, the shell kills a process once savkit is
 * gone, and removes the folder of that process.
 */
export function endsWithSavkit(process: SimulatedProcess, words: readonly string[], input: ProgramInput): void {
  const [folder, pid] = words.slice(-2);
  const { host } = process;
  let told = '';
  input.onPiece = (piece) => {
    if (piece !== undefined) {
      told = piece.trim();
      return;
    }
    input.onPiece = undefined;
    host.around.timeline.add(NOTICES_MS, process, () => {
      const watched = host.running.get(Number(pid));
      const isThere = watched?.words.some((word) => word.includes(`${folder}/`));
      if (told === '' && isThere) watched?.end('killed');
      if (told === '') host.files.removeFolder(folder);
      process.end('killed');
    });
  };
}
