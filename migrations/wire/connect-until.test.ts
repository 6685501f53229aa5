import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { EnvironmentError, InterruptedError } from '../../formats/errors.ts';
import { connectUntil } from './connect-until.ts';

it('waits no longer than the signal, and closes a connection that comes later', async () => {
  const stop = new AbortController();
  let open: (connection: PassThrough) => void = () => {};
  const connecting = connectUntil(() => new Promise((resolve) => (open = resolve)), stop.signal);
  stop.abort();
  await expect(connecting).rejects.toBeInstanceOf(InterruptedError);
  const connection = new PassThrough();
  open(connection);
  await setImmediate();
  expect(connection.destroyed).toBe(true);
});

it('gives the connection, or the error, of the caller', async () => {
  const { signal } = new AbortController();
  const connection = new PassThrough();
  expect(await connectUntil(async () => connection, signal)).toBe(connection);
  const error = new EnvironmentError('ECONNREFUSED', 'nobody there');
  await expect(connectUntil(() => Promise.reject(error), signal)).rejects.toBe(error);
});

it('does not begin once the signal is aborted', async () => {
  let calls = 0;
  const connecting = connectUntil(async () => {
    calls++;
    return new PassThrough();
  }, AbortSignal.abort());
  await expect(connecting).rejects.toBeInstanceOf(InterruptedError);
  expect(calls).toBe(0);
});
