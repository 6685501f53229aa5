import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';

// npm run campaign -- types: whether the types of the packed package are those of its code, for every way in which
// TypeScript resolves packages. Resolving as Node 10 did knows no doors, and modules of CommonJS can only import() the
// package: both are so on purpose.

const MEANT = new Set(['node10 NoResolution', 'node16-cjs CJSResolvesToESM']);

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'savkit-types-'));
try {
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ filename }] = JSON.parse(packed) as { filename: string }[];
  const result = await checkPackage(createPackageFromTarballData(readFileSync(join(folder, filename))), {
    excludeEntrypoints: ['./package.json'],
  });
  const problems = (result.types ? result.problems : []).filter(
    (problem) => !('resolutionKind' in problem && MEANT.has(`${problem.resolutionKind} ${problem.kind}`)),
  );
  for (const problem of problems) console.error(problem);
  const doors = result.types ? Object.keys(result.entrypoints) : [];
  console.log(`${doors.join(', ')}: ${problems.length} problems`);
  process.exitCode = doors.length > 1 && problems.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
