import { once } from 'node:events';
import { expect, it, vi } from 'vitest';
import { REAL_PROGRAMS } from './programs.ts';
import { SECRET_VARIABLES } from './secret-variables.ts';

const tell = ['-e', 'process.stdout.write(JSON.stringify(process.env))'];

it('gives no secret to programs other than savkit, and all else', async () => {
  for (const name of [...Object.values(SECRET_VARIABLES), 'SAVKIT_OTHER']) vi.stubEnv(name, 'a value');
  const { stdout } = await REAL_PROGRAMS.run(process.execPath, tell);
  const started = REAL_PROGRAMS.start(process.execPath, tell, { stdio: 'pipe' });
  const pieces: Buffer[] = [];
  started.stdout?.on('data', (piece: Buffer) => pieces.push(piece));
  await once(started, 'close');
  for (const environment of [stdout, Buffer.concat(pieces).toString()])
    expect(Object.keys(JSON.parse(environment)).sort()).toEqual(
      Object.keys(process.env)
        .filter((name) => !Object.values<string>(SECRET_VARIABLES).includes(name))
        .sort(),
    );
});
