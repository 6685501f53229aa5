import { expect, it } from 'vitest';
import { isAlive } from './place.ts';
import { world } from './world.ts';

const [host, start, processes] = world.process.place().split(' ');
const DEAD = 2 ** 30;
const record = (pid: number, place: string) => ({ pid, place });

it.each([
  ['the same place, a process that runs', process.pid, world.process.place(), true, true],
  ['the same place, none of that number', DEAD, world.process.place(), false, false],
  ['another host', DEAD, `other ${start} ${processes}`, 'unknown', 'unknown'],
  ['another host, whose number another process has here', process.pid, `other x ${processes}`, 'unknown', 'unknown'],
  ['another container', DEAD, `${host} ${start} pid:[1]`, 'unknown', 'unknown'],
  ['an older version, which does not tell', DEAD, '', 'unknown', 'unknown'],
])('A process of %s', (_, pid, place, atHome, asCopy) => {
  expect(isAlive(record(pid, place), true)).toBe(atHome);
  expect(isAlive(record(pid, place), false)).toBe(asCopy);
});

it.skipIf(start === '')('A process does not outlive its host, whoever has its number now', () => {
  expect(isAlive(record(process.pid, `${host} before ${processes}`), true)).toBe(false);
  // Two hosts may be copies of one; of a record from elsewhere only its operator can say so.
  expect(isAlive(record(process.pid, `${host} before ${processes}`), false)).toBe('unknown');
});

it.skipIf(world.process.begunAt() === '')('A process does not outlive its end, whoever has its number now', () => {
  const here = record(process.pid, world.process.place());
  expect(isAlive({ ...here, begunAt: world.process.begunAt() }, true)).toBe(true);
  expect(isAlive({ ...here, begunAt: '1' }, true)).toBe(false);
  expect(isAlive({ ...here, begunAt: '' }, true)).toBe(true);
  expect(isAlive({ ...here, pid: DEAD, begunAt: world.process.begunAt() }, true)).toBe(false);
});
