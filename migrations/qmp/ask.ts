import type { Shape } from '../../formats/values/shape.ts';

/** Asks a QEMU something, as `QmpClient.ask` does. */
export type Ask = <T>(command: string, shape: Shape<T>, args?: object) => Promise<T>;
