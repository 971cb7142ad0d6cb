import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, openSync } from 'node:fs';
import { neededPrograms } from '../doctor/cloud-checks.ts';
import { which } from '../doctor/probes.ts';
import { CliError } from '../errors.ts';
import { logFile } from '../process/parts.ts';
import type { UpContext } from './context.ts';

/** Installs from the distribution what this host lacks. */
export async function installPackages(context: UpContext): Promise<string> {
  const missing = neededPrograms.filter(({ program }) => which(program) === undefined).map((entry) => entry.package);
  if (missing.length === 0) return 'nothing missing';
  const command = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  if (!context.options.install) throw new CliError('GY-PKG-001', `packages are missing and --no-install was given: ${missing.join(', ')}`, { next: command });
  context.say(`installing from the distribution: ${missing.join(', ')}`);
  const log = logFile(context.settings.data_dir, 'apt');
  const install = ['install', '-y', '--no-install-recommends', ...missing];
  // A package list may be absent or too old: then it is fetched once.
  const done = (await apt(install, log, context.signal)) || ((await apt(['update'], log, context.signal)) && (await apt(install, log, context.signal)));
  if (!done) throw new CliError('GY-PKG-002', `apt-get could not install ${missing.join(', ')}`, { log, next: `apt-get update && ${command}` });
  return missing.join(', ');
}

function apt(args: string[], log: string, signal: AbortSignal): Promise<boolean> {
  appendFileSync(log, `\n$ apt-get ${args.join(' ')}\n`);
  const file = openSync(log, 'a');
  return new Promise((resolve) => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const child = spawn('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=60', ...args], { env, stdio: ['ignore', file, file], signal });
    child.once('error', () => resolve(false));
    child.once('close', (code) => {
      closeSync(file);
      resolve(code === 0);
    });
  });
}
