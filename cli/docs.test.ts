import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { anchorsIn, brokenLinks, codeBlocks, linksIn } from './testing/markdown.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** All texts of the project, by their path from its folder. */
const documents = ['.', 'docs', 'formats', 'src', 'migrations', 'cli', 'test-vectors']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: folder !== '.', encoding: 'utf8' }).map((name) =>
      posix.join(folder, name.replaceAll('\\', '/')),
    ),
  )
  .filter((path) => path.endsWith('.md'));

describe('links', () => {
  it.each(documents)('of %s lead somewhere', (document) => {
    expect(brokenLinks(root, document)).toEqual([]);
  });

  it('are found, with anchors', () => {
    expect(linksIn('[a](b.txt#c) `[no](code)` ![d](e.png "f")\n```\n[no](fence)\n```\n[g]: h.txt\n')).toEqual([
      'b.txt#c',
      'e.png',
      'h.txt',
    ]);
    expect([...anchorsIn('# A `b`, c: d\n## [E](f)\n## E\n```\n# no\n```\n')]).toEqual(['a-b-c-d', 'e', 'e-1']);
  });
});

describe('paths', () => {
  it.each(['ARCHITECTURE.md', 'CONTRIBUTING.md'])('that %s names are there', (document) => {
    const paths = [...read(document).matchAll(/`((?:formats|src|migrations|cli|scripts|docs)\/[\w./-]+)`/g)].map(
      ([, path]) => path,
    );
    expect(paths.length).toBeGreaterThan(5);
    expect(paths.filter((path) => !path.includes('NAME') && !existsSync(join(root, path)))).toEqual([]);
  });
});

describe('lists', () => {
  const pages = readdirSync(join(root, 'docs/commands')).filter((name) => name !== 'README.md');

  it('of commands in README.md name them all', () => {
    const readme = read('README.md');
    expect(pages.filter((page) => !readme.includes(`(docs/commands/${page})`))).toEqual([]);
  });

  it('of options name none that no command has', () => {
    const tables = pages.map((page) => /<!-- table options -->(.*?)<!-- end -->/s.exec(read(`docs/commands/${page}`)));
    const options = new Set(tables.flatMap((table) => table?.[1]?.match(/--[a-z][a-z0-9-]*/g) ?? []));
    expect(options.size).toBeGreaterThan(100);
    const named = documents
      .filter((path) => /^(.\/README|docs\/(?!spec))/.test(path))
      .flatMap((path) =>
        [...read(path).matchAll(/`(--[a-z][a-z0-9-]*)/g)].map(([, option = '']) => ({ path, option })),
      );
    expect(named.filter(({ option }) => !options.has(option.replace(/^--no-/, '--')) && !options.has(option))).toEqual(
      [],
    );
  });

  it('of campaigns in CONTRIBUTING.md name them all', () => {
    const text = read('CONTRIBUTING.md');
    const campaigns = ['formats', 'src', 'migrations', 'cli']
      .flatMap((floor) => readdirSync(join(root, floor), { recursive: true, encoding: 'utf8' }))
      .flatMap((path) => /([\w-]+)\.campaign\.ts$/.exec(path)?.[1] ?? []);
    expect(campaigns.length).toBeGreaterThan(30);
    const isNamed = (name: string) => text.includes(`\`${name}`) || text.includes(`-- ${name}`);
    const isOneOfRow = (name: string) => name.startsWith('virtualbox-') && text.includes(`\`${name.slice(10)}`);
    expect(campaigns.filter((name) => !isNamed(name) && !isOneOfRow(name))).toEqual([]);
  });
});

describe('examples in TypeScript', () => {
  const examples = documents.flatMap((document) =>
    codeBlocks(read(document)).flatMap(({ language, text }, i) =>
      /^(ts|typescript)$/.test(language) ? [{ name: `${document.replaceAll('/', '-')}-${i}.ts`, text }] : [],
    ),
  );

  it('compile against the package, as strictly as TypeScript can be', () => {
    expect(examples.length).toBeGreaterThan(5);
    const wrong = {
      name: 'wrong.ts',
      text: "import { openFile, verify } from 'savkit';\nexport const n: number = (await verify(await openFile('x'))).verdict;\n",
    };
    const errors = errorsIn([...examples, wrong]);
    expect(errors.filter((error) => !error.includes('wrong.ts'))).toEqual([]);
    expect(errors).toHaveLength(1);
  });
});

/** TypeScript's errors in files in a folder where the package is installed, and in the package's declarations. */
function errorsIn(files: { name: string; text: string }[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'savkit-examples-'));
  try {
    mkdirSync(join(folder, 'node_modules/@types'), { recursive: true });
    symlinkSync(root, join(folder, 'node_modules/savkit'), 'junction');
    symlinkSync(join(root, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'), 'junction');
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    for (const { name, text } of files) writeFileSync(join(folder, name), text);
    const program = ts.createProgram(
      files.map(({ name }) => join(folder, name)),
      {
        target: ts.ScriptTarget.ES2023,
        lib: ['lib.es2023.d.ts'],
        module: ts.ModuleKind.NodeNext,
        types: ['node'],
        noEmit: true,
        // The package's own declarations, too, must make sense to compilers that check them.
        skipLibCheck: false,
        strict: true,
        noUncheckedIndexedAccess: true,
        exactOptionalPropertyTypes: true,
        verbatimModuleSyntax: true,
      },
    );
    // Declarations of TypeScript and Node are left out: they take longer than all others.
    const own = program
      .getSourceFiles()
      .filter(
        ({ fileName }) => fileName.startsWith(folder) || fileName.startsWith(`${root.replaceAll('\\', '/')}dist/`),
      );
    expect(own.length).toBeGreaterThan(files.length + 100);
    return [
      ...program.getOptionsDiagnostics(),
      ...own.flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]),
    ].map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
