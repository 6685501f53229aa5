import { INCOMPLETE_NAME } from '../../../formats/incomplete-name.ts';

/** Unit that salvage puts into an incomplete state of VirtualBox. */
export const INCOMPLETE_UNIT = { name: INCOMPLETE_NAME, instance: 0, version: 1 } as const;
