// All functions that a fuzzer can call, by their names in the campaign.

export * from './fuzz-states.ts';
export * from './fuzz-texts.ts';
export * from './fuzz-wire.ts';
