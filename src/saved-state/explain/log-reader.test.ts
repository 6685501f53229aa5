import { describe, expect, it } from 'vitest';
import { explainLog, LogReader } from './log-reader.ts';

/** As 7.2.22 wrote them. */
const NO_FLOPPY = `00:00:00.343236 SSM: File header: Format 2.0, VirtualBox Version 7.2.22 r175245, 64-bit host, cbGCPhys=8, cbGCPtr=8
00:00:00.350000 VMSetError: /build/src/VBox/VMM/VMMR3/SSMR3.cpp(9211) int ssmR3LoadExecV2(PVM, PSSMHANDLE); rc=VERR_SSM_INTEGRITY_UNIT_NOT_FOUND
00:00:00.350001 VMSetError: Found no handler for unit 'i82078' instance #0
00:00:00.360000 Changing the VM state from 'LOADING' to 'LOAD_FAILURE'`;
const OTHER_HOLE = `00:00:00.586341 VMSetError: /build/src/VBox/VMM/VMMR3/PGMR3SavedState.cpp(1330) int pgmR3LoadRamConfig(PVM, PSSMHANDLE); rc=VERR_SSM_LOAD_CONFIG_MISMATCH
00:00:00.586345 VMSetError: pgm#1: Ram config mismatch: saved=1000000/20000000 config=1000000/24000000 (RAM/Hole) [ver=14 pass=#0]
00:00:00.586352 SSM: LoadExec failed for 'pgm' instance #1 (version 14, pass 0x0): VERR_SSM_LOAD_CONFIG_MISMATCH
00:00:00.586354 SSM: Unit at 0xed8, current position: offUnit=0x17e offUnitUser=0xc
00:00:00.588014 SSM: offCur=0x47225 fEndOfData=1 (rc=VERR_SSM_LOADED_TOO_MUCH)`;

describe('explainLog()', () => {
  it('names unit, instance, version and pass, with VirtualBox’s words', () => {
    // An error while the loader shows the rest of the unit is no failure of its own.
    const [first, ...consequences] = explainLog(OTHER_HOLE);
    expect(first).toMatchObject({
      unit: 'pgm',
      instance: 1,
      version: 14,
      pass: '0',
      lines: [1, 2, 3],
      explanation: { name: 'VERR_SSM_LOAD_CONFIG_MISMATCH' },
    });
    expect(first.messages).toEqual([
      'pgm#1: Ram config mismatch: saved=1000000/20000000 config=1000000/24000000 (RAM/Hole) [ver=14 pass=#0]',
    ]);
    expect(consequences).toEqual([]);
    expect(explainLog(OTHER_HOLE.split('\n').at(-1) ?? '')).toMatchObject([
      { explanation: { name: 'VERR_SSM_LOADED_TOO_MUCH' } },
    ]);
  });

  it('names the unit that the machine has no device for', () => {
    const findings = explainLog(NO_FLOPPY);
    expect(findings).toMatchObject([
      { unit: 'i82078', instance: 0, explanation: { name: 'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND' } },
    ]);
    expect(findings[0].messages).toEqual(["Found no handler for unit 'i82078' instance #0"]);
  });

  it('finds numbers, too, and nothing in a log without failures', () => {
    expect(explainLog('00:01 SSM: load failed, rc=-1843')).toMatchObject([
      { explanation: { name: 'VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH' } },
    ]);
    expect(explainLog('00:01 SSM: File header: Format 2.0\n00:02 VUSB: VERR_EOF\n')).toEqual([]);
    expect(explainLog('')).toEqual([]);
  });

  it('keeps the room for a log of rubbish small', () => {
    const reader = new LogReader();
    for (let i = 0; i < 20_000; i++)
      reader.line(`00:01 ${i}#${i}: VERR_SSM_UNEXPECTED_DATA unit 'x${i}' instance #${i} ${'word '.repeat(i % 50)}`);
    const findings = reader.end();
    expect(findings.length).toBe(1000);
    expect(JSON.stringify(findings).length).toBeLessThan(4_000_000);
    const same = explainLog(
      "00:01 SSM: LoadExec failed for 'mm' instance #1 (version 2, pass 0xffffffff): VERR_SSM_UNEXPECTED_DATA\n".repeat(
        5000,
      ),
    );
    expect(same).toHaveLength(1);
    expect(same[0].lines.length).toBeLessThanOrEqual(100);
    expect(same[0].lines.at(-1)).toBe(5000);
  });
});

const APIC = {
  unit: 'apic',
  instance: 0,
  version: 5,
  pass: 'final',
  explanation: { name: 'VERR_SSM_LOAD_CONFIG_MISMATCH' },
};
const APIC_WORDS =
  'apic#0: Config mismatch - uApicMode: saved=3 config=2 [ver=5 pass=final] (VERR_SSM_LOAD_CONFIG_MISMATCH)';
const VGA = {
  unit: 'vga',
  instance: 0,
  version: 11,
  pass: 'final',
  explanation: { name: 'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION' },
};
const VGA_WORDS =
  "Unsupported version 11 of data unit 'vga' (instance #0, pass 0xffffffff) (VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION)";

describe('explainLog() of messages that people paste', () => {
  it.each<[string, string, object, string]>([
    [
      'VBoxManage',
      `Waiting for VM "b" to power on...\nVBoxManage: error: ${APIC_WORDS}\nVBoxManage: error: Details: code E_FAIL (0x80004005)`,
      APIC,
      APIC_WORDS,
    ],
    ['VBoxManage.exe', `VBoxManage.exe: error: ${APIC_WORDS}`, APIC, APIC_WORDS],
    ['VBoxHeadless', `VBoxHeadless: error: ${APIC_WORDS}`, APIC, APIC_WORDS],
    ['nobody', APIC_WORDS, APIC, APIC_WORDS],
    [
      'a message box',
      `Failed to open a session for the virtual machine b.\n\n${VGA_WORDS}.\n\nResult Code: E_FAIL (0x80004005)\nComponent: ConsoleWrap`,
      VGA,
      `${VGA_WORDS}.`,
    ],
    ['a quotation', `> ${VGA_WORDS}`, VGA, VGA_WORDS],
    ['another program', `Stderr: VBoxManage: error: ${VGA_WORDS}`, VGA, VGA_WORDS],
  ])('finds unit, instance and version after the prefix of %s', (_who, text, expected, words) => {
    const [finding, ...more] = explainLog(text);
    expect(finding).toMatchObject(expected);
    expect(finding.messages.join()).toContain(words);
    expect(more).toEqual([]);
  });

  const XCR0 = "Failed to load unit 'cpum' (VERR_CPUM_INVALID_XCR0)";
  const NO_PORT = "Found no handler for unit 'serial' instance #0";

  it.each<[string, string, string, string]>([
    [
      'mail that was answered twice',
      `> > VBoxManage: error: ${NO_PORT}\n> > (VERR_SSM_INTEGRITY_UNIT_NOT_FOUND)`,
      'serial',
      'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND',
    ],
    ['a web page', `<p>${VGA_WORDS.replaceAll("'", '&#39;')}</p>`, 'vga', 'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION'],
    [
      'a word processor',
      'Failed to load unit \u2018hda\u2019 (VERR_SSM_LOADED_TOO_MUCH)',
      'hda',
      'VERR_SSM_LOADED_TOO_MUCH',
    ],
    [
      'a log in JSON',
      `{"msg":"VBoxManage: error: ${XCR0.replaceAll("'", '\\u0027')}\\n"}`,
      'cpum',
      'VERR_CPUM_INVALID_XCR0',
    ],
    ['a journal', `Mar 04 10:11:12 host VBoxHeadless[12]: ${XCR0}`, 'cpum', 'VERR_CPUM_INVALID_XCR0'],
    [
      'grep',
      `VBox.log.1:00:00:02.5 SSM: LoadExec failed for 'cpum' instance #1 (version 22, pass 0xffffffff): VERR_CPUM_INVALID_XCR0`,
      'cpum',
      'VERR_CPUM_INVALID_XCR0',
    ],
    [
      'a COM error',
      `ERROR [COM]: aRC=E_FAIL (0x80004005) aComponent={ConsoleWrap} aText={${APIC_WORDS}}, preserve=false`,
      'apic',
      'VERR_SSM_LOAD_CONFIG_MISMATCH',
    ],
    [
      'a Russian user interface',
      `Не удалось открыть сессию.\r\n\r\n${XCR0}.\r\n\r\nКод ошибки: E_FAIL\r\n`,
      'cpum',
      'VERR_CPUM_INVALID_XCR0',
    ],
    ['somebody who types', "failed to load unit 'pgm' (verr_ssm_integrity_crc)", 'pgm', 'VERR_SSM_INTEGRITY_CRC'],
    [
      'a line that was cut in its code',
      "VBoxManage: error: Failed to load unit 'ahci' (VERR_SSM_LOADED_TOO_",
      'ahci',
      'load-failed',
    ],
    ['a line that was cut before', "00:00:02.5 SSM: LoadExec failed for 'cpum' inst", 'cpum', 'load-failed'],
    ['a message that was cut', 'VBoxManage: error: pci#0: Device in slot 0x30 has been remo', 'pci', 'load-failed'],
  ])('finds unit and code in the words of %s', (_who, text, unit, name) => {
    expect(explainLog(text)).toMatchObject([{ unit, explanation: { name } }]);
  });

  it('finds the missing extension pack, which names no unit', () => {
    const text =
      "Implementation of the USB 2.0 controller not found! Because the USB 2.0 controller state is part of the saved VM state, the VM cannot be started. Install the 'Extension Pack' (VERR_NOT_FOUND).";
    const [{ explanation }] = explainLog(text);
    expect(explanation.name).toBe('VERR_NOT_FOUND');
    expect(explanation.next[0]).toMatch(/extension pack.*savkit adapt/);
  });

  it.each([20, 33, 60, 80])('puts messages together that were wrapped after %i columns', (columns) => {
    const atBlanks = (text: string) =>
      text
        .split(' ')
        .reduce((all, word) =>
          all.length - all.lastIndexOf('\n') + word.length > columns ? `${all}\n${word}` : `${all} ${word}`,
        );
    const hard = (text: string) => text.match(new RegExp(`.{1,${columns}}`, 'g'))?.join('\n') ?? '';
    expect(explainLog(atBlanks(VGA_WORDS))).toMatchObject([VGA]);
    expect(
      explainLog(
        `00:00:01.000000 ${atBlanks(VGA_WORDS)}\n00:00:02.000000 Console: Machine state changed to 'PoweredOff'`,
      ),
    ).toMatchObject([VGA]);
    if (columns > 50)
      expect(explainLog(hard(APIC_WORDS))).toMatchObject(
        [{ ...APIC, explanation: { name: /./ } }].map(({ explanation: _, ...place }) => place),
      );
  });

  it.each<[string, string]>([
    [
      "VBoxManage: error: Failed to save the machine state to '/vms/b/Snapshots/x.sav' (VERR_DISK_FULL)",
      'VERR_DISK_FULL',
    ],
    [
      "The saved state file '/vms/b/Snapshots/x.sav' is invalid (VERR_SSM_INTEGRITY_FOOTER). Delete the saved state and try again",
      'VERR_SSM_INTEGRITY_FOOTER',
    ],
    ["The saved state file '/vms/b/Snapshots/x.sav' is invalid (VERR_PATH_NOT_FOUND).", 'VERR_PATH_NOT_FOUND'],
    ["The saved state file '/vms/b/Snapshots/x.sav' is invalid (VERR_EOF).", 'VERR_EOF'],
    ['Failed to take snapshot. Error message: something (VERR_SOMETHING_NEW)', 'VERR_SOMETHING_NEW'],
    ['VBoxManage: error: Teleportation failed: VERR_SOMETHING_ELSE', 'VERR_SOMETHING_ELSE'],
    [
      "00:00:01.0 SSM: LoadExec failed for 'hda' instance #0 (version 8, pass 0xffffffff): VERR_BUFFER_UNDERFLOW",
      'VERR_BUFFER_UNDERFLOW',
    ],
    ["00:00:01.0 SSM: Execute save failed with rc=VERR_TIMEOUT for data unit 'ahci'/#0.", 'VERR_TIMEOUT'],
    ['00:00:01.0 Power up failed (vrc=VERR_NO_SUCH_CODE, rc=E_FAIL (0X80004005))', 'VERR_NO_SUCH_CODE'],
    ["00:00:01.0 Changing the VM state from 'LOADING' to 'LOAD_FAILURE'", 'load-failed'],
    ["00:00:01.0 VMSetError: Failed to load unit 'hda'", 'load-failed'],
  ])('takes for a failure: %s', (text, name) => {
    expect(explainLog(text)).toMatchObject([{ explanation: { name } }]);
    expect(explainLog(text)[0].messages.length).toBeGreaterThan(0);
    expect(explainLog(text)[0].explanation.next.length).toBeGreaterThan(0);
  });

  it.each([
    "00:00:01.0 Shared Clipboard: Failed to load module 'VBoxSharedClipboard', rc=VERR_FILE_NOT_FOUND",
    '00:00:01.0 VUSB: Failed to open device: VERR_ACCESS_DENIED',
    '00:00:01.0 Failed to save settings: VERR_ACCESS_DENIED',
    '00:00:01.0 AIOMgr: I/O manager 0x0: VERR_NOT_SUPPORTED',
    '00:00:01.0 SSM: File header: Format 2.0, VirtualBox Version 7.1.12 r169651, 64-bit host, cbGCPhys=8, cbGCPtr=8',
  ])('takes for none: %s', (text) => {
    expect(explainLog(text)).toEqual([]);
  });
});

describe('explainLog() of logs that end too early', () => {
  const step = (from: string, to: string) => `00:00:01.0 Changing the VM state from '${from}' to '${to}'\n`;
  const console = (to: string) => `00:00:01.0 Console: Machine state changed to '${to}'\n`;
  const save = console('Saving') + step('SUSPENDED', 'SAVING');
  const restore = console('Restoring') + step('CREATING', 'CREATED') + step('CREATED', 'LOADING');

  it.each<[string, string, string[]]>([
    ['saves', save, ['save-never-ended']],
    ['saves, by its own word', console('Saving'), ['save-never-ended']],
    ['saves live', console('LiveSnapshotting') + step('RUNNING', 'RUNNING_LS'), ['save-never-ended']],
    ['teleports', step('RUNNING_LS', 'SUSPENDING_LS'), ['save-never-ended']],
    ['loads', restore, ['load-never-ended']],
    ['has begun to load', console('Restoring') + step('CREATING', 'CREATED'), ['load-never-ended']],
    ['has saved', save + step('SAVING', 'SUSPENDED') + console('Saved') + step('SUSPENDED', 'POWERING_OFF'), []],
    ['has saved and ended', save + step('SAVING', 'SUSPENDED'), []],
    [
      'has loaded',
      restore +
        step('LOADING', 'SUSPENDED') +
        step('SUSPENDED', 'RESUMING') +
        step('RESUMING', 'RUNNING') +
        console('Running'),
      [],
    ],
    ['has loaded, and saves', restore + step('LOADING', 'SUSPENDED') + console('Running') + save, ['save-never-ended']],
    ['runs', step('POWERING_ON', 'RUNNING') + console('Running'), []],
    ['dies while it loads', restore + console('AbortedSaved'), ['load-never-ended']],
    ['dies while it saves', save + console('Aborted'), ['save-never-ended']],
  ])('tells whether a machine that %s did so to the end', (_what, log, names) => {
    expect(explainLog(log).map(({ explanation }) => explanation.name)).toEqual(names);
  });

  it('tells of a crash, and whether a state was loaded before', () => {
    const crash = '00:00:02.0 !!         Guru Meditation -2701 (VERR_VMM_RING0_ASSERTION)\n00:00:02.1 !! rip=1';
    expect(explainLog(restore + step('LOADING', 'SUSPENDED') + crash)).toMatchObject([
      { explanation: { name: 'guru-meditation' } },
    ]);
    expect(explainLog(crash)).toMatchObject([{ explanation: { name: 'guru-meditation-alone' } }]);
  });
});

describe('advice', () => {
  const adviceOf = (text: string) => explainLog(text)[0].explanation.next.join(' ');

  it('fits the cause', () => {
    expect(adviceOf(APIC_WORDS)).toMatch(/x2APIC.*Hyper-V/);
    expect(adviceOf(VGA_WORDS)).toMatch(/newer than the release/);
    expect(adviceOf("Failed to load unit 'cpum' (VERR_CPUM_INVALID_XCR0)")).toMatch(/Hyper-V/);
    expect(
      adviceOf(
        'ahci#0: The target VM is missing a device on port 1. [ver=9 pass=final] (VERR_SSM_LOAD_CONFIG_MISMATCH)',
      ),
    ).toMatch(/port/);
  });

  it.each([
    ["Failed to load unit 'cpum' (VERR_SSM_UNEXPECTED_DATA)", /--cpus.*savkit adapt/],
    ["Failed to load unit 'mm' (VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH)", /--memory.*savkit adapt/],
    ["Failed to load unit 'HGCM' (VERR_SSM_UNEXPECTED_DATA)", /3D.*savkit adapt/],
    ["Failed to load unit 'vga' (VERR_SSM_DATA_UNIT_FORMAT_CHANGED)", /--accelerate-3d/],
    ["Failed to load unit 'lsilogicscsi' (VERR_SSM_LOADED_TOO_LITTLE)", /2019.*savkit adapt/],
    ["Failed to load unit 'cpum' (VERR_CPUM_INCOMPATIBLE_XSAVE_COMP_MASK)", /AVX.*savkit adapt/],
    ['pci#0: Device vga/0 failed to respond to region #1 size/type changing (VERR_SSM_LOAD_CONFIG_MISMATCH)', /--vram/],
    [
      'pci#0: Device vga/0 failed to respond to region #1 size/type changing from 0x0000000000000010/0x1 to ' +
        '0x0000000000000000/0x0: VERR_VGA_UNEXPECTED_PCI_REGION_LOAD_CHANGE [ver=4 pass=final] ' +
        '(VERR_VGA_UNEXPECTED_PCI_REGION_LOAD_CHANGE)',
      /--graphicscontroller/,
    ],
  ])('fits the unit of %s', (text, words) => {
    expect(adviceOf(text)).toMatch(words);
  });

  it('of a machine that could not be built is not about devices', () => {
    // As 7.2.22 wrote it, of a machine with an internal setting of a value that it does not know.
    const log = `00:00:00.369315 VMSetError: /build/src/VBox/VMM/VMMR3/TMR3.cpp(410) int TMR3Init(PVM); rc=VINF_SUCCESS
00:00:00.369317 VMSetError: Configuration error: Unrecognized TM TSC mode value "NoSuch"
00:00:00.491315 VMSetError: /build/src/VBox/VMM/VMMR3/SSMR3.cpp(9211) int ssmR3LoadExecV2(PVM, PSSMHANDLE); rc=VERR_SSM_INTEGRITY_UNIT_NOT_FOUND
00:00:00.491320 VMSetError: Found no handler for unit 'tm' instance #1`;
    const [first, ...more] = explainLog(log);
    expect(more).toEqual([]);
    expect(first.messages[0]).toContain('Unrecognized TM TSC mode');
    expect(first.explanation.next[0]).toMatch(/getextradata/);
    expect(first.explanation.next.join()).not.toContain('no such device');
    expect(adviceOf("Found no handler for unit 'serial' instance #0 (VERR_SSM_INTEGRITY_UNIT_NOT_FOUND)")).toContain(
      'no such device',
    );
  });

  it('names the release that wrote the state, where another one runs', () => {
    const log = (runs: string) =>
      `00:00:00.1 VirtualBox VM ${runs} r1 linux.amd64 release log\n00:00:00.2 SSM: File header: Format 2.0, VirtualBox Version 4.2.18 r88780, 64-bit host\n00:00:00.3 ${VGA_WORDS}`;
    expect(adviceOf(log('7.2.22'))).toContain('written by VirtualBox 4.2.18, this log is of 7.2.22');
    expect(adviceOf(log('4.2.18'))).not.toContain('written by');
  });
});

describe('lines as long as nobody writes them', () => {
  it.each(['a', 'a-', ' ', 'VERR_'])('of %j take no time', (words) => {
    const line = words.repeat(16_000 / words.length);
    const since = process.cpuUsage();
    const log = explainLog(Array.from({ length: 20 }, () => `error: ${line}`).join('\n'));
    expect(log).toEqual([]);
    // 100 ms on an idle host.
    expect(process.cpuUsage(since).user / 1000).toBeLessThan(2000);
  });
});
