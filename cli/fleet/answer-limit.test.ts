import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { KIB, MIB } from '../../formats/sizes.ts';
import { AnswerLimit } from './answer-limit.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A client of a server that does `serve` to each connection. */
async function clientOf(serve: (socket: Socket) => void): Promise<Socket> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  ends.push(
    () => client.destroy(),
    () => server.close(),
  );
  return client.on('error', () => {});
}

const endless = (socket: Socket) => {
  const piece = Buffer.alloc(64 * KIB, ':1\r\n');
  const go = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', go);
  go();
};

function limit(limits: { answer?: number; memory?: number }): AnswerLimit {
  const made = new AnswerLimit(limits);
  ends.push(() => made.end());
  return made;
}

describe('AnswerLimit', () => {
  it('reads no more of a connection on which an answer has no end', async () => {
    const { exceeded } = limit({ answer: MIB });
    const client = await clientOf(endless);
    client.resume().write('question');
    await expect(exceeded).rejects.toMatchObject({
      code: 'no-queue',
      message: 'Cannot use the queue: its answer has more than 1048576 bytes',
    });
    expect(client.isPaused()).toBe(true);
  });

  it('takes any number of answers to as many questions', async () => {
    const { exceeded } = limit({ answer: MIB });
    const client = await clientOf((socket) => socket.on('data', () => socket.write(Buffer.alloc(700 * KIB))));
    let isRefused = false;
    exceeded.catch(() => {
      isRefused = true;
    });
    for (let i = 1; i <= 5; i++) {
      client.write('question');
      while (client.bytesRead < i * 700 * KIB) await once(client, 'data');
      // Longer than the time between two looks.
      await new Promise((done) => setTimeout(done, 30));
    }
    expect(isRefused).toBe(false);
  });

  it('reads no more when answers fill the memory, whatever is asked meanwhile', async () => {
    const { exceeded } = limit({ memory: process.memoryUsage().heapUsed + process.memoryUsage().external + 64 * MIB });
    const kept: Buffer[] = [];
    const client = await clientOf(endless);
    client.on('data', (piece) => {
      kept.push(Buffer.from(piece));
      client.write('question');
    });
    client.write('question');
    await expect(exceeded).rejects.toThrow(/its answers take more than \d+ bytes of memory$/);
  });
});

describe('AnswerLimit.takeUncaught()', () => {
  it('takes errors that the client of a server throws on an answer to no question, and no others', async () => {
    const own = limit({});
    expect(own.takeUncaught(new Error('of savkit'))).toBe(false);
    expect(own.takeUncaught('node_modules/ioredis/x')).toBe(false);
    const lie = new Error('Command queue state error.\nLast reply: OK');
    lie.stack = `Error: …\n    at DataHandler.shiftCommand (/usr/lib/node_modules/ioredis/built/DataHandler.js:178:23)`;
    expect(own.takeUncaught(lie)).toBe(true);
    await expect(own.exceeded).rejects.toMatchObject({
      code: 'no-queue',
      message: 'Cannot use the queue: its answer does not fit the question (Command queue state error.)',
    });
    expect(own.isExceeded).toBe(true);
  });
});
