/**
 * Name of the unit, or section, that salvage adds to a state with missing parts: no loader knows it, so that each
 * refuses the state. Its contents list what is missing, as JSON.
 */
export const INCOMPLETE_NAME = 'savkit/incomplete';
