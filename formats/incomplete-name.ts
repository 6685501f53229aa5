/**
 * Name of what salvage adds to a state that lacks something: no loader knows it, so that each refuses the state. Its
 * contents list what is missing, as JSON.
 */
export const INCOMPLETE_NAME = 'savkit/incomplete';
