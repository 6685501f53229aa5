import type { Mutation } from '../mutations.ts';

const TARGET_CUSTODY = 'arrival/target-custody.js';
const QEMU_SOURCE = 'guests/qemu-source.js';
const DISK_MIRROR = 'guests/disk-mirror.js';
const BORROWED_SETTINGS = 'qmp/borrowed-settings.js';

/** Faults of guests of QEMU that move that the simulator has to find. */
export const GUEST_MUTATIONS: readonly Mutation[] = [
  {
    name: 'a guest that somebody else has let run is handed over',
    file: QEMU_SOURCE,
    from: 'if (!this.#run.isStarted(await statusOf(this.#qmp)))',
    to: 'if (true)',
  },
  {
    name: 'savkit does not wait until the guest has stopped',
    file: QEMU_SOURCE,
    from: "() => this.#qmp.execute('stop')",
    to: "async () => void this.#qmp.execute('stop')",
  },
  {
    name: 'a guest that was paused is let run',
    file: QEMU_SOURCE,
    from: 'if (this.#run.wasPaused)\n            return;',
    to: '\n',
  },
  {
    name: 'the QEMU of a guest that has left is not ended',
    file: QEMU_SOURCE,
    from: "await this.#qmp.execute('quit').catch(() => { });",
    to: ';',
  },
  {
    name: 'a page that the kernel has noted is left out',
    file: 'guests/memory/write-watch.js',
    from: 'page < Math.min(first + count,',
    to: 'page < Math.min(first + count - (count > 1 ? 1 : 0),',
  },
  {
    name: 'memory is not compared where the kernel ceases to note writes',
    file: 'guests/written-pages.js',
    from: 'this.#options.onWatchLost?.(error);\n        }\n        //',
    to: 'return;\n        }\n        //',
  },
  {
    name: 'after an error of the kernel only the pages noted before are sent',
    file: 'guests/memory/write-watch.js',
    from: 'if (count === 0)\n                        return;',
    to: 'return;',
  },
  {
    name: 'memory that QEMU hands out is not taken out',
    file: 'guests/device-save.js',
    from: '...(size > 0 ? stripped : {})',
    to: '...{}',
  },
  {
    name: 'a save of devices that is under way is not cancelled',
    file: 'guests/device-save.js',
    from: 'await cancelSave(qmp).catch(() => { });',
    to: ';',
  },
  {
    name: 'savkit does not wait for the end of the copies of disks',
    file: QEMU_SOURCE,
    from: 'await this.#mirror?.finish();',
    to: ';',
  },
  {
    name: 'copies of disks stay where a guest does',
    file: QEMU_SOURCE,
    from: 'await mirror?.abandon();',
    to: ';',
  },
  {
    name: 'a disk is open to others while its guest runs',
    file: 'guests/qemu-target.js',
    from: 'await this.#disks.close();',
    to: ';',
  },
  {
    name: 'the settings of a QEMU are not put back',
    file: BORROWED_SETTINGS,
    from: 'if (former)',
    to: 'if (false)',
  },
  {
    name: 'the settings of a QEMU are put back at once or never',
    file: BORROWED_SETTINGS,
    from: 'if (await isOver())',
    to: 'if (true)',
  },
  {
    name: 'nobody is told of settings of a QEMU that stay changed',
    file: BORROWED_SETTINGS,
    from: 'this.#onLeft?.(ownError(error));',
    to: ';',
  },
  {
    name: 'the settings of a QEMU that has taken its guest are not put back',
    file: 'guests/qemu-target.js',
    from: 'this.#isPutBack = this.#borrowed.putBackAtLast(',
    to: 'void (',
  },
  {
    name: 'devices that were saved before are not found again',
    file: QEMU_SOURCE,
    from: 'if (status === HAS_SAVED)',
    to: 'if (false)',
  },
  {
    name: 'a page that a guest has written is not found',
    file: 'guests/memory/scan-chunks.js',
    from: 'found[page >>> 5] |= 1 << (page & 31);',
    to: 'if (page % 7 !== 3)\n                found[page >>> 5] |= 1 << (page & 31);',
  },
  {
    name: 'a QEMU that no record names outlives savkit',
    file: 'guests/qemu-host.js',
    from: 'guard = endWithUs(process.pid, folder);',
    to: ';',
  },
  {
    name: 'a QEMU is not ended where its guest does not arrive',
    file: 'guests/qemu-target.js',
    from: 'this.process.kill();',
    to: ';',
  },
  {
    name: "a QEMU whose guest is the other side's is not ended",
    file: 'guests/settle/settle-guest.js',
    from: 'if (!isSurvivor)',
    to: 'if (false)',
  },
  {
    name: 'a guest that did not start is not started again',
    file: TARGET_CUSTODY,
    from: 'this.#launchLater(arrival, machine);',
    to: ';',
  },
  {
    name: 'devices are sent to a QEMU that has loaded some',
    file: TARGET_CUSTODY,
    from: 'arrival.machine?.arriveAgain?.();',
    to: ';',
  },
  {
    name: 'all disks are copied to the first one',
    file: DISK_MIRROR,
    from: 'export: exportOf(i),',
    to: 'export: exportOf(0),',
  },
  {
    name: 'copies of disks that do not end keep their guest waiting',
    firstSeed: 2_013_003,
    file: DISK_MIRROR,
    from: 'for (const socket of this.#sockets)\n                socket.destroy();',
    to: ';',
  },
  {
    name: 'a disk whose connection breaks as it is opened is the reason to stay',
    file: DISK_MIRROR,
    from: 'this.#check();\n                throw error;',
    to: 'throw error;',
  },
  {
    name: 'copies that a killed savkit has left stay',
    firstSeed: 2952,
    file: DISK_MIRROR,
    from: 'await this.#removeCopies();\n        this.#errors.clear();',
    to: 'this.#errors.clear();',
  },
  {
    name: 'only the first of several copies of disks is ended',
    file: DISK_MIRROR,
    from: "await this.#qmp.execute('block-job-cancel', { device });",
    to: "await this.#qmp.execute('block-job-cancel', { device });\n            break;",
  },
  {
    name: 'the record of an older migration settles a guest that moves again',
    file: 'guests/settle/settle-guest.js',
    from: 'return open && {',
    to: 'return undefined && {',
  },
  {
    name: 'a save is cancelled that QEMU 7.2 does not begin again',
    firstSeed: 110_318,
    file: 'guests/device-saves.js',
    from: 'if (isLost)',
    to: 'if (false)',
  },
  {
    name: 'settings that QEMU refuses lose the mark by which they are known',
    firstSeed: 10_341,
    file: 'qmp/migration-settings.js',
    from: 'await putBack(qmp, former);\n        return undefined;',
    to: 'await putBack(qmp, former).catch(() => setLimits(qmp, former));\n        return undefined;',
  },
  {
    name: 'an earlier migration is not settled before the next one',
    file: 'guests/settle/settle-earlier.js',
    from: 'for (const earlier of open)',
    to: 'for (const earlier of [])',
  },
  {
    name: 'other records are not looked at again once QEMU is reached',
    file: 'guests/settle/settle-guest.js',
    from: 'const open = await isOpen();',
    to: 'const open = undefined;',
  },
  {
    name: 'a decision that was not carried out is passed over',
    file: 'guests/settle/settle-earlier.js',
    from: 'const why = isUndone ?',
    to: 'const why = false ?',
  },
];
