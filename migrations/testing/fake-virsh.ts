import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Makes a program `virsh` in a folder that knows one domain, and passes what it is told on to the QMP socket of a fake
 * QEMU. To be found, the folder has to be in PATH.
 */
export function writeFakeVirsh(folder: string, { uuid, qmp }: { uuid: string; qmp: string }): void {
  writeFileSync(
    join(folder, 'virsh'),
    `#!${process.execPath}
const words = process.argv.slice(2);
if (words.includes('list') || words.includes('domuuid')) {
  console.log('${uuid}\\n');
  process.exit(0);
}
const qemu = require('node:net').connect('${qmp}');
const lines = (input, take) => require('node:readline').createInterface({ input }).on('line', take);
qemu.write(JSON.stringify({ execute: 'qmp_capabilities' }) + '\\n');
let answered;
const queue = [];
lines(qemu, (line) => answered?.(line));
lines(process.stdin, (line) => queue.push(line)).on('close', () => process.exit());
(async () => {
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (;;) {
    const line = queue.shift();
    if (line === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    else if (line.startsWith('echo ')) process.stdout.write(line.slice(5) + '\\n');
    else {
      const [, uuid, json] = /^qemu-monitor-command '(.*?)' '(.*)'$/.exec(line);
      const { execute } = JSON.parse(json);
      if (uuid !== '${uuid}') console.error('error: no such domain');
      else if (execute === 'query-version')
        console.log(JSON.stringify({ return: { qemu: { major: 10, minor: 0, micro: 2 } } }));
      else {
        const answer = new Promise((resolve) => { answered = resolve; });
        qemu.write(json + '\\n');
        console.log(await answer);
      }
    }
  }
})();
`,
    { mode: 0o755 },
  );
}
