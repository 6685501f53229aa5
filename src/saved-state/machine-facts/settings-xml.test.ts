import { describe, expect, it } from 'vitest';
import { parseSettings } from './settings-xml.ts';

const file = (inner: string) => `<?xml version="1.0"?>\n<VirtualBox>${inner}</VirtualBox>`;
const attributes = (count: number) => Array.from({ length: count }, (_, i) => `a${i}=""`).join(' ');

describe('parseSettings()', () => {
  it.each([
    ['attributes', file(`<Machine ${attributes(90_000)}/>`)],
    ['elements', file('<a/>'.repeat(90_000))],
    ['instructions', file('<?a?>'.repeat(90_000))],
    ['tags without end', file('<a>'.repeat(90_000))],
    ['words within a tag', file(`<Machine ${'a '.repeat(300_000)}/>`)],
  ])('refuses more %s than settings have, before they cost time', (_, text) => {
    const since = process.cpuUsage();
    expect(() => parseSettings(text, 'x.vbox')).toThrow(/more than settings of a machine have/);
    expect(process.cpuUsage(since).user / 1000).toBeLessThan(1000);
  });

  it('reads ten thousand elements of one name', () => {
    const text = file('<ExtraDataItem name="GUI/LastCloseAction" value="save"/>\n'.repeat(10_000));
    expect(parseSettings(text, 'x.vbox')).toHaveProperty('VirtualBox.ExtraDataItem.length', 10_000);
  });

  it('takes no more time for elements that lie deep', () => {
    const deep = file('<a>'.repeat(900) + '<b/>'.repeat(70_000) + '</a>'.repeat(900));
    const since = process.cpuUsage();
    parseSettings(deep, 'x.vbox');
    // A parser that makes a text of each element's path takes some 3 s on a host where this takes 0.2 s.
    expect(process.cpuUsage(since).user / 1000).toBeLessThan(2000);
  });
});
