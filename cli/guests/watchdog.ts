import { spawn } from 'node:child_process';

/**
 * Waits for a line. If the input ends first, the watched process is gone; then savkit settles its migration, with up to
 * three tries.
 */
const WATCH =
  'read -r line && exit; folder=$1; shift; for try in 1 2 3; do sleep 0.1; ' +
  'if "$@"; then [ -z "$folder" ] || rm -rf -- "$folder"; exit; fi; sleep 1; done';

/**
 * Protects a guest that stands still during its hand-over, in case this process is killed: a small process beside this
 * one then runs `savkit migrate --resolve` with the record. The guest then goes on here, or a target that did not get
 * it is ended; if only the other side's record can tell which side has the guest, nothing is done.
 * @param folder folder that the watchdog removes with the record, as no other process would
 * @returns a function that ends the watchdog
 */
export function watchOver(recordPath: string, folder = ''): () => void {
  const savkit = [process.execPath, ...process.execArgv, process.argv[1]];
  const resolve = [...savkit, 'migrate', '--resolve', recordPath, '--quiet'];
  const watchdog = spawn('sh', ['-c', WATCH, 'savkit-watchdog', folder, ...resolve], {
    // In a process group of its own, so that a signal to this one does not end the watchdog.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell there is no watchdog.
  watchdog.on('error', () => {});
  watchdog.stdin.on('error', () => {});
  watchdog.unref();
  return () => void watchdog.stdin.end('\n');
}
