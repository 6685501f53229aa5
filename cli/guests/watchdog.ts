import { spawn } from 'node:child_process';

/**
 * Waits for a line. Where the end of its input comes first, the process that it watches is gone: then it has savkit
 * settle what that one has left, again where that was not over yet.
 */
const WATCH =
  'read -r line && exit; folder=$1; shift; for try in 1 2 3; do sleep 0.1; ' +
  'if "$@"; then [ -z "$folder" ] || rm -rf -- "$folder"; exit; fi; sleep 1; done';

/**
 * Looks after a guest that stands still while it is handed over, should this process be killed: a small process beside
 * this one then does what `savkit migrate --resolve` with the record does. It lets the guest go on here, or ends a
 * target that did not get it; where only the other side's record tells who has the guest, it leaves it as it is.
 * @param folder is removed with the record by the watchdog, too: nobody else would do so
 * @returns ends that
 */
export function watchOver(recordPath: string, folder = ''): () => void {
  const savkit = [process.execPath, ...process.execArgv, process.argv[1]];
  const resolve = [...savkit, 'migrate', '--resolve', recordPath, '--quiet'];
  const watchdog = spawn('sh', ['-c', WATCH, 'savkit-watchdog', folder, ...resolve], {
    // Not of this process's group: what ends that must not end the watchdog.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell the guest is looked after by people only.
  watchdog.on('error', () => {});
  watchdog.stdin.on('error', () => {});
  watchdog.unref();
  return () => void watchdog.stdin.end('\n');
}
