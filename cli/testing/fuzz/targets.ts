// All that a fuzzer can call: names are those of the campaign.

export * from './fuzz-states.ts';
export * from './fuzz-texts.ts';
export * from './fuzz-wire.ts';
