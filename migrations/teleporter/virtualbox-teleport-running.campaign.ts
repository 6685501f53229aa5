import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openFile } from '../../formats/files/source.ts';
import { loadState } from '../../src/machine/load.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import { Score, VirtualBox } from '../../src/testing/virtualbox.ts';
import { RealMachine } from '../testing/real-machine.ts';
import { SavkitProcess } from '../testing/savkit-process.ts';

// npm run campaign -- virtualbox-teleport-running: a machine that `savkit run` keeps, started from a real state,
// teleports itself to a real VirtualBox, while a workload writes to its memory. A relay records what passes.

const STATE = fileURLToPath(new URL('../../../test-vectors/states/own-long.sav', import.meta.url));
const PORT = 17_412;
const virtualBox = await VirtualBox.find();
const score = new Score();
const folder = mkdtempSync(join(tmpdir(), 'savkit-teleport-running-'));
const [socket, record, there, loaded] = ['vm.sock', 'record.sav', 'there.elf', 'loaded.elf'].map((name) =>
  join(folder, name),
);
try {
  const target = await RealMachine.makeOwn(virtualBox, 'savkit-tele-own-a');
  const twin = await RealMachine.makeOwn(virtualBox, 'savkit-tele-own-b');
  const machine = new SavkitProcess('run', STATE, '--workload', 'hot', '--rate', '5000', '--socket', socket);
  await machine.event('running');
  await target.awaitMachine(PORT);
  const relay = new SavkitProcess('relay', '--listen', '127.0.0.1:0', '--to', `127.0.0.1:${PORT}`, '--record', record);
  const port = await relay.port();
  const sent = await new SavkitProcess('send', socket, '--teleporter', '--to', `127.0.0.1:${port}`, '--paused').ended;
  score.check('a running savkit machine hands itself over to VirtualBox', sent.exitCode === 0, sent.error);
  score.check('with several live passes', Number((sent.result.passes as unknown[] | undefined)?.length) > 2);
  score.check('it is there, paused', await target.becomes('paused'));
  await Promise.all([relay.ended, machine.ended]);
  await target.dump(there);
  await target.stop();
  const load = await virtualBox.run('load-state.sh', [record, twin.name, '--core', loaded]);
  score.check('VirtualBox loads the recording', load.ok, load.output);
  const { ok, output } = await virtualBox.run('corecmp.py', [there, loaded, '--registers']);
  score.check('memory and registers are the same', ok, output);
  const source = await openFile(record);
  const again = RunningMachine.of(await loadState(source));
  await source.close();
  again.runSteps(1000);
  score.check('no write of the workload was lost', again.selfCheck().faults.length === 0);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
score.close();
