import { world } from '../../formats/world/world.ts';

/**
 * Reads lines until the pipe ends. `end`: there is nothing left to watch. If the pipe ends without `end`, savkit is
 * gone: then the process is killed, unless the last line was `keep`; once it has ended, its folder is removed. The
 * process is recognised by the folder in its command line, since another one may have its number by then.
 */
const WATCH =
  'kept=; while read -r line; do kept=$line; done; [ "$kept" = end ] && exit; ' +
  'is_there() { kill -0 "$2" 2>/dev/null && ' +
  '{ [ ! -e /proc/self/cmdline ] || grep -qsF -e "$1/" "/proc/$2/cmdline"; }; }; ' +
  'is_there "$@" && [ -z "$kept" ] && kill -9 "$2"; ' +
  'while is_there "$@"; do sleep 1; done; rm -rf -- "$1"';

/** Whether a child process outlives this one when this one is killed. */
export interface EndWithUs {
  /** To be called when the child has to go on, as its machine is in no file. */
  keep(): void;
  /** To be called when the child has ended. */
  release(): void;
}

/** Has another process ended if this one is killed, and the folder removed that its command line names. */
export function endWithUs(pid: number, folder: string): EndWithUs {
  // The child could not be started.
  if (pid === 0) return { keep: () => {}, release: () => {} };
  const watchdog = world.programs.start('sh', ['-c', WATCH, 'savkit-watchdog', folder, String(pid)], {
    // The watchdog has a process group of its own, so that a signal to the group of this process does not end it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell there is no watchdog.
  watchdog.on('error', () => {});
  watchdog.stdin?.on('error', () => {});
  watchdog.unref();
  return {
    keep: () => void watchdog.stdin?.write('keep\n'),
    release: () => void watchdog.stdin?.end('end\n'),
  };
}
