/**
 * User data for an image without cloud-init, as one shell script that runs in the guest once it has started: the subset that
 * people use, in cloud-init's order. What is not understood is said on the console, and the rest is done. Pure.
 */
import { parse } from 'yaml';
import { gunzipSync } from 'node:zlib';
import { userDataParts } from './parts.ts';

type Config = Record<string, unknown>;

export const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Where it lies in the guest, and what it leaves. */
export const SCRIPT_PATH = '/var/lib/gantry/user-data/run.sh';
const FOLDER = '/var/lib/gantry/user-data';

const DONE_ELSEWHERE = new Set(['final_message', 'manage_etc_hosts', 'preserve_hostname', 'output', 'ssh_pwauth', 'disable_root', 'cloud_init_modules', 'cloud_config_modules', 'cloud_final_modules', 'datasource', 'merge_how', 'package_update', 'package_upgrade']);

/** Undefined when there is nothing to do. `user`: whose authorized_keys are meant where no user is named. */
export function bootScript(data: Buffer, user: string): string | undefined {
  let parts;
  try {
    parts = userDataParts(data);
  } catch (error) {
    return wrap([say(`could not be read: ${error instanceof Error ? error.message : String(error)}`)]);
  }
  if (parts.length === 0) return undefined;
  const early: string[] = [];
  const steps: string[] = [];
  const late: string[] = [];
  for (const [index, part] of parts.entries()) {
    if (part.kind === 'cloud-config') configSteps(part.body.toString('utf8'), user, { early, steps, late });
    else if (part.kind === 'unknown') steps.push(say(`a part is not understood and left out: ${part.name.slice(0, 80)}`));
    else (part.kind === 'boothook' ? early : late).push(runScript(part.body, index));
  }
  return wrap([...early, ...steps, ...late]);
}

interface Steps {
  early: string[];
  steps: string[];
  late: string[];
}

const say = (text: string): string => `say ${quote(text)}`;

function wrap(steps: readonly string[]): string {
  return [
    '#!/bin/sh',
    // The console is what the first process writes to; where that may not be opened, a file has to do.
    'if (: >>/proc/1/fd/1) 2>/dev/null; then exec >>/proc/1/fd/1 2>&1; else mkdir -p /var/log; exec >>/var/log/user-data.log 2>&1; fi',
    'exec </dev/null',
    'failed=0',
    `say() { echo "user-data: $*"; }`,
    `step() { "$@" || { say "$1 failed with $?"; failed=1; }; }`,
    `cd / || exit 1`,
    `export HOME=/root PATH="\${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}"`,
    ...steps,
    '[ $failed = 0 ] && say done || say "done, with failures"',
    '',
  ].join('\n');
}

/** As a file of its own, by its first line; or by the shell where that names no program of the image. */
function runScript(body: Buffer, index: number): string {
  const path = `${FOLDER}/part-${String(index + 1).padStart(3, '0')}`;
  return [writeFile(path, body, '0700'), `say ${quote(`runs part ${index + 1}`)}`, `${quote(path)} || { say "part ${index + 1} ended with $?"; failed=1; }`].join('\n');
}

function writeFile(path: string, body: Buffer, mode: string, append = false): string {
  const folder = path.slice(0, path.lastIndexOf('/')) || '/';
  return [
    `mkdir -p ${quote(folder)}`,
    `${octal(body)} ${append ? '>>' : '>'} ${quote(path)} || { say ${quote(`${path} could not be written`)}; failed=1; }`,
    `chmod ${quote(mode)} ${quote(path)}`,
  ].join('\n');
}

/** By printf alone: images need not have base64. Bytes that a shell could take for its own are written as octal numbers. */
function octal(body: Buffer): string {
  const chunks: string[] = [];
  for (let at = 0; at < body.length; at += 4096) {
    const text = [...body.subarray(at, at + 4096)].map((byte) => (/[A-Za-z0-9 _.,:/+=@#-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `\\0${byte.toString(8).padStart(3, '0')}`)).join('');
    chunks.push(`printf '%b' '${text}'`);
  }
  return chunks.length === 0 ? '{ :; }' : `{ ${chunks.join('; ')}; }`;
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : '');

function configSteps(text: string, user: string, into: Steps): void {
  let config: Config;
  try {
    const read: unknown = parse(text);
    if (typeof read !== 'object' || read === null || Array.isArray(read)) throw new Error('it holds no settings');
    config = read as Config;
  } catch (error) {
    into.steps.push(say(`the cloud-config is not YAML: ${error instanceof Error ? error.message.split('\n')[0]! : ''}`));
    return;
  }
  const { early, steps, late } = into;
  for (const key of Object.keys(config)) if (!KNOWN.has(key) && !DONE_ELSEWHERE.has(key)) steps.push(say(`"${key}" is not understood here and left out`));
  if (listOf(config['packages']).length > 0) steps.push(say('packages are not installed here: put them into the image, or install them by runcmd'));
  for (const command of listOf(config['bootcmd'])) early.push(commandLine(command));
  const name = textOf(config['fqdn']) || textOf(config['hostname']);
  if (name !== '') steps.push(`hostname ${quote(name)} 2>/dev/null || say ${quote(`the name ${name} cannot be set from inside a container; rename the server instead`)}`);
  for (const file of listOf(config['write_files'])) steps.push(fileStep(file as Config));
  for (const one of listOf(config['users'])) steps.push(...userSteps(one));
  steps.push(...keySteps(user, listOf(config['ssh_authorized_keys'])));
  if (textOf(config['password']) !== '') steps.push(passwordStep(user, textOf(config['password'])));
  for (const line of passwordLines(config['chpasswd'])) steps.push(passwordStep(line[0], line[1]));
  const timezone = textOf(config['timezone']);
  if (timezone !== '') steps.push(`ln -sf ${quote(`/usr/share/zoneinfo/${timezone}`)} /etc/localtime`);
  for (const command of listOf(config['runcmd'])) late.push(commandLine(command));
}

const KNOWN = new Set(['bootcmd', 'hostname', 'fqdn', 'write_files', 'users', 'ssh_authorized_keys', 'password', 'chpasswd', 'timezone', 'runcmd', 'packages']);

/** A text is for the shell, a list is a program and its words. */
function commandLine(command: unknown): string {
  const line = Array.isArray(command) ? command.map((word) => quote(textOf(word))).join(' ') : textOf(command);
  return line === '' ? ':' : `step sh -c ${quote(line)}`;
}

function fileStep(file: Config): string {
  const path = textOf(file['path']);
  if (!path.startsWith('/') || path.endsWith('/')) return say(`write_files: "${path}" is no absolute path of a file`);
  const encoding = textOf(file['encoding']).toLowerCase();
  const raw = textOf(file['content']);
  let body: Buffer;
  try {
    body = /b64|base64/.test(encoding) ? Buffer.from(raw, 'base64') : Buffer.from(raw);
    if (/^(gz|gzip)/.test(encoding)) body = gunzipSync(body);
  } catch {
    return say(`write_files: the content of ${path} is not ${encoding}`);
  }
  const owner = textOf(file['owner']);
  const steps = [writeFile(path, body, textOf(file['permissions']) || '0644', file['append'] === true)];
  if (owner !== '') steps.push(`step chown ${quote(owner)} ${quote(path)}`);
  return steps.join('\n');
}

function userSteps(one: unknown): string[] {
  if (one === 'default') return [];
  const user = (typeof one === 'string' ? { name: one } : one) as Config;
  const name = textOf(user['name']);
  if (!/^[a-z_][a-z0-9_-]{0,31}$/i.test(name)) return [say(`users: "${name}" is no name of a user`)];
  const shell = textOf(user['shell']) || '$([ -x /bin/bash ] && echo /bin/bash || echo /bin/sh)';
  const home = textOf(user['homedir']) || `/home/${name}`;
  const groups = listOf(user['groups']).flatMap((group) => textOf(group).split(',')).map((group) => group.trim()).filter((group) => group !== '');
  const make = `if command -v useradd >/dev/null; then useradd -m -d ${quote(home)} -s "${shell.replaceAll(/["`\\]/g, '')}" ${name}; else adduser -D -h ${quote(home)} -s "${shell.replaceAll(/["`\\]/g, '')}" ${name}; fi`;
  const sudo = listOf(user['sudo']).map(textOf).filter((rule) => rule !== '' && rule !== 'false');
  return [
    `id ${name} >/dev/null 2>&1 || { ${make}; } || { say ${quote(`the user ${name} could not be made`)}; failed=1; }`,
    ...groups.map((group) => `{ usermod -aG ${quote(group)} ${name} 2>/dev/null || addgroup ${name} ${quote(group)}; } || { say ${quote(`${name} is not in the group ${group}`)}; failed=1; }`),
    ...(sudo.length > 0 ? [writeFile(`/etc/sudoers.d/90-${name}`, Buffer.from(sudo.map((rule) => `${name} ${rule}\n`).join('')), '0440')] : []),
    ...(textOf(user['plain_text_passwd']) !== '' ? [passwordStep(name, textOf(user['plain_text_passwd']))] : []),
    ...(textOf(user['passwd']) !== '' ? [`printf '%s:%s\\n' ${name} ${quote(textOf(user['passwd']))} | chpasswd -e || failed=1`] : []),
    ...keySteps(name, listOf(user['ssh_authorized_keys'] ?? user['ssh-authorized-keys'])),
  ];
}

const passwordStep = (user: string, password: string): string => `printf '%s:%s\\n' ${quote(user)} ${quote(password)} | chpasswd || { say ${quote(`the password of ${user} could not be set`)}; failed=1; }`;

/** `list`: a text of lines `user:password`, or a list of them; `users`: objects. */
function passwordLines(value: unknown): [user: string, password: string][] {
  if (typeof value !== 'object' || value === null) return [];
  const { list, users } = value as Config;
  const lines = listOf(list).flatMap((one) => textOf(one).split('\n')).filter((line) => line.includes(':'));
  return [
    ...lines.map((line): [string, string] => [line.slice(0, line.indexOf(':')).trim(), line.slice(line.indexOf(':') + 1).trim()]),
    ...listOf(users).map((one): [string, string] => [textOf((one as Config)['name']), textOf((one as Config)['password'])]).filter(([name, password]) => name !== '' && password !== ''),
  ];
}

function keySteps(user: string, keys: readonly unknown[]): string[] {
  const lines = keys.map(textOf).filter((key) => key !== '');
  if (lines.length === 0) return [];
  const text = octal(Buffer.from(`${lines.join('\n')}\n`));
  return [
    `home=$(awk -F: -v u=${quote(user)} '$1 == u { print $6 }' /etc/passwd 2>/dev/null); [ -n "$home" ] || home=/root`,
    `mkdir -p "$home/.ssh" && ${text} >> "$home/.ssh/authorized_keys" && chmod 700 "$home/.ssh" && chmod 600 "$home/.ssh/authorized_keys" && chown -R ${quote(user)} "$home/.ssh" || { say ${quote(`keys of ${user} could not be written`)}; failed=1; }`,
  ];
}
