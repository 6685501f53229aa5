import { isatty } from 'node:tty';
import { removeTemporaryFiles } from '../../formats/files/temporary-files.ts';

/**
 * Has a process whose terminal is gone die of SIGHUP, as others do: at its end Node wants to reset the terminal, and
 * aborts where it can't, with all memory in a core dump.
 */
export function endWithTerminal(): void {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  process.on('exit', () => {
    if (terminals.every((descriptor) => isatty(descriptor))) return;
    removeTemporaryFiles();
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
    // Those that nohup has started do not hear it.
    process.kill(process.pid, 'SIGKILL');
  });
}
