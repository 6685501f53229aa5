import { afterEach, describe, expect, it } from 'vitest';
import { enterWorld, REAL_WORLD } from '../../formats/world/world.ts';
import { PageHashes } from '../machine/page-hashes.ts';
import { Outage } from './outage.ts';

const LIMIT = 1000;
const RETRIES = [100, 300];

describe('an outage', () => {
  let now = 0;
  const world = { ...REAL_WORLD, time: { ...REAL_WORLD.time, now: () => now } };

  afterEach(() => enterWorld(REAL_WORLD));

  function begin() {
    now = 0;
    enterWorld(world);
    return { outage: new Outage(LIMIT, RETRIES), hashes: new PageHashes(4) };
  }

  function retryAt(outage: Outage, ms: number) {
    now = ms;
    return outage.retryIn();
  }

  it('has waits that grow, and an end', () => {
    const { outage, hashes } = begin();
    outage.linked(hashes);
    expect([50, 150, 450, 1049, 1050].map((ms) => retryAt(outage, ms))).toEqual([100, 300, 300, 300, undefined]);
  });

  it('goes on through links that bring nothing', () => {
    const { outage, hashes } = begin();
    const answers = [];
    for (let ms = 0; ms <= 1200; ms += 400) {
      outage.linked(hashes);
      answers.push(retryAt(outage, ms + 10));
    }
    expect(answers).toEqual([100, 300, 300, undefined]);
  });

  it('is over with a link over which pages have come', () => {
    const { outage, hashes } = begin();
    for (let ms = 0; ms <= 4000; ms += 400) {
      outage.linked(hashes);
      expect(retryAt(outage, ms + 10)).toBe(100);
      hashes.words[3]++;
    }
  });

  it('goes on through links that hold, and take no page that is sent', () => {
    const { outage, hashes } = begin();
    const answers = [];
    for (let ms = 0; ms <= 2500; ms += 1250) {
      now = ms;
      outage.linked(hashes);
      outage.isStuck();
      answers.push(retryAt(outage, ms + 1200));
    }
    expect(answers).toEqual([100, undefined, undefined]);
  });

  it('is over with a link that held, although nothing was to be sent', () => {
    const { outage, hashes } = begin();
    outage.linked(hashes);
    expect(retryAt(outage, 10)).toBe(100);
    outage.linked(hashes);
    expect(retryAt(outage, 1010)).toBe(100);
    // No further link comes about.
    expect([1500, 2009, 2010].map((ms) => retryAt(outage, ms))).toEqual([300, 300, undefined]);
  });
});
