import { INCOMPLETE_NAME } from '../../../formats/incomplete-name.ts';

/** What salvage puts into a state of VirtualBox that lacks something. */
export const INCOMPLETE_UNIT = { name: INCOMPLETE_NAME, instance: 0, version: 1 } as const;
