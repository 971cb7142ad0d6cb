/**
 * What containers have and machines do not, in the metadata of a server (`docker:workdir`, `docker:restart` …) or, where that says nothing, in the
 * properties of its image. None of it gives a guest more than its flavor does. Pure.
 */
import type { GuestOptions, RestartRule } from '../../../agents/compute/protocol.ts';
import { badRequest, isFault } from '../../../kernel/fault.ts';
import { tmpfsMounts, ulimitOf } from './guest-limits.ts';
import { absolutePath, duration, flag, integer, matching, nonEmpty, refused, wordArray } from './word-values.ts';

type Words = Readonly<Record<string, string>>;

/** Of which guest: `system`: it came as a disk and has an init of its own. */
export interface WordsOf {
  image_id: string;
  properties: Words;
  system: boolean;
}

/** The command is read elsewhere, with nova-docker's way of saying it. */
const ELSEWHERE = new Set(['docker:cmd']);
const FLAVOR_ONLY = /^docker:(privileged|cap_add|pids|runtime|devices?|security_opt|network|pid|ipc|userns|cap_drop)$/;
/** An init of its own is started as the distribution wants it. */
const NOT_FOR_SYSTEMS = ['docker:cmd', 'docker:entrypoint', 'docker:workdir', 'docker:user', 'docker:tty', 'docker:init', 'docker:read_only'];

type Reader = (value: string, key: string) => Partial<GuestOptions>;

const readers: Record<string, Reader> = {
  'docker:entrypoint': (value, key) => ({ entrypoint: wordArray(value, key) }),
  'docker:workdir': (value, key) => ({ working_dir: absolutePath(value, key) }),
  'docker:user': (value, key) => ({ user: matching(value, key, /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?$/, 'a user, or a user and a group, such as "www-data" or "1000:1000"') }),
  'docker:tty': (value, key) => ({ tty: flag(value, key) }),
  'docker:init': (value, key) => ({ init: flag(value, key) }),
  'docker:read_only': (value, key) => ({ read_only: flag(value, key) }),
  'docker:stop_signal': (value, key) => ({ stop_signal: matching(value, key, /^SIG[A-Z][A-Z0-9]{1,8}([+-][0-9]{1,2})?$/, 'a signal, such as "SIGINT"') }),
  'docker:stop_timeout': (value, key) => ({ stop_timeout: integer(value, key, 0, 600) }),
  'docker:restart': (value, key) => ({ restart: restartRule(value, key) }),
  // What it says is done by ssh-access.ts.
  'docker:ssh': (value, key) => (matching(value, key, /^(yes|no|on|off|true|false|1|0)$/i, '"yes" or "no"'), {}),
  'docker:tmpfs': (value, key) => ({ tmpfs: tmpfsMounts(value, key) }),
};

const healthKeys = ['cmd', 'interval', 'timeout', 'retries', 'start_period'].map((name) => `docker:health.${name}`);

/** @throws Fault 400 that names what is wrong: nothing is passed over. */
export function guestOptions(metadata: Words, of: WordsOf): GuestOptions {
  checkKeys(metadata, of.system);
  const image = (work: () => GuestOptions): GuestOptions => blameImage(of.image_id, work);
  const fromImage = of.system ? {} : image(() => read(Object.fromEntries(Object.entries(of.properties).filter(([key]) => !Object.hasOwn(metadata, key)))));
  return { restart: { name: of.system ? 'no' : 'unless-stopped', most: 0 }, ...fromImage, ...merged(fromImage, read(metadata)) };
}

/** Labels and limits of both; a health check is one's or the other's. */
function merged(image: GuestOptions, own: GuestOptions): GuestOptions {
  const labels = { ...image.labels, ...own.labels };
  const ulimits = [...(image.ulimits ?? []).filter(({ name }) => !own.ulimits?.some((one) => one.name === name)), ...(own.ulimits ?? [])];
  return { ...own, ...(Object.keys(labels).length === 0 ? {} : { labels }), ...(ulimits.length === 0 ? {} : { ulimits }) };
}

/** Whether the metadata of a server, made or to be made, can be what it says. @throws Fault 400 */
export function checkWords(metadata: Words): void {
  checkKeys(metadata, false);
  read(metadata);
}

function checkKeys(metadata: Words, system: boolean): void {
  for (const key of Object.keys(metadata)) {
    if (!key.startsWith('docker:')) continue;
    if (FLAVOR_ONLY.test(key)) throw refused(key, 'is for flavors only: it widens what a server may do, or is a share of its host');
    const known = Object.hasOwn(readers, key) || healthKeys.includes(key) || ELSEWHERE.has(key) || /^docker:ulimit\.[a-z]+$/.test(key);
    if (!known) throw refused(key, 'is nothing that servers know');
    if (system && (NOT_FOR_SYSTEMS.includes(key) || key.startsWith('docker:health.'))) throw refused(key, 'does not go with this image: it was made from a disk and starts its own init');
  }
}

function read(words: Words): GuestOptions {
  let out: GuestOptions = {};
  for (const [key, value] of Object.entries(words)) {
    const reader = Object.hasOwn(readers, key) ? readers[key] : undefined;
    if (reader !== undefined) out = { ...out, ...reader(value, key) };
    else if (key.startsWith('docker:ulimit.')) out = { ...out, ulimits: [...(out.ulimits ?? []), ulimitOf(key.slice('docker:ulimit.'.length), value, key)] };
    else if (key.startsWith('label.')) out = { ...out, labels: { ...out.labels, [labelName(key)]: value } };
    else if (key === 'env.') throw refused(key, 'names no variable');
  }
  return { ...out, ...health(words) };
}

function labelName(key: string): string {
  const name = key.slice('label.'.length);
  if (name === '') throw refused(key, 'names no label');
  if (name === 'gantry' || name.startsWith('gantry.')) throw refused(key, 'is a label of the cloud itself');
  return name;
}

function health(words: Words): Pick<GuestOptions, 'health'> {
  const given = healthKeys.filter((key) => Object.hasOwn(words, key));
  const command = words['docker:health.cmd'];
  if (given.length === 0) return {};
  if (command === undefined) throw refused(given[0]!, 'needs docker:health.cmd beside it');
  const time = (name: string, standard: number, least: number): number => {
    const key = `docker:health.${name}`;
    return words[key] === undefined ? standard : duration(words[key], key, least);
  };
  return {
    health: {
      // A command line for the image's shell, or the words of a program.
      test: command.trimStart().startsWith('[') ? ['CMD', ...wordArray(command, 'docker:health.cmd')] : ['CMD-SHELL', nonEmpty(command, 'docker:health.cmd')],
      interval_ms: time('interval', 30_000, 1000),
      timeout_ms: time('timeout', 30_000, 1000),
      start_period_ms: time('start_period', 0, 0),
      retries: words['docker:health.retries'] === undefined ? 3 : integer(words['docker:health.retries'], 'docker:health.retries', 1, 100),
    },
  };
}

function restartRule(value: string, key: string): RestartRule {
  const [, name, most] = /^(no|always|unless-stopped|on-failure)(?::(\d{1,4}))?$/.exec(value) ?? [];
  if (name === undefined || (most !== undefined && name !== 'on-failure')) throw refused(key, 'must be "no", "on-failure", "on-failure:5", "always" or "unless-stopped"');
  return { name: name as RestartRule['name'], most: Number(most ?? 0) };
}

/** What an image says wrongly is its own fault. */
export function blameImage<T>(image_id: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isFault(error)) throw error;
    throw badRequest('compute.image-unacceptable', `Image ${image_id} is unacceptable: ${error.message.replace(/^Invalid metadata: /, 'its property ')}`, { type: 'ImageUnacceptable' });
  }
}
