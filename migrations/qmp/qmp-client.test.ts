import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { record, text } from '../../formats/values/shape.ts';
import { type FakeAnswer, FakeQmp } from '../testing/fake-qmp.ts';
import { QmpClient } from './qmp-client.ts';
import type { QmpEvent } from './qmp-messages.ts';

const fakes: FakeQmp[] = [];
afterEach(() => {
  for (const fake of fakes.splice(0)) fake.close();
});
async function fakeWith(answer?: FakeAnswer): Promise<FakeQmp> {
  const fake = await FakeQmp.open(answer);
  fakes.push(fake);
  return fake;
}

describe('QmpClient', () => {
  it('tells the version, gives answers and events, and refusals in the words of QEMU', async () => {
    const fake = await fakeWith((command, args) => {
      if (command === 'stop') return {};
      if (command === 'query-status') return { status: 'running', ...args };
      throw new Error('The command is not found');
    });
    const qmp = await QmpClient.connect(fake.path);
    expect(qmp.version).toBe('10.0.2');
    const events: QmpEvent[] = [];
    const off = qmp.onEvent((event) => events.push(event));
    fake.event('STOP', { by: 'nobody' });
    expect(await qmp.ask('query-status', record({ status: text(20) }))).toEqual({ status: 'running' });
    expect(events).toEqual([{ name: 'STOP', at: 1000.005, data: { by: 'nobody' } }]);
    off();
    fake.event('RESUME');
    await expect(qmp.execute('no-such-thing')).rejects.toMatchObject({
      code: 'qmp-refused',
      message: 'QEMU refuses no-such-thing: The command is not found',
    });
    expect(events).toHaveLength(1);
    await expect(qmp.ask('query-status', record({ status: text(3) }))).rejects.toMatchObject({ code: 'bad-qmp' });
    qmp.close();
  });

  it.each([
    ['no JSON', 'HTTP/1.1 400 Bad Request\r\n', 'bad-qmp'],
    ['a list', '[1]\n', 'bad-qmp'],
    ['an answer to nothing that was asked', '{"return":{},"id":99}\n', 'bad-qmp'],
    ['an answer without a number', '{"return":{}}\n', 'bad-qmp'],
    ['an error without words', '{"error":{},"id":2}\n', 'bad-qmp'],
    ['an event without a time', '{"event":"STOP"}\n', 'bad-qmp'],
    ['nothing but empty lines', '\n'.repeat(100_000), 'bad-qmp'],
    ['nesting without end', `${'['.repeat(200_000)}\n`, 'bad-qmp'],
  ])('ends the connection of a peer that sends %s', async (_what, said, code) => {
    const fake = await fakeWith(() => undefined);
    const qmp = await QmpClient.connect(fake.path);
    const waiting = qmp.execute('query-status');
    fake.say(said);
    await expect(waiting).rejects.toMatchObject({ code });
    expect(await qmp.closed).toMatchObject({ code });
    await expect(qmp.execute('cont')).rejects.toMatchObject({ code });
  });

  it('takes no line without end', async () => {
    const fake = await fakeWith(() => undefined);
    const qmp = await QmpClient.connect(fake.path);
    const piece = 'x'.repeat(2 ** 20);
    for (let i = 0; i < 18; i++) fake.say(piece);
    expect(await qmp.closed).toMatchObject({ code: 'bad-qmp', name: 'MigrationError' });
    fake.greeting = 'x'.repeat(2 ** 24 + 1);
    await expect(QmpClient.connect(fake.path, { withinMs: 60_000 })).rejects.toMatchObject({ code: 'bad-qmp' });
  });

  it('waits neither for a greeting nor for an answer for ever', async () => {
    const fake = await fakeWith(() => undefined);
    const qmp = await QmpClient.connect(fake.path);
    await expect(qmp.execute('query-status', {}, { withinMs: 20 })).rejects.toMatchObject({ code: 'qmp-silent' });
    const abort = new AbortController();
    const asked = qmp.execute('query-status', {}, { signal: abort.signal });
    abort.abort();
    await expect(asked).rejects.toMatchObject({ code: 'interrupted' });
    qmp.close();
    fake.greeting = undefined;
    const stop = new AbortController();
    const greeted = QmpClient.connect(fake.path, { signal: stop.signal });
    await vi.waitUntil(() => fake.clients > 0, 60_000);
    stop.abort();
    await expect(greeted).rejects.toMatchObject({ code: 'interrupted' });
    const early = new AbortController();
    const connecting = QmpClient.connect(fake.path, { signal: early.signal, withinMs: 600_000 });
    early.abort();
    await expect(connecting).rejects.toMatchObject({ code: 'interrupted' });
    await expect(QmpClient.connect(fake.path, { withinMs: 20 })).rejects.toMatchObject({ code: 'qmp-busy' });
    fake.greeting = { hello: 1 };
    await expect(QmpClient.connect(fake.path)).rejects.toMatchObject({ code: 'bad-qmp' });
  });

  it('says that QEMU has ended to whoever waits', async () => {
    const fake = await fakeWith(() => undefined);
    const qmp = await QmpClient.connect(fake.path);
    const waiting = expect(qmp.execute('quit')).rejects.toMatchObject({ code: 'qmp-closed' });
    await setTimeout(5);
    fake.hangUp();
    await waiting;
    expect(await qmp.closed).toMatchObject({ code: 'qmp-closed' });
    await expect(QmpClient.connect('/no/such/qmp')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
