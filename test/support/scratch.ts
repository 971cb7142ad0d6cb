import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'gantry-test-';
let root: string | undefined;

/** A new directory of this test process; goes when the process ends, or when a later one finds that it was killed. */
export function scratchDirectory(name: string): string {
  root ??= createRoot();
  return mkdtempSync(join(root, `${name}-`));
}

function createRoot(): string {
  sweep();
  const made = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}

function sweep(): void {
  for (const entry of readdirSync(tmpdir())) {
    const pid = /^gantry-test-(\d+)-/.exec(entry)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    rmSync(join(tmpdir(), entry), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
