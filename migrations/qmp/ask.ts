import type { Shape } from '../../formats/values/shape.ts';

/** Sends a command to QEMU, as `QmpClient.ask` does. */
export type Ask = <T>(command: string, shape: Shape<T>, args?: object) => Promise<T>;
