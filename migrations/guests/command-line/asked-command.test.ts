import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { wordsOf, wordsOfOptions } from '../../../src/saved-state/qemu-check/command-words.ts';
import { askedCommand } from './asked-command.ts';

const outside = realpathSync(mkdtempSync(join(tmpdir(), 'savkit-asked-')));
const folder = join(outside, 'guests');
mkdirSync(folder);
for (const path of [`${outside}/secret`, `${folder}/disk.qcow2`, `${folder}/vmlinuz`]) writeFileSync(path, '');
/** Bytes that a guest may write to the start of its raw disk: the head of a qcow2 image that goes on in another file. */
function headNaming(backing: bigint, flags: bigint): Buffer {
  const head = Buffer.alloc(512);
  head.write('QFI\u00fb', 'latin1');
  head.writeUInt32BE(3, 4);
  head.writeBigUInt64BE(backing, 8);
  head.writeBigUInt64BE(flags, 72);
  return head;
}
writeFileSync(`${folder}/overlay.raw`, headNaming(512n, 0n));
writeFileSync(`${folder}/data.raw`, headNaming(0n, 4n));
symlinkSync(`${outside}/secret`, `${folder}/link`);
afterAll(() => rmSync(outside, { recursive: true, force: true }));

const OWN = { program: '/here/qemu', options: [{ name: 'L', value: '/here/share' }] };
const asked = (words: readonly string[]) => askedCommand(Buffer.from(JSON.stringify(words)), OWN, folder);
const taken = (line: string) => wordsOfOptions(asked(['/evil/qemu', ...wordsOf(line)]).options).join(' ');
const BEGIN = '-L /here/share';
const END = '-display none';

describe('askedCommand()', () => {
  it('takes over what makes the machine, with the program and the data of this host', () => {
    const machine = `-name a -nodefaults -machine pc-i440fx-7.2,memory-backend=pc.ram,acpi=off -accel tcg -m size=16384k -smp 1,sockets=1 -cpu qemu64 -uuid c44a0256-9f10-4fba-94c1-3596721b72dc -kernel ${folder}/vmlinuz -append root=/dev/vda`;
    const devices = `-blockdev driver=qcow2,node-name=disk0,file.driver=file,file.filename=${folder}/disk.qcow2 -device virtio-blk-pci,id=vd0,drive=disk0 -netdev user,id=n0,net=10.0.2.0/24 -device e1000,netdev=n0,mac=52:54:00:12:34:56 -drive file=${folder}/disk.qcow2,format=qcow2,if=none,id=d1 -no-reboot -S`;
    const taken_ = taken(
      `${machine} ${devices} -L /evil -daemonize -pidfile /etc/x -qmp unix:/q,server=on -D /etc/cron`,
    );
    expect(taken_).toBe(`${BEGIN} ${machine} ${devices.replace(' -S', '')} ${END}`);
    expect(asked(['/evil/qemu', '-S']).program).toBe('/here/qemu');
  });

  it('gives a guest memory of its own, and ports that end nowhere', () => {
    const memfd = '-object memory-backend-memfd,id=pc.ram,size=16M,share=on';
    expect(taken('-object memory-backend-file,id=pc.ram,size=16M,mem-path=/dev/shm/a,share=on')).toBe(
      `${BEGIN} ${memfd} ${END}`,
    );
    expect(taken('-object memory-backend-ram,id=pc.ram,size=16M')).toBe(`${BEGIN} ${memfd} ${END}`);
    // Nothing of it is taken at once: nobody knows yet how much the guest may have.
    expect(taken('-object memory-backend-ram,id=pc.ram,size=16M,prealloc=on -overcommit mem-lock=on')).toBe(
      `${BEGIN} ${memfd} ${END}`,
    );
    const json =
      '{"qom-type":"memory-backend-file","id":"pc.ram","mem-path":"/dev/shm/a","share":true,"x-use-canonical-path-for-ramblock-id":false,"size":16777216}';
    expect(asked(['qemu', '-object', json]).options[1].value).toBe(
      'memory-backend-memfd,id=pc.ram,x-use-canonical-path-for-ramblock-id=off,size=16777216,share=on',
    );
    const ports =
      '-chardev socket,id=ser,path=/run/x,server=on,wait=off,logfile=/etc/x -serial chardev:ser -serial file:/etc/passwd -parallel none -vnc :0';
    expect(taken(ports)).toBe(`${BEGIN} -chardev null,id=ser -serial chardev:ser -serial null -parallel none ${END}`);
  });

  it("takes over the command line of libvirt's guests", () => {
    const words = [
      ...['/usr/bin/qemu-system-x86_64', '-name', 'guest=vm1,debug-threads=on', '-S'],
      ...['-object', '{"qom-type":"secret","id":"masterKey0","format":"raw","file":"/var/lib/libvirt/qemu/key.aes"}'],
      ...['-sandbox', 'on,obsolete=deny', '-chardev', 'socket,id=charmonitor,fd=24,server=on,wait=off'],
      ...['-mon', 'chardev=charmonitor,id=monitor,mode=control', '-audiodev', '{"id":"audio1","driver":"none"}'],
      ...[
        '-blockdev',
        JSON.stringify({
          driver: 'qcow2',
          'node-name': 'd',
          file: { driver: 'file', filename: `${folder}/disk.qcow2` },
          backing: null,
        }),
      ],
      ...[
        '-device',
        '{"driver":"virtio-blk-pci","bus":"pci.0","addr":"0x3","drive":"d","id":"virtio-disk0","bootindex":1}',
      ],
    ];
    expect(asked(words).options.map(({ name }) => name)).toEqual([
      'L',
      'name',
      'sandbox',
      'chardev',
      'audiodev',
      'blockdev',
      'device',
      'display',
    ]);
  });

  it("keeps this host's own sandbox, and no other beside it", () => {
    const own = { ...OWN, options: [{ name: 'sandbox', value: 'on' }] };
    const words = ['qemu', '-sandbox', 'off', '-name', 'a'];
    const { options } = askedCommand(Buffer.from(JSON.stringify(words)), own, folder);
    expect(wordsOfOptions(options).join(' ')).toBe(`-sandbox on -name a ${END}`);
  });

  it('takes over cards of all their models, and images in nodes of their own', () => {
    const devices = '-device e1000-82545em -device i82557b -device ich9-usb-ehci1,id=usb';
    const nodes = `-blockdev driver=file,filename=${folder}/disk.qcow2,node-name=n-storage -blockdev {"driver":"qcow2","node-name":"n-format","file":"n-storage","backing":null}`;
    expect(asked(['qemu', ...`${devices} ${nodes}`.split(' ')]).options.length).toBe(1 + 5 + 1);
  });

  it('takes over images whose heads name other files, where the command line says what lies behind them', () => {
    const raw = `-drive file=${folder}/overlay.raw,format=raw`;
    const file = `"file":{"driver":"file","filename":"${folder}/overlay.raw"}`;
    const alone = `-blockdev {"driver":"qcow2","node-name":"d",${file},"backing":null}`;
    const base = `-blockdev driver=raw,node-name=b,file.driver=file,file.filename=${folder}/vmlinuz`;
    const onBase = `-blockdev {"driver":"qcow2","node-name":"d",${file},"backing":"b"}`;
    for (const line of [raw, alone, `${base} ${onBase}`])
      expect(() => asked(['qemu', ...line.split(' ')]), line).not.toThrow();
  });

  it.each([
    ['an image whose head names another file', `-drive file=${folder}/overlay.raw,format=qcow2`],
    ['an image whose data is elsewhere', `-drive file=${folder}/data.raw,format=qcow2`],
    [
      'an image whose data is elsewhere, with nothing behind it',
      `-blockdev {"driver":"qcow2","node-name":"d","file":{"driver":"file","filename":"${folder}/data.raw"},"backing":null}`,
    ],
    [
      'such an image in a node of its own',
      `-blockdev driver=file,filename=${folder}/overlay.raw,node-name=s -blockdev driver=qcow2,node-name=f,file=s`,
    ],
    [
      'such an image in an image',
      `-blockdev {"driver":"qcow2","backing":null,"node-name":"d","file":{"driver":"qcow2","file":{"driver":"file","filename":"${folder}/overlay.raw"}}}`,
    ],
    ['sound of this host', '-device intel-hda -device hda-duplex'],
    ['a format that finds its data by names', `-drive file=${folder}/vmlinuz,format=vmdk`],
    ['a format that is none of an image', `-drive file=${folder}/vmlinuz,format=vvfat`],
    [
      'an image without its lock',
      `-blockdev driver=raw,node-name=d,file.driver=file,file.filename=${folder}/vmlinuz,file.locking=off`,
    ],
    [
      'an image that another guest writes to',
      `-blockdev driver=raw,node-name=d,read-only=on,force-share=on,file.driver=file,file.filename=${folder}/vmlinuz`,
    ],
    ['a node by a protocol', '-blockdev {"driver":"qcow2","node-name":"n","file":"nbd:h:1"}'],
    ['a file with no folder', '-blockdev driver=file,node-name=n,filename=secret'],
    ['a program', '-netdev tap,id=n,ifname=t0,script=/bin/sh'],
    ['a program of the host', '-netdev tap,id=n'],
    ['a program by a name', '-netdev tap,id=n,script=evil'],
    ['a helper', '-netdev bridge,id=n,helper=/bin/sh'],
    ['ports of this host', '-netdev user,id=n,hostfwd=tcp::22-:22'],
    ['programs for connections', '-netdev user,id=n,guestfwd=tcp:10.0.2.1:7-cmd:/bin/sh'],
    ['a folder of this host', '-netdev user,id=n,smb=/etc'],
    ['a socket', '-netdev socket,id=n,listen=:1234'],
    ['any other option', '-readconfig /etc/x'],
    ['plugins', '-plugin /tmp/x.so'],
    ['a disk out of the folder', `-drive file=${outside}/secret,format=raw`],
    ['a disk without a key', '-drive /etc/shadow,format=raw'],
    ['a file in place of a kind', '-k /etc/shadow'],
    ['a disk by a link', `-drive file=${folder}/link,format=raw`],
    ['a disk by dots', `-drive file=${folder}/../secret,format=raw`],
    ['a disk by a protocol', '-drive file=nbd:unix:/run/x,format=raw'],
    ['a disk by a path from nowhere', '-drive file=disk.qcow2,format=qcow2'],
    ['a disk that is not there', `-drive file=${folder}/none,format=raw`],
    ['a disk whose format QEMU guesses', `-drive file=${folder}/disk.qcow2`],
    ['a disk thrown away', `-drive file=${folder}/disk.qcow2,format=qcow2,snapshot=on`],
    ['a disk through a back door', `-drive file.driver=nbd,file.host=h,format=raw`],
    ['a device of this host', '-blockdev driver=host_device,filename=/dev/sda,node-name=d'],
    ['a disk of another host', '-blockdev driver=raw,node-name=d,file.driver=nbd,file.server.host=h'],
    [
      'a backing file elsewhere',
      `-blockdev driver=qcow2,node-name=d,file.driver=file,file.filename=${folder}/disk.qcow2,backing.driver=file,backing.filename=/etc/passwd`,
    ],
    ['a folder for the guest', '-fsdev local,id=f,path=/,security_model=none'],
    ['a device that loads files', '-device loader,file=/etc/shadow,addr=0'],
    ['a device of this host', '-device vfio-pci,host=01:00.0'],
    ['a ROM of this host', '-device e1000,romfile=/etc/shadow'],
    ['a ROM by way of a global', '-global e1000.romfile=/etc/shadow'],
    ['files for the firmware', '-fw_cfg name=opt/x,file=/etc/shadow'],
    ['secrets', '-object secret,id=s,file=/etc/shadow'],
    ['tables from files', '-smbios file=/etc/shadow'],
    ['a kernel of this host', '-kernel /etc/shadow'],
    ['a machine with files', '-machine pc,kernel=/etc/shadow'],
    ['monitors on devices', '-device isa-debug-exit'],
    ['names of prototypes', '-constructor x'],
    ['a kind that another one follows', '-device e1000,driver=usb-host,hostbus=1,hostaddr=2'],
    ['a net that another kind follows', '-netdev user,id=n,type=socket,listen=:1234'],
    ['an object that another kind follows', '-object iothread,id=x,qom-type=can-host-socketcan,if=can0'],
    ['JSON of two kinds', '-device {"type":"e1000","driver":"usb-host","hostbus":"1"}'],
    ['programs in a list', '-netdev {"type":"user","id":"n","guestfwd":[{"str":"tcp:10.0.2.1:7-cmd:reboot"}]}'],
    ['ports in a list', '-netdev {"type":"user","id":"n","hostfwd":[{"str":"tcp::22-:22"}]}'],
    ['JSON where QEMU reads none', '-fw_cfg {"name":"opt/a,file=/etc/shadow,name=opt/b"}'],
    ['a key after two commas', '-netdev user,id=n,x,,hostfwd=tcp::22-:22'],
    ["files of QEMU's folder", '-machine pc,initrd=secret'],
    ['a file to be written there', '-icount shift=7,rr=record,rrfile=secret'],
    ['a tree to be written there', '-machine microvm,dumpdtb=secret'],
    ['a picture there', '-boot splash=secret.jpg'],
    ['a ROM by a property', '-global driver=e1000,property=romfile,value=secret'],
    ['several files in one', `-initrd ${folder}/vmlinuz,/etc/shadow`],
    ['JSON that is none', '-device {"driver":'],
  ])('refuses %s: %s', (_what, line) => {
    expect(() => asked(['qemu', ...line.split(' ')])).toThrow(expect.objectContaining({ code: 'harmful-option' }));
  });

  it.each([['[]'], ['{}'], ['[1]'], ['x'], ['["qemu","-S",[]]']])(
    'says that there is no command line in %s',
    (outline) => {
      const ask = () => askedCommand(Buffer.from(outline), OWN, folder);
      expect(ask).toThrow(expect.objectContaining({ code: 'no-command-line' }));
    },
  );
});

it('says so where its own folder is not there', () => {
  const words = Buffer.from(JSON.stringify(['qemu', '-kernel', `${folder}/vmlinuz`]));
  expect(() => askedCommand(words, OWN, join(outside, 'none'))).toThrow(
    expect.objectContaining({
      code: 'harmful-option',
      message: expect.stringContaining(`the folder ${outside}/none is not there`),
    }),
  );
});
