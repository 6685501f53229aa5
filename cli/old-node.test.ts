import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  engines: { node: string };
};

/** Runs the built command line in a Node that says it is of another version. */
function runIn(version: string): { status: number | null; stdout: string; stderr: string } {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' }); process.argv.push('savkit', '--version'); require('./dist/bin/savkit.js')`;
  return spawnSync(process.execPath, ['-e', pretend], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    encoding: 'utf8',
  });
}

it.each(['8.17.0', '12.22.12', '18.20.8', '20.18.3'])('tells Node %s in one line what is needed', (version) => {
  const { status, stdout, stderr } = runIn(version);
  expect({ status, stdout }).toEqual({ status: 4, stdout: '' });
  expect(stderr).toBe(`savkit needs Node.js ${engines.node.replace('>=', '')} or newer; this is ${process.version}\n`);
});

it.each(['20.19.0', '22.0.0', '24.22.3'])('runs in Node %s', (version) => {
  expect(runIn(version)).toMatchObject({ status: 0, stderr: '' });
});

it.each(['savkit.js', 'savkit.entry.js'])(
  'is written in syntax that Node 12 can read where %s checks the version',
  (name) => {
    const entry = readFileSync(new URL(`../dist/bin/${name}`, import.meta.url), 'utf8').replace(/^\/\/.*$/gm, '');
    expect(entry.length).toBeLessThan(1000);
    expect(entry).not.toMatch(/\?\.|\?\?|\|\|=|\bclass\b|node:|\bawait\b/);
  },
);
