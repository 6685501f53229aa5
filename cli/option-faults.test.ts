import { describe, expect, it } from 'vitest';
import yargs from 'yargs';
import { nearest } from './parsing/nearest.ts';
import { knownOptions, optionFault } from './parsing/option-faults.ts';

const known = knownOptions(
  yargs()
    .positional('files', { type: 'string', array: true })
    .option('json', { type: 'boolean', default: false })
    .option('proof', { type: 'boolean', default: true })
    .option('output', { type: 'string', alias: 'o' })
    .option('threads', { type: 'number' })
    .option('max-downtime', { type: 'number' })
    .option('command', { type: 'string', alias: 'c', array: true, nargs: 1 })
    .option('format', { choices: ['raw', 'elf'] as const }),
);

function faultOf(line: string): string | undefined {
  return optionFault(line.split(' '), known, ['files']);
}

describe('optionFault()', () => {
  it.each([
    ['verify a.sav --json --no-proof --threads 2 -o - --format=elf'],
    ['verify --json=false -o=x --max-downtime 1.5'],
    ['console -c info -c stats'],
    ['verify --maxDowntime 3'],
    ['explain -1844 -'],
    ['verify -- --bogus'],
    ['verify --json --json'],
    ['extract --format RAW'],
    ['extract --output=-x'],
  ])('finds nothing in %j', (line) => {
    expect(faultOf(line)).toBeUndefined();
  });

  it.each([
    ['verify --bogus a.sav', 'there is no option --bogus'],
    ['verify --bogus=1', 'there is no option --bogus'],
    ['verify --thread 2 a.sav', 'there is no option --thread; did you mean --threads?'],
    ['verify --ouptut x', 'there is no option --ouptut; did you mean --output?'],
    ['verify --no-threads', 'there is no option --no-threads'],
    ['verify --files x', 'there is no option --files'],
    ['verify -x a.sav', 'there is no option -x'],
    ['verify --json=maybe', '--json takes no value'],
    ['verify a.sav --threads', '--threads: expected a number after it'],
    ['verify a.sav -o --json', '-o: expected a value after it'],
    ['verify a.sav --output=', '--output "": expected a value'],
    ['verify --threads x', '--threads x: expected a number, not below 0'],
    ['verify --threads=', '--threads "": expected a number, not below 0'],
    ['verify --threads -1', '--threads -1: expected a number, not below 0'],
    ['verify --threads Infinity', '--threads Infinity: expected a number, not below 0'],
    ['verify --threads 1 --threads 2', '--threads is given twice'],
    ['extract -o a --output b', '--output is given twice'],
    ['extract --format zip', '--format zip: expected raw, elf'],
    ['extract --format', '--format: expected raw, elf after it'],
    ['extract -o -x', '-o: expected a value after it'],
  ])('says what is wrong with %j', (line, fault) => {
    expect(faultOf(line)).toBe(fault);
  });
});

describe('nearest()', () => {
  it.each([
    ['extrct', 'extract'],
    ['exrtact', 'extract'],
    ['ins', 'inspect'],
    ['verfy', 'verify'],
    ['xyz', undefined],
    ['e', undefined],
  ])('takes %j for %j', (word, meant) => {
    expect(nearest(word, ['extract', 'explain', 'inspect', 'verify'])).toBe(meant);
  });
});
