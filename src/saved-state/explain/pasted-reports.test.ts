import { describe, expect, it } from 'vitest';
import { explainLog } from './log-reader.ts';

const found = (text: string) =>
  explainLog(text).map(({ unit, instance, version, explanation }) => [
    explanation.name,
    ...(unit === undefined ? [] : [`${unit}${instance === undefined ? '' : `/${instance}`}`]),
    ...(version === undefined ? [] : [version]),
  ]);

const GERMAN = `Für die virtuelle Maschine Windows 7 konnte keine neue Sitzung eröffnet werden.

Failed to load unit 'pgm' (VERR_EM_NO_MEMORY).

Fehlercode:E_FAIL (0x80004005)
Komponente:ConsoleWrap
Interface:IConsole {872da645-4a9b-1727-bee2-5585105b9eed}
`;
const CHINESE = `不能为虚拟电脑 ubuntu 打开一个新任务.

Failed to load unit 'HGCM' (VERR_SSM_UNEXPECTED_DATA).

返回 代码: E_FAIL (0x80004005)
组件: ConsoleWrap
界面: IConsole {872da645-4a9b-1727-bee2-5585105b9eed}
`;
const VAGRANT = `There was an error while executing \`VBoxManage\`, a CLI used by Vagrant
for controlling VirtualBox. The command and stderr is shown below.

Command: ["startvm", "11111111-2222-3333-4444-555555555555", "--type", "headless"]

Stderr: VBoxManage: error: Failed to load unit 'lsilogicscsi' (VERR_SSM_LOADED_TOO_LITTLE)
VBoxManage: error: Details: code NS_ERROR_FAILURE (0x80004005), component ConsoleWrap, interface IConsole
`;
const CPUM_LOG = [
  '00:00:00.334850 VirtualBox VM 7.1.12 r169651 linux.amd64 (Jul 10 2025 19:07:21) release log',
  '00:00:02.158273 SSM: File header: Format 2.0, VirtualBox Version 7.0.20 r163906, 64-bit host, cbGCPhys=8, cbGCPtr=8',
  "00:00:02.524588 SSM: LoadExec failed for 'cpum' instance #1 (version 22, pass 0xffffffff): VERR_CPUM_INVALID_XCR0",
  "00:00:02.524606 VMSetError: Failed to load unit 'cpum'",
];
const CPUM = [['VERR_CPUM_INVALID_XCR0', 'cpum/1', 22]];

describe('explainLog() of reports in other languages', () => {
  it.each<[string, string, unknown]>([
    ['German', GERMAN, [['VERR_EM_NO_MEMORY', 'pgm']]],
    ['Chinese', CHINESE, [['VERR_SSM_UNEXPECTED_DATA', 'HGCM']]],
    [
      'a German message of the API',
      "VBoxManage: error: Die Datei mit dem gespeicherten Zustand 'C:\\VMs\\b\\Snapshots\\2020-01-02T03-04-05-678000000Z.sav' ist ungültig (VERR_FILE_NOT_FOUND). Verwerfen Sie den Zustand",
      [['VERR_FILE_NOT_FOUND']],
    ],
    [
      'a Chinese message of the API',
      "VBoxManage: error: 保存的状态文件 '/vms/b/Snapshots/x.sav' 无效（VERR_PATH_NOT_FOUND）。",
      [['VERR_PATH_NOT_FOUND']],
    ],
    [
      'a French message that names no file',
      "Échec de la sauvegarde de l'état de la machine virtuelle (VERR_DISK_FULL).",
      [['VERR_DISK_FULL']],
    ],
    ['a Japanese message', '仮想マシンの状態を復元できませんでした (VERR_NO_MEMORY)。', [['VERR_NO_MEMORY']]],
    [
      'a Spanish message',
      'No se pudo restaurar la instantánea «antes» (VERR_ACCESS_DENIED).',
      [['VERR_ACCESS_DENIED']],
    ],
  ])('finds the failure of %s', (_what, text, expected) => {
    expect(found(text)).toEqual(expected);
  });
});

describe('explainLog() of words that other programs have written otherwise', () => {
  const XCR0 = "Failed to load unit 'cpum' (VERR_CPUM_INVALID_XCR0)";

  it.each<[string, string]>([
    ['the address of a search', `https://example.org/search?q=${encodeURIComponent(XCR0)}`],
    ['blanks that do not break', XCR0.replaceAll(' ', '\u00a0')],
    ['Markdown', XCR0.replaceAll("'", '`')],
    ['French quotes', XCR0.replace("'cpum'", '«\u00a0cpum\u00a0»')],
    ['soft hyphens', XCR0.replaceAll('_', '_\u00ad')],
    ['blanks of no width', XCR0.replaceAll('_', '_\u200b')],
    ['a scanner', XCR0.replace('INVALID_', 'INVALID_ ')],
    ['a number for the code', XCR0.replace('VERR_CPUM_INVALID_XCR0', '-1765')],
    ['a number that nobody knew', XCR0.replace('VERR_CPUM_INVALID_XCR0', 'Unknown Status -1765 (0xfffff91b)')],
    [
      'PowerShell',
      `VBoxManage.exe : VBoxManage.exe: error: ${XCR0}\nAt line:1 char:1\n+ VBoxManage.exe startvm b\n+ ~~~~~~~~`,
    ],
    ['a log without ends of lines', CPUM_LOG.join(' ')],
    ['a log in JSON', JSON.stringify({ body: CPUM_LOG.join('\n') })],
  ])('of %s', (_who, text) => {
    expect(explainLog(text)).toMatchObject([{ unit: 'cpum', explanation: { name: 'VERR_CPUM_INVALID_XCR0' } }]);
  });
});

describe('explainLog() of lines that other programs have wrapped', () => {
  const prefixed = (prefix: (i: number) => string) => CPUM_LOG.map((own, i) => `${prefix(i)}${own}`).join('\n');

  it.each<[string, string]>([
    ['a journal', prefixed(() => 'Mar 04 10:11:12 host VBoxHeadless[123]: ')],
    ['a journal with ISO times', prefixed(() => '2026-01-01T10:11:12.345678+01:00 host VBoxHeadless[123]: ')],
    ['journalctl -o short-iso', prefixed(() => '2026-01-01T10:11:12+0100 host VBoxHeadless[123]: ')],
    ['a build server', prefixed(() => '2026-01-01T10:11:12.1234567Z ')],
    ['docker compose', prefixed(() => 'vbox-1  | ')],
    ['grep -n', prefixed((i) => `VBox.log:${100 + i}:`)],
    ['grep -n of one file', prefixed((i) => `${100 + i}:`)],
    ['grep -C', prefixed((i) => `Logs/VBox.log.1-${100 + i}-`)],
    ['cat -n', prefixed((i) => `   ${100 + i}\t`)],
    ['a diff', prefixed(() => '+')],
    ['a quotation in a list', prefixed(() => '> - ')],
    ['colours', CPUM_LOG.map((own) => `\u001b[31m${own}\u001b[0m`).join('\r\n')],
    ['Markdown', CPUM_LOG.map((own) => own.replaceAll('_', '\\_')).join('\n')],
    ['indentation', CPUM_LOG.map((own) => `        ${own}`).join('\r\n')],
  ])('of %s: unit, code and both releases', (_who, text) => {
    expect(found(text)).toEqual(CPUM);
    expect(explainLog(text)[0].messages).toEqual(["Failed to load unit 'cpum'"]);
    expect(explainLog(text)[0].explanation.next.join(' ')).toContain(
      'written by VirtualBox 7.0.20, this log is of 7.1.12',
    );
  });

  it.each([60, 79, 80, 100, 132])('a log that a terminal has cut after %i columns', (columns) => {
    const cut = CPUM_LOG.flatMap((own) => own.match(new RegExp(`.{1,${columns}}`, 'g')) ?? []).join('\n');
    expect(found(cut)).toEqual(CPUM);
  });

  it('of Vagrant', () => {
    expect(found(VAGRANT)).toEqual([['VERR_SSM_LOADED_TOO_LITTLE', 'lsilogicscsi']]);
  });
});

describe('explainLog() of releases from 2.x to 7.1', () => {
  it.each<[string, string, unknown]>([
    [
      'a log of 3.0',
      "00:00:03.203 SSM: LoadExec failed with rc=VERR_SSM_LOADED_TOO_MUCH for unit 'pgm'!",
      [['VERR_SSM_LOADED_TOO_MUCH', 'pgm']],
    ],
    [
      'a Windows log of 4.3',
      `00:00:03.203125 VMSetError: D:\\tinderbox\\win-4.3\\src\\VBox\\VMM\\VMMR3\\SSM.cpp(8404) int __cdecl ssmR3LoadExecV2(struct VM *,struct SSMHANDLE *); rc=VERR_SSM_INTEGRITY_UNIT_NOT_FOUND
00:00:03.203125 VMSetError: Found no handler for unit 'usb-ehci' instance #0`,
      [['VERR_SSM_INTEGRITY_UNIT_NOT_FOUND', 'usb-ehci/0']],
    ],
    [
      'VBoxSVC.log of 5.2',
      `00:00:12.345678 nspr-2   ERROR [COM]: aRC=VBOX_E_IPRT_ERROR (0x80bb0005) aIID={db7ab4ca} aComponent={ConsoleWrap} aText={The saved state file '/vms/b/x.sav' is invalid (VERR_SSM_INTEGRITY_SIZE)}, preserve=false aResultDetail=0`,
      [['VERR_SSM_INTEGRITY_SIZE']],
    ],
    [
      'a target of a teleport',
      "00:00:09.1 Teleporter: teleporterSrcReadACK: 'load-complete' - NACK - rc=VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH (-1843)",
      [['VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH']],
    ],
    [
      'what is on the wire of a teleport',
      'NACK=-1843;Failed to load unit: memory size',
      [['VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH']],
    ],
    [
      'a script in Python',
      "vboxapi: Exception: 0x80004005 (Failed to load unit 'ahci' (VERR_SSM_LOAD_CONFIG_MISMATCH))",
      [['VERR_SSM_LOAD_CONFIG_MISMATCH', 'ahci']],
    ],
  ])('%s', (_what, text, expected) => {
    expect(found(text)).toEqual(expected);
  });

  it.each([
    'VBoxManage: error: The VM session was closed before any attempt to power it on',
    "VBoxManage: error: The virtual machine 'b' has terminated unexpectedly during startup because of signal 6\nVBoxManage: error: Details: code NS_ERROR_FAILURE (0x80004005), component MachineWrap, interface IMachine",
    "VBoxManage: error: The virtual machine 'b' has terminated abnormally during startup with exit code 1 (0x1)",
    'Failed to open a session for the virtual machine b.\n\nThe VM session was aborted.\n\nResult Code: E_FAIL (0x80004005)',
    'Für die virtuelle Maschine b konnte keine neue Sitzung eröffnet werden.\n\nThe VM session was aborted.',
    'Failed to open a session for the virtual machine b.\n\nResult Code: E_FAIL (0x80004005)',
  ])('a start that failed without a code is no good end: %s', (text) => {
    expect(found(text)).toEqual([['start-failed']]);
    expect(explainLog(text)[0].explanation.next.join(' ')).toContain('VBox.log');
  });

  it.each([
    ["The saved state file '/vms/b/Snapshots/x.sav' is invalid.", 'load-failed'],
    ['VBoxManage: error: Failed to restore the machine state.', 'load-failed'],
    ['VBoxManage: error: Could not save the state of the virtual machine b', 'save-failed'],
    ['Failed to take a snapshot of the virtual machine b.', 'save-failed'],
    ['VBoxManage: error: Could not find a saved state file for the machine', 'load-failed'],
    ['Der gespeicherte Zustand konnte nicht wiederhergestellt werden.', 'state-failed'],
    ['无法恢复快照', 'state-failed'],
    ['00:00:04.1 VMSetError: Implementation of the USB 3.0 controller not found!', 'load-failed'],
  ])('%s tells of a failure without a code', (text, name) => {
    expect(found(text)).toEqual([[name]]);
  });
});
