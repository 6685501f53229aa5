import { describe, expect, it } from 'vitest';
import { SECRET_LINE } from '../testing/frames.ts';
import { statusName, statusNumber } from './status.ts';
import {
  COMMANDS,
  encodeReply,
  parseCommand,
  parseReply,
  passwordFault,
  passwordLine,
  passwordMatches,
} from './wire.ts';

describe('passwordLine()', () => {
  it('is the SHA-512 of the password since 4.2, the password itself before', () => {
    expect(passwordLine('secret', 'hashed')).toBe(SECRET_LINE);
    expect(passwordLine('secret', 'plain')).toBe('secret');
  });

  it('is empty for an empty password', () => {
    expect(passwordLine('', 'hashed')).toBe('');
    expect(passwordLine('', 'plain')).toBe('');
  });

  it('hashes the UTF-8 bytes', () => {
    // printf 'pä' | sha512sum
    expect(passwordLine('pä', 'hashed').slice(10, 26)).toBe('98e7c0a36a0d9eff');
  });
});

describe('passwordMatches()', () => {
  it('takes either form of the right password, and nothing else', () => {
    expect(passwordMatches(SECRET_LINE, 'secret')).toBe(true);
    expect(passwordMatches('secret', 'secret')).toBe(true);
    expect(passwordMatches('', '')).toBe(true);
    for (const line of [
      '',
      'Secret',
      'secret ',
      SECRET_LINE.toUpperCase(),
      SECRET_LINE.slice(0, -1),
      `${SECRET_LINE}0`,
    ]) {
      expect(passwordMatches(line, 'secret')).toBe(false);
    }
    expect(passwordMatches(SECRET_LINE, '')).toBe(false);
  });
});

describe('passwordFault()', () => {
  it('refuses what could not be sent, or what VirtualBox refuses', () => {
    expect(passwordFault('secret')).toBeUndefined();
    expect(passwordFault('')).toBeUndefined();
    expect(passwordFault('two\nlines')).toContain('line');
    expect(passwordFault(SECRET_LINE)).toContain('hashed');
    expect(passwordFault('x'.repeat(1024))).toContain('1023');
  });
});

describe('replies', () => {
  const known: [string, ReturnType<typeof parseReply>][] = [
    ['ACK', { ack: true }],
    ['NACK=-89', { ack: false, status: -89, text: '' }],
    ['NACK=-1844;pgm#1: Ram config mismatch', { ack: false, status: -1844, text: 'pgm#1: Ram config mismatch' }],
    ['NACK=0', { ack: false, status: 0, text: '' }],
    ['NACK=-257;two\rlines', { ack: false, status: -257, text: 'two\nlines' }],
    ['NACK=-257;', { ack: false, status: -257, text: '' }],
  ];

  it('are read as VirtualBox writes them', () => {
    for (const [line, reply] of known) expect(parseReply(line)).toEqual(reply);
  });

  it('are neither ACK nor NACK when a byte is wrong', () => {
    for (const line of [
      '',
      'ack',
      'ACK ',
      'ACK;x',
      'NACK',
      'NACK=',
      'NACK=x',
      'NACK=-',
      'NACK=-89 ',
      'NACK=0x10',
      'NACK=-89x',
      'NACK=99999999999',
    ]) {
      expect(parseReply(line), line).toBeUndefined();
    }
  });

  it('are written as they are read', () => {
    for (const [line, reply] of known) {
      if (reply && !line.endsWith(';')) expect(Buffer.from(encodeReply(reply)).toString()).toBe(`${line}\n`);
    }
  });

  it('have at most 255 bytes, and no newline when the text is cut off', () => {
    const fits = encodeReply({ ack: false, status: -257, text: 'x'.repeat(244) });
    expect(fits.length).toBe(255);
    expect(fits.at(-1)).toBe(0x0a);
    const cut = encodeReply({ ack: false, status: -257, text: 'x'.repeat(245) });
    expect(cut.length).toBe(255);
    expect(cut.at(-1)).toBe(0x78);
    const character = Buffer.from(encodeReply({ ack: false, status: -257, text: 'ä'.repeat(200) }));
    expect(character.length).toBeLessThanOrEqual(255);
    expect(character.toString()).not.toContain('\ufffd');
  });
});

describe('parseCommand()', () => {
  it('knows the five commands, and not what looks like them', () => {
    for (const command of COMMANDS) expect(parseCommand(command)).toBe(command);
    for (const line of ['', 'LOAD', 'load ', 'unlock-media', 'hand-over', 'foo'])
      expect(parseCommand(line)).toBe('other');
  });
});

describe('status numbers', () => {
  it('have the values of the specification', () => {
    const values = {
      VERR_NOT_IMPLEMENTED: -12,
      VERR_WRONG_ORDER: -22,
      VERR_AUTHENTICATION_FAILURE: -89,
      VERR_EOF: -110,
      VERR_FILE_LOCK_FAILED: -115,
    };
    const ssm = {
      VERR_IO_GEN_FAILURE: -257,
      VERR_SSM_LOAD_CONFIG_MISMATCH: -1844,
      VERR_SSM_CANCELLED: -1858,
      VERR_SSM_STREAM_ERROR: -1871,
    };
    for (const [name, number] of Object.entries({ ...values, ...ssm })) {
      expect(statusNumber(name)).toBe(number);
      expect(statusName(number)).toBe(name);
    }
  });

  it('fall back to a general failure', () => {
    expect(statusNumber(undefined)).toBe(-257);
    expect(statusNumber('toString')).toBe(-257);
    expect(statusName(-9999)).toBeUndefined();
  });
});
