/**
 * Name of the unit, or section, that salvage adds to a state with missing parts. No loader knows it, so all refuse the
 * state. Its contents list the missing parts, as JSON.
 */
export const INCOMPLETE_NAME = 'savkit/incomplete';
