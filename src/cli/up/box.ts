import { paint, seconds } from '../output.ts';
import type { Output } from '../output.ts';
import { credentialsOf } from '../secrets.ts';
import { selfCommand } from '../self.ts';
import type { Settings } from '../settings.ts';

export interface Box {
  name: string;
  auth_url: string;
  region: string;
  users: { username: string; project: string; password: string }[];
  hello_url: string | undefined;
  clouds_yaml: string | undefined;
  next: { what: string; command: string }[];
}

/** All that a user needs to go on. */
export function nextSteps(settings: Settings, hello_url: string | undefined, clouds_yaml: string | undefined): Box {
  const { name, region } = settings.config.cloud;
  const users = (['admin', 'demo'] as const).map((user) => credentialsOf(settings, user));
  const next = [
    { what: 'speak to it', command: `eval "$(${selfCommand(settings, 'env')})"` },
    { what: 'or', command: `openstack --os-cloud ${name} server list` },
    { what: 'a server', command: 'openstack server create --image hello --flavor c1.micro --network public --security-group web --wait first' },
    { what: 'look', command: selfCommand(settings, 'status') },
    { what: 'stop', command: `${selfCommand(settings, 'down')}   (--purge removes everything)` },
  ].filter(({ what }) => what !== 'or' || clouds_yaml !== undefined);
  return { name, auth_url: users[0]!.auth_url, region, users: users.map(({ username, project, password }) => ({ username, project, password })), hello_url, clouds_yaml, next };
}

export function formatBox(box: Box, milliseconds: number, output: Output): string[] {
  const row = (label: string, text: string): string => `${label.padEnd(12)} ${text}`;
  const rows = [
    row('auth URL', box.auth_url),
    row('region', box.region),
    ...box.users.map((user) => row(user.username, `password ${user.password}   project ${user.project}`)),
    ...(box.hello_url === undefined ? [] : [row('hello', box.hello_url)]),
    ...(box.clouds_yaml === undefined ? [] : [row('clouds.yaml', box.clouds_yaml)]),
    '',
    ...box.next.map(({ what, command }) => row(what, command)),
  ];
  const title = ` ${box.name} is up, ${seconds(milliseconds)} `;
  const width = Math.max(title.length + 2, ...rows.map((line) => line.length + 2));
  return [
    `╭─${paint(output, 'bold', title)}${'─'.repeat(width - title.length - 1)}╮`,
    ...rows.map((line) => `│ ${line.padEnd(width - 2)} │`),
    `╰${'─'.repeat(width)}╯`,
  ];
}
