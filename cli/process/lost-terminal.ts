import { isatty } from 'node:tty';
import { removeTemporaryFiles } from '../../formats/files/temporary-files.ts';

/**
 * Lets a process without its terminal die of SIGHUP: at its end, Node would try to reset the terminal, and abort with a
 * core dump of all memory.
 */
export function endWithTerminal(): void {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  process.on('exit', () => {
    if (terminals.every((descriptor) => isatty(descriptor))) return;
    removeTemporaryFiles();
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
    // Processes started by nohup ignore SIGHUP.
    process.kill(process.pid, 'SIGKILL');
  });
}
