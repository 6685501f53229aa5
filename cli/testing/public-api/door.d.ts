export type { Given } from './room.js';
export { type Bare, Built } from './room.js';
