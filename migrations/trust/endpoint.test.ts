import { describe, expect, it } from 'vitest';
import { endpointText, parseEndpoint, parseListenEndpoint } from './endpoint.ts';

describe('endpoint', () => {
  it.each([
    ['there:7000', { host: 'there', port: 7000 }],
    [':7000', { host: '', port: 7000 }],
    ['[::1]:7000', { host: '::1', port: 7000 }],
  ])('%s is understood, to connect and to listen', (text, endpoint) => {
    expect(parseEndpoint(text)).toEqual(endpoint);
    expect(parseListenEndpoint(text)).toEqual(endpoint);
    expect(parseEndpoint(endpointText(endpoint).replace('*', ''))).toEqual(endpoint);
  });

  it('shows addresses of version 4 as such', () => {
    expect(endpointText({ host: '::ffff:192.0.2.1', port: 1 })).toBe('192.0.2.1:1');
  });

  it('listens on a port alone, and on one of the system’s choice', () => {
    expect(parseListenEndpoint('7000')).toEqual({ host: '', port: 7000 });
    expect(parseListenEndpoint('localhost:0')).toEqual({ host: 'localhost', port: 0 });
  });

  it.each([
    ['7000', 'e.g. localhost:7000'],
    ['there', 'e.g. there:7000'],
    ['there:0', 'not from 1 to 65535'],
    ['there:70000', 'not from 1 to 65535'],
    ['::1:7000', 'e.g. [::1]:7000'],
    ['http://there:7000', 'expected HOST:PORT'],
    ['', 'Cannot use address ""'],
  ])('%s is no address to connect to, and the error says what to write', (text, words) => {
    expect(() => parseEndpoint(text)).toThrow(words);
  });

  it.each(['there', ':x', ':70000', '7000 '])('%s is no address to listen on', (text) => {
    expect(() => parseListenEndpoint(text)).toThrow('expected :PORT for all addresses');
    expect(() => parseListenEndpoint(text, 'this host only')).toThrow('expected :PORT for this host only');
  });
});
