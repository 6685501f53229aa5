/**
 * What salvage puts into a state that lacks something: no VirtualBox knows it, so that it refuses the state. Its
 * payload lists what is missing, as JSON.
 */
export const INCOMPLETE_UNIT = { name: 'savkit/incomplete', instance: 0, version: 1 } as const;
