import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram, Score } from '../../src/testing/virtualbox.ts';
import { codeBlocks } from './markdown.ts';

// npm run campaign -- tools STATE VMLINUX: runs the recipes of docs/guest-memory-tools.md with a state of a Linux
// guest, saved by VirtualBox, and the kernel that it ran, with debugging symbols. Exit code 2: something was not tried,
// since the state, the kernel or a tool is not there.

/** Output of a recipe that works, by the tool that its first line calls. */
const EXPECTED: Readonly<Record<string, RegExp[]>> = {
  savkit: [/^ {2}Linux \S+, kernel offset 0x/m],
  gdb: [/^\* 1 /m, /^#0 .*\w+ \(/m, /^#1 .*\w+ \(/m, /<linux_banner> "Linux version /],
  crash: [/^ +RELEASE: \S/m, /^ +TASKS: \d+/m, /^PID: \d+ .*CPU: 0 /m, /^ #1 \[/m],
  drgn: [/^\d{2,} tasks$/m, /^2 kthreadd$/m],
  'vmcore-dmesg': [/^\[ +0\.000000\] Linux version /m],
  makedumpfile: [/The dumpfile is saved to machine\.kdump/, /^ +RELEASE: \S/m, /^ #1 \[/m],
  file: [/VirtualBox saved state, format \d|QEMU saved state, stream version \d/],
};
/** Seconds for one recipe. */
const PATIENCE = 300;

const root = fileURLToPath(new URL('../../../', import.meta.url));
const inputs = process.argv.slice(2).map((path) => resolve(path));
const [state, vmlinux] = inputs;
if (inputs.length !== 2 || !inputs.every((path) => existsSync(path))) {
  console.error(
    'Nothing was tried: expected the path of a Linux guest’s state and that of its kernel, vmlinux with debugging symbols',
  );
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'savkit-tools-'));
try {
  symlinkSync(state, join(folder, 'machine.sav'));
  symlinkSync(vmlinux, join(folder, 'vmlinux'));
  symlinkSync(join(root, 'docs/savkit.magic'), join(folder, 'savkit.magic'));
  await runRecipes();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function runRecipes(): Promise<void> {
  const score = new Score();
  let isAllTried = true;
  let offset = '0x0';
  for (const { language, text } of codeBlocks(readFileSync(join(root, 'docs/guest-memory-tools.md'), 'utf8'))) {
    if (language !== 'sh') continue;
    const tools = Object.keys(EXPECTED).filter((name) => new RegExp(`^(/usr/sbin/)?${name} `, 'm').test(text));
    const [tool] = tools.sort((a, b) => text.search(new RegExp(`${a} `)) - text.search(new RegExp(`${b} `)));
    const missing = await firstMissing(tools.filter((name) => name !== 'savkit'));
    if (missing) {
      console.log(`not tried: ${tool}: ${missing} is not there`);
      isAllTried = false;
      continue;
    }
    const { output } = await inFolder(text, { OFFSET: offset });
    const lacking = EXPECTED[tool].filter((expected) => !expected.test(output));
    score.check(tool, lacking.length === 0, `no ${lacking.join(', no ')} in\n${output}`);
    offset = /kernel offset (0x[\da-f]+)/.exec(output)?.[1] ?? offset;
  }
  score.close();
  if (process.exitCode === 0 && !isAllTried) process.exitCode = 2;
}

async function firstMissing(tools: readonly string[]): Promise<string | undefined> {
  for (const tool of tools) if (!(await inFolder(`command -v ${tool}`)).ok) return tool;
  return undefined;
}

/** Runs lines of bash where the inputs are, with `savkit` as built here. */
function inFolder(lines: string, env: NodeJS.ProcessEnv = {}): ReturnType<typeof runProgram> {
  const script = `savkit() { "${process.execPath}" "${root}dist/bin/savkit.js" "$@"; }; cd "${folder}"; ${lines}`;
  const path = `${process.env.PATH}:/usr/sbin`;
  return runProgram('timeout', ['-k', '5', String(PATIENCE), 'bash', '-c', script], {
    ...process.env,
    ...env,
    PATH: path,
  });
}
