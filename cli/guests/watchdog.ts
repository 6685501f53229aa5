import { spawnOther } from '../../formats/world/programs.ts';
import { removeFolder } from '../../migrations/guests/memory/private-folder.ts';
import type { QemuSource } from '../../migrations/guests/qemu-source.ts';
import { isOfLibvirt, LIBVIRT_SCHEME } from '../../migrations/guests/reach-guest.ts';

/**
 * Script of the watchdog, which waits for a line. If the input ends first, the watched process is gone, or has left its
 * guest standing: then savkit tries to settle the guest again and again, since QEMU may hang, until the guest's record
 * is gone.
 */
const WATCH =
  'read -r line && exit; folder=$1; record=$2; shift 2; try=0; wait=0.1; while [ $try -lt 63 ] && [ -e "$record" ]; ' +
  'do sleep $wait; if "$@"; then [ -z "$folder" ] || rm -rf -- "$folder"; exit; fi; ' +
  'try=$((try + 1)); [ $try -lt 3 ] && wait=1 || wait=10; done';

/** Shortest time for which the watchdog tries to settle a guest: 60 tries, 10 seconds apart. */
export const WATCHED_MINUTES = 10;

/**
 * Protects a guest that stands still during its hand-over, in case this process is killed: a small process beside this
 * one then runs `savkit migrate --resolve` with the record. The guest then goes on here, or a target that did not get
 * it is ended; if only the other side's record can tell which side has the guest, nothing is done.
 * @param folder folder that the watchdog removes with the record, as no other process would
 * @returns a function that ends the watchdog; without it the watchdog acts at the end of this process
 */
export function watchOver(recordPath: string, folder = ''): () => void {
  const savkit = [process.execPath, ...process.execArgv, process.argv[1]];
  const resolve = [...savkit, 'migrate', '--resolve', recordPath, '--quiet'];
  const watchdog = spawnOther('sh', ['-c', WATCH, 'savkit-watchdog', folder, recordPath, ...resolve], {
    // The watchdog gets a process group of its own, so that a signal to this group does not end it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell there is no watchdog.
  watchdog.on('error', () => {});
  watchdog.stdin.on('error', () => {});
  watchdog.unref();
  return () => void watchdog.stdin.end('\n');
}

/**
 * Does work that stops a guest for a while, under a watchdog. The watchdog ends with the work, unless the guest may
 * still stand then, whether or not the work has failed.
 * @param work gets the start of the watchdog, whose parameters are those of `watchOver`
 */
export async function whileWatched<T>(
  source: Pick<QemuSource, 'mayStand'>,
  work: (watch: (recordPath: string, folder?: string) => void) => Promise<T>,
  start: typeof watchOver = watchOver,
): Promise<T> {
  const ends: (() => void)[] = [];
  try {
    return await work((recordPath, folder = '') => {
      const unwatch = start(recordPath, folder);
      ends.push(() => {
        unwatch();
        if (folder !== '') removeFolder(folder);
      });
    });
  } finally {
    if (!(await source.mayStand())) for (const end of ends) end();
  }
}

/** One line for people about a guest that QEMU has not let run again. @param address as of `reachGuest` */
export function standsText(address: string): string {
  const command = isOfLibvirt(address) ? `virsh resume ${address.slice(LIBVIRT_SCHEME.length)}` : 'QMP cont';
  return (
    `the guest may stand still: from the end of this process on, savkit tries for ${WATCHED_MINUTES} minutes to let ` +
    `it run; by hand ${command} does so`
  );
}
