import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { until } from '../../../src/cli/process/parts.ts';
import { scratchDirectory } from '../../support/scratch.ts';

export interface Ran {
  status: number;
  stdout: string;
  stderr: string;
}

/** A machine with nothing set up, on this one: own processes, network, /run, engine settings and runtime. Ends with all that runs in it. */
export interface BareMachine {
  data_dir: string;
  home: string;
  run(script: string): Promise<Ran>;
  gantry(...args: string[]): Promise<Ran>;
  /** Command lines of what runs, without the machine's own first process. */
  processes(): Promise<string[]>;
  end(): Promise<void>;
}

const checkout = resolve(import.meta.dirname, '../../..');

/** PID 1 reaps what is handed to it, as an init does. */
const boot = `
mount -t tmpfs tmpfs /run && mkdir -p /run/lock /run/netns
mount -t tmpfs tmpfs /usr/local/lib
[ ! -d /etc/docker ] || mount -t tmpfs tmpfs /etc/docker
ip link set lo up
touch "$1"
while :; do sleep 1000 & wait; done`;

export async function bareMachine(): Promise<BareMachine> {
  const folder = scratchDirectory('machine');
  // The unprivileged controller has to get through.
  for (const path of [folder, dirname(folder)]) chmodSync(path, 0o711);
  const home = join(folder, 'home');
  mkdirSync(home);
  const ready = join(folder, 'ready');
  // Whatever ends this test ends the machine (pdeathsig) and every process in it (--kill-child).
  const init = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private', 'sh', '-c', boot, 'sh', ready], { stdio: 'ignore' });
  if (!(await until(() => existsSync(ready), 10_000))) throw new Error('the bare machine does not start');
  const pid = childOf(init);
  const env = { PATH: process.env['PATH'], HOME: home, CI: '1' };
  const enter = (args: string[]): Promise<Ran> => collect(spawn('nsenter', ['--target', String(pid), '--mount', '--net', '--pid', ...args], { cwd: checkout, env, stdio: ['ignore', 'pipe', 'pipe'] }));
  const data_dir = join(folder, 'data');
  return {
    data_dir,
    home,
    run: (script) => enter(['sh', '-c', script]),
    gantry: (command, ...args) => enter([join(checkout, 'gantry'), command!, '--data-dir', data_dir, ...args]),
    async processes() {
      const { stdout } = await enter(['ps', '-eo', 'pid=,stat=,args=']);
      return stdout.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !/^\d+ Z/.test(line) && !/^1 | ps -eo | sleep 1000$/.test(line));
    },
    async end() {
      init.kill('SIGKILL');
      await until(() => !existsSync(`/proc/${pid}`), 10_000);
      for (const mount of mountsBelow(folder)) spawnSync('umount', ['--lazy', mount]);
    },
  };
}

function childOf(parent: ChildProcess): number {
  return Number(readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8').trim().split(' ')[0]);
}

function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '').filter((point) => point.startsWith(`${folder}/`)).reverse();
}

function collect(child: ChildProcess): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => void (stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', (code) => done({ status: code ?? 1, stdout, stderr }));
  });
}
