import { describe, expect, it } from 'vitest';
import { explainLog } from './log-reader.ts';

const found = (text: string) =>
  explainLog(text).map(({ unit, instance, explanation: { name } }) =>
    [name, unit, instance].filter((part) => part !== undefined).join(' '),
  );

describe('explainLog() of whole logs of 7.2.22', () => {
  it('takes what a device says before its code for a part of the failure', () => {
    const log = `00:00:00.394406 SSM:   OSE: true
00:00:00.394500 PCI: New device in slot 0x18, pcnet (vendor=0x1022 device=0x2000)
00:00:00.394544 VMSetError: /build/src/VBox/Devices/Bus/DevPCI.cpp(1080) int pciR3CommonLoadExec(PPDMDEVINS); rc=VERR_SSM_LOAD_CONFIG_MISMATCH
00:00:00.394549 VMSetError: pci#0: New device in slot 0x18, pcnet (vendor=0x1022 device=0x2000) [ver=4 pass=final]
00:00:00.394556 SSM: LoadExec failed for 'pci' instance #0 (version 4, pass 0xffffffff): VERR_SSM_LOAD_CONFIG_MISMATCH
00:00:00.394665 Changing the VM state from 'LOADING' to 'LOAD_FAILURE'`;
    expect(found(log)).toEqual(['VERR_SSM_LOAD_CONFIG_MISMATCH pci 0']);
    expect(explainLog(log)[0].messages).toContain('PCI: New device in slot 0x18, pcnet (vendor=0x1022 device=0x2000)');
  });

  it('takes a unit with its number and without for the same', () => {
    expect(
      found(`00:00:00.345617 SSM: LoadExec failed for 'pgm' instance #1 (version 14, pass 0xffffffff): VERR_SSM_INTEGRITY_REC_TERM_CRC
00:00:00.345643 VMSetError: Failed to load unit 'pgm'
00:00:00.384347 ERROR [COM]: aRC=NS_ERROR_FAILURE (0x80004005) aComponent={ConsoleWrap} aText={Failed to load unit 'pgm' (VERR_SSM_INTEGRITY_REC_TERM_CRC)}, preserve=false aResultDetail=-1824`),
    ).toEqual(['VERR_SSM_INTEGRITY_REC_TERM_CRC pgm 1']);
  });

  const NOTE = '00:00:00.2 RTC: Config mismatch - fUTC: saved=false config=true';

  it('takes a difference that the loader has only noted for none', () => {
    const log = (end: string) => `00:00:00.1 Changing the VM state from 'CREATED' to 'LOADING'
${NOTE}
00:00:00.3 Changing the VM state from 'LOADING' to '${end}'`;
    expect(found(log('SUSPENDED'))).toEqual([]);
    expect(found(log('LOAD_FAILURE'))).toEqual(['load-failed']);
    expect(found(NOTE)).toEqual(['load-failed']);
  });
});

describe('explainLog() of a window of VirtualBox', () => {
  it.each([
    'Не удалось открыть сессию для виртуальной машины w.',
    "Échec de l'ouverture de session pour la machine virtuelle w.",
    'No se pudo abrir una sesión para la máquina virtual w.',
    'Impossibile aprire una sessione per la macchina virtuale w.',
    'Falha ao abrir uma sessão para a máquina virtual w.',
    'Nie udało się otworzyć sesji dla maszyny wirtualnej w.',
    'Nepodařilo se otevřít relaci pro virtuální počítač w.',
    'Openen van een sessie voor de virtuele machine w is mislukt.',
    'w sanal makinesi için bir oturum açılamadı.',
    'Не вдалося відкрити сеанс для віртуальної машини w.',
    '仮想マシン"w"のセッションを開けませんでした。',
    '無法開啟虛擬機器 w 的工作階段。',
    '가상 머신 w의 세션을 열 수 없습니다.',
    'VirtualBox - Error: Failed to open a session',
  ])('knows that a machine did not start: %s', (words) => {
    const details = 'E_FAIL (0x80004005)\n\nMachineWrap\n\nIMachine {b2547866-a0a1-4391-8b86-6952d82efaa0}';
    expect(found(`${words}\n\n${details}`)).toEqual(['start-failed']);
    const reason = "Failed to load unit 'pci' (VERR_SSM_LOAD_CONFIG_MISMATCH).";
    expect(found(`${words}\n\n${reason}\n\n${details}`)).toContain('VERR_SSM_LOAD_CONFIG_MISMATCH pci');
  });

  it.each([
    [
      'Failed to save the state of the virtual machine <b>w</b>.\n\nThe state could not be stored: VERR_NO_MEMORY',
      'VERR_NO_MEMORY',
    ],
    [
      `Failed to restore the snapshot <b>s</b> of the virtual machine <b>w</b>.

Could not open the medium storage unit '/x/y.vdi'.
VD: error VERR_FILE_NOT_FOUND opening image file '/x/y.vdi' (VERR_FILE_NOT_FOUND).

Result Code: VBOX_E_FILE_ERROR (0x80BB0004)`,
      'VERR_FILE_NOT_FOUND',
    ],
    [
      'Failed to open a session for the virtual machine w.\n\nVT-x is not available (VERR_VMX_NO_VMX).',
      'VERR_VMX_NO_VMX',
    ],
    [
      'Failed to open a session.<br>Failed to load unit <b>pgm</b> (VERR_SSM_LOADED_TOO_MUCH).',
      'VERR_SSM_LOADED_TOO_MUCH pgm',
    ],
  ])('finds the reason in a later paragraph: %s', (text, expected) => {
    expect(found(text)).toEqual([expected]);
  });
});

describe('explainLog() of what VBoxManage says', () => {
  it.each([
    ["error: The machine 'w' is already locked by a session (or being locked or unlocked)", 'machine-in-use'],
    ["error: Could not find a snapshot named 'base' (VBOX_E_OBJECT_NOT_FOUND)", 'state-failed'],
    ['error: Snapshot operation failed', 'state-failed'],
    ["error: The machine 'w' is not in saved state (VBOX_E_INVALID_VM_STATE)", 'state-failed'],
    ['error: Failed to load the saved state: 0xFFFFF8CC', 'VERR_SSM_LOAD_CONFIG_MISMATCH'],
    ["error: Failed to load unit 'ahci' (VERR_SSM_LOAD_CONF", 'VERR_SSM_LOAD_CONFIG_MISMATCH ahci'],
    ["error: Failed to load unit 'ahci' (VERR_SSM_LOAD", 'VERR_SSM_LOAD ahci'],
    [
      "error: Unknown unit name 'VBoxSF' instance 0; VERR_SSM_INTEGRITY_UNIT_NOT_FOUND",
      'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND VBoxSF 0',
    ],
  ])('%s', (text, expected) => {
    expect(found(`VBoxManage: ${text}`)).toEqual([expected]);
    expect(found(`VBoxManage.exe: ${text}`)).toEqual([expected]);
  });

  it('is no failure of a state where the message is about something else', () => {
    expect(found('VBoxManage: error: Could not create the host-only interface (VERR_ACCESS_DENIED)')).toEqual([]);
  });
});
