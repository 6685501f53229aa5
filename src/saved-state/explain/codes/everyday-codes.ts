import type { CodeRow } from './kinds.ts';

/**
 * Codes that logs of healthy machines contain, too: they count as failures only in a line about loading or saving that
 * failed.
 */
export const EVERYDAY_CODES: readonly CodeRow[] = [
  ['VERR_FILE_NOT_FOUND', -102, 'file-missing', 'there is no file of that name'],
  ['VERR_PATH_NOT_FOUND', -103, 'file-missing', 'a folder on the way to the file is missing'],
  ['VERR_NO_MEMORY', -8, 'host-trouble', 'the host has no memory left for the machine'],
  ['VERR_EM_NO_MEMORY', undefined, 'host-trouble', 'the host has no memory left for the machine'],
  ['VERR_ACCESS_DENIED', -38, 'host-trouble', 'the user who runs VirtualBox may not read or write the file'],
  ['VERR_DISK_FULL', -152, 'host-trouble', 'the disk is full'],
  [
    'VERR_VM_INVALID_VM_STATE',
    -1907,
    'program-error',
    'the machine is in a state in which the operation cannot be done',
  ],
  [
    'VERR_VM_SAVE_STATE_NOT_ALLOWED',
    -1913,
    'host-trouble',
    'the machine cannot be saved just now; a little later it can',
  ],
  ['VERR_TM_LOAD_STATE', undefined, 'unit-contradicts', 'a timer in a unit is in an impossible state'],
  [
    'VERR_GENERAL_FAILURE',
    undefined,
    'bytes-changed',
    'a compressed block of a V1.x file does not start as it should; elsewhere the code tells nothing',
  ],
  ['VERR_EOF', undefined, 'file-cut', 'the file ends too early'],
  ['VERR_WRONG_ORDER', -22, 'unit-contradicts', 'guest memory comes before the CPUs (unit cpum), or there is no cpum'],
  ['VERR_TOO_MUCH_DATA', -42, 'unit-contradicts', 'a text in a unit is longer than any that VirtualBox writes'],
  ['VERR_SUP_DRIVERLESS', undefined, 'host-trouble', 'the operation needs the driver vboxdrv'],
];
